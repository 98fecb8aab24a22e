"""Concrete positions: where indices have values, positions are numbers and guards are decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Index,
    Read,
    Reduce,
    Select,
    Tensor,
    children,
)
from netsheet.equations.grids import IndexValues, holds_at, is_static, mesh, position_at
from netsheet.write.excel.placement import IntArray, Placement


def flat(indices: Sequence[Index]) -> dict[Index, IntArray]:
    """The values of each index at every point of their product, in loop order."""
    shape = tuple(index.size for index in indices)
    return {
        index: np.broadcast_to(grid, shape).reshape(-1) for index, grid in mesh(indices).items()
    }


@dataclass(frozen=True, eq=False)
class FormulaGroup:
    """Points of an equation whose formulas differ in cell addresses only."""

    values: dict[Index, IntArray]
    count: int

    def first(self) -> dict[Index, int]:
        """The index values of the first point."""
        return {index: int(array[0]) for index, array in self.values.items()}


def formula_groups(eq: Equation, places: Mapping[Tensor, Placement]) -> Iterator[FormulaGroup]:
    """The points of an equation, split wherever a guard or an irregular position changes."""
    values = flat(eq.indices)
    count = int(np.prod([index.size for index in eq.indices], dtype=np.int64))
    if not count:
        return
    number = np.zeros(count, np.int64)
    for dims, ids in _patterns(eq, places):
        _, number = np.unique(
            number * (int(ids.max()) + 1) + ids[tuple(values[dim] for dim in dims)],
            return_inverse=True,
        )
    number = number.reshape(-1)
    order = np.argsort(number, kind="stable")
    cuts = np.flatnonzero(np.diff(number[order])) + 1
    for members in np.split(order, cuts):
        yield FormulaGroup({index: array[members] for index, array in values.items()}, len(members))


def _patterns(
    eq: Equation, places: Mapping[Tensor, Placement]
) -> Iterator[tuple[tuple[Index, ...], IntArray]]:
    """For each decision in the equation: the indices it depends on, and a number per outcome."""
    loop = set(eq.indices)

    def visit(node: Expr, over: frozenset[Index]) -> Iterator[tuple[tuple[Index, ...], IntArray]]:
        if isinstance(node, (Reduce, Select)):
            if isinstance(node, Reduce):
                over = over | frozenset(node.over)
            for guard in node.where:
                yield from _pattern(guard.value, loop, lambda v, g=guard: [holds_at([g], v)])
        if isinstance(node, Read) and over:
            place = places[node.tensor]
            for at, axis in zip(node.at, place.axes, strict=True):
                used = at.indices()
                if not is_static(at) or not (loop & set(used) and over & set(used)):
                    continue
                pure = all(_pure(atom, loop) for _, atom in at.terms)
                if pure and axis.step() is not None:
                    continue

                def tables(v: IndexValues, at: Affine = at, axis: Any = axis) -> list[Any]:
                    inside = np.clip(position_at(at, v), 0, axis.size - 1)
                    return [axis.rows[inside], axis.cols[inside]]

                yield from _pattern(at, loop, tables)
        for child in children(node):
            yield from visit(child, over)

    yield from visit(eq.value, frozenset())


def _pure(atom: Any, loop: set[Index]) -> bool:
    """True if an atom depends on loop indices only or on reduced ones only."""
    used = {atom} if isinstance(atom, Index) else set(atom.value.indices())
    return used <= loop or not used & loop


def _pattern(at: Affine, loop: set[Index], tables: Any) -> Iterator[Any]:
    used = at.indices()
    outer = tuple(index for index in used if index in loop)
    inner = tuple(index for index in used if index not in loop)
    if not outer:
        return
    shape = tuple(index.size for index in (*outer, *inner))
    rows = int(np.prod([index.size for index in outer]))
    parts = []
    for table in tables(mesh((*outer, *inner))):
        part = np.broadcast_to(table, shape).reshape(rows, -1)
        parts.append(part if part.dtype == bool else part - part[:, :1])
    _, ids = np.unique(np.concatenate(parts, axis=1), axis=0, return_inverse=True)
    yield outer, ids.reshape([index.size for index in outer])
