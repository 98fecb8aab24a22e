"""Fold constants: tensors that depend on weights alone become weights themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from netsheet.equations import (
    Equation,
    Expr,
    FloatArray,
    Index,
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
                tensor.name, tensor.axes, tensor.shape, label=tensor.name, values=array
            )
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
    """A value of weights alone, for every value of some indices (doubles)."""
    target = Tensor("constant", tuple(f"axis{n}" for n in range(len(indices))),
                    tuple(index.size for index in indices))  # fmt: skip
    eq = Equation(target, tuple(affine(index) for index in indices), tuple(indices), expr)
    return evaluate([eq], {})[target]
