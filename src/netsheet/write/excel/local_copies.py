"""Copies of the maps that a layer sums up, on the layer's own sheet.

Excel shares one formula among many cells only where all its references stay inside the sheet. A
convolution over many planes has a long formula: with the planes beside it, the file holds that
formula once for each output map instead of once for each cell. Padding becomes visible zeros
around the copy, so that no window is cut off at the border and all cells of a map are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netsheet.equations import (
    Equation,
    Expr,
    Guard,
    Index,
    Read,
    Reduce,
    Tensor,
    Weight,
    equation,
    factors,
    index_names,
    on_reads,
    select,
    transform,
    walk,
)
from netsheet.write.excel.arrangements import PLANES, channel_axis, planes
from netsheet.write.excel.placement import Placement

FEW_PLANES = 8  # up to so many, a formula is short enough to be repeated
GROWTH = 4  # a copy may have so many times the cells of what is computed from it


@dataclass(eq=False)
class LocalCopies:
    """A layer's equations over copies, the copies' own equations first."""

    equations: list[Equation]
    placements: dict[Tensor, Placement] = field(default_factory=dict)  # of the copies


@dataclass(frozen=True, eq=False)
class _Copy:
    source: Tensor
    tensor: Tensor
    before: tuple[int, ...]  # zeros in front of each axis

    def filling(self) -> Equation:
        """The copy's values: those of its source, zeros around them."""
        names = index_names(self.source.axes)
        at = [Index(n, size) for n, size in zip(names, self.tensor.shape, strict=True)]
        inner = [index - zeros for index, zeros in zip(at, self.before, strict=True)]
        where = [
            Guard(place, 0, size) for place, size in zip(inner, self.source.shape, strict=True)
        ]
        return equation(self.tensor[tuple(at)], select(where, self.source[tuple(inner)], 0))

    def over(self, node: Expr) -> Expr | None:
        """A sum of products over the copy, without the guards that its zeros make needless."""
        if not isinstance(node, Reduce) or node.op != "sum":
            return None
        found = [f for f in factors(node.body) if isinstance(f, Read) and f.tensor is self.source]
        if len(found) != 1:
            return None
        inside = {(at, 0, size) for at, size in zip(found[0].at, self.source.shape, strict=True)}
        where = tuple(g for g in node.where if (g.value, g.low, g.high) not in inside)
        return replace(node, body=transform(node.body, on_reads(self._moved)), where=where)

    def _moved(self, read: Read) -> Expr:
        if read.tensor is not self.source:
            return read
        at = tuple(place + zeros for place, zeros in zip(read.at, self.before, strict=True))
        return Read(self.tensor, at)


def with_copies(
    equations: Sequence[Equation], places: Mapping[Tensor, Placement], sheet: str
) -> LocalCopies:
    """The equations of a layer over copies where that makes the file smaller."""
    copies: dict[Tensor, _Copy] = {}
    here = {eq.target for eq in equations}
    for eq in equations:
        for read in _summed(eq) if eq.time is None else ():
            source = read.tensor
            elsewhere = source in places and source not in here and places[source].sheet != sheet
            planar = elsewhere and places[source].arrangement == PLANES
            if planar and source not in copies and _moves_along(eq, read):
                copy = _copy(eq, read)
                if copy.tensor.size <= GROWTH * eq.target.size:
                    copies[source] = copy
    result = LocalCopies(list(equations))
    for copy in copies.values():
        result.placements[copy.tensor] = planes(copy.tensor)
        result.equations = [
            replace(eq, value=transform(eq.value, copy.over)) for eq in result.equations
        ]
    result.equations = [*(copy.filling() for copy in copies.values()), *result.equations]
    return result


def _moves_along(eq: Equation, read: Read) -> bool:
    """True if the window moves by one cell with each cell of the map: else nothing is shared."""
    steps = [at.coefficient(index) for at in read.at for index in eq.indices]
    return all(step in (0, 1) for step in steps)


def _copy(eq: Equation, read: Read) -> _Copy:
    """The copy of what is read, with as many zeros around it as the positions reach out."""
    source = read.tensor
    before, shape = [], []
    for at, size in zip(read.at, source.shape, strict=True):
        low, high = at.bounds()
        before.append(max(0, -low))
        shape.append(before[-1] + max(size, high + 1))
    name = f"{eq.target.name}/from {source.name}"
    return _Copy(source, Tensor(name, source.axes, tuple(shape)), tuple(before))


def _summed(eq: Equation) -> Iterator[Read]:
    """The reads of maps of which many channels are summed up."""
    for node in walk(eq.value):
        if not isinstance(node, Reduce) or node.op != "sum" or len(factors(node.body)) < 2:
            continue
        for factor in factors(node.body):
            if not isinstance(factor, Read) or isinstance(factor.tensor, Weight):
                continue
            channel = channel_axis(factor.tensor)
            if channel is None:
                continue
            indices = set(node.over) & set(factor.at[channel].indices())
            if indices and max(index.size for index in indices) > FEW_PLANES:
                yield factor
