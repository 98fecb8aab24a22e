"""The confusion matrix and the calibration as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsheet.engine.class_report import ClassReport
from netsheet.language import translated, word
from netsheet.write.pictures.draw import INK, PALE, colour_of
from netsheet.write.pictures.fonts import drawable, font_for

if TYPE_CHECKING:
    from PIL.Image import Image

RIGHT, WRONG = (52, 160, 120), (249, 115, 22)  # colours of what was found right, and taken wrongly
BLUE = (59, 130, 246)
CELL, SMALL = 46, 6  # pixels of a cell, and of one where there are very many classes
SIDE = 1000  # pixels that a matrix takes at most
NUMBERED = 26  # pixels that a cell needs for its number
PLOT, EDGE = 360, 56


def confusion_picture(report: ClassReport, lang: str = "en") -> Image:
    """True classes down, found ones across; each row is coloured by its shares."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    size = len(report.names)
    cell = max(SMALL, min(CELL, SIDE // size))
    labels = [name if drawable(name) else str(n) for n, name in enumerate(report.names)]
    labels = [label if len(label) < 17 else f"{label[:15]}…" for label in labels]
    measure = ImageDraw.Draw(Pillow.new("RGB", (1, 1)))
    fonts = [font_for(label, 12) for label in labels]
    wide = max(
        int(measure.textlength(one, font=font)) for one, font in zip(labels, fonts, strict=True)
    )
    left, top = wide + 52, wide + 56
    picture = Pillow.new("RGB", (left + size * cell + 16, top + size * cell + 16), "white")
    draw = ImageDraw.Draw(picture)
    title = translated(f"found {report.accuracy:.2%} right", lang)
    draw.text((12, 8), title, fill=INK, font=font_for(title, 15))
    across, down = word("found", lang), word("true", lang)
    draw.text((left, 32), f"{across} →", fill=INK, font=font_for(f"{across} →", 12))
    draw.text((12, top - 18), f"{down} ↓", fill=INK, font=font_for(f"{down} ↓", 12))
    shares = report.counts / np.maximum(report.counts.sum(1, keepdims=True), 1)
    fills = colour_of(shares**0.5, 0, 1, (WRONG, WRONG))  # few mistakes are seen as well
    own = np.arange(size)
    fills[own, own] = colour_of(np.diag(shares) ** 0.5, 0, 1, (RIGHT, RIGHT))
    for row in range(size):
        if cell >= 12:
            y = top + row * cell + cell / 2
            draw.text((left - 6, y), labels[row], fill=INK, font=fonts[row], anchor="rm")
            _upright(picture, labels[row], left + row * cell, top - 4, cell)
        for column in range(size):
            box = (left + column * cell, top + row * cell)
            far = (box[0] + cell - 1, box[1] + cell - 1)
            draw.rectangle((*box, *far), fill=tuple(fills[row, column].tolist()), outline=PALE)
            count = int(report.counts[row, column])
            if cell >= NUMBERED and count:
                middle = (box[0] + cell / 2, box[1] + cell / 2)
                size_of_text = 12 if count < 1000 else 10
                draw.text(middle, str(count), fill=INK, font_size=size_of_text, anchor="mm")
    return picture


def _upright(picture: Image, text: str, x: int, bottom: int, cell: int) -> None:
    """A label that runs upwards over its column."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    font = font_for(text, 12)
    length = int(ImageDraw.Draw(picture).textlength(text, font=font)) + 2
    strip = Pillow.new("RGB", (length, 16), "white")
    ImageDraw.Draw(strip).text((0, 8), text, fill=INK, font=font, anchor="lm")
    picture.paste(strip.rotate(90, expand=True), (x + (cell - 16) // 2, bottom - length))


def calibration_picture(report: ClassReport, lang: str = "en") -> Image:
    """How often the network is right (up) where it is so certain (right); a line: they agree."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    picture = Pillow.new("RGB", (PLOT + EDGE + 20, PLOT + 2 * EDGE), "white")
    draw = ImageDraw.Draw(picture)
    left, bottom = EDGE, PLOT + EDGE - 12

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x * PLOT, bottom - y * PLOT

    title = translated(f"calibration error {report.calibration_error:.4f}", lang)
    draw.text((12, 8), title, fill=INK, font=font_for(title, 15))
    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        draw.line((*place(mark, 0), *place(mark, 1)), fill=PALE)
        draw.line((*place(0, mark), *place(1, mark)), fill=PALE)
        draw.text((place(mark, 0)[0], bottom + 4), f"{mark:g}", fill=INK, font_size=11, anchor="ma")
        draw.text((left - 6, place(0, mark)[1]), f"{mark:g}", fill=INK, font_size=11, anchor="rm")
    most = max(one.samples for one in report.calibration)
    for one in report.calibration:
        if one.samples:
            width = 0.9 * (one.samples / most) ** 0.5 / len(report.calibration)
            middle = (one.low + one.high) / 2
            (x0, y0), (x1, y1) = (
                place(middle - width / 2, one.accuracy),
                place(middle + width / 2, 0),
            )
            draw.rectangle((x0, y0, x1, y1), fill=(191, 219, 254), outline=BLUE)
            x, y = place(one.certainty, one.accuracy)
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=BLUE)
    draw.line((*place(0, 0), *place(1, 1)), fill=INK, width=1)
    said = word("how certain the network is", lang)
    draw.text((left + PLOT / 2, bottom + 22), said, fill=INK, font=font_for(said, 12), anchor="ma")
    said = word("share that is right; bars as wide as there are samples", lang)
    draw.text((left + PLOT / 2, bottom + 40), said, fill=INK, font=font_for(said, 12), anchor="ma")
    return picture
