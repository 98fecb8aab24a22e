"""Tables of numbers and labels as people write them: any separator, encoding and column order."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.data.table_text import plain_numbers, separator_of, text_of, without_empty_end
from netsheet.errors import FormatError, NetsheetError, UsageError

Array = npt.NDArray[Any]

LABELS = ("label", "labels", "class", "target", "y", "species", "outcome", "category", "emotion",
          "variety", "diagnosis", "digit", "クラス", "ラベル")  # fmt: skip
NUMBERINGS = ("", "id", "index", "no", "unnamed: 0", "rownames")
_NUMERIC = re.compile(rb"[0-9+\-.eE,;\t \r\n]*\Z")


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of cells, with the heading where the first row was one."""

    path: Path
    heading: list[str] | None
    rows: list[list[str]]

    @property
    def first(self) -> int:
        """The number of the first row as an editor counts it, from 1."""
        return 2 if self.heading is not None else 1

    def column(self, name: str) -> int:
        """The column of that heading or number (from 0, from the end if negative).

        Raises:
            UsageError: there is none.
        """
        names = [one.strip().lower() for one in self.heading or []]
        if name.strip().lower() in names:
            return names.index(name.strip().lower())
        words = {"first": 0, "last": -1}
        number = words.get(name.lower(), int(name) if re.fullmatch(r"-?\d+", name) else None)
        width = len(self.rows[0])
        if number is None or not -width <= number < width:
            known = ", ".join(self.heading) if self.heading else f"0 to {width - 1}"
            raise UsageError(f"{self.path}: has no column {name!r}; it has {known}.")
        return number % width


def numbers_at_once(path: Path) -> Array | None:
    """The table of a file that holds nothing but numbers, read fast; None for any other.

    Whole numbers are int64, others float64, as :func:`netsheet.data.arrays.csv_numbers` has them.
    """
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError:
        return None
    if not data.strip() or not _NUMERIC.match(data):
        return None
    mark = separator_of(data[: 1 << 16].decode("ascii"))[0].encode()
    if (b";" in data and mark != b";") or (b"\t" in data and mark != b"\t"):
        return None
    if mark != b"," and b"," in data:
        data = data.replace(b",", b".")  # a decimal comma
    lines = [line for line in data.split(b"\n") if line.strip()]
    width = lines[0].count(mark) + 1
    if any(line.count(mark) + 1 != width for line in lines[1:]):
        return None
    flat = b" ".join(lines).replace(mark, b" ") if mark != b" " else b" ".join(lines)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            numbers = np.fromstring(flat.decode("ascii"), sep=" ")
        except (ValueError, DeprecationWarning):
            return None
    if numbers.size != width * len(lines):  # an empty cell, or two numbers in one
        return None
    table = numbers.reshape(len(lines), width)
    whole = not re.search(rb"[.eE]", data) and bool((np.abs(table) < 2**53).all())
    return table.astype(np.int64) if whole else table


