"""Padding as conditions of sums: no tensor of zeros, no tap that is always outside."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from netsheet.equations import (
    Const,
    Equation,
    Expr,
    Index,
    Position,
    Read,
    Reduce,
    Select,
    Weight,
    affine,
    factors,
    reads,
)
from netsheet.equations.matching import matched
from netsheet.equations.positions import substituted
from netsheet.equations.transform import Transform, transform


def narrowed(eq: Equation) -> Equation:
    """The equation without taps that lie outside wherever the window is."""

    value = transform(eq.value, lambda node: _less(node) if isinstance(node, Reduce) else None)
    return eq if value is eq.value else replace(eq, value=value)


def _less(node: Reduce) -> Reduce:
    mapping: dict[Index, Position] = {}
    for index in node.over:
        low, high = 0, index.size
        for guard in node.where:
            step = guard.value.coefficient(index)
            rest = guard.value - index * step
            if step < 1 or index in rest.indices():
                continue
            first, last = rest.bounds()
            low = max(low, -((last - guard.low) // step))
            high = min(high, (guard.high - 1 - first) // step + 1)
        if low < high and high - low < index.size:
            mapping[index] = Index(index.name, high - low) + low
    if not mapping:
        return node
    fresh = {i: affine(mapping[i]).indices()[0] for i in mapping}
    over = tuple(fresh.get(index, index) for index in node.over)
    rewriter = Transform(position=lambda at: substituted(at, mapping))
    return Reduce(node.op, over, rewriter(node.body), rewriter.guards(node.where))


def unpadded(user: Equation, padding: Equation) -> Equation | None:
    """``user`` with guards in its sums in place of zeros around what it reads, or None."""
    select = padding.value
    if not isinstance(select, Select) or not zero(select.otherwise):
        return None
    inside, where = select.then, select.where
    if not isinstance(inside, Read):
        return None

    def unpad(node: Expr) -> Expr | None:
        if not isinstance(node, Reduce) or node.op != "sum" or node.where:
            return None
        parts = factors(node.body)
        found = [p for p in parts if isinstance(p, Read) and p.tensor is padding.target]
        rest = [p for p in parts if p not in found]
        mapping = matched(padding, found[0].at) if len(found) == 1 else None
        if mapping is None or not rest or not all(finite(part) for part in rest):
            return None
        moved = Transform(position=lambda at: substituted(at, mapping))
        body = moved(inside)
        for part in rest:
            body = body * part
        return Reduce("sum", node.over, body, moved.guards(where))

    value = transform(user.value, unpad)
    if any(read.tensor is padding.target for read in reads(value)):
        return None
    return replace(user, value=value)


def zero(expr: Expr) -> bool:
    """True for the number 0."""
    return isinstance(expr, Const) and expr.value == 0


def finite(expr: Expr) -> bool:
    """True for finite weights: zero times one of them is nothing to add."""
    return isinstance(expr, Read) and isinstance(expr.tensor, Weight) and _all_finite(expr.tensor)


@functools.lru_cache(maxsize=1 << 10)
def _all_finite(weight: Weight) -> bool:
    return bool(np.isfinite(weight.values).all())
