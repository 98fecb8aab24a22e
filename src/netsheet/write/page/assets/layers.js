/* The network as columns of layers from the input to the prediction, and what each can open. */

class Layers {
  constructor(page) {
    this.page = page;
    this.views = new Map();
    this.cards = [];
    this.edges = h("svg", { class: "edges", "aria-hidden": "true" });
    this.sources = h("svg", { class: "edges front", "aria-hidden": "true" });
    this.columns = h("div", { class: "columns" });
    this.inner = h("div", { class: "inner" }, this.edges, this.columns, this.sources);
    this.element = h("section", { class: "network", "aria-label": say("network"), tabindex: "0" }, this.inner);
    this.build();
    if (window.IntersectionObserver) {
      this.observer = new IntersectionObserver((entries) => {
        for (const entry of entries) {
          const view = entry.target.view, before = view.seen;
          view.seen = entry.isIntersecting;
          if (view.seen && before === false && page.ready) view.draw();
        }
      }, { rootMargin: "200px" });
      for (const view of this.views.values()) {
        view.canvas.view = view;
        this.observer.observe(view.canvas);
      }
    }
  }

  build() {
    const { data } = this.page, depth = new Map(), columns = [];
    const put = (level, card) => (columns[level] = columns[level] || h("div", { class: "column" })).append(card);
    for (const id of data.inputs) {
      depth.set(id, 0);
      put(0, this.card({ key: data.tensors[id].name, type: say("input"), outputs: [id], steps: [], weights: [], inputs: [] }));
    }
    for (const node of data.nodes) {
      const level = 1 + Math.max(0, ...node.inputs.map((id) => depth.get(id) || 0));
      for (const id of [...node.outputs, ...node.steps]) depth.set(id, level);
      put(level, this.card(node));
    }
    this.columns.append(...columns.filter(Boolean));
    if (data.refused.length) {
      this.columns.append(h("div", { class: "column" }, data.refused.map(([key, type, why]) =>
        h("article", { class: "card refused" }, h("h3", {}, key), h("p", { class: "type" }, `${type}: ${say("refused")}`), h("p", { class: "hint" }, why)))));
    }
  }

  card(node) {
    const { page } = this, { data } = page;
    const view = (id) => {
      const made = new MapView(page, id);
      this.views.set(id, made);
      return made.box;
    };
    const shape = node.outputs.map((id) => data.tensors[id].shape.join(" × ") || "1").join(", ");
    const steps = node.steps.length > 0 && h("details", { class: "steps", ontoggle: () => this.page.resized() },
      h("summary", {}, say("steps")),
      node.steps.map((id) => h("div", {}, h("p", { class: "type" }, data.tensors[id].name), view(id))));
    const card = h("article", { class: "card" },
      h("h3", { title: node.key }, node.key), h("p", { class: "type" }, node.type, h("br"), shape),
      node.outputs.map(view), steps,
      h("div", { class: "cardRow" },
        node.weights.length > 0 && h("button", { class: "quiet", onclick: () => weightsDialog(page, node) }, say("weights")),
        h("button", { class: "quiet", "aria-label": `${say("table")}: ${node.key}`, onclick: () => tableDialog(page, node.outputs[0]) }, "▦"),
        h("button", { class: "quiet", "aria-label": `${say("csv")}: ${node.key}`, onclick: () => saveCsv(page, node.outputs[0]) }, say("csv"))));
    this.cards.push({ node, card });
    return card;
  }

  draw() {
    for (const view of this.views.values()) view.draw();
  }

