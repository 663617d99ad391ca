// Draws a frame with the colours of its classes over it. Opacity and classes change here, without
// the server. `element`, `props` and `watch` are given by gr.HTML.
const shown = { opacity: 0.4, hidden: new Set(), frame: null, labels: null, turn: 0 };
const find = (selector) => element.querySelector(selector);

function pixels(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onerror = reject;
    image.onload = () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      resolve(context.getImageData(0, 0, image.width, image.height));
    };
    image.src = url;
  });
}

function rgb(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

function paint() {
  const { frame, labels, opacity, hidden } = shown;
  const canvas = find("canvas");
  canvas.hidden = !frame;
  find(".empty").hidden = Boolean(frame);
  if (!frame) return;
  [canvas.width, canvas.height] = [frame.width, frame.height];
  canvas.style.maxWidth = `calc(70vh * ${frame.width / frame.height})`;
  const colours = props.value.classes.map(([, colour]) => rgb(colour));
  const picture = new ImageData(new Uint8ClampedArray(frame.data), frame.width, frame.height);
  for (let at = 0; at < picture.data.length; at += 4) {
    const id = labels.data[at];
    if (id >= colours.length || hidden.has(id)) continue;
    for (let channel = 0; channel < 3; channel++)
      picture.data[at + channel] =
        (1 - opacity) * frame.data[at + channel] + opacity * colours[id][channel];
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function legend() {
  const chips = props.value.classes.map(([name, colour], id) => {
    const chip = document.createElement("button");
    const swatch = document.createElement("i");
    swatch.style.background = colour;
    chip.type = "button";
    chip.title = `Show or hide ${name}`;
    chip.append(swatch, name);
    chip.setAttribute("aria-pressed", String(!shown.hidden.has(id)));
    chip.onclick = () => {
      if (!shown.hidden.delete(id)) shown.hidden.add(id);
      chip.setAttribute("aria-pressed", String(!shown.hidden.has(id)));
      paint();
    };
    return chip;
  });
  find(".legend").replaceChildren(...chips);
}

function point(event) {
  const { frame, labels } = shown;
  if (!frame) return;
  const box = find("canvas").getBoundingClientRect();
  const column = Math.floor(((event.clientX - box.left) / box.width) * frame.width);
  const row = Math.floor(((event.clientY - box.top) / box.height) * frame.height);
  if (column < 0 || row < 0 || column >= frame.width || row >= frame.height) return;
  const [name] = props.value.classes[labels.data[4 * (row * frame.width + column)]] ?? ["no class"];
  find(".readout").textContent = `${name} at column ${column}, row ${row}`;
}

async function show() {
  const turn = ++shown.turn;
  const { frame, labels } = props.value;
  legend();
  find(".opacity input").value = shown.opacity;
  const both = frame ? await Promise.all([pixels(frame), pixels(labels)]) : [null, null];
  if (turn !== shown.turn) return; // a later frame is on its way
  [shown.frame, shown.labels] = both;
  paint();
}

element.addEventListener("input", (event) => {
  if (!event.target.matches(".opacity input")) return;
  shown.opacity = Number(event.target.value);
  paint();
});
element.addEventListener("pointermove", point);
element.addEventListener("pointerdown", point);
watch("value", show);
show();
