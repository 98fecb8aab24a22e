"""Metrics as Keras computes them over all samples, in NumPy.

Source of the formulas: keras/src/metrics/ (accuracy, regression, F-score and IoU metrics).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from netsheet.engine.compiled import stored_name
from netsheet.engine.confusion import CONFUSION, per_sample
from netsheet.engine.losses import (
    KERAS_2,
    NamedLoss,
    Options,
    Predicted,
    aligned,
    along_last,
    loss_named,
    one_hot,
    plain,
    unit,
)
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UnsupportedError

Value = float | list[float]
# Targets, a prediction and the samples' weights (or None) -> one number, or one for each class.
Function = Callable[[FloatArray, Predicted, FloatArray | None], Value]
# Targets and a prediction -> numbers whose mean is the metric
Mean = Callable[[FloatArray, Predicted], FloatArray]


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric under the name that Keras prints; ``weighted``: it heeds the samples' weights.

    ``mean``: it is a mean over samples, to which Keras 3 applies masks, as to no others.
    """

    name: str
    function: Function
    mean: bool
    weighted: bool = False


def weighted_mean(values: FloatArray, weights: FloatArray | None) -> float:
    """The mean; with weights for samples or steps, that of what they weigh."""
    if weights is None:
        return float(values.mean())
    if values.ndim == weights.ndim + 1 and values.shape[-1] == 1:
        values = values[..., 0]
    elif weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if values.ndim > weights.ndim:
        values = values.mean(tuple(range(weights.ndim, values.ndim)))
    weights = np.broadcast_to(per_sample(weights, values.ndim), values.shape)
    total = float(weights.sum())
    return float((values * weights).sum() / total) if total else 0.0


# ------------------------------------------------------------------ means over samples


def _binary_accuracy(o: Options) -> Mean:
    threshold = np.float32(o.get("threshold", 0.5))

    def each(y: FloatArray, p: Predicted) -> FloatArray:
        y, p = aligned(y, p)
        return np.asarray((p.values > threshold) == y, float)

    return each


def labels_of(y: FloatArray, p: Predicted) -> FloatArray:
    """The classes of the targets, one for each row of the prediction."""
    shape = p.values.shape
    if y.shape == shape and p.classes > 1:
        return np.asarray(y.argmax(-1))
    if y.size != p.values.size // p.classes:
        raise NetsheetError(f"targets of {y.shape} are no classes of outputs of {shape}")
    return y.reshape(shape[:-1])


def _categorical_accuracy(o: Options) -> Mean:
    return lambda y, p: np.asarray(_of_rows(y, p) == p.values.argmax(-1), float)


def _sparse_accuracy(o: Options) -> Mean:
    return lambda y, p: np.asarray(labels_of(y, p) == p.values.argmax(-1), float)


def _of_rows(y: FloatArray, p: Predicted) -> FloatArray:
    """The classes of rows with a one; of rows of one value all are the only class."""
    return labels_of(y * 0 if p.classes == 1 else y, p)


def _top_k(classes: Callable[[FloatArray, Predicted], FloatArray], o: Options) -> Mean:
    k = int(o.get("k", 5))

    def each(y: FloatArray, p: Predicted) -> FloatArray:
        labels = classes(y, p).astype(int)
        known = (labels >= 0) & (labels < p.classes)
        own = np.take_along_axis(p.values, np.where(known, labels, 0)[..., None], -1)
        return np.asarray(((p.values > own).sum(-1) < k) & known, float)

    return each


def _equal(o: Options) -> Mean:
    return lambda y, p: np.asarray(np.equal(*_both(y, p)), float)


def _cosine(o: Options) -> Mean:
    def each(y: FloatArray, p: Predicted) -> FloatArray:
        y, values = _both(y, p)
        return np.asarray((unit(y) * unit(values)).sum(-1))

    return each


def _centred(values: FloatArray) -> FloatArray:
    return np.asarray(values - values.mean(-1, keepdims=True))


def _pearson(o: Options) -> Mean:
    """The correlation of each row; not a number where a row is all the same, as in Keras."""

    def each(y: FloatArray, p: Predicted) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = [one / one.std(-1, keepdims=True) for one in map(_centred, _both(y, p))]
        return np.asarray((apart[0] * apart[1]).mean(-1))

    return each


