"""Weights in the shape of the window that they are multiplied with.

A SUMPRODUCT needs two rectangles of one shape. The tensor's arrangement is given; so the weight's
axes take the same steps as the cells that meet them: a kernel over interleaved channels becomes
``height x (width * in)``, one over planes stays ``height x width`` for each input channel, a
dilated one has zeros in its holes, that of a transposed convolution is turned round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsheet.equations import (
    Affine,
    Equation,
    Index,
    Read,
    Reduce,
    Tensor,
    factors,
    free_indices,
    reads,
    walk,
)
from netsheet.write.excel.arrangements import MATRIX, ROW, WIDEST, default, nested, vector
from netsheet.write.excel.placement import (
    AxisOffsets,
    CellArea,
    IntArray,
    Placement,
    along,
    wrapped,
)

KERNELS = "kernels"
DENSE_ENOUGH = 0.3  # zeros fill the holes of a window if this part of it is used
BAND = 64  # columns that kernels side by side may fill


@dataclass(frozen=True)
class _Tap:
    """A weight axis inside the window: position ``stride * j + first`` lies at ``j`` steps."""

    axis: int
    stride: int
    down: int
    right: int

    def count(self, size: int) -> int:
        """Positions in the longest block of this axis."""
        return -(-size // self.stride)


def fitted(
    weight: Tensor, equations: Iterable[Equation], places: Mapping[Tensor, Placement]
) -> Placement:
    """The arrangement of a weight that suits the first reduction which reads it."""
    for read, partner, over in _meetings(weight, equations, places):
        taps = _taps(weight, read, partner, places[partner.tensor], over)
        if taps:
            return _blocks(weight, taps)
    return plain(weight)


def plain(weight: Tensor) -> Placement:
    """A weight that meets no window: a row, a matrix, or rows of what is left."""
    rank = len(weight.shape)
    if rank == 1:
        return vector(weight, ROW)
    if rank >= 3:
        for split in range(1, rank):
            if math.prod(weight.shape[split:]) <= BAND * 4 and (place := nested(weight, split)):
                return place
    return default(weight, False, ROW)


def _meetings(
    weight: Tensor, equations: Iterable[Equation], places: Mapping[Tensor, Placement]
) -> Iterator[tuple[Read, Read, frozenset[Index]]]:
    """Where the weight is multiplied, under a sum, with a tensor whose place is known."""
    for eq in equations:
        for node in walk(eq.value):
            if not isinstance(node, Reduce) or node.op not in ("sum", "mean"):
                continue
            over = frozenset(node.over)
            parts = [read for factor in factors(node.body) for read in reads(factor)]
            own = [read for read in parts if read.tensor is weight]
            other = [
                read
                for read in parts
                if read.tensor in places
                and read.tensor is not weight
                and over & set(free_indices(read))
            ]
            if own and other:
                yield own[0], other[0], over


def _taps(
    weight: Tensor, read: Read, partner: Read, place: Placement, over: frozenset[Index]
) -> list[_Tap]:
    """The weight axes that follow the partner's cells, as many as make a well-filled window."""
    taps = []
    for axis, at in enumerate(read.at):
        index = _only(at, over)
        step = None if index is None else step_of(partner, place, index)
        if index is not None and step is not None and step != (0, 0):
            taps.append(_Tap(axis, at.coefficient(index), *step))
    while taps and not _well_filled(weight, taps):
        taps.remove(max(taps, key=lambda tap: abs(tap.down) + abs(tap.right)))
    return taps


def _only(at: Affine, over: frozenset[Index]) -> Index | None:
    """The reduced index that a position is a positive multiple of, plus a constant."""
    if len(at.terms) != 1:
        return None
    coefficient, atom = at.terms[0]
    return atom if isinstance(atom, Index) and atom in over and coefficient > 0 else None


def step_of(read: Read, place: Placement, index: Index) -> tuple[int, int] | None:
    """Rows and columns that the read moves by when the index grows by one."""
    down = right = 0
    for number, at in enumerate(read.at):
        if index not in at.indices():
            continue
        step = place.axes[number].step()
        coefficient = at.coefficient(index)
        if coefficient == 0 or step is None or number in place.planes:
            return None
        down, right = down + coefficient * step[0], right + coefficient * step[1]
    return down, right


def _window(weight: Tensor, taps: Sequence[_Tap]) -> tuple[int, int]:
    """Rows and columns of one window."""
    counts = [tap.count(weight.shape[tap.axis]) for tap in taps]
    high = 1 + sum(abs(tap.down) * (n - 1) for tap, n in zip(taps, counts, strict=True))
    wide = 1 + sum(abs(tap.right) * (n - 1) for tap, n in zip(taps, counts, strict=True))
    return high, wide


