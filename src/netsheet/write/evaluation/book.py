"""The report as a workbook: counts as numbers, shares as live formulas over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from netsheet.engine.class_report import ClassReport
from netsheet.language import word
from netsheet.write.evaluation.page import CLASS_HEADS, MISTAKE_HEADS
from netsheet.write.xlsx import (
    Book,
    SheetWriter,
    Style,
    View,
    cell_name,
    column_name,
    formula_cells,
    number_cells,
    text_cell,
)

HEAD, COUNT = Style(bold=True, align="center", shrink=True), Style(align="center", shrink=True)
SHARE = Style(number_format="0.0000", align="center")
FONTS = {"en": "Calibri", "ja": "Yu Gothic"}
FIRST = 3  # the row and the column (from 0) of the first count are FIRST and 1


def write_book(
    target: Path, report: ClassReport, title: str, names: Sequence[str], lang: str = "en"
) -> None:
    """``report.xlsx``: the confusion matrix with its shares, and the mistakes."""
    book = Book(target, title=title, font=FONTS[lang])
    try:
        with book.sheet(word("Confusion", lang), _view(len(report.names))) as sheet:
            _matrix(book, sheet, report, title, lang)
        with book.sheet(word("Mistakes", lang), View(columns=[(0, 0, 34), (1, 3, 16)],
                                                    freeze=(1, 0))) as sheet:  # fmt: skip
            _mistakes(book, sheet, report, names, lang)
        book.close()
    except BaseException:
        book.abandon()
        raise


def _view(size: int) -> View:
    return View(columns=[(0, 0, 18), (1, size, 7 if size > 12 else 9), (size + 1, size + 4, 12)],
                freeze=(FIRST, 1), selected=True)  # fmt: skip


def _matrix(book: Book, sheet: SheetWriter, report: ClassReport, title: str, lang: str) -> None:
    size = len(report.names)
    last, right = FIRST + size - 1, column_name(size)
    bold, head, count = (book.style(style) for style in (Style(bold=True, size=14), HEAD, COUNT))
    share = book.style(SHARE)
    all_counts = f"B{FIRST + 1}:{right}{last + 1}"
    sheet.row(0, text_cell(0, 0, title, bold))
    hits = "+".join(cell_name(FIRST + n, 1 + n) for n in range(size)) if size <= 200 else ""
    accuracy = f"({hits})/SUM({all_counts})" if hits else (
        f"SUMPRODUCT((ROW({all_counts})-{FIRST}=COLUMN({all_counts})-1)*{all_counts})"
        f"/SUM({all_counts})")  # fmt: skip
    sheet.row(1, text_cell(1, 0, word("accuracy", lang), head)
              + formula_cells(1, 1, [accuracy], [repr(report.accuracy)], share))  # fmt: skip
    across = [word(text, lang) for text, _ in CLASS_HEADS[1:]]
    labels = [word("true \\ found", lang), *report.names, *across]
    heads = [text_cell(FIRST - 1, n, one, head) for n, one in enumerate(labels)]
    sheet.row(FIRST - 1, "".join(heads))
    for n, name in enumerate(report.names):
        row, own = FIRST + n, column_name(n + 1)
        line, column = f"B{row + 1}:{right}{row + 1}", f"{own}{FIRST + 1}:{own}{last + 1}"
        hit = cell_name(row, n + 1)
        formulas = [
            f"SUM({line})", f'IF(SUM({column})=0,"",{hit}/SUM({column}))',
            f'IF(SUM({line})=0,"",{hit}/SUM({line}))',
            f'IF(SUM({line})+SUM({column})=0,"",2*{hit}/(SUM({line})+SUM({column})))',
        ]  # fmt: skip
        values = [float(one[n]) for one in (report.support, report.precision, report.recall,
                                            report.f1)]  # fmt: skip
        cells = text_cell(row, 0, name, head)
        cells += number_cells(row, 1, [str(int(one)) for one in report.counts[n]], count)
        cells += formula_cells(row, size + 1, formulas[:1], [f"{values[0]:g}"], count)
        for place, (formula, value) in enumerate(zip(formulas[1:], values[1:], strict=True)):
            cells += _share_cell(row, size + 2 + place, formula, value, share)
        sheet.row(row, cells)
    sheet.colour_scale(all_counts, [("min", None, "FFFFFF"), ("max", None, "34A078")])


def _share_cell(row: int, column: int, formula: str, value: float, style: int) -> str:
    from netsheet.write.xlsx.cells import text_formula_cell

    if math.isnan(value):
        return text_formula_cell(row, column, formula, "", style)
    return formula_cells(row, column, [formula.replace('"', "&quot;")], [repr(value)], style)


def _mistakes(
    book: Book, sheet: SheetWriter, report: ClassReport, names: Sequence[str], lang: str
) -> None:
    head, share, plain = book.style(HEAD), book.style(SHARE), book.style(Style())
    labels = [word(text, lang) for text, _ in MISTAKE_HEADS]
    sheet.row(0, "".join(text_cell(0, n, one, head) for n, one in enumerate(labels)))
    for row, n in enumerate(report.mistakes, 1):
        texts = (names[n], report.names[report.true[n]], report.names[report.found[n]])
        cells = "".join(text_cell(row, column, text, plain) for column, text in enumerate(texts))
        sheet.row(row, cells + number_cells(row, 3, [repr(float(report.certainty[n]))], share))
