/* The page: what flows in, one pass for each frame, what is shown of it. */

const BACKGROUND = 3e7; // multiplications above which a worker computes
const BOUND = 1e-5;

class Page {
  constructor(data, weights) {
    this.data = data;
    this.engine = new Engine(data, weights);
    this.values = data.inputs.map((id) => new Float32Array(data.tensors[id].size));
    this.own = data.inputs.map(() => false); // given here, and by no sample
    this.changes = { mute: [], noise: [], zero: [], weight: [] };
    this.pinned = null;
    this.asked = null;
    this.sample = 0;
    this.pending = [];
    this.ready = false;
    if (data.macs > BACKGROUND) this.startWorker();
  }

  // ---------------------------------------------------------------- building

  build() {
    const { data } = this;
    document.documentElement.lang = language;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    makeTable();
    this.inputs = data.inputs.map((id, n) => inputFor(this, id, n));
    this.layers = new Layers(this);
    this.panel = new Panel(this);
    if (data.learn) this.lessons = new Lessons(this, this.lessons);
    this.bars = h("div", { class: "bars", "aria-live": "polite" });
    this.spoken = h("p", { class: "hidden", role: "status", "aria-live": "polite" });
    this.timing = h("span", { class: "fact", id: "timing" });
    this.badge = h("button", { class: "badge", id: "badge", onclick: () => this.checkDialog() });
    this.broken = h("div", { class: "broken", hidden: true });
    const samples = h("div", { class: "samples", role: "group", "aria-label": say("samples") }, data.samples.length > 0 && h("p", { class: "hint" }, say("samples")),
      data.samples.map((sample, n) => h("button", { class: "sample", onclick: () => this.pick(n) }, sample.name)));
    const facts = [say("layers", { n: data.nodes.length }), say("params", { n: data.params.toLocaleString() }),
      say("macs", { n: data.macs.toLocaleString() })];
    const header = h("header", {}, h("div", { class: "title" }, h("h1", {}, data.name), h("p", { class: "facts" }, `${data.file} · ${facts.join(" · ")} · `, this.timing)),
      this.badge,
      h("button", { class: "quiet", id: "link", onclick: () => this.copyLink() }, say("link")),
      h("button", { class: "quiet", id: "theme", "aria-label": say("theme"), onclick: () => this.setTheme(!dark) }, "◐"),
      h("button", { class: "quiet", id: "language", lang: language === "en" ? "ja" : "en", onclick: () => this.setLanguage(language === "en" ? "ja" : "en") }, say("language")));
    const main = h("main", {},
      h("section", { class: "side", "aria-label": say("input") }, h("h2", {}, say("input")), this.inputs.map((one) => one.element()), samples),
      h("div", { class: "middle" }, this.broken, this.layers.element, this.panel.element),
      h("section", { class: "side", "aria-label": say("prediction") }, h("h2", {}, say(this.hasBars() ? "prediction" : "output")), this.bars, this.lessons && this.lessons.element()));
    this.message = h("p", { class: "message", role: "alert", hidden: true });
    document.getElementById("app").replaceChildren(header, main, this.message, this.spoken);
  }

  hasBars() {
    return this.data.classCounts.some((count) => count !== null);
  }

  /* An output of the input's size shows the input again (an autoencoder): no classes. */
  isAgain(id) {
    return this.data.inputs.some((input) => this.isSame(input, id));
  }

  isSame(input, output) {
    const [a, b] = [this.data.tensors[input], this.data.tensors[output]];
    return a.size > 1 && a.shape.join() === b.shape.join();
  }

  // ---------------------------------------------------------------- computing

