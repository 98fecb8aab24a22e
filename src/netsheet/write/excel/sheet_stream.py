"""Sheets streamed into an .xlsx package, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from netsheet.files import atomic
from netsheet.write.excel.cell_block import CellBlock
from netsheet.write.excel.looks import DIGITS, CellLook
from netsheet.write.excel.placement import cell_name
from netsheet.write.excel.sheet_content import (
    BarsOver,
    CellContent,
    ColourScale,
    SheetContent,
)
from netsheet.write.excel.sheet_names import quoted
from netsheet.write.xlsx import (
    BarChart,
    Book,
    SheetWriter,
    Style,
    View,
    formula_cells,
    number_cells,
    shared_cells,
    text_cell,
)
from netsheet.write.xlsx.cells import escaped, shared_first_cell, text_formula_cell

GOOD = Style(bold=True, colour="166534", fill="BBF7D0")
CHART = "3B82F6"
BAD = Style(bold=True, colour="991B1B", fill="FECACA")
ALL_DIGITS = f"{DIGITS}=8"  # what the switch on the overview says
BLANK = Style(colour="FFFFFF", fill="FFFFFF")
REPORT_EVERY = 5_000  # cells between calls of progress
_NUMBER, _SINGLE, _FIRST, _FOLLOWING = range(4)

Progress = Callable[[int, int], None]


def write(
    target: str | Path,
    sheets: Iterable[SheetContent],
    total: int,
    progress: Progress | None,
    font: str = "Calibri",
) -> int:
    """Write the sheets in order; ``total`` is what progress counts up to. Returns the bytes."""
    with atomic(target) as temporary:
        book = Book(temporary, font=font)
        try:
            counter = _Counter(total, progress)
            for content in sheets:
                _write_sheet(book, content, counter)
            book.close()
        except BaseException:
            book.abandon()
            raise
        counter.finish()
        return temporary.stat().st_size


class _Counter:
    """Calls ``progress`` now and then."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total, self.progress = total, progress
        self.done = self.told = 0

    def add(self, cells: int) -> None:
        self.done += cells
        if self.progress is not None and self.done - self.told >= REPORT_EVERY:
            self.told = self.done
            self.progress(min(self.done, self.total), self.total)

    def finish(self) -> None:
        if self.progress is not None:
            self.progress(self.total, self.total)


def _write_sheet(book: Book, content: SheetContent, counter: _Counter) -> None:
    view = View(
        columns=_columns(content),
        freeze=content.frozen,
        zoom=content.zoom,
        tab=content.tab,
        grid_lines=False,
        row_height=content.row_height,
        selected=content.tab_number == 1,
    )
    with book.sheet(content.name, view, content.tab_number) as sheet:
        for row, cells, count in _Rows(book, content):
            sheet.row(row, cells, content.heights.get(row))
            counter.add(count)
        _decorate(book, sheet, content)
    for name, area in content.names:
        book.define(name, f"{quoted(content.name)}!{area.absolute()}")


def _columns(content: SheetContent) -> list[tuple[int, int, float]]:
    """Widths of all columns: (first, last, width)."""
    result: list[tuple[int, int, float]] = []
    following = 0
    for column, width in sorted(content.widths.items()):
        if column > following:
            result.append((following, column - 1, content.column_width))
        result.append((column, column, width))
        following = column + 1
    result.append((following, 16_383, content.column_width))
    return result


def _decorate(book: Book, sheet: SheetWriter, content: SheetContent) -> None:
    for link in content.links:
        sheet.link(cell_name(link.row, link.col), link.location)
    for scale in content.scales:
        sheet.colour_scale(str(scale.area), _points(scale))
    for area, good, bad in content.verdicts:
        first = cell_name(area.top, area.left)
        for text, style in ((good, GOOD), (bad, BAD)):
            sheet.rule(str(area), f'{first}="{text}"', book.styles.differential(style))
    for area, formula in content.blank_if:
        sheet.rule(str(area), formula, book.styles.differential(BLANK))
    for digits in dict.fromkeys(digits for _, digits in content.precise):
        areas = " ".join(str(area) for area, own in content.precise if own == digits)
        sheet.rule(areas, ALL_DIGITS, book.styles.differential(Style(number_format=digits)))
    for area, colour in content.data_bars:
        sheet.data_bar(str(area), colour)
    for area in content.merged:
        sheet.merge(str(area))
    for area, source in content.choices:
        sheet.choose(str(area), source)
    for bars in content.bars:
        sheet.charts.append(_chart(content, bars))


def _points(scale: ColourScale) -> list[tuple[str, str | None, str]]:
    low: tuple[str, str | None] = ("min", None)
    high: tuple[str, str | None] = ("max", None)
    if scale.live:
        area = scale.area.absolute()
        low = ("formula", f"MIN(0,MIN({area}))-1E-9")
        high = ("formula", f"MAX(0,MAX({area}))+1E-9")
    elif scale.ends is not None:
        low, high = (("num", f"{end:g}") for end in scale.ends)
    elif scale.from_zero:
        low = ("num", f"{scale.zero:g}")
    elif scale.to_zero:
        high = ("num", f"{scale.zero:g}")
    middle = [] if scale.middle is None else [("num", f"{scale.zero:g}", scale.middle)]
    return [(*low, scale.low), *middle, (*high, scale.high)]


