"""Tensors of any rank as two-dimensional planes, as the workbook's sheets show them."""

from __future__ import annotations

from collections.abc import Iterator

from netsheet.equations import FloatArray, Tensor


def planes_of(tensor: Tensor, values: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    """The planes (rows, columns) of values without batch axis, each with its name.

    One for each channel: ``channel 3``; of a vector one row, of a matrix one plane, without names.
    """
    if values.ndim < 2:
        yield "", values.reshape(1, -1)
        return
    if values.ndim == 2:
        yield "", values
        return
    axes = list(tensor.axes)
    rows, columns = (
        (axes.index("height"), axes.index("width"))
        if {"height", "width"} <= set(axes)
        else (values.ndim - 2, values.ndim - 1)
    )
    others = [axis for axis in range(values.ndim) if axis not in (rows, columns)]
    moved = values.transpose([*others, rows, columns])
    flat = moved.reshape(-1, *moved.shape[-2:])
    for number, plane in enumerate(flat):
        place: list[str] = []
        left = number
        for axis in reversed(others):
            left, at = divmod(left, values.shape[axis])
            place.insert(0, f"{axes[axis]} {at}")
        yield ", ".join(place), plane