  startWorker() {
    const glue = `
let engine = null;
onmessage = ({ data: [what, ...rest] }) => {
  if (what === "start") engine = new Engine(...rest);
  else if (what === "forget") engine.forget();
  else if (what === "learn") {
    const loss = engine.learn(...rest), taught = engine.taught.slice();
    postMessage([loss, taught], [taught.buffer]);
  } else {
    const [inputs, changes] = rest, start = performance.now();
    engine.change(changes);
    engine.run(inputs);
    const memory = engine.memory.slice();
    postMessage([memory, performance.now() - start], [memory.buffer]);
  }
};`;
    const text = document.getElementById("engine").textContent + glue;
    try {
      this.worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
      const { memory, wide, inputs, tensors, weights, nodes, learn } = this.data;
      this.worker.postMessage(["start", { memory, wide, inputs, tensors, weights, nodes, learn }, this.engine.original]);
    } catch {
      this.worker = null; // a frame that allows none: it is computed here
    }
  }

  /* One pass over the network, after those asked for before; the milliseconds that it took. */
  pass(inputs, changes) {
    this.queue = (this.queue || Promise.resolve()).then(() => this.compute(inputs, changes));
    return this.queue;
  }

  async compute(inputs, changes) {
    if (this.worker) {
      return new Promise((resolve) => {
        this.worker.onmessage = ({ data: [memory, took] }) => {
          this.engine.memory.set(memory);
          resolve(took);
        };
        this.worker.postMessage(["run", inputs, changes]);
      });
    }
    const start = performance.now();
    this.engine.change(changes);
    this.engine.run(inputs);
    return performance.now() - start;
  }

