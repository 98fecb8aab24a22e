"""The cells of one block: numbers, or formulas with the values that they will have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from netsheet.equations import Equation, FloatArray, Tensor
from netsheet.write.excel.formula_writer import FormulaFamily, formula_families
from netsheet.write.excel.placement import IntArray, Placement
from netsheet.write.excel.shared_formulas import SharedFormula, written

Mask = npt.NDArray[np.bool_]


@dataclass(eq=False)
class CellBlock:
    """A rectangle of cells whose corner is ``top, left``; ``used`` ones are written.

    ``number`` is the place of a cell's formula in ``shared``, or -1; formulas of single cells are
    in ``texts`` by row and column within the grid.
    """

    top: int
    left: int
    values: FloatArray
    used: Mask
    number: IntArray
    shared: list[SharedFormula] = field(default_factory=list)
    texts: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def formulas(self) -> int:
        """How many cells hold formulas."""
        return int((self.number >= 0).sum()) + len(self.texts)

    def formula(self, row: int, col: int) -> str:
        """The formula in a cell of the sheet as a spreadsheet shows it; nothing for a number."""
        at = row - self.top, col - self.left
        if at in self.texts:
            return "=" + self.texts[at]
        number = int(self.number[at])
        return "" if number < 0 else "=" + self.shared[number].moved_to(row, col)


def numbers(place: Placement, values: FloatArray) -> CellBlock:
    """Stored numbers, and the zeros in the holes of a kernel."""
    grid = _empty(place)
    occupied = place.occupied()
    grid.used |= occupied > 0
    rows, cols = place.grid()
    grid.values[rows - place.row, cols - place.col] = values
    return grid


def by_target(equations: Iterable[Equation]) -> dict[Tensor, list[Equation]]:
    """The equations that fill each tensor, in order."""
    found: dict[Tensor, list[Equation]] = {}
    for eq in equations:
        found.setdefault(eq.target, []).append(eq)
    return found


def computed(
    tensor: Tensor,
    equations: Iterable[Equation],
    places: Mapping[Tensor, Placement],
    values: FloatArray,
    written_before: dict[Equation, list[FormulaFamily]] | None = None,
) -> CellBlock:
    """The formulas of all equations that fill a tensor; elements that none fills are zeros.

    Formulas that were ``written_before`` are taken from there.
    """
    place = places[tensor]
    grid = numbers(place, values)
    for eq in equations:
        if eq.target is not tensor:
            continue
        ready = None if written_before is None else written_before.pop(eq, None)
        for family in formula_families(eq, places) if ready is None else ready:
            shared, single = written(family)
            for item in shared:
                area = item.area
                down = slice(area.top - place.row, area.bottom - place.row + 1)
                right = slice(area.left - place.col, area.right - place.col + 1)
                grid.number[down, right] = len(grid.shared)
                grid.shared.append(item)
            rows = (single.rows - place.row).tolist()
            cols = (single.cols - place.col).tolist()
            grid.texts.update(zip(zip(rows, cols, strict=True), single.formulas, strict=True))
    return grid


def _empty(place: Placement) -> CellBlock:
    shape = (place.height, place.width)
    return CellBlock(
        place.row,
        place.col,
        np.zeros(shape),
        np.zeros(shape, bool),
        np.full(shape, -1, np.int64),
    )