def _concordance(o: Options) -> Mean:
    """As Keras has it, where both factors are taken from the mean of the outputs."""

    def each(y: FloatArray, p: Predicted) -> FloatArray:
        y, values = _both(y, p)
        mean = values.mean(-1, keepdims=True)
        apart = y.mean(-1, keepdims=True) - mean
        norm = y.var(-1, keepdims=True) + values.var(-1, keepdims=True) + apart**2
        return np.asarray((2 * (y - mean) * (values - mean) / (norm + 1e-7)).mean(-1))

    return each


def _both(y: FloatArray, p: Predicted) -> tuple[FloatArray, FloatArray]:
    """Targets and outputs of one shape."""
    if y.shape != p.values.shape and y.size == p.values.size // p.classes and p.classes > 1:
        y = one_hot(y.reshape(p.values.shape[:-1]), p.classes)
    y, p = aligned(y, p)
    if y.shape != p.values.shape:
        raise NetsheetError(f"targets of {y.shape} do not fit outputs of {p.values.shape}")
    return y, p.values.astype(float)


_MEANS: dict[str, Callable[[Options], Mean]] = {
    "binaryaccuracy": _binary_accuracy,
    "categoricalaccuracy": _categorical_accuracy,
    "sparsecategoricalaccuracy": _sparse_accuracy,
    "topkcategoricalaccuracy": partial(_top_k, _of_rows),
    "sparsetopkcategoricalaccuracy": partial(_top_k, labels_of),
    "accuracy": _equal,  # the class Accuracy; the word "accuracy" chooses one of the others
    "cosinesimilarity": _cosine,
    "cosineproximity": _cosine,
    "pearsoncorrelation": _pearson,
    "concordancecorrelation": _concordance,
}


# ------------------------------------------------------------------ others


def _root_mean_squared(o: Options) -> Function:
    def whole(y: FloatArray, p: Predicted, weights: FloatArray | None) -> Value:
        y, values = _both(y, p)
        return float(np.sqrt(weighted_mean((values - y) ** 2, weights)))

    return whole


def _r2(o: Options) -> Function:
    how = o.get("class_aggregation", "uniform_average")
    if o.get("num_regressors"):
        raise UnsupportedError("an adjusted R2 score is not computed")

    def whole(y: FloatArray, p: Predicted, weights: FloatArray | None) -> Value:
        y, values = _both(y, p)
        w = np.ones((len(y), 1)) if weights is None else weights.reshape(-1, 1)
        total = (w * y * y).sum(0) - (w * y).sum(0) ** 2 / w.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            score = 1 - (w * (y - values) ** 2).sum(0) / total
        score = np.where(np.isinf(score), 0.0, score)
        if how == "uniform_average":
            return float(score.mean())
        if how == "variance_weighted_average":
            return float((total * score).sum() / total.sum())
        return [float(one) for one in score]

    return whole


def _f_score(o: Options) -> Function:
    beta, average, threshold = float(o.get("beta", 1.0)), o.get("average"), o.get("threshold")
    tiny = 1e-7

    def whole(y: FloatArray, p: Predicted, weights: FloatArray | None) -> Value:
        y, values = _both(y, p)
        if threshold is None:
            hit = (values >= values.max(-1, keepdims=True)) & (np.abs(values) > 1e-9)
        else:
            hit = values > threshold
        w = 1.0 if weights is None else weights.reshape(-1, 1)
        axis = None if average == "micro" else 0
        both, only_p, only_y = ((w * one).sum(axis) for one in (
            hit * y, hit * (1 - y), ~hit * y))  # fmt: skip
        precision, recall = both / (both + only_p + tiny), both / (both + only_y + tiny)
        score = precision * recall * (1 + beta**2) / (beta**2 * precision + recall + tiny)
        if average == "weighted":
            share = (w * y).sum(0) / ((w * y).sum() + tiny)
            return float((score * share).sum())
        return [float(one) for one in score] if average is None else float(np.mean(score))

    return whole


