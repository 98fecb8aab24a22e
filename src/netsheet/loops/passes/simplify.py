"""Equations made fewer: what one of them does is done by those that read it, where that is right.

Each sweep goes from the last equation to the first; sweeps follow until one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from netsheet.equations import (
    FLOAT,
    Equation,
    Read,
    Reduce,
    Select,
    Tensor,
    gathers,
    reads,
    walk,
)
from netsheet.loops.passes.guards import unpadded
from netsheet.loops.passes.inline import inlined
from netsheet.loops.passes.propagate_copies import reading_source
from netsheet.loops.passes.readers import EquationList


def simplify(equations: Sequence[Equation], kept: AbstractSet[Tensor]) -> list[Equation]:
    """The same computation in fewer, larger equations; kept tensors stay."""
    every = EquationList(equations)
    before = -1
    while before != len(every):
        before = len(every)
        for number in reversed(every.numbers()):
            _remove(every, number, kept)
    return every.equations()


def _remove(every: EquationList, number: int, kept: AbstractSet[Tensor]) -> None:
    """Remove one equation if its users can do its work."""
    eq = every[number]
    tensor = eq.target
    if tensor in kept or len(every.writers(tensor)) > 1:
        return
    users = every.readers(tensor)
    if not users or users[0] <= number:
        return
    moved: list[Equation] = []
    if eq.time is None and every.unchanged(number, users[-1]):
        if isinstance(eq.value, Read) and not _looked_up_often(eq, [every[n] for n in users]):
            moved = _moved(every, users, lambda user: reading_source(user, eq))
        elif isinstance(eq.value, Select):
            moved = _moved(every, users, lambda user: unpadded(user, eq))
    if not moved and len(users) == 1 and _together(every, number, users[0]):
        moved = _moved(every, users, lambda user: inlined(eq, user))
    if moved:
        for at, new in zip(users, moved, strict=True):
            every[at] = new
        every.remove(number)


def _looked_up_often(eq: Equation, users: Sequence[Equation]) -> bool:
    """True if whole numbers are found in a table, each of them often by the sums that read it."""
    if eq.target.dtype == FLOAT or not isinstance(eq.value, Read):
        return False
    if not any(any(gathers(at)) for at in eq.value.at):
        return False
    sums = (n for user in users for n in walk(user.value) if isinstance(n, Reduce))
    return any(read.tensor is eq.target for total in sums for read in reads(total.body))


def _together(every: EquationList, number: int, user: int) -> bool:
    """True if an equation may be computed where its user is: in the same recurrence, if any."""
    return every[user].time is every[number].time and every.unchanged(number, user)


def _moved(
    every: EquationList, users: Sequence[int], rewrite: Callable[[Equation], Equation | None]
) -> list[Equation]:
    """The users rewritten; nothing if one of them cannot be."""
    result = []
    for number in users:
        user = rewrite(every[number])
        if user is None:
            return []
        result.append(user)
    return result
