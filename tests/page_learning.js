/* Teaches a page's network in Node: node page_learning.js PAGE LESSONS prints losses and weights. */
"use strict";
const fs = require("fs"), vm = require("vm");
const [page, lessons] = process.argv.slice(2).map((path) => fs.readFileSync(path, "utf8"));
const inside = (open) => {
  const start = page.indexOf(open) + open.length;
  return page.slice(start, page.indexOf("</script>", start));
};
const scope = vm.createContext({ atob, btoa, Blob, Response, DecompressionStream });
vm.runInContext(`${inside('<script id="engine">')}\nthis.parts = { Engine, weightsOf };`, scope);

async function main() {
  const data = JSON.parse(inside('<script type="application/json" id="data">'));
  const engine = new scope.parts.Engine(data, await scope.parts.weightsOf(data.values));
  const { rate, examples, steps } = JSON.parse(lessons), losses = [];
  for (let n = 0; n < steps; n++) {
    for (const [inputs, given] of examples) losses.push(engine.learn(inputs.map((values) => Float32Array.from(values)), given, rate));
  }
  const weights = Object.fromEntries(data.weights.map((weight, n) => [weight.name, Array.from(engine.lessons[n])]));
  engine.forget();
  engine.change({});
  const restored = engine.stored.every((value, n) => value === engine.original[n]);
  fs.writeSync(1, JSON.stringify({ losses: losses.map(String), weights, restored }));
}
main();
