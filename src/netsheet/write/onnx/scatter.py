"""Sums over the points that a computed position sends to a row: the gradient of a look-up.

``sum(t where ids[t] = v) dy[t, c]`` for every ``v``, as ScatterElements that adds. Compared row
by row it would take as many values as there are points times rows: gigabytes for a vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netsheet.equations import Affine, Expr, Index, Reduce, reduce, select
from netsheet.equations.grids import is_static

if TYPE_CHECKING:
    from netsheet.write.onnx.builder import Builder


class ScatteredSum(NamedTuple):
    """``body`` of each point of ``over``, added up in the row (an index) that is at ``place``."""

    row: Index
    place: Affine
    over: tuple[Index, ...]
    body: Expr


def scattered_sum(expr: Reduce, fixed: Set[Index]) -> ScatteredSum | None:
    """The sum as one that scatters; None where it is none. ``fixed`` indices have one value."""
    computed = [guard for guard in expr.where if not is_static(guard.value)]
    if expr.op != "sum" or len(computed) != 1 or computed[0].high - computed[0].low != 1:
        return None
    (guard,) = computed
    static = tuple(other for other in expr.where if other is not guard)
    inside = {*expr.body.indices(), *(i for other in static for i in other.value.indices())}
    for factor, atom in guard.value.terms:
        if not isinstance(atom, Index) or abs(factor) != 1 or atom in {*expr.over, *fixed, *inside}:
            continue
        rest = guard.value - atom * factor
        reached = rest.indices()
        over = tuple(index for index in expr.over if index in reached)
        if atom in reached or not over:
            continue
        body = select(static, expr.body, 0) if static else expr.body
        inner = [index for index in expr.over if index not in over]
        place = (rest - guard.low) * -factor
        return ScatteredSum(atom, place, over, reduce("sum", inner, body) if inner else body)
    return None


def scattered(graph: Builder, row: Index, rows: str, values: str, others: Sequence[Index]) -> str:
    """The sums (batch, row, others) of ``values`` (batch, points, others) by their ``rows``.

    What has no row is added to one behind the last, which is cut off.
    """
    width = math.prod(index.size for index in others)
    low, size = (graph.constant(np.int64(number)) for number in (0, row.size))
    sound = graph.node(
        "And", [graph.node("LessOrEqual", [low, rows]), graph.node("Less", [rows, size])]
    )
    rows = graph.node("Where", [sound, rows, size])
    zero = graph.batched(graph.constant(np.zeros((1, 1, 1), np.float32)), 2)
    shape = graph.constant(np.array([1, row.size + 1, width], np.int64))
    empty = graph.node("Expand", [zero, shape])
    total = graph.node("ScatterElements", [empty, rows, values], axis=1, reduction="add")
    ends = ([0], [row.size], [1])
    return str(graph.node("Slice", [total, *(graph.constant(np.array(n, np.int64)) for n in ends)]))
