// The page: one state, `here`, which the server's answers fill; everything shown is drawn from it.
//
// The picture, the slider, the numbers, the time and the mark in the plots are those of `here.head`,
// the one answer of the server for one frame. What depended on a setting that changed is cleared
// before the server is asked for the new.

import { Viewer } from "/assets/viewer.js";

const find = (selector) => document.querySelector(selector);
const TOOLS = [["look", "Move"], ["line", "Line"], ["angle", "Angle"], ["brush", "Brush"],
  ["eraser", "Eraser"], ["fill", "Fill"], ["polygon", "Polygon"], ["add", "Add a piece"],
  ["remove", "Remove a piece"]];
const CORRECTING = TOOLS.slice(3).map(([name]) => name);
const TABS = [["time", "Over time"], ["pores", "Pores"], ["histogram", "Histogram"],
  ["explain", "Explain"], ["teach", "Correct and teach"], ["downloads", "Downloads"]];
const BUSY = ["waiting", "running"];

const here = {
  choosing: 0, stateNumber: 0,
  token: null, info: null, recordings: [], presets: [], teaching: { state: "ready" },
  selected: null, head: null, wanted: 0, view: "frame", before: false,
  resultsVersion: null, classId: 0, playing: null, lastOpacity: 0.4,
};
let viewer, loading = false, polling = null, edits = Promise.resolve(), removed = Promise.resolve();

// Asking the server

async function ask(path, body, method = "POST") {
  const options = body === undefined ? {} : { method,
    body: body instanceof Blob ? body : JSON.stringify(body) };
  const answer = await fetch(path.startsWith("/") ? path : `/v/${here.token}/${path}`, options);
  if (answer.ok) return answer;
  const said = answer.headers.get("content-type")?.includes("json") ? await answer.json()
    : { error: await answer.text() };
  throw new Error(said.error || "that did not work");
}

async function tried(work) {
  try {
    return await work();
  } catch (error) {
    complain(error instanceof TypeError ? "the server does not answer" : error.message);
    return null;
  }
}

function complain(sentence) {
  find("#problem p").textContent = sentence;
  find("#problem").hidden = !sentence;
}

const recording = () => here.recordings.find((one) => one.number === here.selected) ?? null;
const of = (number) => `recordings/${number}`;

// State

function take(state) {
  // An answer that was asked for earlier may come later; it is old.
  if (!state || state.number < here.stateNumber) return;
  const before = recording();
  const { number, recordings, presets, teaching } = state;
  Object.assign(here, { stateNumber: number, recordings, presets, teaching });
  const now = recording();
  if (here.selected !== null && !now) select(null);
  else if (now && before && now.version !== before.version) refresh(now);
  drawState();
  poll();
}

async function askState(path, body) {
  const answer = await tried(() => ask(path, body));
  const state = answer && await answer.json();
  take(state);
  return state;
}

function poll() {
  clearTimeout(polling);
  const now = recording();
  const unmeasured = now && now.classes.length && !now.measured && now.state === "done";
  const busy = unmeasured || here.recordings.some((one) => BUSY.includes(one.state))
    || BUSY.includes(here.teaching.state) || (now && needsConfidence(now));
  polling = setTimeout(async () => {
    try {
      take(await (await ask("state")).json());
    } catch (error) {
      if (document.visibilityState === "visible") complain(error.message);
      poll();
    }
  }, busy ? 300 : 10000);
}

const needsConfidence = (one) => one.chosen.least_confidence > 0 && !one.has_confidence;

function select(number) {
  if (here.selected === number) return;
  stopPlaying();
  Object.assign(here, { selected: number, head: null, wanted: 0, before: false });
  viewer.show(null);
  viewer.hidden.clear();
  clearResults();
  find("#explained").replaceChildren();
  drawState();
  if (number !== null) showFrame(0);
  poll();
}

// Another version of the recording: what is shown of the old one goes before the new one comes.
function forgetLabels(now) {
  clearResults();
  if (here.head && !now.classes.length) {
    viewer.show({ ...viewer.frame, labels: null, classes: [] });
    here.head = { ...here.head, labelled: false, cards: null };
    here.before = false;
    find("#explained").replaceChildren();
  }
  drawFrame();
}