  /* The arrows from each layer to those that read it. */
  connect() {
    const box = this.inner.getBoundingClientRect(), lines = [];
    for (const svg of [this.edges, this.sources]) {
      svg.setAttribute("width", this.inner.scrollWidth);
      svg.setAttribute("height", this.inner.scrollHeight);
    }
    const made = new Map();
    for (const { node, card } of this.cards) for (const id of [...node.outputs, ...node.steps]) made.set(id, card);
    for (const { node, card } of this.cards) {
      const to = card.getBoundingClientRect();
      for (const from of new Set(node.inputs.map((id) => made.get(id)).filter(Boolean))) {
        const start = from.getBoundingClientRect();
        const [x0, y0, x1, y1] = [start.right - box.left, start.top - box.top + 18, to.left - box.left, to.top - box.top + 18];
        const bend = Math.max((x1 - x0) / 2, 6);
        lines.push(h("path", { d: `M${x0} ${y0} C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1} ${y1}` }));
      }
    }
    this.edges.replaceChildren(...lines);
  }

  /* Lights up the elements that a value is made from, and draws lines from them to it. */
  light(found) {
    for (const view of this.views.values()) view.clearMarks();
    this.sources.replaceChildren();
    if (!found) return;
    const own = this.views.get(found.id), box = this.inner.getBoundingClientRect();
    const [target] = own ? own.mark([found.at], true) : [];
    const groups = new Map();
    for (const one of found.inside || []) if (this.views.has(one.id)) this.views.get(one.id).mark([one.at], true);
    for (const [number, at] of found.sources) {
      if (number < 0 || !this.views.has(number)) continue;
      if (!groups.has(number)) groups.set(number, []);
      groups.get(number).push(at);
    }
    const lines = [];
    for (const [number, elements] of groups) {
      const view = this.views.get(number);
      if (number === found.id) continue;
      const boxes = view.mark(elements, false);
      const folded = (one) => one.canvas.closest("details:not([open])") !== null;
      const same = view.canvas.closest("article") === own.canvas.closest("article");
      if (!target || same || folded(view) || folded(own)) continue;
      const [from, to] = [view.canvas.getBoundingClientRect(), own.canvas.getBoundingClientRect()];
      const [x1, y1, h1] = [to.left - box.left + target[0], to.top - box.top + target[1], target[3] - target[1]];
      for (const [left, top, right, bottom] of boxes.slice(0, 12)) {
        const [x0, y0, y2] = [from.left - box.left + right, from.top - box.top + top, from.top - box.top + bottom];
        lines.push(h("path", { class: "fan", d: `M${x0} ${y0} L${x1} ${y1} L${x1} ${y1 + h1} L${x0} ${y2} Z` }));
      }
    }
    this.sources.replaceChildren(...lines);
  }
}

// ---------------------------------------------------------------- dialogs

function dialog(title, ...content) {
  const box = h("dialog", { "aria-label": title, onclose: () => box.remove() },
    h("div", { class: "panelHead" }, h("h2", {}, title), h("button", { onclick: () => box.close() }, say("close"))), content);
  document.body.append(box);
  box.showModal();
  return box;
}

/* A tensor's numbers as a table: a block for each map. */
function tableDialog(page, id) {
  const tensor = page.data.tensors[id], plane = new Plane(tensor), values = page.engine.tensors[id];
  const holder = h("div", { class: "tableHolder", tabindex: "0" });
  const draw = (map) => {
    const across = plane.vector ? plane.cols : plane.cols, rows = [];
    rows.push(h("tr", {}, h("th", {}), Array.from({ length: across }, (_, col) => h("th", { scope: "col" }, plane.vector ? "" : col))));
    for (let row = 0; row < plane.rows; row++) {
      rows.push(h("tr", {}, h("th", { scope: "row" }, row), Array.from({ length: across }, (_, col) => {
        const at = plane.at(map, row, col);
        return h("td", {}, at ? shown(values[flatIndex(at, tensor.shape)], 5) : "");
      })));
    }
    holder.replaceChildren(h("table", { class: "values" }, h("tbody", {}, rows)));
  };
  const pick = plane.maps > 1 && h("select", { "aria-label": say("map", { n: "" }), onchange: (event) => draw(Number(event.target.value)) },
    Array.from({ length: plane.maps }, (_, n) => h("option", { value: n }, say("map", { n }))));
  dialog(`${tensor.name}: ${say("table")}`, pick, holder);
  draw(0);
}

