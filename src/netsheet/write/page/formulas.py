"""The workbook's formulas for every cell: one template for each family of cells.

A template is a list of text and references; the row and the column of a reference are sums of one
number for each axis of the tensor: ``[first, axis 0, axis 1, ...]``, where an axis is a step or a
list of offsets. Marks: 1 for a fixed row, 2 for a fixed column, 3 for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import Tensor
from netsheet.errors import NetsheetError
from netsheet.network import Network
from netsheet.write.excel.formula_text import CellReference, VaryingNumber
from netsheet.write.excel.formula_writer import FormulaFamily, formula_families
from netsheet.write.excel.placement import Placement
from netsheet.write.excel.shared_formulas import REFERENCE, written
from netsheet.write.excel.sheet_names import quoted
from netsheet.write.excel.workbook import workbook_layout

MAX_PIECES = 300  # of a formula; longer ones are shown in the workbook only
MAX_CELLS = 2_000_000  # of formulas; working them out for more would take longer than the page

Steps = list[Any]


class _NotRegular(Exception):  # noqa: N818 - a signal, never shown
    """The cells follow no rule that fits into a page."""


def workbook_formulas(
    network: Network, samples: Sequence[Sample], numbers: Mapping[str, int]
) -> dict[str, Any] | None:
    """Addresses and formulas by the tensor's number; None where there is no workbook.

    ``numbers`` gives the number of a tensor by its name.
    """
    try:
        if sum(eq.target.size for eq in network.equations()) > MAX_CELLS:
            return None
        layers, places = workbook_layout(network, samples)
    except NetsheetError:  # a layer has no formulas, or a sheet no room for it
        return None
    sheets: dict[str, int] = {}
    found: dict[int, Any] = {}
    for layer in layers:
        for tensor in dict.fromkeys(eq.target for eq in layer.equations):
            number = numbers.get(tensor.name)
            if number is None:
                continue
            families = [
                family
                for eq in layer.equations
                if eq.target is tensor
                for family in formula_families(eq, places)
            ]
            made = _tensor(tensor, places[tensor], families, sheets)
            if made is not None:
                found[number] = made
    return {"sheets": list(sheets), "tensors": found}


def _tensor(
    tensor: Tensor, place: Placement, families: Sequence[FormulaFamily], sheets: dict[str, int]
) -> dict[str, Any] | None:
    """Where a tensor's cells stand, and the template of each family; None: not to be said."""
    every = tuple(grid.reshape(-1) for grid in np.indices(tensor.shape))
    rows, cols = place.at(every)
    try:
        result = {
            "sheet": _sheet(sheets, place.sheet),
            "rows": _steps(np.broadcast_to(rows, (tensor.size,)), every, tensor.shape),
            "cols": _steps(np.broadcast_to(cols, (tensor.size,)), every, tensor.shape),
        }
    except _NotRegular:
        return None
    templates: list[Any] = []
    which = np.full(tensor.size, -1, np.int64)
    for family in families:
        marks, variant = _marked(family)
        places = np.ravel_multi_index(family.positions, tensor.shape) if tensor.shape else [0]
        which[places] = len(templates) + variant
        templates += [_template(tensor, family, one, sheets) for one in marks]
    result["families"] = templates
    if len(templates) != 1:
        result["which"] = _runs(which)
    return result


def _marked(family: FormulaFamily) -> tuple[list[list[bool]], Any]:
    """Where references carry ``$`` (row and column of each in turn), and which cells have it so.

    The workbook shares a formula between cells: a reference that stays carries the mark there.
    """
    references = [piece for piece in family.pieces if isinstance(piece, CellReference)]
    marks = [[piece.weight for piece in references for _ in range(2)]]
    none = np.zeros(len(family.rows), np.int64)
    if any(piece.sheet for piece in references):
        return marks, none
    shared, _ = written(family)
    top, left = family.rows.min(), family.cols.min()
    grid = np.zeros((family.rows.max() - top + 1, family.cols.max() - left + 1), np.int64)
    for one in shared:
        own = [bool(m) for found in REFERENCE.finditer(one.formula) for m in (found[3], found[1])]
        if own not in marks:
            marks.append(own)
        area = one.area
        down = slice(area.top - top, area.bottom - top + 1)
        grid[down, area.left - left : area.right - left + 1] = marks.index(own)
    return marks, grid[family.rows - top, family.cols - left]


def _template(
    tensor: Tensor, family: FormulaFamily, marks: Sequence[bool], sheets: dict[str, int]
) -> list[Any] | None:
    if len(family.pieces) > MAX_PIECES:
        return None
    at = tuple(np.asarray(position) for position in family.positions)
    pieces: list[Any] = []
    left = iter(marks)
    try:
        for piece in family.pieces:
            if isinstance(piece, str):
                if pieces and isinstance(pieces[-1], str):
                    pieces[-1] += piece
                else:
                    pieces.append(piece)
            elif isinstance(piece, VaryingNumber):
                pieces.append(["v", _steps(piece.values, at, tensor.shape)])
            else:
                marked = int(next(left)) + 2 * int(next(left))
                pieces.append(_reference(piece, marked, at, tensor.shape, sheets))
    except _NotRegular:
        return None
    return pieces


def _reference(
    piece: CellReference,
    marked: int,
    at: tuple[Any, ...],
    shape: Sequence[int],
    sheets: dict[str, int],
) -> list[Any]:
    sheet = -1 if piece.sheet is None else _sheet(sheets, piece.sheet)
    rows, cols = (_steps(values, at, shape) for values in (piece.rows, piece.cols))
    return ["r", sheet, marked, rows, cols]


def _sheet(sheets: dict[str, int], name: str) -> int:
    return sheets.setdefault(quoted(name), len(sheets))


def _steps(values: Any, at: tuple[Any, ...], shape: Sequence[int]) -> Steps:
    """Numbers as a first one and something for each axis; checked at every point.

    Raises:
        _NotRegular: they are no such sum.
    """
    values = np.asarray(values)
    first = int(values[0])
    result: Steps = []
    total = np.zeros(len(values), np.int64)
    for axis, size in enumerate(shape):
        others = np.ones(len(values), bool)
        for other in range(len(shape)):
            if other != axis:
                others &= at[other] == at[other][0]
        places, moved = at[axis][others], values[others] - first
        table = np.zeros(size, np.int64)
        table[places] = moved
        step, start = _step(places, moved), int(at[axis][0])
        if step is not None:
            result.append(step)
            first -= step * start
            total += step * at[axis]
        else:
            result.append(table.tolist())
            total += table[at[axis]]
    if not np.array_equal(total + first, values):
        raise _NotRegular
    return [first, *result]


def _step(places: Any, moved: Any) -> int | None:
    """How much a position more adds, if that is always the same."""
    if len(places) < 2:
        return 0
    step = int((moved[1] - moved[0]) // (places[1] - places[0]))
    return step if np.array_equal(moved - moved[0], step * (places - places[0])) else None


def _runs(numbers: Any) -> list[int]:
    """Numbers as runs: length, number, length, number, ..."""
    starts = np.flatnonzero(np.r_[True, np.diff(numbers) != 0])
    lengths = np.diff(np.r_[starts, len(numbers)])
    return [int(n) for pair in zip(lengths, numbers[starts], strict=True) for n in pair]
