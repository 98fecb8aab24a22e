"""Which values are numbers, as long as none becomes too large for its type.

What is known to be one may be multiplied by zero, where another way to leave it out is slower.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np

from netsheet.equations import Call, Const, Equation, Expr, Reduce, Tensor, Weight, reads, walk
from netsheet.equations.grids import guard_grid, is_static

# What gives infinity or no number for some numbers, however small.
UNSAFE = frozenset(
    {"div", "log", "sqrt", "pow", "mod", "fmod", "tan", "asin", "acos", "acosh", "atanh"}
)


def finite_tensors(equations: Sequence[Equation]) -> Set[Tensor]:
    """The tensors that are computed of numbers by what gives numbers."""
    sources = {eq: {read.tensor for read in reads(eq.value)} for eq in equations}
    read = {tensor for found in sources.values() for tensor in found}
    unsure = {tensor for tensor in read if not _stored_numbers(tensor)}
    unsure |= {eq.target for eq in equations if not all(map(_gives_numbers, walk(eq.value)))}
    before = -1
    while before != len(unsure):  # a recurrence may need a second round
        before = len(unsure)
        unsure |= {eq.target for eq in equations if sources[eq] & unsure}
    return {eq.target for eq in equations} - unsure


def _stored_numbers(tensor: Tensor) -> bool:
    return not isinstance(tensor, Weight) or bool(np.isfinite(tensor.values).all())


def _gives_numbers(node: Expr) -> bool:
    if isinstance(node, Const):
        return bool(np.isfinite(node.value))
    if isinstance(node, Call):
        constant = len(node.args) > 1 and isinstance(node.args[1], Const)
        divided = node.function == "div" and constant and node.args[1].value != 0  # type: ignore[attr-defined]
        return node.function not in UNSAFE or divided
    if isinstance(node, Reduce) and node.op in ("max", "min", "mean") and node.where:
        return _never_empty(node)
    return True


def _never_empty(node: Reduce) -> bool:
    """True if the guards leave a point to every window."""
    if not all(is_static(guard.value) for guard in node.where):
        return False
    holds = guard_grid(node.where, {})
    over = tuple(axis for axis, index in enumerate(holds.dims) if index in node.over)
    return bool(holds.array.any(over).all())