function refresh(now) {
  forgetLabels(now);
  showFrame(here.wanted, true);
}

function clearResults() {
  here.resultsVersion = null;
  for (const name of ["time", "pores", "histogram"]) find(`#results-${name}`).replaceChildren();
}

// Frames

function showFrame(index, again = false) {
  const now = recording();
  if (!now) return;
  here.wanted = Math.max(0, Math.min(now.frames - 1, index));
  if (again) here.stale = true;
  load();
}

async function load() {
  if (loading) return;
  loading = true;
  try {
    for (;;) {
      const asked = { number: here.selected, index: here.wanted, view: here.view, before: here.before };
      const { head } = here;
      const isShown = head && head.recording === asked.number && head.frame === asked.index
        && head.view === asked.view && head.before === asked.before && !here.stale;
      if (asked.number === null || isShown) break;
      here.stale = false;
      find(".stage").setAttribute("aria-busy", "true");
      const frame = await tried(() => fetchFrame(asked));
      if (!frame) break;
      // While the server takes a choice, a frame may still have the labels of the old one.
      if (here.choosing) { here.stale = true; break; }
      if (here.selected === asked.number) shown(frame, asked.before);
    }
  } finally {
    loading = false;
    find(".stage").removeAttribute("aria-busy");
    const head = here.head;
    if (head) here.wanted = head.frame;
    drawFrame();
  }
}

async function fetchFrame({ number, index, view, before }) {
  const answer = await ask(`${of(number)}/frames/${index}?view=${view}`);
  const frame = unpack(await answer.arrayBuffer());
  if (before && frame.head.labelled) {
    const earlier = await ask(`${of(number)}/earlier/${index}`);
    frame.labels = new Uint8Array(await earlier.arrayBuffer());
  }
  return frame;
}

function unpack(bytes) {
  const length = new DataView(bytes).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  const pixels = head.width * head.height;
  const from = 4 + length;
  const grey = new Uint16Array(bytes.slice(from, from + 2 * pixels));
  const labels = head.labelled ? new Uint8Array(bytes, from + 2 * pixels, pixels) : null;
  return { head, grey, labels };
}

function shown({ head, grey, labels }, before = false) {
  const now = recording();
  here.head = { ...head, before };
  // A setting that has changed since then: what is shown must not be older than the page says.
  const classes = head.labelled ? now.classes : [];
  viewer.show({ recording: head.recording, frame: head.frame, width: head.width, height: head.height,
    window: head.window, grey, labels: classes.length ? labels : null, classes,
    pixelSize: now.chosen.pixel_size_um });
  drawFrame();
}

// Edits go one after the other; each answer is the frame as it is then.
function edit(tool, points = []) {
  const { head, classId } = here;
  if (!head || !head.labelled || head.before) return;
  const asked = { frame: head.frame, tool, points, class: classId, radius: viewer.radius,
    view: head.view };
  edits = edits.then(() => tried(async () => {
    const answer = await ask(`${of(head.recording)}/edit`, asked);
    const frame = unpack(await answer.arrayBuffer());
    if (here.selected === head.recording && here.wanted === frame.head.frame) shown(frame);
    clearResults();
    take(await (await ask("state")).json());
  }));
}

// Drawing the page

function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null) made.setAttribute(key, value);
  }
  made.append(...inside);
  return made;
}

function drawState() {
  const now = recording();
  drawRecordings();
  drawSettings(now);
  drawTeaching(now);
  find("#title").textContent = now ? now.name : "No recording";
  find("#empty").hidden = Boolean(now);
  const running = now && BUSY.includes(now.state);
  find("#run").disabled = !now || running;
  find("#cancel").disabled = !running;
  find("#run-all").disabled = !here.recordings.some((one) => ["ready", "failed", "cancelled"].includes(one.state));
  find("#clear").disabled = !here.recordings.length;
  const said = now ? [...now.warnings.map((one) => `Caution: ${one}`)] : [];
  replace("#warnings", said.map((one) => element("p", {}, one)));
  drawFrame();
  fetchResults(now);
}

