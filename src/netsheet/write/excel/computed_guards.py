"""Guards over computed positions as conditions in the cells.

Which rows of an embedding get an adjoint depends on the words that came in: in a formula that is an
IF, where other guards are settled when the formula is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Gather,
    Guard,
    Number,
    Reduce,
    Select,
    call,
    reduce,
    select,
    transform,
)
from netsheet.equations.grids import is_static


def with_conditions(equations: Sequence[Equation]) -> list[Equation]:
    """The equations, guards that depend on values in front of what they guard."""
    return [replace(eq, value=transform(eq.value, _conditional)) for eq in equations]


def _conditional(node: Expr) -> Expr | None:
    if not isinstance(node, (Reduce, Select)) or all(is_static(g.value) for g in node.where):
        return None
    fixed = [guard for guard in node.where if is_static(guard.value)]
    test = [_condition(guard) for guard in node.where if not is_static(guard.value)]
    both = test[0]
    for other in test[1:]:
        both = call("and", both, other)
    if isinstance(node, Select):
        return select(fixed, call("if", both, node.then, node.otherwise), node.otherwise)
    if node.op != "sum":
        return None
    return reduce("sum", node.over, call("if", both, node.body, 0), fixed)


def _condition(guard: Guard) -> Expr:
    """``low <= value < high`` for a position that is computed."""
    fixed = Affine(tuple(t for t in guard.value.terms if not isinstance(t[1], Gather)), 0)
    value: Expr = Number(fixed + guard.value.const)
    for factor, atom in guard.value.terms:
        if isinstance(atom, Gather):
            value = value + factor * call("floor", atom.value)
    if guard.high - guard.low == 1:
        return call("equal", value, guard.low)
    return call("and", call("less_equal", guard.low, value), call("less", value, guard.high))
