"""Formulas of the Terms sheet that several of its cells have in common."""

from __future__ import annotations

from netsheet.explanation import Reduction
from netsheet.write.excel import looks
from netsheet.write.excel.placement import CellArea, cell_name
from netsheet.write.excel.sheet_content import SheetContent
from netsheet.write.excel.spreadsheet_functions import AGGREGATES

Flag = tuple[str, bool]  # the cell that says whether a part makes the element; if so at first


class Bases:
    """Cells for what many formulas of a part have in common: where the window begins."""

    def __init__(self, content: SheetContent, row: int, first: int, columns: int) -> None:
        self.content, self.row, self.first, self.columns = content, row, first, columns
        self.known: dict[str, str] = {}

    def keep(self, formula: str, value: int) -> str:
        """The cell that holds a sub-formula; the sub-formula itself where no cell is left."""
        if formula in self.known:
            return self.known[formula]
        line, column = divmod(len(self.known), self.columns)
        if formula.replace("$", "").isalnum():
            return formula
        if line > 1:
            return formula
        row = self.row + line
        self.content.put(row, self.first + column, value, looks.NAME, formula)
        self.known[formula] = cell_name(row, self.first + column, True)
        return self.known[formula]


def reduced(reduction: Reduction, row: int, after: int, last: int, cells: int) -> str:
    """The formula of a reduction over its cells, which end at ``last``."""
    first = after - cells
    top, below = (CellArea(row + n, first, row + n, last).absolute() for n in (0, 1))
    if len(reduction.factors) > 1:
        return f"SUMPRODUCT({top},{below})"
    return f"{AGGREGATES[reduction.op]}({top})"


def only(flag: Flag | None, formula: str) -> str:
    """A formula that is nothing where another part makes the element."""
    return formula if flag is None else f'IF({flag[0]}=1,{formula},"")'


def at_first(flag: Flag | None, value: float | str) -> float | str:
    """The value that such a formula has at first."""
    return value if flag is None or flag[1] else ""


def bracketed(formula: str) -> str:
    """A factor of a product."""
    plain = formula.startswith("INDEX(") and formula.count("(") == 1
    return formula if plain or "(" not in formula else f"({formula})"
