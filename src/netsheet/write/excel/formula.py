"""Equations as spreadsheet formulas.

A formula is a list of pieces: text, and references whose rows and columns are arrays over all
points of a :class:`~netsheet.write.excel.points.Group`. One list therefore stands for the
formulas of thousands of cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from netsheet.equations import (
    Call,
    Const,
    Equation,
    Expr,
    Gather,
    Index,
    Number,
    Read,
    Reduce,
    Select,
    Tensor,
    Weight,
    children,
    factors,
    free_indices,
)
from netsheet.equations.grids import holds_at, is_static, mesh, position_at
from netsheet.write.excel.functions import (
    AGGREGATES,
    ARRAY_OPERATORS,
    CONDITIONS,
    FORMS,
    LOGIC,
    Level,
)
from netsheet.write.excel.pieces import (
    Numbers,
    Piece,
    Ref,
    Text,
    added,
    combined,
    filled,
    plain,
    product,
)
from netsheet.write.excel.place import IntArray, Placement
from netsheet.write.excel.points import Group, groups
from netsheet.write.excel.rectangles import Rectangle, bounding, cover, translated

MAX_LENGTH = 8000  # of Excel's 8,192, which count the equals sign and sheet names
MAX_ARGUMENTS = 250  # of Excel's 255
MAX_SPELLED = 400  # points of a reduction written out one by one


class TooLong(Exception):  # noqa: N818 - a signal to the planner, never shown
    """A reduction that does not fit into one formula: its parts need cells of their own."""

    def __init__(self, node: Reduce, spelled: bool) -> None:
        super().__init__(f"a {node.op} is too long for one cell")
        self.node = node
        self.spelled = spelled


@dataclass(frozen=True, eq=False)
class Family:
    """The formulas of one group of points: where they stand and what they say."""

    rows: IntArray
    cols: IntArray
    positions: tuple[Any, ...]
    pieces: tuple[Piece, ...]


def families(eq: Equation, places: Mapping[Tensor, Placement], brief: bool = False) -> list[Family]:
    """The formulas of an equation; ``brief`` makes only the first one of each group.

    Raises:
        TooLong: a formula passes a limit of Excel; :func:`netsheet.write.excel.split.split`
            makes several equations of the one.
    """
    home = places[eq.target]
    result = []
    for group in groups(eq, places):
        if brief:
            values = {index: array[:1] for index, array in group.values.items()}
            group = Group(values, 1)
        text = _Speller(places, home.sheet, group).formula(eq.value)
        positions = tuple(
            np.broadcast_to(position_at(at, group.values), (group.count,)) for at in eq.at
        )
        rows, cols = home.at(positions)
        result.append(
            Family(
                np.broadcast_to(rows, (group.count,)),
                np.broadcast_to(cols, (group.count,)),
                positions,
                text.pieces,
            )
        )
    return result


class _Factor(NamedTuple):
    """A read inside a reduction: its cells at each point, and their offsets over the terms."""

    place: Placement
    rows: IntArray
    cols: IntArray
    down: IntArray
    right: IntArray


class _Speller:
    """Writes expressions for one group of points."""

    def __init__(self, places: Mapping[Tensor, Placement], sheet: str, group: Group) -> None:
        self.places = places
        self.sheet = sheet
        self.group = group
        self.terms: dict[Reduce, int] = {}

    def formula(self, expr: Expr) -> Text:
        text = self.spell(expr, self.group.values)
        if text.length > MAX_LENGTH:
            longest = max(self.terms, key=lambda node: self.terms[node], default=None)
            if longest is None:
                raise ValueError(f"a formula of {text.length} characters without any reduction")
            raise TooLong(longest, False)
        return text

    def spell(self, expr: Expr, values: Mapping[Index, Any]) -> Text:
        if isinstance(expr, Const):
            return plain(expr.value)
        if isinstance(expr, Number):
            return self._position(position_at(expr.value, values))
        if isinstance(expr, Read):
            return self._read(expr, values)
        if isinstance(expr, Call):
            return self._call(expr, values)
        if isinstance(expr, Select):
            chosen = np.all(holds_at(expr.where, values))  # the same at every point of the group
            return self.spell(expr.then if chosen else expr.otherwise, values)
        assert isinstance(expr, Reduce)
        text = self._reduce(expr, values)
        self.terms[expr] = max(text.length, self.terms.get(expr, 0))
        return text

    def _position(self, number: Any) -> Text:
        if np.ndim(number) == 0 or (number == number[0]).all():
            return plain(float(np.ravel(number)[0]))
        return Text((Numbers(number),), Level.ATOM if number.min() >= 0 else Level.ADD)

    # ------------------------------------------------------------------ calls

    def _call(self, expr: Call, values: Mapping[Index, Any]) -> Text:
        name = expr.function
        if name in CONDITIONS or name in LOGIC:
            return Text(("IF(", *self._condition(expr, values).pieces, ",1,0)"))
        if name == "if":
            test, then, otherwise = expr.args
            texts = [self._condition(test, values)]
            texts += [self.spell(arg, values) for arg in (then, otherwise)]
            return filled(FORMS["if"], texts)
        return combined(name, [self.spell(arg, values) for arg in expr.args])

    def _condition(self, expr: Expr, values: Mapping[Index, Any]) -> Text:
        """A comparison, or ``value<>0``."""
        if isinstance(expr, Call) and expr.function in CONDITIONS:
            form = CONDITIONS[expr.function]
            return filled(form, [self.spell(arg, values) for arg in expr.args])
        if isinstance(expr, Call) and expr.function in LOGIC:
            return filled(LOGIC[expr.function], [self._condition(arg, values) for arg in expr.args])
        text = self.spell(expr, values)
        return Text((*text.at(Level.ADD), "<>0"), Level.COMPARE)

    # ------------------------------------------------------------------ reads

    def _ref(self, place: Placement, tensor: Tensor, rows: Any, cols: Any) -> Ref:
        count = self.group.count
        return Ref(
            None if place.sheet == self.sheet else place.sheet,
            np.broadcast_to(rows, (count,)),
            np.broadcast_to(cols, (count,)),
            isinstance(tensor, Weight),
        )

    def _read(self, expr: Read, values: Mapping[Index, Any]) -> Text:
        place = self.places[expr.tensor]
        if any(not is_static(at) for at in expr.at):
            return self._gathered(expr, place, values)
        rows, cols = place.at([position_at(at, values) for at in expr.at])
        return Text((self._ref(place, expr.tensor, rows, cols),))

    def _gathered(self, expr: Read, place: Placement, values: Mapping[Index, Any]) -> Text:
        """``INDEX(range, row, column)`` over the axes whose positions are computed."""
        first, last, axes = [], [], []
        for number, at in enumerate(expr.at):
            if not is_static(at):
                axes.append(number)
                first.append(0)
                last.append(place.axes[number].size - 1)
            else:
                position = position_at(at, values)
                first.append(position)
                last.append(position)
        along: dict[int, list[Piece]] = {}
        for number in axes:
            step = place.axes[number].step()
            assert step is not None and 0 in step, "a gathered axis runs along rows or columns"
            direction = 0 if step[1] == 0 else 1
            assert direction not in along, "two gathered axes run in different directions"
            along[direction] = self._place_in(expr, number, step[direction], values)
        top, left = place.at(first)
        bottom, right = place.at(last)
        start = self._ref(place, expr.tensor, top, left)
        end = self._ref(place, expr.tensor, bottom, right)
        pieces: list[Piece] = ["INDEX(", start, ":", _inside(end)]
        for direction in sorted(along):
            pieces += [",", *along[direction]]
        return Text((*pieces, ")"))

    def _place_in(
        self, expr: Read, number: int, step: int, values: Mapping[Index, Any]
    ) -> list[Piece]:
        """The place, counted from 1, along a range that starts at position 0 of the axis."""
        at = expr.at[number]
        rest: Any = at.const
        pieces: list[Piece] = []
        for coefficient, atom in at.terms:
            if not isinstance(atom, Gather):
                rest = rest + coefficient * position_at(type(at)(((1, atom),), 0), values)
                continue
            factor = coefficient * step
            text = self.spell(atom.value, values)
            if factor == 1:
                pieces += text.at(Level.ADD)
            else:
                # the position is cut to an integer before it is multiplied
                pieces += ["INT(", *text.pieces, f")*{factor}"]
            pieces.append("+")
        start = self._position(np.asarray(rest) * step + 1)
        return pieces[:-1] if start.zero else [*pieces, *start.pieces]

    # ------------------------------------------------------------------ reductions

    def _reduce(self, expr: Reduce, values: Mapping[Index, Any]) -> Text:
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
            text = product([self.spell(f, values) for f in outer])
            factor = [plain(count)] if expr.op == "sum" and count > 1 else []
            return product([*factor, text])
        if inner == [body] and isinstance(body, Read) and expr.op == "mean":
            return self._aggregate(expr, body, terms, count, values)
        total = self._sum(inner, over, terms, values)
        if expr.op == "mean":
            total = Text((*total.at(Level.MULTIPLY), f"/{count}"), Level.MULTIPLY)
        return product([*(self.spell(f, values) for f in outer), total])

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
        place = self.places[read.tensor]
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
    ) -> Text:
        """``MAX(range, range)``; over anything but a plain read, its values one by one."""
        name = AGGREGATES[expr.op]
        if not isinstance(body, Read) or any(not is_static(at) for at in body.at):
            return self._spelled(expr, body, terms, count, values)
        factor = self._locate(body, terms, values)
        pieces: list[Piece] = []
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
            return Text(tuple(pieces[1:]))
        return Text((f"{name}(", *pieces[1:], ")"))

    def _spelled(
        self,
        expr: Reduce,
        body: Expr,
        terms: dict[Index, IntArray],
        count: int,
        values: Mapping[Index, Any],
    ) -> Text:
        """Every term on its own."""
        if count > min(MAX_SPELLED, MAX_ARGUMENTS if expr.op != "sum" else MAX_SPELLED):
            raise TooLong(expr, True)
        texts = []
        total = 0
        for number in range(count):
            point = {index: int(array[number]) for index, array in terms.items()}
            texts.append(self.spell(body, {**values, **point}))
            total += texts[-1].length
            if total > MAX_LENGTH:
                raise TooLong(expr, True)
        if expr.op == "sum":
            return added(texts)
        pieces: list[Piece] = []
        for text in texts:
            pieces += [",", *text.pieces]
        return Text((f"{AGGREGATES[expr.op]}(", *pieces[1:], ")"))

    def _sum(
        self,
        inner: Sequence[Expr],
        over: frozenset[Index],
        terms: dict[Index, IntArray],
        values: Mapping[Index, Any],
    ) -> Text:
        """A sum of products of ranges: one SUMPRODUCT for each run of translated rectangles."""
        reads: dict[Read, _Factor] = {}
        for factor in inner:
            for read in _moving(factor, over):
                reads[read] = self._locate(read, terms, values)
        located = list(reads.values())
        texts: list[Text] = []
        for group in translated([(f.down, f.right) for f in located]):
            for rectangle, point in self._covered(located, group):
                shifts = [
                    (int(f.down[point] - located[0].down[point]),
                     int(f.right[point] - located[0].right[point]))
                    for f in located
                ]  # fmt: skip
                ranges = {
                    read: Text(tuple(self._range(read.tensor, f, rectangle, *shift)))
                    for (read, f), shift in zip(reads.items(), shifts, strict=True)
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
    ) -> list[Piece]:
        top = factor.rows + rectangle.top + down
        left = factor.cols + rectangle.left + right
        start = self._ref(factor.place, tensor, top, left)
        if rectangle.single:
            return [start]
        end = self._ref(
            factor.place,
            tensor,
            factor.rows + rectangle.bottom + down,
            factor.cols + rectangle.right + right,
        )
        return [start, ":", _inside(end)]

    def _term(
        self,
        inner: Sequence[Expr],
        ranges: Mapping[Read, Text],
        single: bool,
        values: Mapping[Index, Any],
    ) -> Text:
        texts = [self._ranges(factor, ranges, values) for factor in inner]
        if single:
            return product(texts)
        pieces: list[Piece] = []
        if all(isinstance(factor, Read) for factor in inner):
            for text in texts:
                pieces += [",", *text.pieces]
            return Text(("SUMPRODUCT(" if len(texts) > 1 else "SUM(", *pieces[1:], ")"))
        return Text(("SUMPRODUCT(", *product(texts).pieces, ")"))

    def _ranges(self, expr: Expr, ranges: Mapping[Read, Text], values: Mapping[Index, Any]) -> Text:
        """Arithmetic with ranges in place of the reads that move."""
        if isinstance(expr, Read) and expr in ranges:
            return ranges[expr]
        if isinstance(expr, Call) and any(read in ranges for read in _below(expr)):
            return combined(expr.function, [self._ranges(arg, ranges, values) for arg in expr.args])
        return self.spell(expr, values)


# ---------------------------------------------------------------------- helpers


def _inside(end: Ref) -> Ref:
    """The second corner of a range, which never repeats the sheet."""
    return Ref(None, end.rows, end.cols, end.weight)


def _below(expr: Expr) -> list[Expr]:
    return [expr, *(node for child in children(expr) for node in _below(child))]


def _moving(expr: Expr, over: frozenset[Index]) -> list[Read]:
    """The reads whose cells depend on the reduced indices."""
    if not over & set(free_indices(expr)):
        return []
    if isinstance(expr, Read):
        return [expr]
    return [read for child in children(expr) for read in _moving(child, over)]


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
