"""What an equation does, in one sentence, for people who do not read mathematics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from netsheet.classes import is_softmax
from netsheet.equations import (
    FLOAT,
    WHOLE_FUNCTIONS,
    Affine,
    Call,
    Const,
    Equation,
    Expr,
    Gather,
    Index,
    Read,
    Select,
    Weight,
    gathers,
    positions,
    reads,
    walk,
)
from netsheet.explanation import Reduction, Stage, rounds, taken_apart
from netsheet.write.excel.whole_sentences import whole_sentence

_ENGLISH = {
    "value": "Each value is {what}.",
    "product": "the sum of {n} products of {a}{window}",
    "sum": "the sum of {n} values of {a}{window}",
    "mean": "the average of {n} values of {a}{window}",
    "max": "the largest of {n} values of {a}{window}",
    "min": "the smallest of {n} values of {a}{window}",
    "prod": "the product of {n} values of {a}{window}",
    "window": " (window {k}, stride {s}{padding})",
    "no padding": ", no padding",
    "padding": ", nothing beyond the border",
    "copy": "taken over from {a}",
    "elsewhere": "taken over from {a}, from another place",
    "gather": "looked up in {a}",
    "function": "computed from {a}{place} by {f}",
    "plain": "computed from {a}{place}",
    "same place": " at the same place",
    "quotient": "{a} divided by {b}",
    "constant": "a constant",
    "count": "the number of terms that count",
    "plus": ", plus {c}",
    "then": ", then {f}",
    "before": "{a} of the step before",
    "and": " and ",
    "times": " and ",
    "second": ", plus {what}",
    "relu": "cutting off what is negative",
    "high_product": "products / 2^31",
    "shift_right": "shifts",
    "shift_left": "shifts",
    "rounded_quotient": "a rounded division",
    "leading_zeros": "counting the zero bits in front",
    "whole": "rounding",
    "clip": "keeping it between two limits",
}
_JAPANESE = {
    "value": "各値は、{what}です。",
    "product": "{a} の積 {n} 個の総和{window}",
    "sum": "{a} の値 {n} 個の総和{window}",
    "mean": "{a} の値 {n} 個の平均{window}",
    "max": "{a} の値 {n} 個の最大値{window}",
    "min": "{a} の値 {n} 個の最小値{window}",
    "prod": "{a} の値 {n} 個の積{window}",
    "window": "（カーネル {k}、ストライド {s}{padding}）",
    "no padding": "、パディングなし",
    "padding": "、端の外側は含めない",
    "copy": "{a} から写した値",
    "elsewhere": "{a} の別の位置から写した値",
    "gather": "表 {a} から引き当てた値",
    "function": "{a}{place} から {f} で計算した値",
    "plain": "{a}{place} から計算した値",
    "same place": " の同じ位置の値",
    "quotient": "{a} を {b} で割った値",
    "constant": "定数",
    "count": "数に入る項の個数",
    "plus": "に {c} を加えたもの",
    "then": "に {f} を適用した値",
    "before": "1 つ前の時刻の {a}",
    "and": " と ",
    "times": " と ",
    "second": "と、{what}の和",
    "relu": "負の値を 0 にする処理",
    "high_product": "2^31 で割る積",
    "shift_right": "シフト",
    "shift_left": "シフト",
    "rounded_quotient": "丸め付きの割り算",
    "leading_zeros": "先頭の 0 のビット数",
    "whole": "丸め",
    "clip": "2 つの値の間に収める処理",
}
_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "neg", "if", "less", "equal", "less_equal"})


def sentence(eq: Equation, language: str) -> str:
    """``Each value is the sum of 16 products of input and kernel (window 4×4, stride 1), ...``."""
    words = _JAPANESE if language == "ja" else _ENGLISH
    whole = whole_sentence(eq, language)
    if whole:
        return whole
    value = _chosen(eq.value)
    reductions, stages = taken_apart(value)
    if not reductions:
        return words["value"].format(what=_elementwise(eq, value, words))
    return words["value"].format(what=_reduced(eq, reductions, stages, words))


def function_names(equations: Sequence[Equation], language: str) -> str:
    """What a layer applies, by name: ``tanh``, ``softmax``; nothing for plain arithmetic."""
    if any(is_softmax(eq.target, equations) for eq in equations):
        return "softmax"
    words = _JAPANESE if language == "ja" else _ENGLISH
    names = {words["relu"]: "ReLU", words["clip"]: "clip"}
    values = [eq.value for eq in equations]
    if any(rounds(value) for value in values):  # roundings and limits of whole numbers
        return ""
    found = [name for name in _functions(values, words) if name != "sqrt"]
    return ", ".join(names.get(name, name) for name in found[:3])


def _reduced(
    eq: Equation,
    reductions: Sequence[Reduction],
    stages: Sequence[Stage],
    words: Mapping[str, str],
) -> str:
    what = _reduction(eq, reductions[0], words)
    for reduction in reductions[1:]:
        what += words["second"].format(what=_reduction(eq, reduction, words))
    standins = {r.result for r in reductions} | {s.result for s in stages}
    inside = {read.tensor for r in reductions for f in r.factors for read in reads(f)}
    outside = [
        read for stage in stages for read in reads(stage.value) if read.tensor not in standins
    ]
    added = [read for read in outside if read.tensor not in inside]
    if added and all(_plain_sum(stage.value) for stage in stages[:1]):
        what += words["plus"].format(c=words["and"].join(_names(added, words)))
        stages = stages[1:]
        added = []
    functions = _functions([stage.value for stage in stages], words)
    if added:
        functions += _names(added, words)
    if functions:
        what += words["then"].format(f=words["and"].join(functions))
    return what


def _plain_sum(expr: Expr) -> bool:
    return all(node.function == "add" for node in walk(expr) if isinstance(node, Call)) and not any(
        isinstance(node, Select) for node in walk(expr)
    )


def _reduction(eq: Equation, reduction: Reduction, words: Mapping[str, str]) -> str:
    found = [read for factor in reduction.factors for read in reads(factor)]
    if not found and reduction.op == "sum":
        return words["count"]
    kind = "product" if reduction.op == "sum" and len(reduction.factors) > 1 else reduction.op
    offset = [text for factor in reduction.factors if (text := _offset(factor))]
    names = words["times"].join(
        [*offset, *_names(found[len(offset) :], words)] if offset else _names(found, words)
    )
    window = _window(eq, reduction, found, words)
    return words[kind].format(n=reduction.size, a=names, window=window)


def _offset(factor: Expr) -> str:
    """``(input + 128)``: a whole number from its zero point; empty for other factors."""
    if not isinstance(factor, Call) or factor.function not in ("add", "sub"):
        return ""
    first, second = factor.args
    if not isinstance(first, Read) or first.tensor.dtype == FLOAT or not isinstance(second, Const):
        return ""
    sign = {"add": "+", "sub": "-"}[factor.function]
    return f"({first.tensor.name} {sign} {second.value:g})"


def _window(
    eq: Equation, reduction: Reduction, found: Sequence[Read], words: Mapping[str, str]
) -> str:
    """Kernel size, stride and padding, where the terms move along with the element."""
    read = next((r for r in found if not isinstance(r.tensor, Weight)), None)
    if read is None:
        return ""
    sizes, strides = [], []
    padded = False
    for at in read.at:
        moving = [index for index in at.indices() if index in eq.indices]
        inner = [index for index in at.indices() if index in reduction.over]
        if not moving or not inner or len(at.indices()) != 2:
            continue
        sizes.append(inner[0].size)
        strides.append(abs(at.coefficient(moving[0])))
        padded = padded or any(guard.value == at for guard in reduction.where)
    if not sizes:
        return ""
    padding = words["padding" if padded else "no padding"]
    stride = str(strides[0]) if len(set(strides)) == 1 else "×".join(map(str, strides))
    return words["window"].format(k="×".join(map(str, sizes)), s=stride, padding=padding)


def _elementwise(eq: Equation, value: Expr, words: Mapping[str, str]) -> str:
    found = list(reads(value))
    if not found:
        return words["constant"]
    if isinstance(value, Read):
        if any(isinstance(atom, Gather) for at in value.at for _, atom in at.terms):
            return words["gather"].format(a=value.tensor.name)
        key = "copy" if _same_place(eq, [value]) or eq.target.shape != value.tensor.shape else (
            "elsewhere"
        )  # fmt: skip
        return words[key].format(a=value.tensor.name)
    if isinstance(value, Call) and value.function == "div":
        parts = [_names([arg], words)[0] for arg in value.args if isinstance(arg, Read)]
        if len(parts) == 2:
            return words["quotient"].format(a=parts[0], b=parts[1])
    shown = [r for r in found if r.tensor.shape and not isinstance(r.tensor, Weight)] or found
    place = words["same place"] if _same_place(eq, shown) else ""
    names = words["and"].join(_names(shown, words)[:4])
    functions = words["and"].join(_functions([value], words))
    if not functions:
        return words["plain"].format(a=names, place=place)
    return words["function"].format(a=names, place=place, f=functions)


def _same_place(eq: Equation, found: Sequence[Read]) -> bool:
    """True if every read is at the element's own position, wherever both have that axis."""
    own = [at for at in eq.at if at.terms]
    return all(_fits(read, own) for read in found)


