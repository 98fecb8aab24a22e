"""The workbook that is the network: every activation a formula over the cells before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.data.scaling import token_inputs
from netsheet.data.states import with_states
from netsheet.data.succession import Succession, succession
from netsheet.equations import Tensor
from netsheet.errors import NetsheetError, UsageError
from netsheet.network import Network
from netsheet.selection import part, require
from netsheet.write.excel import input_sheet, sheet_stream
from netsheet.write.excel.book_layout import ARRANGEMENTS, AUTO, LayerSheet
from netsheet.write.excel.cell_block import computed
from netsheet.write.excel.learning_choice import Learning
from netsheet.write.excel.network_book import MAX_CELLS, NetworkBook
from netsheet.write.excel.placement import Placement, cell_name
from netsheet.write.excel.sheet_content import SheetContent
from netsheet.write.excel.sheet_names import quoted
from netsheet.write.excel.words import words as words_of

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ExcelReport:
    """What was written: ``formulas`` and ``numbers`` are counts of cells."""

    path: Path
    sheets: int
    formulas: int
    numbers: int
    size: int  # bytes

    def __str__(self) -> str:
        size = f"{self.size / 1e6:,.1f} MB" if self.size >= 1e6 else f"{self.size / 1e3:,.0f} KB"
        return f"{self.sheets} sheets, {self.formulas:,} formulas, {self.numbers:,} numbers, {size}"

    def _repr_html_(self) -> str:
        return f"<b>{escape(str(self.path))}</b> {escape(str(self))}"


def to_excel(
    model: Network,
    target: str | Path,
    samples: Sequence[Sample],
    *,
    lang: str = "en",
    until: str | None = None,
    arrangement: str = AUTO,
    class_names: Sequence[str] | None = None,
    learn: Learning | None = None,
    vocabulary: Sequence[str] = (),
    progress: Progress | None = None,
) -> ExcelReport:
    """Write the network as live formulas into an .xlsx file.

    Args:
        samples: what flows in; with several, a drop-down on the first sheet selects one. A network
            that keeps states is computed for one after another, with a row for each.
        lang: of the labels, ``en`` or ``ja``.
        until: the last layer to write; layers that it does not need are left out.
        arrangement: ``planes``, ``interleaved`` (channels side by side) or ``auto``.
        class_names: names for the output values, shown on the first sheet.
        learn: backward sheets besides, and steps of gradient descent.
        vocabulary: the words that token numbers stand for, from number 0; they stand beside them.
        progress: called with the cells written and all cells.

    Raises:
        UsageError: no samples, a wrong shape, an unknown language or arrangement; words for a
            network that reads no tokens.
        UnsupportedError: a needed layer has no equations.
        NetsheetError: the workbook would pass a limit of Excel, or cannot be written.
    """
    words = words_of(lang)
    if arrangement not in ARRANGEMENTS:
        raise UsageError(
            f"no arrangement {arrangement!r}; choose one of: {', '.join(ARRANGEMENTS)}"
        )
    shapes = [array.shape for array in samples[0].arrays] if samples else None
    model = part(model, until, shapes)
    if learn is not None:
        learn.check(model.explicit, samples)
    if vocabulary and not token_inputs(model):
        raise UsageError(f"{model.name} reads no tokens, which words could stand for.")
    require(model, model.nodes, "formulas")
    row = _in_a_row(model, len(samples)) if model.states and len(samples) > 1 else None
    if row is None:
        model = model.explicit  # states are inputs, zeros at first, and outputs
        samples = [with_states(sample, model) for sample in samples]
        input_sheet.checked(samples, model.inputs)
    else:
        input_sheet.checked(samples, model.inputs)
        model = row.network
    book = NetworkBook(
        model, samples, words, lang, arrangement, class_names, learn, vocabulary, row
    )
    book.refuse_oversized()
    count = book.formulas + book.numbers
    names: list[str] = []
    sheets = _noted(book.sheets_in_order(), names)
    size = sheet_stream.write(target, sheets, count, progress, words["font"])
    return ExcelReport(Path(target), len(names), book.formulas, book.numbers, size)


def _in_a_row(model: Network, count: int) -> Succession:
    """The network for so many inputs one after another.

    Raises:
        NetsheetError: that would be more cells than Excel holds.
    """
    each = sum(tensor.size for tensor in {eq.target for eq in model.equations()})
    if each * count > MAX_CELLS:
        raise NetsheetError(
            f"{count:,} inputs one after another would be {each * count:,} formulas; at most "
            f"{MAX_CELLS:,} cells open in practice: give {MAX_CELLS // each or 1:,} inputs or "
            "fewer (--samples), or write fewer layers (--until)."
        )
    return succession(model, count)


def _noted(sheets: Iterator[SheetContent], names: list[str]) -> Iterator[SheetContent]:
    """The sheets as they come, their names noted."""
    for content in sheets:
        names.append(content.name)
        yield content


@dataclass(frozen=True)
class CellFormula:
    """Where a value stands in the workbook, and the formula there (``=SUMPRODUCT(...)``)."""

    address: str
    formula: str


def cell_formula(
    model: Network, samples: Sequence[Sample], name: str, at: Sequence[int], lang: str = "en"
) -> CellFormula | None:
    """The cell of one value, as :func:`to_excel` writes it; None if the workbook has none.

    ``name`` is that of a layer's output or of a step on the way to it.
    """
    return cell_formulas(model, samples, [(name, at)], lang)[0]


def cell_formulas(
    model: Network,
    samples: Sequence[Sample],
    values: Sequence[tuple[str, Sequence[int]]],
    lang: str = "en",
) -> list[CellFormula | None]:
    """The cells of several values, each as :func:`cell_formula` has it; laid out once for all."""
    explicit = model.explicit
    samples = [with_states(sample, explicit) for sample in samples]
    book = NetworkBook(explicit, samples, words_of(lang), lang, AUTO, None)
    blocks = {block.tensor.name: (sheet, block) for sheet in book.layers for block in sheet.blocks}
    found: list[CellFormula | None] = []
    for name, at in values:
        if name not in blocks:
            found.append(None)
            continue
        sheet, block = blocks[name]
        empty = np.zeros(block.tensor.shape)
        cells = computed(block.tensor, sheet.equations, book.plan.places, empty)
        row, col = (int(place) for place in block.place.at(list(at)))
        address = f"{quoted(sheet.name)}!{cell_name(row, col)}"
        found.append(CellFormula(address, cells.formula(row, col)))
    return found


def workbook_layout(
    model: Network, samples: Sequence[Sample]
) -> tuple[list[LayerSheet], Mapping[Tensor, Placement]]:
    """The layers' sheets with their equations, and where every tensor's cells stand.

    Raises:
        UnsupportedError: a layer cannot be written as formulas.
        NetsheetError: the workbook would pass a limit of Excel.
    """
    require(model, model.nodes, "formulas")
    book = NetworkBook(model, samples, words_of("en"), "en", AUTO, None)
    book.refuse_oversized()
    return book.layers, book.plan.places
