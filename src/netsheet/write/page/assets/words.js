/* Every sentence of the page, in English and Japanese. */
const WORDS = {
  en: {
    name: "English", input: "Input", draw: "Draw here", seen: "As the network sees it",
    clear: "Clear", centre: "Centre and size it as MNIST does", invert: "Dark on light: invert",
    samples: "Samples", open: "Open a picture or take a photo", drop: "or drop or paste one here",
    network: "The network", prediction: "Prediction", output: "Output",
    layers: "{n} layers", params: "{n} parameters", macs: "{n} multiplications",
    ok: "Checked: every layer agrees with the reference (largest deviation {d})",
    bad: "Does not agree with the reference: largest deviation {d}",
    badge: "✓ agrees to {d}", badgeBad: "✗ deviates by {d}",
    checkTitle: "Each layer against its reference", checkAbout:
      "The page recomputed the given inputs in this browser; the reference is ONNX Runtime. The bound for each layer is 0.00001 · max(1, largest value).",
    layer: "Layer", type: "Type", shape: "Shape", deviation: "Deviation", compared: "Values",
    took: "{t} ms a pass", worker: "in the background", theme: "Light or dark", language: "日本語",
    explain: "What a value is made of", pick:
      "Point at any cell to see what it is made of. Click or press Enter to keep it; with the keyboard, Tab to a layer and use the arrow keys.",
    pinned: "kept", unpin: "Let go (Esc)", play: "Slide over the map", pause: "Pause",
    window: "Input", times: "×", kernel: "Weight", product: "Product", total: "Sum",
    largest: "Largest of", smallest: "Smallest of", mean: "Mean", prod: "Product of all",
    contributors: "Largest contributions", more: "{n} more", slices: "{n} of {m} slices shown, largest first",
    left: "Outside of the input: left out", given: "This value is the input itself.",
    noExplain: "This value is computed, but its equation is too large to take apart here.",
    equation: "Equation", numbers: "With numbers", excel: "In Excel", excelNone:
      "The workbook's formula of this cell is too long to be shown here.",
    address: "cell {a}", copy: "Copy", copied: "Copied", showAll: "Show all {n} maps",
    showFew: "Show fewer", steps: "Steps inside", weights: "Weights", table: "Values as a table",
    csv: "CSV", close: "Close", mute: "Mute this channel", noise: "Add noise", zero: "Set to zero",
    muted: "muted: {k} {c}", noisy: "noise in {k}", zeroed: "{k} is zero", changed: "{k} = {v}",
    broken: "Changed", restore: "Restore everything", breakIt: "Break it",
    breakAbout: "See what happens without a channel, a bias, or with another weight.",
    refused: "Not computed", edit: "Change this value", set: "Set", histogram: "How often each value occurs",
    smallestValue: "smallest", largestValue: "largest", map: "map {n}", token: "Token numbers, with spaces between",
    values: "Numbers, with spaces between", class: "class {n}", label: "true class: {l}",
    scaled: "Pixels are {s}.", plain: "used as they are", inverted: "inverted", factor: "scaled by {n}",
    minus: "minus {n}", divided: "divided by {n}", link: "Copy a link to this moment",
    cell: "{k}, {p}: {v}", outOf: "of {n}", weightOf: "Weights of {k}", pasteBad: "That is no picture that can be read.",
    keys: "Arrow keys move, Page Up and Page Down change the map, Enter keeps the cell.",
    again: "Mean squared difference from the input: {v}",
    wrong: "{n} numbers are needed, {m} were given.", noise1: "noise",
  },
  ja: {
    name: "日本語", input: "入力", draw: "ここに描いてください", seen: "ネットワークに渡される画像",
    clear: "消す", centre: "MNIST と同じように中央に寄せ、大きさをそろえる", invert: "明るい背景に暗い線（反転する）",
    samples: "サンプル", open: "画像を開く・写真を撮る", drop: "ドロップや貼り付けでも入力できます",
    network: "ネットワーク", prediction: "予測", output: "出力",
    layers: "{n} 層", params: "パラメータ {n} 個", macs: "乗算 {n} 回",
    ok: "確認済み：すべての層が基準値と一致しています（最大の差 {d}）",
    bad: "基準値と一致しません：最大の差 {d}",
    badge: "✓ 差は {d} 以下", badgeBad: "✗ 差 {d}",
    checkTitle: "層ごとの基準値との比較", checkAbout:
      "用意された入力をこのブラウザで計算し直し、ONNX Runtime の値と比べました。許容差は層ごとに 0.00001 × max(1, 最大値) です。",
    layer: "層", type: "種類", shape: "形", deviation: "差", compared: "比べた値の数",
    took: "1 回の計算 {t} ミリ秒", worker: "バックグラウンドで計算", theme: "明るい／暗い表示", language: "English",
    explain: "値の成り立ち", pick:
      "どのマスでも、指すとその値の求め方が出ます。クリックか Enter で固定できます。キーボードでは Tab で層を選び、矢印キーで動かします。",
    pinned: "固定中", unpin: "固定を外す（Esc）", play: "窓を動かす", pause: "止める",
    window: "入力", times: "×", kernel: "重み", product: "積", total: "合計",
    largest: "最大値", smallest: "最小値", mean: "平均", prod: "総乗",
    contributors: "影響の大きい項", more: "ほか {n} 項", slices: "{m} 枚のうち影響の大きい {n} 枚",
    left: "入力の外側なので数えません", given: "入力そのものの値です。",
    noExplain: "計算はされていますが、式が大きいためここでは分解できません。",
    equation: "式", numbers: "数値を入れた式", excel: "Excel の数式", excelNone:
      "この値の数式は長いため、ここには表示できません。ワークブックで見られます。",
    address: "セル {a}", copy: "コピー", copied: "コピーしました", showAll: "{n} 枚すべて表示",
    showFew: "一部だけ表示", steps: "途中の値", weights: "重み", table: "値を表で見る",
    csv: "CSV", close: "閉じる", mute: "このチャネルを消す", noise: "雑音を加える", zero: "0 にする",
    muted: "{k} のチャネル {c} を消去", noisy: "{k} に雑音", zeroed: "{k} を 0 に", changed: "{k} = {v}",
    broken: "変更中", restore: "すべて元に戻す", breakIt: "壊してみる",
    breakAbout: "チャネルやバイアスをなくしたり、重みを変えたりすると、予測がどう変わるか見てみましょう。",
    refused: "計算されない層", edit: "この値を変える", set: "変更", histogram: "値の分布",
    smallestValue: "最小", largestValue: "最大", map: "{n} 枚目", token: "トークン番号（空白で区切る）",
    values: "数値（空白で区切る）", class: "クラス {n}", label: "正解：{l}",
    scaled: "画素の扱い：{s}", plain: "そのまま", inverted: "反転", factor: "{n} 倍", minus: "{n} を引く", divided: "{n} で割る", link: "この場面へのリンクをコピー",
    cell: "{k} の {p}：{v}", outOf: "／ {n}", weightOf: "{k} の重み", pasteBad: "画像として読めませんでした。",
    keys: "矢印キーで移動、Page Up と Page Down でマップを切り替え、Enter で固定します。",
    again: "入力との差の 2 乗の平均：{v}",
    wrong: "必要な数は {n} 個ですが、{m} 個でした。", noise1: "雑音",
  },
};

let language = "en";

/* The sentence of that key, with its blanks filled. */
function say(key, blanks = {}) {
  return (WORDS[language][key] || WORDS.en[key]).replace(/\{(\w)\}/g, (_, name) => String(blanks[name]));
}

/* A number for people: up to `digits` significant ones. */
function shown(value, digits = 4) {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(Math.max(digits - 2, 1));
  return String(Number(value.toPrecision(digits)));
}

/* An element of the page. Text is text: nothing that a model says is read as HTML. */
function h(tag, properties = {}, ...children) {
  const element = tag === "svg" || tag === "path" || tag === "rect" || tag === "line"
    ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
