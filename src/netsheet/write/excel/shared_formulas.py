"""Formula texts; and which cells can share one: their references move along with the cell.

Only references inside a sheet are shared. Excel does not move a reference to another sheet with
the cell, and never writes such shared formulas itself (github.com/JanKallman/EPPlus/issues/92).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.write.excel.formula_text import CellReference, FormulaPart, VaryingNumber
from netsheet.write.excel.formula_writer import FormulaFamily
from netsheet.write.excel.placement import CellArea, IntArray, column_name, column_number
from netsheet.write.excel.sheet_names import quoted

# a reference inside the sheet; a name before a bracket is a function (LOG10)
REFERENCE = re.compile(r"(?<![A-Za-z0-9_.$!'])(\$?)([A-Z]{1,3})(\$?)(\d+)(?![A-Za-z0-9_(.!])")
LENGTHS = 2  # cells that make sharing worth it


@dataclass(frozen=True)
class SharedFormula:
    """One formula for a rectangle of cells, as its top left cell has it."""

    area: CellArea
    formula: str

    def moved_to(self, row: int, col: int) -> str:
        """The formula as it stands in another cell of the area."""
        down, right = row - self.area.top, col - self.area.left

        def moved(match: re.Match[str]) -> str:
            fixed_col, letters, fixed_row, number = match.groups()
            if not fixed_col:
                letters = column_name(column_number(letters) + right)
            return f"{fixed_col}{letters}{fixed_row}{int(number) + (0 if fixed_row else down)}"

        return REFERENCE.sub(moved, self.formula)


@dataclass(frozen=True, eq=False)
class SingleFormulas:
    """Formulas of their own, one per cell."""

    rows: IntArray
    cols: IntArray
    formulas: list[str]


def written(family: FormulaFamily) -> tuple[list[SharedFormula], SingleFormulas]:
    """The formulas of a family, shared wherever neighbours only differ by a shift."""
    if any(isinstance(piece, CellReference) and piece.sheet for piece in family.pieces):
        every = np.arange(len(family.rows))
        return [], SingleFormulas(family.rows, family.cols, texts(family.pieces, every))
    order = np.lexsort((family.rows, family.cols))
    rows, cols = family.rows[order], family.cols[order]
    lines = _lines(family.pieces, order)
    down = _runs(rows, cols, lines.rows, lines.cols, lines.numbers)
    starts, lengths = down.starts, down.lengths
    across = _merged(rows, cols, lines, down)
    shared, single = [], []
    for first, width in across:
        start, length = int(starts[first]), int(lengths[first])
        if length * width < LENGTHS:
            single.append(start)
            continue
        top, left = int(rows[start]), int(cols[start])
        area = CellArea(top, left, top + length - 1, left + width - 1)
        moves_down = lines.rows[:, start + 1] != lines.rows[:, start] if length > 1 else None
        beside = int(starts[first + 1]) if width > 1 else None
        moves_right = None if beside is None else lines.cols[:, beside] != lines.cols[:, start]
        shared.append(
            SharedFormula(area, _master(family.pieces, int(order[start]), moves_down, moves_right))
        )
    chosen = order[single] if single else np.zeros(0, np.int64)
    formulas = texts(family.pieces, chosen) if single else []
    return shared, SingleFormulas(family.rows[chosen], family.cols[chosen], formulas)


def texts(pieces: Sequence[FormulaPart], points: IntArray) -> list[str]:
    """The formulas at these points: weights with ``$``, other cells without."""
    columns: list[list[str]] = []
    count = len(points)
    for piece in pieces:
        if isinstance(piece, str):
            columns.append([piece] * count)
        elif isinstance(piece, VaryingNumber):
            columns.append([str(number) for number in piece.values[points].tolist()])
        else:
            mark = "$" if piece.weight else ""
            head = (f"{quoted(piece.sheet)}!" if piece.sheet else "") + mark
            rows, cols = piece.rows[points].tolist(), piece.cols[points].tolist()
            columns.append(
                [f"{head}{column_name(c)}{mark}{r + 1}" for r, c in zip(rows, cols, strict=True)]
            )
    return ["".join(parts) for parts in zip(*columns, strict=True)]


def _master(
    pieces: Sequence[FormulaPart], point: int, down: IntArray | None, right: IntArray | None
) -> str:
    """One formula with ``$`` where a reference stays while the cell moves."""
    parts = []
    number = 0
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
        elif isinstance(piece, VaryingNumber):
            parts.append(str(int(piece.values[point])))
        else:
            fixed_row = piece.weight if down is None else not down[number]
            fixed_col = piece.weight if right is None else not right[number]
            sheet = f"{quoted(piece.sheet)}!" if piece.sheet else ""
            name = column_name(int(piece.cols[point]))
            row = int(piece.rows[point]) + 1
            parts.append(f"{sheet}{'$' * fixed_col}{name}{'$' * fixed_row}{row}")
            number += 1
    return "".join(parts)


@dataclass(frozen=True, eq=False)
class _Lines:
    """Rows and columns of every reference (one line each) over the points, in a given order."""

    rows: IntArray
    cols: IntArray
    numbers: IntArray


def _lines(pieces: Sequence[FormulaPart], order: IntArray) -> _Lines:
    refs = [piece for piece in pieces if isinstance(piece, CellReference)]
    numbers = [piece for piece in pieces if isinstance(piece, VaryingNumber)]

    def stacked(arrays: list[IntArray]) -> IntArray:
        return np.stack(arrays) if arrays else np.zeros((0, len(order)), np.int64)

    return _Lines(
        stacked([ref.rows[order] for ref in refs]),
        stacked([ref.cols[order] for ref in refs]),
        stacked([number.values[order] for number in numbers]),
    )


@dataclass(frozen=True, eq=False)
class _Runs:
    starts: IntArray
    lengths: IntArray


def _runs(
    rows: IntArray, cols: IntArray, moving: IntArray, fixed: IntArray, numbers: IntArray
) -> _Runs:
    """Successive points one below the other whose references all stay or all move along."""
    count = len(rows)
    steps = np.diff(moving, axis=1)
    good = (np.diff(rows) == 1) & (np.diff(cols) == 0)
    good &= ((steps == 0) | (steps == 1)).all(axis=0)
    good &= (np.diff(fixed, axis=1) == 0).all(axis=0)
    good &= (np.diff(numbers, axis=1) == 0).all(axis=0)
    if count > 2:
        same = (steps[:, 1:] == steps[:, :-1]).all(axis=0)
        # where the way of moving changes, a new run starts; the step between belongs to neither
        changed = good[1:] & good[:-1] & ~same
        good[1:][changed] = False
    starts = np.flatnonzero(np.r_[True, ~good])
    lengths = np.diff(np.r_[starts, count])
    return _Runs(starts, lengths)


def _merged(rows: IntArray, cols: IntArray, lines: _Lines, down: _Runs) -> list[tuple[int, int]]:
    """Runs side by side that are one rectangle, as (first run, number of runs)."""
    starts, lengths = down.starts, down.lengths
    inner = np.minimum(starts + 1, len(rows) - 1)
    ways = lines.rows[:, inner] - lines.rows[:, starts]  # how each run moves; alike to be joined
    good = (np.diff(cols[starts]) == 1) & (np.diff(rows[starts]) == 0) & (np.diff(lengths) == 0)
    steps = np.diff(lines.cols[:, starts], axis=1)
    good &= ((steps == 0) | (steps == 1)).all(axis=0)
    good &= (np.diff(lines.rows[:, starts], axis=1) == 0).all(axis=0)
    good &= (np.diff(lines.numbers[:, starts], axis=1) == 0).all(axis=0)
    good &= (lengths[1:] == 1) | (np.diff(ways, axis=1) == 0).all(axis=0)
    result: list[tuple[int, int]] = []
    first = 0
    for run in range(1, len(starts) + 1):
        joined = run < len(starts) and bool(good[run - 1])
        if joined and run - first > 1:
            joined = bool((steps[:, run - 1] == steps[:, run - 2]).all())
        if joined:
            continue
        result.append((first, run - first))
        first = run
    return result
