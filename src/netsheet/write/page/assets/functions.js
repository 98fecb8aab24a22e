"use strict";
/* The functions of equations that JavaScript does not have itself; `call` applies any by name. */
const m = {
  pow: (a, b) => (a === 1 ? 1 : Math.pow(a, b)),
  /* The remainder with the sign of b. */
  mod: (a, b) => {
    const r = a % b;
    return r !== 0 && (r < 0) !== (b < 0) ? r + b : r;
  },
  /* To the nearest whole number, halves to the even one. */
  round: (a) => {
    const low = Math.floor(a), rest = a - low;
    if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
    return low % 2 === 0 ? low : low + 1;
  },
  /* A series of positive terms: exact to doubles wherever the result is not 1 already. */
  erf: (x) => {
    const a = Math.abs(x);
    if (!(a < 6)) return Number.isNaN(a) ? a : Math.sign(x);
    let term = x, sum = x;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  },
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  isnan: (x) => (Number.isNaN(x) ? 1 : 0),
  isinf: (x) => (Math.abs(x) === Infinity ? 1 : 0),
  /* A computed position, kept inside 0 .. size - 1. */
  index: (at, size) => (!(at >= 0) ? 0 : at >= size - 1 ? size - 1 : Math.floor(at)),
};
