"""Formulas for an element that is picked while the workbook is open.

Everywhere else a formula names the cells that it reads. Here the positions depend on cells in
which a person types: a read becomes ``INDEX(area, row, column)``, where row and column are
computed from the picked positions. INDEX is neither volatile nor an array formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from netsheet.equations import (
    Affine,
    Atom,
    Call,
    Const,
    Expr,
    Gather,
    Guard,
    Index,
    Lookup,
    Number,
    Quotient,
    Read,
    Reduce,
    Remainder,
    Select,
    Tensor,
    affine,
    substituted,
)
from netsheet.equations.grids import is_static, mesh, position_at
from netsheet.write.excel.formula_text import FormulaText, added, combined, filled, plain
from netsheet.write.excel.placement import IntArray, Placement
from netsheet.write.excel.reduction_writer import MAX_LENGTH
from netsheet.write.excel.sheet_names import quoted
from netsheet.write.excel.spreadsheet_functions import (
    AGGREGATES,
    CONDITIONS,
    FORMS,
    LOGIC,
    Binding,
)

MAX_CHOICES = 250  # positions in one CHOOSE
MAX_INNER = 64  # terms of a reduction inside a term, written out


class NotPickable(Exception):  # noqa: N818 - a signal, never shown
    """The element's formula would be too long, or its cells follow no rule."""


