"""The report of an evaluation as a folder: a page, pictures, tables, a workbook.

:func:`write_report` writes ``index.html`` (one file that needs nothing beside it),
``confusion.png``, ``calibration.png``, ``mistakes.png``, ``confusion.csv``, ``classes.csv``,
``mistakes.csv`` and ``report.xlsx``, whose shares are live formulas over the counts.
"""

from netsheet.write.evaluation.folder import Shown, write_report

__all__ = ["Shown", "write_report"]
