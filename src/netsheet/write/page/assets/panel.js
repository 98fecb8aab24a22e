/* The panel that takes one value apart: windows, products, sum, equation, formula. */

const MOST_SLICES = 6, MOST_CELLS = 144, MOST_TERMS = 8;

class Panel {
  constructor(page) {
    this.page = page;
    this.body = h("div", { class: "panelBody" });
    this.element = h("section", { class: "panel", "aria-label": say("explain") }, this.body);
    this.show(null);
  }

  show(found) {
    this.found = found;
    this.body.replaceChildren(...(found ? this.parts(found) : [h("h2", {}, say("explain")), h("p", { class: "hint" }, say("pick"))]));
  }

  parts(found) {
    const { page } = this, tensor = page.data.tensors[found.id];
    const pinned = page.pinned !== null;
    const head = h("div", { class: "panelHead" },
      h("h2", {}, `${tensor.name}${found.at.length ? `[${found.at.join(", ")}]` : ""} = `, h("b", { class: "answer" }, shown(found.value, 6))),
      pinned && h("button", { class: "quiet", onclick: () => page.unpin() }, say("unpin")),
      !page.data.inputs.includes(found.id) && found.at.length > 0 && h("button", { class: "quiet", id: "play", onclick: () => page.play() }, say(page.playing ? "pause" : "play")));
    const parts = [head];
    const given = page.data.inputs.includes(found.id);
    if (given) parts.push(h("p", {}, say("given")), this.editor(found.value, (value) => page.edit(found.id, found.at, value)));
    else if (!found.equation) parts.push(h("p", {}, say("noExplain")));
    parts.push(...this.made(found, given));
    for (const one of found.inside || []) {
      const name = page.data.tensors[one.id].name;
      parts.push(h("section", { class: "inside" }, h("h3", {}, `${name}${one.at.length ? `[${one.at.join(", ")}]` : ""} = ${shown(one.value, 6)}`), this.made(one, false)));
    }
    if (pinned && !given) parts.push(this.breaking(found, tensor));
    this.editing = h("div", { class: "editing" });
    parts.push(this.editing);
    return parts;
  }

  /* How one value is made: its sums, what is done with them, the equation, the workbook's formula. */
  made(found, given) {
    const { page } = this, parts = [], flow = h("div", { class: "flow" });
    for (const reduction of found.reductions) flow.append(this.reduction(reduction));
    for (const stage of found.stages) {
      flow.append(h("div", { class: "stage" }, h("code", { class: "symbols" }, stage.symbols),
        h("span", {}, " = "), h("code", { class: "numbersText" }, stage.text), h("span", {}, " = "), h("b", { "data-stage": stage.value }, shown(stage.value, 6))));
    }
    if (flow.children.length) parts.push(flow);
    if (found.equation) parts.push(this.line("equation", found.equation));
    const cell = given ? null : excelCell(page.data, found.id, found.at);
    if (cell) {
      parts.push(this.line("excel", cell.formula === null ? say("excelNone") : cell.formula, cell.address, cell.formula !== null));
    }
    return parts;
  }

  line(key, text, address = null, copy = false) {
    return h("div", { class: "line" },
      h("span", { class: "lineName" }, say(key), address && h("span", { class: "address", "data-address": address }, say("address", { a: address }))),
      h("code", { "data-line": key, tabindex: "0" }, text),
      copy && navigator.clipboard && h("button", { class: "quiet", onclick: (event) => {
        navigator.clipboard.writeText(text).then(() => (event.target.textContent = say("copied")), () => {});
      } }, say("copy")));
  }

  // ---------------------------------------------------------------- one sum, maximum, ...

  reduction(reduction) {
    const box = h("div", { class: "reduction" });
    const slices = slicesOf(reduction);
    const factors = reduction.symbols.length;
    const most = Array.from({ length: factors }, (_, n) => mostOf(reduction.terms.map((term) => term.factors[n])));
    const mostProduct = mostOf(reduction.terms.map((term) => term.product));
    if (slices) {
      const grids = h("div", { class: "grids" });
      for (const slice of slices.slice(0, MOST_SLICES)) {
        const row = h("div", { class: "gridRow" });
        grids.append(h("div", {}, slice.name && h("p", { class: "hint" }, slice.name), row));
        for (let n = 0; n < factors; n++) {
          if (n) row.append(h("span", { class: "sign" }, say("times")));
          row.append(this.grid(slice, (term) => term.factors[n], most[n], n === 0 ? say("window") : say("kernel"), n, reduction));
        }
        if (factors > 1) {
          row.append(h("span", { class: "sign" }, "="));
          row.append(this.grid(slice, (term) => term.product, mostProduct, say("product"), -1, reduction));
        }
      }
      box.append(grids);
      if (slices.length > MOST_SLICES) box.append(h("p", { class: "hint" }, say("slices", { n: MOST_SLICES, m: slices.length })));
    }
    const inside = reduction.terms.filter((term) => term.inside);
    if (factors > 1 && inside.length > 4) box.append(this.contributors(inside, mostProduct));
    const word = { sum: "total", max: "largest", min: "smallest", mean: "mean", prod: "prod" }[reduction.op];
    box.append(h("div", { class: "stage total" }, h("span", {}, `${say(word)} = `), h("b", { "data-total": reduction.total }, shown(reduction.total, 6))));
    return box;
  }

