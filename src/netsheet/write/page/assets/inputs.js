/* What flows in: a pad to draw on, pictures, samples, numbers and tokens. */

const PAD = 280;

/* How a tensor is filled: a picture (with its axes), tokens, or numbers. */
function kindOf(data, id) {
  const { axes, shape, name } = data.tensors[id];
  if (name in data.tokens) return { kind: "tokens", size: data.tokens[name] };
  const [down, across, channel] = ["height", "width", "channel"].map((axis) => axes.indexOf(axis));
  const channels = channel >= 0 ? shape[channel] : 1;
  if (down >= 0 && across >= 0 && shape.length <= 3 && (channels === 1 || channels === 3)) {
    return { kind: "picture", down, across, channel, channels, height: shape[down], width: shape[across] };
  }
  return { kind: "numbers" };
}

class PictureInput {
  constructor(page, id, number) {
    Object.assign(this, { page, id, number, how: kindOf(page.data, id) });
    const { height, width, channels } = this.how;
    this.grey = channels === 1;
    this.drawn = false;
    this.inverted = false;
    this.centred = this.grey && height === 28 && width === 28;
    this.pad = h("canvas", { width: PAD, height: Math.round((PAD * height) / width), class: "pad",
      tabindex: "0", role: "img", "aria-label": say("draw") });
    this.context = this.pad.getContext("2d", { willReadFrequently: true });
    this.seen = h("canvas", { width, height, class: "seen", role: "img", "aria-label": say("seen") });
    this.file = h("input", { type: "file", accept: "image/*", id: `file${number}`, class: "hidden",
      onchange: () => this.file.files[0] && this.open(this.file.files[0]) });
    this.wire();
    this.clear(false);
  }

  element() {
    const toggle = (key, name, shownAt) => shownAt && h("label", { class: "toggle" },
      h("input", { type: "checkbox", checked: this[name], onchange: (event) => {
        this[name] = event.target.checked;
        this.read();
      } }), say(key));
    return h("div", { class: "picture" },
      this.pad,
      h("div", { class: "row" },
        h("button", { onclick: () => this.clear(true) }, say("clear")),
        h("label", { class: "button", for: `file${this.number}` }, say("open")), this.file),
      h("p", { class: "hint" }, say("drop")),
      toggle("centre", "centred", this.grey), toggle("invert", "inverted", true),
      h("div", { class: "row seenRow" }, this.seen, h("span", { class: "hint" }, say("seen"), h("br"),
        say("scaled", { s: scalingText(this.page.data.scaling) }))));
  }

