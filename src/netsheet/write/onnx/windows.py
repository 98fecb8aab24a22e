"""A tensor read in windows along some of its axes, as ONNX's Conv and MaxPool read one."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from netsheet.equations import Guard, Index, Read, affine


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
class Windows:
    """The read ``x``, and the axes along which it is one of windows."""

    x: Read
    along: tuple[WindowedAxis, ...]

    @property
    def places(self) -> tuple[Index, ...]:
        """An index over what is read of ``x`` along each of the axes."""
        return tuple(Index("place", window.used[1]) for window in self.along)

    @property
    def points(self) -> tuple[Index, ...]:
        """The indices of the windows."""
        return tuple(window.point for window in self.along)

    @property
    def taps(self) -> tuple[Index, ...]:
        """The indices inside a window."""
        return tuple(window.tap for window in self.along)

    @property
    def attributes(self) -> dict[str, Any]:
        """Strides, dilations and pads as ONNX names them."""
        pads = [window.pads for window in self.along]
        return {
            "strides": [window.stride for window in self.along],
            "dilations": [abs(window.dilation) for window in self.along],
            "pads": [pad[side] for side in (0, 1) for pad in pads],
        }

    @property
    def are_few(self) -> bool:
        """True for fewer windows than there are places in one, side by side and all inside."""
        plain = all((w.stride, abs(w.dilation), w.pads) == (1, 1, (0, 0)) for w in self.along)
        points, taps = (math.prod(i.size for i in found) for found in (self.points, self.taps))
        return plain and points < taps

    def image(self, places: Sequence[Index]) -> Read:
        """``x`` itself, at every place."""
        at = list(self.x.at)
        for window, place in zip(self.along, places, strict=True):
            at[window.axis] = affine(place) + window.used[0]
        return Read(self.x.tensor, tuple(at))

    def fit(self, where: Sequence[Guard]) -> bool:
        """True if the guards ask for nothing but that what lies outside of ``x`` does not count."""
        guarded = {guard.value: guard for guard in where}
        for window in self.along:
            guard = guarded.pop(self.x.at[window.axis], None)
            if max(window.pads) > 0 and guard is None:
                return False
            if guard is not None and (guard.low, guard.high) != (0, window.size):
                return False
        return not guarded


def windowed_axis(axis: int, x: Read, taps: Set[Index]) -> WindowedAxis | None:
    """How ``x`` is read along an axis, if it is in windows whose indices are some of ``taps``."""
    place = x.at[axis]
    if len(place.terms) != 2 or not all(isinstance(atom, Index) for _, atom in place.terms):
        return None
    inner = [(factor, atom) for factor, atom in place.terms if atom in taps]
    outer = [(factor, atom) for factor, atom in place.terms if atom not in taps]
    if len(inner) != 1 or len(outer) != 1 or outer[0][0] < 1:
        return None
    (dilation, tap), (stride, point) = inner[0], outer[0]
    assert isinstance(tap, Index)
    assert isinstance(point, Index)
    return WindowedAxis(axis, point, tap, stride, dilation, place.const, x.tensor.shape[axis])
