"""Inputs and outputs: tensors of their own for results, copies where a layout is given."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from netsheet.equations import Equation, Tensor, Transform, equation, indices_of, on_reads
from netsheet.loops.passes.readers import read_by
from netsheet.loops.storage.addresses import natural, same_layout


def with_results(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    equations: Sequence[Equation],
    kept: Sequence[Tensor],
) -> tuple[list[Equation], list[Tensor]]:
    """Equations that fill tensors of their own for the outputs; as copies where need be."""
    every = list(equations)
    results = []
    copied = {*inputs, *kept}
    for number, tensor in enumerate(outputs):
        result = replace(tensor, name=f"{tensor.name}/output{number}", mask=None)
        results.append(result)
        if tensor in copied or list(outputs).count(tensor) > 1:
            at = indices_of(tensor)
            every.append(equation(result[at], tensor[at]))
        else:
            every = [_with(eq, tensor, result) for eq in every]
    return every, results


def with_copies(
    equations: Sequence[Equation],
    inputs: Sequence[Tensor],
    results: Sequence[Tensor],
    strides: dict[Tensor, tuple[int, ...]],
    decided: AbstractSet[Tensor],
) -> tuple[list[Equation], set[Tensor]]:
    """Copies of inputs and outputs in the layout that sums want, where it is not their own."""
    every = list(equations)
    copies: set[Tensor] = set()
    for tensor in (*inputs, *results):
        own = natural(tensor.shape)
        if tensor not in decided or same_layout(tensor.shape, own, strides[tensor]):
            continue
        inner = replace(tensor, name=f"{tensor.name}/inside", mask=None)
        strides[inner] = strides[tensor]
        copies.add(inner)
        at = indices_of(tensor)
        every = [_with(eq, tensor, inner) for eq in every]
        if tensor in inputs:
            every.insert(0, equation(inner[at], tensor[at]))
        else:
            every.append(equation(tensor[at], inner[at]))
    return every, copies


def _with(eq: Equation, old: Tensor, new: Tensor) -> Equation:
    """The equation with one tensor in place of another."""
    moved = _reading(eq, old, new)
    return replace(moved, target=new) if eq.target is old else moved


def _reading(eq: Equation, old: Tensor, new: Tensor) -> Equation:
    if old not in read_by(eq):
        return eq
    moved = on_reads(lambda node: replace(node, tensor=new) if node.tensor is old else node)
    return Transform(moved).equation(eq)
