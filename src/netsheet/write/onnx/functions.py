"""One ONNX spelling for each function of :data:`netsheet.equations.FUNCTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netsheet.layer import Graph

FLOAT, INT64, BOOL = 1, 7, 9  # onnx.TensorProto.FLOAT, INT64, BOOL

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

_COMPARE = {
    "less": "Less", "less_equal": "LessOrEqual", "equal": "Equal",
    "isnan": "IsNaN", "isinf": "IsInf",
}  # fmt: skip

_LOGIC = {"and": "And", "or": "Or", "xor": "Xor", "not": "Not"}


def spell(graph: Graph, function: str, args: Sequence[str]) -> str:
    """Nodes for ``function`` of values that broadcast; truth is 1.0 and 0.0."""
    if function in _SAME:
        return str(graph.node(_SAME[function], args))
    if function in _COMPARE:
        return cast(graph, graph.node(_COMPARE[function], args), FLOAT)
    if function in _LOGIC:
        truths = [cast(graph, arg, BOOL) for arg in args]
        return cast(graph, graph.node(_LOGIC[function], truths), FLOAT)
    return str(_COMPOSED[function](graph, *args))


def cast(graph: Graph, name: str, to: int) -> str:
    """The value as another element type."""
    return str(graph.node("Cast", [name], to=to))


def _if(graph: Graph, test: str, then: str, otherwise: str) -> str:
    return str(graph.node("Where", [cast(graph, test, BOOL), then, otherwise]))


def _fmod(graph: Graph, x: str, divisor: str) -> str:
    return str(graph.node("Mod", [x, divisor], fmod=1))


def _mod(graph: Graph, x: str, divisor: str) -> str:
    """The remainder with the divisor's sign; ONNX has it for integers only."""
    rest = _fmod(graph, x, divisor)
    zero = graph.constant(0.0)
    opposite = graph.node("Less", [graph.node("Mul", [rest, divisor]), zero])
    return str(graph.node("Where", [opposite, graph.node("Add", [rest, divisor]), rest]))


_COMPOSED: dict[str, Callable[..., Any]] = {"if": _if, "fmod": _fmod, "mod": _mod}

SPELLED = frozenset({*_SAME, *_COMPARE, *_LOGIC, *_COMPOSED})
