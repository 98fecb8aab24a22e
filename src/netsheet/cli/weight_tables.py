"""Weights as a terminal shows them: planes with the numbers of their rows and columns beside them.

A plane is what the workbook's sheet and the CSV's block show: of a convolution's kernel, height by
width for each output and input channel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from netsheet.equations import Weight

MOST_NUMBERS = 10_000  # of a weight; more would scroll past
GAP = "  "


def seen_axes(weight: Weight) -> tuple[str, ...]:
    """The order in which planes make sense: the window's axes last, where there is a window."""
    return weight.channels_first_axes if len(weight.axes) > 2 else weight.axes


def weight_lines(
    weight: Weight, order: Sequence[str], gates: Sequence[str], width: int
) -> Iterator[str]:
    """The planes over the last two axes of ``order``, within ``width`` columns.

    ``gates`` are the names of those that lie one after another along the stored last axis.
    """
    values = weight.to(order)
    if values.ndim < 2:
        yield from _plane(values.reshape(1, -1), [""], _names(weight, order, gates, -1), width)
        return
    down, across = (_names(weight, order, gates, axis) for axis in (-2, -1))
    outer = [_names(weight, order, gates, axis) for axis in range(values.ndim - 2)]
    left = MOST_NUMBERS
    for at in itertools.product(*(range(len(names)) for names in outer)):
        rows = min(len(down), max(1, left // max(1, len(across)))) if left > 0 else 0
        if not rows:
            break
        if at:
            names = [f"{axis} {all_[n]}" for axis, all_, n in zip(order, outer, at, strict=False)]
            yield ("" if left == MOST_NUMBERS else "\n") + ", ".join(names)
        yield from _plane(values[at][:rows], down[:rows], across, width)
        left -= rows * len(across)
    if (more := values.size - (MOST_NUMBERS - left)) > 0:
        yield f"... and {more:,} more numbers; netsheet csv and --json have all"


def _names(weight: Weight, order: Sequence[str], gates: Sequence[str], axis: int) -> list[str]:
    size = weight.shape[weight.axes.index(order[axis])] if order else 1
    each = size // len(gates) if gates and order and order[axis] == weight.axes[-1] else 0
    if each and each * len(gates) == size:
        return [f"{gates[n // each]} {n % each}" for n in range(size)]
    return [str(n) for n in range(size)]


def _plane(values: Any, down: Sequence[str], across: Sequence[str], width: int) -> Iterator[str]:
    """A table of numbers; columns that do not fit beside each other follow below."""
    cells = [[str(value) for value in row] for row in np.asarray(values)]
    margin = max(map(len, down), default=0)
    each = max([len(cell) for row in cells for cell in row] + [len(name) for name in across] + [1])
    beside = max(1, (width - margin) // (each + len(GAP)))
    for start in range(0, len(across), beside):
        part = slice(start, start + beside)
        if start:
            yield ""
        yield " " * margin + "".join(GAP + name.rjust(each) for name in across[part])
        for name, row in zip(down, cells, strict=True):
            yield name.rjust(margin) + "".join(GAP + cell.rjust(each) for cell in row[part])
