"""How cells look: the few looks that all sheets share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CellLook:
    """How a cell looks; ``digits`` is a number format."""

    size: float = 10
    bold: bool = False
    colour: str = "000000"
    fill: str | None = None
    digits: str | None = None
    align: str | None = None
    mono: bool = False
    underline: bool = False
    wrap: bool = False
    shrink: bool = False
    upright: bool = False  # text that runs upwards
    border: str | None = None


INK, GREY, BLUE = "1F2937", "8A94A6", "1D4ED8"
TITLE = CellLook(18, bold=True, colour=INK)
PLAIN = CellLook(colour=INK)
NOTE = CellLook(9, colour=GREY)
HEADING = CellLook(11, bold=True, colour=INK)
FORMULA = CellLook(10, colour=INK, mono=True)
INDEX = CellLook(8, colour=GREY, align="center")
NAME = CellLook(8, colour=GREY)
LINK = CellLook(10, colour=BLUE, underline=True)
HEAD = CellLook(10, bold=True, colour="FFFFFF", fill="334155")
CHOICE = CellLook(12, bold=True, colour=INK, fill="FEF3C7", border="B45309")
FIGURE = CellLook(10, colour=INK, digits="0.000000", shrink=True)
WHOLE = CellLook(10, colour=INK, digits="#,##0")
SMALL = CellLook(10, colour=INK, digits="0.0E+00")
RESULT = CellLook(14, bold=True, colour=INK)
VERDICT = CellLook(10, bold=True, colour=INK, align="center")
SQUARE = CellLook(8, colour=INK, digits="0.00", align="center", shrink=True)
PIXEL = CellLook(8, colour="808080", digits="0", align="center", shrink=True)
UPRIGHT = CellLook(8, colour=INK, digits="General", align="center", upright=True)
WIDE = CellLook(10, colour=INK, digits="General", align="left")
VALUE = CellLook(10, colour=INK, digits="0.0000", align="center", shrink=True)
TOKEN = CellLook(10, colour=INK, digits="0", align="center", shrink=True)
DIGITS = "digits"  # the name of the cell that says how many digits are shown: 4 or 8
VALUE_COLOURS = ("3B82F6", "F97316")
WEIGHT_COLOURS = ("A78BFA", "34D399")


def all_digits(largest: float) -> str:
    """The format with eight significant digits of values up to ``largest``."""
    if 0 < largest < 1e-3 or not largest < 1e7:  # also what is no number, or infinite
        return "0.0000000E+00"
    before = len(str(int(largest)))
    return "0." + "0" * (8 - before)
