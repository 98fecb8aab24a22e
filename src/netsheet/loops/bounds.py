"""What positions can be: bounds of integer expressions under the loops and tests around them.

A position is a sum of variables. Each variable is bounded by sums of variables outside of it: a
loop by its ends, what a test compares by the test. To bound a sum from below, its innermost
variable is replaced by one of its lower bounds (by an upper one where its factor is negative),
then the next one, until numbers are left. Every replacement is right, so the best result is too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from netsheet.loops.ir import (
    INT,
    Combination,
    Comparison,
    Conditional,
    FloorDivide,
    Greatest,
    Integer,
    Least,
    Modulo,
    PositionOf,
    TableEntry,
    Test,
    Times,
    Variable,
)

Rational: TypeAlias = "int | Fraction"
MOST_TRIES = 256  # replacements that are tried for one position


@dataclass(frozen=True)
class LinearSum:
    """``sum(factor * variable) + const``; variables are numbered, outermost first."""

    factors: tuple[tuple[int, Rational], ...]
    const: Rational

    def plus(self, other: LinearSum, factor: Rational = 1) -> LinearSum:
        """This and ``factor`` times another."""
        found = dict(self.factors)
        for variable, value in other.factors:
            found[variable] = found.get(variable, 0) + factor * value
        kept = tuple(sorted((v, f) for v, f in found.items() if f))
        return LinearSum(kept, self.const + factor * other.const)


def constant(value: Rational) -> LinearSum:
    """A number as a sum."""
    return LinearSum((), value)


@dataclass
class _Range:
    """The bounds of a variable, each a sum of variables before it."""

    low: list[LinearSum] = field(default_factory=list)
    high: list[LinearSum] = field(default_factory=list)


class Bounds:
    """The variables in scope at one point, with what is known of them."""

    def __init__(self) -> None:
        self.unreachable = False  # a test around it never holds
        self._ranges: list[_Range] = []
        self._named: dict[str, LinearSum] = {}
        self._seen: dict[Integer, LinearSum] = {}

    def copy(self) -> Bounds:
        """The same knowledge, to which something is added in a block."""
        other = Bounds()
        other.unreachable = self.unreachable
        other._ranges = [_Range(list(r.low), list(r.high)) for r in self._ranges]
        other._named, other._seen = dict(self._named), dict(self._seen)
        return other

    # ------------------------------------------------------------------ what is known

    def let(self, name: str, value: Integer) -> None:
        """A name for a position."""
        self._named[name] = self.sum(value)

    def loop(self, name: str, low: Integer, high: Integer) -> None:
        """A name for every position from ``low`` to ``high - 1``."""
        self._named[name] = self._variable(
            _Range(list(self._below(low)), [s.plus(constant(-1)) for s in self._above(high)])
        )

    def where(self, test: Test, holds: bool = True) -> None:
        """A test that holds (or fails) from here on."""
        if isinstance(test, Comparison) and _integers(test):
            self._compared(test, holds)
        elif holds and not isinstance(test, (Comparison, Variable)):
            for part in getattr(test, "tests", ()):
                self.where(part)

    def _compared(self, test: Comparison, holds: bool) -> None:
        signs = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
        sign = test.sign if holds else signs[test.sign]
        left, right = self.sum(test.left), self.sum(test.right)  # type: ignore[arg-type]
        less = left.plus(right, -1)  # <= 0, or < 0
        if sign in ("<", "<=", "=="):
            self._at_most(less.plus(constant(1)) if sign == "<" else less)
        if sign in (">", ">=", "=="):
            more = constant(0).plus(less, -1)
            self._at_most(more.plus(constant(1)) if sign == ">" else more)

    def _at_most(self, total: LinearSum) -> None:
        """``total <= 0``, as a bound of its innermost variable."""
        if not total.factors:
            self.unreachable |= total.const > 0
            return
        variable, factor = total.factors[-1]
        rest = LinearSum(total.factors[:-1], total.const)
        bound = constant(0).plus(rest, Fraction(-1) / factor)
        known = self._ranges[variable]
        bounds = known.high if factor > 0 else known.low
        if bound not in bounds:
            bounds.append(bound)

    # ------------------------------------------------------------------ sums

    def sum(self, node: Integer) -> LinearSum:
        """A position as a sum of variables; what is not linear becomes a variable of its own."""
        if isinstance(node, int):
            return constant(node)
        if isinstance(node, Combination):
            total = constant(node.const)
            for factor, term in node.terms:
                total = total.plus(self.sum(term), factor)
            return total
        if isinstance(node, Variable):
            return self._named[node.name]
        if isinstance(node, TableEntry):
            at = self.sum(node.position)
            if not at.factors and 0 <= at.const < len(node.table.values):
                return constant(node.table.values[int(at.const)])
        if node not in self._seen:
            self._seen[node] = self._variable(
                _Range(list(self._below(node)), list(self._above(node)))
            )
        return self._seen[node]

    def _variable(self, known: _Range) -> LinearSum:
        self._ranges.append(known)
        return LinearSum(((len(self._ranges) - 1, 1),), 0)

    def _below(self, node: Integer) -> Iterator[LinearSum]:
        """Sums that a position is never less than."""
        yield from self._limits(node, low=True)

    def _above(self, node: Integer) -> Iterator[LinearSum]:
        """Sums that a position is never more than."""
        yield from self._limits(node, low=False)

    def _limits(self, node: Integer, low: bool) -> Iterator[LinearSum]:
        if isinstance(node, (Greatest, Least)):
            sides = [list(self._limits(side, low)) for side in (node.left, node.right)]
            if isinstance(node, Greatest) == low:
                yield from (*sides[0], *sides[1])
            else:
                # what bounds both: of the best bound of each side the worse one
                yield self._worst([self._best(side, low) for side in sides], low)
        elif isinstance(node, Conditional):
            both = []
            for side, holds in ((node.then, True), (node.otherwise, False)):
                inside = self.copy()
                inside.where(node.test, holds)
                both.append(constant(inside.extreme(inside.sum(side), low)))  # type: ignore[arg-type]
            yield self._worst(both, low)
        elif isinstance(node, FloorDivide):
            total = self.sum(node.value)
            rounded = total if not low else total.plus(constant(1 - node.divisor))
            yield constant(0).plus(rounded, Fraction(1, node.divisor))
            yield constant(self.extreme(total, low) // node.divisor)
        elif isinstance(node, Modulo):
            yield constant(0 if low else node.divisor - 1)
            whole = self.sum(FloorDivide(node.value, node.divisor))
            yield self.sum(node.value).plus(whole, -node.divisor)
        elif isinstance(node, PositionOf):
            yield constant(0 if low else node.size - 1)
        elif isinstance(node, TableEntry):
            values = node.table.values
            yield constant(min(values) if low else max(values))
        elif isinstance(node, Times):
            raise NotImplementedError("a product of positions is no place")
        else:
            yield self.sum(node)

    def _best(self, sums: list[LinearSum], low: bool) -> LinearSum:
        ends = [self.extreme(one, low) for one in sums]
        return constant(max(ends) if low else min(ends))

    def _worst(self, sums: list[LinearSum], low: bool) -> LinearSum:
        ends = [self.extreme(one, low) for one in sums]
        return constant(min(ends) if low else max(ends))

    # ------------------------------------------------------------------ extremes

    def extreme(self, total: LinearSum, low: bool) -> Rational:
        """A number that the sum is never below (``low``) or never above."""
        return self._extreme(total, low, [MOST_TRIES])

    def _extreme(self, total: LinearSum, low: bool, tries: list[int]) -> Rational:
        if not total.factors:
            return total.const
        variable, factor = total.factors[-1]
        known = self._ranges[variable]
        rest = LinearSum(total.factors[:-1], total.const)
        best: Rational | None = None
        bounds = known.low if (factor > 0) == low else known.high
        # numbers first: where there are too many ways to try all, the plain one is among them
        for bound in sorted(bounds, key=lambda one: len(one.factors)):
            if best is not None and tries[0] <= 0:
                break
            tries[0] -= 1
            end = self._extreme(rest.plus(bound, factor), low, tries)
            best = end if best is None else max(best, end) if low else min(best, end)
        assert best is not None
        return best


def _integers(test: Comparison) -> bool:
    kinds = (int, Variable, Combination, FloorDivide, Modulo, Least, Greatest, Conditional)
    sides = test.left, test.right
    return all(isinstance(side, kinds) and getattr(side, "dtype", INT) == INT for side in sides)