  /* Does something before the next frame, then computes and draws once. */
  changed(what) {
    if (what && !this.pending.includes(what)) this.pending.push(what);
    this.again = true;
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.frame());
  }

  async frame() {
    const last = this.pending.pop();
    this.pending = [];
    if (last) last();
    this.again = false; // what comes from here on is not in this pass
    const took = await this.pass(this.values, this.changes);
    this.took = this.took === undefined || took < this.took ? took : 0.8 * this.took + 0.2 * took;
    this.waiting = false;
    const start = performance.now();
    this.ready = true;
    this.layers.draw();
    this.inputs.forEach((input, n) => input.refresh && input.refresh(this.values[n], this.own[n]));
    this.predict();
    if (this.lessons) this.lessons.draw();
    if (this.asked) this.explain();
    this.drew = performance.now() - start;
    const digits = this.took < 10 ? 1 : 0;
    this.timing.textContent = say("took", { t: this.took.toFixed(digits) }) + (this.worker ? ` (${say("worker")})` : "");
    if (this.again || this.pending.length) this.changed();
    Object.assign(document.documentElement.dataset, { took: took.toFixed(3), drew: this.drew.toFixed(3) });
    document.documentElement.dataset.passes = String(Number(document.documentElement.dataset.passes || 0) + 1);
  }

  give(number, values, own) {
    this.values[number] = values;
    this.own[number] = own;
    this.changed();
  }

  pick(n) {
    this.sample = n;
    this.data.samples[n].values.forEach((text, k) => this.give(k, floatsOf(text), false));
  }

  edit(id, at, value) {
    const number = this.data.inputs.indexOf(id), values = this.values[number].slice();
    values[flatIndex(at, this.data.tensors[id].shape)] = value;
    this.give(number, values, true);
  }

  // ---------------------------------------------------------------- checking

  async check() {
    const rows = new Map();
    const most = Math.max(1, Math.min(this.data.samples.length, Math.floor(3e8 / Math.max(this.data.macs, 1))));
    const none = { mute: [], noise: [], zero: [], weight: [] };
    for (let n = 0; n < Math.min(most, this.data.samples.length); n++) {
      await this.pass(this.data.samples[n].values.map(floatsOf), none);
      for (const row of deviations(this.engine, this.data.references[n])) {
        const before = rows.get(row.id);
        rows.set(row.id, before && before.relative >= row.relative ? before : row);
      }
    }
    this.checked = [...rows.values()];
    this.judge(Math.max(0, ...this.checked.map((row) => row.relative)));
    this.changed(); // the page's own input again
  }

  /* What the badge says of the largest deviation. */
  judge(worst) {
    const good = worst <= BOUND, d = worst.toExponential(1);
    this.badge.textContent = say(good ? "badge" : "badgeBad", { d });
    this.badge.title = say(good ? "ok" : "bad", { d });
    this.badge.classList.toggle("wrong", !good);
    this.badge.dataset.worst = String(worst);
  }

  checkDialog() {
    if (!this.checked) return;
    const rows = this.checked.map((row) => {
      const node = this.data.nodes.find((one) => one.outputs.includes(row.id));
      return h("tr", {}, h("th", { scope: "row" }, this.data.tensors[row.id].name), h("td", {}, node ? node.type : ""),
        h("td", {}, this.data.tensors[row.id].shape.join(" × ")), h("td", { class: "number" }, row.compared.toLocaleString()),
        h("td", { class: "number" }, row.relative.toExponential(2)), h("td", {}, row.relative <= BOUND ? "✓" : "✗"));
    });
    const heads = ["layer", "type", "shape", "compared", "deviation"].map((key) => h("th", { scope: "col" }, say(key)));
    dialog(say("checkTitle"), h("p", {}, say("checkAbout")), h("div", { class: "tableHolder", tabindex: "0" }, h("table", { class: "values" }, h("thead", {}, h("tr", {}, heads, h("th", {}, ""))), h("tbody", {}, rows))));
  }

  // ---------------------------------------------------------------- prediction

  predict() {
    const parts = [];
    for (const [number, id] of this.data.outputs.entries()) {
      const classes = this.data.classCounts[number] !== null;
      const { shape, name, scale } = this.data.tensors[id];
      const values = Float32Array.from(this.engine.tensors[id], (v) => realOf(this.data.tensors[id], v));
      if (shape.length > 1 || (shape.length && this.isAgain(id))) continue;
      if (this.data.outputs.length > 1) parts.push(h("p", { class: "type" }, name));
      const order = Array.from(values.keys()), sum = values.reduce((a, b) => a + b, 0);
      const shares = values.length > 1 && Math.abs(sum - 1) < (scale ? 0.02 : 1e-3) && values.every((v) => v >= 0);
      let best = 0;
      for (const n of order) if (values[n] > values[best]) best = n;
      if (order.length > 12) order.sort((a, b) => values[b] - values[a]).splice(10);
      const most = shares ? 1 : mostOf(values);
      const label = this.own.some(Boolean) ? null : this.data.samples[this.sample] && this.data.samples[this.sample].label;
      for (const n of order) {
        const title = values.length === 1 ? name : this.data.classes[n] || (values.length > 12 ? say("class", { n }) : String(n));
        const width = most ? (Math.min(Math.abs(values[n]) / most, 1) * 100).toFixed(1) : 0;
        parts.push(h("div", { class: `barRow${n === best && classes ? " best" : ""}` }, h("span", { class: "barName", title }, title),
          h("span", { class: "bar" }, h("span", { class: values[n] < 0 ? "below" : "", style: { width: `${width}%` } })),
          h("span", { class: "number" }, shares ? `${(values[n] * 100).toFixed(1)} %` : shown(values[n], 4))));
      }
      if (label !== null && label !== undefined) parts.push(h("p", { class: "hint" }, say("label", { l: this.data.classes[label] || label })));
    }
    for (const id of this.data.outputs) {
      const input = this.data.inputs.findIndex((one) => this.isSame(one, id));
      if (input < 0) continue;
      const [given, made] = [this.values[input], this.engine.tensors[id]];
      const square = given.reduce((sum, v, n) => sum + (v - made[n]) ** 2, 0) / made.length;
      parts.push(h("p", {}, say("again", { v: shown(square, 5) })));
    }
    this.bars.replaceChildren(...parts);
  }

  // ---------------------------------------------------------------- explaining

  show(id, at, pin, speak = false) {
    if (this.pinned && !pin && !speak) return;
    if (this.playing && !this.stepping) this.stop();
    if (pin || (this.pinned && speak)) this.pinned = [id, at];
    this.asked = [id, at];
    this.explain();
    const name = this.data.tensors[id].name, value = this.engine.tensors[id][flatIndex(at, this.data.tensors[id].shape)];
    if (pin || speak) this.spoken.textContent = say("cell", { k: name, p: at.join(", "), v: shown(value, 5) });
    if (pin) this.remember();
  }

  explain() {
    const found = explainThrough(this.engine, ...this.asked);
    this.panel.show(found);
    this.layers.light(found);
  }

  leave() {
    if (this.pinned || this.playing) return;
    this.asked = null;
    this.layers.light(null);
    this.panel.show(null);
  }

  unpin() {
    this.stop();
    this.pinned = this.asked = null;
    this.layers.light(null);
    this.panel.show(null);
    this.remember();
  }

  /* Slides over the map from the value that is shown; one step only where motion is reduced. */
  play() {
    if (this.playing) return this.stop();
    if (!this.pinned) this.pinned = this.asked;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.step();
    this.playing = setInterval(() => this.layers.element.matches(":hover") || this.step(), 250);
    this.explain();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
    if (this.asked) this.explain();
  }

  step() {
    const [id, at] = this.pinned, { plane } = this.layers.views.get(id), [map, row, col] = plane.place(at);
    const next = (row * plane.cols + col + 1) % (plane.rows * plane.cols);
    const to = plane.at(map, Math.floor(next / plane.cols), next % plane.cols) || plane.at(map, 0, 0);
    this.stepping = true;
    this.show(id, to, true);
    this.stepping = false;
  }

  // ---------------------------------------------------------------- breaking

  breakIt(what, change) {
    const list = this.changes[what], same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
    const key = (one) => (what === "weight" ? one.slice(0, 2) : one);
    const kept = list.filter((one) => !same(key(one), key(change)));
    this.changes = { ...this.changes, [what]: kept.length < list.length && what !== "weight" ? kept : [...kept, change] };
    this.afterBreaking();
  }

  restore() {
    this.changes = { mute: [], noise: [], zero: [], weight: [] };
    if (this.lessons) this.lessons.forget();
    this.afterBreaking();
  }

  afterBreaking() {
    const { mute, noise, zero, weight } = this.changes, { tensors, weights } = this.data, texts = [
      ...mute.map(([id, c]) => say("muted", { k: tensors[id].name, c })), ...noise.map(([id]) => say("noisy", { k: tensors[id].name })),
      ...zero.map((n) => say("zeroed", { k: weights[n].name })),
      ...weight.map(([n, at, v]) => say("changed", { k: `${weights[n].name}[${unflat(at, weights[n].shape).join(", ")}]`, v: shown(v) })),
    ];
    this.broken.hidden = texts.length === 0;
    this.broken.replaceChildren(h("b", {}, say("broken")), h("span", {}, ` ${texts.join(" · ")} `),
      h("button", { id: "restore", onclick: () => this.restore() }, say("restore")));
    this.remember();
    this.changed();
  }

  // ---------------------------------------------------------------- the moment, as a link

  state() {
    const state = { lang: language };
    if (this.own.some(Boolean)) {
      if (this.values.reduce((size, v) => size + v.length, 0) <= 4096) state.x = this.values.map((v) => Array.from(v, (n) => Number(n.toPrecision(4))));
    } else state.s = this.sample;
    if (this.pinned) state.at = [this.data.tensors[this.pinned[0]].name, this.pinned[1]];
    if (Object.values(this.changes).some((list) => list.length)) state.c = this.changes;
    return state;
  }

  remember() {
    try {
      history.replaceState(null, "", `#${encodeURIComponent(JSON.stringify(this.state()))}`);
    } catch { /* a frame without an address of its own */ }
  }

  /* What a link says, as far as it fits this network. */
  recall() {
    let state;
    try {
      state = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return;
    }
    if (state === null || typeof state !== "object") return;
    const { tensors, weights, samples } = this.data, whole = Number.isInteger;
    if (whole(state.s) && samples[state.s]) this.pick(state.s);
    if (Array.isArray(state.x) && state.x.length === this.values.length) {
      state.x.forEach((x, n) => {
        if (Array.isArray(x) && x.length === this.values[n].length && x.every((v) => typeof v === "number")) this.give(n, Float32Array.from(x), true);
      });
      this.inputs.forEach((input, n) => input.refresh(this.values[n], false));
    }
    if (state.c && typeof state.c === "object") {
      const list = (name, fits) => (Array.isArray(state.c[name]) ? state.c[name].filter(fits) : []);
      this.changes = {
        mute: list("mute", (one) => Array.isArray(one) && tensors[one[0]] && whole(one[1])),
        noise: list("noise", (one) => Array.isArray(one) && tensors[one[0]] && typeof one[1] === "number"),
        zero: list("zero", (one) => whole(one) && weights[one]),
        weight: list("weight", (one) => Array.isArray(one) && weights[one[0]] && whole(one[1]) && one[1] >= 0 && one[1] < weights[one[0]].size && typeof one[2] === "number"),
      };
      this.afterBreaking();
    }
    if (Array.isArray(state.at) && Array.isArray(state.at[1])) {
      const id = tensors.findIndex((tensor) => tensor.name === state.at[0]), at = state.at[1];
      if (id >= 0 && this.layers.views.has(id) && at.length === tensors[id].shape.length && at.every((n, k) => whole(n) && n >= 0 && n < tensors[id].shape[k])) {
        this.pinned = this.asked = [id, at];
      }
    }
  }

  copyLink() {
    this.remember();
    const done = () => this.tell(say("copied"));
    if (navigator.clipboard) navigator.clipboard.writeText(location.href).then(done, done);
  }

  // ---------------------------------------------------------------- settings

  setTheme(on) {
    dark = on;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    makeTable();
    if (this.ready) this.changed();
  }

  setLanguage(chosen) {
    language = chosen;
    const checked = this.badge;
    this.stop();
    this.build();
    if (checked.dataset.worst !== undefined) this.judge(Number(checked.dataset.worst));
    this.afterBreaking();
    this.inputs.forEach((input, n) => input.refresh(this.values[n], false));
    this.resized();
    document.getElementById("language").focus();
  }

  tell(text) {
    this.message.textContent = text;
    this.message.hidden = false;
    setTimeout(() => (this.message.hidden = true), 4000);
  }

  resized() {
    this.layers.connect();
    if (this.asked && this.ready) this.explain();
  }
}

