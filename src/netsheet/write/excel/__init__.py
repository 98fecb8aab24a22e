"""Excel workbooks made of live formulas."""

from netsheet.write.excel.learning_choice import Learning
from netsheet.write.excel.workbook import (
    CellFormula,
    ExcelReport,
    cell_formula,
    cell_formulas,
    to_excel,
)

__all__ = ["CellFormula", "ExcelReport", "Learning", "cell_formula", "cell_formulas", "to_excel"]
