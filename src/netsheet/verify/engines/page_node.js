/* Runs a page's engine without a browser: node page_node.js PAGE INPUTS prints every layer. */
"use strict";
const fs = require("fs"), vm = require("vm");
const [page, inputs] = process.argv.slice(2).map((path) => fs.readFileSync(path, "utf8"));
const inside = (open) => {
  const start = page.indexOf(open) + open.length;
  return page.slice(start, page.indexOf("</script>", start));
};
const data = JSON.parse(inside('<script type="application/json" id="data">'));
const scope = vm.createContext({ atob, btoa, Blob, Response, DecompressionStream });
vm.runInContext(inside('<script id="engine">') + "\nthis.recomputed = recomputed;", scope);
scope.recomputed(data, JSON.parse(inputs)).then((values) => {
  fs.writeSync(1, JSON.stringify(values));
});
