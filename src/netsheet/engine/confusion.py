"""Metrics of a confusion matrix: precision, recall, the area under a curve and their kin.

Source of the formulas: keras/src/metrics/confusion_metrics.py and metrics_utils.py; the area under
the precision-recall curve interpolates as Davis and Goadrich (2006).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsheet.engine.losses import Options, Predicted, aligned
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UnsupportedError

Value = float | list[float]
Function = Callable[[FloatArray, Predicted, FloatArray | None], Value]
EPSILON = 1e-7


@dataclass(frozen=True, eq=False)
class Counts:
    """True and false positives and negatives, for each threshold (and label)."""

    tp: FloatArray
    fp: FloatArray
    tn: FloatArray
    fn: FloatArray

    @property
    def precision(self) -> FloatArray:
        """Of those found, the share that is true."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> FloatArray:
        """Of those that are true, the share found; also called sensitivity."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> FloatArray:
        """Of those that are false, the share left out."""
        return _ratio(self.tn, self.tn + self.fp)


def _ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.divide(a, b, out=np.zeros_like(a, float), where=b != 0))


def per_sample(weights: FloatArray, rank: int) -> FloatArray:
    """Weights with axes of size 1 behind, to stand beside values of that many axes."""
    if weights.ndim > rank and weights.shape[-1] == 1:
        weights = weights[..., 0]
    return weights.reshape(*weights.shape, *[1] * (rank - weights.ndim))


def _counts(
    y: FloatArray, p: FloatArray, thresholds: FloatArray, weights: FloatArray | None, even: bool
) -> Counts:
    """Counts over the first axis of flat (or, with labels, two-dimensional) values."""
    w = np.ones(p.shape) if weights is None else np.broadcast_to(
        per_sample(weights, p.ndim), p.shape)  # fmt: skip
    if y.shape != p.shape:
        raise NetsheetError(f"targets of {y.shape} do not fit outputs of {p.shape}")
    positive = np.where(y.astype(bool), w, 0.0).reshape(-1)
    negative = np.where(y.astype(bool), 0.0, w).reshape(-1)
    values = p.astype(np.float32).reshape(-1)
    if even:  # Keras sorts into buckets of equal width, in float32
        steps = np.float32(len(thresholds) - 1)
        place = np.ceil(np.clip(values, 0, 1) * steps).astype(int) - 1
        place = np.maximum(place, 0 if thresholds[0] < 0 else -1)
    else:
        order = np.sort(thresholds.astype(np.float32))
        place = np.searchsorted(order, values, side="left") - 1
    sums = [
        np.bincount(place + 1, one, len(thresholds) + 1)[::-1].cumsum()[::-1][1:]
        for one in (positive, negative)
    ]
    if not even:  # back into the order in which the thresholds were given
        back = np.argsort(np.argsort(thresholds, kind="stable"), kind="stable")
        sums = [one[back] for one in sums]
    tp, fp = sums
    return Counts(tp, fp, negative.sum() - fp, positive.sum() - tp)


def _even(thresholds: FloatArray) -> bool:
    if len(thresholds) < 3:
        return False
    return bool(np.allclose(thresholds, np.linspace(0, 1, len(thresholds)), atol=EPSILON))


def _one_hot(y: FloatArray, values: FloatArray) -> FloatArray:
    """Classes by their numbers as the rows that an output for each class is compared with."""
    classes = values.shape[-1]
    if y.shape == values.shape or classes < 2 or y.size * classes != values.size:
        return y
    numbers = y.reshape(values.shape[:-1])
    found: FloatArray = (numbers[..., None] == np.arange(classes)).astype(float)
    return found


def _selected(y: FloatArray, p: Predicted, o: Options) -> tuple[FloatArray, FloatArray]:
    """Targets and outputs of the class and of the largest outputs that are asked for."""
    y, p = aligned(y, p)
    values = np.asarray(p.values, np.float32)
    y = _one_hot(y, values)
    k, number = o.get("top_k"), o.get("class_id")
    if k is not None:
        order = np.argsort(-values, -1, kind="stable")[..., : int(k)]
        kept = np.zeros(values.shape, bool)
        np.put_along_axis(kept, order, True, -1)
        values = np.where(kept, values, np.float32(-1e10))
    if number is not None:
        return y[..., int(number)][..., None], values[..., int(number)][..., None]
    return y, values


def _at_thresholds(read: Callable[[Counts], FloatArray]) -> Callable[[Options], Function]:
    """A metric at one threshold, 0.5 if none is given, or at several."""

    def make(o: Options) -> Function:
        given: Any = o.get("thresholds")
        default = -1e10 if o.get("top_k") is not None else 0.5
        listed = given if isinstance(given, Sequence) else [default if given is None else given]
        thresholds = np.asarray(listed, float)

        def whole(y: FloatArray, p: Predicted, weights: FloatArray | None) -> Value:
            y, values = _selected(y, p, o)
            found = read(_counts(y, values, thresholds, weights, _even(thresholds)))
            return float(found[0]) if len(found) == 1 else [float(one) for one in found]

        return whole

    return make


def _thresholds(o: Options) -> FloatArray:
    given = o.get("thresholds")
    count = int(o.get("num_thresholds", 200))
    inner = sorted(given) if given else [(i + 1) / (count - 1) for i in range(count - 2)]
    return np.array([0.0 - EPSILON, *inner, 1.0 + EPSILON])


def _area(o: Options) -> Function:
    """The area under the curve of recall over false positives, or of precision over recall."""
    thresholds = _thresholds(o)
    labels = bool(o.get("multi_label"))
    weights_of_labels = o.get("label_weights")
    curve, how = str(o.get("curve", "ROC")).upper(), str(o.get("summation_method")).lower()
    if curve not in ("ROC", "PR"):
        raise UnsupportedError(f"the area under the curve {curve[:20]} is not computed")
    if weights_of_labels is not None:
        raise UnsupportedError("an area under the curve with weights of labels is not computed")

    def area(y: FloatArray, p: FloatArray, weights: FloatArray | None) -> float:
        counts = _counts(y, p, thresholds, weights, _even(thresholds))
        if curve == "PR" and how in ("interpolation", "none"):
            return _interpolated(counts)
        if curve == "PR":
            x, height = counts.recall, counts.precision
        else:
            x, height = _ratio(counts.fp, counts.fp + counts.tn), counts.recall
        a, b = height[:-1], height[1:]
        heights = {"minoring": np.minimum(a, b), "majoring": np.maximum(a, b)}.get(how, (a + b) / 2)
        return float(((x[:-1] - x[1:]) * heights).sum())

    def whole(y: FloatArray, p: Predicted, weights: FloatArray | None) -> Value:
        y, p = aligned(y, p)
        values = p.values
        y = _one_hot(y, values)
        if o.get("from_logits"):
            values = np.exp(-np.logaddexp(0, -values.astype(float))).astype(np.float32)
        if not labels:
            return area(y, values, weights)
        each = [area(y[:, n], values[:, n], weights) for n in range(values.shape[-1])]
        return float(np.mean(each))

    return whole


def _interpolated(counts: Counts) -> float:
    tp, p = counts.tp, counts.tp + counts.fp
    dtp, dp = tp[:-1] - tp[1:], p[:-1] - p[1:]
    slope = _ratio(dtp, np.maximum(dp, 0))
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    ratio = np.where(both, _ratio(p[:-1], np.maximum(p[1:], 0)), 1.0)
    positive = np.maximum(tp[1:] + counts.fn[1:], 0)
    return float(_ratio(slope * (dtp + intercept * np.log(ratio)), positive).sum())


def _best(
    constrained: Callable[[Counts], FloatArray],
    name: str,
    dependent: Callable[[Counts], FloatArray],
) -> Callable[[Options], Function]:
    """The largest ``dependent`` where ``constrained`` is at least the argument ``name``."""

    def make(o: Options) -> Function:
        count = int(o.get("num_thresholds", 200))
        thresholds = np.array([0.5]) if count == 1 else _thresholds(o)

        def whole(y: FloatArray, p: Predicted, weights: FloatArray | None) -> Value:
            y, values = _selected(y, p, o)
            counts = _counts(y, values, thresholds, weights, _even(thresholds))
            feasible = constrained(counts) >= float(o[name])
            return float(np.where(feasible, dependent(counts), 0.0).max(initial=0.0))

        return whole

    return make


CONFUSION: dict[str, Callable[[Options], Function]] = {
    "precision": _at_thresholds(lambda c: c.precision),
    "recall": _at_thresholds(lambda c: c.recall),
    "truepositives": _at_thresholds(lambda c: c.tp),
    "falsepositives": _at_thresholds(lambda c: c.fp),
    "truenegatives": _at_thresholds(lambda c: c.tn),
    "falsenegatives": _at_thresholds(lambda c: c.fn),
    "auc": _area,
    "sensitivityatspecificity": _best(
        lambda c: c.specificity, "specificity", lambda c: c.recall
    ),
    "specificityatsensitivity": _best(
        lambda c: c.recall, "sensitivity", lambda c: c.specificity
    ),
    "precisionatrecall": _best(lambda c: c.recall, "recall", lambda c: c.precision),
    "recallatprecision": _best(lambda c: c.precision, "precision", lambda c: c.recall),
}  # fmt: skip
