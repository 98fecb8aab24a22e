"""Kernels turned round, so that a window and its kernel run the same way.

The adjoint of what a convolution reads is a convolution of the adjoint with the kernel, in which
one of them runs backwards. A SUMPRODUCT takes two rectangles that run alike: so the kernel stands
on the sheet once more, turned by half a turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Index,
    Position,
    Read,
    Reduce,
    Tensor,
    affine,
    equation,
    factors,
    indices_of,
    on_reads,
    substituted,
    transform,
)
from netsheet.equations.values import Guard
from netsheet.write.excel.placement import Placement
from netsheet.write.excel.weight_windows import fitted


@dataclass(eq=False)
class TurnedKernels:
    """Equations over turned kernels, the equations that fill those first, and their cells."""

    equations: list[Equation]
    placements: dict[Tensor, Placement] = field(default_factory=dict)


def with_turned(
    equations: Sequence[Equation], places: Mapping[Tensor, Placement], sheet: str
) -> TurnedKernels:
    """The equations with every kernel turned that meets a window which runs against it."""
    turning = _Turning({eq.target for eq in equations})
    changed = [replace(eq, value=transform(eq.value, turning.sum)) for eq in equations]
    result = TurnedKernels([*turning.filling, *changed])
    for tensor in turning.turned.values():
        place = fitted(tensor, changed, places)
        result.placements[tensor] = replace(place, sheet=sheet)
    return result


class _Turning:
    """Turned kernels by what they are made of and the axes along which they are turned.

    What is made only ``here`` is not turned: the turned kernels are filled first.
    """

    def __init__(self, here: Set[Tensor]) -> None:
        self.here = here
        self.turned: dict[tuple[Tensor, tuple[int, ...]], Tensor] = {}
        self.filling: list[Equation] = []

    def sum(self, node: Expr) -> Expr | None:
        """A sum of products over a turned kernel; None where nothing runs backwards."""
        if not isinstance(node, Reduce) or node.op != "sum":
            return None
        pair = [factor for factor in factors(node.body) if isinstance(factor, Read)]
        if len(pair) != 2:
            return None
        for kernel, other in (pair, pair[::-1]):
            axes = _against(kernel, other, node.over)
            if axes and kernel.tensor not in self.here:
                return self._over_turned(node, kernel, axes)
        return None

    def _over_turned(self, node: Reduce, kernel: Read, axes: Mapping[int, Index]) -> Expr:
        fresh = {index: Index(index.name, index.size) for index in axes.values()}
        mirrored: dict[Index, Position] = {
            old: affine(old.size - 1) - new for old, new in fresh.items()
        }
        tensor = self._tensor(kernel.tensor, tuple(axes))

        def moved(read: Read) -> Expr:
            at = [substituted(place, mirrored) for place in read.at]
            if read is not kernel:
                return Read(read.tensor, tuple(at))
            for axis, index in axes.items():
                at[axis] = affine(fresh[index])
            return Read(tensor, tuple(at))

        where = tuple(Guard(substituted(g.value, mirrored), g.low, g.high) for g in node.where)
        over = tuple(fresh.get(index, index) for index in node.over)
        return replace(node, over=over, where=where, body=transform(node.body, on_reads(moved)))

    def _tensor(self, kernel: Tensor, axes: tuple[int, ...]) -> Tensor:
        if (kernel, axes) not in self.turned:
            tensor = self.turned[kernel, axes] = kernel.like("turned")
            at = indices_of(tensor)
            back: list[Affine] = [affine(index) for index in at]
            for axis in axes:
                back[axis] = affine(kernel.shape[axis] - 1) - at[axis]
            self.filling.append(equation(tensor[at], Read(kernel, tuple(back))))
        return self.turned[kernel, axes]


def _against(kernel: Read, other: Read, over: Sequence[Index]) -> dict[int, Index]:
    """The axes of a kernel that are read forwards while the other is read backwards."""
    found: dict[int, Index] = {}
    for axis, at in enumerate(kernel.at):
        index = at.single()
        if index is None or index not in over or index.size != kernel.tensor.shape[axis]:
            continue
        if index.size > 1 and any(place.coefficient(index) < 0 for place in other.at):
            found[axis] = index
    return found
