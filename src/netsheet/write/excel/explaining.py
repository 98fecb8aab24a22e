"""Explain and Terms: made after the layers' sheets, of which they show the formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from netsheet.equations import FloatArray, Tensor
from netsheet.write.excel.book_layout import BookLayout, LayerSheet
from netsheet.write.excel.explain_sheet import explain_sheet, layer_cell, pick_cells
from netsheet.write.excel.explained_tensors import explained_tensors, first_element, shown_first
from netsheet.write.excel.sheet_content import SheetContent
from netsheet.write.excel.terms_sheet import TermsWriter

EXPLAIN_TAB = 2


class Explaining:
    """The tensors that can be taken apart, and the formulas of the cells shown at first."""

    def __init__(
        self, layers: Sequence[LayerSheet], plan: BookLayout, words: Mapping[str, str]
    ) -> None:
        self.plan, self.words = plan, words
        self.explained, self.side, self.left_out = explained_tensors(layers, plan.places)
        self.tensors = {entry.tensor for entry in self.explained}
        self.formulas: dict[Tensor, str] = {}
        shown = self.explained[shown_first(self.explained)].at if self.explained else ()
        self.wanted: Sequence[int] = shown

    @property
    def tabs(self) -> int:
        """How many tabs stand before the layers'."""
        return int(bool(self.explained))

    def note_formulas(self, sheet: LayerSheet, content: SheetContent) -> None:
        """Remember the formulas of a layer's cells at the position shown at first."""
        for block, (grid, _) in zip(sheet.blocks, content.grids, strict=True):
            if block.tensor in self.tensors:
                at = first_element(self.wanted, block.tensor.shape)
                row, col = block.place.at(at)
                self.formulas[block.tensor] = grid.formula(int(row), int(col))

    def sheets(self, values: Mapping[Tensor, FloatArray]) -> Iterator[SheetContent]:
        """The Explain sheet and the one that it looks up; nothing if no layer can be shown."""
        if not self.explained:
            return
        name = self.words["explain"]
        writer = TermsWriter(
            self.words["terms"], self.explained, self.side, self.left_out, self.plan.places,
            values, self.formulas, self.words,
        )  # fmt: skip
        axes = max(len(entry.tensor.shape) for entry in self.explained)
        *picks, page = pick_cells(name, axes)
        terms = writer.written(picks, page, layer_cell(name))
        if not terms.explained:
            return
        shown = {(cell.row, cell.col): cell.content for cell in terms.content.cells}
        yield replace(explain_sheet(name, terms, shown, self.words), tab_number=EXPLAIN_TAB)
        yield terms.content