async function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  if (location.hash === "#verify") {
    const found = await recomputed(data, data.samples.map((sample) => sample.values));
    document.body.append(h("pre", { id: "recomputed" }, JSON.stringify(found)));
    return;
  }
  let asked = null;
  try {
    asked = JSON.parse(decodeURIComponent(location.hash.slice(1))).lang;
  } catch { /* no moment in the address */ }
  language = WORDS[asked] ? asked : data.language || (navigator.language.startsWith("ja") ? "ja" : "en");
  const prefers = matchMedia("(prefers-color-scheme: dark)");
  dark = prefers.matches;
  Object.assign(data, await detailsOf(data.details));
  const page = new Page(data, await weightsOf(data.values));
  prefers.addEventListener("change", (event) => page.setTheme(event.matches));
  page.build();
  page.resized();
  // the page is seen before its first pass, which no compiler has seen yet
  await new Promise((seen) => requestAnimationFrame(() => setTimeout(seen, 0)));
  if (data.samples.length) page.pick(0);
  page.recall();
  const first = data.nodes.find((node) => node.key === data.first);
  if (first && !page.asked) {
    const id = first.outputs[0];
    page.pinned = page.asked = [id, data.tensors[id].shape.map((size) => Math.floor(size / 2))];
    page.layers.views.get(id).canvas.scrollIntoView({ inline: "center", block: "nearest" });
  }
  page.changed();
  page.resized();
  setTimeout(() => page.check(), 0); // after what is seen first
  addEventListener("resize", () => page.resized());
  addEventListener("keydown", (event) => event.key === "Escape" && page.pinned && page.unpin());
  addEventListener("paste", (event) => {
    const picture = [...event.clipboardData.files].find((file) => file.type.startsWith("image/"));
    const input = page.inputs.find((one) => one.open);
    if (picture && input) input.open(picture);
  });
}

start();
