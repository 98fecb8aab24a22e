"""Reductions that do not fit into one cell get visible cells for their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netsheet.equations import (
    Equation,
    Expr,
    Tensor,
    affine,
    equation,
    free_indices,
    reduce,
    replaced,
    select,
)
from netsheet.write.excel.arrangements import helper
from netsheet.write.excel.formula_writer import formula_families
from netsheet.write.excel.placement import Placement
from netsheet.write.excel.reduction_writer import TooLong

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
            formula_families(current, {**places, **added}, brief=True)
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
    return tensor, len(over), [fresh, replace(eq, value=replaced(eq.value, node, outer))]