function csvOf(tensor, values) {
  const lines = [[...tensor.axes, "value"].join(",")];
  for (let n = 0; n < values.length; n++) lines.push([...unflat(n, tensor.shape), values[n]].join(","));
  return `${lines.join("\r\n")}\r\n`;
}

function saveCsv(page, id) {
  const tensor = page.data.tensors[id];
  const link = h("a", { download: `${tensor.name.replace(/[^\p{L}\p{N}_.-]+/gu, "_")}.csv`,
    href: URL.createObjectURL(new Blob([csvOf(tensor, page.engine.tensors[id])], { type: "text/csv" })) });
  document.body.append(link);
  link.click();
  link.remove();
}

/* Weights as heat maps, how often each value occurs, and a way to set them to zero. */
function weightsDialog(page, node) {
  const parts = node.weights.map((number) => {
    const weight = page.data.weights[number], values = page.engine.weights[number];
    return h("section", { class: "weightsPart" }, h("h3", {}, `${weight.label} (${weight.shape.join(" × ") || 1}: ${weight.axes.join(", ")})`),
      h("div", { class: "row" }, weightPicture(weight, values), histogram(values)),
      h("button", { onclick: () => page.breakIt("zero", number) }, say("zero")));
  });
  dialog(say("weightOf", { k: node.key }), parts);
}

/* A weight as heat maps, at most `side` pixels of the screen wide and high where cells allow it. */
function weightPicture(weight, values, side = 360) {
  const named = (name) => weight.axes.indexOf(name), axes = [...weight.axes];
  if (named("height") < 0 && axes.length > 1) axes.splice(0, axes.length, ...weight.axes.map((_, n) => `axis${n}`));
  const plane = new Plane({ axes, shape: weight.shape }), most = mostOf(values);
  const maps = Math.min(plane.maps, 256), perRow = Math.ceil(Math.sqrt(maps * (plane.rows + 1) / (plane.cols + 1))) || 1;
  const width = perRow * (plane.cols + 1) - 1, height = Math.ceil(maps / perRow) * (plane.rows + 1) - 1;
  const canvas = h("canvas", { width, height, class: "map still", role: "img", "aria-label": `${weight.label}: ${weight.shape.join(" × ")}` });
  const context = canvas.getContext("2d"), image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  for (let map = 0; map < maps; map++) {
    for (let row = 0; row < plane.rows; row++) {
      for (let col = 0; col < plane.cols; col++) {
        const at = plane.at(map, row, col);
        if (!at) continue;
        const x = (map % perRow) * (plane.cols + 1) + col, y = Math.floor(map / perRow) * (plane.rows + 1) + row;
        pixels[y * width + x] = table[colourNumber(values[flatIndex(at, weight.shape)], most)];
      }
    }
  }
  context.putImageData(image, 0, 0);
  const scale = Math.max(Math.min(Math.floor(side / Math.max(width, height)), 14), 1);
  Object.assign(canvas.style, { width: `${width * scale}px`, height: `${height * scale}px` });
  return canvas;
}

function histogram(values) {
  const finite = Array.from(values).filter(Number.isFinite), low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  const high = finite.reduce((a, b) => Math.max(a, b), -Infinity), bins = new Array(24).fill(0), most = mostOf(values);
  for (const value of finite) bins[Math.min(Math.floor(((value - low) / (high - low || 1)) * 24), 23)]++;
  const top = Math.max(...bins, 1);
  const bars = bins.map((count, n) => h("rect", { x: n * 10, y: 80 - (count / top) * 76, width: 9, height: (count / top) * 76,
    style: { fill: colours(low + ((n + 0.5) / 24) * (high - low), most).backgroundColor } }));
  return h("figure", { class: "histogram" }, h("svg", { viewBox: "0 0 240 80", width: 240, height: 80, role: "img", "aria-label": say("histogram") }, bars),
    h("figcaption", {}, `${say("smallestValue")} ${shown(low)} · ${say("largestValue")} ${shown(high)} · ${say("histogram")}`));
}
