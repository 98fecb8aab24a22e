"""Normalisations and softmaxes as ONNX Runtime's optimiser and quantiser fuse them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from netsheet.equations import Equation, Expr, Tensor, call, equation, reduce
from netsheet.layers.base import broadcast
from netsheet.operators.base import Formula, OnnxNode, indices
from netsheet.operators.fitting import refused, stretched
from netsheet.operators.fused import quantised, real
from netsheet.operators.normalization import rms_normalization
from netsheet.operators.reduction import softmax


def _columns(node: OnnxNode, *numbers: int) -> None:
    """Refuses inputs that do not have one number for each column of the first."""
    for n in numbers:
        if node.has(n) and node.input(n).shape != node.input(0).shape[-1:]:
            raise refused(node, f"input {n} should be {node.input(0).shape[-1:]}")


def skip_layer_normalization(node: OnnxNode) -> Formula:
    """SkipLayerNormalization: the layer normalisation, over the last axis, of input + skip + bias.

    Inputs are input, skip, gamma, beta, bias. Outputs after the first are the mean, the inverse of
    the standard deviation, and the sum itself.
    """
    _columns(node, 2, 3, 4)
    x, epsilon = node.input(0), float(node.attr("epsilon", 1e-12))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y, at = outputs[0], indices(x.shape)
        added, result = _sum(node, outputs, 4)
        mean, variance = (y.step(n, x.axes[:-1], x.shape[:-1]) for n in ("mean", "variance"))
        off = added[at] - mean[at[:-1]]
        root = call("sqrt", variance[at[:-1]] + epsilon)
        value = off / root * node.input(2)[at[-1]]
        value = value + node.input(3)[at[-1]] if node.has(3) else value
        result += [
            equation(mean[at[:-1]], reduce("mean", at[-1:], added[at])),
            equation(variance[at[:-1]], reduce("mean", at[-1:], off * off)),
            equation(y[at], value),
        ]
        for tensor, number in zip(outputs[1:3], (mean[at[:-1]], 1 / root), strict=False):
            result.append(equation(tensor[(*at[:-1], 0)], number))
        return result

    return _with_sum(node, write)


def skip_rms_normalization(node: OnnxNode) -> Formula:
    """SkipSimplifiedLayerNormalization: input + skip + bias by the root of its mean square.

    Inputs are input, skip, gamma, bias; outputs as of SkipLayerNormalization, the mean being 0.
    """
    _columns(node, 2, 3)
    x, epsilon = node.input(0), float(node.attr("epsilon", 1e-12))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y, at = outputs[0], indices(x.shape)
        added, result = _sum(node, outputs, 3)
        square = y.step("mean_square", x.axes[:-1], x.shape[:-1])
        root = call("sqrt", square[at[:-1]] + epsilon)
        result += [
            equation(square[at[:-1]], reduce("mean", at[-1:], added[at] * added[at])),
            equation(y[at], added[at] / root * node.input(2)[at[-1]]),
        ]
        for tensor, number in zip(outputs[1:3], (square[at[:-1]] * 0, 1 / root), strict=False):
            result.append(equation(tensor[(*at[:-1], 0)], number))
        return result

    return _with_sum(node, write)


def _sum(node: OnnxNode, outputs: Sequence[Tensor], bias: int) -> tuple[Tensor, list[Equation]]:
    """The sum that is normalised, which is the fourth output where there is one."""
    x, at = node.input(0), indices(node.input(0).shape)
    added = outputs[3] if len(outputs) > 3 else outputs[0].like("sum")
    total: Expr = x[at] + broadcast(node.input(1), at)
    total = total + node.input(bias)[at[-1]] if node.has(bias) else total
    return added, [equation(added[at], total)]


def _with_sum(node: OnnxNode, write: Any) -> Formula:
    x = node.input(0)
    stretched(node, 1, x.shape)
    shapes = [x.shape, (*x.shape[:-1], 1), (*x.shape[:-1], 1), x.shape][: node.outputs]
    return Formula(shapes, ["float32"] * len(shapes), write)


def simplified_layer_normalization(node: OnnxNode) -> Formula:
    """SimplifiedLayerNormalization: RMSNormalization before ONNX had it.

    The second output is the inverse of the root of the mean square.
    """
    inner = rms_normalization(replace(node, op="RMSNormalization", outputs=1))
    x = node.input(0)
    axis, epsilon = node.axis(-1, len(x.shape)), float(node.attr("epsilon", 1e-5))
    stretched(node, 1, x.shape[axis:])

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        result = inner.write(outputs[:1])
        if len(outputs) > 1:
            at, rest = indices(x.shape), len(x.shape) - axis
            square = reduce("mean", at[axis:], x[at] * x[at])
            place = outputs[1][(*at[:axis], *[0] * rest)]
            result.append(equation(place, 1 / call("sqrt", square + epsilon)))
        return result

    shapes = [x.shape, (*x.shape[:axis], *[1] * (len(x.shape) - axis))][: node.outputs]
    return Formula(shapes, [node.dtype(), "float32"][: node.outputs], write)


def quantised_softmax(node: OnnxNode) -> Formula:
    """QLinearSoftmax; the attribute ``opset`` says which Softmax it stands for."""
    x, dtype = node.input(0), node.dtype(0)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y, at = outputs[0], indices(x.shape)
        number, share = y.like("real"), y.like("softmax")
        opset = int(node.attr("opset", 13))
        plain = softmax(log=False)(replace(node, op="Softmax", opset=opset, inputs=[number]))
        return [
            equation(number[at], real(node, x[at], 1)),
            *plain.write([share]),
            equation(y[at], quantised(node, share[at], 3, dtype)),
        ]

    return Formula([x.shape], [dtype], write)


ROWS: dict[str, Any] = {
    "SkipLayerNormalization": skip_layer_normalization,
    "SkipSimplifiedLayerNormalization": skip_rms_normalization,
    "SimplifiedLayerNormalization": simplified_layer_normalization,
    "QLinearSoftmax": quantised_softmax,
}
