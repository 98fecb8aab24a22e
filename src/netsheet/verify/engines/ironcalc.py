"""IronCalc, a spreadsheet engine in Rust with a Python package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from netsheet.errors import NetsheetError
from netsheet.verify.engines.base import importable
from netsheet.verify.engines.workbook import CellRange, Lookup, WorkbookEngine


class IronCalc(WorkbookEngine):
    """Reads a workbook and calculates it in this process."""

    name = "ironcalc"
    install = "pip install 'netsheet[verify]'."

    def missing(self) -> bool:
        return not importable("ironcalc")

    def calculated(self, workbook: Path) -> Lookup:
        import ironcalc

        model = ironcalc.load_from_xlsx(str(workbook), "en", "UTC", "en")
        model.evaluate()
        names = [str(properties["name"]) for properties in model.get_worksheets_properties()]
        numbers = {name: number for number, name in enumerate(names)}

        def lookup(area: CellRange) -> Iterable[Any]:
            if area.sheet not in numbers:
                raise NetsheetError(f"the workbook has no sheet {area.sheet!r}")
            sheet, value = numbers[area.sheet], model.get_cell_value
            for row in range(area.row + 1, area.row + area.rows + 1):
                for column in range(area.column + 1, area.column + area.columns + 1):
                    yield value(sheet, row, column)

        return lookup
