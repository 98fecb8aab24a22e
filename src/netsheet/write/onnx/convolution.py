"""Sums of products over windows as ONNX's own Conv: forwards, backwards and for kernels alike.

    y[.., p, .., o] = sum(u, i) x[.., p * stride + u * dilation - pad, .., i] * w[u, i, o]

is one, whatever the indices are called: in the gradient of a kernel the windows are as large as the
feature map and the batch takes the place of the channels. A window that runs backwards (p - u)
reads a reversed ``w``.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsheet.equations import Affine, Guard, Index, Read, Reduce, affine, factors
from netsheet.layer import Graph


@dataclass(frozen=True)
class WindowedAxis:
    """One axis along which ``x`` is read in windows: ``point * stride + tap * dilation + start``.

    ``dilation`` is negative where the window runs backwards.
    """

    axis: int
    point: Index
    tap: Index
    stride: int
    dilation: int
    start: int
    size: int

    @property
    def pads(self) -> tuple[int, int]:
        """Positions outside of ``x``, in front and behind."""
        before, after = self._beyond
        return max(before, 0), max(after, 0)

    @property
    def used(self) -> tuple[int, int]:
        """The first position of ``x`` that is read, and how many are from there on."""
        before, after = self._beyond
        first = max(-before, 0)
        return first, self.size - first - max(-after, 0)

    @property
    def _beyond(self) -> tuple[int, int]:
        """Positions beyond both ends of ``x``; negative for positions that are not read."""
        reach = abs(self.dilation) * (self.tap.size - 1)
        first = self.start + min(self.dilation, 0) * (self.tap.size - 1)
        last = first + (self.point.size - 1) * self.stride + reach
        return -first, last - (self.size - 1)


@dataclass(frozen=True)
class Windowed:
    """The roles of the indices of two reads; ``x`` is read in windows, ``w`` is not."""

    x: Read
    w: Read
    windows: tuple[WindowedAxis, ...]
    rows: tuple[Index, ...]  # of x and the result: what ONNX calls the batch
    channels: tuple[Index, ...]  # of x and w, summed up
    outputs: tuple[Index, ...]  # of w and the result

    @property
    def places(self) -> tuple[Index, ...]:
        """An index over what is read of ``x`` along each axis that is read in windows."""
        return tuple(Index("place", window.used[1]) for window in self.windows)

    @property
    def attributes(self) -> dict[str, Any]:
        """Those of ONNX's Conv."""
        pads = [window.pads for window in self.windows]
        return {
            "strides": [window.stride for window in self.windows],
            "dilations": [abs(window.dilation) for window in self.windows],
            "pads": [pad[side] for side in (0, 1) for pad in pads],
        }

    def image(self, places: Sequence[Index]) -> Read:
        """``x`` itself, at every place."""
        at = list(self.x.at)
        for window, place in zip(self.windows, places, strict=True):
            at[window.axis] = affine(place) + window.used[0]
        return Read(self.x.tensor, tuple(at))


MOST_WINDOWS = 2  # axes: beyond, runtimes are slow or refuse


def convolution_of(expr: Reduce, fixed: Set[Index]) -> Windowed | None:
    """The convolution that a sum of products is, or None."""
    parts = factors(expr.body)
    if expr.op != "sum" or len(parts) != 2 or fixed & _indices(parts):
        return None
    first, second = parts
    if not isinstance(first, Read) or not isinstance(second, Read):
        return None
    for x, w in ((first, second), (second, first)):
        found = _roles(expr, x, w)
        if found is not None and _fits(found, expr.where):
            return found
    return None


def _indices(parts: Sequence[object]) -> set[Index]:
    return {
        index for part in parts if isinstance(part, Read)
        for place in part.at for index in place.indices()
    }  # fmt: skip


def _roles(expr: Reduce, x: Read, w: Read) -> Windowed | None:
    taps = [place.single() for place in w.at]
    if any(index is None for index in taps) or len(set(taps)) < len(taps):
        return None
    weighted = {index for index in taps if index is not None}
    over = set(expr.over)
    windows: list[WindowedAxis] = []
    rows: list[Index] = []
    channels: list[Index] = []
    for axis, place in enumerate(x.at):
        single = place.single()
        if single is None:
            window = _window(axis, place, x.tensor.shape[axis], weighted & over)
            if window is None:
                return None
            windows.append(window)
        elif single in over and single in weighted:
            channels.append(single)
        elif single not in over and single not in weighted:
            rows.append(single)
        else:
            return None
    used = {*rows, *channels, *(w.tap for w in windows), *(w.point for w in windows)}
    if len(used) != len(rows) + len(channels) + 2 * len(windows):
        return None
    outputs = tuple(i for i in taps if i is not None and i not in used)
    points = {window.point for window in windows}
    if over - used or any(i in over for i in outputs) or points & (weighted | over):
        return None
    if not 0 < len(windows) <= MOST_WINDOWS:
        return None
    return Windowed(x, w, tuple(windows), tuple(rows), tuple(channels), outputs)


def _window(axis: int, place: Affine, size: int, taps: Set[Index]) -> WindowedAxis | None:
    if len(place.terms) != 2 or not all(isinstance(atom, Index) for _, atom in place.terms):
        return None
    inner = [(factor, atom) for factor, atom in place.terms if atom in taps]
    outer = [(factor, atom) for factor, atom in place.terms if atom not in taps]
    if len(inner) != 1 or len(outer) != 1 or outer[0][0] < 1:
        return None
    (dilation, tap), (stride, point) = inner[0], outer[0]
    assert isinstance(tap, Index)
    assert isinstance(point, Index)
    return WindowedAxis(axis, point, tap, stride, dilation, place.const, size)


def _fits(found: Windowed, where: Sequence[Guard]) -> bool:
    """True if the guards ask for zeros around ``x`` and nothing else."""
    guarded = {guard.value: guard for guard in where}
    for window in found.windows:
        guard = guarded.pop(found.x.at[window.axis], None)
        if max(window.pads) > 0 and guard is None:
            return False
        if guard is not None and (guard.low, guard.high) != (0, window.size):
            return False
    return not guarded


def in_order(graph: Graph, kernel: str, found: Windowed) -> str:
    """The kernel (outputs, channels, taps) as ONNX reads it, in the direction of the positions."""
    axes = [n + 2 for n, window in enumerate(found.windows) if window.dilation < 0]
    if not axes:
        return kernel
    ends = [[-1] * len(axes), [-(2**31)] * len(axes), axes, [-1] * len(axes)]
    given = [graph.constant(np.array(values, np.int64)) for values in ends]
    return str(graph.node("Slice", [kernel, *given]))
