"""Values that move and are not computed with: reads, windows' maxima, padding."""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import Call, Const, Expr, Read, Reduce, Select, equation, transform
from netsheet.quantise.multipliers import bound, kept
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    is_quantised,
    quantisation_of,
)

ORDERED = ("max", "min")  # what keeps its meaning under a rising function


def movement(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """The equation as it is, where all values have the scale of the result."""
    step = steps[0]
    if not is_quantised(step.target) or not _moves(step.equation.value, step):
        return None
    moved = transform(step.equation.value, lambda node: _number(node, step))
    if step.limited:
        moved = kept(moved, *step.range)
    return 1, [equation(step.read, moved)]


def _moves(expr: Expr, step: MeantEquation) -> bool:
    if isinstance(expr, Read):
        own = expr.tensor.quantisation
        return expr.tensor.dtype == step.target.dtype and quantisation_of(step.target).same(own)
    if isinstance(expr, Const):
        return True
    if isinstance(expr, Select):
        return _moves(expr.then, step) and _moves(expr.otherwise, step)
    if isinstance(expr, Reduce):
        return expr.op in ORDERED and _moves(expr.body, step)
    if isinstance(expr, Call) and expr.function in ORDERED:
        return all(_moves(arg, step) for arg in expr.args)
    return False


def _number(node: Expr, step: MeantEquation) -> Expr | None:
    """A real number as the whole one that stands for it."""
    return Const(float(bound(node.value, step.target))) if isinstance(node, Const) else None
