"""Sets of cells as few rectangles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from netsheet.write.excel.placement import IntArray


class Rectangle(NamedTuple):
    """Offsets of the corner cells, both included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def single(self) -> bool:
        """True for one cell."""
        return self.top == self.bottom and self.left == self.right


def bounding(rows: IntArray, cols: IntArray) -> Rectangle:
    """The smallest rectangle around the cells."""
    return Rectangle(int(rows.min()), int(cols.min()), int(rows.max()), int(cols.max()))


def cover(rows: IntArray, cols: IntArray) -> list[Rectangle]:
    """Rectangles that hold exactly these (distinct) cells: runs along rows, then stacked runs."""
    whole = bounding(rows, cols)
    if (whole.bottom - whole.top + 1) * (whole.right - whole.left + 1) == len(rows):
        return [whole]
    order = np.lexsort((cols, rows))
    rows, cols = rows[order], cols[order]
    breaks = np.flatnonzero((np.diff(rows) != 0) | (np.diff(cols) != 1)) + 1
    starts, ends = [0, *breaks.tolist()], [*breaks.tolist(), len(rows)]
    runs = [
        Rectangle(int(rows[a]), int(cols[a]), int(rows[a]), int(cols[b - 1]))
        for a, b in zip(starts, ends, strict=True)
    ]
    return _stacked(runs)


def _stacked(runs: Sequence[Rectangle]) -> list[Rectangle]:
    """Runs with the same columns in successive rows joined."""
    open_runs: dict[tuple[int, int], Rectangle] = {}
    done: list[Rectangle] = []
    for run in runs:
        above = open_runs.get((run.left, run.right))
        if above is not None and above.bottom + 1 == run.top:
            open_runs[run.left, run.right] = above._replace(bottom=run.bottom)
            continue
        if above is not None:
            done.append(above)
        open_runs[run.left, run.right] = run
    return sorted([*done, *open_runs.values()])


def translated(offsets: Sequence[tuple[IntArray, IntArray]]) -> list[IntArray]:
    """Groups of points that all factors read in the same shape, each as point numbers.

    ``offsets`` holds, for each factor, rows and columns of every point; in one group they are
    translates of each other. Points that a factor reads twice fall into separate groups.
    """
    rows, cols = offsets[0]
    keys = [part for r, c in offsets[1:] for part in (r - rows, c - cols)]
    keys.append(_repetition(rows, cols, keys))
    table = np.stack(keys, axis=1)
    _, first, number = np.unique(table, axis=0, return_index=True, return_inverse=True)
    number = number.reshape(-1)
    return [np.flatnonzero(number == group) for group in np.argsort(first)]


def _repetition(rows: IntArray, cols: IntArray, keys: Sequence[IntArray]) -> IntArray:
    """0 for the first point at a cell (and key), 1 for the second, ..."""
    table = np.stack([rows, cols, *keys], axis=1)
    _, number = np.unique(table, axis=0, return_inverse=True)
    number = number.reshape(-1)
    order = np.argsort(number, kind="stable")
    ranked = number[order]
    starts = np.flatnonzero(np.r_[True, np.diff(ranked) != 0])
    counts = np.diff(np.r_[starts, len(ranked)])
    result = np.empty(len(ranked), np.int64)
    result[order] = np.arange(len(ranked)) - np.repeat(starts, counts)
    return result
