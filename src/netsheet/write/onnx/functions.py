"""One ONNX spelling for each function of :data:`netsheet.equations.FUNCTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netsheet.equations import LIMITS, WHOLE
from netsheet.layer import Graph

FLOAT, INT64, BOOL, DOUBLE, UINT64 = 1, 7, 9, 11, 13  # as onnx.TensorProto counts them
LOW, HIGH = LIMITS[WHOLE]

_SAME = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "neg": "Neg",
    "max": "Max", "min": "Min", "pow": "Pow",
    "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "abs": "Abs", "sign": "Sign",
    "floor": "Floor", "ceil": "Ceil", "round": "Round",
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan",
    "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh",
    "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh",
    "erf": "Erf", "sigmoid": "Sigmoid",
}  # fmt: skip

COMPARE = {
    "less": "Less", "less_equal": "LessOrEqual", "equal": "Equal",
    "isnan": "IsNaN", "isinf": "IsInf",
}  # fmt: skip

_LOGIC = {"and": "And", "or": "Or", "xor": "Xor", "not": "Not"}


def spell(graph: Graph, function: str, args: Sequence[str]) -> str:
    """Nodes for ``function`` of values that broadcast; truth is 1.0 and 0.0.

    Whole numbers are 64-bit integers; what a function of theirs gives fits into 32 bits.
    """
    if function in _SAME:
        return str(graph.node(_SAME[function], args))
    if function in COMPARE:
        return cast(graph, graph.node(COMPARE[function], args), FLOAT)
    if function in _LOGIC:
        truths = [cast(graph, arg, BOOL) for arg in args]
        return cast(graph, graph.node(_LOGIC[function], truths), FLOAT)
    return str((_COMPOSED.get(function) or _WHOLE[function])(graph, *args))


def cast(graph: Graph, name: str, to: int) -> str:
    """The value as another element type."""
    return str(graph.node("Cast", [name], to=to))


def _fmod(graph: Graph, x: str, divisor: str) -> str:
    return str(graph.node("Mod", [x, divisor], fmod=1))


def _mod(graph: Graph, x: str, divisor: str) -> str:
    """The remainder with the divisor's sign; ONNX has it for integers only."""
    rest = _fmod(graph, x, divisor)
    zero = graph.constant(0.0)
    opposite = graph.node("Less", [graph.node("Mul", [rest, divisor]), zero])
    return str(graph.node("Where", [opposite, graph.node("Add", [rest, divisor]), rest]))


# --------------------------------------------------------------------------- whole numbers


def _integer(graph: Graph, number: int) -> str:
    return graph.constant(np.int64(number))


def _nearest_quotient(graph: Graph, x: str, divisor: str) -> str:
    """``x / divisor``, halves away from zero."""
    half = graph.node("Div", [divisor, _integer(graph, 2)])
    size = graph.node("Add", [graph.node("Abs", [x]), half])
    return str(graph.node("Mul", [graph.node("Sign", [x]), graph.node("Div", [size, divisor])]))


def _power(graph: Graph, n: str) -> str:
    return str(graph.node("Pow", [_integer(graph, 2), n]))


def _held(graph: Graph, x: str) -> str:
    low = graph.node("Max", [x, _integer(graph, LOW)])
    return str(graph.node("Min", [low, _integer(graph, HIGH)]))


def _down(graph: Graph, x: str, bits: str, offset: str, back: str) -> str:
    """``x / 2^bits`` rounded down, by a shift, which is much faster than a division.

    ONNX shifts unsigned numbers only: ``offset``, a multiple of 2^bits, makes ``x`` one, and
    ``back``, that many times less, is taken off again.
    """
    positive = cast(graph, graph.node("Add", [x, offset]), UINT64)
    shifted = graph.node("BitShift", [positive, cast(graph, bits, UINT64)], direction="RIGHT")
    return str(graph.node("Sub", [cast(graph, shifted, INT64), back]))


def _high_product(graph: Graph, a: str, b: str) -> str:
    half = _integer(graph, 1 << 30)
    doubled = graph.node("Add", [graph.node("Mul", [a, b]), half])
    offset, back = _integer(graph, 1 << 62), _integer(graph, 1 << 31)
    high = _down(graph, doubled, _integer(graph, 31), offset, back)
    return str(graph.node("Min", [high, _integer(graph, HIGH)]))


def _shift_right(graph: Graph, x: str, n: str) -> str:
    """Half a step is added; below zero one less than that, so that halves go away from it."""
    step = _power(graph, n)
    half = graph.node("Div", [step, _integer(graph, 2)])
    below = graph.node("Min", [graph.node("Sign", [x]), _integer(graph, 0)])
    whole = graph.node("Min", [half, _integer(graph, 1)])  # nothing is rounded by no bits
    nudged = graph.node("Add", [graph.node("Add", [x, half]), graph.node("Mul", [below, whole])])
    offset = _integer(graph, 1 << 33)
    return _down(graph, nudged, n, offset, graph.node("Div", [offset, step]))


def _shift_left(graph: Graph, x: str, n: str) -> str:
    return _held(graph, graph.node("Mul", [x, _power(graph, n)]))


def _leading_zeros(graph: Graph, x: str) -> str:
    """How many powers of two, of those with 32 bits, are larger."""
    last = graph.constant(np.array([-1], np.int64))
    wide = graph.node("Unsqueeze", [x, last])
    powers = graph.constant(2 ** np.arange(32, dtype=np.int64))
    larger = cast(graph, graph.node("Less", [wide, powers]), INT64)
    return str(graph.node("ReduceSum", [larger, last], keepdims=0))


def _whole(graph: Graph, x: str) -> str:
    """In doubles, where half can be added to every float32 without an error."""
    number = graph.node("Where", [graph.node("IsNaN", [x]), graph.constant(0.0), x])
    double = cast(graph, number, DOUBLE)
    half = cast(graph, graph.constant(0.5), DOUBLE)
    low, high = (cast(graph, graph.constant(n), DOUBLE) for n in (-(2.0**32), 2.0**32))
    size = graph.node("Floor", [graph.node("Add", [graph.node("Abs", [double]), half])])
    signed = graph.node("Mul", [graph.node("Sign", [double]), size])
    held = graph.node("Min", [graph.node("Max", [signed, low]), high])
    return _held(graph, cast(graph, held, INT64))


def _real(graph: Graph, x: str) -> str:
    return cast(graph, x, FLOAT)


_WHOLE: dict[str, Callable[..., str]] = {
    "high_product": _high_product, "shift_right": _shift_right, "shift_left": _shift_left,
    "rounded_quotient": _nearest_quotient, "leading_zeros": _leading_zeros, "whole": _whole,
    "real": _real,
}  # fmt: skip

_COMPOSED: dict[str, Callable[..., Any]] = {"fmod": _fmod, "mod": _mod}

# an "if" is a Where, whose test the printer leaves as true and false
SPELLED = frozenset({*_SAME, *COMPARE, *_LOGIC, *_COMPOSED, "if"})
WHOLE_SPELLED = frozenset(_WHOLE)
