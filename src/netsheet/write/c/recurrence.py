"""Tensors of a recurrence of which only the newest step is needed at any time."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from netsheet.equations import Affine, Equation, Expr, Index, Read, Reduce, Tensor, reads, walk
from netsheet.equations.positions import substituted
from netsheet.write.c.simplify import read_by
from netsheet.write.c.steps import groups


def newest_only(equations: Sequence[Equation], held: AbstractSet[Tensor]) -> dict[Tensor, int]:
    """The axis of time of each tensor that may keep one step in memory in place of all."""
    found: dict[Tensor, int] = {}
    for time, members in groups(equations):
        if time is None:
            continue
        for tensor in {eq.target for eq in members} - held:
            axis = _axis(tensor, time, members)
            if axis is not None and _newest(tensor, axis, time, members, equations):
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


def _newest(
    tensor: Tensor,
    axis: int,
    time: Index,
    members: Sequence[Equation],
    equations: Sequence[Equation],
) -> bool:
    """True if nobody reads a value after the next one has been written over it."""
    writers = [n for n, eq in enumerate(members) if eq.target is tensor]
    now = members[writers[0]].at[axis]
    before = now - now.coefficient(time)
    last = substituted(now, {time: time.size - 1})
    inside = {id(eq) for eq in members}
    behind = False
    for eq in equations:
        behind = behind or eq is members[-1]
        if tensor not in read_by(eq):
            if eq.target is tensor and id(eq) not in inside:
                return False
            continue
        found = [read for read in reads(eq.value) if read.tensor is tensor]
        if not found or any(tensor in _read(place) for place in eq.at):
            return False
        if id(eq) not in inside:
            if eq.target is tensor or not behind or any(r.at[axis] != last for r in found):
                return False
            continue
        number = next(n for n, member in enumerate(members) if member is eq)
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


def _read(place: Affine) -> set[Tensor]:
    found: set[Tensor] = set()
    for _, atom in place.terms:
        value = getattr(atom, "value", None)
        if isinstance(value, Expr):
            found |= {node.tensor for node in walk(value) if isinstance(node, Read)}
    return found
