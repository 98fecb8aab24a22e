/* Values as colours: blue below zero, the paper's colour at zero, orange above. Blue and orange
   differ for every kind of colour vision, and in lightness from the paper on both sides. */
const STOPS = {
  light: [[18, 60, 128], [110, 160, 214], [247, 247, 244], [240, 158, 88], [156, 60, 6]],
  dark: [[150, 203, 255], [44, 104, 176], [24, 27, 33], [196, 98, 24], [255, 205, 150]],
};
const NO_NUMBER = [150, 60, 150];

let dark = false;
let table = new Uint32Array(257);

function mixed(position) {
  const stops = STOPS[dark ? "dark" : "light"], at = Math.min(Math.max(position, 0), 1) * 4;
  const low = Math.min(Math.floor(at), 3), part = at - low;
  return stops[low].map((value, n) => Math.round(value + (stops[low + 1][n] - value) * part));
}

/* 256 colours, as they lie in the memory of a picture; the last one is for what is no number. */
function makeTable() {
  const little = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
  const packed = ([r, g, b]) =>
    little ? (255 << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | 255;
  for (let n = 0; n < 256; n++) table[n] = packed(mixed(n / 255));
  table[256] = packed(NO_NUMBER);
}

function colourNumber(value, most) {
  if (value !== value) return 256;
  if (most === 0) return 128;
  const at = 127.5 + (127.5 * value) / most;
  return at <= 0 ? 0 : at >= 255 ? 255 : Math.round(at);
}

/* The colour of one value as CSS, and of text that can be read on it. */
function colours(value, most) {
  const [r, g, b] = Number.isNaN(value) ? NO_NUMBER : mixed(0.5 + (most ? value / most / 2 : 0));
  const light = 0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2;
  return { backgroundColor: `rgb(${r}, ${g}, ${b})`, color: light > 0.18 ? "#000" : "#fff" };
}

/* The largest distance from zero among numbers. */
function mostOf(values) {
  let most = 0;
  for (let n = 0; n < values.length; n++) {
    const size = Math.abs(values[n]);
    if (size > most && size !== Infinity) most = size;
  }
  return most;
}
