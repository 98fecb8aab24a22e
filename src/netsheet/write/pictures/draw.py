"""Arrays as pictures: titled blocks of heat maps with their scale, packed on a page.

Colours are the workbook's: one on either side of a white zero, equally strong for equally large
numbers; pictures that go in are grey or in their own colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import FloatArray, Tensor, Weight
from netsheet.errors import UnsupportedError, UsageError, one_line
from netsheet.files import atomic
from netsheet.language import translated, word
from netsheet.write.pictures.fonts import drawable, font_for
from netsheet.write.pictures.planes import planes_of

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
VALUES: tuple[Colour, Colour] = ((59, 130, 246), (249, 115, 22))  # below and above zero
WEIGHTS: tuple[Colour, Colour] = ((167, 139, 250), (52, 211, 153))
NO_NUMBER: Colour = (128, 128, 128)
INK, PALE = (31, 41, 55), (203, 210, 220)

WIDTH = 1350  # pixels of a page: a screen of 1366 without its scroll bar
HIGHEST = 30_000  # more than this many rows of pixels no viewer shows
GAP, TITLE, SCALE, MARGIN = 6, 20, 22, 12
SIDE = 72  # pixels that a small map is enlarged to
LABEL_HEIGHT, LABEL_SIDE, MOST_LABELS = 28, 44, 24
MAX_MAPS = 256  # of one layer; more would be unreadable


@dataclass(frozen=True, eq=False)
class Block:
    """Something to be drawn: planes of one tensor that share a scale.

    ``labels`` name the values of a single row; ``colours`` are those below and above zero, None
    for grey from the smallest to the largest value. ``rgb``: the planes are red, green and blue.
    ``across``: so many planes stand beside each other, if they fit; 0: as it looks best.
    ``ground``: a grey picture (0 .. 255) that shines through where values are small.
    """

    title: str
    planes: Sequence[FloatArray]
    labels: Sequence[str] = ()
    colours: tuple[Colour, Colour] | None = VALUES
    rgb: bool = False
    across: int = 0
    ground: FloatArray | None = None


def value_block(
    title: str, tensor: Tensor, values: FloatArray, labels: Sequence[str] = ()
) -> Block:
    """A layer's output (without batch axis); a vector of few values gets its labels."""
    planes = [plane for _, plane in planes_of(tensor, values)]
    if values.ndim == 1 and values.size <= MOST_LABELS:
        labels = labels if len(labels) == values.size else [str(n) for n in range(values.size)]
        shown = [text if drawable(text) else str(n) for n, text in enumerate(labels)]
        return Block(title, planes, shown)
    return Block(title, planes)


def input_block(title: str, tensor: Tensor, values: FloatArray) -> Block:
    """What goes in: a picture as it looks, anything else as values."""
    planes = [plane for _, plane in planes_of(tensor, values)]
    if not {"height", "width"} <= set(tensor.axes) and values.ndim != 2:
        return Block(title, planes)
    return Block(title, planes, colours=None, rgb=len(planes) == 3)


# --------------------------------------------------------------------------- colours


