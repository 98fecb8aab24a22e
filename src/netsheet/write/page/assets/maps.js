/* A tensor as small heat maps: one atlas canvas, a cell a pixel, stretched by the style. */

const FEW = 16; // maps that are drawn before one asks for all
const SIDE = 72; // about how large a map is, in pixels of the screen

/* Which axes are drawn down and across; all the others count maps. */
function planeOf(tensor) {
  const { axes, shape } = tensor, rank = shape.length;
  const named = (name) => axes.indexOf(name);
  if (rank === 0) return { down: -1, across: -1 };
  if (rank === 1) return { down: 0, across: -1 };
  const [high, wide, deep] = [named("height"), named("width"), named("channel")];
  if (high >= 0 && wide >= 0) {
    const line = Math.min(shape[high], shape[wide]) === 1 && Math.max(shape[high], shape[wide]) > 1;
    if (line && deep >= 0 && shape[deep] > 1) return { down: deep, across: shape[high] > 1 ? high : wide };
    return { down: high, across: wide };
  }
  if (named("query") >= 0 && named("key") >= 0) return { down: named("query"), across: named("key") };
  const time = named("time");
  if (time >= 0) return { down: time === rank - 1 ? rank - 2 : rank - 1, across: time };
  return { down: rank - 2, across: rank - 1 };
}

/* Where the cells of a tensor lie: map, row and column, and back. */
class Plane {
  constructor(tensor) {
    this.shape = tensor.shape;
    const { down, across } = planeOf(tensor);
    this.down = down;
    this.across = across;
    this.others = tensor.shape.map((_, n) => n).filter((n) => n !== down && n !== across);
    this.maps = this.others.reduce((size, n) => size * tensor.shape[n], 1);
    this.vector = across < 0;
    const size = down < 0 ? 1 : tensor.shape[down];
    this.rows = this.vector ? Math.min(size, 32) : size;
    this.cols = this.vector ? Math.ceil(size / this.rows) : tensor.shape[across];
    this.scale = this.vector ? (size <= 16 ? 14 : size <= 64 ? 8 : 5)
      : Math.max(Math.min(Math.floor(SIDE / Math.max(this.rows, this.cols)), 12), 1);
    if (!this.vector && this.rows > 96) this.scale = 96 / this.rows;
    if (!this.vector && this.cols * this.scale > 320) this.scale = Math.max(320 / this.cols, 0.25);
  }

  at(map, row, col) {
    const at = new Array(this.shape.length);
    if (this.vector) {
      if (this.down >= 0) at[this.down] = col * this.rows + row;
      return this.down >= 0 && at[0] >= this.shape[0] ? null : at;
    }
    at[this.down] = row;
    at[this.across] = col;
    for (let n = this.others.length - 1; n >= 0; n--) {
      at[this.others[n]] = map % this.shape[this.others[n]];
      map = Math.floor(map / this.shape[this.others[n]]);
    }
    return at;
  }

  place(at) {
    if (this.vector) return [0, at.length ? at[0] % this.rows : 0, at.length ? Math.floor(at[0] / this.rows) : 0];
    const map = this.others.reduce((sum, n) => sum * this.shape[n] + at[n], 0);
    return [map, at[this.down], at[this.across]];
  }
}

/* The canvas of one tensor, the marks over it, and what pointer and keys do on it. */
class MapView {
  constructor(page, id) {
    this.page = page;
    this.id = id;
    this.tensor = page.data.tensors[id];
    this.plane = new Plane(this.tensor);
    this.all = this.plane.maps <= FEW;
    this.cursor = null;
    this.canvas = h("canvas", {
      tabindex: "0", role: "application", class: "map",
      onpointermove: (event) => event.pointerType !== "touch" && this.point(event, false),
      onpointerdown: (event) => this.press(event),
      onpointerleave: () => page.leave(),
      onkeydown: (event) => this.key(event),
      onfocus: () => this.focus(),
    });
    this.marks = h("canvas", { class: "marks", "aria-hidden": "true" });
    this.more = h("button", { class: "quiet", onclick: () => this.fold() });
    this.box = h("div", { class: "maps" }, h("div", { class: "stack" }, this.canvas, this.marks), this.more);
    this.layOut();
  }

  layOut() {
    const { plane } = this;
    this.shown = this.all ? plane.maps : Math.min(plane.maps, FEW);
    const wide = plane.cols * plane.scale;
    this.perRow = Math.max(1, Math.min(this.shown, this.shown <= 6 ? 1 : Math.floor((this.shown > 32 ? 420 : 170) / (wide + 3)) || 1));
    if (this.shown > 6 && this.shown <= 16 && wide <= 80) this.perRow = 2;
    const down = Math.ceil(this.shown / this.perRow);
    this.width = this.perRow * (plane.cols + 1) - 1;
    this.height = down * (plane.rows + 1) - 1;
    this.gap = 1;
    this.canvas.width = this.marks.width = this.width;
    this.canvas.height = this.marks.height = this.height;
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    const size = { width: `${this.width * plane.scale}px`, height: `${this.height * plane.scale}px` };
    Object.assign(this.canvas.style, size);
    Object.assign(this.marks.style, size);
    this.more.hidden = plane.maps <= FEW;
    this.more.textContent = this.all ? say("showFew") : say("showAll", { n: plane.maps });
    this.speak();
  }

