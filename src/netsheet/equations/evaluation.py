"""The plain evaluator of equations: NumPy, doubles, no knowledge of any layer.

It says what the equations mean. Every printer is checked against it, and the cached values of a
workbook come from it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.equations import (
    FUNCTIONS,
    WHOLE_FUNCTIONS,
    Affine,
    Call,
    Const,
    Equation,
    Expr,
    FloatArray,
    Gather,
    Guard,
    Index,
    Number,
    Read,
    Reduce,
    Select,
    Tensor,
    Weight,
    children,
    factors,
    walk,
)
from netsheet.equations.grids import Grid, guard_grid, position_grid, spread, union

IntArray = npt.NDArray[np.int64]


def evaluate(
    equations: Iterable[Equation], given: Mapping[Tensor, FloatArray]
) -> dict[Tensor, FloatArray]:
    """All tensors that the equations fill, from the given ones (inputs; weights may be replaced).

    Arrays have the tensors' shapes, without batch axis; results are float64.
    """
    values: dict[Tensor, FloatArray] = {
        tensor: np.asarray(array, float) for tensor, array in given.items()
    }
    for group in recurrences(equations):
        for eq in group:
            if eq.target not in values:
                values[eq.target] = np.zeros(eq.target.shape)
        time = group[0].time
        steps = range(time.size) if time is not None else (None,)
        shared = [_shared(eq) for eq in group]
        for step in steps:
            fixed = {} if time is None or step is None else {time: step}
            for eq, several in zip(group, shared, strict=True):
                _assign(eq, _Evaluation(values, fixed, several))
    return {tensor: array for tensor, array in values.items() if tensor not in given}


def recurrences(equations: Iterable[Equation]) -> Iterator[list[Equation]]:
    """The equations in groups: single ones, and runs that share a time index."""
    for time, group in groupby(equations, key=lambda eq: eq.time):
        members = list(group)
        if time is None:
            yield from ([member] for member in members)
        else:
            yield members


def _shared(eq: Equation) -> Set[int]:
    """Ids of the parts that are used several times; the equation keeps them alive."""
    uses = Counter(id(child) for node in walk(eq.value) for child in children(node))
    return {node for node, count in uses.items() if count > 1}


def _function(name: str) -> Callable[..., FloatArray]:
    return FUNCTIONS.get(name) or WHOLE_FUNCTIONS[name]


def _union(parts: Iterable[Grid]) -> tuple[Index, ...]:
    return union(part.dims for part in parts)


def _assign(eq: Equation, evaluation: _Evaluation) -> None:
    fixed = evaluation.fixed
    dims = tuple(index for index in eq.indices if index not in fixed)
    result = spread(evaluation.value(eq.value), dims)
    places = [evaluation.position(at) for at in eq.at]
    index = tuple(spread(place, dims) for place in places)
    evaluation.values[eq.target][index] = result


class _Evaluation:
    """One pass over an expression with some indices fixed to numbers."""

    def __init__(
        self, values: dict[Tensor, FloatArray], fixed: Mapping[Index, int], shared: Set[int]
    ) -> None:
        self.values = values
        self.fixed = fixed
        self._shared = shared
        self._known: dict[int, Grid] = {}

    def position(self, at: Affine) -> Grid:
        """A position over its indices, the computed ones in it included."""
        return position_grid(at, self.fixed, self._gathered)

    def mask(self, where: Sequence[Guard]) -> Grid:
        """True where all guards hold."""
        return guard_grid(where, self.fixed, self._gathered)

    def _gathered(self, gather: Gather) -> Grid:
        dims, array = self.value(gather.value)
        return Grid(dims, np.asarray(array).astype(np.int64))

    def value(self, expr: Expr) -> Grid:
        """An expression over the indices that it depends on; a part used twice is computed once."""
        if id(expr) in self._known:
            return self._known[id(expr)]
        result = self._computed(expr)
        if id(expr) in self._shared:
            self._known[id(expr)] = result
        return result

    def _computed(self, expr: Expr) -> Grid:
        if isinstance(expr, Const):
            return Grid((), np.asarray(expr.value, float))
        if isinstance(expr, Number):
            dims, array = self.position(expr.value)
            return Grid(dims, array.astype(float))
        if isinstance(expr, Read):
            return self._read(expr)
        if isinstance(expr, Call):
            parts = [self.value(arg) for arg in expr.args]
            dims = _union(parts)
            with np.errstate(all="ignore"):
                result = _function(expr.function)(*(spread(part, dims) for part in parts))
            return Grid(dims, result)
        if isinstance(expr, Select):
            parts = [self.mask(expr.where), self.value(expr.then), self.value(expr.otherwise)]
            dims = _union(parts)
            return Grid(dims, np.where(*(spread(part, dims) for part in parts)))
        assert isinstance(expr, Reduce)
        return self._reduce(expr)

    def _read(self, expr: Read) -> Grid:
        array = self.values.get(expr.tensor)
        if array is None:
            assert isinstance(expr.tensor, Weight), f"{expr.tensor.name} is not computed yet"
            array = self.values[expr.tensor] = expr.tensor.values.astype(float)
        places = [self.position(at) for at in expr.at]
        dims = _union(places)
        if sum(len(place.dims) for place in places) == len(dims):
            # Each index in one position only: take axis by axis, cheaper than a full gather.
            for axis in reversed(range(len(places))):
                place = np.clip(places[axis].array, 0, array.shape[axis] - 1)
                array = np.take(array, place, axis=axis)
            return Grid(dims, array)
        index = tuple(
            np.clip(spread(place, dims), 0, size - 1)
            for place, size in zip(places, array.shape, strict=True)
        )
        return Grid(dims, array[index])

    def _reduce(self, expr: Reduce) -> Grid:
        mask = self.mask(expr.where)
        if expr.op == "sum":
            return self._sum(expr, mask)
        body = self.value(expr.body)
        kept = [index for index in _union([body, mask]) if index not in expr.over]
        dims = (*kept, *expr.over)
        shape = [index.size for index in dims]
        array = np.broadcast_to(spread(body, dims), shape)
        inside = np.broadcast_to(spread(mask, dims), shape)
        axes = tuple(range(len(kept), len(dims)))
        if expr.op == "mean":
            total = np.where(inside, array, 0).sum(axes)
            return Grid(tuple(kept), total / inside.sum(axes))
        neutral = {"max": -np.inf, "min": np.inf, "prod": 1.0}[expr.op]
        operation: Any = {"max": np.maximum, "min": np.minimum, "prod": np.multiply}[expr.op]
        return Grid(tuple(kept), operation.reduce(np.where(inside, array, neutral), axis=axes))

    def _sum(self, expr: Reduce, mask: Grid) -> Grid:
        parts = [self.value(factor) for factor in factors(expr.body)]
        if mask.dims:
            # The guard belongs to the factor that already varies with most of its indices.
            chosen = max(range(len(parts)), key=lambda i: len(set(parts[i].dims) & set(mask.dims)))
            dims = _union([parts[chosen], mask])
            masked = np.where(spread(mask, dims), spread(parts[chosen], dims), 0.0)
            parts[chosen] = Grid(dims, masked)
        elif not mask.array:
            parts.append(Grid((), np.zeros(())))
        used = _union(parts)
        scale = math.prod(index.size for index in expr.over if index not in used)
        kept = tuple(index for index in used if index not in expr.over)
        number = {index: i for i, index in enumerate(used)}
        operands: list[Any] = []
        for part in parts:
            operands += [part.array, [number[index] for index in part.dims]]
        with np.errstate(all="ignore"):
            result = np.einsum(*operands, [number[index] for index in kept], optimize=True)
        return Grid(kept, result * scale)
