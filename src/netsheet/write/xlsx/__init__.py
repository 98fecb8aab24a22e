"""A streaming writer of .xlsx packages, made for very many formulas.

Sheets are written one after the other and rows from top to bottom, as strings; a
:class:`~netsheet.write.xlsx.book.Book` keeps only what comes at the end (styles, names, charts).
"""

from netsheet.write.xlsx.book import Book, unchanged
from netsheet.write.xlsx.cells import (
    MAX_COLUMNS,
    MAX_FORMULA,
    MAX_ROWS,
    cell_name,
    column_name,
    formula_cells,
    number_cells,
    shared_cells,
    text_cell,
)
from netsheet.write.xlsx.chart import BarChart
from netsheet.write.xlsx.sheet import SheetWriter, View
from netsheet.write.xlsx.styles import Style

__all__ = [
    "MAX_COLUMNS",
    "MAX_FORMULA",
    "MAX_ROWS",
    "BarChart",
    "Book",
    "SheetWriter",
    "Style",
    "View",
    "cell_name",
    "column_name",
    "formula_cells",
    "number_cells",
    "shared_cells",
    "text_cell",
    "unchanged",
]
