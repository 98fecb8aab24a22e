"""Operators of ``ai.onnx.ml`` that classical learning exports: scaling, linear models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netsheet.equations import (
    Equation,
    Expr,
    Gather,
    Index,
    Number,
    Tensor,
    affine,
    call,
    equation,
    reduce,
)
from netsheet.errors import UnsupportedError
from netsheet.layers.base import Along, constant
from netsheet.operators.base import Formula, OnnxNode, indices, pointwise


def _rows(node: OnnxNode) -> tuple[Tensor, int]:
    """The input and the number of its features."""
    x = node.input(0)
    if len(x.shape) != 2:
        raise UnsupportedError(f"{node.op} of {x.shape}: one row for each sample is computed")
    return x, x.shape[1]


def _feature(node: OnnxNode, name: str, default: float, count: int) -> Tensor:
    """An attribute with a number for each feature, or with one for all of them."""
    given = [float(n) for n in node.attr(name) or [default]]
    if len(given) not in (1, count):
        raise UnsupportedError(f"{node.op}: {name} has {len(given)} numbers for {count} features")
    return constant(name, np.array(given * count if len(given) == 1 else given))


def scaler(node: OnnxNode) -> Formula:
    """``(x - offset) * scale``, for each feature."""
    x, count = _rows(node)
    offset, scale = _feature(node, "offset", 0, count), _feature(node, "scale", 1, count)
    return pointwise(x.shape, "float32", lambda at: (x[at] - offset[at[1]]) * scale[at[1]])


def normalizer(node: OnnxNode) -> Formula:
    """Each row divided by its largest element, its sum of magnitudes or its length."""
    x, _ = _rows(node)
    kind = node.attr("norm", "MAX")

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        along = Along(x, 1, node.op)
        norm, source = along.step(y, "norm"), x[along.at]
        totals = {
            "MAX": lambda: reduce("max", along.over, source),
            "L1": lambda: reduce("sum", along.over, call("abs", source)),
            "L2": lambda: call("sqrt", reduce("sum", along.over, source * source)),
        }
        below = norm[along.rest]
        value = call("if", below, source / below, source)
        return [equation(norm[along.rest], totals[kind]()), equation(y[along.at], value)]

    if kind not in ("MAX", "L1", "L2"):
        raise UnsupportedError(f"Normalizer with the norm {kind!r} is not computed")
    return Formula([x.shape], ["float32"], write)


def imputer(node: OnnxNode) -> Formula:
    """Missing values (NaN, or a number that stands for them) replaced, for each feature."""
    x, count = _rows(node)
    whole = node.attr("imputed_value_int64s") is not None
    name = "imputed_value_int64s" if whole else "imputed_value_floats"
    filling = _feature(node, name, 0, count)
    mark = float(node.attr("replaced_value_int64" if whole else "replaced_value_float", 0.0))

    def element(at: tuple[Index, ...]) -> Expr:
        read = x[at]
        gone = call("isnan", read) if math.isnan(mark) else call("equal", read, mark)
        return call("if", gone, filling[at[1]], read)

    return pointwise(x.shape, node.dtype(), element)


def _linear(node: OnnxNode, count: int) -> tuple[Tensor, Tensor, int]:
    """Coefficients (one row for each score), intercepts and the number of scores."""
    numbers = np.array(node.attr("coefficients"), float)
    scores = len(numbers) // max(count, 1)
    if not scores or scores * count != len(numbers):
        raise UnsupportedError(f"{node.op}: {len(numbers)} coefficients for {count} features")
    shifts = np.array(node.attr("intercepts") or [0.0] * scores, float)
    if len(shifts) != scores:
        raise UnsupportedError(f"{node.op}: {len(shifts)} intercepts for {scores} scores")
    matrix = constant("coefficients", numbers.reshape(scores, count))
    return matrix, constant("intercepts", shifts), scores


def _transformed(node: OnnxNode, scores: Tensor, y: Tensor) -> list[Equation]:
    """What ``post_transform`` makes of the scores."""
    kind = node.attr("post_transform", "NONE")
    at = indices(scores.shape)
    if kind == "NONE":
        return [equation(y[at], scores[at])]
    if kind == "LOGISTIC":
        return [equation(y[at], call("sigmoid", scores[at]))]
    along = Along(scores, 1, node.op)
    most, total, power = along.step(y, "max"), along.step(y, "sum"), y.like("exp")
    return [
        equation(most[along.rest], reduce("max", along.over, scores[along.at])),
        equation(power[along.at], call("exp", scores[along.at] - most[along.rest])),
        equation(total[along.rest], reduce("sum", along.over, power[along.at])),
        equation(y[along.at], power[along.at] / total[along.rest]),
    ]


def _check_transform(node: OnnxNode) -> None:
    kind = node.attr("post_transform", "NONE")
    if kind not in ("NONE", "LOGISTIC", "SOFTMAX"):
        raise UnsupportedError(f"{node.op} with the post_transform {kind!r} is not computed")


def _scored(x: Tensor, to: Tensor, matrix: Tensor, shifts: Tensor) -> Equation:
    n, c = indices(to.shape)
    i = Index("i", x.shape[1])
    return equation(to[n, c], reduce("sum", (i,), x[n, i] * matrix[c, i]) + shifts[c])


def linear_regressor(node: OnnxNode) -> Formula:
    """A linear function, or one for each target."""
    x, count = _rows(node)
    _check_transform(node)
    matrix, shifts, targets = _linear(node, count)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        scores = y.like("pre")
        return [_scored(x, scores, matrix, shifts), *_transformed(node, scores, y)]

    return Formula([(x.shape[0], targets)], ["float32"], write)


def class_labels(node: OnnxNode) -> tuple[list[int], bool]:
    """The classes as numbers, and whether they are texts (then their places stand for them)."""
    texts = node.attr("classlabels_strings") or []
    numbers = [int(n) for n in node.attr("classlabels_ints") or []]
    return (list(range(len(texts))), True) if texts else (numbers, False)


def linear_classifier(node: OnnxNode) -> Formula:
    """The class of the largest linear score, and the scores after ``post_transform``.

    With one row of coefficients for two classes, the score of the first is one less the other's.
    Classes that are texts are numbered in their order.
    """
    x, count = _rows(node)
    _check_transform(node)
    matrix, shifts, rows = _linear(node, count)
    labels, _ = class_labels(node)
    pair = rows == 1 and len(labels) == 2
    if len(labels) != rows and not pair:
        raise UnsupportedError(f"{node.op}: {rows} rows of coefficients for {len(labels)} classes")
    if pair and node.attr("post_transform", "NONE") == "SOFTMAX":
        raise UnsupportedError(f"{node.op}: a softmax of one score is not computed")
    names = constant("classes", np.array(labels, float))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        label = outputs[0]
        shape = (x.shape[0], len(labels))
        y = outputs[1] if len(outputs) > 1 else label.step("scores", ("batch", "class"), shape)
        raw = y.step("raw", ("batch", "score"), (x.shape[0], rows))
        result = [_scored(x, raw, matrix, shifts)]
        n = Index("n", x.shape[0])
        if pair:
            place: Expr = call("less", 0, raw[n, 0])
            both = y.step("both", ("batch", "class"), shape)
            logistic = node.attr("post_transform", "NONE") == "LOGISTIC"
            second = call("sigmoid", raw[n, 0]) if logistic else raw[n, 0]
            result += [equation(both[n, 0], 1 - second), equation(both[n, 1], second)]
            at = indices(shape)
            result.append(equation(y[at], both[at]))
        else:
            best = y.step("best", ("batch",), (x.shape[0],))
            c = Index("c", rows)
            result.append(equation(best[n], reduce("max", (c,), raw[n, c])))
            hit = call("equal", raw[n, c], best[n])
            place = reduce("min", (c,), call("if", hit, Number(affine(c)), rows))
            result += _transformed(node, raw, y)
        where = affine(Gather(place, len(labels)))
        result.append(equation(label[n], names[where]))
        return result

    shapes = [(x.shape[0],), (x.shape[0], len(labels))][: node.outputs]
    return Formula(shapes, ["int64", "float32"][: node.outputs], write)


ROWS: dict[str, Any] = {
    "Scaler": scaler,
    "Normalizer": normalizer,
    "Imputer": imputer,
    "LinearRegressor": linear_regressor,
    "LinearClassifier": linear_classifier,
}
