/* What a value is made of: evaluates and prints what write/page/expressions.py wrote. */

const APPLIED = {
  add: (a, b) => a + b, sub: (a, b) => a - b, mul: (a, b) => a * b, div: (a, b) => a / b,
  neg: (a) => -a, max: Math.max, min: Math.min, pow: m.pow, mod: m.mod, fmod: (a, b) => a % b,
  exp: Math.exp, log: Math.log, sqrt: Math.sqrt, abs: Math.abs, sign: Math.sign,
  floor: Math.floor, ceil: Math.ceil, round: m.round, sin: Math.sin, cos: Math.cos, tan: Math.tan,
  asin: Math.asin, acos: Math.acos, atan: Math.atan, sinh: Math.sinh, cosh: Math.cosh,
  tanh: Math.tanh, asinh: Math.asinh, acosh: Math.acosh, atanh: Math.atanh, erf: m.erf,
  sigmoid: m.sigmoid, less: (a, b) => (a < b ? 1 : 0), less_equal: (a, b) => (a <= b ? 1 : 0),
  equal: (a, b) => (a === b ? 1 : 0), isnan: m.isnan, isinf: m.isinf,
  and: (a, b) => (a !== 0 && b !== 0 ? 1 : 0), or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
  xor: (a, b) => ((a !== 0) !== (b !== 0) ? 1 : 0), not: (a) => (a !== 0 ? 0 : 1),
  if: (test, then, otherwise) => (test !== 0 ? then : otherwise),
  high_product: m.highProduct, shift_right: m.shiftRight, shift_left: m.shiftLeft,
  rounded_quotient: m.quotient, leading_zeros: m.zeros, whole: m.whole, real: (x) => x,
};
const COMBINED = {
  sum: [0, (a, b) => a + b], mean: [0, (a, b) => a + b], prod: [1, (a, b) => a * b],
  max: [-Infinity, (a, b) => (b > a ? b : a)], min: [Infinity, (a, b) => (b < a ? b : a)],
};
const INFIX = { add: ["+", 1], sub: ["−", 1], mul: ["·", 2], div: ["/", 2] };
const COMPARED = { less: "<", less_equal: "≤", equal: "=" };

function flatIndex(at, shape) {
  let index = 0;
  for (let n = 0; n < shape.length; n++) index = index * shape[n] + at[n];
  return index;
}

function unflat(index, shape) {
  const at = new Array(shape.length);
  for (let n = shape.length - 1; n >= 0; n--) {
    at[n] = index % shape[n];
    index = Math.floor(index / shape[n]);
  }
  return at;
}

/* One tensor's expressions at one element. */
class Expressions {
  constructor(stored, engine) {
    this.stored = stored;
    this.engine = engine;
    this.data = engine.data;
    this.index = new Array(stored.indices.length).fill(null);
    this.standins = new Array(stored.standins).fill(NaN);
    this.names = new Array(stored.standins).fill("…"); // of earlier results, in symbols
  }

  position(p) {
    let sum = p[0];
    for (let n = 1; n < p.length; n += 2) sum += p[n] * this.atom(p[n + 1]);
    return sum;
  }

  atom(a) {
    if (typeof a === "number") return this.index[a];
    if (a[0] === "g") return m.index(this.value(a[1]), a[2]);
    if (a[0] === "t") return this.stored.tables[a[1]][this.position(a[2])];
    const inside = this.position(a[1]), quotient = Math.floor(inside / a[2]);
    return a[0] === "q" ? quotient : inside - quotient * a[2];
  }

  holds(where) {
    return where.every(([p, low, high]) => {
      const at = this.position(p);
      return low <= at && at < high;
    });
  }

  /* The shape and the values of a tensor, or of a weight (numbers below 0). */
  source(number) {
    return number >= 0
      ? [this.data.tensors[number], this.engine.tensors[number]]
      : [this.data.weights[-1 - number], this.engine.weights[-1 - number]];
  }

  element([, number, positions]) {
    const [tensor] = this.source(number);
    return positions.map((p, n) => Math.min(Math.max(this.position(p), 0), tensor.shape[n] - 1));
  }

  value(ref) {
    const node = this.stored.nodes[ref];
    switch (node[0]) {
      case "c": return Number(node[1]);
      case "n": return this.position(node[1]);
      case "z": return this.standins[node[1]];
      case "r": {
        const [tensor, values] = this.source(node[1]);
        return values[flatIndex(this.element(node), tensor.shape)];
      }
      case "f": return APPLIED[node[1]](...node[2].map((arg) => this.value(arg)));
      case "s": return this.value(this.holds(node[1]) ? node[2] : node[3]);
    }
    return this.reduced(node[1], node[2], node[3], () => this.value(node[4]));
  }

  /* Calls `visit` at every point of some indices. */
  points(over, visit, n = 0) {
    if (n === over.length) return visit();
    for (let k = 0; k < this.stored.indices[over[n]][1]; k++) {
      this.index[over[n]] = k;
      this.points(over, visit, n + 1);
    }
    this.index[over[n]] = null;
  }

