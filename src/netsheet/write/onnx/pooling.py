"""The largest value of windows as ONNX's own MaxPool.

    y[.., p, ..] = max(u) x[.., p * stride + u * dilation - pad, ..]

It is right for numbers only: ONNX Runtime starts from the smallest float32, not from minus
infinity, and passes by what is no number.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from netsheet.equations import Index, Read, Reduce
from netsheet.write.onnx.windows import WindowedAxis, Windows, windowed_axis

MOST_WINDOWS = 3  # axes that MaxPool takes


@dataclass(frozen=True)
class WindowedMaximum:
    """What is read in windows, and the indices that each window stands at besides."""

    windows: Windows
    rows: tuple[Index, ...]


def pooling_of(expr: Reduce, fixed: Set[Index]) -> WindowedMaximum | None:
    """The pooling that a maximum is, or None."""
    x, over = expr.body, set(expr.over)
    if expr.op != "max" or not isinstance(x, Read):
        return None
    along: list[WindowedAxis] = []
    rows: list[Index] = []
    for axis, place in enumerate(x.at):
        single = place.single()
        window = windowed_axis(axis, x, over) if single is None else None
        if window is not None:
            along.append(window)
        elif single is not None and single not in over:
            rows.append(single)
        else:
            return None
    windows = Windows(x, tuple(along))
    used = {*rows, *windows.points, *windows.taps}
    distinct = len(used) == len(rows) + 2 * len(along)
    if not distinct or used & fixed or not over <= used or not 0 < len(along) <= MOST_WINDOWS:
        return None
    if any(_may_miss(window) for window in along):
        return None
    return WindowedMaximum(windows, tuple(rows)) if windows.fit(expr.where) else None


def _may_miss(window: WindowedAxis) -> bool:
    """True if one may read nothing of ``x``."""
    pad = max(window.pads)
    return pad >= window.tap.size or (pad > 0 and abs(window.dilation) > 1)
