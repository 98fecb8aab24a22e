"""Sums as they are recognised: what is zero elsewhere is a guard of its sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netsheet.equations import (
    Call,
    Equation,
    Expr,
    Read,
    Reduce,
    Select,
    factors,
    reads,
    replaced,
    transform,
    walk,
)
from netsheet.loops.passes.guards import finite, zero
from netsheet.loops.products.epilogue import containing


def guarded_sums(eq: Equation) -> Equation:
    """Sums that count somewhere only, and factors that are zero elsewhere, as guards of sums."""

    def guarded(node: Expr) -> Expr | None:
        if isinstance(node, Select) and zero(node.otherwise):
            inner = node.then
            if isinstance(inner, Reduce) and inner.op == "sum":
                where = (*inner.where, *node.where)
                return guarded_sum(Reduce("sum", inner.over, inner.body, where))
        return guarded_sum(node) if isinstance(node, Reduce) else None

    def guarded_sum(node: Reduce) -> Reduce:
        parts = factors(node.body)
        chosen = [p for p in parts if isinstance(p, Select) and zero(p.otherwise)]
        rest = [p for p in parts if p not in chosen]
        if node.op == "sum" and len(chosen) == 1 and rest and all(finite(p) for p in rest):
            body = product([chosen[0].then, *rest])
            return guarded_sum(Reduce("sum", node.over, body, (*node.where, *chosen[0].where)))
        return node

    return replace(eq, value=transform(eq.value, guarded))


def two_sums(eq: Equation) -> list[Equation]:
    """``y = f(a + b)`` with a sum in each as ``y = a`` and ``y = f(y + b)``, if it is that."""
    eq = guarded_sums(eq)
    totals = {id(node): node for node in walk(eq.value) if isinstance(node, Reduce)}
    if len(totals) != 2:
        return []
    behind = [containing(eq.value, total) for total in totals.values()]
    own = Read(eq.target, eq.at)
    if any(read.tensor is eq.target and read.at == eq.at for read in reads(eq.value)):
        return []
    for node in walk(eq.value):
        if not isinstance(node, Call) or node.function != "add":
            continue
        left, right = node.args
        if id(left) in behind[1]:
            left, right = right, left
        inside = [[id(side) in part for part in behind] for side in (left, right)]
        if inside != [[True, False], [False, True]]:
            continue
        rest = replaced(eq.value, node, own + right)
        if sum(isinstance(part, Reduce) for part in walk(rest)) == 1:
            return [replace(eq, value=left), replace(eq, value=rest)]
    return []


def product(parts: Sequence[Expr]) -> Expr:
    """The parts multiplied, from the first on."""
    result = parts[0]
    for part in parts[1:]:
        result = result * part
    return result
