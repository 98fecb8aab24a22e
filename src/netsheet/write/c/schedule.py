"""Which step computes which equation."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from netsheet.expr import Equation, Tensor
from netsheet.write.c.places import Layout
from netsheet.write.c.steps import Loops, Recurrence, Step, groups
from netsheet.write.c.text import Constants, Unit


def scheduled(
    equations: Sequence[Equation],
    layout: Layout,
    held: AbstractSet[Tensor],
    constants: Constants,
    unit: Unit,
    fast: bool,
) -> list[Step]:
    """Steps in the order of the equations."""
    result: list[Step] = []
    for time, members in groups(equations):
        fixed = () if time is None else (time,)
        steps: list[Step] = [Loops(eq, fixed) for eq in members]
        result += steps if time is None else [Recurrence(time, steps)]
    return result
