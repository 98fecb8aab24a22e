"""Sums, maxima and averages as formulas: one SUMPRODUCT wherever cells lie in rectangles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netsheet.equations import (
    Call,
    Const,
    Expr,
    Index,
    Read,
    Reduce,
    Select,
    Tensor,
    factors,
    free_indices,
    reads,
)
from netsheet.equations.grids import holds_at, is_static, mesh, position_at
from netsheet.write.excel.formula_text import (
    FormulaPart,
    FormulaText,
    added,
    combined,
    plain,
    product,
    same_sheet,
)
from netsheet.write.excel.placement import IntArray, Placement
from netsheet.write.excel.rectangles import Rectangle, bounding, cover, translated
from netsheet.write.excel.spreadsheet_functions import (
    AGGREGATES,
    ARRAY_OPERATORS,
    Binding,
)

if TYPE_CHECKING:
    from netsheet.write.excel.formula_writer import FormulaWriter

MAX_LENGTH = 8000  # of Excel's 8,192, which count the equals sign and sheet names
MAX_ARGUMENTS = 250  # of Excel's 255
MAX_SPELLED = 400  # points of a reduction written out one by one


class TooLong(Exception):  # noqa: N818 - a signal to the planner, never shown
    """A reduction that does not fit into one formula: its parts need cells of their own."""

    def __init__(self, node: Reduce, spelled: bool) -> None:
        super().__init__(f"a {node.op} is too long for one cell")
        self.node = node
        self.spelled = spelled


class _Factor(NamedTuple):
    """A read inside a reduction: its cells at each point, and their offsets over the terms."""

    place: Placement
    rows: IntArray
    cols: IntArray
    down: IntArray
    right: IntArray


class ReductionWriter:
    """Writes the reductions of one group of elements; their operands come from ``writer``."""

    def __init__(self, writer: FormulaWriter) -> None:
        self.writer = writer

    def text(self, expr: Reduce, values: Mapping[Index, Any]) -> FormulaText:
        body, where = expr.body, list(expr.where)
        if expr.op == "sum":
            body, where = _absorbed(body, where)
        terms = self._feasible(expr, where, values)
        count = len(next(iter(terms.values()))) if terms else 1
        if count == 0:
            return plain({"sum": 0, "prod": 1}[expr.op])
        over = frozenset(expr.over)
        outer = [f for f in factors(body) if not over & set(free_indices(f))]
        inner = [f for f in factors(body) if over & set(free_indices(f))]
        if expr.op not in ("sum", "mean") or not _ranged(inner, over):
            return self._aggregate(expr, body, terms, count, values)
        if not inner:
            text = product([self.writer.spell(f, values) for f in outer])
            factor = [plain(count)] if expr.op == "sum" and count > 1 else []
            return product([*factor, text])
        if inner == [body] and isinstance(body, Read) and expr.op == "mean":
            return self._aggregate(expr, body, terms, count, values)
        total = self._sum(inner, over, terms, values)
        if expr.op == "mean":
            total = FormulaText((*total.at(Binding.MULTIPLY), f"/{count}"), Binding.MULTIPLY)
        return product([*(self.writer.spell(f, values) for f in outer), total])

    def _feasible(
        self, expr: Reduce, where: Sequence[Any], values: Mapping[Index, Any]
    ) -> dict[Index, IntArray]:
        """The values of the reduced indices where the guards hold, the same at every point."""
        first = {index: np.ravel(value)[0] for index, value in values.items()}
        grids = mesh(expr.over)
        shape = tuple(index.size for index in expr.over)
        inside = np.broadcast_to(holds_at(where, {**first, **grids}), shape)
        return {index: np.broadcast_to(grid, shape)[inside] for index, grid in grids.items()}

    def _locate(
        self, read: Read, terms: Mapping[Index, IntArray], values: Mapping[Index, Any]
    ) -> _Factor:
        place = self.writer.places[read.tensor]
        start = {index: int(array[0]) for index, array in terms.items()}
        first = {index: np.ravel(value)[0] for index, value in values.items()}
        rows, cols = place.at([position_at(at, {**values, **start}) for at in read.at])
        down, right = place.at([position_at(at, {**first, **terms}) for at in read.at])
        count = len(next(iter(terms.values())))
        down, right = np.broadcast_to(down, (count,)), np.broadcast_to(right, (count,))
        return _Factor(place, rows, cols, down - down[0], right - right[0])

    def _aggregate(
        self,
        expr: Reduce,
        body: Expr,
        terms: dict[Index, IntArray],
        count: int,
        values: Mapping[Index, Any],
    ) -> FormulaText:
        """``MAX(range, range)``; over anything but a plain read, its values one by one."""
        name = AGGREGATES[expr.op]
        if not isinstance(body, Read) or any(not is_static(at) for at in body.at):
            return self._spelled(expr, body, terms, count, values)
        factor = self._locate(body, terms, values)
        pieces: list[FormulaPart] = []
        rectangles = [
            rectangle
            for group in translated([(factor.down, factor.right)])
            for rectangle in cover(factor.down[group], factor.right[group])
        ]
        if len(rectangles) > MAX_ARGUMENTS:
            raise TooLong(expr, False)
        for rectangle in rectangles:
            pieces += [",", *self._range(body.tensor, factor, rectangle, 0, 0)]
        if len(rectangles) == 1 and rectangles[0].single:
            return FormulaText(tuple(pieces[1:]))
        return FormulaText((f"{name}(", *pieces[1:], ")"))

    def _spelled(
        self,
        expr: Reduce,
        body: Expr,
        terms: dict[Index, IntArray],
        count: int,
        values: Mapping[Index, Any],
    ) -> FormulaText:
        """Every term on its own."""
        if count > min(MAX_SPELLED, MAX_ARGUMENTS if expr.op != "sum" else MAX_SPELLED):
            raise TooLong(expr, True)
        texts = []
        total = 0
        for number in range(count):
            point = {index: int(array[number]) for index, array in terms.items()}
            texts.append(self.writer.spell(body, {**values, **point}))
            total += texts[-1].length
            if total > MAX_LENGTH:
                raise TooLong(expr, True)
        if expr.op == "sum":
            return added(texts)
        pieces: list[FormulaPart] = []
        for text in texts:
            pieces += [",", *text.pieces]
        return FormulaText((f"{AGGREGATES[expr.op]}(", *pieces[1:], ")"))

    def _sum(
        self,
        inner: Sequence[Expr],
        over: frozenset[Index],
        terms: dict[Index, IntArray],
        values: Mapping[Index, Any],
    ) -> FormulaText:
        """A sum of products of ranges: one SUMPRODUCT for each run of translated rectangles."""
        found: dict[Read, _Factor] = {}
        for factor in inner:
            for read in _moving(factor, over):
                found[read] = self._locate(read, terms, values)
        located = list(found.values())
        texts: list[FormulaText] = []
        for group in translated([(f.down, f.right) for f in located]):
            for rectangle, point in self._covered(located, group):
                shifts = [
                    (int(f.down[point] - located[0].down[point]),
                     int(f.right[point] - located[0].right[point]))
                    for f in located
                ]  # fmt: skip
                ranges = {
                    read: FormulaText(tuple(self._range(read.tensor, f, rectangle, *shift)))
                    for (read, f), shift in zip(found.items(), shifts, strict=True)
                }
                texts.append(self._term(inner, ranges, rectangle.single, values))
        return added(texts)

    def _covered(self, located: Sequence[_Factor], group: IntArray) -> list[tuple[Rectangle, int]]:
        """Rectangles of the first factor's offsets, each with one of the group's points.

        One rectangle with holes serves where some factor stores zeros in them.
        """
        lead = located[0]
        rows, cols = lead.down[group], lead.right[group]
        whole = bounding(rows, cols)
        area = (whole.bottom - whole.top + 1) * (whole.right - whole.left + 1)
        anchor = int(group[0])
        if area > len(group) and any(
            _zero_filled(factor, whole, factor.down[anchor] - lead.down[anchor],
                         factor.right[anchor] - lead.right[anchor], len(group))
            for factor in located
        ):  # fmt: skip
            return [(whole, anchor)]
        return [(rectangle, anchor) for rectangle in cover(rows, cols)]

    def _range(
        self, tensor: Tensor, factor: _Factor, rectangle: Rectangle, down: int, right: int
    ) -> list[FormulaPart]:
        top = factor.rows + rectangle.top + down
        left = factor.cols + rectangle.left + right
        start = self.writer.reference(factor.place, tensor, top, left)
        if rectangle.single:
            return [start]
        end = self.writer.reference(
            factor.place,
            tensor,
            factor.rows + rectangle.bottom + down,
            factor.cols + rectangle.right + right,
        )
        return [start, ":", same_sheet(end)]

    def _term(
        self,
        inner: Sequence[Expr],
        ranges: Mapping[Read, FormulaText],
        single: bool,
        values: Mapping[Index, Any],
    ) -> FormulaText:
        texts = [self._ranges(factor, ranges, values) for factor in inner]
        if single:
            return product(texts)
        pieces: list[FormulaPart] = []
        if all(isinstance(factor, Read) for factor in inner):
            for text in texts:
                pieces += [",", *text.pieces]
            return FormulaText(("SUMPRODUCT(" if len(texts) > 1 else "SUM(", *pieces[1:], ")"))
        return FormulaText(("SUMPRODUCT(", *product(texts).pieces, ")"))

    def _ranges(
        self, expr: Expr, ranges: Mapping[Read, FormulaText], values: Mapping[Index, Any]
    ) -> FormulaText:
        """Arithmetic with ranges in place of the reads that move."""
        if isinstance(expr, Read) and expr in ranges:
            return ranges[expr]
        if isinstance(expr, Call) and any(read in ranges for read in reads(expr)):
            return combined(expr.function, [self._ranges(arg, ranges, values) for arg in expr.args])
        return self.writer.spell(expr, values)


def _moving(expr: Expr, over: frozenset[Index]) -> list[Read]:
    """The reads whose cells depend on the reduced indices."""
    return [read for read in reads(expr) if over & set(free_indices(read))]


def _ranged(inner: Sequence[Expr], over: frozenset[Index]) -> bool:
    """True if every factor is arithmetic on reads, which works on ranges in every engine."""

    def simple(expr: Expr) -> bool:
        if not over & set(free_indices(expr)):
            return True
        if isinstance(expr, Read):
            return not any(not is_static(at) for at in expr.at)
        if isinstance(expr, Call) and expr.function in ARRAY_OPERATORS:
            return all(simple(arg) for arg in expr.args)
        return False

    return all(simple(factor) for factor in inner)


def _absorbed(body: Expr, where: list[Any]) -> tuple[Expr, list[Any]]:
    """In a sum, a factor that is 0 unless guards hold adds its guards to the sum's."""
    parts = []
    for factor in factors(body):
        if (
            isinstance(factor, Select)
            and isinstance(factor.otherwise, Const)
            and factor.otherwise.value == 0
        ):
            where = [*where, *factor.where]
            factor = factor.then
        parts.append(factor)
    product = parts[0]
    for factor in parts[1:]:
        product = product * factor
    return product, where


def _zero_filled(factor: _Factor, area: Rectangle, down: Any, right: Any, count: int) -> bool:
    """True if the rectangle holds ``count`` stored values of the factor and zeros besides."""
    place = factor.place
    if not place.zeros:
        return False
    top = int(np.ravel(factor.rows)[0]) - place.row + area.top + int(down)
    left = int(np.ravel(factor.cols)[0]) - place.col + area.left + int(right)
    cells = place.occupied()[
        top : top + area.bottom - area.top + 1, left : left + area.right - area.left + 1
    ]
    return bool((cells > 0).all() and (cells == 1).sum() == count)
