/* Computes the network: `network(t, w)`, printed from its equations, gives one step for each call. */

function bytesOf(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let n = 0; n < binary.length; n++) bytes[n] = binary.charCodeAt(n);
  return bytes;
}

function floatsOf(text) {
  return new Float32Array(bytesOf(text).buffer);
}

/* Of a network of whole numbers, which have up to 32 bits: doubles, which hold them all. */
function numbersOf(wide) {
  return wide ? Float64Array : Float32Array;
}

/* What a tensor's whole numbers stand for, and the nearest whole number to a real one. */
function realOf(tensor, value) {
  return tensor.scale ? (value - tensor.scale[1]) * tensor.scale[0] : value;
}

function wholeOf(tensor, value) {
  if (!tensor.scale) return value;
  const [scale, zero, low, high] = tensor.scale;
  return Math.min(Math.max(m.whole(value / scale) + zero, low), high);
}

function inflated(text) {
  return new Response(new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate")));
}

/* Explanations and the workbook's formulas. */
async function detailsOf(stored) {
  return stored.plain !== undefined ? stored.plain : inflated(stored.deflated).json();
}

/* The weights: plain, or with the first bytes of all numbers in front, then the second ones. */
async function weightsOf(stored) {
  const Numbers = numbersOf(stored.wide), width = Numbers.BYTES_PER_ELEMENT;
  if (stored.plain !== undefined) return new Numbers(bytesOf(stored.plain).buffer);
  const buffer = await inflated(stored.deflated).arrayBuffer();
  const planes = new Uint8Array(buffer), bytes = new Uint8Array(planes.length), size = planes.length / width;
  for (let n = 0; n < size; n++) {
    for (let k = 0; k < width; k++) bytes[width * n + k] = planes[k * size + n];
  }
  return new Numbers(bytes.buffer);
}

class Engine {
  constructor(data, weights) {
    this.data = data;
    this.memory = new (numbersOf(data.wide))(data.memory);
    this.tensors = data.tensors.map((t) => this.memory.subarray(t.start, t.start + t.size));
    this.original = weights; // as the file has them
    this.taught = weights.slice(); // what learning has made of them
    this.stored = weights.slice(); // with what is broken on purpose
    const parts = (numbers) => {
      let start = 0;
      return data.weights.map((w) => numbers.subarray(start, (start += w.size)));
    };
    this.weights = parts(this.stored);
    this.lessons = parts(this.taught);
    this.steps = network(this.tensors, this.weights);
    this.changes = {};
  }

  /* What is broken on purpose: muted channels, noise, other weights. */
  change(changes) {
    this.changes = changes;
    this.stored.set(this.taught);
    for (const id of changes.zero || []) this.weights[id].fill(0);
    for (const [id, at, value] of changes.weight || []) this.weights[id][at] = value;
  }

  run(inputs) {
    inputs.forEach((values, n) => this.tensors[this.data.inputs[n]].set(values));
    const { mute = [], noise = [] } = this.changes;
    this.data.nodes.forEach((node, n) => {
      this.steps[n]();
      for (const [id, channel] of mute) if (node.outputs.includes(id)) this.muteChannel(id, channel);
      for (const [id, size] of noise) if (node.outputs.includes(id)) this.addNoise(id, size);
    });
  }

  /* A step of gradient descent on one example: the loss before it, NaN where a weight would be no
     number (then nothing is learnt). `given` is a class, a number, or values; of an autoencoder []. */
  learn(inputs, given, rate) {
    const { learn, nodes } = this.data;
    this.change({});
    this.run(inputs);
    this.tensors[learn.rate][0] = rate;
    if (given.length) this.tensors[learn.label === null ? learn.target : learn.label].set(given);
    this.steps[nodes.length]();
    const loss = this.tensors[learn.loss][0];
    const made = learn.made.map(([weight, id]) => [this.lessons[weight], this.tensors[id]]);
    if (!Number.isFinite(loss) || !made.every(([, values]) => values.every(Number.isFinite))) return NaN;
    for (const [weight, values] of made) weight.set(values);
    return loss;
  }

  forget() {
    this.taught.set(this.original);
  }

  muteChannel(id, channel) {
    const { axes, shape, scale } = this.data.tensors[id], values = this.tensors[id];
    const axis = channelAxis(axes);
    let inner = 1;
    for (let n = axis + 1; n < shape.length; n++) inner *= shape[n];
    const size = shape[axis] || 1;
    for (let n = 0; n < values.length; n++) {
      if (Math.floor(n / inner) % size === channel) values[n] = scale ? scale[1] : 0;
    }
  }

  /* The same noise every time: a link shows everybody the same. */
  addNoise(id, size) {
    const values = this.tensors[id], { scale } = this.data.tensors[id];
    let most = 0, seed = 12345 + id;
    for (const value of values) most = Math.max(most, Math.abs(value));
    for (let n = 0; n < values.length; n++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      values[n] += size * most * (seed / 2147483648 - 1);
      if (scale) values[n] = Math.min(Math.max(Math.round(values[n]), scale[2]), scale[3]);
    }
  }
}

/* The axis that "channel" means: the one of that name, else the last. */
function channelAxis(axes) {
  const found = axes.indexOf("channel");
  return found >= 0 ? found : Math.max(axes.length - 1, 0);
}

/* The largest deviation of each tensor from its reference, as the bound counts it. */
function deviations(engine, reference) {
  return Object.entries(reference).map(([id, stored]) => {
    const values = engine.tensors[id], wanted = floatsOf(stored.values), kept = wanted.length;
    let worst = 0;
    for (let n = 0; n < kept; n++) {
      const own = values[Math.floor((n * values.length) / kept)];
      if (Object.is(own, wanted[n]) || own === wanted[n]) continue;
      const off = Math.abs(own - wanted[n]);
      worst = Number.isNaN(off) ? Infinity : Math.max(worst, off);
    }
    return { id: Number(id), compared: wanted.length, worst, relative: worst / Math.max(1, stored.most) };
  });
}

/* Every layer's values for other inputs, for an engine outside that compares them. */
async function recomputed(data, inputs) {
  const engine = new Engine(data, await weightsOf(data.values));
  return inputs.map((values) => {
    engine.run(values.map(floatsOf));
    return data.nodes.flatMap((node) => node.outputs).map((id) => {
      const copy = Float32Array.from(engine.tensors[id]), bytes = new Uint8Array(copy.buffer);
      let text = "";
      for (let n = 0; n < bytes.length; n += 8192) {
        text += String.fromCharCode(...bytes.subarray(n, n + 8192));
      }
      return btoa(text);
    });
  });
}
