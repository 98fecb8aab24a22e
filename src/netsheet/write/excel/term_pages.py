"""How the terms of a reduction are laid out as pages of a small square grid.

Two of its indices span the grid where they fit (the window of a convolution); the others number
the pages (its input channels). Otherwise the terms follow each other line by line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.equations import Index
from netsheet.explanation import Reduction

SMALLEST, LARGEST_SIDE = 4, 8
LARGEST_ALONE = 5  # of a window without a kernel: a wider one would make every layer's cells small
Point = tuple[int, ...]


@dataclass(frozen=True)
class TermPage:
    """One page: what it shows in words, and the term at each place of the grid."""

    label: str
    cells: tuple[tuple[int, int, Point], ...]


def side_for(reductions: Sequence[Reduction]) -> int:
    """The side of the grid: as large as the largest kernel, within what can be read.

    A window that has no kernel (a mean over a whole map) may as well be read line by line.
    """
    sides = [
        max(reduction.over[axis].size for axis in plane)
        for reduction in reductions
        if (plane := _plane(reduction.over, _largest(reduction))) is not None
    ]
    return max([SMALLEST, *sides])


def _largest(reduction: Reduction) -> int:
    return LARGEST_SIDE if len(reduction.factors) > 1 else LARGEST_ALONE


def pages(reduction: Reduction, side: int) -> list[TermPage]:
    """All pages of a reduction, every term on one of them."""
    plane = _plane(reduction.over, side)
    if plane is None:
        return list(_lines(reduction.over, side))
    return list(_planes(reduction.over, plane))


def _plane(over: Sequence[Index], side: int) -> tuple[int, int] | None:
    """The first two indices that fit into the grid and have more than one value."""
    fitting = [axis for axis, index in enumerate(over) if 1 < index.size <= side]
    single = [axis for axis, index in enumerate(over) if index.size == 1]
    if len(fitting) >= 2:
        return fitting[0], fitting[1]
    if len(fitting) == 1 and single and len(over) > 2:
        pair = sorted((fitting[0], single[0]))
        return pair[0], pair[1]
    return None


def _planes(over: Sequence[Index], plane: tuple[int, int]) -> Iterator[TermPage]:
    others = [axis for axis in range(len(over)) if axis not in plane]
    for rest in np.ndindex(*(over[axis].size for axis in others)):
        cells = []
        for row, column in np.ndindex(over[plane[0]].size, over[plane[1]].size):
            point = [0] * len(over)
            point[plane[0]], point[plane[1]] = row, column
            for axis, position in zip(others, rest, strict=True):
                point[axis] = position
            cells.append((row, column, tuple(point)))
        named = [
            f"{over[axis].name} = {position}"
            for axis, position in zip(others, rest, strict=True)
            if over[axis].size > 1
        ]
        yield TermPage(", ".join(named), tuple(cells))


def _lines(over: Sequence[Index], side: int) -> Iterator[TermPage]:
    points = list(np.ndindex(*(index.size for index in over)))
    wide = [axis for axis, index in enumerate(over) if index.size > 1] or [0] * bool(over)
    for number in range(math.ceil(len(points) / side**2)):
        part = points[number * side**2 : (number + 1) * side**2]
        cells = tuple((n // side, n % side, point) for n, point in enumerate(part))
        label = ""
        if len(points) > side**2:
            names = ", ".join(over[axis].name for axis in wide)
            first, last = (", ".join(str(p[axis]) for axis in wide) for p in (part[0], part[-1]))
            label = f"{names} = {first} … {last}"
        yield TermPage(label, cells)