function replace(selector, nodes) {
  const there = find(selector);
  const text = nodes.map((one) => one.outerHTML ?? one).join("");
  // The focus stays where it is if nothing changed.
  if (there.dataset.drawn !== text) {
    there.dataset.drawn = text;
    const focused = there.contains(document.activeElement)
      ? [...there.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    there.replaceChildren(...nodes);
    if (focused >= 0) there.querySelectorAll("button")[focused]?.focus();
  }
}

function drawRecordings() {
  replace("#recordings", here.recordings.map((one) => {
    const said = { ready: "not segmented yet", done: one.said || "segmented" }[one.state] ?? one.said;
    const size = `${one.frames} frame${one.frames === 1 ? "" : "s"} of ${one.height} × ${one.width}`;
    const bar = BUSY.includes(one.state) ? [element("progress", { max: 1, value: one.share.toFixed(2),
      "aria-label": `Progress of ${one.name}` })] : [];
    return element("li", { "data-state": one.state },
      element("button", { type: "button", class: "pick", "data-number": one.number,
        "aria-current": one.number === here.selected ? "true" : "false" },
      one.name, element("span", {}, `${size}; ${said}`), ...bar),
      element("button", { type: "button", "data-remove": one.number, "aria-label": `Remove ${one.name}` }, "×"));
  }));
}

function drawSettings(now) {
  const names = here.presets.map(({ name }) => name);
  const select = find("#preset");
  if ([...select.options].map((one) => one.value).join() !== names.join()) {
    const kept = select.value;
    select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    if (names.includes(kept)) select.value = kept;
  }
  if (now) {
    const { chosen } = now;
    setField("#preset", chosen.preset);
    setField("#pixel-size", chosen.pixel_size_um ?? "");
    setField("#frame-rate", chosen.frame_rate_hz ?? "");
    setField("#background", chosen.background);
    setField("#scale", String(chosen.scale));
    setField("#smallest", chosen.smallest_pore);
    setField("#confident", chosen.least_confidence);
  }
  find("#trained-on").textContent = trainedOn();
  find("#thresholds").hidden = !now?.classes.length;
  const unit = now?.chosen.pixel_size_um ? "µm" : "px";
  find("#smallest-said").textContent = Number(find("#smallest").value)
    ? `${find("#smallest").value} ${unit}` : "as amseg quantify takes it";
  const least = Number(find("#confident").value);
  find("#confident-said").textContent = !least ? "any"
    : `${least.toFixed(2)}${now && needsConfidence(now) ? " (being computed)" : ""}`;
}

function trainedOn() {
  const preset = here.presets.find(({ name }) => name === find("#preset").value);
  return preset ? `Trained on: ${preset.trained_on}` : "";
}

// A field that is being typed into keeps what is typed.
function setField(selector, value) {
  const field = find(selector);
  if (document.activeElement !== field || field.type !== "number") field.value = value;
}

function drawFrame() {
  const { head } = here;
  const now = recording();
  const slider = find("#frame");
  slider.max = now ? now.frames - 1 : 0;
  slider.disabled = find("#play").disabled = !now || now.frames < 2;
  const index = head?.frame ?? 0;
  if (!loading) slider.value = index;
  const time = head?.time_us === null || head?.time_us === undefined ? "" : ` · ${timeText(head.time_us)}`;
  const corrected = head?.corrected ? " · corrected" : "";
  find("#frame-said").textContent = head ? `${index} of 0 to ${head.frames - 1}${time}${corrected}` : "";
  find("#canvas").setAttribute("aria-label", head
    ? `${now.name}, frame ${index}, ${head.view}` : "No recording");
  if (head?.said) find("#readout").textContent = head.said;
  drawCards(head);
  drawLegend(now);
  drawTools(head);
  drawCursor(index);
  const used = Boolean(now?.training.includes(index));
  const button = find("#use-frame");
  button.setAttribute("aria-pressed", String(used));
  button.textContent = used ? "This frame is used for training" : "Use this frame for training";
  button.disabled = !head?.labelled;
}

function timeText(microseconds) {
  if (microseconds >= 1e6) return `${(microseconds / 1e6).toPrecision(6)} s`.replace(/\.?0+ s$/, " s");
  if (microseconds >= 1e4) return `${(microseconds / 1e3).toFixed(2)} ms`;
  return `${Number(microseconds.toFixed(1))} µs`;
}

function drawCards(head) {
  const cards = head?.before ? null : head?.cards;
  const nodes = !cards ? [] : cards.length ? cards.map(({ title, number, unit, interval }) => element("div", {},
    element("b", {}, `${number} `, element("small", {}, unit)), element("span", {}, title),
    element("small", { class: "interval" }, interval)))
    : [element("p", { class: "soft" }, "This frame could not be read.")];
  replace("#cards", nodes);
}

function drawLegend(now) {
  replace("#legend", (now?.classes ?? []).map(({ name, colour }, id) => element("button", {
    type: "button", "data-class": id, "aria-pressed": String(!viewer.hidden.has(id)),
    title: `Show or hide ${name} (${id + 1})` },
  element("i", { style: `background:${colour}` }), name)));
}

function drawTools(head) {
  const can = Boolean(head?.labelled) && !head.before;
  for (const button of document.querySelectorAll("#tools [data-tool]")) {
    button.disabled = !head || (CORRECTING.includes(button.dataset.tool) && !can);
    button.setAttribute("aria-pressed", String(button.dataset.tool === viewer.tool));
  }
  find("#undo").disabled = !can || !head.can_undo;
  find("#redo").disabled = !can || !head.can_redo;
  find("#reset").disabled = !can || !head.corrected;
  const now = recording();
  const classes = now?.classes ?? [];
  const select = find("#class");
  const names = classes.map(({ name }) => name);
  if ([...select.options].map((one) => one.text).join() !== names.join()) {
    select.replaceChildren(...names.map((name, id) => element("option", { value: id }, name)));
    setClass(Math.max(0, names.includes("pore") ? names.indexOf("pore") : names.length - 1));
  }
  find("#correcting").hidden = !CORRECTING.includes(viewer.tool);
}

function setClass(id) {
  here.classId = viewer.classId = id;
  find("#class").value = String(id);
}

function drawCursor(index) {
  for (const plots of document.querySelectorAll(".plots[data-frames]")) {
    const { left, width, frames } = plots.dataset;
    const share = Number(left) + (Number(width) * (index + 0.5)) / Number(frames);
    plots.querySelector(".cursor").style.left = `${100 * share}%`;
    plots.dataset.at = index;
  }
}

async function fetchResults(now) {
  const has = now?.measured && now.classes.length;
  find("#measuring").textContent = !now ? "Choose a recording." : has ? ""
    : now.classes.length ? "Being measured." : "Not segmented yet.";
  if (!has || here.resultsVersion === now.version) return;
  here.resultsVersion = now.version;
  const answer = await tried(() => ask(`${of(now.number)}/results`));
  const found = answer && await answer.json();
  const still = recording();
  if (!found?.measured || still?.number !== now.number || still.version !== found.version) {
    if (here.resultsVersion === now.version) here.resultsVersion = null;
    return;
  }
  // The server writes these pieces, and escapes what comes from files.
  find("#results-time").innerHTML = found.plots;
  find("#results-pores").innerHTML = found.pores;
  find("#results-histogram").innerHTML = found.histogram;
  for (const wide of document.querySelectorAll("#panels .wide")) {
    wide.tabIndex = 0;
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", "Plots or table");
  }
  if (here.head) drawCursor(here.head.frame);
}

function drawTeaching(now) {
  const { state, said, share, scores, preset } = here.teaching;
  const frames = here.recordings.flatMap((one) => one.training.map((frame) => `${one.name}: ${frame}`));
  find("#training-said").textContent = frames.length
    ? `${frames.length} frame${frames.length === 1 ? "" : "s"} for training: ${frames.slice(0, 12).join(", ")}${frames.length > 12 ? ", …" : ""}`
    : "No frame is used for training yet.";
  const busy = BUSY.includes(state);
  find("#teach").disabled = busy || !now?.classes.length || frames.length < 2;
  find("#teach-cancel").disabled = !busy;
  find("#teach-said").textContent = said ?? "";
  find("#teach-progress").hidden = !busy;
  find("#teach-progress").value = share ?? 0;
  find("#corrections").disabled = !frames.length;
  find("#use-taught").disabled = find("#tuned").disabled = !preset || busy;
  const earlier = find("#show-before");
  earlier.disabled = !now?.has_earlier;
  earlier.setAttribute("aria-pressed", String(here.before));
  replace("#scores", !scores ? [] : [element("table", {},
    element("caption", { class: "soft" }, "Intersection over union before and after"),
    element("thead", {}, element("tr", {}, ...["frames", "class", "before", "after"].map(
      (title) => element("th", { scope: "col" }, title)))),
    element("tbody", {}, ...scores.map((row) => element("tr", {},
      element("th", { scope: "row" }, `${row.frames} ${row.group}`), element("td", {}, row.class),
      element("td", {}, row.before.toFixed(3)), element("td", {}, row.after.toFixed(3))))))]);
}

// What is touched

async function upload(files) {
  if (!files.length) return;
  complain("");
  find("#busy").textContent = `Reading ${files.length === 1 ? files[0].name : `${files.length} files`} …`;
  await removed;
  await tried(async () => {
    const { upload: folder } = await (await ask("uploads", {})).json();
    for (const file of files)
      await ask(`uploads/${folder}/${encodeURIComponent(file.name)}`, file, "PUT");
    added(await (await ask(`uploads/${folder}`, { preset: find("#preset").value })).json());
  });
  find("#busy").textContent = "";
  find("#files").value = "";
}

async function takeSample(name) {
  complain("");
  find("#busy").textContent = `Reading ${name} …`;
  await removed;
  const answer = await tried(() => ask("sample", { name, preset: find("#preset").value }));
  find("#busy").textContent = "";
  if (!answer) return;
  const state = await answer.json();
  added(state);
  await askState("run", { recordings: state.made });
}

function added(state) {
  take(state);
  select(state.made[0]);
}

// A choice clears at once what depended on it; the server's answer brings the new.
async function choose(values, of_labels = false) {
  const now = recording();
  if (!now) { find("#trained-on").textContent = trainedOn(); return; }
  clearResults();
  if (of_labels) {
    Object.assign(now, { classes: [], warnings: [], measured: false, has_earlier: false });
    forgetLabels(now);
  } else if (here.head) here.head = { ...here.head, cards: null };
  drawFrame();
  if (!of_labels) { await askState(`${of(now.number)}/choose`, values); return; }
  here.choosing += 1;
  try { await askState(`${of(now.number)}/choose`, values); } finally { here.choosing -= 1; }
  showFrame(here.wanted, true);
}

async function download(wanted, path, button) {
  button.disabled = true;
  find("#packing").textContent = "Packing …";
  await tried(async () => {
    const answer = await ask(path);
    const named = /filename="?([^";]+)/.exec(answer.headers.get("content-disposition") ?? "");
    const star = /filename\*=utf-8''([^;]+)/i.exec(answer.headers.get("content-disposition") ?? "");
    const link = element("a", { download: star ? decodeURIComponent(star[1]) : named?.[1] ?? wanted });
    link.href = URL.createObjectURL(await answer.blob());
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
  find("#packing").textContent = "";
  button.disabled = false;
}

async function explain() {
  const now = recording();
  if (!now || !here.head) return;
  find("#explained").replaceChildren(element("p", {}, "Being explained …"));
  const answer = await tried(() => ask(`${of(now.number)}/explain`,
    { frame: here.head.frame, class: now.classes[Number(find("#why").value)].name }));
  const made = answer && await answer.json();
  if (here.selected !== now.number || recording()?.version !== now.version || !made) {
    find("#explained").replaceChildren();
    return;
  }
  const titles = { heat: `What speaks for ${made.class} in frame ${made.frame}`,
    sure: `How sure the network is of each pixel of frame ${made.frame}` };
  find("#explained").replaceChildren(...Object.entries(titles).map(([kind, title]) =>
    element("figure", {}, element("img", { src: made[kind], alt: title }),
      element("figcaption", { class: "soft" }, title))));
}

function setTool(tool) {
  viewer.setTool(tool);
  find("#canvas").style.touchAction = tool === "look" ? "pan-y" : "none";
  drawTools(here.head);
}

function setOpacity(value) {
  viewer.opacity = value;
  find("#opacity").value = value;
  if (value > 0) here.lastOpacity = value;
  viewer.paint();
}

function toggleClass(id) {
  if (!viewer.hidden.delete(id)) viewer.hidden.add(id);
  drawLegend(recording());
  viewer.paint();
}

function play() {
  if (here.playing) { stopPlaying(); return; }
  here.playing = setInterval(() => {
    const now = recording();
    if (now && !loading) showFrame((here.wanted + 1) % now.frames);
  }, 120);
  find("#play").setAttribute("aria-pressed", "true");
}

function stopPlaying() {
  clearInterval(here.playing);
  here.playing = null;
  find("#play").setAttribute("aria-pressed", "false");
}

// Keys work wherever the focus is, except where they are typed into a field.
function key(event) {
  const sideways = ["ArrowLeft", "ArrowRight"].includes(event.key);
  const typing = event.target.matches?.("input[type=number]")
    || (event.target.matches?.("select") && !sideways);
  if (typing || event.altKey || (event.metaKey && event.key !== "z")) return;
  const now = recording();
  const pressed = event.key;
  if ((event.ctrlKey || event.metaKey) && pressed.toLowerCase() === "z")
    edit(event.shiftKey ? "redo" : "undo");
  else if (event.ctrlKey) return;
  else if (event.target.matches?.("[role=tab]") && pressed.startsWith("Arrow")) return;
  else if (pressed === "ArrowRight") showFrame(here.wanted + 1);
  else if (pressed === "ArrowLeft") showFrame(here.wanted - 1);
  else if (pressed === " " && now && !event.target.matches?.("summary")) play();
  else if (pressed === "o") setOpacity(viewer.opacity ? 0 : here.lastOpacity);
  else if (/^[1-9]$/.test(pressed) && Number(pressed) <= (now?.classes.length ?? 0)) {
    if (CORRECTING.includes(viewer.tool)) setClass(Number(pressed) - 1);
    else toggleClass(Number(pressed) - 1);
  } else if (pressed === "Enter" && viewer.points.length > 2 && !event.target.matches?.("button, summary"))
    viewer.closePolygon();
  else if (pressed === "Escape") viewer.giveUp();
  else return;
  event.preventDefault();
}

function buildTools() {
  const button = (attributes, text) => element("button", { type: "button", ...attributes }, text);
  find("#tools").append(
    ...TOOLS.map(([name, title]) => button({ "data-tool": name, "aria-pressed": "false", disabled: true,
      onclick: () => setTool(name) }, title)),
    button({ id: "undo", disabled: true, onclick: () => edit("undo") }, "Undo"),
    button({ id: "redo", disabled: true, onclick: () => edit("redo") }, "Redo"),
    button({ id: "reset", disabled: true, onclick: () => edit("reset") }, "As found"),
    element("span", { id: "correcting", class: "row", hidden: true },
      element("label", { for: "class" }, "Class"), element("select", { id: "class",
        onchange: (event) => { setClass(Number(event.target.value)); viewer.canvas.focus(); } }),
      element("label", { for: "radius" }, "Brush"), element("input", { id: "radius", type: "range",
        min: 0.5, max: 30, step: 0.5, value: 4,
        oninput: (event) => { viewer.radius = Number(event.target.value); viewer.draw(); } })));
}

function buildTabs() {
  for (const [name, title] of TABS) {
    find("#tabs").append(element("button", { type: "button", role: "tab", id: `tab-${name}`,
      "aria-controls": `panel-${name}`, "aria-selected": "false", tabindex: -1,
      onclick: () => openTab(name), onkeydown: moveTab }, title));
    find("#panels").append(element("div", { role: "tabpanel", id: `panel-${name}`, tabindex: 0,
      "aria-labelledby": `tab-${name}`, hidden: true }));
  }
  find("#tabs").after(element("p", { id: "measuring", role: "status", class: "soft" }));
  for (const name of ["time", "pores", "histogram"])
    find(`#panel-${name}`).append(element("div", { id: `results-${name}` }));
  find("#panel-explain").append(
    element("p", {}, "What in the frame speaks for a class (Grad-CAM), and how sure the network is of every pixel."),
    element("div", { class: "row" }, element("label", { for: "why" }, "Class"),
      element("select", { id: "why" }), element("button", { type: "button", id: "explain", onclick: explain },
        "Explain this frame")),
    element("div", { id: "explained", class: "pictures" }));
  find("#why").addEventListener("focus", drawWhy);
  find("#panel-teach").append(
    element("p", {}, "Correct frames with the tools above the picture. Corrected frames are used for training; a frame that is right as it is may be used too."),
    element("div", { class: "row" },
      element("button", { type: "button", id: "use-frame", "aria-pressed": "false", onclick: useFrame },
        "Use this frame for training"),
      element("button", { type: "button", id: "corrections", onclick: (event) =>
        download("corrections.zip", "corrections.zip", event.currentTarget) }, "Download the data set")),
    element("p", { id: "training-said", class: "soft" }),
    element("div", { class: "row" }, element("label", { for: "epochs" }, "Epochs"),
      element("input", { id: "epochs", type: "number", min: 2, max: 40, value: 10, style: "width:5rem" }),
      element("button", { type: "button", id: "teach", class: "main", onclick: teach }, "Teach"),
      element("button", { type: "button", id: "teach-cancel", onclick: () => askState("teach", { cancel: true }) },
        "Cancel teaching")),
    element("progress", { id: "teach-progress", max: 1, value: 0, hidden: true, "aria-label": "Progress of teaching" }),
    element("p", { id: "teach-said", role: "status" }),
    element("div", { id: "scores", class: "wide", tabindex: 0, role: "region", "aria-label": "Scores" }),
    element("div", { class: "row" },
      element("button", { type: "button", id: "use-taught", onclick: () =>
        recording() && askState(`${of(here.selected)}/use-taught`, {}) }, "Segment with the taught network"),
      element("button", { type: "button", id: "show-before", "aria-pressed": "false", onclick: showBefore },
        "Show the labels before"),
      element("button", { type: "button", id: "tuned", onclick: (event) => download("preset.zip",
        `presets/${here.teaching.preset}.zip`, event.currentTarget) }, "Download the taught network")));
  find("#panel-downloads").append(element("div", { id: "exports", class: "row" }),
    element("p", { id: "packing", role: "status" }));
  openTab("time");
}

function drawWhy() {
  const names = (recording()?.classes ?? []).map(({ name }) => name);
  const kept = find("#why").value;
  find("#why").replaceChildren(...names.map((name, id) => element("option", { value: id }, name)));
  find("#why").value = kept || String(Math.max(0, names.indexOf("keyhole")));
}

function openTab(name) {
  for (const [other] of TABS) {
    const open = other === name;
    find(`#tab-${other}`).setAttribute("aria-selected", String(open));
    find(`#tab-${other}`).tabIndex = open ? 0 : -1;
    find(`#panel-${other}`).hidden = !open;
  }
  if (name === "explain") drawWhy();
}

function moveTab(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const at = TABS.findIndex(([name]) => event.target.id === `tab-${name}`);
  const [name] = TABS[(at + step + TABS.length) % TABS.length];
  openTab(name);
  find(`#tab-${name}`).focus();
  event.preventDefault();
}

const useFrame = () => askState(`${of(here.selected)}/training`, { frame: here.head.frame,
  wanted: find("#use-frame").getAttribute("aria-pressed") !== "true" });

const teach = () => askState("teach", { recording: here.selected, epochs: Number(find("#epochs").value) });

function showBefore() {
  here.before = !here.before;
  find("#show-before").setAttribute("aria-pressed", String(here.before));
  showFrame(here.wanted, true);
}

function listen() {
  const on = (selector, event, work) => find(selector).addEventListener(event, work);
  on("#files", "change", (event) => upload([...event.target.files]));
  const drop = find(".upload");
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    upload([...event.dataTransfer.files]);
  });
  on("#problem button", "click", () => complain(""));
  on("#recordings", "click", (event) => {
    const pick = event.target.closest("[data-number]"), gone = event.target.closest("[data-remove]");
    if (pick) select(Number(pick.dataset.number));
    if (gone) remove([Number(gone.dataset.remove)]);
  });
  on("#run", "click", () => start([here.selected]));
  on("#run-all", "click", () => start(here.recordings.filter(
    (one) => ["ready", "failed", "cancelled"].includes(one.state)).map(({ number }) => number)));
  on("#cancel", "click", () => askState(`${of(here.selected)}/cancel`, {}));
  on("#clear", "click", () => remove(here.recordings.map(({ number }) => number)));
  on("#preset", "change", (event) => choose({ preset: event.target.value }, true));
  on("#background", "change", (event) => choose({ background: event.target.value }, true));
  on("#scale", "change", (event) => choose({ scale: event.target.value }, true));
  for (const [selector, name] of [["#pixel-size", "pixel_size_um"], ["#frame-rate", "frame_rate_hz"]])
    on(selector, "input", (event) => changedNumber(event.target, name));
  for (const [selector, name] of [["#smallest", "smallest_pore"], ["#confident", "least_confidence"]]) {
    on(selector, "input", () => drawSettings(null));
    on(selector, "change", (event) => choose({ [name]: Number(event.target.value) }));
  }
  on("#look", "change", (event) => { here.view = event.target.value; resetGrey(); showFrame(here.wanted); });
  on("#frame", "input", (event) => showFrame(Number(event.target.value)));
  on("#play", "click", play);
  on("#opacity", "input", (event) => setOpacity(Number(event.target.value)));
  on("#zoom-in", "click", () => viewer.zoomBy(1.5));
  on("#zoom-out", "click", () => viewer.zoomBy(1 / 1.5));
  on("#zoom-fit", "click", () => viewer.fit());
  for (const name of ["black", "white", "gamma"])
    on(`#${name}`, "input", (event) => { viewer.grey[name] = Number(event.target.value); viewer.paint(); });
  on("#log", "click", (event) => {
    viewer.grey.log = !viewer.grey.log;
    event.target.setAttribute("aria-pressed", String(viewer.grey.log));
    viewer.paint();
  });
  on("#grey-reset", "click", resetGrey);
  on("#legend", "click", (event) => {
    const chip = event.target.closest("[data-class]");
    if (chip) toggleClass(Number(chip.dataset.class));
  });
  window.addEventListener("keydown", key);
  window.addEventListener("pagehide", () => navigator.sendBeacon(`/v/${here.token}/leave`));
}

