"""Bound depth: an expression of many levels (an addition of 300 tensors) becomes several equations.

Every pass and printer behind walks expressions level by level; none has to fear a deep one.
"""

from __future__ import annotations

from dataclasses import replace

from netsheet.equations import (
    FLOAT,
    Call,
    Equation,
    Expr,
    Read,
    Tensor,
    Transform,
    affine,
    children,
    dtype_of,
    free_indices,
    reads,
)

MOST_LEVELS = 64


def bounded(eq: Equation) -> list[Equation]:
    """The equation, behind others that compute the lower levels of its value."""
    levels: dict[int, int] = {}
    before: list[Equation] = []
    kept: list[Expr] = []  # so that an id stays its own

    def rule(node: Expr) -> Expr | None:
        level = 1 + max((levels.get(id(child), 0) for child in children(node)), default=0)
        kept.append(node)
        if level > MOST_LEVELS and isinstance(node, Call) and _anywhere(node, eq):
            axes = tuple(f"axis{n}" for n in range(len(eq.indices)))
            shape = tuple(index.size for index in eq.indices)
            dtype = dtype_of(node) or FLOAT
            name = f"{eq.target.name}/part{len(before)}"
            part = Tensor(name, axes, shape, dtype=dtype)
            at = tuple(affine(index) for index in eq.indices)
            before.append(Equation(part, at, eq.indices, node, eq.time))
            node, level = Read(part, at), 1
            kept.append(node)
            levels[id(node)] = level
            return node
        levels[id(node)] = level
        return None

    value = Transform(rule)(eq.value)
    return [*before, replace(eq, value=value)] if before else [eq]


def _anywhere(node: Expr, eq: Equation) -> bool:
    """True if the value exists for all indices of the equation, whatever guards are around it."""
    return set(free_indices(node)) <= set(eq.indices) and all(
        at.bounds()[0] >= 0 and at.bounds()[1] < size
        for read in reads(node)
        for at, size in zip(read.at, read.tensor.shape, strict=True)
    )
