"""Excel workbooks made of live formulas."""

from netsheet.write.excel.workbook import ExcelReport, to_excel

__all__ = ["ExcelReport", "to_excel"]
