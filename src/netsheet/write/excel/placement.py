"""Where the values of a tensor live in a sheet: from tensor positions to cells.

A :class:`Placement` adds up one table per axis: the element at ``(i, j, ...)`` lies at
``row + rows[0][i] + rows[1][j] + ...`` and likewise for columns. Planes, interleaved channels,
kernels as reading windows: all are such tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384


@lru_cache(maxsize=MAX_COLUMNS)
def column_name(column: int) -> str:
    """``A`` for 0, ``XFD`` for 16383."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def column_number(letters: str) -> int:
    """0 for ``A``, 16383 for ``XFD``."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def cell_name(row: int, column: int, absolute: bool = False) -> str:
    """``B5``, or ``$B$5``, of a row and column counted from 0."""
    mark = "$" if absolute else ""
    return f"{mark}{column_name(column)}{mark}{row + 1}"


@dataclass(frozen=True)
class CellArea:
    """A rectangle of cells, rows and columns counted from 0, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int

    def __str__(self) -> str:
        first, last = cell_name(self.top, self.left), cell_name(self.bottom, self.right)
        return first if first == last else f"{first}:{last}"

    @property
    def single(self) -> bool:
        """True for one cell."""
        return self.top == self.bottom and self.left == self.right

    def absolute(self) -> str:
        """``$B$5:$E$8``."""
        first = cell_name(self.top, self.left, True)
        last = cell_name(self.bottom, self.right, True)
        return first if first == last else f"{first}:{last}"


@dataclass(frozen=True, eq=False)
class AxisOffsets:
    """How far along rows and columns each position of one axis lies from position 0."""

    rows: IntArray
    cols: IntArray

    @property
    def size(self) -> int:
        """The number of positions."""
        return len(self.rows)

    def step(self) -> tuple[int, int] | None:
        """Rows and columns from one position to the next; None where that varies."""
        if self.size < 2:
            return 0, 0
        rows, cols = np.diff(self.rows), np.diff(self.cols)
        if (rows == rows[0]).all() and (cols == cols[0]).all():
            return int(rows[0]), int(cols[0])
        return None


def along(size: int, row_step: int, col_step: int) -> AxisOffsets:
    """An axis whose positions follow each other at a fixed step."""
    steps = np.arange(size, dtype=np.int64)
    return AxisOffsets(steps * row_step, steps * col_step)


def wrapped(size: int, per_band: int, row_step: int, col_step: int) -> AxisOffsets:
    """An axis laid out in bands: ``per_band`` positions side by side, then the next band."""
    steps = np.arange(size, dtype=np.int64)
    return AxisOffsets(steps // per_band * row_step, steps % per_band * col_step)


@dataclass(frozen=True, eq=False)
class Placement:
    """The cells of one tensor: ``arrangement`` names the way, ``planes`` the axes set apart.

    ``zeros`` says that unused cells inside a block hold zeros (the holes of a dilated kernel).
    """

    axes: tuple[AxisOffsets, ...]
    arrangement: str
    planes: frozenset[int] = frozenset()
    zeros: tuple[CellArea, ...] = ()
    sheet: str = ""
    row: int = 0
    col: int = 0
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

    def at(self, positions: Sequence[Any]) -> tuple[Any, Any]:
        """Rows and columns of the elements at these positions (one array or number per axis)."""
        row: Any = self.row
        col: Any = self.col
        for axis, position in zip(self.axes, positions, strict=True):
            inside = np.clip(position, 0, axis.size - 1)
            row, col = row + axis.rows[inside], col + axis.cols[inside]
        return row, col

    def grid(self) -> tuple[IntArray, IntArray]:
        """Row and column of every element, in the tensor's shape."""
        shape = tuple(axis.size for axis in self.axes)
        rows, cols = self.at(np.ix_(*(np.arange(size) for size in shape)) if shape else ())
        return np.broadcast_to(rows, shape), np.broadcast_to(cols, shape)

    @cached_property
    def height(self) -> int:
        """Rows from the first to the last cell."""
        return 1 + sum(int(axis.rows.max(initial=0)) for axis in self.axes)

    @cached_property
    def width(self) -> int:
        """Columns from the first to the last cell."""
        return 1 + sum(int(axis.cols.max(initial=0)) for axis in self.axes)

    @cached_property
    def area(self) -> CellArea:
        """The smallest rectangle around all cells."""
        return CellArea(self.row, self.col, self.row + self.height - 1, self.col + self.width - 1)

    def moved(self, sheet: str, row: int, col: int) -> Placement:
        """The same arrangement at another place."""
        return replace(self, sheet=sheet, row=row, col=col, _cache={})

    def occupied(self) -> IntArray:
        """1 for every cell of the area that holds an element, 2 for a stored zero, else 0."""
        if "occupied" not in self._cache:
            cells = np.zeros((self.height, self.width), np.int64)
            for zero in self.zeros:
                cells[zero.top : zero.bottom + 1, zero.left : zero.right + 1] = 2
            rows, cols = self.grid()
            cells[rows - self.row, cols - self.col] = 1
            self._cache["occupied"] = cells
        occupied: IntArray = self._cache["occupied"]
        return occupied