def _chart(content: SheetContent, bars: BarsOver) -> BarChart:
    sheet = quoted(content.name)
    return BarChart(
        title=bars.title,
        values=f"{sheet}!{bars.values.absolute()}",
        categories=f"{sheet}!{bars.names.absolute()}",
        start=(bars.area.top, bars.area.left),
        end=(bars.area.bottom, bars.area.right),
        cached_values=bars.cached_values,
        cached_categories=bars.cached_names,
        colour=CHART,
        limits=bars.limits,
        line=bars.line,
    )


def style_of(look: CellLook, font: str = "Calibri") -> Style:
    """The package's style for a look."""
    return Style(
        bold=look.bold,
        underline=look.underline,
        size=look.size,
        font="Consolas" if look.mono else font,
        colour=look.colour,
        fill=look.fill,
        border=look.border,
        number_format=look.digits or "General",
        align=look.align,
        vertical="center",
        wrap=look.wrap,
        upright=look.upright,
        shrink=look.shrink,
    )


class _Rows:
    """The rows of a content as text, with the number of cells in each."""

    def __init__(self, book: Book, content: SheetContent) -> None:
        self.book = book
        self.cells: dict[int, list[CellContent]] = {}
        for cell in content.cells:
            self.cells.setdefault(cell.row, []).append(cell)
        self.grids = sorted(content.grids, key=lambda pair: pair[0].top)
        self.first_group: dict[int, int] = {}
        formula_groups = 0
        for grid, _ in self.grids:
            self.first_group[id(grid)] = formula_groups
            formula_groups += len(grid.shared)
        self.heights = content.heights
        self._styles: dict[int, int] = {}

    def __iter__(self) -> Iterator[tuple[int, str, int]]:
        rows = set(self.cells) | set(self.heights)
        for grid, _ in self.grids:
            rows.update((np.flatnonzero(grid.used.any(axis=1)) + grid.top).tolist())
        waiting = list(self.grids)
        active: list[tuple[CellBlock, CellLook]] = []
        for row in sorted(rows):
            while waiting and waiting[0][0].top <= row:
                active.append(waiting.pop(0))
            active = [pair for pair in active if pair[0].top + len(pair[0].used) > row]
            parts = [(cell.col, self._cell(cell), 1) for cell in self.cells.get(row, ())]
            for grid, look in active:
                parts += self._grid_row(grid, row - grid.top, look)
            parts.sort()
            following = 0
            for col, text, cells in parts:
                assert col >= following, f"two contents for {cell_name(row, col)}: {text[:200]}"
                following = col + cells
            yield row, "".join([text for _, text, _ in parts]), sum(cells for _, _, cells in parts)

    def _style(self, look: CellLook) -> int:
        """The number of a look's style; found by the very object, which its cells keep alive."""
        number = self._styles.get(id(look))
        if number is None:
            number = self._styles[id(look)] = self.book.style(style_of(look, self.book.font))
        return number

    def _cell(self, cell: CellContent) -> str:
        style = self._style(cell.look)
        row, col, content = cell.row, cell.col, cell.content
        if cell.formula is None:
            if isinstance(content, str):
                return text_cell(row, col, content, style)
            return number_cells(row, col, [number_text(content)], style)
        if isinstance(content, str):
            return text_formula_cell(row, col, cell.formula, content, style)
        return formula_cells(row, col, [escaped(cell.formula)], [number_text(content)], style)

    def _grid_row(
        self, grid: CellBlock, line: int, look: CellLook
    ) -> Iterator[tuple[int, str, int]]:
        """Runs of like cells in one row of a grid: column, text, number of cells."""
        used = grid.used[line]
        if not used.any():
            return
        row = grid.top + line
        style = self._style(look)
        numbers = grid.number[line].tolist()
        values = grid.values[line].tolist()
        start = self.first_group[id(grid)]
        kinds = [
            _FOLLOWING if n >= 0 else _SINGLE if (line, c) in grid.texts else _NUMBER
            for c, n in enumerate(numbers)
        ]
        column, end = 0, len(kinds)
        while column < end:
            if not used[column]:
                column += 1
                continue
            kind, number = kinds[column], numbers[column]
            if kind == _FOLLOWING:
                item = grid.shared[number]
                if (item.area.top, item.area.left) == (row, grid.left + column):
                    text = shared_first_cell(
                        row, grid.left + column, start + number, str(item.area),
                        escaped(item.formula), cached_text(values[column]), style,
                    )  # fmt: skip
                    yield grid.left + column, text, 1
                    column += 1
                    continue
            stop = column + 1
            while stop < end and used[stop] and kinds[stop] == kind and numbers[stop] == number:
                stop += 1
            place, found = grid.left + column, values[column:stop]
            if kind == _NUMBER:
                text = number_cells(row, place, [number_text(value) for value in found], style)
                yield place, text, stop - column
                column = stop
                continue
            cached = [cached_text(value) for value in found]
            if kind == _FOLLOWING:
                text = shared_cells(row, place, start + number, cached, style)
            else:
                formulas = [escaped(grid.texts[line, c]) for c in range(column, stop)]
                text = formula_cells(row, place, formulas, cached, style)
            yield place, text, stop - column
            column = stop


def cached_text(value: float) -> str:
    """A formula's value with more digits than float32 has: much smaller when zipped than all."""
    return f"{value:.8g}" if abs(value) <= 1e300 else number_text(value)


def number_text(value: float | int) -> str:
    """The shortest text of a number; what no cell can hold becomes the largest number, or 0."""
    if value != value:
        return "0"
    if value in (float("inf"), float("-inf")):
        return "1E+300" if value > 0 else "-1E+300"
    text = repr(value)
    return text[:-2] if text.endswith(".0") else text
