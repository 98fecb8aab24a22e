"""Sums of products over windows as ONNX's own Conv: forwards, backwards and for kernels alike.

    y[.., p, .., o] = sum(u, i) x[.., p * stride + u * dilation - pad, .., i] * w[u, i, o]

is one, whatever the indices are called: in the gradient of a kernel the windows are as large as the
feature map and the batch takes the place of the channels. A window that runs backwards (p - u)
reads a reversed ``w``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from netsheet.equations import Index, Read, Reduce, factors
from netsheet.layer import Graph
from netsheet.write.onnx.windows import WindowedAxis, Windows, windowed_axis


@dataclass(frozen=True)
class WindowedSum:
    """The roles of the indices of two reads: one in windows, ``w`` is not."""

    windows: Windows
    w: Read
    rows: tuple[Index, ...]  # of x and the result: what ONNX calls the batch
    channels: tuple[Index, ...]  # of x and w, summed up
    outputs: tuple[Index, ...]  # of w and the result


MOST_WINDOWS = 2  # axes: beyond, runtimes are slow or refuse


def convolution_of(expr: Reduce, fixed: Set[Index]) -> WindowedSum | None:
    """The convolution that a sum of products is, or None."""
    parts = factors(expr.body)
    if expr.op != "sum" or len(parts) != 2 or fixed & _indices(parts):
        return None
    first, second = parts
    if not isinstance(first, Read) or not isinstance(second, Read):
        return None
    for x, w in ((first, second), (second, first)):
        found = _roles(expr, x, w)
        if found is not None and found.windows.fit(expr.where):
            return found
    return None


def _indices(parts: Sequence[object]) -> set[Index]:
    return {
        index for part in parts if isinstance(part, Read)
        for place in part.at for index in place.indices()
    }  # fmt: skip


def _roles(expr: Reduce, x: Read, w: Read) -> WindowedSum | None:
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
            window = windowed_axis(axis, x, weighted & over)
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
    return WindowedSum(Windows(x, tuple(windows)), w, tuple(rows), tuple(channels), outputs)


def in_order(graph: Graph, kernel: str, found: WindowedSum) -> str:
    """The kernel (outputs, channels, taps) as ONNX reads it, in the direction of the positions."""
    axes = [n + 2 for n, window in enumerate(found.windows.along) if window.dilation < 0]
    if not axes:
        return kernel
    ends = [[-1] * len(axes), [-(2**31)] * len(axes), axes, [-1] * len(axes)]
    given = [graph.constant(np.array(values, np.int64)) for values in ends]
    return str(graph.node("Slice", [kernel, *given]))


def unfolded(graph: Graph, image: str, kernel: str, found: WindowedSum) -> str:
    """The sums (outputs, points .., rows) as one product of matrices.

    A Conv copies its windows value by value, which takes long for few that are large: here whole
    lines of the image are copied.
    """

    def numbers(*values: int) -> str:
        return graph.constant(np.array(values, np.int64))

    along = found.windows.along
    for window in reversed(along):
        image = graph.node("Unsqueeze", [image, numbers(0)])
        axis = numbers(
            len(along) + 2
        )  # in front are as many axes of points as axes behind are done
        shifted = [
            graph.node("Slice", [image, numbers(n), numbers(n + window.tap.size), axis])
            for n in range(window.point.size)
        ]
        image = graph.node("Concat", shifted, axis=0)
    length = math.prod(index.size for index in (*found.channels, *found.windows.taps))
    rows = graph.node("Reshape", [image, numbers(-1, length)])
    outputs = graph.node("Reshape", [kernel, numbers(-1, length)])
    return str(graph.node("MatMul", [outputs, graph.node("Transpose", [rows], perm=[1, 0])]))
