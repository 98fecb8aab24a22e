"""Loss and accuracy over the epochs, as a picture of two panels of lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netsheet.files import atomic
from netsheet.write.pictures.draw import INK, PALE, Colour
from netsheet.write.pictures.fonts import font_for

if TYPE_CHECKING:
    from PIL import ImageDraw

PANEL, GAP, LEFT, TOP, BELOW = (420, 260), 24, 56, 40, 34
COLOURS: tuple[Colour, ...] = ((59, 130, 246), (249, 115, 22))
LETTERS = 13.0


@dataclass(frozen=True)
class Curve:
    """A named line over the epochs 1, 2, ...; None where there is no value."""

    name: str
    values: Sequence[float | None]


def draw_curves(target: str | Path, panels: Sequence[tuple[str, Sequence[Curve]]]) -> None:
    """Write a picture with one panel for each title and its curves, side by side.

    Panels without any value are left out.
    """
    from PIL import Image, ImageDraw

    drawn = [
        (title, [curve for curve in curves if any(v is not None for v in curve.values)])
        for title, curves in panels
    ]
    drawn = [(title, curves) for title, curves in drawn if curves]
    width = GAP + max(len(drawn), 1) * (LEFT + PANEL[0] + GAP)
    image = Image.new("RGB", (width, TOP + PANEL[1] + BELOW), "white")
    pen = ImageDraw.Draw(image)
    for number, (title, curves) in enumerate(drawn):
        _panel(pen, GAP + LEFT + number * (LEFT + PANEL[0] + GAP), title, curves)
    kind = Path(target).suffix.lower().lstrip(".")
    with atomic(target) as path, path.open("wb") as file:
        image.save(file, format={"jpg": "JPEG"}.get(kind, kind.upper() or "PNG"))


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``, a step of 1, 2 or 5 times a power of 10 apart."""
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _panel(pen: ImageDraw.ImageDraw, left: int, title: str, curves: Sequence[Curve]) -> None:
    known = [v for curve in curves for v in curve.values if v is not None and math.isfinite(v)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    pad = (high - low) * 0.05 or abs(high) * 0.05 or 0.5
    low, high = low - pad, high + pad
    epochs = max(len(curve.values) for curve in curves)
    right, bottom = left + PANEL[0], TOP + PANEL[1]

    def place(epoch: int, value: float) -> tuple[float, float]:
        along = (epoch - 1) / max(epochs - 1, 1)
        return left + along * PANEL[0], bottom - (value - low) / (high - low) * PANEL[1]

    font = font_for(title, LETTERS)
    for value in ticks(low, high):
        _, y = place(1, value)
        pen.line([(left, y), (right, y)], fill=PALE)
        pen.text((left - 6, y), f"{value:.4g}", fill=INK, font=font, anchor="rm")
    for epoch in sorted({1, *(int(t) for t in ticks(1, max(epochs, 2), 8) if t >= 1), epochs}):
        if epoch <= epochs:
            x, _ = place(epoch, low)
            pen.line([(x, bottom), (x, bottom + 4)], fill=INK)
            pen.text((x, bottom + 7), str(epoch), fill=INK, font=font, anchor="ma")
    pen.line([(left, TOP), (left, bottom), (right, bottom)], fill=INK)
    pen.text((left, TOP - 26), title, fill=INK, font=font)
    across = left + 160
    for curve, colour in zip(curves, COLOURS, strict=False):
        points = [place(epoch, value) for epoch, value in enumerate(curve.values, 1)
                  if value is not None and math.isfinite(value)]  # fmt: skip
        if len(points) > 1:
            pen.line(points, fill=colour, width=2, joint="curve")
        for x, y in points if len(points) < 40 else ():
            pen.ellipse([(x - 2, y - 2), (x + 2, y + 2)], fill=colour)
        name, own = curve.name, font_for(curve.name, LETTERS)
        pen.line([(across, TOP - 18), (across + 22, TOP - 18)], fill=colour, width=2)
        pen.text((across + 28, TOP - 18), name, fill=INK, font=own, anchor="lm")
        across += 48 + int(pen.textlength(name, font=own))