  reduced(op, over, where, value) {
    let [total, combine] = COMBINED[op], count = 0;
    this.points(over, () => {
      if (!this.holds(where)) return;
      total = combine(total, value());
      count++;
    });
    return op === "mean" ? total / count : total;
  }

  /* Every element that a value is made from; of a condition only the branch that is taken. */
  reads(ref, found = []) {
    const node = this.stored.nodes[ref];
    if (node[0] === "r") {
      for (const p of node[2]) {
        for (let n = 2; n < p.length; n += 2) if (p[n][0] === "g") this.reads(p[n][1], found);
      }
      found.push([node[1], this.element(node)]);
    } else if (node[0] === "f") node[2].forEach((arg) => this.reads(arg, found));
    else if (node[0] === "s") this.reads(this.holds(node[1]) ? node[2] : node[3], found);
    else if (node[0] === "R") {
      this.points(node[2], () => {
        if (found.length < 4000 && this.holds(node[3])) this.reads(node[4], found);
      });
    }
    return found;
  }

  // ---------------------------------------------------------------- text

  name(number) {
    return number >= 0 ? this.data.tensors[number].name : this.data.weights[-1 - number].label;
  }

  positionText(p) {
    let known = p[0], text = "";
    for (let n = 1; n < p.length; n += 2) {
      const [factor, a] = [p[n], p[n + 1]];
      if (this.isKnown(a)) {
        known += factor * this.atom(a);
        continue;
      }
      const size = Math.abs(factor), term = (size === 1 ? "" : `${size}·`) + this.atomText(a);
      text += factor < 0 ? (text ? ` − ${term}` : `−${term}`) : text ? ` + ${term}` : term;
    }
    if (!text) return String(known);
    return known ? `${text} ${known < 0 ? "−" : "+"} ${Math.abs(known)}` : text;
  }

  isKnown(a) {
    if (typeof a === "number") return this.index[a] !== null;
    if (a[0] === "g") return false;
    const p = a[0] === "t" ? a[2] : a[1];
    return p.every((part, n) => n === 0 || n % 2 === 1 || this.isKnown(part));
  }

  atomText(a) {
    if (typeof a === "number") return this.index[a] === null ? this.stored.indices[a][0] : String(this.index[a]);
    if (a[0] === "g") return this.text(a[1]);
    if (a[0] === "t") return `table(${this.positionText(a[2])})`;
    return a[0] === "q" ? `floor((${this.positionText(a[1])}) / ${a[2]})` : `((${this.positionText(a[1])}) mod ${a[2]})`;
  }

  guardsText(where) {
    return where.map(([p, low, high]) => `${low} ≤ ${this.positionText(p)} < ${high}`).join(", ");
  }

  /* An expression with the known indices filled in; `numbers`: with values in place of reads. */
  text(ref, outer = 0, numbers = false) {
    const node = this.stored.nodes[ref], bracket = (text, on) => (on ? `(${text})` : text);
    const inner = (arg, level = 0) => this.text(arg, level, numbers);
    switch (node[0]) {
      case "c": return bracket(shown(Number(node[1]), 7), Number(node[1]) < 0 && outer);
      case "n": return this.positionText(node[1]);
      case "z":
        if (!numbers) return this.names[node[1]];
        return bracket(shown(this.standins[node[1]], 7), outer && this.standins[node[1]] < 0);
      case "r": {
        if (numbers) {
          const value = this.value(ref);
          return bracket(shown(value, 7), outer && value < 0);
        }
        const places = node[2].map((p) => this.positionText(p)).join(", ");
        return this.name(node[1]) + (places ? `[${places}]` : "");
      }
      case "s":
        if (numbers) return this.text(this.holds(node[1]) ? node[2] : node[3], outer, numbers);
        return `(${inner(node[2])} if ${this.guardsText(node[1])} else ${inner(node[3])})`;
      case "R": {
        const names = node[2].map((n) => this.stored.indices[n][0]).join(", ");
        const where = node[3].length ? ` where ${this.guardsText(node[3])}` : "";
        if (numbers) return shown(this.value(ref), 7);
        return bracket(`${node[1]}(${names}${where}) ${inner(node[4], 2)}`, outer > 1);
      }
    }
    const [, name, args] = node;
    if (INFIX[name]) {
      const [sign, level] = INFIX[name], right = name === "sub" || name === "div" ? level + 1 : level;
      return bracket(`${inner(args[0], level)} ${sign} ${inner(args[1], right)}`, outer > level);
    }
    if (name === "neg") return bracket(`−${inner(args[0], 2)}`, outer);
    if (COMPARED[name]) return `${inner(args[0], 1)} ${COMPARED[name]} ${inner(args[1], 1)}`;
    if (name === "if") return `(${inner(args[1])} if ${inner(args[0])} else ${inner(args[2])})`;
    return `${name}(${args.map((arg) => inner(arg)).join(", ")})`;
  }
}

