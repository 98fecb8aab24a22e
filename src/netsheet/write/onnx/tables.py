"""Positions and guards worked out beforehand: integer tables and masks over indices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from netsheet.equations import Affine, Gather, Guard, Index, Lookup, Quotient, Remainder

Fixed = Mapping[Index, int]


class Table(NamedTuple):
    """An array, known before anything runs, whose axes are indices."""

    dims: tuple[Index, ...]
    array: npt.NDArray[Any]


def union(parts: Iterable[tuple[Index, ...]]) -> tuple[Index, ...]:
    """Every index once, in order of appearance."""
    return tuple(dict.fromkeys(index for dims in parts for index in dims))


def spread(table: Table, dims: Sequence[Index]) -> npt.NDArray[Any]:
    """The array transposed to ``dims``, with size 1 where it does not depend on an index."""
    order = [table.dims.index(index) for index in dims if index in table.dims]
    shape = [index.size if index in table.dims else 1 for index in dims]
    return table.array.transpose(order).reshape(shape)


def is_static(at: Affine) -> bool:
    """True if no part of the position is computed from values."""
    for _, atom in at.terms:
        if isinstance(atom, Gather):
            return False
        if isinstance(atom, (Quotient, Remainder, Lookup)) and not is_static(atom.value):
            return False
    return True


def position_table(at: Affine, fixed: Fixed) -> Table:
    """The position for all values of its indices; those in ``fixed`` have one value."""
    parts = [(coefficient, _atom(atom, fixed)) for coefficient, atom in at.terms]
    dims = union(table.dims for _, table in parts)
    total: Any = np.int64(at.const)
    for coefficient, table in parts:
        total = total + coefficient * spread(table, dims)
    return Table(dims, np.asarray(total))


def _atom(atom: object, fixed: Fixed) -> Table:
    if isinstance(atom, Index):
        if atom in fixed:
            return Table((), np.asarray(fixed[atom], np.int64))
        return Table((atom,), np.arange(atom.size, dtype=np.int64))
    assert isinstance(atom, (Quotient, Remainder, Lookup))
    inner = position_table(atom.value, fixed)
    if isinstance(atom, Quotient):
        return Table(inner.dims, inner.array // atom.divisor)
    if isinstance(atom, Remainder):
        return Table(inner.dims, inner.array % atom.divisor)
    table = np.asarray(atom.table, np.int64)
    return Table(inner.dims, table[np.clip(inner.array, 0, len(table) - 1)])


def mask_table(where: Sequence[Guard], fixed: Fixed) -> Table:
    """True where all guards hold."""
    parts = []
    for guard in where:
        dims, array = position_table(guard.value, fixed)
        parts.append(Table(dims, (guard.low <= array) & (array < guard.high)))
    dims = union(table.dims for table in parts)
    total: Any = np.bool_(True)
    for table in parts:
        total = total & spread(table, dims)
    return Table(dims, np.asarray(total))


def flat_table(places: Sequence[Table], shape: Sequence[int], dims: Sequence[Index]) -> Table:
    """Row-major element numbers in an array of ``shape``; positions outside are clipped."""
    flat: Any = np.zeros((1,) * len(dims), np.int64)
    for place, size in zip(places, shape, strict=True):
        flat = flat * size + np.clip(spread(place, dims), 0, max(size - 1, 0))
    return Table(tuple(dims), np.broadcast_to(flat, [index.size for index in dims]))


def counts_up(array: npt.NDArray[Any], length: int) -> bool:
    """True if the elements, row by row, are 0, 1, ... length - 1."""
    return array.size == length and bool((array.reshape(-1) == np.arange(length)).all())
