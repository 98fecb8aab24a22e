"""The Terms sheet: every value that Explain can show, taken apart by live formulas.

A list of all tensors comes first. Below it, each tensor has three rows for each way in which its
elements are made: the first factor of every term, the second one, and words about them. All of
them follow the position that is picked on the Explain sheet, kept within the tensor's own sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from netsheet.equations import FloatArray, Index, Select, Tensor, reads, walk
from netsheet.equations.grids import holds_at
from netsheet.explanation import (
    Composition,
    CompositionNumbers,
    Reduction,
    numbers,
)
from netsheet.write.excel import looks
from netsheet.write.excel.explained_tensors import Explained, first_element, shown_first
from netsheet.write.excel.picked_formula import NotPickable, PickedFormula
from netsheet.write.excel.placement import CellArea, Placement, cell_name
from netsheet.write.excel.sheet_content import SheetContent
from netsheet.write.excel.sheet_names import quoted
from netsheet.write.excel.spreadsheet_functions import number_text
from netsheet.write.excel.term_formulas import Bases, Flag, at_first, bracketed, only, reduced
from netsheet.write.excel.term_pages import TermPage
from netsheet.write.mathematics import stage_text, text

MAX_LISTED = 200  # positions in a drop-down list
LIST_ROW = 5  # the first tensor of the list
# columns of the list
NAME, ACTIVE, AXES, SIZES, PICKS = 0, 1, 2, 7, 12
ADDRESS, OWN, FORMULA, REAL = 17, 18, 19, 20
NUMBERS, PAGE_NUMBERS = 21, 26
# columns of a tensor's own rows
FLAG, PAGES, RESULTS, BASES, TERMS = 1, 2, 3, 20, 41
MAX_RESULTS = 16
ROWS = 3  # for each way in which elements are made
ENTRY, ROW, OFFSET = (1, 1), (2, 1), (3, 1)  # what is picked: tensor, its rows, its page


@dataclass(eq=False)
class TermsSheet:
    """The sheet with what the Explain sheet has to know of it."""

    content: SheetContent
    explained: list[Explained]
    side: int
    first: int  # the tensor shown at first
    left_out: int  # tensors that cannot be shown
    axes: int = 0  # positions that can be picked
    rows: int = 0
    part_rows: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def list_end(self) -> int:
        """The row after the list: MATCH and INDEX want more than one cell in every engine."""
        return LIST_ROW + len(self.explained)

    def cell(self, place: tuple[int, int]) -> str:
        """One of the sheet's cells, as other sheets' formulas name it."""
        return self.content.reference(*place)

    def area(self, top: int, left: int, bottom: int, right: int) -> str:
        """An area of the sheet, as other sheets' formulas name it."""
        return f"{quoted(self.content.name)}!{CellArea(top, left, bottom, right).absolute()}"


