"""Operations that scale values by what lies around them, as rules over whole tensors.

Sources: tensorflow/python/ops/image_ops_impl.py, nn_ops.py (local_response_normalization).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from netsheet.equations import (
    Equation,
    Expr,
    Guard,
    Index,
    Tensor,
    call,
    equation,
    indices_of,
    reduce,
)
from netsheet.layers.base import Along
from netsheet.operators.base import Formula, OnnxNode, Rule


def local_response(radius: int, bias: float, alpha: float, beta: float) -> Rule:
    """``x / (bias + alpha * sum(near) x^2) ** beta`` over the channels within ``radius``."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            y = outputs[0]
            square, (*rest, c), j = y.like("square_sum"), indices_of(y), Index("j", 2 * radius + 1)
            near = c + j - radius
            source = x[(*rest, near)]
            total = reduce("sum", (j,), source * source, [Guard(near, 0, c.size)])
            at = (*rest, c)
            below = call("pow", square[at] * alpha + bias, beta)
            return [equation(square[at], total), equation(y[at], x[at] / below)]

        return Formula([x.shape], [node.dtype()], write)

    return rule


def standardized(axes: Sequence[int]) -> Rule:
    """``(x - mean) / max(deviation, 1 / sqrt(count))`` over axes, as tf.image does."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        along = Along(x, axes, "standardized")

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            y = outputs[0]
            mean, spread = along.step(y, "mean"), along.step(y, "deviation")
            gap = x[along.at] - mean[along.rest]
            least = math.prod(index.size for index in along.over) ** -0.5
            deviation = call("sqrt", reduce("mean", along.over, gap * gap))
            return [
                equation(mean[along.rest], reduce("mean", along.over, x[along.at])),
                equation(spread[along.rest], call("max", deviation, least)),
                equation(y[along.at], gap / spread[along.rest]),
            ]

        return Formula([x.shape], [node.dtype()], write)

    return rule


def spread(axes: Sequence[int], factor: float) -> Rule:
    """``(x - mean) * factor + mean`` over axes."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        along = Along(x, axes, "contrast")

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            mean = along.step(outputs[0], "mean")
            middle = mean[along.rest]
            return [
                equation(middle, reduce("mean", along.over, x[along.at])),
                equation(outputs[0][along.at], (x[along.at] - middle) * factor + middle),
            ]

        return Formula([x.shape], [node.dtype()], write)

    return rule


def by_norm(axes: Sequence[int], after: Callable[[Expr, Expr], Expr]) -> Rule:
    """``after(x, norm)`` with the Euclidean norm over axes (counted without the batch)."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        along = Along(x, [axis + 1 if axis >= 0 else axis for axis in axes], "norm")

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            norm = along.step(outputs[0], "norm")
            total = reduce("sum", along.over, x[along.at] * x[along.at])
            return [
                equation(norm[along.rest], call("sqrt", total)),
                equation(outputs[0][along.at], after(x[along.at], norm[along.rest])),
            ]

        return Formula([x.shape], [node.dtype()], write)

    return rule
