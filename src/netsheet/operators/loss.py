"""Losses that are part of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Gather,
    Index,
    Tensor,
    affine,
    call,
    equation,
    reduce,
)
from netsheet.layers.activation import LogSoftmax
from netsheet.operators.base import Formula, OnnxNode, Shape, indices


def _places(node: OnnxNode, shape: Shape) -> tuple[tuple[Index, ...], Expr, Affine]:
    """Indices of the targets, whether each one counts, and the class that it names."""
    target = node.input(1)
    at = indices(target.shape)
    ignored = node.attr("ignore_index")
    label: Expr = target[at]
    counts: Expr = (
        call("not", call("equal", label, float(ignored)))
        if ignored is not None
        else (call("equal", label, label))
    )
    held = call("max", 0, call("min", label, shape[1] - 1))
    return at, counts, affine(Gather(held, shape[1]))


def _losses(
    node: OnnxNode, scores: Tensor, y: Tensor, names: tuple[str, str] = ("each", "weight")
) -> list[Equation]:
    """Minus the score of each target's class, weighted, and reduced as the node says."""
    at, counts, label = _places(node, scores.shape)
    kind = node.attr("reduction", "mean")
    lengths = tuple(index.size for index in at)
    axes = tuple(f"axis{n}" for n in range(len(at)))
    each = y if kind == "none" else y.step(names[0], axes, lengths)
    weight = y.step(names[1], axes, lengths)
    own = node.input(2)[label] if node.has(2) else 1
    source = scores[(at[0], label, *at[1:])]
    result = [
        equation(weight[at], call("if", counts, own, 0)),
        equation(each[at], call("if", counts, -source * weight[at], 0)),
    ]
    if kind == "sum":
        result.append(equation(y[()], reduce("sum", at, each[at])))
    elif kind == "mean":
        every = indices(lengths, "stuvwxyz")
        below = reduce("sum", every, weight[every])
        result.append(equation(y[()], reduce("sum", at, each[at]) / below))
    return result


def negative_log_likelihood(node: OnnxNode) -> Formula:
    """Of scores that are logarithms of probabilities."""
    scores, target = node.input(0), node.input(1)
    shape = target.shape if node.attr("reduction", "mean") == "none" else ()
    return Formula([shape], [node.dtype()], lambda out: _losses(node, scores, out[0]))


def softmax_cross_entropy(node: OnnxNode) -> Formula:
    """Of any scores; the second output is the logarithm of their softmax."""
    scores, target = node.input(0), node.input(1)
    shape = target.shape if node.attr("reduction", "mean") == "none" else ()

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        logarithm = (
            outputs[1]
            if len(outputs) > 1
            else outputs[0].step("log_softmax", scores.axes, scores.shape)
        )
        layer = LogSoftmax(name=node.op, axis=1)
        return [*layer.equations([scores], [logarithm]), *_losses(node, logarithm, outputs[0])]

    shapes = [shape, scores.shape][: node.outputs]
    return Formula(shapes, [node.dtype()] * len(shapes), write)


ROWS: dict[str, Any] = {
    "NegativeLogLikelihoodLoss": negative_log_likelihood,
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy,
}
