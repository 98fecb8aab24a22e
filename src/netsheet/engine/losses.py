"""Loss functions as Keras computes them, in NumPy.

Source of the formulas: keras/src/losses/losses.py and, for the crossentropies,
keras/src/backend/tensorflow/nn.py. What is clipped is clipped in float32, as there: 1 - 1e-7 is
another number in double precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsheet.engine.compiled import stored_name
from netsheet.engine.overlap import Overlap, dice, over_samples, tversky
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UnsupportedError

EPSILON = np.float32(1e-7)


@dataclass(frozen=True, eq=False)
class Predicted:
    """An output with a batch axis; ``logits`` are what a final softmax or sigmoid got.

    TensorFlow's crossentropies take them in place of the output, so that nothing is clipped.
    """

    values: FloatArray
    logits: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def classes(self) -> int:
        """The size of the last axis."""
        return int(self.values.shape[-1]) if self.values.ndim > 1 else 1


# Targets and a prediction -> a number for each sample (and step): the last axis is averaged.
Loss = Callable[[FloatArray, Predicted], FloatArray]
Options = Mapping[str, Any]
KERAS_2 = "keras 2"  # an option of our own: to what it clips, Keras 2 adds the epsilon once more


def aligned(y: FloatArray, p: Predicted) -> tuple[FloatArray, Predicted]:
    """Both with one number of axes: a last axis of size 1 is added to or taken from one of them.

    A prediction that loses an axis is another tensor: its logits are forgotten, as in Keras.
    """
    if y.ndim == p.values.ndim + 1 and y.shape[-1] == 1:
        return y[..., 0], p
    if p.values.ndim == y.ndim + 1 and p.values.shape[-1] == 1:
        if y.ndim == 1:
            return y[:, None], p
        return y, Predicted(p.values[..., 0])
    return y, p


def one_hot(labels: FloatArray, classes: int) -> FloatArray:
    """Whole numbers of any shape as rows of zeros and a one, on a new last axis."""
    return np.asarray(np.eye(classes)[labels.astype(int)])


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(-1, keepdims=True)
    result: FloatArray = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-np.logaddexp(0, -x)))


def _clipped(p: FloatArray) -> FloatArray:
    return np.clip(np.asarray(p, np.float32), EPSILON, np.float32(1) - EPSILON)


def _logits(p: Predicted, options: Options) -> FloatArray | None:
    if p.logits is not None:
        return p.logits.astype(float)
    return p.values.astype(float) if options.get("from_logits") else None


def _smooth(y: FloatArray, options: Options, classes: int) -> FloatArray:
    smoothing = float(options.get("label_smoothing") or 0)
    return y * (1 - smoothing) + smoothing / classes


def _categorical(options: Options) -> Loss:
    def loss(y: FloatArray, p: Predicted) -> FloatArray:
        logits = _logits(p, options)
        if logits is not None:
            log = _log_softmax(logits)
        else:
            values = np.asarray(p.values, np.float32)
            log = np.log(_clipped(values / values.sum(-1, keepdims=True))).astype(float)
        return np.asarray(-(_smooth(y, options, p.classes) * log).sum(-1))

    return loss


def _sparse(options: Options) -> Loss:
    """Of whole numbers; those of ``ignore_class`` count 0 (and are masked by the caller)."""
    ignored = options.get("ignore_class")

    def loss(y: FloatArray, p: Predicted) -> FloatArray:
        if ignored is not None and not options.get(KERAS_2):
            p = Predicted(p.values)  # Keras 3 sets outputs of that class to 0: another tensor
        logits = _logits(p, options)
        log = _log_softmax(
            np.log(_clipped(p.values)).astype(float) if logits is None else logits
        )  # without logits, the clipped output's logarithm stands for them
        labels = y.reshape(log.shape[:-1]).astype(int)
        valid = labels != ignored if ignored is not None else np.ones(labels.shape, bool)
        picked = np.take_along_axis(log, np.where(valid, labels, 0)[..., None], -1)[..., 0]
        return np.asarray(np.where(valid, -picked, 0.0))

    return loss


def _binary_each(y: FloatArray, p: Predicted, options: Options) -> FloatArray:
    logits = _logits(p, options)
    if logits is not None:
        return np.asarray(np.maximum(logits, 0) - logits * y + np.log1p(np.exp(-np.abs(logits))))
    values = _clipped(p.values)
    more = EPSILON if options.get(KERAS_2) else np.float32(0)
    return np.asarray(-(y * np.log(values + more) + (1 - y) * np.log(1 - values + more)))


def _binary(options: Options) -> Loss:
    return lambda y, p: np.asarray(_binary_each(_smooth(y, options, 2), p, options).mean(-1))


def _categorical_focal(options: Options) -> Loss:
    """``-alpha * (1 - p)^gamma * y * log p`` (Lin et al. 2017)."""
    alpha, gamma = options.get("alpha", 0.25), float(options.get("gamma", 2.0))

    def loss(y: FloatArray, p: Predicted) -> FloatArray:
        values = p.values.astype(float)
        # Keras 3 takes the output itself, even where that is a softmax's or a sigmoid's.
        logits = _logits(p if options.get(KERAS_2) else Predicted(p.values), options)
        if logits is not None:
            values = np.exp(_log_softmax(logits))
        values = _clipped(values / values.sum(-1, keepdims=True))
        weighed = np.asarray(alpha, float) * (1 - values) ** gamma
        return np.asarray(-(weighed * _smooth(y, options, p.classes) * np.log(values)).sum(-1))

    return loss


def _binary_focal(options: Options) -> Loss:
    """Binary crossentropy, weighed by ``(1 - p of the true class)^gamma``."""
    alpha, gamma = float(options.get("alpha", 0.25)), float(options.get("gamma", 2.0))

    def loss(y: FloatArray, p: Predicted) -> FloatArray:
        y = _smooth(y, options, 2)
        if options.get("from_logits"):  # in Keras 3 the output itself, even where a sigmoid made it
            known = p.logits if options.get(KERAS_2) else None
            p = Predicted(_sigmoid(p.values.astype(float)), p.values if known is None else known)
        values = p.values.astype(float)
        each = _binary_each(y, p, options)
        each = each * (1 - (y * values + (1 - y) * (1 - values))) ** gamma
        if options.get("apply_class_balancing"):
            each = each * (y * alpha + (1 - y) * (1 - alpha))
        return np.asarray(each.mean(-1))

    return loss


def _generalized(options: Options) -> Loss:
    """``(1 - p of the true class ^ q) / q`` (Zhang, Sabuncu 2018)."""
    q = float(options.get("q", 0.5))

    def loss(y: FloatArray, p: Predicted) -> FloatArray:
        if p.classes == 1:
            raise NetsheetError("this loss is of several classes, but the output has one value.")
        rows = y if y.shape == p.values.shape else one_hot(y, p.classes)
        true = (rows * p.values).sum(-1)
        return np.asarray((1 - true**q) / q)

    return loss


def _mean(each: Callable[[FloatArray, FloatArray], FloatArray]) -> Callable[[Options], Loss]:
    def make(options: Options) -> Loss:
        return lambda y, p: np.asarray(each(y, p.values.astype(float)).mean(-1))

    return make


def _huber(options: Options) -> Loss:
    delta = float(options.get("delta", 1.0))

    def each(y: FloatArray, p: FloatArray) -> FloatArray:
        error = np.abs(y - p)
        return np.asarray(np.where(error <= delta, error**2 / 2, delta * error - delta**2 / 2))

    return _mean(each)(options)


def _signs(y: FloatArray) -> FloatArray:
    """Targets 0 and 1 as -1 and 1, as the hinge losses take them."""
    return np.where(y == 0, -1.0, y) if set(np.unique(y)) <= {0.0, 1.0} else y


def _kl(options: Options) -> Loss:
    def loss(y: FloatArray, p: Predicted) -> FloatArray:
        y, q = np.clip(y, EPSILON, 1), np.clip(p.values, EPSILON, 1)
        return np.asarray((y * np.log(y / q)).sum(-1))

    return loss


def unit(v: FloatArray) -> FloatArray:
    """Rows along the last axis with the length 1."""
    return np.asarray(v / np.sqrt(np.maximum((v * v).sum(-1, keepdims=True), 1e-12)))


def _cosine(options: Options) -> Loss:
    return lambda y, p: np.asarray(-(unit(y) * unit(p.values.astype(float))).sum(-1))


def _categorical_hinge(options: Options) -> Loss:
    def loss(y: FloatArray, p: Predicted) -> FloatArray:
        wrong, right = ((1 - y) * p.values).max(-1), (y * p.values).sum(-1)
        return np.asarray(np.maximum(0, wrong - right + 1))

    return loss


def _overlap(make: Callable[[Options], Overlap]) -> Callable[[Options], Loss]:
    def named(options: Options) -> Loss:
        loss = make(options)
        return lambda y, p: loss(y, p.values.astype(float))

    return named


def _logarithm(x: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(x, float(EPSILON)) + 1))


_LOSSES: dict[str, Callable[[Options], Loss]] = {
    "categorical_crossentropy": _categorical,
    "sparse_categorical_crossentropy": _sparse,
    "binary_crossentropy": _binary,
    "categorical_focal_crossentropy": _categorical_focal,
    "binary_focal_crossentropy": _binary_focal,
    "categorical_generalized_cross_entropy": _generalized,
    "mean_squared_error": _mean(lambda y, p: (y - p) ** 2),
    "mean_absolute_error": _mean(lambda y, p: np.abs(y - p)),
    "mean_absolute_percentage_error": _mean(
        lambda y, p: 100 * np.abs((y - p) / np.maximum(np.abs(y), float(EPSILON)))
    ),
    "mean_squared_logarithmic_error": _mean(lambda y, p: (_logarithm(y) - _logarithm(p)) ** 2),
    "log_cosh": _mean(lambda y, p: np.logaddexp(p - y, y - p) - np.log(2.0)),
    "poisson": _mean(lambda y, p: p - y * np.log(p + float(EPSILON))),
    "hinge": _mean(lambda y, p: np.maximum(1 - _signs(y) * p, 0)),
    "squared_hinge": _mean(lambda y, p: np.maximum(1 - _signs(y) * p, 0) ** 2),
    "huber": _huber,
    "kl_divergence": _kl,
    "cosine_similarity": _cosine,
    "categorical_hinge": _categorical_hinge,
    "dice": _overlap(dice),
    "tversky": _overlap(tversky),
}  # fmt: skip

_SHORT = {
    "mse": "mean_squared_error", "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy", "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence", "huber_loss": "huber",
    "cosine_proximity": "cosine_similarity", "kl_divergence": "kl_divergence",
    "log_cosh_error": "log_cosh",
}  # fmt: skip

# What is a probability: 0 to 1, where other losses take any number.
_BINARY = ("binary_crossentropy", "binary_focal_crossentropy")
# What has a class as its target: one of several, as a whole number or a row with a one.
CLASSES = (
    "categorical_crossentropy", "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy", "categorical_generalized_cross_entropy",
)  # fmt: skip
_WHOLE = ("sparse_categorical_crossentropy",)
_OVERLAPS = ("dice", "tversky")  # their axes are those that are summed over


def plain(name: str) -> str:
    """A class's or function's name without its package, capitals and underscores."""
    return name.rsplit(">", 1)[-1].lower().replace("_", "").replace(" ", "")


_BY_NAME = {plain(name): name for name in _LOSSES} | {plain(k): v for k, v in _SHORT.items()}


def loss_key(name: str) -> str | None:
    """The one name of a loss that has several; None if there is none of that name."""
    return _BY_NAME.get(plain(name))


@dataclass(frozen=True, eq=False)
class NamedLoss:
    """A loss by Keras's name; ``reduction`` says how the numbers of a batch become one."""

    name: str
    function: Loss
    reduction: str = "sum_over_batch_size"
    ignored: int | None = None  # a class that does not count
    whole: bool = False  # a batch has a loss, its samples have none

    def __call__(self, y: FloatArray, p: Predicted) -> FloatArray:
        """A number for each sample (and step)."""
        return self.function(*aligned(self._rows(y, p), p))

    def _rows(self, y: FloatArray, p: Predicted) -> FloatArray:
        """The target as this loss takes it; NetsheetError where it does not fit the output."""
        shape = p.values.shape
        if self.name in _WHOLE:
            if y.shape == shape and shape[-1] > 1:
                return np.asarray(y.argmax(-1))
            labels = y[..., 0] if y.shape == (*shape[:-1], 1) else y
            if labels.shape != shape[:-1]:
                raise _misfit(y, p)
            _check_classes(labels, p.classes, self.ignored)
            return labels
        if y.size == p.values.size:
            if self.name in _BINARY:
                _check_range(y)
            return y
        if y.size == p.values.size // p.classes and p.classes > 1:
            labels = y.reshape(shape[:-1])
            _check_classes(labels, p.classes, self.ignored)
            return one_hot(labels, p.classes)
        raise _misfit(y, p)