  wire() {
    let last = null;
    const place = (event) => {
      const box = this.pad.getBoundingClientRect();
      return [((event.clientX - box.left) * this.pad.width) / box.width, ((event.clientY - box.top) * this.pad.height) / box.height];
    };
    const stroke = (from, to) => {
      const { context } = this;
      context.strokeStyle = context.fillStyle = this.ink();
      context.lineWidth = this.pad.width / (this.grey ? 13 : 20);
      context.lineCap = context.lineJoin = "round";
      context.beginPath();
      context.moveTo(...from);
      context.lineTo(to[0] + 0.01, to[1]);
      context.stroke();
      this.drawn = true;
      this.page.changed(() => this.read());
    };
    this.pad.addEventListener("pointerdown", (event) => {
      this.pad.setPointerCapture(event.pointerId);
      last = place(event);
      stroke(last, last);
      event.preventDefault();
    });
    this.pad.addEventListener("pointermove", (event) => {
      if (!last) return;
      for (const one of event.getCoalescedEvents ? [...event.getCoalescedEvents(), event] : [event]) {
        const next = place(one);
        stroke(last, next);
        last = next;
      }
    });
    for (const end of ["pointerup", "pointercancel"]) this.pad.addEventListener(end, () => (last = null));
    this.pad.addEventListener("dragover", (event) => event.preventDefault());
    this.pad.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) this.open(event.dataTransfer.files[0]);
    });
  }

  ink() {
    return this.inverted ? "#000" : "#fff";
  }

  clear(read) {
    this.context.fillStyle = this.inverted ? "#fff" : "#000";
    this.context.fillRect(0, 0, this.pad.width, this.pad.height);
    this.fresh = true; // a drawing that was begun on an empty pad can be centred
    if (read) this.read();
  }

  async open(file) {
    try {
      const picture = await createImageBitmap(file), { width, height } = this.pad;
      const scale = Math.max(width / picture.width, height / picture.height);
      const size = [picture.width * scale, picture.height * scale];
      this.clear(false);
      this.context.drawImage(picture, (width - size[0]) / 2, (height - size[1]) / 2, ...size);
      this.fresh = false;
      this.read();
    } catch {
      this.page.tell(say("pasteBad"));
    }
  }

  /* The pad's pixels, 0 .. 255, averaged to the network's size: height x width x channels. */
  averaged() {
    const { height, width, channels } = this.how, pad = this.pad;
    const from = this.context.getImageData(0, 0, pad.width, pad.height).data;
    const light = (n) => (channels === 3 ? null : 0.299 * from[n] + 0.587 * from[n + 1] + 0.114 * from[n + 2]);
    let box = [0, 0, pad.width, pad.height];
    const ink = (value) => (this.inverted ? 255 - value : value);
    if (this.centred && this.fresh) {
      let [left, top, right, bottom] = [pad.width, pad.height, -1, -1];
      for (let y = 0; y < pad.height; y++) {
        for (let x = 0; x < pad.width; x++) {
          if (ink(light(4 * (y * pad.width + x))) < 40) continue;
          left = Math.min(left, x);
          right = Math.max(right, x);
          top = Math.min(top, y);
          bottom = Math.max(bottom, y);
        }
      }
      if (right >= 0) {
        // as MNIST was made: 20 pixels of 28 for the larger side
        const side = (Math.max(right - left, bottom - top) + 1) * (28 / 20);
        box = [(left + right + 1 - side) / 2, (top + bottom + 1 - side) / 2, side, side];
      }
    }
    const result = this.sampled(from, box, light);
    return this.centred && this.fresh ? this.byMass(result, ink) : result;
  }

  sampled(from, [left, top, wide, high], light) {
    const { height, width, channels } = this.how, pad = this.pad;
    const result = new Float32Array(height * width * channels), fine = 4, empty = this.inverted ? 255 : 0;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const sums = [0, 0, 0];
        for (let v = 0; v < fine; v++) {
          for (let u = 0; u < fine; u++) {
            const px = Math.floor(left + ((x + (u + 0.5) / fine) * wide) / width);
            const py = Math.floor(top + ((y + (v + 0.5) / fine) * high) / height);
            const outside = px < 0 || py < 0 || px >= pad.width || py >= pad.height, n = 4 * (py * pad.width + px);
            for (let c = 0; c < channels; c++) sums[c] += outside ? empty : channels === 1 ? light(n) : from[n + c];
          }
        }
        for (let c = 0; c < channels; c++) result[(y * width + x) * channels + c] = Math.round(sums[c] / fine / fine);
      }
    }
    return result;
  }

  /* Moved so that the centre of mass is in the middle, by whole pixels, as MNIST was made. */
  byMass(pixels, ink) {
    const { height, width } = this.how;
    let [mass, sumX, sumY] = [0, 0, 0];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const value = ink(pixels[y * width + x]);
        mass += value;
        sumX += value * x;
        sumY += value * y;
      }
    }
    if (!mass) return pixels;
    const dx = Math.round((width - 1) / 2 - sumX / mass), dy = Math.round((height - 1) / 2 - sumY / mass);
    const moved = new Float32Array(pixels.length).fill(this.inverted ? 255 : 0);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [toX, toY] = [x + dx, y + dy];
        if (toX >= 0 && toY >= 0 && toX < width && toY < height) moved[toY * width + toX] = pixels[y * width + x];
      }
    }
    return moved;
  }

  /* Pixels to the network's numbers: ((255 - raw if inverted) * scale - mean) / std. */
  read() {
    const { scaling } = this.page.data, { channels, height, width } = this.how;
    const pixels = this.averaged(), values = new Float32Array(pixels.length);
    this.raw = Uint8Array.from(pixels);
    for (let n = 0; n < height * width; n++) {
      for (let c = 0; c < channels; c++) {
        const raw = pixels[n * channels + c], used = this.inverted !== scaling.invert ? 255 - raw : raw;
        const mean = scaling.mean[scaling.mean.length > 1 ? c : 0], std = scaling.std[scaling.std.length > 1 ? c : 0];
        values[this.flat(n, c)] = wholeOf(this.page.data.tensors[this.id], (used * scaling.scale - mean) / std);
      }
    }
    this.page.give(this.number, values, true);
  }

  flat(pixel, c) {
    const { down, across, channel, width } = this.how, at = [];
    at[down] = Math.floor(pixel / width);
    at[across] = pixel % width;
    if (channel >= 0) at[channel] = c;
    return flatIndex(at, this.page.data.tensors[this.id].shape);
  }

  /* Draws the network's own values, as a picture of 0 .. 255 where they can be turned back. */
  refresh(values, own) {
    const { scaling } = this.page.data, { channels, height, width } = this.how;
    const context = this.seen.getContext("2d"), image = context.createImageData(width, height);
    for (let n = 0; n < height * width; n++) {
      for (let c = 0; c < 3; c++) {
        const channel = channels === 3 ? c : 0;
        const mean = scaling.mean[scaling.mean.length > 1 ? channel : 0], std = scaling.std[scaling.std.length > 1 ? channel : 0];
        const value = realOf(this.page.data.tensors[this.id], values[this.flat(n, channel)]);
        const raw = (value * std + mean) / scaling.scale;
        image.data[4 * n + c] = scaling.invert ? 255 - raw : raw;
      }
      image.data[4 * n + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    if (own) return;
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(this.seen, 0, 0, this.pad.width, this.pad.height);
    this.fresh = false;
  }
}

/* What is done to pixels, in words. */
function scalingText({ scale, mean, std, invert }) {
  const listed = (numbers) => numbers.map((n) => shown(n)).join(" / ");
  const factor = Math.abs(scale * 255 - 1) < 1e-9 ? "1/255" : shown(scale);
  return [invert && say("inverted"), scale !== 1 && say("factor", { n: factor }),
    mean.some((n) => n !== 0) && say("minus", { n: listed(mean) }),
    std.some((n) => n !== 1) && say("divided", { n: listed(std) })].filter(Boolean).join(", ") || say("plain");
}

class NumbersInput {
  constructor(page, id, number) {
    Object.assign(this, { page, id, number, how: kindOf(page.data, id) });
    this.size = page.data.tensors[id].size;
    this.field = h("textarea", { rows: Math.min(3 + Math.floor(this.size / 12), 10), spellcheck: "false",
      id: `numbers${number}`, oninput: () => this.read() });
    this.said = h("p", { class: "hint", role: "status" });
  }

  element() {
    const { name, shape } = this.page.data.tensors[this.id];
    return h("div", { class: "numbers" },
      h("label", { for: `numbers${this.number}` }, `${name} (${shape.join(" × ")}): `,
        say(this.how.kind === "tokens" ? "token" : "values")), this.field, this.said);
  }

  read() {
    const numbers = this.field.value.split(/[\s,;、，]+/).filter(Boolean).map(Number);
    const wrong = numbers.length !== this.size || numbers.some(Number.isNaN);
    this.said.textContent = wrong ? say("wrong", { n: this.size, m: numbers.filter((n) => !Number.isNaN(n)).length }) : "";
    if (!wrong) this.page.changed(() => this.page.give(this.number, Float32Array.from(numbers), true));
  }

  refresh(values, own) {
    if (!own) this.field.value = Array.from(values, (value) => shown(value, 7)).join(" ");
  }
}

function inputFor(page, id, number) {
  return kindOf(page.data, id).kind === "picture" ? new PictureInput(page, id, number) : new NumbersInput(page, id, number);
}