/* One element taken apart: terms, totals, stages, texts, and the elements that it comes from. */
function explainElement(engine, id, at) {
  const stored = engine.data.explained[id], tensor = engine.data.tensors[id];
  const value = engine.tensors[id][flatIndex(at, tensor.shape)];
  if (!stored) return { id, at, value, reductions: [], stages: [], sources: [] };
  const expressions = new Expressions(stored, engine);
  const choose = () => stored.at.forEach((number, n) => (expressions.index[number] = at[n]));
  choose();
  const part = stored.parts.find((one) => expressions.holds(one.where));
  if (!part) return { id, at, value, reductions: [], stages: [], sources: [] };
  const sources = [];
  const reductions = part.reductions.map((reduction) => {
    const terms = [];
    const sizes = reduction.over.map((n) => stored.indices[n][1]);
    let [total, combine] = COMBINED[reduction.op], count = 0;
    expressions.points(reduction.over, () => {
      const point = reduction.over.map((n) => expressions.index[n]);
      const inside = expressions.holds(reduction.where);
      const factors = inside ? reduction.factors.map((factor) => expressions.value(factor)) : reduction.factors.map(() => 0);
      const product = factors.reduce((a, b) => a * b, 1);
      const reads = inside ? reduction.factors.map((factor) => expressions.reads(factor)) : [];
      if (inside) {
        total = combine(total, product);
        count++;
      }
      reads.flat().forEach((read) => sources.push([...read, product]));
      terms.push({ point, factors, product, inside, reads });
    });
    if (reduction.op === "mean") total /= count;
    expressions.standins[reduction.is] = total;
    expressions.names[reduction.is] = reduction.op;
    const names = reduction.over.map((n) => stored.indices[n][0]);
    return { op: reduction.op, names, sizes, terms, total, symbols: reduction.factors.map((f) => expressions.text(f)) };
  });
  const stages = part.stages.map(([ref, standin]) => {
    expressions.reads(ref).forEach((read) => sources.push([...read, 0]));
    const result = expressions.value(ref), text = expressions.text(ref, 0, true), symbols = expressions.text(ref);
    expressions.standins[standin] = result;
    return { text, symbols, value: result };
  });
  const whole = part.set.map(([number, p]) => [number, expressions.position(p)]);
  expressions.index.fill(null);
  for (const [number, position] of whole) expressions.index[number] = position;
  const left = tensor.name + (at.length ? `[${at.join(", ")}]` : "");
  const equation = `${left} = ${expressions.text(part.equation)}`;
  return { id, at, value, reductions, stages, sources, equation };
}

/* The same, followed into the steps of its own layer: below a softmax its exponentials and their
   sum, below an activation the convolution. `inside` is what was followed, `sources` what is read
   of other layers. */
function explainThrough(engine, id, at, most = 8) {
  const node = engine.data.nodes.find((one) => one.outputs.includes(id) || one.steps.includes(id));
  const found = explainElement(engine, id, at), inside = [], known = new Set([`${id}:${at}`]);
  const pending = [found], outside = [];
  while (pending.length) {
    const one = pending.shift(), read = new Set(one.sources.map(([number]) => number));
    for (const number of read) {
      const elements = one.sources.filter((source) => source[0] === number);
      const own = node && node.steps.includes(number);
      if (!own) outside.push(...elements);
      else if (elements.length > 4) outside.push(...elements); // a sum over a step: it is shown as such
      else {
        for (const [, place] of elements) {
          const key = `${number}:${place}`;
          if (known.has(key) || inside.length >= most) continue;
          known.add(key);
          inside.push(explainElement(engine, number, place));
          pending.push(inside[inside.length - 1]);
        }
      }
    }
  }
  return { ...found, inside, sources: inside.length ? outside : found.sources };
}

// ---------------------------------------------------------------- the workbook's formulas

function columnName(column) {
  let name = "";
  for (column += 1; column > 0; column = Math.floor((column - 1) / 26)) {
    name = String.fromCharCode(65 + ((column - 1) % 26)) + name;
  }
  return name;
}

function along(spec, at) {
  return at.reduce((sum, n, axis) => sum + (Array.isArray(spec[axis + 1]) ? spec[axis + 1][n] : spec[axis + 1] * n), spec[0]);
}

/* The address and the formula of an element in the workbook, or null. */
function excelCell(data, id, at) {
  const stored = data.excel && data.excel.tensors[id];
  if (!stored) return null;
  const sheets = data.excel.sheets;
  const address = `${sheets[stored.sheet]}!${columnName(along(stored.cols, at))}${along(stored.rows, at) + 1}`;
  let family = 0;
  if (stored.which) {
    let rest = flatIndex(at, data.tensors[id].shape), n = 0;
    while (rest >= stored.which[n]) (rest -= stored.which[n]), (n += 2);
    family = stored.which[n + 1];
  }
  const pieces = stored.families[family];
  if (!pieces) return { address, formula: null };
  const formula = pieces.map((piece) => {
    if (typeof piece === "string") return piece;
    if (piece[0] === "v") return String(along(piece[1], at));
    const [, sheet, marked, rows, cols] = piece, head = sheet < 0 ? "" : `${sheets[sheet]}!`;
    return `${head}${marked & 2 ? "$" : ""}${columnName(along(cols, at))}${marked & 1 ? "$" : ""}${along(rows, at) + 1}`;
  });
  return { address, formula: `=${formula.join("")}` };
}
