"""Arrays as pictures: labelled grids of heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import FloatArray, Tensor, Weight
from netsheet.errors import UnsupportedError
from netsheet.files import atomic

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

# Stops of a colour map that stays readable in grey: dark blue, teal, green, yellow.
_STOPS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)])
_WIDTH = 1200  # pixels of a page
_GAP = 6
_TITLE = 22
MAX_MAPS = 256  # of one layer; more would be unreadable


def _colours(values: FloatArray) -> FloatArray:
    """RGB for values; the smallest is dark, the largest bright, what is no number is grey."""
    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    share = np.where(finite, (values - low) / (high - low or 1), 0) * (len(_STOPS) - 1)
    index = np.minimum(share.astype(int), len(_STOPS) - 2)
    part = (share - index)[..., None]
    rgb = _STOPS[index] * (1 - part) + _STOPS[index + 1] * part
    return np.where(finite[..., None], rgb, 128).astype(np.uint8)


def maps_of(tensor: Tensor, values: FloatArray) -> list[FloatArray]:
    """The values as two-dimensional maps: one for each channel, or one row of numbers."""
    axes = list(tensor.axes)
    if values.ndim < 2:
        return [values.reshape(1, -1)]
    if values.ndim == 2:
        return [values]
    rows, columns = (
        (axes.index("height"), axes.index("width"))
        if {"height", "width"} <= set(axes)
        else (values.ndim - 2, values.ndim - 1)
    )
    others = [axis for axis in range(values.ndim) if axis not in (rows, columns)]
    moved = values.transpose([*others, rows, columns])
    return list(moved.reshape(-1, *moved.shape[-2:]))


def write_maps(target: str | Path, pictures: Mapping[str, Sequence[FloatArray]]) -> None:
    """A PNG with a titled row of heat maps for each name; every row has its own colour scale."""
    from PIL import Image, ImageDraw

    rows = []
    for title, maps in pictures.items():
        if len(maps) > MAX_MAPS:
            title, maps = f"{title}: the first {MAX_MAPS} of {len(maps)}", maps[:MAX_MAPS]
        rows.append((title, _grid(maps)))
    if not rows:
        raise UnsupportedError("there is nothing to draw")
    height = sum(picture.height + _TITLE + _GAP for _, picture in rows) + _GAP
    page = Image.new("RGB", (_WIDTH, height), "white")
    draw = ImageDraw.Draw(page)
    y = _GAP
    for title, picture in rows:
        _label(draw, (_GAP, y), title)
        page.paste(picture, (_GAP, y + _TITLE))
        y += picture.height + _TITLE + _GAP
    with atomic(target) as place:
        page.save(place, format="PNG")


def _label(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str) -> None:
    draw.text(place, text, fill="black", font_size=14)


def _grid(maps: Sequence[FloatArray]) -> Image.Image:
    """Maps side by side in as many rows as they need, enlarged to be seen."""
    from PIL import Image

    stacked = np.stack(maps).astype(float)
    colours = _colours(stacked)
    count, rows, columns = stacked.shape
    room = _WIDTH - 2 * _GAP
    zoom = max(1, min(24, 96 // max(rows, 1), room // max(columns, 1)))
    width, height = min(columns * zoom, room), rows * zoom
    across = max(1, (room + _GAP) // (width + _GAP))
    down = -(-count // across)
    grid = Image.new("RGB", (min(count, across) * (width + _GAP), down * (height + _GAP)), "white")
    for number in range(count):
        picture = Image.fromarray(colours[number]).resize((width, height), Image.Resampling.NEAREST)
        x, y = number % across * (width + _GAP), number // across * (height + _GAP)
        grid.paste(picture, (x, y))
    return grid


def write_weight(target: str | Path, weights: Sequence[Weight]) -> None:
    """A PNG of weights, channels-first: a map for each pair of channels."""
    pictures = {}
    for weight in weights:
        axes = weight.channels_first_axes
        values = weight.channels_first
        tensor = Tensor(weight.name, axes, values.shape)
        pictures[f"{weight.name} {values.shape}"] = maps_of(tensor, values)
    write_maps(target, pictures)
