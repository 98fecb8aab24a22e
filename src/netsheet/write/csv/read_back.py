"""An edited CSV, in any layout, back into arrays."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.errors import FormatError, NetsheetError
from netsheet.write.csv.arrangement import Sheet, Weighted, page_path, pages
from netsheet.write.csv.layout import Layout, written_layout

Array = npt.NDArray[Any]


def import_csv(
    model: Weighted,
    edited: str | Path,
    *,
    layout: str | Path | Layout = "blocks",
    decimal: str = "point",
) -> dict[str, Array]:
    """Every weight as the CSV has it, by its full name, in the shape and dtype of the model's own.

    ``edited`` is what :func:`netsheet.write.csv.writer.write_csv` wrote in that layout, with other
    numbers. What a spreadsheet program changes when it saves is accepted: quotes, empty cells at
    the end of a row, line ends, notations of numbers.

    Raises:
        FormatError: a count, a name or a number is wrong; the message names the line.
    """
    chosen = written_layout(layout, decimal)
    values: dict[str, Array] = {}
    taken: set[str] = set()
    for page in pages(model, chosen, "\n"):
        lines = _Lines(page_path(Path(edited), page, taken), chosen)
        lines.expect(page.head, "the head of the file")
        for sheet in page.sheets:
            values[sheet.weight.name] = _sheet(lines, sheet)
        lines.expect(page.tail, "the end of the file")
        lines.finish()
    return values


def _sheet(lines: _Lines, sheet: Sheet) -> Array:
    name = sheet.weight.name
    table = np.empty((sheet.rows, sheet.columns), np.float64)
    at = np.empty(sheet.rows, np.int64)  # the line of each row
    lines.expect(sheet.before, name)
    texts, unit = sheet.texts(), sheet.unit_rows
    for row in range(sheet.rows):
        *before, label = next(texts).split(b"\n") if row % unit == 0 else [b""]
        for line in before:
            lines.expect(line + b"\n", name)
        at[row], table[row] = lines.numbers(label, sheet.columns, name, row)
    lines.expect(sheet.end, name)
    dtype = sheet.weight.values.dtype
    with np.errstate(over="ignore", invalid="ignore"):
        made = table.astype(dtype)
        exact = np.isfinite(made) if dtype.kind not in "iub" else made.astype(np.float64) == table
    wrong = np.argwhere(~exact & (np.isfinite(table) | (dtype.kind in "iub")))
    if len(wrong):
        row, column = wrong[0]
        raise FormatError(
            f"{lines.path}, line {at[row]}: {table[row, column]:g} cannot be a value of {name}, "
            f"which is {dtype}."
        )
    return sheet.restore(made)


class _Lines:
    """The rows of a CSV one after the other, compared with what the layout expects."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self.comma = layout.decimal == "comma"
        self.delimiter = layout.delimiter.strip(" ") or " "
        if len(self.delimiter) != 1:
            raise FormatError(
                f"layout {layout.name}: a CSV with the separator {layout.separator!r} cannot be "
                "read back; only one character (and spaces) can."
            )
        self._rows = self._read()

    def _read(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of its line; empty cells at the end are left out."""
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.reader(file, delimiter=self.delimiter)
                for row in reader:
                    yield reader.line_num, _trimmed(row)
        except FileNotFoundError as error:
            raise NetsheetError(f"{self.path}: no such file.") from error
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FormatError(f"{self.path}: cannot be read as CSV: {error}.") from error

    def expect(self, text: bytes, where: str) -> None:
        """Consume lines that must say ``text``; blank ones may be missing at the end."""
        expected = csv.reader(text.decode().splitlines(), delimiter=self.delimiter)
        for wanted in map(_trimmed, expected):
            number, found = next(self._rows, (0, None))
            if found is None and not wanted:
                continue
            if found is None:
                raise FormatError(f"{self.path}: ends before {self._text(wanted)} of {where}.")
            if found != wanted:
                raise FormatError(
                    f"{self.path}, line {number}: {self._text(found)} where the layout has "
                    f"{self._text(wanted)} ({where})."
                )

    def numbers(self, label: bytes, count: int, name: str, row: int) -> tuple[int, list[float]]:
        """The line and the numbers of a row, behind the cells of its label."""
        number, found = next(self._rows, (0, None))
        if found is None:
            raise FormatError(f"{self.path}: ends in {name}, before its row {row + 1}.")
        if label:
            first = next(csv.reader([label.decode()], delimiter=self.delimiter))[:-1]
            wanted = [cell.strip() for cell in first]
            if found[: len(wanted)] != wanted:
                raise FormatError(
                    f"{self.path}, line {number}: {self._text(found[: len(wanted)])} where the "
                    f"layout has {self._text(wanted)}."
                )
            found = found[len(wanted) :]
        if len(found) != count:
            raise FormatError(
                f"{self.path}, line {number}: has {len(found)} numbers; {name} has {count} "
                f"in row {row + 1}."
            )
        if self.comma:
            found = [cell.replace(",", ".") for cell in found]
        try:
            return number, [float(cell) for cell in found]
        except ValueError:
            bad = next(cell for cell in found if not _is_number(cell))
            raise FormatError(
                f"{self.path}, line {number}: {bad!r} is not a number ({name}, row {row + 1})."
            ) from None

    def finish(self) -> None:
        """Refuse anything but blank lines behind the end."""
        for number, row in self._rows:
            if row:
                raise FormatError(
                    f"{self.path}, line {number}: {self._text(row)} after the last weight."
                )

    def _text(self, row: list[str]) -> str:
        text = self.delimiter.join(row)
        return repr(text if len(text) <= 60 else f"{text[:57]}...") if row else "a blank line"


def _trimmed(row: list[str]) -> list[str]:
    cells = [cell.strip() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
