"""The words of a workbook, in English and Japanese."""

from __future__ import annotations

from netsheet.errors import UsageError
from netsheet.language import LANGUAGES

_WORDS: dict[str, tuple[str, str]] = {
    "font": ("Calibri", "Yu Gothic"),  # where it is missing, programs take what they have
    # sheets
    "overview": ("Overview", "概要"),
    "input": ("Input", "入力"),
    "samples": ("Samples", "サンプル"),
    "check": ("Check", "検証"),
    "map": ("Map", "セル対応表"),
    "vocabulary": ("Vocabulary", "単語表"),
    "word": ("Word", "単語"),
    "reference": ("Reference", "基準値"),
    # overview
    "about": (
        "A neural network as live formulas: every value of every layer is computed in this file.",
        "ネットワークの計算を数式でそのまま再現したブックです。値を変えるとその場で再計算されます。",
    ),
    "format": ("Format", "形式"),
    "parameters": ("Parameters", "パラメータ数"),
    "formulas": ("Formulas", "数式セル数"),
    "short parameters": ("Parameters", "パラメータ"),
    "short formulas": ("Formulas", "数式"),
    "digits": ("Digits", "表示桁数"),
    "digits about": ("4, or 8 in all sheets", "4、または全シートで 8 桁"),
    "sample": ("Sample", "サンプル"),
    "choose": ("choose here", "ここで選択"),
    "true label": ("True label", "正解ラベル"),
    "predicted": ("Predicted class", "予測クラス"),
    "class": ("Class", "クラス"),
    "number": ("Number", "番号"),
    "target": ("Target", "正解"),
    "error": ("Error", "誤差"),
    "probability": ("Probability", "確率"),
    "value": ("Value", "値"),
    "layer": ("Layer", "層"),
    "type": ("Type", "種類"),
    "output shape": ("Output shape", "出力の形"),
    "cells": ("Cells", "セル数"),
    "deviation": ("Largest deviation", "最大誤差"),
    "short deviation": ("Deviation", "最大誤差"),
    "verdict": ("Verdict", "判定"),
    "layers": ("Layers", "層の一覧"),
    "mean of channels": ("(mean of the channels)", "（チャンネルの平均）"),
    "every nth": ("(one of {0} rows and columns)", "（{0} 行・{0} 列ごとに 1 つ）"),
    "first values": ("(the first {0} of {1})", "（{1} 個のうち最初の {0} 個）"),
    # explain
    "explain": ("Explain", "しくみ"),
    "terms": ("Terms", "計算の内訳"),
    "explain about": (
        "Choose a layer and a position in the yellow cells: below is how that one value is made.",
        "黄色のセルで層と位置を選ぶと、その値がどのように計算されるかを下に表示します。",
    ),
    "terms about": (
        "What the Explain sheet shows, for every layer at the chosen position.",
        "「しくみ」シートに表示する内容を、選んだ位置について層ごとに計算しています。",
    ),
    "part": ("Part", "表示部分"),
    "of": ("of {0}", "全 {0}"),
    "products": ("Products", "積"),
    "its cell": ("Cell", "セル"),
    "its value": ("Value in the layer's own sheet", "層のシートの値"),
    "real value": ("as a real number", "表す実数"),
    "its formula": ("Formula of that cell", "そのセルの数式"),
    "left out": (
        "{0} tensors with too many terms are not offered.",
        "項の数が多すぎる {0} 個の値は選べません。",
    ),
    "axis channel": ("channel", "チャンネル"),
    "axis height": ("row", "行"),
    "axis width": ("column", "列"),
    "axis depth": ("depth", "奥行き"),
    "axis time": ("time", "時刻"),
    "axis gate": ("gate", "ゲート"),
    "axis head": ("head", "ヘッド"),
    "axis query": ("query", "クエリ"),
    "axis key": ("key", "キー"),
    "axis in": ("in", "入力"),
    "axis out": ("out", "出力"),
    "axis token": ("token", "トークン"),
    "axis unit": ("unit", "ユニット"),
    "axis multiplier": ("multiplier", "倍率"),
    "axis sample": ("sample", "サンプル"),
    "axis class": ("class", "クラス"),
    # weights, explained where the reader's language has other words for them
    "weight kernel": ("", "カーネル（重み）"),
    "weight bias": ("", "バイアス"),
    "weight recurrent_kernel": ("", "再帰カーネル（前の時刻の値への重み）"),
    "weight gamma": ("", "スケール（γ）"),
    "weight beta": ("", "シフト（β）"),
    "weight moving_mean": ("", "移動平均"),
    "weight moving_variance": ("", "移動分散"),
    "weight embeddings": ("", "埋め込み表"),
    "weight depthwise_kernel": ("", "チャンネルごとのカーネル"),
    "weight pointwise_kernel": ("", "1×1 カーネル"),
    "weight alpha": ("", "負側の傾き（α）"),
    # flow
    "flow": ("Flow", "全体の流れ"),
    "flow about": (
        "The network from left to right. Every small map is live; a name leads to its sheet.",
        "ネットワーク全体を左から右へ並べました。どのマップも再計算されます。"
        "名前から各層のシートへ移動できます。",
    ),
    "maps of": ("{0} of {1} maps", "{1} 枚中 {0} 枚"),
    # blocks
    "raw": ("raw values", "元の値"),
    "tokens": ("token numbers", "単語番号など"),
    "real": ("real values", "実数値"),
    "whole numbers": ("Numbers", "数値の型"),
    "whole about": ("whole numbers, exact here", "整数を誤差なく計算"),
    "weight scale": ("one step as a real number", "スケール（1 目盛りが表す実数）"),
    "weight zero_point": ("stands for 0", "ゼロ点（実数 0 を表す整数）"),
    "weight multiplier": ("to be divided by 2^31", "乗数（÷ 2^31 して使う）"),
    "weight shift": ("to be divided by 2^shift", "シフト（2 で割る回数）"),
    "weight kernel_scale": ("", "カーネルのスケール"),
    "scaled": ("what the network takes", "ネットワークへの入力"),
    "weight": ("weight", "重み"),
    "output": ("output", "出力"),
    "step": ("step", "途中の値"),
    "copy": ("what this layer reads, copied here", "この層が読む値の写し"),
    "helper": ("partial sums", "部分和"),
    "more": ("... and {0} more of the same kind", "ほか同様の式が {0} 個"),
    "back": ("Overview", "概要へ"),
    "channels side by side": (
        "channels side by side: {0} columns for each column of the map",
        "チャンネルを横に並べています（マップの 1 列につき {0} 列）",
    ),
    "zeros": ("grey zeros fill the gaps of the window", "灰色の 0 は窓のすき間です"),
    # steps
    "steps": ("Steps", "ステップ"),
    "steps about": (
        "The network keeps states. A row for each call, one after another: what goes in, the "
        "states that the call before has left, what comes out. Change a yellow cell: its row and "
        "those below follow. States of 0 in the first row are a reset.",
        "状態を保持するネットワークを続けて呼び出した結果です。1 行が 1 回の呼び出しで、入力、"
        "直前の呼び出しが残した状態、出力が並びます。黄色のセルを変えると、その行と下の行が"
        "再計算されます。最初の行の状態が 0 ならリセット直後です。",
    ),
    "step number": ("Step {0}", "ステップ {0}"),
    "step head": ("Step", "ステップ"),
    "step row": ("(call {0}, row {1})", "（呼び出し {0}、{1} 行目）"),
    "step shown": ("Step shown", "表示するステップ"),
    "fed": ("input", "入力"),
    "before": ("before the step", "ステップ前の状態"),
    "result": ("output", "出力"),
    "left at last": ("left by the last step", "最後のステップが残した状態"),
    # learn
    "learn": ("Learn", "学習"),
    "learn about": (
        "One step of gradient descent in live cells: change the rate or the class in the yellow "
        "cells, and every gradient, every new weight and the loss afterwards follow.",
        "勾配降下法による学習を数式で計算しています。黄色のセルの学習率や正解を変えると、"
        "勾配・更新後の重み・更新後の損失がすべて変わります。",
    ),
    "loss sheet": ("Loss", "損失"),
    "loss function": ("Loss function", "損失関数"),
    "should give": ("True class or value", "正解"),
    "own input": ("its own input", "入力そのもの"),
    "rate": ("Learning rate", "学習率"),
    "rate about": ("new weight = weight - rate × gradient", "新しい重み = 重み − 学習率 × 勾配"),
    "loss": ("Loss", "損失"),
    "loss before": ("Loss before", "更新前の損失"),
    "loss after": ("Loss after step {0}", "{0} 回更新した後の損失"),
    "loss change": ("Change", "変化"),
    "loss over steps": ("Loss after each step", "更新ごとの損失"),
    "steps done": ("Steps", "更新回数"),
    "slope": ("Is the gradient right? Measure it", "勾配は正しいか（実測）"),
    "slope about": (
        "One weight is moved up and down by h in two further copies of the network: "
        "(L(w + h) - L(w - h)) / 2h.",
        "選んだ重みを h だけ増減した 2 つのネットワークで損失を計算し、"
        "(L(w + h) − L(w − h)) / 2h と比べます。",
    ),
    "chosen weight": ("Weight", "重み"),
    "position": ("Position", "位置"),
    "move": ("h", "増減する量 h"),
    "adjoint": ("Gradient, going backwards", "勾配（逆伝播）"),
    "measured": ("Gradient, measured", "勾配（実測）"),
    "difference": ("Difference", "差"),
    "sizes": ("Sizes", "形"),
    "elements": ("Weights", "個数"),
    "picked": ("Picked", "選択"),
    "largest slope": ("Largest |gradient|", "勾配の最大絶対値"),
    "its sheet": ("Sheet", "シート"),
    "weights over steps": ("After each step", "更新ごとの値"),
    "gradient": ("gradient", "勾配"),
    "new": ("new weight", "新しい重み"),
    "given": ("yours to change", "変更できます"),
    "passage": ("computed again", "再計算"),
    "back about": (
        "How the loss changes with each value of the sheet {0}.",
        "シート「{0}」の各値に対する損失の勾配です。",
    ),
    "step name": ("Step {0}", "更新 {0}"),
    "step sheet": ("Forward and back once more {0}", "重みを更新して再び順伝播と逆伝播 {0}"),
    "after": ("After", "更新後"),
    "after about": ("The network with its new weights.", "新しい重みでのネットワーク。"),
    "higher": ("w + h", "w + h"),
    "higher about": (
        "The network with one weight larger by h.",
        "重みを 1 つだけ h 増やしたネットワーク。",
    ),
    "lower": ("w - h", "w - h"),
    "lower about": (
        "The network with one weight smaller by h.",
        "重みを 1 つだけ h 減らしたネットワーク。",
    ),
    # check
    "check about": (
        "Each layer against the float32 values of the original network ({0}). "
        "Deviations are computed here, by this spreadsheet.",
        "各層を元のネットワークの float32 の値（{0}）と比べます。"
        "誤差はこの表計算ソフトが計算します。",
    ),
    "check changed": (
        "The references belong to the samples and weights as they were written: "
        "after a change, differences show what the change did.",
        "基準値は書き出した時のサンプルと重みのものです。変更した後の差は、その変更の影響です。",
    ),
    "check first": (
        "References are stored for the first sample only ({0}).",
        "基準値は最初のサンプル（{0}）だけにあります。",
    ),
    "largest": ("Largest value", "最大の絶対値"),
    "tolerance": ("Tolerance", "許容誤差"),
    "relative": ("relative", "相対誤差"),
    "ok": ("OK", "一致"),
    "differs": ("DIFFERS", "不一致"),
    "no reference": ("no reference", "基準値なし"),
    "all layers": ("All layers", "全層"),
    # map: the names of columns stay as they are for programs; these stand above them
    "map tensor": ("", "テンソル"),
    "map layer": ("", "層"),
    "map kind": ("", "種類"),
    "map sheet": ("", "シート"),
    "map cells": ("", "セル範囲"),
    "map arrangement": ("", "並べ方"),
    "map axes": ("", "軸"),
    "map shape": ("", "形"),
    "map steps": ("", "行と列の増え方"),
    "map about": (
        "Where every value lies. Along each axis the row and the column grow as 'steps' says: "
        "+3: three cells for each position; //4*30: thirty for each whole band of four; "
        "%4*29: twenty-nine for each place in its band; numbers: a table.",
        "すべての値のありか。steps は軸に沿った行と列の増え方です（+3: 1 つごとに 3 セル、"
        "//4*30: 4 つの段ごとに 30、%4*29: 段の中の位置ごとに 29、数の列: 表）。",
    ),
}


def words(language: str) -> dict[str, str]:
    """All words in a language; UsageError if there is no such language."""
    if language not in LANGUAGES:
        raise UsageError(f"no language {language!r}; choose one of: {', '.join(LANGUAGES)}")
    number = LANGUAGES.index(language)
    return {key: texts[number] for key, texts in _WORDS.items()}
