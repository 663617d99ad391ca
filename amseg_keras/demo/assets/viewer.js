// Draws one frame with its labels, and turns what is done on it into strokes, clicks and measures.
//
// A frame comes in one piece: grey levels (0 to 65535), class ids, and what is known of them. The
// picture has a pixel for each pixel of the frame; it is drawn enlarged and moved, with everything
// else (the stroke that is being drawn, lines, the scale bar) on top in pixels of the screen.

const MOST_ZOOM = 40;
const PAINTING = ["brush", "eraser"];
const CLICKING = ["fill", "add", "remove"];

export class Viewer {
  constructor(canvas, tell) {
    this.canvas = canvas;
    this.tell = tell; // { stroke, hover, measured }
    this.picture = document.createElement("canvas");
    this.frame = null;
    this.opacity = 0.4;
    this.hidden = new Set();
    this.grey = { black: 0, white: 1, gamma: 1, log: false };
    this.zoom = 1;
    this.middle = [0.5, 0.5];
    this.tool = "look";
    this.radius = 4;
    this.points = [];
    this.at = null;
    this.pointers = new Map();
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.up(event));
    canvas.addEventListener("pointerleave", () => { this.at = null; this.draw(); });
    canvas.addEventListener("dblclick", () => this.closePolygon());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  // What is shown

  show(frame) {
    const other = this.frame?.recording !== frame?.recording;
    if (other || this.frame?.frame !== frame?.frame) this.points = [];
    this.frame = frame;
    if (other) this.fit();
    this.paint();
  }

  setTool(tool) {
    this.tool = tool;
    this.points = [];
    this.draw();
  }

  fit() {
    [this.zoom, this.middle] = [1, [0.5, 0.5]];
    this.draw();
  }

  zoomBy(factor, at = null) {
    if (!this.frame) return;
    const before = at ? this.toFrame(at) : null;
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    if (before) {
      const after = this.toFrame(at);
      this.middle[0] += (before[0] - after[0]) / this.frame.height;
      this.middle[1] += (before[1] - after[1]) / this.frame.width;
    }
    this.draw();
  }

  // Colours of every pixel, at the size of the frame.
  paint() {
    if (this.frame) {
      const { width, height, grey, labels, classes } = this.frame;
      [this.picture.width, this.picture.height] = [width, height];
      const levels = this.levels();
      const colours = classes.map(({ colour }) => [1, 3, 5].map(
        (at) => parseInt(colour.slice(at, at + 2), 16)));
      const image = new ImageData(width, height);
      for (let at = 0, to = 0; at < grey.length; at++, to += 4) {
        const level = levels[grey[at]];
        const id = labels ? labels[at] : 255;
        const colour = this.hidden.has(id) ? null : colours[id];
        for (let channel = 0; channel < 3; channel++)
          image.data[to + channel] = colour
            ? (1 - this.opacity) * level + this.opacity * colour[channel] : level;
        image.data[to + 3] = 255;
      }
      this.picture.getContext("2d").putImageData(image, 0, 0);
    }
    this.draw();
  }

  // The shade of each grey level, between the black and the white that were chosen.
  levels() {
    const { black, white, gamma, log } = this.grey;
    const [low, high] = this.frame.window;
    const from = low + black * (high - low);
    const spread = Math.max(low + white * (high - low) - from, 1e-6);
    const levels = new Uint8Array(65536);
    for (let level = 0; level < 65536; level++) {
      let share = Math.min(1, Math.max(0, (level / 65535 - from) / spread));
      if (log) share = Math.log1p(255 * share) / Math.log(256);
      levels[level] = Math.round(255 * share ** gamma);
    }
    return levels;
  }

  // From the frame to the screen and back