def _extent(planes: Sequence[FloatArray]) -> tuple[float, float]:
    flat = np.concatenate([plane.reshape(-1) for plane in planes]).astype(float)
    finite = flat[np.isfinite(flat)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def colour_of(
    values: FloatArray, low: float, high: float, colours: tuple[Colour, Colour] | None
) -> FloatArray:
    """RGB for values: white at zero, full colour at the larger of ``-low`` and ``high``.

    Without ``colours`` black at ``low`` and white at ``high``. What is no number is grey (in grey
    pictures: violet).
    """
    values = np.asarray(values, float)
    finite = np.isfinite(values)
    safe = np.where(finite, values, 0.0)
    if colours is None:
        level = np.clip((safe - low) / ((high - low) or 1.0), 0, 1)[..., None] * 255
        rgb = np.repeat(level, 3, axis=-1)
        nothing: Colour = (150, 60, 150)
    else:
        share = np.clip(safe / (max(-low, high) or 1.0), -1, 1)[..., None]
        ends = np.where(share < 0, np.array(colours[0], float), np.array(colours[1], float))
        rgb = 255 + (ends - 255) * np.abs(share)
        nothing = NO_NUMBER
    return np.where(finite[..., None], rgb, nothing).round().astype(np.uint8)


def laid_over(plane: FloatArray, ground: FloatArray, low: float, high: float) -> FloatArray:
    """RGB of the ground, covered by the colours of values: the larger, the less it shines through.

    Values of another size are stretched to that of the ground.
    """
    from PIL import Image

    height, width = ground.shape
    stretched = Image.fromarray(np.nan_to_num(np.asarray(plane, np.float32)), "F")
    if plane.shape != ground.shape:
        stretched = stretched.resize((width, height), Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(stretched) / (max(-low, high) or 1.0), -1, 1)[..., None]
    ends = np.where(share < 0, np.array(VALUES[0], float), np.array(VALUES[1], float))
    rgb = ground[..., None] * (1 - np.abs(share)) + ends * np.abs(share)
    return np.asarray(rgb.round(), np.uint8)


def ground_of(tensor: Tensor, values: FloatArray) -> FloatArray | None:
    """A picture as grey values from 0 to 255; None for what is no picture."""
    if not {"height", "width"} <= set(tensor.axes) <= {"height", "width", "channel"}:
        return None
    order = [axis for axis in ("channel", "height", "width") if axis in tensor.axes]
    planes = np.transpose(values, [tensor.axes.index(axis) for axis in order])
    grey = planes.mean(axis=0) if "channel" in order else planes
    low, high = _extent([grey])
    return np.asarray((grey - low) / ((high - low) or 1.0) * 255)


# --------------------------------------------------------------------------- blocks and pages


def write_blocks(
    target: str | Path, sections: Mapping[str, Sequence[Block]], lang: str = "en"
) -> None:
    """A PNG of the sections, one below the other; blocks stand beside each other while they fit.

    ``lang`` is the language of what is said in it, ``en`` or ``ja``.

    Raises:
        UnsupportedError: there is nothing to draw.
        UsageError: the picture would be longer than viewers show.
    """
    from PIL import Image, ImageDraw

    drawn = {
        title: [_picture(block, lang) for block in blocks] for title, blocks in sections.items()
    }
    if not any(drawn.values()):
        raise UnsupportedError("there is nothing to draw")
    places: list[tuple[int, int, Image.Image]] = []
    titles: list[tuple[int, str]] = []
    y = MARGIN
    for title, pictures in drawn.items():
        if title:
            titles.append((y, one_line(translated(title, lang))))
            y += TITLE + 8
        x = tall = 0
        for picture in pictures:
            if x and x + picture.width > WIDTH - 2 * MARGIN:
                x, y, tall = 0, y + tall + MARGIN, 0
            places.append((MARGIN + x, y, picture))
            x, tall = x + picture.width + 2 * MARGIN, max(tall, picture.height)
        y += tall + MARGIN
    if y > HIGHEST:
        raise UsageError(
            f"{target}: the picture would be {y:,} pixels high; draw fewer samples (--samples) or "
            "layers (--layer)."
        )
    width = max(place[0] + place[2].width for place in places) + MARGIN
    page = Image.new("RGB", (width, y), "white")
    draw = ImageDraw.Draw(page)
    for top, title in titles:
        draw.text((MARGIN, top), title, fill=INK, font=font_for(title, 18))
    for left, top, picture in places:
        page.paste(picture, (left, top))
    with atomic(target) as place:
        page.save(place, format="PNG")


def _picture(block: Block, lang: str) -> Image.Image:
    """One block: title, maps, scale."""
    from PIL import Image, ImageDraw

    title, planes = one_line(block.title), list(block.planes)
    if len(planes) > MAX_MAPS:
        title = translated(f"{title}: the first {MAX_MAPS} of {len(planes)}", lang)
        planes = planes[:MAX_MAPS]
    low, high = _extent(planes)
    if block.labels:
        maps = _labelled(planes[0], block.labels, low, high, block.colours or VALUES)
    elif block.rgb:
        stacked = np.stack([colour_of(p, low, high, None)[..., 0] for p in planes], axis=-1)
        maps = _grid(stacked[None])
    elif block.ground is not None:
        maps = _grid(
            np.stack([laid_over(p, block.ground, low, high) for p in planes]), block.across
        )
    else:
        coloured = np.stack([colour_of(plane, low, high, block.colours) for plane in planes])
        maps = _grid(coloured, block.across)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    font = font_for(title, 13)
    wide = max(maps.width, int(measure.textlength(title, font=font)) + 2, 150)
    picture = Image.new(
        "RGB", (min(wide, WIDTH - 2 * MARGIN), TITLE + maps.height + SCALE), "white"
    )
    draw = ImageDraw.Draw(picture)
    draw.text((0, 1), title, fill=INK, font=font)
    picture.paste(maps, (0, TITLE))
    _scale(picture, draw, TITLE + maps.height + 5, (low, high), block.colours)
    return picture


def _scale(
    picture: Image.Image, draw: ImageDraw.ImageDraw, y: int, ends: tuple[float, float],
    colours: tuple[Colour, Colour] | None,
) -> None:  # fmt: skip
    """The colours between two numbers, and where zero is."""
    from PIL import Image

    low, high = ends
    if colours is not None:
        low, high = min(low, 0.0), max(high, 0.0)
    left = f"{low:.3g}"
    draw.text((0, y), left, fill=INK, font_size=11)
    x = int(draw.textlength(left, font_size=11)) + 5
    steps = np.linspace(low, high, 60)[None]
    bar = Image.fromarray(np.repeat(colour_of(steps, *ends, colours), 10, axis=0))
    picture.paste(bar, (x, y + 2))
    draw.rectangle((x - 1, y + 1, x + 60, y + 12), outline=PALE)
    if colours is not None and low < 0 < high:
        zero = x + round(59 * -low / (high - low))
        draw.line((zero, y + 1, zero, y + 12), fill=INK)
    draw.text((x + 65, y), f"{high:.3g}", fill=INK, font_size=11)


def _grid(colours: FloatArray, wanted: int = 0) -> Image.Image:
    """Maps (number, rows, columns, RGB) side by side in rows, enlarged to be seen, with frames."""
    from PIL import Image, ImageDraw

    count, rows, columns, _ = colours.shape
    room = WIDTH - 2 * MARGIN
    side = SIDE if count > 1 else 2 * SIDE
    zoom = max(1, min(24, side // max(rows, 1), room // max(columns, 1)))
    if rows == 1:
        zoom = max(1, min(16, room // columns))
    width, height = min(columns * zoom, room - 2), max(rows * zoom, 10 if rows == 1 else 1)
    across = max(1, min(room // (width + GAP), wanted or _across(count, width, height)))
    down = -(-count // across)
    size = (min(count, across) * (width + GAP), down * (height + GAP))
    grid = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(grid)
    for number in range(count):
        picture = Image.fromarray(colours[number]).resize((width, height), Image.Resampling.NEAREST)
        x, y = number % across * (width + GAP) + 1, number // across * (height + GAP) + 1
        grid.paste(picture, (x, y))
        draw.rectangle((x - 1, y - 1, x + width, y + height), outline=PALE)
    return grid


def _across(count: int, width: int, height: int) -> int:
    """How many maps stand beside each other, so that the block is twice as wide as it is high."""
    wanted: float = (2 * count * (height + GAP) / (width + GAP)) ** 0.5
    return max(1, round(wanted))


def _labelled(
    row: FloatArray, labels: Sequence[str], low: float, high: float, colours: tuple[Colour, Colour]
) -> Image.Image:
    """One value a cell, with its number in it and its label below."""
    from PIL import Image, ImageDraw

    values = row.reshape(-1)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    fonts = [font_for(text, 11) for text in labels]
    lengths = [measure.textlength(t, font=font) for t, font in zip(labels, fonts, strict=True)]
    wide = max(LABEL_SIDE, *(int(length) + 6 for length in lengths))
    across = max(1, min(len(labels), (WIDTH - 2 * MARGIN) // wide))
    down = -(-len(labels) // across)
    picture = Image.new("RGB", (across * wide + 1, down * (LABEL_HEIGHT + 18)), "white")
    draw = ImageDraw.Draw(picture)
    fills = colour_of(values, low, high, colours)
    for number, (value, text) in enumerate(zip(values, labels, strict=True)):
        x, y = number % across * wide, number // across * (LABEL_HEIGHT + 18)
        fill = tuple(int(part) for part in fills[number])
        draw.rectangle((x, y, x + wide, y + LABEL_HEIGHT), fill=fill, outline=PALE)
        shown = f"{float(value):.3g}" if 1e-3 <= abs(value) < 1e5 or not value else f"{value:.0e}"
        draw.text((x + wide / 2, y + 14), shown, fill=INK, font_size=11, anchor="mm")
        below = (x + wide / 2, y + LABEL_HEIGHT + 8)
        draw.text(below, text, fill=INK, font=fonts[number], anchor="mm")
    return picture


def write_weight(target: str | Path, weights: Sequence[Weight], lang: str = "en") -> None:
    """A PNG of weights, channels-first: a map for each pair of channels; ``lang`` as above."""
    blocks = []
    for weight in weights:
        values = weight.channels_first
        tensor = Tensor(weight.name, weight.channels_first_axes, values.shape)
        axes = ", ".join(word(axis, lang) for axis in weight.channels_first_axes)
        title = f"{weight.name} {values.shape} ({axes})"
        planes = [plane for _, plane in planes_of(tensor, values)]
        inner = values.shape[1] if values.ndim > 3 else 0  # a row of maps for each output channel
        blocks.append(Block(title, planes, colours=WEIGHTS, across=inner))
    write_blocks(target, {"": blocks}, lang)
