"""Rules over the last two axes of a tensor: its diagonal, trace and bands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netsheet.equations import Expr, Index, Position, Tensor, call, reduce
from netsheet.errors import UnsupportedError
from netsheet.layers.base import constant
from netsheet.operators.base import Formula, OnnxNode, Rule, pointwise


def _over_matrices(rule: Callable[[OnnxNode, Tensor], Formula]) -> Rule:
    """The rule for tensors whose last two axes are not the batch."""

    def checked(node: OnnxNode) -> Formula:
        x = node.input(0)
        if len(x.shape) < 3:
            raise UnsupportedError("the batch is one of its matrix's axes")
        return rule(node, x)

    return checked


def _along(x: Tensor, offset: int) -> tuple[int, Callable[[Index], tuple[Position, Position]]]:
    """How long a diagonal is, and where its k-th value stands."""
    down, across = max(-offset, 0), max(offset, 0)
    length = min(x.shape[-2] - down, x.shape[-1] - across)
    if length < 1:
        raise UnsupportedError(f"it has no diagonal {offset}")
    return length, lambda k: (k + down, k + across)


def diagonal(offset: int) -> Rule:
    """``y[.., k] = x[.., k, k + offset]``."""

    def rule(node: OnnxNode, x: Tensor) -> Formula:
        length, place = _along(x, offset)

        def element(at: tuple[Index, ...]) -> Expr:
            return x[(*at[:-1], *place(at[-1]))]

        return pointwise((*x.shape[:-2], length), node.dtype(), element)

    return _over_matrices(rule)


def trace(offset: int) -> Rule:
    """``y[..] = sum(k) x[.., k, k + offset]``."""

    def rule(node: OnnxNode, x: Tensor) -> Formula:
        length, place = _along(x, offset)
        k = Index("k", length)
        return pointwise(
            x.shape[:-2], node.dtype(), lambda at: reduce("sum", (k,), x[(*at, *place(k))])
        )

    return _over_matrices(rule)


def band(lowest: int | None, highest: int | None) -> Rule:
    """``x[.., i, j]`` where ``lowest <= j - i <= highest``, and 0 elsewhere; None: no bound."""

    def rule(node: OnnxNode, x: Tensor) -> Formula:
        rows, columns = np.indices(x.shape[-2:])
        distance = columns - rows
        kept = np.ones(x.shape[-2:], bool)
        if lowest is not None:
            kept &= distance >= lowest
        if highest is not None:
            kept &= distance <= highest
        inside = constant("band", kept.astype(float))
        return pointwise(x.shape, node.dtype(), lambda at: call("if", inside[at[-2:]], x[at], 0))

    return _over_matrices(rule)