  get place() {
    const { clientWidth, clientHeight } = this.canvas;
    const { width, height } = this.frame;
    const size = Math.min(clientWidth / width, clientHeight / height) * this.zoom;
    const half = [clientHeight / 2 / size / height, clientWidth / 2 / size / width];
    this.middle = this.middle.map((value, axis) => half[axis] >= 0.5 ? 0.5
      : Math.min(1 - half[axis], Math.max(half[axis], value)));
    return { size, left: clientWidth / 2 - this.middle[1] * width * size,
      top: clientHeight / 2 - this.middle[0] * height * size };
  }

  // Row and column, with fractions, such that whole numbers are the middles of pixels.
  toFrame([x, y]) {
    const { size, left, top } = this.place;
    return [(y - top) / size - 0.5, (x - left) / size - 0.5];
  }

  toScreen([row, column]) {
    const { size, left, top } = this.place;
    return [left + (column + 0.5) * size, top + (row + 0.5) * size];
  }

  draw() {
    const { canvas, frame } = this;
    const height = frame ? Math.min(0.62 * window.innerHeight,
      canvas.clientWidth * frame.height / frame.width) : 320;
    const wanted = `${Math.max(160, Math.round(height))}px`;
    if (canvas.style.height !== wanted) canvas.style.height = wanted;
    const dense = window.devicePixelRatio || 1;
    const [across, down] = [canvas.clientWidth, canvas.clientHeight].map((v) => Math.round(v * dense));
    if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
    const context = canvas.getContext("2d");
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.clearRect(0, 0, across, down);
    if (!frame) return;
    const { size, left, top } = this.place;
    context.imageSmoothingEnabled = size < 1;
    context.drawImage(this.picture, left, top, frame.width * size, frame.height * size);
    this.drawPoints(context, size);
    this.drawScale(context, size);
  }

  drawPoints(context, size) {
    const path = this.points.map((point) => this.toScreen(point));
    const lines = (width, style) => {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.beginPath();
      path.forEach(([x, y], at) => at ? context.lineTo(x, y) : context.moveTo(x, y));
      if (path.length === 1) context.lineTo(path[0][0] + 0.01, path[0][1]);
      context.stroke();
    };
    context.lineCap = context.lineJoin = "round";
    if (path.length && PAINTING.includes(this.tool)) {
      const colour = this.frame.classes[this.classId]?.colour ?? "#ffffff";
      lines(Math.max(1, 2 * this.radius * size), this.tool === "brush" ? `${colour}b0` : "#ffffffb0");
    } else if (path.length) {
      if (this.tool === "polygon" && this.at) path.push(this.toScreen(this.at));
      lines(4, "#000000");
      lines(2, "#ffffff");
    }
    if (this.at && PAINTING.includes(this.tool)) {
      const [x, y] = this.toScreen(this.at);
      for (const [width, style] of [[3, "#000000"], [1, "#ffffff"]]) {
        context.lineWidth = width;
        context.strokeStyle = style;
        context.beginPath();
        context.arc(x, y, Math.max(1, this.radius * size), 0, 7);
        context.stroke();
      }
    }
  }

