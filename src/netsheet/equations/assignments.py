"""Left sides: which elements of a tensor an expression fills."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from netsheet.equations.positions import Affine, Index
from netsheet.equations.values import Expr, Read, Reduce, Tensor, Value, factors, value, walk


@dataclass(frozen=True, eq=False)
class Equation:
    """``target[at] = value`` for all values of ``indices`` (in loop order).

    ``time`` is one of the indices if the equation belongs to a recurrence.
    """

    target: Tensor
    at: tuple[Affine, ...]
    indices: tuple[Index, ...]
    value: Expr
    time: Index | None = None


def equation(read: Expr, value_: Value, time: Index | None = None) -> Equation:
    """The equation whose left side is written as a read: ``equation(y[i, j], x[j, i])``."""
    assert isinstance(read, Read)
    indices: dict[Index, None] = {}
    for position in read.at:
        indices.update(dict.fromkeys(position.indices()))
    return Equation(read.tensor, read.at, tuple(indices), value(value_), time)


def indices_of(tensor: Tensor, names: Sequence[str] | None = None) -> tuple[Index, ...]:
    """One fresh index per axis of ``tensor``, named after the axes."""
    return tuple(
        Index(name, size)
        for name, size in zip(names or index_names(tensor.axes), tensor.shape, strict=True)
    )


_SHORT = {
    "height": "y", "width": "x", "channel": "c", "depth": "z", "time": "t", "in": "i", "out": "o",
    "multiplier": "m", "gate": "g", "head": "h", "query": "q", "key": "k", "unit": "d",
}  # fmt: skip


def index_names(axes: Sequence[str]) -> list[str]:
    """Short, distinct names for indices over ``axes``: y, x, c, ..."""
    names: list[str] = []
    for axis in axes:
        name = _SHORT.get(axis, axis[:1] or "n")
        while name in names:
            name += "'"
        names.append(name)
    return names


def multiply_accumulates(equations: Iterable[Equation]) -> int:
    """Multiplications that are summed up, padding included: the MACs of one inference."""
    total = 0
    for eq in equations:
        points = math.prod(index.size for index in eq.indices)
        for node in walk(eq.value):
            if isinstance(node, Reduce) and node.op == "sum" and len(factors(node.body)) > 1:
                total += points * math.prod(index.size for index in node.over)
    return total
