"""Axes of weights whose layer's class is not in the file: from their names and neighbours."""

from __future__ import annotations

import re
from collections.abc import Mapping

from netsheet.layers.window import KERNEL

Shape = tuple[int, ...]
Axes = tuple[str, ...]

_CHANNELS = frozenset(
    {
        "gamma", "beta", "bias", "moving_mean", "moving_variance", "running_mean", "running_std",
        "moving_stddev", "renorm_mean", "renorm_stddev",
    }
)  # fmt: skip
# Folders of .weights.h5 are named after classes; their arrays are numbered.
_NUMBERED = {"dense": 0, "conv1d": 1, "conv2d": 2, "conv3d": 3}


def axes_of_weights(folder: str, shapes: Mapping[str, Shape]) -> dict[str, Axes]:
    """Axis names of a layer's arrays by label; ``axis0``, ``axis1``, ... where they are not known.

    Rank alone decides nothing: a kernel needs a bias of as many values as it has outputs.
    """
    kind = re.sub(r"_[0-9]+$", "", folder.rsplit("/", 1)[-1])
    if set(shapes) <= {"0", "1"} and kind in _NUMBERED and "0" in shapes:
        named = {"0": "kernel", "1": "bias"}
        found = _named({named[label]: shape for label, shape in shapes.items()}, _NUMBERED[kind])
        return {label: found[named[label]] for label in shapes}
    return _named(shapes)


def _named(shapes: Mapping[str, Shape], space: int | None = None) -> dict[str, Axes]:
    return {label: _axes(label, shapes, space) or _unknown(shapes[label]) for label in shapes}


def _unknown(shape: Shape) -> Axes:
    return tuple(f"axis{n}" for n in range(len(shape)))


def _axes(label: str, shapes: Mapping[str, Shape], space: int | None) -> Axes | None:
    shape = shapes[label]
    recurrent = shapes.get("recurrent_kernel")
    if recurrent is not None and len(recurrent) == 2 and label in _RECURRENT:
        axes = _RECURRENT[label]
        return ("bias", "out") if label == "bias" and len(shape) == 2 else axes
    if label in _CHANNELS and len(shape) == 1:
        return ("out",)
    if label == "embeddings" and len(shape) == 2:
        return ("token", "channel")
    if label == "depthwise_kernel" and len(shape) - 2 in KERNEL:
        return (*KERNEL[len(shape) - 2], "in", "multiplier")
    return _kernel(shape, shapes.get("bias"), space) if label == "kernel" else None


_RECURRENT: dict[str, Axes] = {
    "kernel": ("in", "out"), "recurrent_kernel": ("unit", "out"), "bias": ("out",),
}  # fmt: skip


def _kernel(shape: Shape, bias: Shape | None, space: int | None) -> Axes | None:
    rank = len(shape) - 2
    if rank not in (0, *KERNEL) or (space is not None and space != rank):
        return None
    axes = KERNEL.get(rank, ())
    if space is not None:
        return (*axes, "in", "out")
    if bias is None or len(bias) != 1:
        return None
    last, before = shape[-1] == bias[0], shape[-2] == bias[0]
    if rank == 0:
        return ("in", "out") if last else None
    if last and not before:
        return (*axes, "in", "out")
    return (*axes, "out", "in") if before and not last else None
