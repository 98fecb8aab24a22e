/* What one teaches the network: the true class of a drawing, steps of gradient descent, the loss. */

Object.assign(WORDS.en, {
  learning: "Learning", teach: "What is it?", teachNumber: "What should it give?", rate: "Learning rate",
  stepOnce: "1 step", stepTen: "10 steps", keepOn: "Keep learning", halt: "Stop",
  addExample: "Keep as an example", examples: "{n} examples: each step learns from all, one after the other",
  noExamples: "Each step learns from the drawing.", itself: "It should give its own input again.",
  lossNow: "loss {v} after {n} steps", lossName: "loss: {l}", forget: "Forget what was learnt",
  diverged: "A weight would be no number: nothing was learnt. Try a smaller learning rate.",
  weightNow: "now", weightMoved: "moved by at most {v}", notLearning: "not learning: {k}",
});
Object.assign(WORDS.ja, {
  learning: "学習", teach: "正解は？", teachNumber: "正しい値は？", rate: "学習率",
  stepOnce: "1 ステップ", stepTen: "10 ステップ", keepOn: "学習を続ける", halt: "止める",
  addExample: "例として残す", examples: "例 {n} 個：1 ステップごとに、すべてから順に学びます",
  noExamples: "1 ステップごとに、いまの入力から学びます。", itself: "入力をそのまま出すように学びます。",
  lossNow: "{n} ステップ後の損失 {v}", lossName: "損失：{l}", forget: "学習したことを忘れる",
  diverged: "重みが数でなくなるため、学習しませんでした。学習率を小さくしてください。",
  weightNow: "いまの値", weightMoved: "変化（最大 {v}）", notLearning: "学習しない重み：{k}",
});

const SHOWN = 4; // kernels that are shown while they change
const LARGEST = 4096; // numbers of a kernel that is shown

class Lessons {
  /* `before`: the lessons of the page before it was built anew, in another language. */
  constructor(page, before) {
    this.page = page;
    this.how = page.data.learn;
    this.losses = before ? before.losses : [];
    this.examples = before ? before.examples : [];
    this.rate = before ? before.rate : this.how.initial;
    if (before) before.halt();
    this.running = false;
    this.answer = this.field(before);
    this.said = h("p", { class: "hint", role: "status", id: "loss" });
    this.curve = h("svg", { viewBox: "0 0 200 60", class: "curve", role: "img", "aria-label": say("lossName", { l: this.how.lossName }) });
    this.kernels = h("div", { class: "kernels" });
    this.list = h("p", { class: "hint" });
    this.on = h("button", { id: "keepOn", onclick: () => (this.running ? this.halt() : this.keepOn()) }, say("keepOn"));
    const { weights } = page.data;
    this.seen = this.how.made.map(([number]) => number).filter((number) => weights[number].shape.length > 1 && weights[number].size <= LARGEST).slice(0, SHOWN);
    this.tell();
  }

  /* Where one says what the network should give: a class, a number, or values. */
  field(before) {
    const { asked } = this.how, { data } = this.page, output = data.tensors[data.outputs[0]];
    if (asked === "input") return null;
    if (asked === "class") {
      const field = h("select", { id: "trueClass" }, Array.from({ length: output.size }, (_, n) => h("option", { value: n }, data.classes[n] || String(n))));
      const sample = data.samples[this.page.sample];
      field.value = before ? before.answer.value : String((sample && sample.label) || 0);
      return field;
    }
    const field = asked === "number" ? h("input", { id: "trueClass", type: "number", step: "any" }) : h("textarea", { id: "trueClass", rows: 3, spellcheck: "false" });
    field.value = before ? before.answer.value : Array.from({ length: output.size }, () => 0).join(" ");
    return field;
  }

  element() {
    const { asked } = this.how;
    const rate = h("input", { type: "number", id: "rate", min: "0", step: "any", value: this.rate, onchange: (event) => (this.rate = Number(event.target.value)) });
    return h("section", { class: "learning", "aria-label": say("learning") }, h("h2", {}, say("learning")),
      this.answer ? h("label", { for: "trueClass" }, say(asked === "class" ? "teach" : "teachNumber")) : h("p", { class: "hint" }, say("itself")), this.answer,
      h("label", { for: "rate" }, say("rate")), rate,
      h("div", { class: "row" },
        h("button", { id: "stepOnce", onclick: () => this.steps(1) }, say("stepOnce")),
        h("button", { id: "stepTen", onclick: () => this.steps(10) }, say("stepTen")), this.on),
      h("div", { class: "row" }, h("button", { id: "addExample", onclick: () => this.keep() }, say("addExample"))), this.list,
      this.said, this.curve, this.kernels,
      this.how.leftOut.length > 0 && h("p", { class: "hint" }, say("notLearning", { k: this.how.leftOut.join(", ") })),
      h("div", { class: "row" }, h("button", { class: "quiet", id: "forget", onclick: () => this.forget() }, say("forget"))));
  }

