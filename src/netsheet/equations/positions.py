"""Positions: integer expressions that say where along an axis an element lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from netsheet.equations.values import Expr


class _Integer:
    """Arithmetic shared by everything that can stand in a position."""

    def __add__(self, other: Position) -> Affine:
        return _combine(affine(self), affine(other), 1)

    def __radd__(self, other: Position) -> Affine:
        return _combine(affine(other), affine(self), 1)

    def __sub__(self, other: Position) -> Affine:
        return _combine(affine(self), affine(other), -1)

    def __rsub__(self, other: Position) -> Affine:
        return _combine(affine(other), affine(self), -1)

    def __mul__(self, factor: int) -> Affine:
        own = affine(self)
        if factor == 0:
            return Affine((), 0)
        return Affine(tuple((c * factor, a) for c, a in own.terms), own.const * factor)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> Affine:
        own = affine(self)
        whole, rest = _split(own, divisor)
        low, high = rest.bounds()
        if low // divisor == high // divisor:
            return whole + low // divisor
        return whole + Affine(((1, Quotient(rest, divisor)),), 0)

    def __mod__(self, divisor: int) -> Affine:
        _, rest = _split(affine(self), divisor)
        low, high = rest.bounds()
        if low // divisor == high // divisor:
            return rest - (low // divisor) * divisor
        return Affine(((1, Remainder(rest, divisor)),), 0)


@dataclass(frozen=True, eq=False)
class Index(_Integer):
    """A variable that runs over 0 .. size - 1; two indices are equal only if they are the same."""

    name: str
    size: int

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        return 0, self.size - 1


@dataclass(frozen=True)
class Quotient:
    """``value // divisor``, rounded down; the divisor is positive."""

    value: Affine
    divisor: int

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        low, high = self.value.bounds()
        return low // self.divisor, high // self.divisor


@dataclass(frozen=True)
class Remainder:
    """``value mod divisor``, never negative; the divisor is positive."""

    value: Affine
    divisor: int

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        return 0, self.divisor - 1


@dataclass(frozen=True)
class Lookup:
    """``table[value]``: a fixed, irregular mapping of positions (nearest-neighbour resizing)."""

    table: tuple[int, ...]
    value: Affine

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        return min(self.table), max(self.table)


@dataclass(frozen=True, eq=False)
class Gather:
    """A position that is itself computed: ``int(value)``, inside 0 .. size - 1 (Embedding)."""

    value: Expr
    size: int

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        return 0, self.size - 1


Atom = Index | Quotient | Remainder | Lookup | Gather


@dataclass(frozen=True, eq=False)
class Affine(_Integer):
    """``sum(coefficient * atom) + const``: where an element lies along one axis."""

    terms: tuple[tuple[int, Atom], ...]
    const: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[int, frozenset[tuple[int, Atom]]]:
        return self.const, frozenset(self.terms)

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value that the atoms' ranges allow, both included."""
        low = high = self.const
        for coefficient, atom in self.terms:
            ends = [coefficient * end for end in atom.bounds()]
            low, high = low + min(ends), high + max(ends)
        return low, high

    def coefficient(self, atom: Atom) -> int:
        """The factor of ``atom``, 0 where it does not occur."""
        return next((c for c, a in self.terms if a is atom or a == atom), 0)

    def single(self) -> Index | None:
        """The index, if this position is one plain index and nothing else."""
        if self.const == 0 and len(self.terms) == 1:
            coefficient, atom = self.terms[0]
            if coefficient == 1 and isinstance(atom, Index):
                return atom
        return None

    def indices(self) -> tuple[Index, ...]:
        """Every index that the position depends on, in order of appearance."""
        found: dict[Index, None] = {}
        for _, atom in self.terms:
            if isinstance(atom, Index):
                found[atom] = None
            elif isinstance(atom, Gather):
                found.update(dict.fromkeys(atom.value.indices()))
            else:
                found.update(dict.fromkeys(atom.value.indices()))
        return tuple(found)


