"""Loops that bring bytes into numbers of 16 bits, which the DSP extension does four at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from netsheet.loops import ir

FEWEST = 12  # bytes for which a function is worth calling

Place: TypeAlias = "tuple[ir.Buffer | ir.Pointer, ir.Integer]"


@dataclass(frozen=True)
class Widening:
    """``count`` numbers from ``source`` on, each with ``zero`` added, into ``target``."""

    target: Place
    source: Place
    zero: int
    count: int


def widening(node: ir.For) -> Widening | None:
    """The loop as that, or None if it is another one."""
    if node.low != 0 or not isinstance(node.high, int) or node.high < FEWEST:
        return None
    if len(node.body) != 1 or not isinstance(node.body[0], ir.Store):
        return None
    store = node.body[0]
    value: ir.Scalar = store.value
    zero = 0
    if isinstance(value, ir.Apply) and value.function == "add":
        value, number = value.arguments
        if not isinstance(number, ir.Literal) or number.dtype != ir.WHOLE:
            return None
        zero = int(number.value)
    if not isinstance(value, ir.Load):
        return None
    kinds = _dtype(store.target), _dtype(value.source)
    first = [_first(at, node.index) for at in (store.offset, value.offset)]
    if kinds != ("int16", "int8") or first[0] is None or first[1] is None:
        return None
    return Widening((store.target, first[0]), (value.source, first[1]), zero, node.high)


def _dtype(place: ir.Buffer | ir.Pointer) -> str:
    """Of the elements of a place; none of constants, which may lie in program memory."""
    while isinstance(place, ir.Pointer):
        place = place.buffer
    return "" if place.place == "constant" else place.dtype


def _first(at: ir.Integer, index: str) -> ir.Integer | None:
    """The position for 0, if the index counts single elements from there on."""
    rest = ir.plus(at, ir.times(ir.Variable(index), -1))
    inside = [rest] if not isinstance(rest, ir.Combination) else [term for _, term in rest.terms]
    if not all(isinstance(term, (int, ir.Variable)) for term in inside):
        return None
    return None if ir.Variable(index) in inside else rest
