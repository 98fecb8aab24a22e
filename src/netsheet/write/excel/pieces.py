"""A formula as pieces: text, and references whose rows and columns are arrays over many cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from netsheet.write.excel.functions import FORMS, Form, Level, number_text
from netsheet.write.excel.place import IntArray

_REFERENCE_LENGTH = 12  # an upper estimate: $XFD$999999, with ! and quotes for a sheet


@dataclass(frozen=True, eq=False)
class Ref:
    """One cell at each point; ``sheet`` is None inside a sheet, ``weight`` marks stored numbers."""

    sheet: str | None
    rows: IntArray
    cols: IntArray
    weight: bool


@dataclass(frozen=True, eq=False)
class Numbers:
    """A number that differs from point to point."""

    values: IntArray


Piece = str | Ref | Numbers


class Text(NamedTuple):
    """Pieces in order, and how tightly what they say binds."""

    pieces: tuple[Piece, ...]
    level: Level = Level.ATOM

    def at(self, level: Level) -> tuple[Piece, ...]:
        """The pieces, in brackets if they bind less tightly than ``level``."""
        return self.pieces if self.level >= level else ("(", *self.pieces, ")")

    @property
    def length(self) -> int:
        """An upper estimate of the number of characters."""
        return sum(
            len(piece)
            if isinstance(piece, str)
            else _REFERENCE_LENGTH + len(getattr(piece, "sheet", None) or "") + 3
            for piece in self.pieces
        )

    @property
    def zero(self) -> bool:
        """True for the plain number 0."""
        return self.pieces == ("0",)


def plain(value: float) -> Text:
    """A plain number."""
    text = number_text(value)
    return Text((text,), Level.SIGN if text.startswith("-") else Level.ATOM)


def added(texts: Sequence[Text]) -> Text:
    """The texts added up."""
    if len(texts) == 1:
        return texts[0]
    pieces: list[Piece] = []
    for text in texts:
        pieces += ["+", *text.at(Level.ADD)]
    return Text(tuple(pieces[1:]), Level.ADD)


def product(texts: Sequence[Text]) -> Text:
    """The texts multiplied."""
    if len(texts) == 1:
        return texts[0]
    pieces: list[Piece] = []
    for text in texts:
        pieces += ["*", *text.at(Level.MULTIPLY)]
    return Text(tuple(pieces[1:]), Level.MULTIPLY)


def combined(name: str, texts: Sequence[Text]) -> Text:
    """A function of the equations applied to texts; adding or multiplying 0 leaves no trace."""
    if name == "add" and texts[0].zero:
        return texts[1]
    if name in ("add", "sub") and texts[1].zero:
        return texts[0]
    if name == "mul" and (texts[0].zero or texts[1].zero):
        return plain(0)
    return filled(FORMS[name], texts)


def filled(form: Form, texts: Sequence[Text]) -> Text:
    """The form's template with the operands put in."""
    pieces: list[Piece] = []
    for part in form.template.replace("{", "\0{").replace("}", "}\0").split("\0"):
        if part.startswith("{"):
            number = int(part[1:-1])
            needed = form.needs[number] if form.needs else Level.COMPARE
            pieces += texts[number].at(needed)
        elif part:
            pieces.append(part)
    return Text(tuple(pieces), form.level)
