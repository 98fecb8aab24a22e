"""Normalisation operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netsheet.equations import Equation, Expr, Index, Position, Tensor, call, equation, reduce
from netsheet.errors import UnsupportedError
from netsheet.layers.base import Along, broadcast
from netsheet.operators.base import Formula, OnnxNode, indices


def batch_normalization(node: OnnxNode) -> Formula:
    """``(x - mean) * scale / sqrt(variance + epsilon) + bias``, per channel."""
    if node.attr("training_mode", 0) or node.outputs > 1:
        raise UnsupportedError("BatchNormalization in training depends on the whole batch")
    x, gamma, beta, mean, variance = (node.input(n) for n in range(5))
    epsilon = float(node.attr("epsilon", 1e-5))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        factor = y.step("scale", ("channel",), gamma.shape)
        c, at = Index("c", gamma.shape[0]), indices(x.shape)
        channel = at[1] if len(at) > 1 else 0
        value = (x[at] - mean[channel]) * factor[channel] + beta[channel]
        return [
            equation(factor[c], gamma[c] / call("sqrt", variance[c] + epsilon)),
            equation(y[at], value),
        ]

    return Formula([x.shape], [node.dtype()], write)


def _standardised(
    x: Tensor, along: Along, mean: Tensor, variance: Tensor, epsilon: float
) -> tuple[list[Equation], Expr]:
    """Equations of mean and variance along some axes, and ``(x - mean) / sqrt(variance + e)``."""
    deviation = x[along.at] - mean[along.rest]
    return [
        equation(mean[along.rest], reduce("mean", along.over, x[along.at])),
        equation(variance[along.rest], reduce("mean", along.over, deviation * deviation)),
    ], deviation / call("sqrt", variance[along.rest] + epsilon)


def instance_normalization(node: OnnxNode) -> Formula:
    """Each channel of each sample by its own mean and variance."""
    x, gamma, beta = (node.input(n) for n in range(3))
    epsilon = float(node.attr("epsilon", 1e-5))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        along = Along(x, tuple(range(2, len(x.shape))), node.op)
        mean, variance = along.step(y, "mean"), along.step(y, "variance")
        before, result = _standardised(x, along, mean, variance, epsilon)
        c = along.at[1]
        return [*before, equation(y[along.at], result * gamma[c] + beta[c])]

    return Formula([x.shape], [node.dtype()], write)


def group_normalization(node: OnnxNode) -> Formula:
    """Groups of channels by their mean and variance; scale and bias per channel (version 21)."""
    x, gamma, beta = (node.input(n) for n in range(3))
    epsilon, groups = float(node.attr("epsilon", 1e-5)), int(node.attr("num_groups"))
    count, channels = x.shape[:2]
    size = channels // groups

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        n, g, c = Index("n", count), Index("g", groups), Index("c", size)
        space = indices(x.shape[2:], "yxzw")
        at: tuple[Position, ...] = (n, g * size + c, *space)
        mean, variance = (
            y.step(name, ("batch", "group"), (count, groups)) for name in ("mean", "variance")
        )
        deviation = x[at] - mean[n, g]
        own = g if gamma.shape[0] == groups and node.opset < 21 else g * size + c
        scaled = deviation / call("sqrt", variance[n, g] + epsilon) * gamma[own] + beta[own]
        return [
            equation(mean[n, g], reduce("mean", (c, *space), x[at])),
            equation(variance[n, g], reduce("mean", (c, *space), deviation * deviation)),
            equation(y[at], scaled),
        ]

    return Formula([x.shape], [node.dtype()], write)


def layer_normalization(node: OnnxNode) -> Formula:
    """The axes from ``axis`` on by their mean and variance, which are further outputs."""
    x, gamma = node.input(0), node.input(1)
    axis, epsilon = node.axis(-1, len(x.shape)), float(node.attr("epsilon", 1e-5))
    small = (*x.shape[:axis], *[1] * (len(x.shape) - axis))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        along = Along(x, tuple(range(axis, len(x.shape))), node.op)
        mean, variance = along.step(y, "mean"), along.step(y, "variance")
        result, value = _standardised(x, along, mean, variance, epsilon)
        value = value * broadcast(gamma, along.at)
        if node.has(2):
            value = value + broadcast(node.input(2), along.at)
        result.append(equation(y[along.at], value))
        inverse = 1 / call("sqrt", variance[along.rest] + epsilon)
        zeros = (0,) * len(along.over)
        for tensor, number in zip(outputs[1:], (mean[along.rest], inverse), strict=False):
            result.append(equation(tensor[(*along.rest, *zeros)], number))
        return result

    shapes = [x.shape, small, small][: node.outputs]
    return Formula(shapes, [node.dtype(), "float32", "float32"][: node.outputs], write)


def rms_normalization(node: OnnxNode) -> Formula:
    """The axes from ``axis`` on divided by the root of their mean square."""
    x, gamma = node.input(0), node.input(1)
    axis, epsilon = node.axis(-1, len(x.shape)), float(node.attr("epsilon", 1e-5))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        along = Along(x, tuple(range(axis, len(x.shape))), node.op)
        square = along.step(y, "mean_square")
        root = call("sqrt", square[along.rest] + epsilon)
        return [
            equation(square[along.rest], reduce("mean", along.over, x[along.at] * x[along.at])),
            equation(y[along.at], x[along.at] / root * broadcast(gamma, along.at)),
        ]

    return Formula([x.shape], [node.dtype()], write)


def mean_variance_normalization(node: OnnxNode) -> Formula:
    """``(x - mean) / sqrt(variance)`` along some axes."""
    x = node.input(0)
    axes = tuple(int(axis) for axis in node.attr("axes", (0, 2, 3)))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        along = Along(x, axes, node.op)
        mean, variance = along.step(y, "mean"), along.step(y, "variance")
        result, _ = _standardised(x, along, mean, variance, 0.0)
        deviation = x[along.at] - mean[along.rest]
        # the standard has 1e-9 beside the root, not below it
        root = call("sqrt", variance[along.rest]) + 1e-9
        return [*result, equation(y[along.at], deviation / root)]

    return Formula([x.shape], [node.dtype()], write)


def lp_normalization(node: OnnxNode) -> Formula:
    """Divided by the L1 or L2 norm along ``axis``; zeros stay zeros."""
    x, p = node.input(0), int(node.attr("p", 2))
    axis = node.axis(-1, len(x.shape))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        along = Along(x, axis, node.op)
        norm, source = along.step(y, "norm"), x[along.at]
        if p == 1:
            total = reduce("sum", along.over, call("abs", source))
        else:
            total = call("sqrt", reduce("sum", along.over, source * source))
        below = norm[along.rest]
        safe = call("if", below, source / below, 0)
        return [equation(norm[along.rest], total), equation(y[along.at], safe)]

    return Formula([x.shape], [node.dtype()], write)


ROWS: dict[str, Any] = {
    "BatchNormalization": batch_normalization,
    "InstanceNormalization": instance_normalization,
    "GroupNormalization": group_normalization,
    "LayerNormalization": layer_normalization,
    "RMSNormalization": rms_normalization,
    "MeanVarianceNormalization": mean_variance_normalization,
    "LpNormalization": lp_normalization,
}
