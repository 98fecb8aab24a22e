"""The plain evaluator of equations: NumPy, doubles, no knowledge of any layer.

It says what the equations mean. Every printer is checked against it, and the cached values of a
workbook come from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from netsheet.equations import (
    FUNCTIONS,
    Affine,
    Call,
    Const,
    Equation,
    Expr,
    FloatArray,
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
    Weight,
    factors,
)

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
        for step in steps:
            fixed = {} if time is None or step is None else {time: step}
            for eq in group:
                _assign(eq, _Evaluation(values, fixed))
    return {tensor: array for tensor, array in values.items() if tensor not in given}


def recurrences(equations: Iterable[Equation]) -> Iterator[list[Equation]]:
    """The equations in groups: single ones, and runs that share a time index."""
    for time, group in groupby(equations, key=lambda eq: eq.time):
        members = list(group)
        if time is None:
            yield from ([member] for member in members)
        else:
            yield members


class _Labelled(NamedTuple):
    """An array whose axes are indices."""

    dims: tuple[Index, ...]
    array: Any


def _union(parts: Iterable[_Labelled], first: Sequence[Index] = ()) -> tuple[Index, ...]:
    found = dict.fromkeys(first)
    for part in parts:
        found.update(dict.fromkeys(part.dims))
    return tuple(found)


def _spread(part: _Labelled, dims: Sequence[Index]) -> Any:
    """The array transposed to ``dims``, with size 1 where it does not depend on an index."""
    order = [part.dims.index(index) for index in dims if index in part.dims]
    array = np.transpose(part.array, order)
    return array.reshape([index.size if index in part.dims else 1 for index in dims])


def _assign(eq: Equation, evaluation: _Evaluation) -> None:
    fixed = evaluation.fixed
    dims = tuple(index for index in eq.indices if index not in fixed)
    result = _spread(evaluation.value(eq.value), dims)
    places = [evaluation.position(at) for at in eq.at]
    index = tuple(_spread(place, dims) for place in places)
    evaluation.values[eq.target][index] = result


class _Evaluation:
    """One pass over an expression with some indices fixed to numbers."""

    def __init__(self, values: dict[Tensor, FloatArray], fixed: Mapping[Index, int]) -> None:
        self.values = values
        self.fixed = fixed

    def position(self, at: Affine) -> _Labelled:
        parts = [(c, self._atom(atom)) for c, atom in at.terms]
        dims = _union(part for _, part in parts)
        total: Any = np.int64(at.const)
        for coefficient, part in parts:
            total = total + coefficient * _spread(part, dims)
        return _Labelled(dims, np.asarray(total))

    def _atom(self, atom: object) -> _Labelled:
        if isinstance(atom, Index):
            if atom in self.fixed:
                return _Labelled((), np.int64(self.fixed[atom]))
            return _Labelled((atom,), np.arange(atom.size))
        if isinstance(atom, Gather):
            dims, array = self.value(atom.value)
            return _Labelled(dims, np.asarray(array).astype(np.int64))
        assert isinstance(atom, (Quotient, Remainder, Lookup))
        dims, array = self.position(atom.value)
        if isinstance(atom, Quotient):
            return _Labelled(dims, array // atom.divisor)
        if isinstance(atom, Remainder):
            return _Labelled(dims, array % atom.divisor)
        inside = np.clip(array, 0, len(atom.table) - 1)
        return _Labelled(dims, np.asarray(atom.table)[inside])

    def mask(self, where: Sequence[Guard]) -> _Labelled:
        parts = []
        for guard in where:
            dims, array = self.position(guard.value)
            parts.append(_Labelled(dims, (guard.low <= array) & (array < guard.high)))
        dims = _union(parts)
        total: Any = np.bool_(True)
        for part in parts:
            total = total & _spread(part, dims)
        return _Labelled(dims, np.asarray(total))

    def value(self, expr: Expr) -> _Labelled:
        if isinstance(expr, Const):
            return _Labelled((), np.float64(expr.value))
        if isinstance(expr, Number):
            dims, array = self.position(expr.value)
            return _Labelled(dims, array.astype(float))
        if isinstance(expr, Read):
            return self._read(expr)
        if isinstance(expr, Call):
            parts = [self.value(arg) for arg in expr.args]
            dims = _union(parts)
            with np.errstate(all="ignore"):
                result = FUNCTIONS[expr.function](*(_spread(part, dims) for part in parts))
            return _Labelled(dims, result)
        if isinstance(expr, Select):
            parts = [self.mask(expr.where), self.value(expr.then), self.value(expr.otherwise)]
            dims = _union(parts)
            return _Labelled(dims, np.where(*(_spread(part, dims) for part in parts)))
        assert isinstance(expr, Reduce)
        return self._reduce(expr)

    def _read(self, expr: Read) -> _Labelled:
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
            return _Labelled(dims, array)
        index = tuple(
            np.clip(_spread(place, dims), 0, size - 1)
            for place, size in zip(places, array.shape, strict=True)
        )
        return _Labelled(dims, array[index])

    def _reduce(self, expr: Reduce) -> _Labelled:
        mask = self.mask(expr.where)
        if expr.op == "sum":
            return self._sum(expr, mask)
        body = self.value(expr.body)
        kept = [index for index in _union([body, mask]) if index not in expr.over]
        dims = (*kept, *expr.over)
        shape = [index.size for index in dims]
        array = np.broadcast_to(_spread(body, dims), shape)
        inside = np.broadcast_to(_spread(mask, dims), shape)
        axes = tuple(range(len(kept), len(dims)))
        if expr.op == "mean":
            total = np.where(inside, array, 0).sum(axes)
            return _Labelled(tuple(kept), total / inside.sum(axes))
        neutral = {"max": -np.inf, "min": np.inf, "prod": 1.0}[expr.op]
        operation: Any = {"max": np.maximum, "min": np.minimum, "prod": np.multiply}[expr.op]
        return _Labelled(tuple(kept), operation.reduce(np.where(inside, array, neutral), axis=axes))

    def _sum(self, expr: Reduce, mask: _Labelled) -> _Labelled:
        parts = [self.value(factor) for factor in factors(expr.body)]
        if mask.dims:
            # The guard belongs to the factor that already varies with most of its indices.
            chosen = max(range(len(parts)), key=lambda i: len(set(parts[i].dims) & set(mask.dims)))
            dims = _union([parts[chosen], mask])
            masked = np.where(_spread(mask, dims), _spread(parts[chosen], dims), 0.0)
            parts[chosen] = _Labelled(dims, masked)
        elif not mask.array:
            parts.append(_Labelled((), np.float64(0)))
        used = _union(parts)
        scale = math.prod(index.size for index in expr.over if index not in used)
        kept = tuple(index for index in used if index not in expr.over)
        number = {index: i for i, index in enumerate(used)}
        operands: list[Any] = []
        for part in parts:
            operands += [part.array, [number[index] for index in part.dims]]
        with np.errstate(all="ignore"):
            result = np.einsum(*operands, [number[index] for index in kept], optimize=True)
        return _Labelled(kept, result * scale)
