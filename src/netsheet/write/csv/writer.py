"""Weights as CSV, in any layout."""

from __future__ import annotations

import codecs
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from netsheet.errors import UsageError
from netsheet.files import atomic
from netsheet.write.csv.arrangement import Page, Sheet, Weighted, page_path, pages
from netsheet.write.csv.layout import Layout, written_layout
from netsheet.write.float_text import row_texts

Array = npt.NDArray[Any]
Progress = Callable[[int, int], None]

NEWLINES = {"crlf": "\r\n", "lf": "\n"}
WAITING = 8  # texts that may wait to be written
# Numbers gathered from a weight at a time (whole cache lines of a transposed one), and numbers
# turned into text at a time (text that stays in the cache).
GATHER, TEXT = 1_000_000, 60_000
MOST_ROWS = 1_048_576  # that Excel and LibreOffice show of a file


def write_csv(
    model: Weighted,
    target: str | Path,
    *,
    layout: str | Path | Layout = "blocks",
    newline: str = "crlf",
    bom: bool = False,
    decimal: str = "point",
    progress: Progress | None = None,
) -> list[Path]:
    """Write every weight of ``model``; returns the files written.

    ``layout`` is a built-in layout's name, a TOML file, or a Layout. A layout with one file per
    layer writes ``<target>-<layer>.csv`` beside ``target``. Numbers are the shortest text that
    reads back to the same value. ``bom`` marks the file as UTF-8 in front, which Excel needs for
    names beyond ASCII; with the decimal ``comma`` cells are parted by ``;``. ``progress`` counts
    numbers.

    Raises:
        UsageError: no such layout or newline.
        FormatError: the layout is wrong or does not fit a weight.
        NetsheetError: ``target`` cannot be written.
    """
    if newline not in NEWLINES:
        raise UsageError(f"newline {newline!r}: allowed are {', '.join(NEWLINES)}.")
    chosen = written_layout(layout, decimal)
    made = pages(model, chosen, NEWLINES[newline])
    total = sum(sheet.values.size for page in made for sheet in page.sheets)
    done = 0

    def count(numbers: int) -> None:
        nonlocal done
        done += numbers
        if progress is not None:
            progress(done, total)

    taken: set[str] = set()
    paths = [page_path(Path(target), page, taken) for page in made]
    for path, page in zip(paths, made, strict=True):
        with atomic(path) as temporary, temporary.open("wb") as file, _Behind(file) as behind:
            if bom:
                behind.write(codecs.BOM_UTF8)
            _write_page(
                behind, page, NumberForm(chosen.delimiter, NEWLINES[newline], chosen.decimal), count
            )
    return paths


@dataclass(frozen=True)
class NumberForm:
    """How numbers are set: what stands between them and behind a row, and their decimal mark."""

    separator: str
    newline: str
    decimal: str = "point"

    def rows(self, table: Array, rows_each: int | None = None) -> list[bytes]:
        """As :func:`~netsheet.write.float_text.row_texts`."""
        texts = row_texts(table, self.separator, self.newline, rows_each)
        if self.decimal == "comma":
            return [text.replace(b".", b",") for text in texts]
        return texts


def too_long(model: Weighted, layout: str | Path | Layout = "blocks") -> list[int]:
    """The rows of numbers of each file that has more than a spreadsheet program shows."""
    made = pages(model, written_layout(layout))
    rows = [sum(sheet.rows for sheet in page.sheets) for page in made]
    return [count for count in rows if count > MOST_ROWS]


class _Behind:
    """Writes to a file behind the back of the caller, who makes the next text meanwhile."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[int]] = deque()

    def write(self, text: bytes) -> None:
        """Write ``text`` after everything before it; an earlier failure is raised here."""
        self._waiting.append(self._thread.submit(self._file.write, text))
        if len(self._waiting) > WAITING:
            self._waiting.popleft().result()

    def __enter__(self) -> _Behind:
        return self

    def __exit__(self, *problem: object) -> None:
        self._thread.shutdown()
        for written in self._waiting:
            written.result()


def _write_page(file: _Behind, page: Page, form: NumberForm, count: Callable[[int], None]) -> None:
    file.write(page.head)
    for sheet in page.sheets:
        file.write(sheet.before)
        if sheet.columns > TEXT:
            _write_long_rows(file, sheet, form, count)
        else:
            _write_rows(file, sheet, form, count)
        file.write(sheet.end)
    file.write(page.tail)


def _write_rows(
    file: _Behind, sheet: Sheet, form: NumberForm, count: Callable[[int], None]
) -> None:
    """Rows in runs of about TEXT numbers, with the texts that stand in front of units."""
    unit, texts, end = sheet.unit_rows, sheet.texts(), form.newline.encode()
    most = max(1, TEXT // sheet.columns) if sheet.columns else 1
    at = 0  # the row, counted over the weight
    for table in _gathered(sheet.values, sheet.across):
        start = 0
        while start < len(table):
            left = min(most, len(table) - start)
            begun = at % unit
            if not begun and left >= unit:
                rows = left // unit * unit
                run = form.rows(table[start : start + rows], unit)
            else:
                rows = min(left, unit - begun)
                run = form.rows(table[start : start + rows])
            parts = [end] * (3 * len(run))
            parts[::3] = itertools.islice(texts, len(run)) if not begun else [b""]
            parts[1::3] = run
            file.write(b"".join(parts))
            start, at = start + rows, at + rows
            count(rows * sheet.columns)


def _write_long_rows(
    file: _Behind, sheet: Sheet, form: NumberForm, count: Callable[[int], None]
) -> None:
    """Rows that are too long to be gathered whole: one after the other, in pieces."""
    texts = sheet.texts()
    for at, index in enumerate(np.ndindex(sheet.row_shape)):
        if at % sheet.unit_rows == 0:
            file.write(next(texts))
        begun = False
        for part in _gathered(sheet.values[index], 0):
            for start in range(0, len(part), TEXT):
                numbers = part[start : start + TEXT].reshape(1, -1)
                text = form.rows(numbers)[0]
                file.write(form.separator.encode() + text if begun else text)
                begun = True
                count(numbers.size)
        file.write(form.newline.encode())


def _gathered(values: Array, across: int) -> Iterator[Array]:
    """``values`` as 2-D tables of at most GATHER numbers; ``across`` axes make a row."""
    if not values.size:
        return
    if values.size <= GATHER:
        columns = math.prod(values.shape[values.ndim - across :])
        yield np.ascontiguousarray(values).reshape(-1, columns)
    elif values[0].size > GATHER:
        for part in values:
            yield from _gathered(part, across)
    else:
        step = GATHER // values[0].size
        for start in range(0, len(values), step):
            yield from _gathered(values[start : start + step], across)
