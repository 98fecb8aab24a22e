"""Arrays and pictures brought into the shape of an input tensor, and scaled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.data.images import image_array
from netsheet.equations.entry import entered
from netsheet.errors import NetsheetError, UsageError

if TYPE_CHECKING:
    from netsheet.data.own.preparation import Preparation
    from netsheet.data.scaling import Scaling
    from netsheet.equations import Tensor

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...]

AT_A_TIME = 2**22  # values that are doubles at a time


def picture(
    path: Path, tensor: Tensor, form: Preparation | None = None
) -> tuple[npt.NDArray[np.uint8], str]:
    """A picture in the tensor's own shape, and what was done to it.

    A tensor with height and width takes them by name; one of two axes is a grey picture; a flat
    one a square grey or RGB picture with that many values, its rows one after the other. ``form``
    is how the pictures were prepared that the network was trained with; it has the tensor's size.
    """
    axes, shape = tensor.axes, tuple(tensor.shape)
    if form is not None:
        pixels, done = form.prepared(path)
        if {"height", "width"} <= set(axes):
            order = _order(("height", "width", "channel"), axes)
            pixels = pixels.transpose(order) if len(axes) == 3 else pixels[..., 0]
        return pixels.reshape(shape), f"{done} (as the pictures that it was trained with)"
    if {"height", "width"} <= set(axes) and set(axes) <= {"height", "width", "channel"}:
        channels = dict(zip(axes, shape, strict=True)).get("channel", 1)
        pixels, done = image_array(path, *taken_size(tensor), channels)
        if "channel" not in axes:
            return pixels[..., 0].transpose(_order(("height", "width"), axes)), done
        return pixels.transpose(_order(("height", "width", "channel"), axes)), done
    if len(shape) == 2 and 1 not in shape:
        pixels, done = image_array(path, *shape, 1)
        return pixels[..., 0], done
    if (square := _square(tensor)) is not None:
        side, channels = square
        pixels, done = image_array(path, side, side, channels)
        return pixels.reshape(shape), f"{done}, flattened"
    raise NetsheetError(
        f"{path}: input {tensor.name!r} has the shape {text(shape)}, which no picture has; "
        "give its values as .npy, .npz or .csv."
    )


def taken_size(tensor: Tensor) -> tuple[int | None, int | None]:
    """Height and width that :func:`picture` brings a picture to; None where it keeps its own."""
    axes, shape = tensor.axes, tuple(tensor.shape)
    if {"height", "width"} <= set(axes):
        size = dict(zip(axes, shape, strict=True))
        return size["height"], size["width"]
    if len(shape) == 2 and 1 not in shape:
        return shape[0], shape[1]
    square = _square(tensor)
    return (None, None) if square is None else (square[0], square[0])


def _square(tensor: Tensor) -> tuple[int, int] | None:
    """Side and channels of the square grey or RGB picture that has as many values."""
    count = math.prod(size or 0 for size in tensor.shape)
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if count and side * side * channels == count:
            return side, channels
    return None


def shaped(array: Array, tensor: Tensor, where: str) -> Array:
    """``array`` in the tensor's shape, where only its arrangement differs.

    Allowed are a leading axis of 1, axes of size 1 more or fewer, flat values for any shape and
    the other way round, and channels last for channels first (or the reverse).

    Raises:
        NetsheetError: nothing of that fits; the message has both shapes.
    """
    wanted = tuple(tensor.shape)
    for one in (array, array[0]) if array.ndim and len(array) == 1 else (array,):
        if _same(one.shape, wanted):
            return one
        for moved in _channel_moved(one, tensor):
            if _same(moved.shape, wanted):
                return moved
    sizes = [size for size in array.shape if size != 1]
    if None not in wanted and (
        sizes == [size for size in wanted if size != 1]
        or (array.size == math.prod(wanted) and (len(sizes) == 1 or tensor_is_flat(tensor)))
    ):
        return array.reshape(wanted)
    raise NetsheetError(
        f"{where}: has the shape {text(array.shape)}; input {tensor.name!r} takes {text(wanted)}."
    )


def shaped_batch(array: Array, tensor: Tensor, where: str) -> Array:
    """The same for an array whose first axis counts samples."""
    if not array.ndim or not len(array):
        raise NetsheetError(f"{where}: has no samples (shape {text(array.shape)}).")
    first = shaped(array[0], tensor, where)
    if first.shape == array.shape[1:]:
        return array
    for moved in _channel_moved(array[0], tensor):
        if moved.shape == first.shape and moved.ndim == array.ndim - 1:
            last = tensor.axes.index("channel") == len(tensor.axes) - 1
            return np.moveaxis(array, 1 if last else -1, -1 if last else 1)
    return array.reshape(len(array), *first.shape)


def scaled(array: Array, scaling: Scaling, tensor: Tensor) -> npt.NDArray[np.float32]:
    """``((255 - raw if invert else raw) * scale - mean) / std``, rounded once to float32.

    The last axes of ``array`` are the tensor's (a batch axis may stand in front).

    Raises:
        UsageError: mean or std has neither one number nor one for each channel.
    """
    mean = _per_channel(scaling.mean, "mean", array, tensor)
    std = _per_channel(scaling.std, "std", array, tensor)
    if not np.all(std):
        raise UsageError("std is 0; it must be the channel's standard deviation.")
    if array.dtype == np.uint8 and mean.ndim == std.ndim == 0:
        levels = np.arange(256)  # each of the 256 values once
        return _scaled(levels, scaling, mean, std).take(array)
    if array.ndim == len(tensor.shape):
        return _scaled(array, scaling, mean, std)
    result = np.empty(array.shape, np.float32)
    step = max(1, AT_A_TIME // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        part = slice(start, start + step)
        result[part] = _scaled(array[part], scaling, mean, std)
    return result


def taken(array: Array, scaling: Scaling, tensor: Tensor) -> Array:
    """Scaled values as an input takes them: float32, or quantised where the input is."""
    values = scaled(array, scaling, tensor) if scaling.changes else array
    if tensor.quantisation is None:
        return np.ascontiguousarray(values, np.float32)
    return np.ascontiguousarray(entered(tensor, values))


def _scaled(array: Array, scaling: Scaling, mean: Array, std: Array) -> npt.NDArray[np.float32]:
    values = array.astype(np.float64)
    if scaling.invert:
        values = 255 - values
    result: npt.NDArray[np.float32] = ((values * scaling.scale - mean) / std).astype(np.float32)
    return result


def _per_channel(numbers: Sequence[float], name: str, array: Array, tensor: Tensor) -> Array:
    values = np.asarray(numbers, np.float64)
    if values.size == 1:
        return values.reshape(())
    rank = len(tensor.axes)
    axis = tensor.axes.index("channel") if "channel" in tensor.axes else -1
    channels = array.shape[axis - rank] if axis >= 0 else 1
    if values.size != channels:
        raise UsageError(
            f"{name} has {values.size} numbers; input {tensor.name!r} has {channels} "
            f"channel{'s' if channels != 1 else ''}: give one number, or one for each channel."
        )
    return values.reshape([-1 if at == axis else 1 for at in range(rank)])


def tensor_is_flat(tensor: Tensor) -> bool:
    """True if all but one of the tensor's axes have the size 1."""
    return len([size for size in tensor.shape if size != 1]) <= 1


def text(shape: Sequence[int | None]) -> str:
    """A shape as people write it: ``(28, 28, 1)``, with ? where any size will do."""
    inner = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _order(have: tuple[str, ...], want: Sequence[str]) -> list[int]:
    return [have.index(axis) for axis in want]


def _same(shape: Sequence[int], wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        size is None or size == have for have, size in zip(shape, wanted, strict=True)
    )


def _channel_moved(array: Array, tensor: Tensor) -> list[Array]:
    if "channel" not in tensor.axes or array.ndim != len(tensor.axes) or array.ndim < 3:
        return []
    if tensor.axes[-1] == "channel":
        return [np.moveaxis(array, 0, -1)]
    return [np.moveaxis(array, -1, tensor.axes.index("channel"))]
