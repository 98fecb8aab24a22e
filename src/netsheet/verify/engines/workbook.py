"""Spreadsheet programs as engines: a workbook is opened, calculated anew and read.

Values are found through the workbook's own Map sheet, as any other program would find them. No
engine gets a value that netsheet computed: every cached result is spoiled first.
"""

from __future__ import annotations

import itertools
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.data.succession import Succession
from netsheet.equations import FloatArray
from netsheet.errors import FormatError, NetsheetError
from netsheet.verify.engines.base import Artefact, Recomputed
from netsheet.verify.spoil import spoil
from netsheet.verify.xlsx import XlsxFile, edit
from netsheet.write.excel.cell_map import COLUMNS, MapRow, place_from, shape_from
from netsheet.write.excel.spreadsheet_functions import LARGEST
from netsheet.write.xlsx.cells import cell_name

MOST_NOTES = 20  # cells that are named because they hold no number
SHOWN = (
    "input",
    "output",
    "step",
    "helper",
    "copy",
    "gradient",
    "new",
    "passage",
    "learning",
    "given",
    "real",
)  # kinds of tensors on the Map that are computed


class CellRange(NamedTuple):
    """Cells of a sheet; row and column count from 0."""

    sheet: str
    row: int
    column: int
    rows: int
    columns: int


Lookup = Callable[[CellRange], Iterable[Any]]


class WorkbookEngine(ABC):
    """A program that calculates a workbook."""

    name: str
    install: str  # how it is installed

    @abstractmethod
    def missing(self) -> bool:
        """True where the program is not here."""

    @abstractmethod
    def calculated(self, workbook: Path) -> Lookup:
        """Calculates the whole workbook; the result gives the contents of cells, row by row."""

    def absent(self) -> str | None:
        """As :class:`~netsheet.verify.engines.base.OutsideEngine` says."""
        if self.missing():
            return f"the engine {self.name} is not installed: {self.install}"
        return None

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """The tensors on the workbook's Map, for each of its samples or for its own input.

        Where the samples are calls one after another, the workbook computes all of them at once.
        """
        book: Path = artefact.content
        located = read_map(book)
        if artefact.succession is not None:
            return self._all_calls(artefact.succession, book, located)
        found: list[dict[str, FloatArray]] = []
        notes: dict[str, str] = {}
        for number in range(max(len(samples), 1)):
            chosen = _chosen(book, artefact.folder, located, number) if samples else book
            values, said = self.recalculated(chosen, located)
            found.append({key: _infinite(array) for key, array in values.items()})
            notes |= said
        return Recomputed(self.name, found, notes=notes)

    def _all_calls(
        self, succession: Succession, book: Path, located: Mapping[str, MapRow]
    ) -> Recomputed:
        values, said = self.recalculated(book, located)
        found = succession.apart({key: _infinite(array) for key, array in values.items()})
        notes = {
            name: said[there]
            for names in succession.names
            for name, there in names.items()
            if there in said
        }
        return Recomputed(self.name, found, notes=notes)

    def recalculated(
        self, workbook: Path, located: Mapping[str, MapRow]
    ) -> tuple[dict[str, FloatArray], dict[str, str]]:
        """Every tensor on the Map after the engine has calculated the workbook.

        Cells that are no numbers become NaN; the second result names one of them for such a
        tensor.
        """
        wanted = [row for row in located.values() if row.kind in SHOWN]
        ranges = [
            CellRange(row.sheet, row.place.row, row.place.col, row.place.height, row.place.width)
            for row in wanted
        ]
        values, notes = {}, {}
        for row, array in zip(wanted, self.ranges(workbook, ranges), strict=True):
            rows, cols = row.place.grid()
            values[row.tensor] = array[rows - row.place.row, cols - row.place.col]
            bad = np.flatnonzero(np.isnan(values[row.tensor].ravel()))
            if bad.size:
                cell = cell_name(int(rows.ravel()[bad[0]]), int(cols.ravel()[bad[0]]))
                notes[row.tensor] = f"{bad.size} cells hold no number, first {row.sheet}!{cell}"
        return values, notes

    def ranges(self, workbook: Path, ranges: Sequence[CellRange]) -> list[FloatArray]:
        """The values of cells after all of the workbook is calculated; no number is NaN."""
        said = self.absent()
        if said is not None:
            raise NetsheetError(said)
        with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
            spoiled = Path(folder) / "spoiled.xlsx"
            spoil(workbook, spoiled)
            lookup = self.calculated(spoiled)
            return [_numbers(area, lookup(area)) for area in ranges]


def _numbers(area: CellRange, contents: Iterable[Any]) -> FloatArray:
    values = np.full(area.rows * area.columns, np.nan)
    for i, content in enumerate(contents):
        if isinstance(content, (int, float)) and not isinstance(content, bool):
            values[i] = content
    return values.reshape(area.rows, area.columns)


def _infinite(values: FloatArray) -> FloatArray:
    """The values with infinities where a cell holds the number that stands for them."""
    return np.where(np.abs(values) >= float(LARGEST), np.copysign(np.inf, values), values)


def _chosen(book: Path, folder: Path, located: Mapping[str, MapRow], number: int) -> Path:
    """The workbook with another sample selected."""
    row = located.get("sample")
    if row is None or row.kind != "selection":
        return book
    copy = folder / f"sample{number + 1}.xlsx"
    edit(book, copy, {(row.sheet, cell_name(row.place.row, row.place.col)): number + 1})
    return copy


def read_map(workbook: Path) -> dict[str, MapRow]:
    """The rows of a workbook's Map sheet by tensor name; FormatError if it has none."""
    book = XlsxFile(workbook)
    for sheet in reversed(book.members):
        if not book.mentions(sheet, COLUMNS[0]):
            continue
        rows = book.rows(sheet)
        head = next(
            (n for n, row in enumerate(rows) if tuple(row[: len(COLUMNS)]) == COLUMNS), None
        )
        if head is not None:
            return dict(_located(rows[head + 1 :], workbook))
    raise FormatError(f"{workbook}: no sheet lists its tensors; was it written by netsheet excel?")


def _located(rows: Sequence[Sequence[str]], workbook: Path) -> Iterator[tuple[str, MapRow]]:
    for row in rows:
        cells = dict(itertools.zip_longest(COLUMNS, row[: len(COLUMNS)], fillvalue=""))
        if not cells.get("tensor") or cells.get("kind") == "reference":
            continue
        axes = [axis for axis in cells["axes"].split(", ") if axis]
        try:
            shape = shape_from(cells["shape"], len(axes))
            place = place_from(cells["sheet"], cells["cells"], shape, cells["steps"])
        except (KeyError, ValueError) as error:
            raise FormatError(
                f"{workbook}: the Map's row for {cells['tensor']!r} cannot be read: {error}"
            ) from error
        yield (
            cells["tensor"],
            MapRow(cells["tensor"], cells["layer"], cells["kind"], cells["sheet"], place, shape),
        )