def _well_filled(weight: Tensor, taps: Sequence[_Tap]) -> bool:
    """True if no two elements share a cell and the window is not mostly holes."""
    rows = cols = np.zeros(1, np.int64)
    for tap in taps:
        steps = np.arange(tap.count(weight.shape[tap.axis]))
        rows = np.add.outer(rows, steps * tap.down).ravel()
        cols = np.add.outer(cols, steps * tap.right).ravel()
    high, wide = _window(weight, taps)
    distinct = len(np.unique(np.stack([rows, cols]), axis=1).T) == len(rows)
    return distinct and wide <= WIDEST and len(rows) >= DENSE_ENOUGH * high * wide


def _blocks(weight: Tensor, taps: Sequence[_Tap]) -> Placement:
    """Windows set apart by the axes that do not belong to them."""
    high, wide = _window(weight, taps)
    axes: dict[int, AxisOffsets] = {}
    block_high, block_wide = high, wide
    for tap in taps:
        size = weight.shape[tap.axis]
        parts = min(tap.stride, size)
        if tap.down:
            rows, cols = (
                _offsets(size, tap.stride, tap.down, high + 1),
                _offsets(size, tap.stride, tap.right, 0),
            )
            block_high = max(block_high, parts * (high + 1) - 1)
        else:
            rows, cols = np.zeros(size, np.int64), _offsets(size, tap.stride, tap.right, wide + 1)
            block_wide = max(block_wide, parts * (wide + 1) - 1)
        axes[tap.axis] = AxisOffsets(rows, cols)
    others = [axis for axis in range(len(weight.shape)) if axis not in axes]
    axes |= _stacked(weight, others, block_high, block_wide)
    ordered = tuple(axes[axis] for axis in range(len(weight.shape)))
    apart = frozenset(others)
    flat = min(block_high, block_wide) == 1
    place = Placement(ordered, MATRIX if flat else KERNELS, frozenset() if flat else apart)
    full = math.prod(tap.count(weight.shape[tap.axis]) for tap in taps) == high * wide
    if full or any(tap.stride > 1 for tap in taps):
        return place
    return replace(place, zeros=tuple(_windows(place, others, high, wide)))


def _offsets(size: int, stride: int, step: int, apart: int) -> IntArray:
    """Where each position lies; those of another remainder of ``stride`` start ``apart`` on."""
    numbers = np.arange(size, dtype=np.int64)
    within = numbers // stride
    if step < 0:
        counts = np.array([len(range(rest, size, stride)) for rest in range(stride)])
        within = counts[numbers % stride] - 1 - within
    return within * abs(step) + numbers % stride * apart


def _stacked(weight: Tensor, others: Sequence[int], high: int, wide: int) -> dict[int, AxisOffsets]:
    """The axes that number the windows: in rows beneath, or columns beside, each other."""
    flat = {axis: along(1, 0, 0) for axis in others if weight.shape[axis] == 1}
    others = [axis for axis in others if axis not in flat]
    return flat | _numbered(weight, others, high, wide)


def _numbered(
    weight: Tensor, others: Sequence[int], high: int, wide: int
) -> dict[int, AxisOffsets]:
    sizes = [weight.shape[axis] for axis in others]
    if high == 1 and wide > 1:
        return _nested(others, sizes, 1, 0)
    if wide == 1 and high > 1 and math.prod(sizes) <= WIDEST:
        return _nested(others, sizes, 0, 1)
    gap = 0 if high == wide == 1 else 1
    if len(others) == 1:
        per_band = max(1, BAND // (wide + gap))
        return {others[0]: wrapped(sizes[0], per_band, high + gap, wide + gap)}
    if len(others) == 2 and sizes[0] * (wide + gap) <= WIDEST:
        right, down = (others[0], others[1])
        return {
            right: along(weight.shape[right], 0, wide + gap),
            down: along(weight.shape[down], high + gap, 0),
        }
    return _nested(others, sizes, high + gap, 0)


def _nested(
    axes: Sequence[int], sizes: Sequence[int], down: int, right: int
) -> dict[int, AxisOffsets]:
    result = {}
    for number, axis in enumerate(axes):
        inner = math.prod(sizes[number + 1 :])
        result[axis] = along(sizes[number], down * inner, right * inner)
    return result


def _windows(place: Placement, others: Sequence[int], high: int, wide: int) -> Iterator[CellArea]:
    """The area of every window, relative to the placement's first cell."""
    tables = [place.axes[axis] for axis in others]
    rows = cols = np.zeros(1, np.int64)
    for table in tables:
        rows = np.add.outer(rows, table.rows).ravel()
        cols = np.add.outer(cols, table.cols).ravel()
    for row, col in zip(rows.tolist(), cols.tolist(), strict=True):
        yield CellArea(row, col, row + high - 1, col + wide - 1)