class PickedFormula:
    """Writes expressions over picked positions.

    ``picks`` names the cell that holds each picked index and ``picked`` its value at first;
    ``named`` has the cell of each stand-in. ``remember`` may give a sub-formula (and the number
    that it comes to at first) a cell of its own, and returns what to write in its place.
    """

    def __init__(
        self,
        places: Mapping[Tensor, Placement],
        picks: Mapping[Index, str],
        picked: Mapping[Index, int],
        named: Mapping[Tensor, str],
        remember: Callable[[str, int], str],
    ) -> None:
        self.places, self.picks, self.picked = places, picks, picked
        self.named, self._remember = named, remember

    def formula(self, expr: Expr, at: Mapping[Index, int] | None = None) -> str:
        """The formula, without ``=``; ``at`` has numbers for the indices of a reduction."""
        text = _joined(self._spell(expr, at or {}))
        if len(text) > MAX_LENGTH:
            raise NotPickable
        return text

    def condition(self, where: Sequence[Guard], at: Mapping[Index, int] | None = None) -> str:
        """``AND(...)`` of guards; those that only depend on numbers are decided here.

        ``TRUE`` or ``FALSE`` where nothing is left to decide.
        """
        tests = []
        for guard in where:
            moving, fixed = self._parted(guard.value, at or {})
            if not moving.terms:
                if not guard.low <= fixed < guard.high:
                    return "FALSE"
                continue
            cell = self._kept(_joined(self._position(moving)), moving, [])
            low, high = moving.bounds()
            if low + fixed < guard.low:
                tests.append(f"{cell}>={guard.low - fixed}")
            if high + fixed >= guard.high:
                tests.append(f"{cell}<{guard.high - fixed}")
        if not tests:
            return "TRUE"
        return tests[0] if len(tests) == 1 else f"AND({','.join(tests)})"

    def cell(self, tensor: Tensor, at: Sequence[Affine]) -> tuple[str, str]:
        """Row and column of an element in its sheet, counted from 1, as formulas."""
        place = self.places[tensor]
        row, column = self._places(place, at, {})
        return f"{row}+{place.row}", f"{column}+{place.col}"

    # ------------------------------------------------------------------ expressions

    def _spell(self, expr: Expr, at: Mapping[Index, int]) -> FormulaText:
        if isinstance(expr, Const):
            return plain(expr.value)
        if isinstance(expr, Number):
            moving, fixed = self._parted(expr.value, at)
            return added([*([self._position(moving)] if moving.terms else []), plain(fixed)])
        if isinstance(expr, Read):
            return self._read(expr, at)
        if isinstance(expr, Select):
            test = self.condition(expr.where, at)
            if test in ("TRUE", "FALSE"):
                return self._spell(expr.then if test == "TRUE" else expr.otherwise, at)
            branches = [self._spell(part, at) for part in (expr.then, expr.otherwise)]
            return filled(FORMS["if"], [FormulaText((test,)), *branches])
        if isinstance(expr, Reduce):
            return self._reduced(expr, at)
        assert isinstance(expr, Call)
        if expr.function in CONDITIONS or expr.function in LOGIC:
            return FormulaText(("IF(", *self._test(expr, at).pieces, ",1,0)"))
        if expr.function == "if":
            texts = [self._test(expr.args[0], at), *(self._spell(a, at) for a in expr.args[1:])]
            return filled(FORMS["if"], texts)
        return combined(expr.function, [self._spell(arg, at) for arg in expr.args])

    def _test(self, expr: Expr, at: Mapping[Index, int]) -> FormulaText:
        if isinstance(expr, Call) and expr.function in CONDITIONS:
            return filled(CONDITIONS[expr.function], [self._spell(arg, at) for arg in expr.args])
        if isinstance(expr, Call) and expr.function in LOGIC:
            return filled(LOGIC[expr.function], [self._test(arg, at) for arg in expr.args])
        return FormulaText((*self._spell(expr, at).at(Binding.ADD), "<>0"), Binding.COMPARE)

    def _reduced(self, expr: Reduce, at: Mapping[Index, int]) -> FormulaText:
        """A reduction inside a term: its terms one by one."""
        if int(np.prod([index.size for index in expr.over])) > MAX_INNER:
            raise NotPickable
        grids = {index: np.ravel(grid) for index, grid in _points(expr.over).items()}
        texts = []
        for number in range(len(next(iter(grids.values()), [0]))):
            point = {**at, **{index: int(grid[number]) for index, grid in grids.items()}}
            test = self.condition(expr.where, point)
            if test not in ("TRUE", "FALSE"):
                raise NotPickable
            if test == "TRUE":
                texts.append(_joined(self._spell(expr.body, point)))
        return FormulaText((f"{AGGREGATES[expr.op]}({','.join(texts) or '0'})",))

    # ------------------------------------------------------------------ reads

    def _read(self, expr: Read, at: Mapping[Index, int]) -> FormulaText:
        if expr.tensor in self.named:
            return FormulaText((self.named[expr.tensor],))
        place = self.places.get(expr.tensor)
        if place is None:
            raise NotPickable
        if place.area.single:  # not every engine takes INDEX of one cell
            return FormulaText((f"{quoted(place.sheet)}!{place.area.absolute()}",))
        row, column = self._places(place, expr.at, at)
        area = f"{quoted(place.sheet)}!{place.area.absolute()}"
        return FormulaText((f"INDEX({area},{row},{column})",))

    def _places(
        self, place: Placement, at: Sequence[Affine], numbers: Mapping[Index, int]
    ) -> tuple[str, str]:
        """Row and column inside the area of a tensor, counted from 1."""
        return (
            self._along([axis.rows for axis in place.axes], at, numbers),
            self._along([axis.cols for axis in place.axes], at, numbers),
        )

    def _along(
        self, tables: Sequence[IntArray], at: Sequence[Affine], numbers: Mapping[Index, int]
    ) -> str:
        total = affine(0)
        others: list[tuple[str, IntArray, Affine]] = []
        constant = 1
        for table, place in zip(tables, at, strict=True):
            step = _step(table)
            if step is not None:
                total = total + place * step
                constant += int(table[0])
                continue
            moving, fixed = self._parted(place, numbers)
            if not moving.terms:
                constant += int(table[min(max(fixed, 0), len(table) - 1)])
            else:
                others.append((self._looked_up(table, moving + fixed), table, moving + fixed))
        moving, fixed = self._parted(total, numbers)
        constant += fixed
        parts = [_joined(self._position(moving))] if moving.terms else []
        shown = "+".join([*parts, *(text for text, _, _ in others)])
        if not shown:
            return str(constant)
        cell = self._kept(shown, moving, [(table, place) for _, table, place in others])
        return cell if not constant else f"{cell}{constant:+d}"

    def _kept(self, text: str, at: Affine, others: Sequence[tuple[IntArray, Affine]]) -> str:
        """A sub-formula, in a cell of its own where its number is known beforehand."""
        if not all(is_static(place) for place in (at, *(place for _, place in others))):
            return text
        value = position_at(at, self.picked)
        for table, place in others:
            value += table[np.clip(position_at(place, self.picked), 0, len(table) - 1)]
        return self._remember(text, int(value))

    def _looked_up(self, table: IntArray, at: Affine) -> str:
        """How far position ``at`` lies along rows or columns where steps vary."""
        text = self._position(at)
        numbers = np.arange(len(table))
        for band in np.flatnonzero(np.diff(table) != table[1] - table[0])[:1].tolist():
            size = band + 1
            if (numbers // size * table[size] == table).all():
                return f"INT(({_joined(text)})/{size})*{table[size]}"
            if (numbers % size * table[1] == table).all():
                return f"MOD({_joined(text)},{size})*{table[1]}"
        if len(table) > MAX_CHOICES:
            raise NotPickable
        return f"CHOOSE({_joined(text)}+1,{','.join(map(str, table.tolist()))})"

    # ------------------------------------------------------------------ positions

    def _parted(self, at: Affine, numbers: Mapping[Index, int]) -> tuple[Affine, int]:
        """What depends on the picked element, and the number that is added to it."""
        fixed = at.const
        terms = []
        for factor, atom in at.terms:
            used = affine(atom).indices() if not isinstance(atom, Gather) else None
            if used is not None and all(index in numbers for index in used):
                fixed += factor * self._known(atom, numbers)
            else:
                terms.append((factor, self._filled(atom, numbers)))
        return Affine(tuple(terms), 0), fixed

    def _known(self, atom: Atom, numbers: Mapping[Index, int]) -> int:
        return int(position_at(Affine(((1, atom),), 0), numbers))

    def _filled(self, atom: Atom, numbers: Mapping[Index, int]) -> Atom:
        """An atom in which the indices that have numbers are replaced by them."""
        whole = Affine(((1, atom),), 0)
        moved = substituted(whole, dict(numbers))
        return moved.terms[0][1] if len(moved.terms) == 1 and not moved.const else atom

    def _position(self, at: Affine) -> FormulaText:
        """A position over picked indices as a formula."""
        parts: list[FormulaText] = []
        for factor, atom in at.terms:
            text = self._atom(atom)
            if factor == 1:
                parts.append(text)
            else:
                number = f"{factor}*"
                parts.append(FormulaText((number, *text.at(Binding.MULTIPLY)), Binding.MULTIPLY))
        if at.const or not parts:
            parts.append(plain(at.const))
        return added(parts)

    def _atom(self, atom: Atom) -> FormulaText:
        if isinstance(atom, Index):
            if atom not in self.picks:
                raise NotPickable
            return FormulaText((self.picks[atom],))
        if isinstance(atom, Quotient):
            return FormulaText((f"INT(({_joined(self._position(atom.value))})/{atom.divisor})",))
        if isinstance(atom, Remainder):
            return FormulaText((f"MOD({_joined(self._position(atom.value))},{atom.divisor})",))
        if isinstance(atom, Lookup):
            if len(atom.table) > MAX_CHOICES:
                raise NotPickable
            listed = ",".join(map(str, atom.table))
            return FormulaText((f"CHOOSE({_joined(self._position(atom.value))}+1,{listed})",))
        assert isinstance(atom, Gather)
        return FormulaText((f"INT({_joined(self._spell(atom.value, {}))})",))


def _step(table: IntArray) -> int | None:
    """Cells from one position to the next; None where that varies."""
    if len(table) < 2:
        return 0
    if len(table) <= 64:  # of few numbers sooner without arrays
        places: list[int] = table.tolist()
        step = places[1] - places[0]
        same = all(after - before == step for before, after in pairwise(places))
        return step if same else None
    steps = np.diff(table)
    return int(steps[0]) if (steps == steps[0]).all() else None


def _points(over: Sequence[Index]) -> dict[Index, IntArray]:
    shape = tuple(index.size for index in over)
    return {index: np.broadcast_to(grid, shape) for index, grid in mesh(over).items()}


def _joined(text: FormulaText) -> str:
    """Parts that are all plain text."""
    return "".join(str(part) for part in text.pieces)
