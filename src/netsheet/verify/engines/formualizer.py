"""formualizer, another spreadsheet engine with a Python package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from netsheet.verify.engines.base import importable
from netsheet.verify.engines.workbook import CellRange, Lookup, WorkbookEngine


class Formualizer(WorkbookEngine):
    """Reads a workbook and calculates it in this process."""

    name = "formualizer"
    install = "pip install formualizer."

    def missing(self) -> bool:
        return not importable("formualizer")

    def calculated(self, workbook: Path) -> Lookup:
        import formualizer

        book = formualizer.load_workbook(str(workbook))
        book.evaluate_all()

        def lookup(area: CellRange) -> Iterable[Any]:
            for row in range(area.row + 1, area.row + area.rows + 1):
                for column in range(area.column + 1, area.column + area.columns + 1):
                    yield book.get_value(area.sheet, row, column)

        return lookup
