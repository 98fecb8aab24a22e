"""Which axes of a tensor are contiguous: those along which sums of products run.

A sum's outputs differ along the axes that only the weights know, and it runs through the axes of
its input that the weights know too; several of either at a time lie side by side in memory. The
names of axes decide only where there is no sum near.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from netsheet.equations import (
    Affine,
    Equation,
    Index,
    Read,
    Reduce,
    Select,
    Tensor,
    Weight,
    factors,
    free_indices,
    reads,
    walk,
)
from netsheet.loops.storage.addresses import channels_last, natural

Axes = frozenset[int]


def layouts(
    equations: Sequence[Equation],
) -> tuple[dict[Tensor, tuple[int, ...]], set[Tensor]]:
    """Strides of every tensor that is read or written, and the tensors that sums decide on."""
    votes: dict[Tensor, dict[int, int]] = {}
    for eq in equations:
        for tensor, axis, weight in _votes(eq):
            own = votes.setdefault(tensor, {})
            own[axis] = own.get(axis, 0) + weight
    chosen: dict[Tensor, Axes] = {}
    for tensor, own in votes.items():
        axes = frozenset(axis for axis, weight in own.items() if weight == max(own.values()))
        if len(axes) < sum(size > 1 for size in tensor.shape):
            chosen[tensor] = axes
    decided = set(chosen)
    for order in (equations, equations[::-1], equations):
        for eq in order:
            _inherit(eq, chosen)
    result = {}
    for eq in equations:
        for tensor in (eq.target, *(read.tensor for read in reads(eq.value))):
            if tensor in chosen:
                result[tensor] = _contiguous(tensor, chosen[tensor])
            elif not isinstance(tensor, Weight):
                result[tensor] = channels_last(tensor)
    return result, decided


def _votes(eq: Equation) -> Iterator[tuple[Tensor, int, int]]:
    """Tensors, axes and numbers of multiplications."""
    for total in {id(n): n for n in walk(eq.value) if isinstance(n, Reduce)}.values():
        if total.op != "sum":
            continue
        parts = factors(total.body)
        variable = [p for p in parts if not all(isinstance(r.tensor, Weight) for r in reads(p))]
        if len(variable) != 1 or len(parts) == 1:
            continue
        weighted = {i for part in parts if part is not variable[0] for i in free_indices(part)}
        macs = math.prod(i.size for i in (*eq.indices, *total.over))
        x = variable[0].then if isinstance(variable[0], Select) else variable[0]
        places = [(eq.target, eq.at)]
        if isinstance(x, Read):
            places.append((x.tensor, x.at))
        for tensor, at in places:
            for axis, place in enumerate(at):
                indices = _moving(place)
                if indices and indices <= weighted:
                    yield tensor, axis, macs


def _moving(place: Affine) -> frozenset[Index]:
    return frozenset(index for index in place.indices() if index.size > 1)


def _inherit(eq: Equation, chosen: dict[Tensor, Axes]) -> None:
    """A tensor is laid out as the one that is read or written at the same indices."""
    for read in reads(eq.value):
        if isinstance(read.tensor, Weight):
            continue
        for one, at, other, there in (
            (read.tensor, read.at, eq.target, eq.at),
            (eq.target, eq.at, read.tensor, read.at),
        ):
            if one not in chosen or other in chosen:
                continue
            wanted = [_moving(at[axis]) for axis in chosen[one]]
            axes = [axis for axis, place in enumerate(there) if _moving(place) in wanted]
            axes = [axis for axis in axes if _moving(there[axis])]
            if len(axes) == len(wanted) and len(set(wanted)) == len(wanted):
                chosen[other] = frozenset(axes)


def _contiguous(tensor: Tensor, last: Axes) -> tuple[int, ...]:
    """Strides with these axes innermost."""
    order = sorted(range(len(tensor.shape)), key=lambda axis: (axis in last, axis))
    strides = natural([tensor.shape[axis] for axis in order])
    return tuple(strides[order.index(axis)] for axis in range(len(tensor.shape)))
