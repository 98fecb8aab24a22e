"""What a network loses layer by layer, as a picture of bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netsheet.files import atomic
from netsheet.write.pictures.curves import ticks
from netsheet.write.pictures.draw import INK, PALE, Colour
from netsheet.write.pictures.fonts import font_for

ROW, BAR, WIDE, RIGHT, TOP, BELOW = 22, 14, 520, 150, 64, 40
GOOD: Colour = (59, 130, 246)
BAD: Colour = (249, 115, 22)
LETTERS = 13.0


@dataclass(frozen=True)
class NoiseBar:
    """A layer: its signal over noise in decibels, the share of its values that are cut off.

    ``hurts``: drawn in the colour of warning.
    """

    name: str
    decibels: float
    cut_off: float
    hurts: bool = False


def draw_noise(
    target: str | Path, bars: Sequence[NoiseBar], title: str, cut_off: str, caption: str = ""
) -> None:
    """Write a picture with a line for each layer, from the input downwards.

    ``title`` stands above, ``cut_off`` heads the column of shares, ``caption`` stands below. A
    layer without noise has a bar over the whole width.
    """
    from PIL import Image, ImageDraw

    fonts = [font_for(bar.name, LETTERS) for bar in bars]
    plain = font_for(title, LETTERS)
    left = 24 + max((int(f.getlength(b.name)) for f, b in zip(fonts, bars, strict=True)), default=0)
    known = [bar.decibels for bar in bars if math.isfinite(bar.decibels)]
    most = max([10.0, *known]) * 1.05
    bottom = TOP + ROW * len(bars)
    image = Image.new(
        "RGB", (left + WIDE + RIGHT, bottom + BELOW + (24 if caption else 0)), "white"
    )
    pen = ImageDraw.Draw(image)
    pen.text((24, 14), title, fill=INK, font=plain)
    edge, heading = left + WIDE + RIGHT - 16, font_for(cut_off, LETTERS)
    pen.text((edge, TOP - 12), cut_off, fill=INK, font=heading, anchor="rm")
    for value in ticks(0, most):
        x = left + value / most * WIDE
        pen.line([(x, TOP), (x, bottom)], fill=PALE)
        pen.text((x, bottom + 6), f"{value:.4g}", fill=INK, font=plain, anchor="ma")
    for number, (bar, font) in enumerate(zip(bars, fonts, strict=True)):
        middle = TOP + ROW * number + ROW // 2
        pen.text((left - 8, middle), bar.name, fill=INK, font=font, anchor="rm")
        share = 1.0 if math.isinf(bar.decibels) else max(bar.decibels, 0) / most
        if share:
            corners = [(left, middle - BAR // 2), (left + share * WIDE - 1, middle + BAR // 2 - 1)]
            pen.rectangle(corners, fill=BAD if bar.hurts else GOOD)
        exact = "∞" if math.isinf(bar.decibels) else f"{bar.decibels:.1f}"
        pen.text((left + share * WIDE + 6, middle), exact, fill=INK, font=plain, anchor="lm")
        if bar.cut_off:
            shown = f"{bar.cut_off:.2%}"
            pen.text((edge, middle), shown, fill=INK, font=plain, anchor="rm")
    pen.line([(left, TOP), (left, bottom), (left + WIDE, bottom)], fill=INK)
    if caption:
        pen.text((24, bottom + BELOW), caption, fill=INK, font=font_for(caption, LETTERS))
    kind = Path(target).suffix.lower().lstrip(".")
    with atomic(target) as path, path.open("wb") as file:
        image.save(file, format={"jpg": "JPEG"}.get(kind, kind.upper() or "PNG"))
