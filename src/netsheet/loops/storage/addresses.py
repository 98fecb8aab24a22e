"""Storage flattening: tensors as plain memory, positions as addresses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Index,
    Position,
    Read,
    Reduce,
    Tensor,
    Transform,
    affine,
    on_reads,
    substituted,
    walk,
)


def natural(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of the framework's own layout, the last axis contiguous."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def channels_last(tensor: Tensor) -> tuple[int, ...]:
    """Strides of the layout that is used inside: the axis named channel is contiguous."""
    if "channel" not in tensor.axes or len(tensor.axes) < 2:
        return natural(tensor.shape)
    channel = tensor.axes.index("channel")
    order = [axis for axis in range(len(tensor.shape)) if axis != channel] + [channel]
    strides = natural([tensor.shape[axis] for axis in order])
    return tuple(strides[order.index(axis)] for axis in range(len(tensor.shape)))


def same_layout(shape: Sequence[int], left: Sequence[int], right: Sequence[int]) -> bool:
    """True if two layouts of a shape put every element at the same address."""
    return all(n == 1 or a == b for n, a, b in zip(shape, left, right, strict=True))


def address(at: Sequence[Affine], shape: Sequence[int], strides: Sequence[int]) -> Affine:
    """The element's distance from the first one."""
    total = affine(0)
    for place, size, stride in zip(at, shape, strides, strict=True):
        if size > 1:
            total = total + place * stride
    return total


@dataclass(frozen=True, eq=False)
class Memory(Tensor):
    """A tensor's memory as one axis; ``source`` is the tensor."""

    source: Tensor | None = None


Layout = Callable[[Tensor], Sequence[int]]


def flattened(eq: Equation, layout: Layout) -> Equation:
    """The equation over memory: every tensor has one axis, every position is an address."""
    memories: dict[Tensor, Memory] = {}

    def memory(tensor: Tensor) -> Memory:
        if tensor not in memories:
            shape = (max(tensor.size, 1),)
            flat = Memory(
                tensor.name,
                ("address",),
                shape,
                source=tensor,
                dtype=tensor.dtype,
                quantisation=tensor.quantisation,
            )
            memories[tensor] = flat
        return memories[tensor]

    def read(node: Read) -> Expr:
        if isinstance(node.tensor, Memory):
            return node
        where = address(node.at, node.tensor.shape, layout(node.tensor))
        return Read(memory(node.tensor), (where,))

    units: dict[Index, Position] = {
        index: 0 for index in (*eq.indices, *bound(eq.value)) if index.size == 1
    }
    rewriter = Transform(on_reads(read), lambda at: substituted(at, units))
    at = tuple(rewriter.at(place) for place in eq.at)
    return Equation(
        memory(eq.target),
        (address(at, eq.target.shape, layout(eq.target)),),
        tuple(index for index in eq.indices if index.size > 1),
        rewriter(eq.value),
        eq.time,
    )


def bound(expr: Expr) -> list[Index]:
    """The indices that reductions in the expression run over."""
    return [index for node in walk(expr) if isinstance(node, Reduce) for index in node.over]