  /* What the network should give now, as numbers; null where the field says something else. */
  given() {
    if (!this.answer) return [];
    const numbers = this.answer.value.split(/[\s,;、，]+/).filter(Boolean).map(Number);
    const { data } = this.page, size = this.how.asked === "values" ? data.tensors[data.outputs[0]].size : 1;
    if (numbers.length === size && numbers.every(Number.isFinite)) return numbers;
    this.page.tell(say("wrong", { n: size, m: numbers.filter(Number.isFinite).length }));
    return null;
  }

  keep() {
    const given = this.given();
    if (given) this.examples.push([this.page.values.map((values) => values.slice()), given]);
    this.tell();
  }

  /* So many times through the examples, or the drawing; the loss of each is the mean before it. */
  async steps(count) {
    if (!(this.rate > 0) || this.busy) return;
    const given = this.examples.length ? [] : this.given();
    if (!given) return this.halt();
    this.busy = true;
    for (let n = 0; n < count; n++) {
      const examples = this.examples.length ? this.examples : [[this.page.values, given]];
      let sum = 0;
      for (const [inputs, wanted] of examples) sum += await this.teach(inputs, wanted);
      if (Number.isNaN(sum)) {
        this.halt();
        this.page.tell(say("diverged"));
        break;
      }
      this.losses.push(sum / examples.length);
    }
    this.busy = false;
    this.tell();
    this.page.changed();
  }

  /* One step, after the passes that were asked for before; the loss before it. */
  teach(inputs, given) {
    const { page } = this, { engine } = page;
    page.queue = (page.queue || Promise.resolve()).then(() => {
      if (!page.worker) return engine.learn(inputs, given, this.rate);
      return new Promise((resolve) => {
        page.worker.onmessage = ({ data: [loss, taught] }) => {
          engine.taught.set(taught);
          engine.change(page.changes);
          resolve(loss);
        };
        page.worker.postMessage(["learn", inputs, given, this.rate]);
      });
    });
    return page.queue;
  }

  async keepOn() {
    this.running = true;
    this.on.textContent = say("halt");
    while (this.running) {
      await this.steps(1);
      await new Promise((next) => requestAnimationFrame(next));
    }
  }

  halt() {
    this.running = false;
    this.on.textContent = say("keepOn");
  }

  forget() {
    this.halt();
    this.losses = [];
    this.examples = [];
    const { page } = this;
    page.queue = (page.queue || Promise.resolve()).then(() => {
      page.engine.forget();
      if (page.worker) page.worker.postMessage(["forget"]);
    });
    page.changed();
    this.tell();
  }

  tell() {
    const { losses } = this, last = losses[losses.length - 1];
    this.list.textContent = this.examples.length ? say("examples", { n: this.examples.length }) : say("noExamples");
    this.said.textContent = losses.length ? say("lossNow", { v: shown(last), n: losses.length }) : say("lossName", { l: this.how.lossName });
    this.said.dataset.loss = losses.length ? String(last) : "";
    const most = losses.reduce((a, b) => Math.max(a, b), 1e-30), across = Math.max(losses.length - 1, 1);
    const few = Math.max(1, Math.ceil(losses.length / 400)), places = [];
    for (let n = 0; n < losses.length; n += few) places.push(`${((n / across) * 198 + 1).toFixed(1)} ${(58 - (losses[n] / most) * 56).toFixed(1)}`);
    this.curve.replaceChildren(...(places.length > 1 ? [h("path", { d: `M${places.join(" L")}` })] : []));
    this.curve.toggleAttribute("hidden", losses.length < 2);
  }

  /* The kernels as they are, and what learning has changed. */
  draw() {
    const { engine, data } = this.page;
    let start = 0;
    const starts = data.weights.map((weight) => (start += weight.size) - weight.size);
    this.kernels.replaceChildren(...(this.losses.length ? this.seen : []).map((number) => {
      const weight = data.weights[number], values = engine.lessons[number];
      const moved = values.map((value, n) => value - engine.original[starts[number] + n]);
      return h("figure", {}, h("h3", {}, weight.name), h("div", { class: "row" },
        h("div", {}, weightPicture(weight, values, 84), h("figcaption", {}, say("weightNow"))),
        h("div", {}, weightPicture(weight, moved, 84), h("figcaption", {}, say("weightMoved", { v: shown(mostOf(moved), 2) })))));
    }));
  }
}
