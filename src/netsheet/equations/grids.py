"""Positions and guards as numbers: the one place that works them out.

A :class:`Grid` is an array whose axes are indices: a position over all values of the indices that
it depends on, or the truth of guards. Printers use grids for what is known before anything runs;
the plain evaluator uses them for everything, with the computed positions filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from netsheet.equations.positions import Affine, Gather, Index, Quotient, Remainder, gathers
from netsheet.equations.values import Guard

# The value of each index: a number, or arrays that broadcast with each other.
IndexValues = Mapping[Index, Any]
Fixed = Mapping[Index, int]


class Grid(NamedTuple):
    """An array whose axes are indices."""

    dims: tuple[Index, ...]
    array: npt.NDArray[Any]


Gathered = Callable[[Gather], Grid]  # how a position that is computed from values is known


# --------------------------------------------------------------------------- at given indices


def position_at(at: Affine, values: IndexValues, gathered: Mapping[Gather, Any] = {}) -> Any:
    """A position for given values of its indices: a number or an array.

    ``gathered`` has the computed positions in it, as arrays that broadcast with the values.
    """
    total: Any = at.const
    for coefficient, atom in at.terms:
        total = total + coefficient * _atom_at(atom, values, gathered)
    return total


def _atom_at(atom: object, values: IndexValues, gathered: Mapping[Gather, Any]) -> Any:
    if isinstance(atom, Index):
        return values[atom]
    if isinstance(atom, Gather):
        return gathered[atom]
    inner = position_at(atom.value, values, gathered)  # type: ignore[attr-defined]
    if isinstance(atom, Quotient):
        return inner // atom.divisor
    if isinstance(atom, Remainder):
        return inner % atom.divisor
    table = np.asarray(atom.table, np.int64)  # type: ignore[attr-defined]
    return table[np.clip(inner, 0, len(table) - 1)]


def holds_at(
    where: Sequence[Guard],
    values: IndexValues,
    gathered: Mapping[Gather, Any] = {},
) -> Any:
    """Whether all guards hold for given values of the indices: a truth value or an array."""
    result: Any = np.bool_(True)
    for guard in where:
        place = position_at(guard.value, values, gathered)
        result = result & (guard.low <= place) & (place < guard.high)
    return result


def mesh(indices: Sequence[Index]) -> dict[Index, npt.NDArray[np.int64]]:
    """All values of each index, shaped to broadcast against the others."""
    if not indices:
        return {}
    grids = np.ix_(*(np.arange(index.size, dtype=np.int64) for index in indices))
    return dict(zip(indices, grids, strict=True))


# --------------------------------------------------------------------------- over all indices


def position_grid(at: Affine, fixed: Fixed, gathered: Gathered | None = None) -> Grid:
    """The position for all values of its indices; those in ``fixed`` have one value."""
    return _grid([at], fixed, gathered, lambda values, known: position_at(at, values, known))


def guard_grid(where: Sequence[Guard], fixed: Fixed, gathered: Gathered | None = None) -> Grid:
    """True where all guards hold."""
    positions = [guard.value for guard in where]
    return _grid(positions, fixed, gathered, lambda values, known: holds_at(where, values, known))


def _grid(
    positions: Sequence[Affine],
    fixed: Fixed,
    gathered: Gathered | None,
    evaluate: Callable[[IndexValues, Mapping[Gather, Any]], Any],
) -> Grid:
    known: dict[Gather, Grid] = {}
    for at in positions:
        for gather in gathers(at):
            if gathered is None:
                raise TypeError("a computed position has no number before the network runs")
            known[gather] = gathered(gather)
    used = union(at.indices() for at in positions)
    # what a computed position depends on may be less than its expression names
    dims = union([tuple(index for index in used if index not in fixed),
                  *(grid.dims for grid in known.values())])  # fmt: skip
    values: dict[Index, Any] = {**mesh(dims)} | {
        index: np.int64(fixed[index]) for index in used if index in fixed
    }
    array = evaluate(values, {gather: spread(grid, dims) for gather, grid in known.items()})
    array = np.asarray(array)
    shape = [index.size for index in dims]
    if array.shape != tuple(shape):
        array = np.broadcast_to(array, shape)
    return Grid(dims, array)


def is_static(at: Affine) -> bool:
    """True if no part of the position is computed from values."""
    return next(gathers(at), None) is None


def union(parts: Iterable[tuple[Index, ...]]) -> tuple[Index, ...]:
    """Every index once, in order of appearance."""
    return tuple(dict.fromkeys(index for dims in parts for index in dims))


def spread(grid: Grid, dims: Sequence[Index]) -> npt.NDArray[Any]:
    """The array transposed to ``dims``, with size 1 where it does not depend on an index."""
    order = [grid.dims.index(index) for index in dims if index in grid.dims]
    shape = [index.size if index in grid.dims else 1 for index in dims]
    return grid.array.transpose(order).reshape(shape)


def element_grid(places: Sequence[Grid], shape: Sequence[int], dims: Sequence[Index]) -> Grid:
    """Row-major element numbers in an array of ``shape``; positions outside are clipped."""
    flat: Any = np.zeros((1,) * len(dims), np.int64)
    for place, size in zip(places, shape, strict=True):
        flat = flat * size + np.clip(spread(place, dims), 0, max(size - 1, 0))
    return Grid(tuple(dims), np.broadcast_to(flat, [index.size for index in dims]))


def counts_up(array: npt.NDArray[Any], length: int) -> bool:
    """True if the elements, row by row, are 0, 1, ... length - 1."""
    return array.size == length and bool((array.reshape(-1) == np.arange(length)).all())
