"""Equations as spreadsheet formulas.

A formula is a list of parts: text, and references whose rows and columns are arrays over all
elements of a :class:`~netsheet.write.excel.formula_groups.FormulaGroup`. One list therefore stands
for the formulas of thousands of cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
)
from netsheet.equations.grids import holds_at, is_static, position_at
from netsheet.write.excel.formula_groups import FormulaGroup, formula_groups
from netsheet.write.excel.formula_text import (
    CellReference,
    FormulaPart,
    FormulaText,
    VaryingNumber,
    combined,
    filled,
    plain,
    same_sheet,
)
from netsheet.write.excel.placement import IntArray, Placement
from netsheet.write.excel.reduction_writer import MAX_LENGTH, ReductionWriter, TooLong
from netsheet.write.excel.spreadsheet_functions import (
    CONDITIONS,
    FORMS,
    LOGIC,
    Binding,
)


@dataclass(frozen=True, eq=False)
class FormulaFamily:
    """The formulas of one group of elements: where they stand and what they say."""

    rows: IntArray
    cols: IntArray
    positions: tuple[Any, ...]
    pieces: tuple[FormulaPart, ...]


def formula_families(
    eq: Equation, places: Mapping[Tensor, Placement], brief: bool = False
) -> list[FormulaFamily]:
    """The formulas of an equation; ``brief`` makes only the first one of each group.

    Raises:
        TooLong: a formula passes a limit of Excel; :func:`netsheet.write.excel.partial_sums.split`
            makes several equations of the one.
    """
    home = places[eq.target]
    result = []
    for group in formula_groups(eq, places):
        if brief:
            values = {index: array[:1] for index, array in group.values.items()}
            group = FormulaGroup(values, 1)
        text = FormulaWriter(places, home.sheet, group).formula(eq.value)
        positions = tuple(
            np.broadcast_to(position_at(at, group.values), (group.count,)) for at in eq.at
        )
        rows, cols = home.at(positions)
        result.append(
            FormulaFamily(
                np.broadcast_to(rows, (group.count,)),
                np.broadcast_to(cols, (group.count,)),
                positions,
                text.pieces,
            )
        )
    return result


class FormulaWriter:
    """Writes expressions for one group of elements."""

    def __init__(self, places: Mapping[Tensor, Placement], sheet: str, group: FormulaGroup) -> None:
        self.places = places
        self.sheet = sheet
        self.group = group
        self.terms: dict[Reduce, int] = {}
        self._reductions = ReductionWriter(self)

    def formula(self, expr: Expr) -> FormulaText:
        """The whole formula of each cell; TooLong where one passes a limit of Excel."""
        text = self.spell(expr, self.group.values)
        if text.length > MAX_LENGTH:
            longest = max(self.terms, key=lambda node: self.terms[node], default=None)
            if longest is None:
                raise ValueError(f"a formula of {text.length} characters without any reduction")
            raise TooLong(longest, False)
        return text

    def spell(self, expr: Expr, values: Mapping[Index, Any]) -> FormulaText:
        """The text of an expression for these values of its indices."""
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
        text = self._reductions.text(expr, values)
        self.terms[expr] = max(text.length, self.terms.get(expr, 0))
        return text

    def _position(self, number: Any) -> FormulaText:
        if np.ndim(number) == 0 or (number == number[0]).all():
            return plain(float(np.ravel(number)[0]))
        return FormulaText(
            (VaryingNumber(number),), Binding.ATOM if number.min() >= 0 else Binding.ADD
        )

    def _call(self, expr: Call, values: Mapping[Index, Any]) -> FormulaText:
        name = expr.function
        if name in CONDITIONS or name in LOGIC:
            return FormulaText(("IF(", *self._condition(expr, values).pieces, ",1,0)"))
        if name == "if":
            test, then, otherwise = expr.args
            texts = [self._condition(test, values)]
            texts += [self.spell(arg, values) for arg in (then, otherwise)]
            return filled(FORMS["if"], texts)
        return combined(name, [self.spell(arg, values) for arg in expr.args])

    def _condition(self, expr: Expr, values: Mapping[Index, Any]) -> FormulaText:
        """A comparison, or ``value<>0``."""
        if isinstance(expr, Call) and expr.function in CONDITIONS:
            form = CONDITIONS[expr.function]
            return filled(form, [self.spell(arg, values) for arg in expr.args])
        if isinstance(expr, Call) and expr.function in LOGIC:
            return filled(LOGIC[expr.function], [self._condition(arg, values) for arg in expr.args])
        text = self.spell(expr, values)
        return FormulaText((*text.at(Binding.ADD), "<>0"), Binding.COMPARE)

    # ------------------------------------------------------------------ reads

    def reference(self, place: Placement, tensor: Tensor, rows: Any, cols: Any) -> CellReference:
        """A reference to the cells that hold an element of ``tensor``."""
        count = self.group.count
        return CellReference(
            None if place.sheet == self.sheet else place.sheet,
            np.broadcast_to(rows, (count,)),
            np.broadcast_to(cols, (count,)),
            isinstance(tensor, Weight),
        )

    def _read(self, expr: Read, values: Mapping[Index, Any]) -> FormulaText:
        place = self.places[expr.tensor]
        if any(not is_static(at) for at in expr.at):
            return self._gathered(expr, place, values)
        rows, cols = place.at([position_at(at, values) for at in expr.at])
        return FormulaText((self.reference(place, expr.tensor, rows, cols),))

    def _gathered(self, expr: Read, place: Placement, values: Mapping[Index, Any]) -> FormulaText:
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
        along: dict[int, list[FormulaPart]] = {}
        for number in axes:
            step = place.axes[number].step()
            assert step is not None and 0 in step, "a gathered axis runs along rows or columns"
            direction = 0 if step[1] == 0 else 1
            assert direction not in along, "two gathered axes run in different directions"
            along[direction] = self._place_in(expr, number, step[direction], values)
        top, left = place.at(first)
        bottom, right = place.at(last)
        start = self.reference(place, expr.tensor, top, left)
        end = self.reference(place, expr.tensor, bottom, right)
        pieces: list[FormulaPart] = ["INDEX(", start, ":", same_sheet(end)]
        for direction in sorted(along):
            pieces += [",", *along[direction]]
        return FormulaText((*pieces, ")"))

    def _place_in(
        self, expr: Read, number: int, step: int, values: Mapping[Index, Any]
    ) -> list[FormulaPart]:
        """The place, counted from 1, along a range that starts at position 0 of the axis."""
        at = expr.at[number]
        rest: Any = at.const
        pieces: list[FormulaPart] = []
        for coefficient, atom in at.terms:
            if not isinstance(atom, Gather):
                rest = rest + coefficient * position_at(type(at)(((1, atom),), 0), values)
                continue
            factor = coefficient * step
            text = self.spell(atom.value, values)
            if factor == 1:
                pieces += text.at(Binding.ADD)
            else:
                # the position is cut to an integer before it is multiplied
                pieces += ["INT(", *text.pieces, f")*{factor}"]
            pieces.append("+")
        start = self._position(np.asarray(rest) * step + 1)
        return pieces[:-1] if start.zero else [*pieces, *start.pieces]
