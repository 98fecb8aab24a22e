"""The Map sheet's language: where every value of a tensor lies, written and read back.

One text for each axis says how the row and the column grow with the position along it:
``height +1,+0; width +0,+1; channel //4*30,%4*29``. ``+3`` is three cells for each position,
``//4*30`` thirty for each whole band of four, ``%4*29`` twenty-nine for each place in its band,
and ``0 5 2`` is a table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.write.excel.placement import AxisOffsets, IntArray, Placement, column_number

COLUMNS = ("tensor", "layer", "kind", "sheet", "cells", "arrangement", "axes", "shape", "steps")


@dataclass(frozen=True)
class MapRow:
    """A row of the Map sheet: the cells of one tensor."""

    tensor: str
    layer: str
    kind: str
    sheet: str
    place: Placement
    shape: tuple[int, ...]


def steps_text(place: Placement, axes: Sequence[str]) -> str:
    """What the column ``steps`` says of a placement."""
    return "; ".join(
        f"{name} {_table_text(axis.rows)},{_table_text(axis.cols)}"
        for name, axis in zip(axes, place.axes, strict=True)
    )


def _table_text(table: IntArray) -> str:
    if len(table) and table[0]:  # a kernel that is turned round begins at its end
        return " ".join(str(number) for number in table.tolist())
    if len(table) < 2:
        return "+0"
    steps = np.diff(table)
    if (steps == steps[0]).all():
        return f"+{steps[0]}"
    changes = np.flatnonzero(steps != steps[0])
    band = int(changes[0]) + 1
    numbers = np.arange(len(table))
    for text, values in (
        (f"//{band}*{table[band]}", numbers // band * table[band]),
        (f"%{band}*{table[1]}", numbers % band * table[1]),
    ):
        if (values == table).all():
            return text
    return " ".join(str(number) for number in table.tolist())


def table_from(text: str, size: int) -> IntArray:
    """The table that a text stands for."""
    numbers = np.arange(size, dtype=np.int64)
    if match := re.fullmatch(r"\+(-?\d+)", text):
        return numbers * int(match[1])
    if match := re.fullmatch(r"(//|%)(\d+)\*(-?\d+)", text):
        band, step = int(match[2]), int(match[3])
        return (numbers // band if match[1] == "//" else numbers % band) * step
    table = np.array([int(part) for part in text.split()], np.int64)
    if len(table) != size:
        raise ValueError(f"the Map lists {len(table)} positions of {size}")
    return table


def place_from(sheet: str, cells: str, shape: Sequence[int], steps: str) -> Placement:
    """The placement that a row of the Map describes."""
    row, col = _first_cell(cells)
    axes = []
    parts = steps.split("; ") if steps else []
    for part, size in zip(parts, shape, strict=True):
        _, tables = part.split(" ", 1)
        rows, cols = tables.split(",")
        axes.append(AxisOffsets(table_from(rows, size), table_from(cols, size)))
    return Placement(tuple(axes), "", sheet=sheet, row=row, col=col)


def _first_cell(cells: str) -> tuple[int, int]:
    match = re.match(r"([A-Z]+)(\d+)", cells)
    if match is None:
        raise ValueError(f"{cells!r} is no range of cells")
    return int(match[2]) - 1, column_number(match[1])


def shape_text(shape: Sequence[int]) -> str:
    """``3 x 3 x 16``, or ``1`` for a single number."""
    return " x ".join(str(size) for size in shape) or "1"


def shape_from(text: str, rank: int) -> tuple[int, ...]:
    """The shape that a text stands for; ``rank`` tells a single number from a vector of one."""
    return tuple(int(part) for part in text.split(" x ")) if rank else ()
