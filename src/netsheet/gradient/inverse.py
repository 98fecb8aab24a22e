"""From scattering to gathering: for an element of a tensor, the points at which it is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from netsheet.equations import (
    Affine,
    Expr,
    Guard,
    Index,
    Position,
    Read,
    Transform,
    affine,
    reduce,
    select,
    substituted,
)
from netsheet.equations.grids import is_static, mesh, position_at
from netsheet.equations.matching import mixed_radix
from netsheet.equations.positions import recombined

LARGEST_CHECK = 1 << 16  # elements for which a way back is tried out number by number


@dataclass
class Inverse:
    """Indices of the reading equation in terms of the element that is read, and what is left.

    ``solved`` gives the value of an index; the points that read the element are all values of the
    other indices for which every guard holds.
    """

    solved: dict[Index, Position] = field(default_factory=dict)
    guards: list[Guard] = field(default_factory=list)

    def solve(self, index: Index, value: Affine) -> None:
        """From now on ``index`` is ``value``, wherever that is one of its values."""
        mapping = {index: value}
        self.solved = {
            old: substituted(affine(place), mapping) for old, place in self.solved.items()
        }
        self.guards = [Guard(substituted(g.value, mapping), g.low, g.high) for g in self.guards]
        self.solved[index] = value
        self.guards.append(Guard(value, 0, index.size))

    def hold(self, place: Affine, value: Position) -> None:
        """From now on only points count at which ``place`` is ``value``."""
        self.guards.append(Guard(place - value, 0, 1))


def gathered(
    read: Read,
    part: Expr,
    indices: Sequence[Index],
    over: Sequence[Index],
    where: Sequence[Guard],
    at: Sequence[Position],
) -> Expr:
    """The sum of ``part`` over all points of ``indices`` and ``over`` that read the element ``at``.

    ``part`` is what one point contributes, ``where`` the guards under which it does. Of a pixel and
    a tap (which is summed ``over``) the pixel follows from the other: so the gradient of a
    convolution is one, too.
    """
    inverse = _inverse(read, indices, over, at)
    indices = (*indices, *over)
    left = [index for index in indices if index not in inverse.solved]
    moved = Transform(position=lambda at: recombined(substituted(at, inverse.solved)))
    simple = [Guard(recombined(g.value), g.low, g.high) for g in inverse.guards]
    guards = [guard for guard in (*simple, *moved.guards(tuple(where))) if not guard.always()]
    body = moved(part)
    return reduce("sum", left, body, guards) if left else select(guards, body, 0)


def _inverse(
    read: Read, indices: Sequence[Index], over: Sequence[Index], at: Sequence[Position]
) -> Inverse:
    inverse, free = Inverse(), {*indices, *over}
    if _unflattened(read, free, at, inverse):
        return inverse
    for place, value in zip(read.at, at, strict=True):
        place = substituted(place, inverse.solved)
        if _mixed(place, free, inverse, affine(value)):
            continue
        index, factor = _alone(place, free - set(inverse.solved), set(over))
        if index is None:
            inverse.hold(place, value)
            continue
        rest = (affine(value) - (place - index * factor)) * (1 if factor > 0 else -1)
        step = abs(factor)
        if step > 1:
            inverse.guards.append(Guard(rest % step, 0, 1))
        inverse.solve(index, rest // step)
    return inverse


def _alone(place: Affine, free: set[Index], last: set[Index]) -> tuple[Index | None, int]:
    """An index that stands in a position by itself: none of ``last`` if possible, the largest."""
    inside = {
        index
        for _, atom in place.terms
        if not isinstance(atom, Index)
        for index in affine(atom).indices()
    }
    found = [
        (atom, factor)
        for factor, atom in place.terms
        if isinstance(atom, Index) and atom in free and atom not in inside
    ]
    return max(found, key=lambda pair: (pair[0] not in last, pair[0].size), default=(None, 0))


def _mixed(place: Affine, free: set[Index], inverse: Inverse, value: Affine) -> bool:
    """``6 a + b`` with b below 6 is undone digit by digit."""
    indices = place.indices()
    if len(indices) < 2 or not set(indices) <= free - set(inverse.solved):
        return False
    if not mixed_radix(place, math.prod(index.size for index in indices)):
        return False
    for factor, atom in place.terms:
        assert isinstance(atom, Index)
        inverse.solve(atom, value // factor % atom.size)
    inverse.guards.append(Guard(value, 0, math.prod(index.size for index in indices)))
    return True


def _unflattened(read: Read, free: set[Index], at: Sequence[Position], inverse: Inverse) -> bool:
    """One index whose digits are all positions of the read: the element's number in its tensor."""
    indices = {index for place in read.at for index in place.indices()}
    shape = read.tensor.shape
    if len(indices) != 1 or len(shape) < 2 or not indices <= free:
        return False
    (index,) = indices
    if index.size != math.prod(shape) or index.size > LARGEST_CHECK:
        return False
    if not all(map(is_static, read.at)):
        return False
    counted = mesh([index])
    number = np.ravel_multi_index(
        [np.broadcast_to(position_at(place, counted), index.size) for place in read.at],
        shape, mode="clip",
    )  # fmt: skip
    if not (number == np.arange(index.size)).all():
        return False
    total = affine(0)
    for value, size in zip(at, shape, strict=True):
        total = total * size + value
    inverse.solve(index, total)
    return True
