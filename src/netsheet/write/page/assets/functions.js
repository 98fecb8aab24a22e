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
  /* Of whole numbers, exact: a product of 64 bits is made of two of 48. */
  highProduct: (a, b) => {
    const high = Math.floor(a / 65536), low = a - high * 65536;
    const sum = high * b + Math.floor((low * b + 1073741824) / 65536);
    return Math.min(Math.floor(sum / 32768), 2147483647);
  },
  quotient: (x, n) => Math.sign(x) * Math.floor((Math.abs(x) + Math.floor(n / 2)) / n) + 0,
  shiftRight: (x, n) => m.quotient(x, 2 ** n),
  shiftLeft: (x, n) => Math.min(Math.max(x * 2 ** n, -2147483648), 2147483647),
  zeros: (x) => Math.clz32(x),
  whole: (x) => {
    const single = Math.fround(x);
    if (Number.isNaN(single)) return 0;
    const size = Math.floor(Math.abs(single) + 0.5);
    return Math.min(Math.max(Math.sign(single) * size + 0, -2147483648), 2147483647);
  },
  isnan: (x) => (Number.isNaN(x) ? 1 : 0),
  isinf: (x) => (Math.abs(x) === Infinity ? 1 : 0),
  /* A computed position, kept inside 0 .. size - 1. */
  index: (at, size) => (!(at >= 0) ? 0 : at >= size - 1 ? size - 1 : Math.floor(at)),
};