def read_table(path: Path) -> Rows:
    """All cells as text; the first row is a heading where it is not all numbers.

    Raises:
        FormatError: there is no row, or it is no text.
    """
    mark, text = separator_of(text_of(path))
    try:
        cells = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        rows = [row for row in cells if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise FormatError(f"{path}: cannot be read as CSV: {error}.") from error
    rows = without_empty_end(rows) if rows else rows
    if mark != "," or '"' in text:
        rows = plain_numbers(rows, mark)
    heading = None
    if len(rows) > 1 and is_heading(rows):
        heading = [cell.strip() for cell in rows.pop(0)]
    if not rows:
        raise FormatError(f"{path}: has no rows.")
    return Rows(path, heading, rows)


def is_heading(rows: Sequence[Sequence[str]]) -> bool:
    """True if the first row names columns: words above numbers, or 0, 1, 2, ... as pandas writes.

    Words above words (class names) are no heading.
    """
    first, second = rows[0], rows[1]
    if len(first) != len(second):
        return not all_numbers(first)
    words = [n for n, cell in enumerate(first) if not all_numbers([cell])]
    if words:
        return any(all_numbers([second[n]]) for n in words) or len(words) == len(first)
    counted = [float(cell) for cell in first]
    if len(counted) >= 3 and counted == list(range(len(counted))) and len(rows) > 2:
        return [float(c) if all_numbers([c]) else None for c in second] != counted
    return False


def all_numbers(row: Sequence[str]) -> bool:
    """True if every cell is a number."""
    try:
        for cell in row:
            float(cell)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what; ``labels`` empty: it has none. ``why`` says how found."""

    values: tuple[int, ...]
    labels: tuple[int, ...]
    why: str
    pixels: bool = False  # one column holds all values, with spaces between


def columns_of(table: Rows, size: int | None, classes: int | None, label: str | None) -> Columns:
    """The columns of values and of labels.

    Args:
        size: how many values the network takes; None where that is open.
        classes: how many classes it tells apart (2 for one output); None if unknown.
        label: the heading or number of the column of labels, where the user says it.

    Raises:
        NetsheetError: it cannot be known which column is the label; the message says the option.
    """
    width = len(table.rows[0])
    everything = list(range(width))
    if table.heading is not None and len(table.heading) < width:  # which column lacks its name?
        raise NetsheetError(
            f"{table.path}: the heading names {len(table.heading)} columns, the rows have {width}: "
            "name all of them, row names too."
        )
    names = [one.strip().lower() for one in table.heading or [""] * width]
    strings = [n for n in everything if _is_pixels(table.rows[0][n], size)]
    chosen = table.column(label) if label is not None else None
    if strings:
        place = chosen if chosen is not None else next(
            (n for n in everything if n not in strings), None)  # fmt: skip
        found = () if place is None else (place,)
        return Columns((strings[0],), found, "pixels in one column", pixels=True)
    kept = list(everything)
    if size is not None and width > size and chosen != 0 and _is_numbering(table, names):
        kept.remove(0)
    labels: tuple[int, ...] = ()
    if chosen is not None:
        labels, why = (chosen,), f"labels from column {_shown(table, chosen)}"
    else:
        labels, why = _label_columns(table, names, kept, size, classes)
    return Columns(tuple(n for n in kept if n not in labels), labels, why)


def _shown(table: Rows, column: int) -> str:
    return repr(table.heading[column]) if table.heading else f"{column}"


def _label_columns(
    table: Rows, names: Sequence[str], kept: Sequence[int], size: int | None, classes: int | None
) -> tuple[tuple[int, ...], str]:
    named = [n for n in kept if names[n] in LABELS]
    words = [n for n in kept if not all_numbers([row[n] for row in table.rows[:100]
                                                  if len(row) > n])]  # fmt: skip
    if len(words) == 1 and (not named or words == named):
        return (words[0],), f"labels from column {_shown(table, words[0])}, the only one of words"
    if len(named) == 1:
        return (named[0],), f"labels from column {_shown(table, named[0])}"
    if size is not None and len(kept) == size:
        return (), "no labels"
    if size is not None and classes and len(kept) == size + classes and classes > 1:
        last, first = tuple(kept[-classes:]), tuple(kept[:classes])
        if _one_hot(table, last):
            return last, f"labels from the last {classes} columns, one-hot"
        if _one_hot(table, first):
            return first, f"labels from the first {classes} columns, one-hot"
    likely = [n for n in (kept[0], kept[-1]) if _is_classes(table, n, classes)]
    if len(likely) == 1:
        where = "first" if likely[0] == kept[0] else "last"
        return (likely[0],), f"labels from the {where} column"
    if likely and size is not None and size >= 64:  # MNIST's CSV files begin with the label
        return (kept[0],), "labels from the first column"
    if not likely and classes is None:
        return (kept[0],), "labels from the first column"
    raise NetsheetError(
        f"{table.path}: which column is the label? Say it: --label first, --label last or --label "
        "with its heading."
    )


def _is_pixels(cell: str, size: int | None) -> bool:
    parts = cell.split()
    return len(parts) > 3 and (size is None or len(parts) == size) and all_numbers(parts)


def _is_numbering(table: Rows, names: Sequence[str]) -> bool:
    """True if the first column counts the rows."""
    if table.heading is not None and names[0] not in NUMBERINGS:
        return False
    cells = [row[0] for row in table.rows[:1000] if row]
    if len(cells) < 3 or not all_numbers(cells):
        return False
    numbers = [float(cell) for cell in cells]
    return numbers in ([float(n) for n in range(len(cells))],
                       [float(n + 1) for n in range(len(cells))])  # fmt: skip


def _is_classes(table: Rows, column: int, classes: int | None) -> bool:
    cells = [row[column] for row in table.rows if len(row) > column]
    if not all_numbers(cells):
        return True
    numbers = np.array(cells, float)
    if (numbers < 0).any() or (numbers != np.round(numbers)).any():
        return False
    # R and MATLAB count classes from 1; what does not fit is said by the evaluation
    return bool(numbers.max() <= classes) if classes else len(set(numbers.tolist())) <= 20


def _one_hot(table: Rows, columns: Sequence[int]) -> bool:
    try:
        rows = np.array([[row[n] for n in columns] for row in table.rows], dtype=object)
        numbers = rows.astype(float)
    except (ValueError, IndexError):
        return False
    return bool(np.isin(numbers, (0, 1)).all() and (numbers.sum(1) == 1).all())
