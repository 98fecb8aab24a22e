"""The Explain sheet: one value of any layer, taken apart in large cells.

Everything is looked up on the Terms sheet, which follows the same yellow cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netsheet.write.excel import looks, terms_sheet
from netsheet.write.excel.looks import CellLook
from netsheet.write.excel.placement import CellArea, cell_name
from netsheet.write.excel.real_values import is_whole
from netsheet.write.excel.sheet_content import ColourScale, Content, SheetContent
from netsheet.write.excel.sheet_names import quoted
from netsheet.write.excel.terms_sheet import TermsSheet

LABEL_ROW, CHOICE_ROW, SIZE_ROW, EQUATION_ROW, FORMULA_ROW = 2, 3, 4, 5, 6
HEAD_ROW, GRID_ROW = 7, 8
CHOICE_WIDTH = 3  # columns of the cell with the layer's name
STAGES = 6  # lines for sums and what is done with them
WIDTH = 162.0  # characters that fit on a screen of 1366 pixels
BIG = CellLook(18, colour=looks.INK, digits="0.0000", align="center", shrink=True)
TOTAL = CellLook(20, bold=True, colour=looks.INK, digits="0.0000000", align="left")
STAGE = CellLook(16, colour=looks.INK, align="left", shrink=True)
SIGN = CellLook(28, bold=True, colour=looks.GREY, align="center")
CHOSEN = CellLook(18, bold=True, colour=looks.INK, fill="FEF3C7", border="B45309", align="center")
CAPTION = CellLook(12, bold=True, colour=looks.GREY)
NARROW_CAPTION = replace(CAPTION, shrink=True)  # above one column, beside others
ADDRESS = CellLook(16, colour=looks.BLUE, align="left", underline=True)
WRAPPED = CellLook(13, colour=looks.INK, mono=True, wrap=True)
CODE = CellLook(13, colour=looks.INK, mono=True)


def layer_cell(name: str) -> str:
    """The cell with the name of the chosen layer, as other sheets name it."""
    return f"{quoted(name)}!{cell_name(CHOICE_ROW, 0, True)}"


def pick_cells(name: str, axes: int) -> list[str]:
    """The cells with the chosen position, then the one with the number of the page of terms."""
    return [
        f"{quoted(name)}!{cell_name(CHOICE_ROW, CHOICE_WIDTH + axis, True)}"
        for axis in range(axes + 1)
    ]


def explain_sheet(
    name: str, terms: TermsSheet, shown: Mapping[tuple[int, int], Content], words: Mapping[str, str]
) -> SheetContent:
    """The whole sheet; ``shown`` has what the cells of the Terms sheet come to at first."""
    return _ExplainWriter(name, terms, shown, words).written()


class _ExplainWriter:
    def __init__(
        self,
        name: str,
        terms: TermsSheet,
        shown: Mapping[tuple[int, int], Content],
        words: Mapping[str, str],
    ) -> None:
        self.terms, self.shown, self.words = terms, shown, words
        self.result = SheetContent(name, tab="7C3AED", row_height=16.0)
        self.side = terms.side
        self.entry = terms.explained[terms.first]
        self.line = terms_sheet.LIST_ROW + terms.first
        self.row = int(shown[terms_sheet.ROW]) - 1
        self.offset = int(shown[terms_sheet.OFFSET])
        self.axes = terms.axes
        whole = any(is_whole(entry.tensor) for entry in terms.explained)
        self.big = replace(BIG, digits="General") if whole else BIG
        self.total = replace(TOTAL, digits="General", shrink=True) if whole else TOTAL
        self.whole = whole
        self.width = min(11.5, WIDTH / (3 * self.side + 2))

    def written(self) -> SheetContent:
        result, words = self.result, self.words
        result.column_width = self.width
        result.put(0, 0, words["explain"], looks.TITLE)
        result.heights[0] = 27
        result.put(1, 0, words["explain about"], looks.NOTE)
        if self.terms.left_out:
            note = words["left out"].format(self.terms.left_out)
            result.put(1, 3 * self.side, note, looks.NOTE)
        self._choices()
        self._grids()
        self._stages()
        return result

    # ------------------------------------------------------------------ choices

    def _choices(self) -> None:
        result, entry = self.result, self.entry
        result.heights.update({CHOICE_ROW: 32, LABEL_ROW: 18})
        result.put(LABEL_ROW, 0, self.words["layer"], CAPTION)
        result.put(CHOICE_ROW, 0, entry.label, replace(CHOSEN, align="left", shrink=True))
        for column in range(1, CHOICE_WIDTH):
            result.put(CHOICE_ROW, column, "", CHOSEN)
        layer = CellArea(CHOICE_ROW, 0, CHOICE_ROW, CHOICE_WIDTH - 1)
        result.merged.append(layer)
        last = terms_sheet.LIST_ROW + len(self.terms.explained) - 1
        names = self.terms.area(terms_sheet.LIST_ROW, terms_sheet.NAME, last, terms_sheet.NAME)
        result.choices.append((CellArea(CHOICE_ROW, 0, CHOICE_ROW, 0), names))
        for axis in range(self.axes):
            self._axis(axis)
        column = CHOICE_WIDTH + self.axes
        result.put(LABEL_ROW, column, self.words["part"], NARROW_CAPTION)
        result.put(CHOICE_ROW, column, 1, CHOSEN)
        self._list(column, terms_sheet.PAGE_NUMBERS)
        pages = self._of_row(0, terms_sheet.PAGES)
        shown = int(self.shown[self.row, terms_sheet.PAGES])
        around = self.words["of"].split("{0}")
        result.put(
            SIZE_ROW, column, self.words["of"].format(shown), looks.NOTE,
            f'"{around[0]}"&{pages}&"{around[1]}"',
        )  # fmt: skip
        equation = self._of_row(2, terms_sheet.NAME)
        result.put(
            EQUATION_ROW, 0, self.shown[self.row + 2, terms_sheet.NAME], CODE, equation
        )  # fmt: skip
        result.heights[EQUATION_ROW] = 24

    def _axis(self, axis: int) -> None:
        result, tensor = self.result, self.entry.tensor
        column = CHOICE_WIDTH + axis
        used = axis < len(tensor.shape)
        name = self._of_list(terms_sheet.AXES + axis)
        result.put(
            LABEL_ROW, column, self.shown.get((self.line, terms_sheet.AXES + axis), ""),
            NARROW_CAPTION, f'IF({name}="","",{name})',
        )  # fmt: skip
        result.put(CHOICE_ROW, column, self.entry.at[axis] if used else 0, CHOSEN)
        self._list(column, terms_sheet.NUMBERS + axis)
        label = cell_name(LABEL_ROW, column, True)
        result.blank_if.append((CellArea(CHOICE_ROW, column, CHOICE_ROW, column), f'{label}=""'))
        size = self._of_list(terms_sheet.SIZES + axis)
        result.put(
            SIZE_ROW, column, f"0 … {tensor.shape[axis] - 1}" if used else "", looks.NOTE,
            f'IF({size}="","","0 … "&({size}-1))',
        )  # fmt: skip

    def _list(self, column: int, numbers: int) -> None:
        top = terms_sheet.LIST_ROW
        rows = [row for row, col in self.shown if col == numbers and row >= top]
        source = self.terms.area(top, numbers, max(rows, default=top), numbers)
        self.result.choices.append((CellArea(CHOICE_ROW, column, CHOICE_ROW, column), source))

    # ------------------------------------------------------------------ looking up

    def _of_list(self, column: int) -> str:
        """What the list of the Terms sheet says of the chosen layer."""
        area = self.terms.area(terms_sheet.LIST_ROW, column, self.terms.list_end, column)
        return f"INDEX({area},{self.terms.cell(terms_sheet.ENTRY)})"

    def _of_row(self, down: int, column: int) -> str:
        """A cell of the chosen layer's own rows on the Terms sheet."""
        area = self.terms.area(0, column, self.terms.rows, column)
        row = self.terms.cell(terms_sheet.ROW)
        return f"INDEX({area},{row}{f'+{down}' if down else ''})"

    def _of_page(self, down: int, place: int) -> str:
        """A cell of the shown page: the term at ``place``, line by line."""
        last = terms_sheet.TERMS + self._widest() - 1
        area = self.terms.area(0, terms_sheet.TERMS, self.terms.rows, last)
        row, offset = self.terms.cell(terms_sheet.ROW), self.terms.cell(terms_sheet.OFFSET)
        return f"INDEX({area},{row}{f'+{down}' if down else ''},{offset}+{place + 1})"

    def _widest(self) -> int:
        most = max(
            (sum(map(len, part)) for entry in self.terms.explained for part in entry.pages),
            default=1,
        )
        return max(1, most) * self.side**2

    def _page_shown(self, down: int, place: int) -> Content:
        return self.shown.get((self.row + down, terms_sheet.TERMS + self.offset + place), "")

    # ------------------------------------------------------------------ grids

    def _grids(self) -> None:
        result, side = self.result, self.side
        lefts = (0, side + 1, 2 * side + 2)
        result.heights[HEAD_ROW] = 20
        label, first, second = (self._page_text(place) for place in range(3))
        self._text(HEAD_ROW, lefts[0], first)
        self._text(HEAD_ROW, lefts[1], second)
        self._text(HEAD_ROW, lefts[2], label)
        for row in range(side):
            result.heights[GRID_ROW + row] = 34
            for column in range(side):
                place = row * side + column
                self._factor(0, place, GRID_ROW + row, lefts[0] + column)
                self._factor(1, place, GRID_ROW + row, lefts[1] + column)
                self._product(place, GRID_ROW + row, lefts)
        for left, colours in zip(
            lefts, (looks.VALUE_COLOURS, looks.WEIGHT_COLOURS, looks.VALUE_COLOURS), strict=True
        ):
            area = CellArea(GRID_ROW, left, GRID_ROW + side - 1, left + side - 1)
            result.scales.append(ColourScale(area, colours[0], colours[1], "FFFFFF", live=True))
        middle = GRID_ROW + (side - 1) // 2
        kernel = cell_name(GRID_ROW, lefts[1], True)
        two = self._page_shown(1, 0) != ""
        for column, sign in ((side, "×"), (2 * side + 1, "=")):
            result.put(middle, column, sign if two else "", SIGN, f'IF({kernel}="","","{sign}")')

    def _page_text(self, place: int) -> tuple[str, str]:
        """A text about the shown page, and its formula; nothing where there is none."""
        formula = self._of_page(2, place)
        return str(self._page_shown(2, place)), f'IF({formula}="","",{formula})'

    def _text(self, row: int, column: int, text: tuple[str, str]) -> None:
        self.result.put(row, column, text[0], CAPTION, text[1])

    def _factor(self, down: int, place: int, row: int, column: int) -> None:
        source = self._of_page(down, place)
        self.result.put(
            row, column, self._page_shown(down, place), self.big, f'IF({source}="","",{source})'
        )  # fmt: skip

    def _product(self, place: int, row: int, lefts: Sequence[int]) -> None:
        first, second = (cell_name(row, left + place % self.side) for left in lefts[:2])
        values = self._page_shown(0, place), self._page_shown(1, place)
        both = all(isinstance(value, (int, float)) for value in values)
        product: Content = float(values[0]) * float(values[1]) if both else ""
        self.result.put(
            row, lefts[2] + place % self.side, product, self.big,
            f'IF({second}="","",{first}*{second})',
        )  # fmt: skip

    # ------------------------------------------------------------------ sums and stages

    def _stages(self) -> None:
        """Totals, then what is done with them; beside them the layer's own cell."""
        result, top = self.result, GRID_ROW + self.side + 1
        for number in range(STAGES):
            row, column = top + number, terms_sheet.RESULTS + number
            result.heights[row] = 30
            value, label = self._of_row(0, column), self._of_row(1, column)
            result.put(
                row, 0, self.shown.get((self.row + 1, column), ""), STAGE,
                f'IF({label}="","",{label})',
            )  # fmt: skip
            self._merge(row, 0, self.side)
            self._merge(row, self.side + 1, self.side)
            result.put(
                row, self.side + 1, self.shown.get((self.row, column), ""), self.total,
                f'IF({label}="","",{value})',
            )  # fmt: skip
        self._own_cell(top)

    def _own_cell(self, top: int) -> None:
        """The layer's own cell: a link to it, what it holds, its formula."""
        result, right = self.result, 2 * self.side + 2
        result.put(top, right, self.words["its cell"], CAPTION)
        address = self._of_list(terms_sheet.ADDRESS)
        for row, column, look, formula in (
            (top + 1, terms_sheet.ADDRESS, ADDRESS, f'HYPERLINK("#"&{address},{address})'),
            (top + 2, terms_sheet.OWN, self.total, self._of_list(terms_sheet.OWN)),
        ):
            self._merge(row, right, self.side)
            result.put(row, right, self.shown.get((self.line, column), ""), look, formula)
        if self.whole:
            self._real(top + 3, right)
        result.put(
            FORMULA_ROW, 0, self.shown.get((self.line, terms_sheet.FORMULA), ""), WRAPPED,
            self._of_list(terms_sheet.FORMULA),
        )  # fmt: skip
        self._merge(FORMULA_ROW, 0, 3 * self.side + 2)
        result.heights[FORMULA_ROW] = 40

    def _real(self, row: int, column: int) -> None:
        """What the value stands for, where it is a whole number."""
        real = self._of_list(terms_sheet.REAL)
        shown = self.shown.get((self.line, terms_sheet.REAL), "")
        title = self.words["real value"]
        self.result.put(
            row, column, "" if shown == "" else title, CAPTION, f'IF({real}="","","{title}")'
        )
        self._merge(row + 1, column, self.side)
        self.result.put(row + 1, column, shown, self.total, f'IF({real}="","",{real})')

    def _merge(self, row: int, column: int, wide: int) -> None:
        self.result.merged.append(CellArea(row, column, row, column + wide - 1))
