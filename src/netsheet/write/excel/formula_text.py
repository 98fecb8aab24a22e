"""A formula as parts: text, and references whose rows and columns are arrays over many cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from netsheet.write.excel.placement import IntArray
from netsheet.write.excel.spreadsheet_functions import FORMS, Binding, FunctionForm, number_text

_REFERENCE_LENGTH = 12  # an upper estimate: $XFD$999999, with ! and quotes for a sheet


@dataclass(frozen=True, eq=False)
class CellReference:
    """One cell at each point; ``sheet`` is None inside a sheet, ``weight`` marks stored numbers."""

    sheet: str | None
    rows: IntArray
    cols: IntArray
    weight: bool


@dataclass(frozen=True, eq=False)
class VaryingNumber:
    """A number that differs from point to point."""

    values: IntArray


def same_sheet(end: CellReference) -> CellReference:
    """The second corner of a range, which never repeats the sheet."""
    return CellReference(None, end.rows, end.cols, end.weight)


FormulaPart = str | CellReference | VaryingNumber


class FormulaText(NamedTuple):
    """Pieces in order, and how tightly what they say binds."""

    pieces: tuple[FormulaPart, ...]
    level: Binding = Binding.ATOM

    def at(self, level: Binding) -> tuple[FormulaPart, ...]:
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


def plain(value: float) -> FormulaText:
    """A plain number."""
    text = number_text(value)
    return FormulaText((text,), Binding.SIGN if text.startswith("-") else Binding.ATOM)


def added(texts: Sequence[FormulaText]) -> FormulaText:
    """The texts added up."""
    if len(texts) == 1:
        return texts[0]
    pieces: list[FormulaPart] = []
    for text in texts:
        pieces += ["+", *text.at(Binding.ADD)]
    return FormulaText(tuple(pieces[1:]), Binding.ADD)


def product(texts: Sequence[FormulaText]) -> FormulaText:
    """The texts multiplied."""
    if len(texts) == 1:
        return texts[0]
    pieces: list[FormulaPart] = []
    for text in texts:
        pieces += ["*", *text.at(Binding.MULTIPLY)]
    return FormulaText(tuple(pieces[1:]), Binding.MULTIPLY)


def combined(name: str, texts: Sequence[FormulaText]) -> FormulaText:
    """A function of the equations applied to texts; adding or multiplying 0 leaves no trace."""
    if name == "add" and texts[0].zero:
        return texts[1]
    if name in ("add", "sub") and texts[1].zero:
        return texts[0]
    if name == "mul" and (texts[0].zero or texts[1].zero):
        return plain(0)
    return filled(FORMS[name], texts)


def filled(form: FunctionForm, texts: Sequence[FormulaText]) -> FormulaText:
    """The form's template with the operands put in."""
    pieces: list[FormulaPart] = []
    for part in form.template.replace("{", "\0{").replace("}", "}\0").split("\0"):
        if part.startswith("{"):
            number = int(part[1:-1])
            needed = form.needs[number] if form.needs else Binding.COMPARE
            pieces += texts[number].at(needed)
        elif part:
            pieces.append(part)
    return FormulaText(tuple(pieces), form.level)