Position = Affine | Index | int


def affine(value: object) -> Affine:
    """``value`` (an int, an Index, an atom or an Affine) as an Affine."""
    if isinstance(value, Affine):
        return value
    if isinstance(value, (Index, Quotient, Remainder, Lookup, Gather)):
        return Affine(((1, value),), 0)
    if isinstance(value, (int, np.integer)):
        return Affine((), int(value))
    raise TypeError(f"{value!r} is no position")


def _combine(left: Affine, right: Affine, sign: int) -> Affine:
    terms: dict[Atom, int] = {}
    for factor, part in ((1, left), (sign, right)):
        for coefficient, atom in part.terms:
            terms[atom] = terms.get(atom, 0) + factor * coefficient
    kept = tuple((c, a) for a, c in terms.items() if c)
    return Affine(kept, left.const + sign * right.const)


def _split(value: Affine, divisor: int) -> tuple[Affine, Affine]:
    """``whole, rest`` with ``value == whole * divisor + rest`` and no multiple left in rest."""
    whole: list[tuple[int, Atom]] = []
    rest: list[tuple[int, Atom]] = []
    for coefficient, atom in value.terms:
        if coefficient % divisor == 0:
            whole.append((coefficient // divisor, atom))
        else:
            rest.append((coefficient, atom))
    return (
        Affine(tuple(whole), value.const // divisor),
        Affine(tuple(rest), value.const % divisor),
    )


# --------------------------------------------------------------------------- rewriting


def gathers(at: Affine) -> Iterator[Gather]:
    """Every computed position in ``at``, those inside quotients and look-ups included."""
    for _, atom in at.terms:
        if isinstance(atom, Gather):
            yield atom
        elif not isinstance(atom, Index):
            yield from gathers(atom.value)


def substituted(at: Affine, mapping: Mapping[Index, Position]) -> Affine:
    """The position with indices replaced by other positions, outside of computed ones."""
    if not any(index in mapping for index in at.indices()):
        return at
    total = affine(at.const)
    for factor, atom in at.terms:
        total = total + _replaced(atom, mapping) * factor
    return total


def _replaced(atom: Atom, mapping: Mapping[Index, Position]) -> Affine:
    if isinstance(atom, Index):
        return affine(mapping.get(atom, atom))
    if isinstance(atom, Gather):
        return affine(atom)
    inside = substituted(atom.value, mapping)
    if isinstance(atom, Quotient):
        return inside // atom.divisor
    if isinstance(atom, Remainder):
        return inside % atom.divisor
    if not inside.terms and 0 <= inside.const < len(atom.table):
        return affine(atom.table[inside.const])
    return affine(Lookup(atom.table, inside))


def recombined(at: Affine) -> Affine:
    """The position with ``d * (v // d) + v mod d`` written as ``v``."""
    for factor, atom in at.terms:
        if isinstance(atom, Remainder):
            whole = Quotient(atom.value, atom.divisor)
            if at.coefficient(whole) == factor * atom.divisor:
                parts = Affine(((factor, atom), (factor * atom.divisor, whole)), 0)
                return recombined(at - parts + recombined(atom.value) * factor)
    return at


def with_gathers(at: Affine, new: Mapping[Gather, Gather]) -> Affine:
    """The position with its computed parts exchanged."""
    if not new:
        return at
    terms: list[tuple[int, Atom]] = []
    for factor, atom in at.terms:
        if isinstance(atom, Gather):
            atom = new.get(atom, atom)
        elif isinstance(atom, (Quotient, Remainder)):
            atom = type(atom)(with_gathers(atom.value, new), atom.divisor)
        elif isinstance(atom, Lookup):
            atom = Lookup(atom.table, with_gathers(atom.value, new))
        terms.append((factor, atom))
    return Affine(tuple(terms), at.const)