  grid(slice, value, most, name, factor, reduction) {
    const wide = slice.cols > 9, table = h("div", { class: wide ? "grid small" : "grid", role: "img" });
    table.style.gridTemplateColumns = `repeat(${slice.cols}, auto)`;
    const texts = [];
    slice.terms.forEach((term) => {
      const number = term ? value(term) : 0;
      if (!term || !term.inside) {
        table.append(h("span", { class: "cell left", title: say("left") }));
        texts.push("–");
        return;
      }
      const read = factor >= 0 && term.reads[factor] && term.reads[factor].length === 1 ? term.reads[factor][0] : null;
      const weight = read && read[0] < 0 && this.page.pinned !== null;
      const chosen = reduction.op === "max" && number === reduction.total;
      table.append(h("span", { class: `cell${chosen ? " chosen" : ""}${weight ? " weight" : ""}`, title: shown(number, 7), style: colours(number, most),
        onclick: weight ? () => this.editWeight(read, number) : undefined }, wide ? "" : shown(number, 3)));
      texts.push(shown(number, 3));
    });
    table.setAttribute("aria-label", `${name}: ${texts.slice(0, 64).join(" ")}`);
    return h("figure", {}, h("figcaption", {}, name), table);
  }

  contributors(terms, most) {
    const largest = [...terms].sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
    const name = (reads) => reads.map(([number, at]) => {
      const source = number >= 0 ? this.page.data.tensors[number].name : this.page.data.weights[-1 - number].label;
      return `${source}[${at.join(", ")}]`;
    }).join(" ");
    const rows = largest.slice(0, MOST_TERMS).map((term) => h("tr", {},
      term.factors.map((value, n) => [h("td", {}, h("code", {}, name(term.reads[n]))), h("td", { class: "number" }, shown(value, 4))]),
      h("td", { class: "number" }, shown(term.product, 4)),
      h("td", {}, bar(term.product, most))));
    const rest = terms.length - MOST_TERMS;
    return h("details", {}, h("summary", {}, say("contributors")), h("table", { class: "contributors" }, h("tbody", {}, rows)),
      rest > 0 && h("p", { class: "hint" }, say("more", { n: rest })));
  }

  // ---------------------------------------------------------------- changes

  breaking(found, tensor) {
    const { page } = this, node = page.data.nodes.find((one) => one.outputs.includes(found.id));
    if (!node) return null;
    const channel = found.at[channelAxis(tensor.axes)];
    const weights = node.weights.filter((number) => page.data.weights[number].shape.length === 1);
    return h("div", { class: "breaking" }, h("span", { class: "lineName", title: say("breakAbout") }, say("breakIt")),
      found.at.length > 0 && h("button", { id: "mute", onclick: () => page.breakIt("mute", [found.id, channel]) }, say("mute")),
      h("button", { id: "noise", onclick: () => page.breakIt("noise", [found.id, 0.2]) }, say("noise")),
      weights.map((number) => h("button", { onclick: () => page.breakIt("zero", number) }, `${page.data.weights[number].label} → 0`)));
  }

  editWeight([number, at], value) {
    const weight = -1 - number, stored = this.page.data.weights[weight];
    this.editing.replaceChildren(h("code", {}, `${stored.name}[${at.join(", ")}]`),
      this.editor(value, (next) => this.page.breakIt("weight", [weight, flatIndex(at, stored.shape), next])));
  }

  editor(value, set) {
    const field = h("input", { type: "number", step: "any", value: shown(value, 7), "aria-label": say("edit") });
    return h("form", { class: "row", onsubmit: (event) => {
      event.preventDefault();
      if (field.value !== "" && Number.isFinite(Number(field.value))) set(Number(field.value));
    } }, field, h("button", {}, say("set")));
  }
}

/* A bar to the right or left of the middle. */
function bar(value, most) {
  const part = most ? Math.min(Math.abs(value) / most, 1) * 50 : 0;
  return h("span", { class: "bar two" }, h("span", { style: { ...colours(value, most), width: `${part}%`, left: value < 0 ? `${50 - part}%` : "50%" } }));
}

/* Terms as rectangles of at most MOST_CELLS, those with the largest contribution first. */
function slicesOf({ names, sizes, terms }) {
  const wide = sizes.map((_, n) => n).filter((n) => sizes[n] > 1);
  let [down, across] = [names.indexOf("u"), names.indexOf("v")];
  if (down < 0 || across < 0 || sizes[down] * sizes[across] === 1) {
    [down, across] = wide.length >= 2 ? wide.slice(-2) : [-1, wide.length ? wide[0] : -1];
  }
  if (across < 0) return terms.length ? [{ name: "", rows: 1, cols: 1, terms: terms.slice(0, 1), size: 0 }] : null;
  if (down < 0 || sizes[down] * sizes[across] > MOST_CELLS) {
    if (terms.length > MOST_CELLS) return null;
    const cols = terms.length <= 9 ? terms.length : Math.ceil(terms.length / Math.ceil(terms.length / 9));
    return [{ name: "", rows: Math.ceil(terms.length / cols), cols, terms, size: 0 }];
  }
  const found = new Map();
  for (const term of terms) {
    const rest = term.point.map((_, n) => n).filter((n) => n !== down && n !== across && sizes[n] > 1);
    const key = rest.map((n) => `${names[n]} = ${term.point[n]}`).join(", ");
    if (!found.has(key)) {
      found.set(key, { name: key, rows: sizes[down], cols: sizes[across], terms: new Array(sizes[down] * sizes[across]).fill(null), size: 0 });
    }
    const slice = found.get(key);
    slice.terms[term.point[down] * sizes[across] + term.point[across]] = term;
    slice.size += Math.abs(term.product);
  }
  const slices = [...found.values()];
  return slices.length > MOST_SLICES ? slices.sort((a, b) => b.size - a.size) : slices;
}