def _misfit(y: FloatArray, p: Predicted) -> NetsheetError:
    return NetsheetError(
        f"labels of the shape {y.shape} do not fit outputs of {p.values.shape}: a class for each, "
        "a row with a one, or as many values are needed."
    )


def _check_classes(labels: FloatArray, classes: int, ignored: int | None) -> None:
    wrong = (labels < 0) | (labels >= classes) | (labels != np.round(labels))
    if ignored is not None:
        wrong &= labels != ignored
    if not wrong.any():
        return
    row = int(np.argwhere(wrong)[0][0])
    bad = labels[wrong].flat[0]
    kept = labels if ignored is None else labels[labels != ignored]
    raise NetsheetError(
        f"labels run from {kept.min():g} to {kept.max():g}, but the model has {classes} classes, "
        f"0 to {classes - 1} (row {row}, counted from 0, has {bad:g})."
    )


def _check_range(y: FloatArray) -> None:
    wrong = ~((y >= 0) & (y <= 1))
    if wrong.any():
        row, bad = int(np.argwhere(wrong)[0][0]), y[wrong].flat[0]
        raise NetsheetError(
            f"labels run from {y.min():g} to {y.max():g}, but the outputs are probabilities, "
            f"0 to 1 (row {row}, counted from 0, has {bad:g})."
        )


def along_last(options: Options, rank: int) -> None:
    """UnsupportedError where ``axis`` is another axis than the last of ``rank`` ones."""
    axis = options.get("axis")
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    if axis not in (None, -1, rank - 1):
        raise UnsupportedError(f"it is taken along axis {str(axis)[:60]}, not along the last")


def loss_named(stored: Any, major: int = 3, rank: int = 0) -> NamedLoss:
    """A loss as a training configuration stores it: a name, or a class with its arguments.

    ``major`` is the version of Keras whose arithmetic is followed, ``rank`` the number of axes of
    the output, the batch included.

    Raises:
        UnsupportedError: it is none of Keras's, or not along the last axis.
    """
    name, options = stored_name(stored)
    key = _BY_NAME.get(plain(name))
    if key is None:
        raise UnsupportedError(f"the loss {name[:60]!r} is not known")
    options = dict(options, **{KERAS_2: major < 3})
    reduction = str(options.get("reduction") or "sum_over_batch_size")
    ignored = options.get("ignore_class") if key in _WHOLE else None
    if key not in _OVERLAPS:
        along_last(options, rank)
    whole = key in _OVERLAPS and over_samples(options)
    return NamedLoss(key, _LOSSES[key](options), reduction.lower(), ignored, whole)