  // A bar of 1, 2 or 5 times a power of ten, at most a quarter of the canvas.
  drawScale(context, size) {
    const unit = this.frame.pixelSize ? "µm" : "px";
    const perUnit = size / (this.frame.pixelSize || 1);
    const most = this.canvas.clientWidth / 4 / perUnit;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].find((times) => times * power <= most) * power;
    this.scaleBar = { length, unit };
    const text = `${Number(length.toPrecision(1))} ${unit}`;
    const [left, bottom] = [12, this.canvas.clientHeight - 12];
    context.font = "600 14px system-ui, sans-serif";
    context.lineCap = "butt";
    for (const [width, style] of [[6, "#000000"], [3, "#ffffff"]]) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.beginPath();
      context.moveTo(left - (width - 3) / 2, bottom);
      context.lineTo(left + length * perUnit + (width - 3) / 2, bottom);
      context.stroke();
    }
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = "#000000";
    context.fillStyle = "#ffffff";
    context.strokeText(text, left, bottom - 9);
    context.fillText(text, left, bottom - 9);
  }

  // What is done on it

  position(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    if (!this.frame || event.button === 2) return;
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.position(event);
    this.pointers.set(event.pointerId, place);
    this.at = this.toFrame(place);
    this.tell.hover(this.hoverText());
    const moving = this.tool === "look" || event.button === 1 || this.pointers.size > 1;
    this.dragged = moving ? "view" : this.tool;
    if (moving) { this.points = this.tool === "polygon" ? this.points : []; return; }
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    if (PAINTING.includes(this.tool)) this.points = [this.at];
    else if (this.tool === "line") this.points = [this.at, this.at];
    else if (this.tool === "angle") this.points = this.points.length < 3 ? [...this.points, this.at] : [this.at];
    else if (this.tool === "polygon") this.points.push(this.at);
    this.draw();
  }

  move(event) {
    if (!this.frame) return;
    const place = this.position(event);
    const before = this.pointers.get(event.pointerId);
    this.at = this.toFrame(place);
    this.tell.hover(this.hoverText());
    if (before) {
      if (this.dragged === "view") this.moveView(event.pointerId, before, place);
      else if (PAINTING.includes(this.dragged)) this.points.push(this.at);
      else if (this.dragged === "line") this.points[1] = this.at;
      this.pointers.set(event.pointerId, place);
    }
    this.draw();
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId) || !this.frame) return;
    const points = this.points;
    if (event.type === "pointercancel") this.points = [];
    else if (PAINTING.includes(this.dragged) && points.length) {
      this.points = [];
      this.tell.stroke(this.dragged, points);
    } else if (CLICKING.includes(this.dragged)) this.tell.stroke(this.dragged, [this.at]);
    else if (this.dragged === "line") this.tell.measured(this.lineText());
    else if (this.dragged === "angle" && points.length === 3) this.tell.measured(this.angleText());
    if (!this.pointers.size) this.dragged = null;
    this.draw();
  }

  // Of two fingers one moves at a time: what is between the fingers stays between them.
  moveView(id, before, now) {
    const other = [...this.pointers].find(([key]) => key !== id)?.[1];
    if (other) {
      const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
      this.zoomBy(apart(now) / apart(before), before.map((value, axis) => (value + other[axis]) / 2));
    }
    const { size } = this.place;
    const part = other ? 0.5 : 1;
    this.middle[0] -= part * (now[1] - before[1]) / size / this.frame.height;
    this.middle[1] -= part * (now[0] - before[0]) / size / this.frame.width;
  }

  wheel(event) {
    if (!this.frame) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 400), this.position(event));
  }

  closePolygon() {
    if (this.tool !== "polygon" || this.points.length < 3) return;
    const points = this.points;
    this.points = [];
    this.tell.stroke("polygon", points);
    this.draw();
  }

  giveUp() {
    this.points = [];
    this.draw();
  }

  // Words

  hoverText() {
    const [row, column] = this.at.map(Math.round);
    const { width, height, labels, classes } = this.frame;
    if (row < 0 || column < 0 || row >= height || column >= width) return "";
    const place = `column ${column}, row ${row}`;
    if (!labels) return place;
    return `${classes[labels[row * width + column]]?.name ?? "no class"} at ${place}`;
  }

  lengthText(pixels) {
    const { pixelSize } = this.frame;
    const inPixels = `${pixels.toFixed(1)} px`;
    return pixelSize ? `${(pixels * pixelSize).toFixed(1)} µm (${inPixels})` : inPixels;
  }

  lineText() {
    const [[row, column], [toRow, toColumn]] = this.points;
    return `line of ${this.lengthText(Math.hypot(toRow - row, toColumn - column))}`;
  }

  angleText() {
    const [first, corner, last] = this.points;
    const [one, other] = [first, last].map((p) => Math.atan2(p[0] - corner[0], p[1] - corner[1]));
    const degrees = Math.abs((one - other) * 180 / Math.PI);
    return `angle of ${(degrees > 180 ? 360 - degrees : degrees).toFixed(1)}°`;
  }
}
