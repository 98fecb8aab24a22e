"""Which tensors the Explain sheet offers, and how their terms lie on pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netsheet.equations import Tensor
from netsheet.explanation import (
    Compositions,
    compositions,
)
from netsheet.write.excel.book_layout import LayerSheet
from netsheet.write.excel.cell_block import by_target
from netsheet.write.excel.placement import Placement
from netsheet.write.excel.sheet_names import distinct
from netsheet.write.excel.term_pages import TermPage, pages, side_for

MAX_AXES = 5
MAX_TERMS, MAX_ALL_TERMS = 2_500, 60_000  # of one value, and of all values together


@dataclass(frozen=True, eq=False)
class Explained:
    """A tensor that Explain can show: how it is made, and the element shown at first."""

    tensor: Tensor
    label: str  # its name in the list to choose from
    made: Compositions
    pages: tuple[tuple[tuple[TermPage, ...], ...], ...]  # of each part, each reduction
    at: tuple[int, ...]


def explained_tensors(
    sheets: Sequence[LayerSheet], places: Mapping[Tensor, Placement]
) -> tuple[list[Explained], int, int]:
    """The tensors that can be shown, the side of the grid, and how many are left out."""
    found: list[tuple[LayerSheet, Compositions]] = []
    left_out = total = 0
    for sheet in sheets:
        for tensor, equations in by_target(sheet.stated).items():
            made = compositions(tensor, equations)
            count = 0 if made is None else _terms(made)
            fits = count <= MAX_TERMS and total + count <= MAX_ALL_TERMS
            if made is None or not fits or len(tensor.shape) > MAX_AXES or tensor not in places:
                left_out += 1
                continue
            total += count
            found.append((sheet, made))
    side = side_for([r for _, made in found for part in made.parts for r in part.reductions])
    result = []
    labels = distinct([made.tensor.name for _, made in found])
    for label, (_, made) in zip(labels, found, strict=True):
        laid_out = tuple(
            tuple(tuple(pages(reduction, side)) for reduction in part.reductions)
            for part in made.parts
        )
        at = tuple(
            size // 2 if name in ("height", "width") else 0
            for name, size in zip(made.tensor.axes, made.tensor.shape, strict=True)
        )
        result.append(Explained(made.tensor, label, made, laid_out, at))
    return result, side, left_out


def _terms(made: Compositions) -> int:
    return sum(reduction.size for part in made.parts for reduction in part.reductions)


def shown_first(explained: Sequence[Explained]) -> int:
    """The first tensor that is a sum of products over a window, or any sum of products."""
    best, chosen = -1, 0
    for number, entry in enumerate(explained):
        for part in entry.made.parts:
            for reduction in part.reductions:
                wide = sum(index.size > 1 for index in reduction.over)
                score = (len(reduction.factors) > 1) * 10 + min(wide, 2)
                if score > best:
                    best, chosen = score, number
    return chosen


def first_element(wanted: Sequence[int], shape: Sequence[int]) -> list[int]:
    """The element of a tensor that is shown at first: the one picked, within these sizes."""
    return [
        max(0, min(size - 1, wanted[axis] if axis < len(wanted) else 0))
        for axis, size in enumerate(shape)
    ]
