"""What follows a sum of products: factors and terms by channel, an addend, an activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsheet.equations import (
    Call,
    Const,
    Equation,
    Expr,
    FloatArray,
    Index,
    Read,
    Reduce,
    Tensor,
    Weight,
    affine,
    children,
    free_indices,
    in_order,
    reads,
    replaced,
    substitute,
    walk,
)
from netsheet.loops.passes.fold_constants import constant_values
from netsheet.loops.storage.addresses import Layout, flattened


def constant(expr: Expr) -> bool:
    """True for a value of weights alone."""
    return all(isinstance(node.tensor, Weight) for node in reads(expr))


@dataclass
class _Scaled:
    """``scale * sum + bias (+ added)``; scale and bias by channel."""

    scale: FloatArray
    bias: FloatArray
    added: Read | None = None


def ending(
    eq: Equation, total: Reduce, outer: Sequence[Index], layout: Layout
) -> tuple[FloatArray, FloatArray, Tensor | None, Expr | None] | None:
    """What happens to the sum: factors and terms by channel, an addend, and the rest."""
    shape = [index.size for index in outer]
    own = Read(eq.target, eq.at)
    above = containing(eq.value, total)

    def linear(node: Expr) -> _Scaled | None:
        if node is total:
            return _Scaled(np.ones(shape), np.zeros(shape))
        if not isinstance(node, Call) or node.function not in ("add", "sub", "mul", "div", "neg"):
            return None
        inside = [n for n, arg in enumerate(node.args) if id(arg) in above]
        if len(inside) != 1:
            return None
        at = inside[0]
        part = linear(node.args[at])
        if part is None:
            return None
        if node.function == "neg":
            return _Scaled(-part.scale, -part.bias) if part.added is None else None
        return _with(part, node.function, at, node.args[1 - at], outer, eq, layout)

    # the largest part that is all there is of the sum: an activation may read it several times
    for node in [node for node in walk(eq.value) if id(node) in above]:
        part = linear(node)
        if part is None:
            continue
        epilogue = replaced(eq.value, node, own)
        if any(not isinstance(n, (Call, Read, Const)) for n in walk(epilogue)):
            continue  # there is more of the sum, or what may not stand behind it
        added = part.added.tensor if part.added is not None else None
        return part.scale, part.bias, added, None if epilogue is own else epilogue
    return None


def containing(expr: Expr, part: Expr) -> set[int]:
    """The ids of ``part`` and of all nodes of the expression above it."""
    found = {id(part)}
    for node in reversed(in_order(expr)):
        if any(id(child) in found for child in children(node)):
            found.add(id(node))
    return found


def _with(
    part: _Scaled, function: str, at: int, other: Expr, outer: Sequence[Index], eq: Equation,
    layout: Layout,
) -> _Scaled | None:  # fmt: skip
    """The sum after one more operation, if that keeps its form."""
    if constant(other) and all(i in outer or i.size == 1 for i in free_indices(other)):
        values = constant_values(without_units(other), outer)
        if function == "add":
            return replace(part, bias=part.bias + values)
        if function == "sub" and at == 0:
            return replace(part, bias=part.bias - values)
        if part.added is not None:
            return None
        if function == "sub":
            return _Scaled(-part.scale, values - part.bias)
        if function == "mul":
            return _Scaled(part.scale * values, part.bias * values)
        if function == "div" and at == 0:
            return _Scaled(part.scale / values, part.bias / values)
        return None
    if function == "add" and part.added is None and isinstance(other, Read):
        low = flattened(replace(eq, value=other), layout)
        assert isinstance(low.value, Read)
        if low.value.at[0] == low.at[0] and other.tensor.size == eq.target.size:
            return replace(part, added=other)
    return None


def without_units(expr: Expr) -> Expr:
    """The value with every index that has one value at 0."""
    return substitute(expr, {i: affine(0) for i in free_indices(expr) if i.size == 1})
