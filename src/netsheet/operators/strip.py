"""Equations of whole tensors without their first axis, where that is a batch of one sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Index,
    Position,
    Read,
    Tensor,
    on_reads,
    substituted,
    transform,
)


def without_first_axis(
    equations: Iterable[Equation], mapping: Mapping[Tensor, Tensor]
) -> list[Equation]:
    """The equations with ``mapping``'s tensors in place of those that have an axis of size 1 more.

    A tensor is mapped to itself where it keeps its axes; intermediate tensors lose a first axis
    that is named ``batch``. Indices that ran along the axis taken away become 0.
    """
    listed = list(equations)
    mapping = dict(mapping)
    for tensor in dict.fromkeys(eq.target for eq in listed):
        if tensor not in mapping and tensor.axes[:1] == ("batch",):
            mapping[tensor] = Tensor(tensor.name, tensor.axes[1:], tensor.shape[1:])
    return [_stripped(eq, mapping) for eq in listed]


def _cut(tensor: Tensor, mapping: Mapping[Tensor, Tensor]) -> bool:
    return tensor in mapping and mapping[tensor] is not tensor


def _stripped(eq: Equation, mapping: Mapping[Tensor, Tensor]) -> Equation:
    first = eq.at[0].single() if _cut(eq.target, mapping) else None
    gone: dict[Index, Position] = {} if first is None else {first: 0}

    def read(node: Read) -> Expr:
        tensor = mapping.get(node.tensor, node.tensor)
        return Read(tensor, node.at[1:] if _cut(node.tensor, mapping) else node.at)

    def position(at: Affine) -> Affine:
        return substituted(at, gone)

    at = eq.at[1:] if _cut(eq.target, mapping) else eq.at
    return Equation(
        mapping.get(eq.target, eq.target),
        tuple(position(place) for place in at),
        tuple(index for index in eq.indices if index not in gone),
        transform(eq.value, on_reads(read), position),
        eq.time,
    )
