/* Takes random elements of every tensor of a page apart: node page_explanations.js PAGE ASSETS PICKS */
"use strict";
const fs = require("fs"), path = require("path"), vm = require("vm");
const [file, assets, picks] = process.argv.slice(2), page = fs.readFileSync(file, "utf8");
const inside = (open) => {
  const start = page.indexOf(open) + open.length;
  return page.slice(start, page.indexOf("</script>", start));
};
const scope = vm.createContext({ atob, btoa, Blob, Response, DecompressionStream });
const text = ["words.js", "explain.js"].map((name) => fs.readFileSync(path.join(assets, name), "utf8"));
const names = "Engine, weightsOf, detailsOf, floatsOf, explainElement, excelCell, unflat";
vm.runInContext([inside('<script id="engine">'), ...text, `this.parts = { ${names} };`].join("\n"), scope);
const { Engine, weightsOf, detailsOf, floatsOf, explainElement, excelCell, unflat } = scope.parts;

async function main() {
  const data = JSON.parse(inside('<script type="application/json" id="data">'));
  Object.assign(data, await detailsOf(data.details));
  const engine = new Engine(data, await weightsOf(data.values));
  engine.run(data.samples[0].values.map(floatsOf));
  let seed = 1;
  const random = (n) => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % n;
  const result = [];
  data.tensors.forEach(({ name, shape, size }, id) => {
    if (data.inputs.includes(id)) return;
    for (let n = 0; n < Number(picks); n++) {
      const at = unflat(random(size), shape), found = explainElement(engine, id, at);
      const terms = found.reductions.map(({ op, total, terms }) => ({ op, total,
        products: terms.filter((term) => term.inside).map((term) => term.product),
        factors: terms.filter((term) => term.inside).map((term) => term.factors),
        elements: terms.filter((term) => term.inside).map((term) => term.reads.flat()) }));
      const read = found.sources.filter(([number]) => number >= 0).map(([number, place]) => [data.tensors[number].name, place]);
      const last = found.stages.length ? found.stages[found.stages.length - 1].value : found.reductions.length ? found.reductions[found.reductions.length - 1].total : null;
      result.push({ name, at, value: String(found.value), last: String(last), terms, read, equation: found.equation, excel: excelCell(data, id, at) });
    }
  });
  fs.writeSync(1, JSON.stringify(result));
}
main();
