"""From which computation to which a tensor is needed."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.equations import FLOAT, WHOLE, Tensor
from netsheet.loops.computations import Computation
from netsheet.loops.storage.addresses import Layout


@dataclass(eq=False)
class Lifetime:
    """``size`` words, needed from computation ``first`` to ``last``, both included.

    ``kind`` is the dtype if it has words of its own: memory that holds float32 never holds int32,
    so that a C compiler may tell the two apart by their types.
    """

    size: int
    first: int
    last: int
    tensors: list[Tensor]
    offset: int = -1
    kind: str = FLOAT

    def meets(self, other: Lifetime) -> bool:
        """True if both cannot lie at the same place."""
        together = self.first <= other.last and other.first <= self.last
        return together or {self.kind, other.kind} == {FLOAT, WHOLE}


def words(tensor: Tensor, elements: int) -> int:
    """Words of four bytes that elements of a tensor take."""
    return -(-elements * np.dtype(tensor.dtype).itemsize // 4)


def lifetimes(
    computations: Sequence[Computation],
    outside: Container[Tensor],
    sizes: Mapping[Tensor, int],
    layout: Layout,
) -> dict[Tensor, Lifetime]:
    """The lifetime of every tensor that is not ``outside``, where callers keep theirs.

    ``sizes`` are the elements of tensors that need fewer than they have. What is computed over
    another tensor, which dies then, shares its lifetime.
    """
    found: dict[Tensor, Lifetime] = {}
    for number, computation in enumerate(computations):
        for tensor in computation.writes:
            if tensor not in outside:
                size = words(tensor, sizes.get(tensor, tensor.size))
                life = Lifetime(size, number, number, [tensor], kind=tensor.dtype)
                found.setdefault(tensor, life).last = number
        for tensor in computation.scratch:
            size = words(tensor, tensor.size)
            found[tensor] = Lifetime(size, number, number, [tensor], kind=tensor.dtype)
        for tensor in computation.reads:
            if tensor in found:
                found[tensor].last = number
    for number, computation in enumerate(computations):
        if len(computation.writes) != 1 or computation.writes[0] in outside:
            continue
        new = computation.writes[0]
        for old in computation.reused(layout):
            if old in found and found[new].first == number:
                _join(found, old, new)
    return found


def _join(found: dict[Tensor, Lifetime], old: Tensor, new: Tensor) -> None:
    """Let ``new`` be written over ``old`` if that is of its size and not needed any more."""
    one, two = found[old], found[new]
    if one is two or one.size != two.size or one.kind != two.kind or one.last != two.first:
        return
    one.last = two.last
    one.tensors += two.tensors
    for tensor in two.tensors:
        found[tensor] = one
