"""What arithmetic of whole numbers does, step by step, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from netsheet.equations import FLOAT, Call, Const, Equation, Expr, Read, Reduce, Weight, reads
from netsheet.explanation import chain, rounds
from netsheet.write.mathematics import stage_text

_ENGLISH = {
    "sentence": "Each value is {a}, {steps}.",
    "one": "Each value is {a}, {steps}.",
    "count": "the number of values",
    "comma": ", ",
    "place": "{a} at the same place",
    "high_product": "times {b} / 2^31 (rounded)",
    "shift_right": "divided by 2^{b} (rounded)",
    "shift_left": "times 2^{b}",
    "rounded_quotient": "divided by {b} (rounded)",
    "whole": "rounded to a whole number",
    "leading_zeros": "of which the zero bits in front are counted",
    "real": "taken as a real number",
    "add": "plus {b}",
    "sub": "minus {b}",
    "mul": "times {b}",
    "div": "divided by {b}",
    "limits": "kept between {low} and {high}",
    "max": "but at least {b}",
    "min": "but at most {b}",
}
_JAPANESE = {
    "sentence": "各値は、{a} に対し、順に、{steps}たものです。",
    "one": "各値は、{a} に対し、{steps}たものです。",
    "count": "値の個数",
    "comma": "、",
    "place": "{a} の同じ位置の値",
    "high_product": "{b} / 2^31 を掛けて丸め",
    "shift_right": "2^{b} で割って丸め",
    "shift_left": "2^{b} を掛け",
    "rounded_quotient": "{b} で割って丸め",
    "whole": "整数に丸め",
    "leading_zeros": "先頭の 0 のビット数を数え",
    "real": "実数とみなし",
    "add": "{b} を足し",
    "sub": "{b} を引き",
    "mul": "{b} を掛け",
    "div": "{b} で割り",
    "limits": "{low} から {high} の範囲に収め",
    "max": "{b} 以上にし",
    "min": "{b} 以下にし",
}
_LAST = {"引き": "引い", "割り": "割っ"}  # before "た", where a Japanese sentence ends


def whole_sentence(eq: Equation, language: str) -> str:
    """``Each value is conv1/sum at the same place, times multiplier / 2^31 (rounded), ...``.

    Empty for an equation of other kinds: of reductions, or of several numbers in each step.
    """
    words = _JAPANESE if language == "ja" else _ENGLISH
    if not isinstance(eq.value, Call):
        return ""
    calls = chain(eq.value)
    first = calls[0]
    assert isinstance(first, Call)
    source = first.args[0]
    if not isinstance(source, Read) or isinstance(source.tensor, Weight):
        return ""
    if not rounds(eq.value) and source.tensor.dtype == FLOAT:
        return ""
    steps = []
    for inner, outer in zip([source, *calls], calls, strict=False):
        step = _step(outer, inner, words)
        if step is None:
            return ""
        steps.append(step)
    if language == "ja":
        end = steps[-1][-2:]
        steps[-1] = steps[-1][:-2] + _LAST.get(end, end)
    name = source.tensor.name
    if source.tensor.shape == eq.target.shape != ():
        name = words["place"].format(a=name)
    sentence = words["sentence" if len(steps) > 1 else "one"]
    return sentence.format(a=name, steps=words["comma"].join(steps))


def _step(call: Expr, inner: Expr, words: Mapping[str, str]) -> str | None:
    """What a call does to its operand; None where that is no single operand and a number."""
    assert isinstance(call, Call)
    limits = _limits(call, inner)
    if limits is not None:
        return words["limits"].format(low=limits[0], high=limits[1])
    if call.function not in words:
        return None
    others = [arg for arg in call.args if arg is not inner]
    if len(others) != len(call.args) - 1 or len(others) > 1:
        return None
    if not others:
        return words[call.function]
    function, other = call.function, others[0]
    if call.args[0] is not inner and function not in ("add", "mul", "max", "min"):
        return None
    if function == "add" and isinstance(other, Const) and other.value < 0:
        function, other = "sub", Const(-other.value)
    return words[function].format(b=_text(other, words))


def _limits(call: Call, inner: Expr) -> tuple[str, str] | None:
    """The two numbers between which ``min(max(inner, low), high)`` keeps its operand."""
    opposite = {"min": "max", "max": "min"}.get(call.function)
    bounds: dict[str, str] = {}
    middle = next(
        (arg for arg in call.args if isinstance(arg, Call) and arg.function == opposite), None
    )
    if middle is None or inner not in middle.args:
        return None
    for part in (call, middle):
        for arg in part.args:
            if isinstance(arg, Const):
                bounds[part.function] = stage_text(arg)
    return (bounds["max"], bounds["min"]) if len(bounds) == 2 else None


def _text(expr: Expr, words: Mapping[str, str]) -> str:
    if isinstance(expr, Reduce):
        return words["count"] if not list(reads(expr)) else stage_text(expr)
    if isinstance(expr, Read):
        tensor = expr.tensor
        return (tensor.label or tensor.name) if isinstance(tensor, Weight) else tensor.name
    shown = stage_text(expr)
    return f"({shown})" if " " in shown else shown
