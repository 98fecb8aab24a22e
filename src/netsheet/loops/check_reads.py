"""Proves that equations read and fill tensors inside every axis, before memory makes one of them.

An address may lie inside a tensor's memory though a position lies outside its axis: the value of
another row, not an error. That is refused here, on the equations as layers say them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Gather,
    Guard,
    Index,
    Lookup,
    Quotient,
    Read,
    Reduce,
    Remainder,
    Select,
    Tensor,
    children,
    positions,
    walk,
)
from netsheet.errors import NetsheetError
from netsheet.loops.bounds import Bounds
from netsheet.loops.ir import (
    Comparison,
    FloorDivide,
    Integer,
    Literal,
    Modulo,
    PositionOf,
    PositionTable,
    TableEntry,
    Variable,
    combination,
)

MOST_ENTRIES = 1 << 14  # of tables that are gone through one by one


def check_reads(equations: Sequence[Equation]) -> None:
    """Check every equation.

    Raises:
        NetsheetError: a position outside of an axis; names the tensors and the sizes.
    """
    for eq in equations:
        _Reads(eq).check()


class _Reads:
    """The reads of one equation, each under the guards around it."""

    def __init__(self, eq: Equation) -> None:
        self.eq = eq
        self._names: dict[Index, Variable] = {}
        self._fixed: dict[Index, int] = {}
        self._numbers = itertools.count()

    def check(self) -> None:
        """Check the target and the value; where tables go together, entry by entry."""
        try:
            self._check()
        except NetsheetError:
            indices = self._looked_up()
            if not indices or math.prod(index.size for index in indices) > MOST_ENTRIES:
                raise
            for values in itertools.product(*(range(index.size) for index in indices)):
                self._fixed = dict(zip(indices, values, strict=True))
                self._check()

    def _looked_up(self) -> list[Index]:
        """The indices that tables are read at."""
        found: dict[Index, None] = {}
        for node in walk(self.eq.value):
            for at in positions(node):
                for _, atom in at.terms:
                    if isinstance(atom, Lookup):
                        found.update(dict.fromkeys(atom.value.indices()))
        return list(found)

    def _check(self) -> None:
        bounds = Bounds()
        for index in self.eq.indices:
            self._loop(index, bounds)
        self._inside("fills", self.eq.target, self.eq.at, bounds)
        self._walk(self.eq.value, bounds)

    def _loop(self, index: Index, bounds: Bounds) -> None:
        self._names[index] = Variable(f"i{next(self._numbers)}")
        if index in self._fixed:
            bounds.let(self._names[index].name, self._fixed[index])
        else:
            bounds.loop(self._names[index].name, 0, index.size)

    def _walk(self, root: Expr, bounds: Bounds) -> None:
        """Everything under the same guards, each node once."""
        seen, stack = set[int](), [root]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, Read):
                if not self._plainly(node.tensor, node.at):
                    self._inside("reads", node.tensor, node.at, bounds)
            elif isinstance(node, Reduce):
                inside = bounds.copy()
                for index in node.over:
                    self._loop(index, inside)
                self._where(node.where, inside)
                self._walk(node.body, inside)
                continue
            elif isinstance(node, Select):
                inside = bounds.copy()
                self._where(node.where, inside)
                self._walk(node.then, inside)
                stack.append(node.otherwise)
                continue
            stack.extend(children(node))

    def _where(self, where: Sequence[Guard], bounds: Bounds) -> None:
        for guard in where:
            value = self._position(guard.value)
            bounds.where(Comparison(value, ">=", guard.low))
            bounds.where(Comparison(value, "<", guard.high))

    def _plainly(self, tensor: Tensor, at: Sequence[Affine]) -> bool:
        """True if the positions lie inside whatever the guards are."""
        return all(
            low >= 0 and high < size
            for (low, high), size in zip((p.bounds() for p in at), tensor.shape, strict=True)
        )

    def _inside(self, verb: str, tensor: Tensor, at: Sequence[Affine], bounds: Bounds) -> None:
        for axis, (place, size) in enumerate(zip(at, tensor.shape, strict=True)):
            total = bounds.sum(self._position(place))
            low, high = (bounds.extreme(total, end) for end in (True, False))
            if math.ceil(low) < 0 or math.floor(high) >= size:
                raise NetsheetError(
                    f"layer {self.eq.target.name!r} {verb} {tensor.name!r} {tensor.shape} along "
                    f"{tensor.axes[axis]} from {math.ceil(low)} to {math.floor(high)}: its sizes "
                    "contradict each other."
                )

    def _position(self, at: Affine) -> Integer:
        return combination([(factor, self._atom(atom)) for factor, atom in at.terms], at.const)

    def _atom(self, atom: object) -> Integer:
        if isinstance(atom, Index):
            return self._names[atom]
        if isinstance(atom, Gather):
            return PositionOf(Literal(0.0), atom.size)
        assert isinstance(atom, (Quotient, Remainder, Lookup))
        inside = self._position(atom.value)
        if isinstance(atom, Lookup):
            return TableEntry(PositionTable("", atom.table), inside)
        kind = FloorDivide if isinstance(atom, Quotient) else Modulo
        return kind(inside, atom.divisor)
