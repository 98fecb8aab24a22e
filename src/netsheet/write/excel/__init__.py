"""Excel workbooks made of live formulas."""

from netsheet.write.excel.workbook import CellFormula, ExcelReport, cell_formula, to_excel

__all__ = ["CellFormula", "ExcelReport", "cell_formula", "to_excel"]
