"""The Check sheet: every layer against the original network's values, judged by live formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.fidelity import BOUND
from netsheet.write.excel import looks
from netsheet.write.excel.book_layout import BookLayout
from netsheet.write.excel.cell_block import CellBlock, numbers
from netsheet.write.excel.placement import CellArea, Placement, cell_name
from netsheet.write.excel.real_values import is_whole
from netsheet.write.excel.sheet_content import SheetContent
from netsheet.write.excel.sheet_names import quoted
from netsheet.write.excel.spreadsheet_functions import number_text
from netsheet.write.excel.stored_numbers import as_stored

FIRST = 6  # the row of the first layer
MAX_CHOICES = 400_000  # reference values of all samples together that are stored
BANDS = 40  # ranges compared in one formula
VERDICT_COLUMN, DEVIATION_COLUMN = 6, 4


@dataclass(frozen=True, eq=False)
class ReferenceValues:
    """What the original network computes: one array per layer, samples in front."""

    values: dict[str, FloatArray]
    engine: str
    samples: int  # how many samples have references

    def of(self, tensor: Tensor) -> FloatArray:
        """The values of one layer for every sample that has references."""
        return self.values[tensor.name][: self.samples]


def reference_sheet(
    references: ReferenceValues,
    tensors: Sequence[Tensor],
    plan: BookLayout,
    name: str,
    choice: str | None,
) -> tuple[SheetContent, dict[Tensor, Placement]]:
    """The reference values, each layer in the arrangement that it has on its own sheet."""
    result = SheetContent(name)
    places: dict[Tensor, Placement] = {}
    row = 0
    for tensor in tensors:
        place = plan.places[tensor].moved(name, row + 1, 1)
        result.put(row, 0, tensor.name, looks.HEADING)
        stored = as_stored(references.of(tensor).astype(np.float32))
        grid = numbers(place, stored[0])
        if references.samples > 1 and choice is not None:
            _chosen(grid, place, stored, choice)
        result.grids.append((grid, looks.VALUE))
        places[tensor] = place
        row = place.area.bottom + 2
    return result, places


def _chosen(grid: CellBlock, place: Placement, stored: FloatArray, choice: str) -> None:
    """The value of the selected sample among those of all: ``CHOOSE(number, 0.5, 0.25)``."""
    rows, cols = place.grid()
    every = stored.reshape(len(stored), -1).T.tolist()
    down, right = (rows - place.row).ravel().tolist(), (cols - place.col).ravel().tolist()
    for r, c, numbers_ in zip(down, right, every, strict=True):
        grid.texts[r, c] = f"CHOOSE({choice},{','.join(map(number_text, numbers_))})"


def bands(place: Placement) -> list[tuple[int, int]]:
    """Runs of rows (first and last, from 0) that hold values: labels stand between them."""
    used = place.occupied().any(axis=1)
    edges = np.flatnonzero(np.diff(np.r_[False, used, False].astype(int)))
    return list(zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True))


def check_sheet(
    tensors: Sequence[Tensor],
    owners: Mapping[Tensor, str],
    plan: BookLayout,
    places: Mapping[Tensor, Placement],
    values: Mapping[Tensor, FloatArray],
    references: ReferenceValues,
    words: Mapping[str, str],
    notes: Sequence[str],
    choice: str | None,
) -> SheetContent:
    """One row per layer: its size, tolerance, deviation and verdict."""
    result = SheetContent(words["check"], tab="16A34A")
    result.widths.update({0: 28, 1: 10, 2: 15, 3: 13, 4: 18, 5: 14, 6: 13, 7: 4})
    result.put(0, 0, words["check"], looks.TITLE)
    result.heights[0] = 27
    for number, note in enumerate(notes):
        result.put(1 + number, 0, note, looks.NOTE)
    last = FIRST + len(tensors) - 1
    judged = CellArea(FIRST, VERDICT_COLUMN, last, VERDICT_COLUMN)
    result.put(4, 0, words["all layers"], looks.HEADING)
    passed = f'COUNTIF({judged},"{words["ok"]}")={len(tensors)}'
    result.put(
        4, VERDICT_COLUMN, words["ok"], looks.VERDICT,
        f'IF({passed},"{words["ok"]}","{words["differs"]}")',
    )  # fmt: skip
    heads = ("layer", "cells", "largest", "tolerance", "deviation", "relative", "verdict")
    for column, head in enumerate(heads):
        result.put(5, column, words[head], looks.HEAD)
    for number, tensor in enumerate(tensors):
        _row(result, FIRST + number, tensor, owners[tensor], plan.places[tensor], places[tensor],
             values[tensor], references, words, choice)  # fmt: skip
    result.verdicts.append((judged, words["ok"], words["differs"]))
    result.verdicts.append((CellArea(4, 6, 4, 6), words["ok"], words["differs"]))
    result.frozen = (FIRST, 1)
    return result


def _row(
    result: SheetContent,
    row: int,
    tensor: Tensor,
    owner: str,
    own: Placement,
    other: Placement,
    values: FloatArray,
    references: ReferenceValues,
    words: Mapping[str, str],
    choice: str | None,
) -> None:
    reference = as_stored(references.of(tensor)[0].astype(np.float32))
    size = float(np.abs(reference).max(initial=0))
    differing = values != reference  # an infinity does not differ from itself
    deviation = float(np.abs(values[differing] - reference[differing]).max(initial=0))
    result.link(row, 0, tensor.name, owner)
    result.put(row, 1, tensor.size, looks.WHOLE)
    whole = f"{quoted(other.sheet)}!{other.area}"
    result.put(row, 2, size, looks.FIGURE, f"MAX(MAX({whole}),-MIN({whole}))")
    largest, tolerance, worst = (cell_name(row, column) for column in (2, 3, 4))
    bound = 0.0 if is_whole(tensor) else BOUND * max(1, size)  # whole numbers are equal or wrong
    result.put(
        row, 3, bound, looks.SMALL, "0" if is_whole(tensor) else f"1E-05*MAX(1,{largest})"
    )  # fmt: skip
    parts = _deviations(own, other)
    result.put(row, 4, deviation, looks.SMALL, _combined(result, row, parts, deviation))
    result.put(
        row, 5, deviation / size if size else 0.0, looks.SMALL,
        f"IF({largest}=0,0,{worst}/{largest})",
    )  # fmt: skip
    good = deviation <= bound
    judged = f'IF({worst}<={tolerance},"{words["ok"]}","{words["differs"]}")'
    if choice is not None and references.samples == 1:
        judged = f'IF({choice}=1,{judged},"{words["no reference"]}")'
    result.put(row, 6, words["ok"] if good else words["differs"], looks.VERDICT, judged)


def _deviations(own: Placement, other: Placement) -> list[str]:
    """The largest deviation of each band of rows, without array entry."""
    result = []
    for first, last in bands(own):
        pair = []
        for place in (own, other):
            area = CellArea(place.row + first, place.col, place.row + last, place.area.right)
            pair.append(f"{quoted(place.sheet)}!{area}")
        # SUMPRODUCT makes ABS and MAX work on whole ranges in every spreadsheet
        result.append(f"SUMPRODUCT(MAX(ABS({pair[0]}-{pair[1]})))")
    return result


def _combined(result: SheetContent, row: int, parts: Sequence[str], deviation: float) -> str:
    """The maximum of all parts; many parts get cells of their own at the right."""
    if len(parts) == 1:
        return parts[0]
    chunks = [parts[i : i + BANDS] for i in range(0, len(parts), BANDS)]
    if len(chunks) == 1:
        return f"MAX({','.join(parts)})"
    for number, chunk in enumerate(chunks):
        result.put(row, 8 + number, deviation, looks.SMALL, f"MAX({','.join(chunk)})")
    return f"MAX({CellArea(row, 8, row, 7 + len(chunks))})"
