"""Arrangements: how the axes of a tensor spread over rows and columns.

Planes: one labelled plane per channel, as it would be looked at. Interleaved: channels side by
side within each column of the map, so that a window over all channels is one rectangle.
"""

from __future__ import annotations

import math

from netsheet.equations import Tensor
from netsheet.write.excel.placement import MAX_COLUMNS, AxisOffsets, Placement, along, wrapped

PLANES, INTERLEAVED = "planes", "interleaved"
ROW, COLUMN, MATRIX, CELL = "row", "column", "matrix", "cell"

GAP = 1  # empty columns between planes
LABEL = 2  # rows between bands of planes: an empty one and one for labels
WIDEST = MAX_COLUMNS - 40


def vector(tensor: Tensor, direction: str) -> Placement:
    """One row or one column."""
    size = tensor.shape[0]
    if direction == ROW and size > WIDEST:
        direction = COLUMN
    steps = (0, 1) if direction == ROW else (1, 0)
    return Placement((along(size, *steps),), direction)


def matrix(tensor: Tensor, columns: int = 1) -> Placement:
    """Axis 0 down, the other axis right; ``columns`` is the axis that runs right."""
    steps = [(1, 0), (1, 0)]
    if tensor.shape[columns] > WIDEST:
        columns = 1 - columns
    steps[columns] = (0, 1)
    axes = tuple(along(size, *step) for size, step in zip(tensor.shape, steps, strict=True))
    return Placement(axes, MATRIX)


def spatial(tensor: Tensor) -> tuple[int, int] | None:
    """The axes that run down and right in a plane, where the tensor has a picture's axes."""
    if "height" in tensor.axes and "width" in tensor.axes:
        return tensor.axes.index("height"), tensor.axes.index("width")
    return None


def channel_axis(tensor: Tensor) -> int | None:
    """The axis of channels beside a picture's two."""
    if spatial(tensor) and "channel" in tensor.axes:
        return tensor.axes.index("channel")
    return None


def planes(tensor: Tensor) -> Placement:
    """Planes of the last two axes (or height and width), the first plane axis in a grid."""
    down, right = spatial(tensor) or _default_plane(tensor)
    height, width = tensor.shape[down], tensor.shape[right]
    others = [axis for axis in range(len(tensor.shape)) if axis not in (down, right)]
    axes: dict[int, AxisOffsets] = {down: along(height, 1, 0), right: along(width, 0, 1)}
    band, across = height + LABEL, width + GAP
    grid = others[-1]  # in a grid; further axes stack such grids
    if "channel" in tensor.axes and tensor.axes.index("channel") in others:
        grid = tensor.axes.index("channel")
    size = tensor.shape[grid]
    per_band = size if len(others) > 1 else per_band_of(size, band, across)
    per_band = max(1, min(per_band, WIDEST // across))
    axes[grid] = wrapped(size, per_band, band, across)
    step = band * math.ceil(size / per_band)
    for axis in reversed([other for other in others if other != grid]):
        axes[axis] = along(tensor.shape[axis], step, 0)
        step *= tensor.shape[axis]
    ordered = tuple(axes[axis] for axis in range(len(tensor.shape)))
    return Placement(ordered, PLANES, frozenset(others))


def per_band_of(size: int, height: int, width: int) -> int:
    """How many planes stand side by side, for a block about twice as wide as high."""
    ideal = math.sqrt(2 * size * height / width)
    candidates = [
        n for n in range(1, size + 1) if size % n == 0 and ideal / 1.5 <= n <= ideal * 1.5
    ]
    if candidates:
        return min(candidates, key=lambda n: abs(n - ideal))
    return max(1, min(size, round(ideal)))


def _default_plane(tensor: Tensor) -> tuple[int, int]:
    rank = len(tensor.shape)
    apart = [axis for axis, name in enumerate(tensor.axes) if name in ("head", "gate", "depth")]
    inner = [axis for axis in range(rank) if axis not in apart]
    return (inner[0], inner[-1]) if len(inner) >= 2 else (rank - 2, rank - 1)


def map_axes(tensor: Tensor) -> tuple[int | None, int | None]:
    """The axes of a small map: down and right; a vector only runs down."""
    rank = len(tensor.shape)
    if rank < 2:
        return (0, None) if rank else (None, None)
    if rank == 2:
        return 0, 1
    return spatial(tensor) or _default_plane(tensor)


def interleaved(tensor: Tensor) -> Placement | None:
    """Rows of the map down; right, each of its columns with all channels; None if too wide."""
    picture, channel = spatial(tensor), channel_axis(tensor)
    if picture is None or channel is None:
        if len(tensor.shape) < 3:
            return None
        return nested(tensor, 1)
    down, right = picture
    height, width, channels = (tensor.shape[axis] for axis in (down, right, channel))
    if width * channels > WIDEST:
        return None
    axes: dict[int, AxisOffsets] = {
        down: along(height, 1, 0),
        right: along(width, 0, channels),
        channel: along(channels, 0, 1),
    }
    others = [axis for axis in range(len(tensor.shape)) if axis not in axes]
    step = height + LABEL
    for axis in reversed(others):
        axes[axis] = along(tensor.shape[axis], step, 0)
        step *= tensor.shape[axis]
    ordered = tuple(axes[axis] for axis in range(len(tensor.shape)))
    return Placement(ordered, INTERLEAVED, frozenset(others))


def nested(tensor: Tensor, split: int) -> Placement | None:
    """The first ``split`` axes down, the others right, each group in order without gaps."""
    down, right = tensor.shape[:split], tensor.shape[split:]
    if math.prod(right) > WIDEST:
        return None
    axes = [
        *(along(size, math.prod(down[i + 1 :]), 0) for i, size in enumerate(down)),
        *(along(size, 0, math.prod(right[i + 1 :])) for i, size in enumerate(right)),
    ]
    return Placement(tuple(axes), INTERLEAVED if len(axes) > 2 else MATRIX)


def helper(tensor: Tensor, over: int) -> Placement:
    """Partial terms: the last ``over`` axes, which will be summed up, right of the others."""
    rank = len(tensor.shape)
    for split in (rank - over, *range(rank - over + 1, rank + 1)):
        if 0 < split <= rank and (place := nested(tensor, split)) is not None:
            return place
    place = nested(tensor, 0)
    assert place is not None
    return place


def default(tensor: Tensor, interleave: bool, direction: str) -> Placement:
    """The arrangement of a tensor by its rank and axes."""
    rank = len(tensor.shape)
    if rank == 0:
        return Placement((), CELL)
    if rank == 1:
        return vector(tensor, direction)
    if rank == 2:
        return matrix(tensor)
    if interleave and (place := interleaved(tensor)) is not None:
        return place
    if spatial(tensor) is None and (place := nested(tensor, 1)) is not None and rank == 3:
        return place if interleave else planes(tensor)
    return planes(tensor)


def turned(tensor: Tensor, across: int) -> Placement:
    """The axis ``across`` right, all others down."""
    axes: list[AxisOffsets] = []
    step = 1
    for number in reversed(range(len(tensor.shape))):
        size = tensor.shape[number]
        if number == across:
            axes.insert(0, along(size, 0, 1))
        else:
            axes.insert(0, along(size, step, 0))
            step *= size
    return Placement(tuple(axes), MATRIX if len(axes) == 2 else INTERLEAVED)