function changedNumber(field, name) {
  const value = field.value === "" ? null : Number(field.value);
  if (value === null || value > 0) choose({ [name]: value }, find("#scale").value === "auto" && name === "pixel_size_um");
}

function resetGrey() {
  viewer.grey = { black: 0, white: 1, gamma: 1, log: false };
  for (const [name, value] of Object.entries(viewer.grey)) if (name !== "log") find(`#${name}`).value = value;
  find("#log").setAttribute("aria-pressed", "false");
  viewer.paint();
}

async function start(numbers) {
  complain("");
  await askState("run", { recordings: numbers });
}

// What is sent next waits until the old is gone: both are of the one place that a visitor has.
function remove(numbers) {
  removed = removed.then(() => removeNow(numbers));
}

async function removeNow(numbers) {
  if (numbers.includes(here.selected)) select(null);
  const there = numbers.filter((number) => here.recordings.some((one) => one.number === number));
  for (const number of there) await askState(`${of(number)}/remove`, {});
  if (here.selected === null && here.recordings.length) select(here.recordings[0].number);
}

async function begin() {
  viewer = new Viewer(find("#canvas"), {
    stroke: edit,
    hover: (text) => { find("#readout").textContent = text || " "; },
    measured: (text) => { find("#readout").textContent = text; },
  });
  buildTools();
  buildTabs();
  listen();
  const answer = await tried(() => ask("/visit", { token: sessionStorage.getItem("token") }));
  if (!answer) return;
  here.info = await answer.json();
  here.token = here.info.token;
  sessionStorage.setItem("token", here.token);
  here.presets = here.info.presets;
  const { limits, endings, samples, exports: kinds } = here.info;
  find("#files").accept = endings.join();
  find("#takes").textContent = `Up to ${limits.frames.toLocaleString("en")} frames a recording, ${limits.upload_mb.toLocaleString("en")} MB a file; or a simulated sample:`;
  find("#samples").append(...samples.map((name) => element("button", { type: "button",
    onclick: () => takeSample(name) }, `Sample ${name}`)));
  find("#exports").append(...Object.entries(kinds).map(([name, title]) => element("button", { type: "button",
    "data-export": name, onclick: (event) => here.selected !== null
      && download(name, `${of(here.selected)}/download/${name}`, event.currentTarget) }, title)));
  await askState("state");
  if (here.recordings.length) select(here.recordings[0].number);
  document.documentElement.dataset.ready = "yes";
}

window.amseg = { here, get viewer() { return viewer; } };
begin();