  speak() {
    this.canvas.setAttribute("aria-label", `${this.tensor.name} ${this.tensor.shape.join(" × ")}. ${say("keys")}`);
  }

  fold() {
    this.all = !this.all;
    this.layOut();
    this.draw();
    this.page.resized();
  }

  draw() {
    if (this.seen === false) return;
    const { plane, pixels, page } = this, values = page.engine.tensors[this.id];
    const most = (this.most = mostOf(values));
    const [down, across] = [strideOf(plane.shape, plane.down), strideOf(plane.shape, plane.across)];
    for (let map = 0; map < this.shown; map++) {
      const left = (map % this.perRow) * (plane.cols + 1), top = Math.floor(map / this.perRow) * (plane.rows + 1);
      const first = plane.vector ? 0 : flatIndex(plane.at(map, 0, 0), plane.shape);
      for (let row = 0; row < plane.rows; row++) {
        let to = (top + row) * this.width + left;
        for (let col = 0; col < plane.cols; col++, to++) {
          const from = plane.vector ? col * plane.rows + row : first + row * down + col * across;
          pixels[to] = from < values.length ? table[colourNumber(values[from], most)] : 0;
        }
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /* The element under the pointer, or null between maps. */
  under(event) {
    const box = this.canvas.getBoundingClientRect(), { plane } = this;
    const x = Math.floor(((event.clientX - box.left) / box.width) * this.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * this.height);
    const col = x % (plane.cols + 1), row = y % (plane.rows + 1);
    const map = Math.floor(y / (plane.rows + 1)) * this.perRow + Math.floor(x / (plane.cols + 1));
    if (x < 0 || y < 0 || col >= plane.cols || row >= plane.rows || map >= this.shown) return null;
    return plane.at(map, row, col);
  }

  point(event, pin) {
    const at = this.under(event);
    if (at) this.page.show(this.id, (this.cursor = at), pin);
  }

  press(event) {
    const at = this.under(event);
    if (at) this.page.show(this.id, (this.cursor = at), true);
  }

  focus() {
    if (!this.canvas.matches(":focus-visible")) return;
    this.cursor = this.cursor || this.plane.at(0, 0, 0);
    this.page.show(this.id, this.cursor, false);
  }

  key(event) {
    const moves = { ArrowLeft: [0, 0, -1], ArrowRight: [0, 0, 1], ArrowUp: [0, -1, 0], ArrowDown: [0, 1, 0],
      PageUp: [-1, 0, 0], PageDown: [1, 0, 0] };
    if (event.key === "Enter" || event.key === " ") {
      if (this.cursor) this.page.show(this.id, this.cursor, true);
    } else if (moves[event.key]) {
      const [map, row, col] = this.plane.place(this.cursor || this.plane.at(0, 0, 0)), move = moves[event.key];
      const limits = [this.shown, this.plane.rows, this.plane.cols];
      const next = [map, row, col].map((n, k) => Math.min(Math.max(n + move[k], 0), limits[k] - 1));
      const at = this.plane.at(...next);
      if (at) this.page.show(this.id, (this.cursor = at), false, true);
    } else if (event.key === "Escape") {
      this.page.unpin();
    } else return;
    event.preventDefault();
  }

  /* The rectangle of an element in pixels of the screen, relative to the canvas; null if folded. */
  rectangle(at) {
    const [map, row, col] = this.plane.place(at), { plane } = this, s = plane.scale;
    if (map >= this.shown) return null;
    const left = (map % this.perRow) * (plane.cols + 1) + col;
    const top = Math.floor(map / this.perRow) * (plane.rows + 1) + row;
    return [left * s, top * s, s, s];
  }

  clearMarks() {
    this.marks.getContext("2d").clearRect(0, 0, this.marks.width, this.marks.height);
  }

  /* Outlines elements; `strong` is the one that is asked about. Returns the box around them. */
  mark(elements, strong) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2), s = this.plane.scale;
    const [width, height] = [this.width * s, this.height * s];
    if (this.marks.width !== Math.round(width * ratio)) {
      this.marks.width = Math.round(width * ratio);
      this.marks.height = Math.round(height * ratio);
    }
    const context = this.marks.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    const mark = style.getPropertyValue("--mark"), halo = style.getPropertyValue("--halo");
    const boxes = new Map();
    for (const at of elements) {
      const rectangle = this.rectangle(at);
      if (!rectangle) continue;
      const map = this.plane.place(at)[0], box = boxes.get(map) || [Infinity, Infinity, -Infinity, -Infinity];
      boxes.set(map, [Math.min(box[0], rectangle[0]), Math.min(box[1], rectangle[1]),
        Math.max(box[2], rectangle[0] + s), Math.max(box[3], rectangle[1] + s)]);
    }
    for (const [left, top, right, bottom] of boxes.values()) {
      context.lineWidth = strong ? 4 : 3.5;
      context.strokeStyle = halo;
      context.strokeRect(left - 0.5, top - 0.5, right - left + 1, bottom - top + 1);
      context.lineWidth = strong ? 2 : 1.5;
      context.strokeStyle = mark;
      context.strokeRect(left - 0.5, top - 0.5, right - left + 1, bottom - top + 1);
    }
    return [...boxes.values()];
  }
}

function strideOf(shape, axis) {
  let stride = axis < 0 ? 0 : 1;
  if (axis >= 0) for (let n = axis + 1; n < shape.length; n++) stride *= shape[n];
  return stride;
}