def _fits(read: Read, own: Sequence[Affine]) -> bool:
    return all(at in own for at in read.at if at.terms or math.prod(read.tensor.shape) > 1)


def _functions(values: Sequence[Expr], words: Mapping[str, str]) -> list[str]:
    """The functions in expressions by name, without plain arithmetic, innermost first."""
    found: dict[str, None] = {}
    for value in values:
        inside = set(map(id, _in_positions(value)))
        for node in reversed(list(walk(value))):
            if not isinstance(node, Call) or node.function in _ARITHMETIC or id(node) in inside:
                continue
            cut = node.function == "max" and any(
                isinstance(arg, Const) and arg.value == 0 for arg in node.args
            )
            if _limits(node):
                found.pop(words["relu"], None)
                found.pop("max", None)
                found.pop("min", None)
                found[words["clip"]] = None
            else:
                named = words.get(node.function) if node.function in WHOLE_FUNCTIONS else None
                found[words["relu"] if cut else named or node.function] = None
    return list(found)


def _limits(node: Call) -> bool:
    """True for the smaller of a constant and the larger of another one and a value, or the reverse:
    what keeps a value between two numbers, as in a hard sigmoid."""
    opposite = {"min": "max", "max": "min"}.get(node.function)
    inner = [arg for arg in node.args if isinstance(arg, Call) and arg.function == opposite]
    constant = any(isinstance(arg, Const) for arg in node.args)
    return constant and any(isinstance(arg, Const) for one in inner for arg in one.args)


def _in_positions(value: Expr) -> Iterator[Expr]:
    """What computes a position to read at: it says where, not what is done with the value."""
    for node in walk(value):
        for at in positions(node):
            for gather in gathers(at):
                yield from walk(gather.value)


def _chosen(expr: Expr) -> Expr:
    """The main branch of a condition, which says what happens in the inside."""
    while isinstance(expr, Select) or (isinstance(expr, Call) and expr.function == "if"):
        expr = expr.then if isinstance(expr, Select) else expr.args[1]
    return expr


def _names(found: Sequence[Read], words: Mapping[str, str]) -> list[str]:
    """What is read, each once; what belongs to the step before is called so."""
    names: dict[str, None] = {}
    for read in found:
        tensor = read.tensor
        name = (tensor.label or tensor.name) if isinstance(tensor, Weight) else tensor.name
        names[words["before"].format(a=name) if _before(read) else name] = None
    return list(names)


def _before(read: Read) -> bool:
    """True if a read is one step back along time."""
    if "time" not in read.tensor.axes:
        return False
    at = read.at[read.tensor.axes.index("time")]
    single = [atom for _, atom in at.terms if isinstance(atom, Index)]
    return at.const == -1 and len(single) == 1 and len(at.terms) == 1