class TermsWriter:
    """Fills the Terms sheet."""

    def __init__(
        self,
        name: str,
        explained: list[Explained],
        side: int,
        left_out: int,
        places: Mapping[Tensor, Placement],
        values: Mapping[Tensor, FloatArray],
        formulas: Mapping[Tensor, str],
        words: Mapping[str, str],
    ) -> None:
        content = SheetContent(name, column_width=11.0)
        content.widths[NAME] = 26
        self.result = TermsSheet(content, explained, side, shown_first(explained), left_out)
        self.places, self.values = places, values
        self.formulas, self.words = formulas, words
        self.kept: list[Explained] = []

    def written(self, picks: Sequence[str], page: str, layer: str) -> TermsSheet:
        """The whole sheet.

        ``picks``, ``page`` and ``layer`` are the cells of the Explain sheet that hold the position,
        the number of the page and the layer's name.
        """
        result, content, entries = self.result, self.result.content, self.result.explained
        first = entries[result.first]
        self.picks, self.started, result.axes = picks, first.at, len(picks)
        content.put(0, 0, self.words["terms about"], looks.NOTE)
        listed = max([1, *(min(s, MAX_LISTED) for e in entries for s in e.tensor.shape)])
        most = max([1, *(sum(map(len, p)) for e in entries for p in e.pages)])
        row = LIST_ROW + max(len(entries), listed, min(most, MAX_LISTED)) + 2
        for entry in entries:
            row = self._kept_entry(entry, row)
        result.left_out += len(entries) - len(self.kept)
        result.explained, result.rows = self.kept, row
        result.first = self.kept.index(first) if first in self.kept else 0
        if self.kept:
            self._chosen(layer, page)
            self._lists(listed, min(most, MAX_LISTED))
        return result

    def _chosen(self, layer: str, page: str) -> None:
        """Which tensor, which of its rows and which page the Explain sheet shows."""
        content, result = self.result.content, self.result
        last = result.list_end
        names, active = (
            CellArea(LIST_ROW, column, last, column).absolute() for column in (NAME, ACTIVE)
        )
        content.put(*ENTRY, result.first + 1, looks.PLAIN, f"MATCH({layer},{names},0)")
        now = self._active(result.explained[result.first])
        row = result.part_rows[result.first, now] + 1
        content.put(*ROW, row, looks.PLAIN, f"INDEX({active},{cell_name(*ENTRY, True)})")
        counts = CellArea(0, PAGES, result.rows, PAGES).absolute()
        content.put(
            *OFFSET, 0, looks.PLAIN,
            f"{result.side**2}*(MAX(1,MIN(INT({page}),"
            f"INDEX({counts},{cell_name(*ROW, True)})))-1)",
        )  # fmt: skip

    # ------------------------------------------------------------------ lists

    def _lists(self, listed: int, most: int) -> None:
        """The numbers that the drop-downs offer: those that the chosen tensor has."""
        content, result = self.result.content, self.result
        first = result.explained[result.first]
        entry = cell_name(*ENTRY, True)
        last = result.list_end
        for axis in range(len(self.picks)):
            sizes = CellArea(LIST_ROW, SIZES + axis, last, SIZES + axis).absolute()
            size = first.tensor.shape[axis] if axis < len(first.tensor.shape) else 0
            for n in range(listed):
                content.put(
                    LIST_ROW + n, NUMBERS + axis, n if n < size else "", looks.PLAIN,
                    f'IF({n}<INDEX({sizes},{entry}),{n},"")',
                )  # fmt: skip
        counts = CellArea(0, PAGES, result.rows, PAGES).absolute()
        rows = cell_name(*ROW, True)
        total = sum(map(len, first.pages[self._active(first)])) or 1
        for n in range(1, most + 1):
            content.put(
                LIST_ROW + n - 1, PAGE_NUMBERS, n if n <= total else "", looks.PLAIN,
                f'IF({n}<=INDEX({counts},{rows}),{n},"")',
            )  # fmt: skip

    def _active(self, entry: Explained) -> int:
        for number, part in enumerate(entry.made.parts):
            if bool(holds_at(part.where, self._at(entry))):
                return number
        return 0

    # ------------------------------------------------------------------ one tensor

    def _kept_entry(self, entry: Explained, row: int) -> int:
        """Writes a tensor, or nothing where its formulas would be too long."""
        cells = self.result.content.cells
        before = len(cells)
        try:
            after = self._entry(entry, len(self.kept), row)
        except NotPickable:
            del cells[before:]
            return row
        self.kept.append(entry)
        return after

    def _entry(self, entry: Explained, number: int, row: int) -> int:
        """A line of the list, and the rows of each part; returns the next free row."""
        content = self.result.content
        line = LIST_ROW + number
        tensor = entry.tensor
        content.put(line, NAME, entry.label, looks.PLAIN)
        cells: dict[Index, str] = {}
        at = self._at(entry)
        for axis, (name, size) in enumerate(zip(tensor.axes, tensor.shape, strict=True)):
            content.put(line, AXES + axis, self.words.get(f"axis {name}", name), looks.PLAIN)
            content.put(line, SIZES + axis, size, looks.PLAIN)
            content.put(
                line, PICKS + axis, at[entry.made.at[axis]], looks.PLAIN,
                f"MAX(0,MIN({size - 1},INT({self.picks[axis]})))",
            )  # fmt: skip
            cells[entry.made.at[axis]] = cell_name(line, PICKS + axis, True)
        several = len(entry.made.parts) > 1
        top = row
        for part_number in range(len(entry.made.parts)):
            self.result.part_rows[number, part_number] = row
            self._part(entry, part_number, row, cells, at, several)
            row += ROWS
        flags = CellArea(top, FLAG, row - 1, FLAG).absolute()
        now = next((n for n, p in enumerate(entry.made.parts) if bool(holds_at(p.where, at))), 0)
        content.put(
            line, ACTIVE, top + now * ROWS + 1, looks.PLAIN,
            f"{top}+MATCH(1,{flags},0)" if several else None,
        )  # fmt: skip
        self._own(line, entry, cells, at)
        return row

    def _at(self, entry: Explained) -> dict[Index, int]:
        """The element shown at first: the one picked, kept within the tensor's own sizes."""
        at = first_element(self.started, entry.tensor.shape)
        return dict(zip(entry.made.at, at, strict=True))

    def _own(
        self, line: int, entry: Explained, cells: Mapping[Index, str], at: Mapping[Index, int]
    ) -> None:
        """The layer's own cell: where it is, what it holds, its formula."""
        content = self.result.content
        place = self.places[entry.tensor]
        writer = PickedFormula(self.places, cells, at, {}, lambda text, value: text)
        positions = [index + 0 for index in entry.made.at]
        row, column = writer.cell(entry.tensor, positions)
        where = place.at([at[index] for index in entry.made.at])
        name = f"{quoted(place.sheet)}!{cell_name(int(where[0]), int(where[1]))}"
        head = quoted(place.sheet).replace('"', '""')
        content.put(
            line, ADDRESS, name, looks.PLAIN, f'"{head}!"&ADDRESS({row},{column},4)'
        )  # fmt: skip
        value = float(self.values[entry.tensor][tuple(at[index] for index in entry.made.at)])
        own = writer.formula(entry.tensor[tuple(positions)])
        content.put(line, OWN, value, looks.PLAIN, own)
        content.put(
            line, FORMULA, self.formulas.get(entry.tensor, ""), looks.PLAIN,
            f'IFERROR(_xlfn.FORMULATEXT({own}),"")',
        )  # fmt: skip

        known = entry.tensor.quantisation
        if known is not None and not known.axes:
            step, zero = number_text(known.step), known.zero_point
            real = (value - zero) * known.step
            content.put(line, REAL, real, looks.PLAIN, f"({cell_name(line, OWN)}-({zero}))*{step}")

    def _part(
        self,
        entry: Explained,
        number: int,
        row: int,
        cells: Mapping[Index, str],
        at: Mapping[Index, int],
        several: bool,
    ) -> None:
        """Three rows: first factors, second factors, words."""
        content, part = self.result.content, entry.made.parts[number]
        holds = bool(holds_at(part.where, at))
        found = numbers(part, at, self.values, elements=not part.reductions)
        named: dict[Tensor, str] = {}
        writer = PickedFormula(
            self.places, cells, at, named, Bases(content, row, BASES, TERMS - 1 - BASES).keep
        )
        content.put(row, NAME, entry.tensor.name, looks.NAME)
        condition = writer.condition(part.where)
        content.put(row, FLAG, int(holds), looks.PLAIN, f"IF({condition},1,0)" if several else None)
        content.put(row, PAGES, max(1, sum(map(len, entry.pages[number]))), looks.PLAIN)
        content.put(row + 2, NAME, text(part.equation), looks.NAME)
        flag = (cell_name(row, FLAG, True), holds) if several else None
        column = TERMS
        for reduction, laid_out, terms, total in zip(
            part.reductions, entry.pages[number], found.terms, found.totals, strict=True
        ):
            by_point = {term.point: term for term in terms}
            last = column + len(laid_out) * self.result.side**2 - 1
            for page in laid_out:
                self._page(row, column, page, reduction, by_point, writer, flag)
                column += self.result.side**2
            self._result(
                row, len(named), reduction.result, reduction.result.name,
                total if flag is None or flag[1] else 0,
                reduced(reduction, row, column, last, len(laid_out) * self.result.side**2),
                named,
            )  # fmt: skip
        if not part.reductions:
            self._operands(row, part, found, writer, flag)
        self._stages(row, part, found, writer, named, flag)

    def _operands(
        self,
        row: int,
        part: Composition,
        found: CompositionNumbers,
        writer: PickedFormula,
        flag: Flag | None,
    ) -> None:
        """What is read where nothing is summed up, in place of terms: up to a line of the grid."""
        standins = {stage.result for stage in part.stages}
        values = {tensor: value for tensor, _, value in found.elements}
        each = [read for stage in part.stages for read in reads(stage.value)]
        once = list({read.tensor: read for read in each if read.tensor not in standins}.values())
        conditions = any(isinstance(n, Select) for s in part.stages for n in walk(s.value))
        if conditions or {read.tensor for read in once} != set(values):
            return
        content, once = self.result.content, once[: self.result.side]
        heading = ",   ".join(stage_text(read) for read in once)
        content.put(row + 2, TERMS + 1, heading, looks.NAME)
        for place, read in enumerate(once):
            formula = only(flag, writer.formula(read))
            content.put(
                row, TERMS + place, at_first(flag, values[read.tensor]), looks.PLAIN, formula
            )

    def _page(
        self,
        row: int,
        column: int,
        page: TermPage,
        reduction: Reduction,
        terms: Mapping[tuple[int, ...], object],
        writer: PickedFormula,
        flag: Flag | None,
    ) -> None:
        """The factors of every term of a page, and what the page shows in words."""
        content, side = self.result.content, self.result.side
        content.put(row + 2, column, page.label, looks.NAME)
        content.put(row + 2, column + 1, stage_text(reduction.factors[0]), looks.NAME)
        if len(reduction.factors) > 1:
            rest = " * ".join(stage_text(factor) for factor in reduction.factors[1:])
            content.put(row + 2, column + 2, rest, looks.NAME)
        nothing: str = "0" if reduction.op == "sum" else '""'
        for down, right, point in page.cells:
            term = terms[point]
            at = dict(zip(reduction.over, point, strict=True))
            test = writer.condition(reduction.where, at)
            place = column + down * side + right
            first = writer.formula(reduction.factors[0], at)
            if test != "TRUE":
                first = nothing if test == "FALSE" else f"IF({test},{first},{nothing})"
            operands = term.operands  # type: ignore[attr-defined]
            inside = term.inside  # type: ignore[attr-defined]
            value: float | str = operands[0].value if inside or reduction.op == "sum" else ""
            content.put(row, place, at_first(flag, value), looks.PLAIN, only(flag, first))
            if len(reduction.factors) > 1:
                second = "*".join(bracketed(writer.formula(f, at)) for f in reduction.factors[1:])
                if test == "FALSE":
                    second = "0"
                elif test != "TRUE":
                    second = f"IF({test},{second},0)"
                value = float(np.prod([operand.value for operand in operands[1:]]))
                content.put(row + 1, place, at_first(flag, value), looks.PLAIN, only(flag, second))

    def _stages(
        self,
        row: int,
        part: Composition,
        found: CompositionNumbers,
        writer: PickedFormula,
        named: dict[Tensor, str],
        flag: Flag | None,
    ) -> None:
        earlier: dict[Tensor, str] = {r.result: r.result.name for r in part.reductions}
        for stage, value in zip(part.stages, found.results, strict=True):
            label = stage_text(stage.value, earlier)
            formula = only(flag, writer.formula(stage.value))
            shown = at_first(flag, value)
            self._result(row, len(named), stage.result, label, shown, formula, named)
            earlier[stage.result] = "…"

    def _result(
        self,
        row: int,
        number: int,
        tensor: Tensor,
        label: str,
        value: float | str,
        formula: str,
        named: dict[Tensor, str],
    ) -> None:
        if number >= MAX_RESULTS:
            raise NotPickable
        content, column = self.result.content, RESULTS + number
        content.put(row, column, value, looks.PLAIN, formula)
        content.put(row + 1, column, label, looks.NAME)
        named[tensor] = cell_name(row, column, True)
