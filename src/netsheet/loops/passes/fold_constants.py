"""Fold constants: tensors that depend on weights alone become weights themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np

from netsheet.equations import (
    Equation,
    Expr,
    FloatArray,
    Index,
    Read,
    Tensor,
    Weight,
    affine,
    on_reads,
    transform,
)
from netsheet.equations.evaluation import evaluate
from netsheet.loops.passes.readers import read_by

MOST_CONSTANT = 1 << 16  # elements; larger constants are computed on the device


def fold_constants(equations: Sequence[Equation], kept: AbstractSet[Tensor]) -> list[Equation]:
    """The equations without those that can be computed now; tensors that are kept stay."""
    values: dict[Tensor, Weight] = {}
    for tensor, group in _by_target(equations).items():
        known = all(
            isinstance(source, Weight) or source in values for eq in group for source in read_by(eq)
        )
        timed = any(eq.time is not None for eq in group)
        if known and not timed and tensor not in kept and tensor.size <= MOST_CONSTANT:
            own = [_with_values(eq, values) for eq in group]
            array = evaluate(own, {})[tensor]
            values[tensor] = Weight(
                tensor.name, tensor.axes, tensor.shape, label=tensor.name, values=array,
                dtype=tensor.dtype, quantisation=tensor.quantisation,
            )  # fmt: skip
    return [_with_values(eq, values) for eq in equations if eq.target not in values]


def _by_target(equations: Iterable[Equation]) -> dict[Tensor, list[Equation]]:
    groups: dict[Tensor, list[Equation]] = {}
    for eq in equations:
        groups.setdefault(eq.target, []).append(eq)
    return groups


def _with_values(eq: Equation, values: dict[Tensor, Weight]) -> Equation:
    if read_by(eq).isdisjoint(values.keys()):
        return eq
    known = on_reads(lambda node: replace(node, tensor=values[node.tensor])
                     if node.tensor in values else node)  # fmt: skip
    return replace(eq, value=transform(eq.value, known))


def constant_values(expr: Expr, indices: Sequence[Index]) -> FloatArray:
    """A value of weights alone, for every value of some indices.

    Doubles, or a weight's own numbers where it is nothing but a weight with its axes in an order.
    """
    if isinstance(expr, Read) and isinstance(expr.tensor, Weight):
        plain = _transposed(expr, indices)
        if plain is not None:
            return plain
    target = Tensor("constant", tuple(f"axis{n}" for n in range(len(indices))),
                    tuple(index.size for index in indices))  # fmt: skip
    eq = Equation(target, tuple(affine(index) for index in indices), tuple(indices), expr)
    return evaluate([eq], {})[target]


def _transposed(read: Read, indices: Sequence[Index]) -> FloatArray | None:
    """A weight's values by the indices that it is read at, if those are all and single."""
    assert isinstance(read.tensor, Weight)
    values = read.tensor.values
    singles = [at.single() for at in read.at]
    moving = [index for index in singles if index is not None]
    wanted = [index for index in indices if index.size > 1]
    fixed = [at for at, index in zip(read.at, singles, strict=True) if index is None]
    if sorted(map(id, moving)) != sorted(map(id, wanted)) or any(at.terms for at in fixed):
        return None
    if values.dtype not in (np.float32, np.float64) or any(
        index is not None and index.size != size
        for index, size in zip(singles, values.shape, strict=True)
    ):
        return None
    cut = tuple(
        at.const if index is None else slice(None)
        for at, index in zip(read.at, singles, strict=True)
    )
    order = [moving.index(index) for index in wanted]
    return values[cut].transpose(order).reshape([index.size for index in indices])
