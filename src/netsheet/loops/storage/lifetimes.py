"""From which computation to which a tensor is needed."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from netsheet.equations import Tensor
from netsheet.loops.computations import Computation
from netsheet.loops.storage.addresses import Layout


@dataclass(eq=False)
class Lifetime:
    """``size`` elements, needed from computation ``first`` to ``last``, both included."""

    size: int
    first: int
    last: int
    tensors: list[Tensor]
    offset: int = -1


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
                size = sizes.get(tensor, tensor.size)
                found.setdefault(tensor, Lifetime(size, number, number, [tensor])).last = number
        for tensor in computation.scratch:
            found[tensor] = Lifetime(tensor.size, number, number, [tensor])
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
    if one is two or one.size != two.size or one.last != two.first:
        return
    one.last = two.last
    one.tensors += two.tensors
    for tensor in two.tensors:
        found[tensor] = one