def _iou(kind: str, o: Options) -> Function:
    """Intersection over union of the classes, from the matrix of true and predicted ones."""
    binary, rows = kind == "binaryiou", kind.startswith("onehot")
    count = 2 if binary else int(o.get("num_classes", 2))
    wanted = o.get("target_class_ids")
    wanted = (list(range(count)) if "mean" in kind else [0, 1]) if wanted is None else wanted
    sparse_y = bool(o.get("sparse_y_true", not rows))
    sparse_p = bool(o.get("sparse_y_pred", not rows)) or binary
    ignored = o.get("ignore_class")
    # Keras 3 counts in whole numbers unless told otherwise, and cuts weights off to such.
    whole_weights = not o.get(KERAS_2) and "float" not in str(o.get("dtype"))

    def whole(y: FloatArray, p: Predicted, weights: FloatArray | None) -> Value:
        values = (p.values >= np.float32(o.get("threshold", 0.5))) if binary else p.values
        true = (y if sparse_y else y.argmax(-1)).reshape(-1).astype(int)
        found = (values if sparse_p else values.argmax(-1)).reshape(-1).astype(int)
        w = np.ones(len(true)) if weights is None else np.asarray(weights, float).reshape(-1)
        w = np.trunc(w) if whole_weights else w
        kept = true != ignored if ignored is not None else np.ones(len(true), bool)
        matrix = np.zeros((count, count))
        np.add.at(matrix, (true[kept], found[kept]), w[kept])
        both = np.diag(matrix)[wanted]
        either = (matrix.sum(0) + matrix.sum(1) - np.diag(matrix))[wanted]
        valid = either > 1e-9
        return float((both[valid] / either[valid]).mean()) if valid.any() else 0.0

    return whole


_OTHERS: dict[str, Callable[[Options], Function]] = {
    "rootmeansquarederror": _root_mean_squared,
    "r2score": _r2,
    "f1score": _f_score,
    "fbetascore": _f_score,
    **{
        kind: partial(_iou, kind)
        for kind in ("iou", "meaniou", "binaryiou", "onehotiou", "onehotmeaniou")
    },
    **CONFUSION,
}  # fmt: skip


def metric_named(
    stored: Any, y: FloatArray, p: Predicted, weighted: bool = False, major: int = 3
) -> Metric:
    """A metric as a training configuration stores it; ``accuracy`` is chosen by the shapes.

    Raises:
        UnsupportedError: it is none that is known.
    """
    name, options = stored_name(stored)
    options = dict(options, **{KERAS_2: major < 3})
    along_last(options, p.values.ndim)
    shown = str(options.get("name") or name)
    kind = plain(name)
    if isinstance(stored, str) and kind in ("accuracy", "acc"):
        kind = "binaryaccuracy" if p.classes == 1 else "categoricalaccuracy"
    if kind in _MEANS:
        return Metric(shown, _averaged(_MEANS[kind](options)), True, weighted)
    if kind in _OTHERS:
        return Metric(shown, _OTHERS[kind](options), False, weighted)
    if plain(name) in ("crossentropy", "ce"):
        name = _crossentropy(y, p)
    try:
        stored = {"class_name": name, "config": dict(options, fn=None)}
        loss: NamedLoss = loss_named(stored, major, p.values.ndim)
    except UnsupportedError:
        raise UnsupportedError(f"the metric {name[:60]!r} is not known") from None
    return Metric(shown, _averaged(loss), True, weighted)


def _crossentropy(y: FloatArray, p: Predicted) -> str:
    if p.classes == 1:
        return "binary_crossentropy"
    sparse = y.ndim < p.values.ndim or y.shape[-1] == 1
    return "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"


def _averaged(each: Mean) -> Function:
    return lambda y, p, weights: weighted_mean(np.asarray(each(y, p), float), weights)


def plain_accuracy(y: FloatArray, p: Predicted) -> float | None:
    """The share of right answers; None where the targets are no classes.

    One output: rounded at 0.5. Several outputs with a one-hot or integer target: the largest.
    """
    if p.values.ndim < 2 or np.isnan(y).any():
        return None
    if p.classes == 1:
        return _binary_accuracy({})(y, p).mean() if np.isin(y, (0, 1)).all() else None
    if y.shape == p.values.shape:
        if not (np.isin(y, (0, 1)).all() and (y.sum(-1) == 1).all()):
            return None
    elif y.size != p.values.size // p.classes or not (y == np.round(y)).all():
        return None
    return float(_categorical_accuracy({})(y, p).mean())
