"""Reductions that do not fit into one cell get visible cells for their parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
from netsheet.write.excel.formula_writer import FormulaFamily, formula_families
from netsheet.write.excel.placement import Placement
from netsheet.write.excel.reduction_writer import TooLong

MAX_PARTS = 8  # equations that one may become
WHOLE = 4096  # elements up to which all formulas are written at once


@dataclass(eq=False)
class FittingEquations:
    """Equations that each fit into their cells, with the arrangements of new helper tensors.

    ``families`` has the formulas of an equation that was small enough to write them all.
    """

    equations: list[Equation] = field(default_factory=list)
    helpers: dict[Tensor, Placement] = field(default_factory=dict)
    families: list[FormulaFamily] | None = None


def split(eq: Equation, places: Mapping[Tensor, Placement]) -> FittingEquations:
    """Equations that together say the same and each fit into their cells, in order.

    Helper tensors are not on a sheet yet.
    """
    result = FittingEquations()
    pending = [eq]
    brief = math.prod(index.size for index in eq.indices) > WHOLE
    while pending:
        current = pending.pop(0)
        try:
            families = formula_families(current, {**places, **result.helpers}, brief)
        except TooLong as signal:
            if len(result.equations) + len(pending) > MAX_PARTS:
                raise
            tensor, over, pieces = _parted(current, signal, len(result.helpers))
            placement = helper(tensor, over).moved(places[eq.target].sheet, 0, 0)
            result.helpers[tensor] = placement
            pending = [*pieces, *pending]
        else:
            result.equations.append(current)
            if current is eq and not brief:
                result.families = families
    return result


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
