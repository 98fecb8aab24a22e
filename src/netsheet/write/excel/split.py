"""Reductions that do not fit into one cell get visible cells for their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netsheet.equations import (
    Call,
    Equation,
    Expr,
    Reduce,
    Select,
    Tensor,
    affine,
    equation,
    free_indices,
    reduce,
    select,
)
from netsheet.write.excel.arrange import helper
from netsheet.write.excel.formula import TooLong, families
from netsheet.write.excel.place import Placement

MAX_PARTS = 8  # equations that one may become


def split(
    eq: Equation, places: Mapping[Tensor, Placement]
) -> tuple[list[Equation], dict[Tensor, Placement]]:
    """Equations that together say the same and each fit into their cells.

    Returns them in order, with the arrangements (not yet on a sheet) of new helper tensors.
    """
    done: list[Equation] = []
    added: dict[Tensor, Placement] = {}
    pending = [eq]
    while pending:
        current = pending.pop(0)
        try:
            families(current, {**places, **added}, brief=True)
        except TooLong as signal:
            if len(done) + len(pending) > MAX_PARTS:
                raise
            tensor, over, pieces = _parted(current, signal, len(added))
            added[tensor] = helper(tensor, over).moved(places[eq.target].sheet, 0, 0)
            pending = [*pieces, *pending]
        else:
            done.append(current)
    return done, added


def _parted(eq: Equation, signal: TooLong, number: int) -> tuple[Tensor, int, list[Equation]]:
    """A helper tensor, how many of its axes are summed, its equation and the rest of ``eq``."""
    node = signal.node
    loop = [index for index in free_indices(node) if index not in node.over]
    wide = [index for index in node.over if index.size > 1]
    whole = signal.spelled or len(wide) < 2 or node.op not in ("sum", "prod")
    over = node.over if whole else (min(wide, key=lambda index: index.size),)
    indices = (*loop, *over)
    name = "terms" if whole else "parts"
    tensor = eq.target.step(
        f"{name}{number + 1}",
        tuple(index.name for index in indices),
        tuple(index.size for index in indices),
    )
    at = tuple(affine(index) for index in indices)
    if whole:
        part = select(node.where, node.body, 0)
        outer: Expr = reduce(node.op, over, tensor[at], () if node.op == "sum" else node.where)
    else:
        rest = tuple(index for index in node.over if index not in over)
        part = reduce(node.op, rest, node.body, node.where)
        outer = reduce(node.op, over, tensor[at])
    fresh = equation(tensor[at], part, eq.time)
    return tensor, len(over), [fresh, replace(eq, value=_replaced(eq.value, node, outer))]


def _replaced(expr: Expr, old: Expr, new: Expr) -> Expr:
    if expr is old:
        return new
    if isinstance(expr, Call):
        return Call(expr.function, tuple(_replaced(arg, old, new) for arg in expr.args))
    if isinstance(expr, Select):
        return replace(
            expr,
            then=_replaced(expr.then, old, new),
            otherwise=_replaced(expr.otherwise, old, new),
        )
    if isinstance(expr, Reduce):
        return replace(expr, body=_replaced(expr.body, old, new))
    return expr
