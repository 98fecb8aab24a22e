"""A contact sheet: many small pictures in rows, each with a line below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.files import atomic
from netsheet.language import translated
from netsheet.write.pictures.draw import INK, MARGIN, PALE, WIDTH
from netsheet.write.pictures.fonts import drawable, font_for

if TYPE_CHECKING:
    from PIL import Image

Bytes = npt.NDArray[np.uint8]

SIDE = 64  # pixels of a picture on the sheet
GAP, LINE, HEAD = 8, 15, 24
LETTERS = 10  # of what stands below a picture


@dataclass(frozen=True, eq=False)
class Contact:
    """A picture of (rows, columns, channels) in bytes, and what stands below it."""

    pixels: Bytes
    caption: str = ""


def write_contact_sheet(
    target: str | Path, rows: Sequence[tuple[str, Sequence[Contact]]], lang: str = "en"
) -> None:
    """A PNG: for each row its title and its pictures, which go on in the next line."""
    with atomic(target) as place:
        contact_sheet(rows, lang).save(place, format="PNG")


def contact_sheet(rows: Sequence[tuple[str, Sequence[Contact]]], lang: str = "en") -> Image.Image:
    """The same as a picture."""
    from PIL import Image, ImageDraw

    captions = LINE if any(one.caption for _, own in rows for one in own) else 0
    step = SIDE + GAP
    across = (WIDTH - 2 * MARGIN + GAP) // step
    most = max((min(len(own), across) for _, own in rows), default=1)
    lines = [-(-len(own) // across) for _, own in rows]
    height = MARGIN + sum(HEAD + n * (step + captions) for n in lines) + MARGIN
    sheet = Image.new("RGB", (max(2 * MARGIN + most * step, 320), height), "white")
    draw = ImageDraw.Draw(sheet)
    y = MARGIN
    for (title, own), down in zip(rows, lines, strict=True):
        text = translated(title, lang)
        draw.text((MARGIN, y), text, fill=INK, font=font_for(text, 14))
        for number, one in enumerate(own):
            x, top = (
                MARGIN + number % across * step,
                y + HEAD + number // across * (step + captions),
            )
            sheet.paste(_picture(one.pixels), (x, top))
            draw.rectangle((x - 1, top - 1, x + SIDE, top + SIDE), outline=PALE)
            if one.caption:
                _caption(draw, x, top + SIDE + 2, one.caption)
        y += HEAD + down * (step + captions)
    return sheet


def _caption(draw: Any, x: int, y: int, text: str) -> None:
    shown = text if drawable(text) else "?"
    if len(shown) > LETTERS + 1:
        shown = f"{shown[:LETTERS]}…" if drawable("…") else shown[:LETTERS]
    draw.text((x + SIDE / 2, y), shown, fill=INK, font=font_for(shown, 11), anchor="ma")


def _picture(pixels: Bytes) -> Image.Image:
    """In a square field of the sheet's ground; small pictures show their pixels."""
    from PIL import Image

    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels[..., :3]
    image = Image.fromarray(np.ascontiguousarray(flat)).convert("RGB")
    factor = SIDE / max(image.size)
    size = tuple(max(1, round(side * factor)) for side in image.size)
    how = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BOX
    field = Image.new("RGB", (SIDE, SIDE), (243, 244, 246))
    middle = ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2)
    field.paste(image.resize((size[0], size[1]), how), middle)
    return field
