"""Storage folding: a tensor of a recurrence keeps its newest step where nobody needs older ones."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from netsheet.equations import (
    Affine,
    Equation,
    Index,
    Reduce,
    Tensor,
    gathers,
    reads,
    substituted,
    walk,
)
from netsheet.loops.computations import groups
from netsheet.loops.passes.readers import EquationList


def folded_axes(equations: Sequence[Equation], held: AbstractSet[Tensor]) -> dict[Tensor, int]:
    """The axis of time of each tensor that may keep one step in memory in place of all."""
    every = EquationList(equations)
    found: dict[Tensor, int] = {}
    start = 0
    for time, members in groups(equations):
        numbers = range(start, start + len(members))
        start = numbers.stop
        if time is None:
            continue
        for tensor in {eq.target: None for eq in members if eq.target not in held}:
            axis = _axis(tensor, time, members)
            if axis is not None and _only_newest_read(tensor, axis, time, every, numbers):
                found[tensor] = axis
    return found


def _axis(tensor: Tensor, time: Index, members: Sequence[Equation]) -> int | None:
    """The only axis along which the recurrence fills the tensor, everywhere at the same time."""
    places = {eq.at for eq in members if eq.target is tensor}
    axes = {n for at in places for n, place in enumerate(at) if time in place.indices()}
    if len(axes) != 1:
        return None
    (axis,) = axes
    own = {at[axis] for at in places}
    place = next(iter(own))
    if len(own) != 1 or len(place.terms) != 1 or place.terms[0][1] is not time:
        return None
    return axis


def _only_newest_read(
    tensor: Tensor, axis: int, time: Index, every: EquationList, members: range
) -> bool:
    """True if nobody reads a value after the next one has been written over it.

    ``members`` are the numbers of the recurrence's equations.
    """
    writers = sorted(every.writers(tensor))
    if any(number not in members for number in writers):
        return False
    now = every[writers[0]].at[axis]
    before = now - now.coefficient(time)
    last = substituted(now, {time: time.size - 1})
    for number in every.readers(tensor):
        eq = every[number]
        found = [read for read in reads(eq.value) if read.tensor is tensor]
        if not found or any(tensor in _gathered(place) for place in eq.at):
            return False
        if number not in members:
            if number < members.stop or any(read.at[axis] != last for read in found):
                return False
            continue
        for read in found:
            if read.at[axis] == now and number >= writers[0]:
                continue
            early = number < writers[0] or (
                [number] == writers and read.at == _previous(eq, axis, before) and not _sums(eq)
            )
            if read.at[axis] != before or not early:
                return False
    return True


def _previous(eq: Equation, axis: int, before: Affine) -> tuple[Affine, ...]:
    return tuple(before if n == axis else place for n, place in enumerate(eq.at))


def _sums(eq: Equation) -> bool:
    return any(isinstance(node, Reduce) for node in walk(eq.value))


def _gathered(place: Affine) -> set[Tensor]:
    """The tensors that computed positions read."""
    return {read.tensor for gather in gathers(place) for read in reads(gather.value)}
