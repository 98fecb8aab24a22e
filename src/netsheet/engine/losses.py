"""Loss functions and accuracy as Keras computes them, in NumPy.

Source of the formulas: keras/src/losses/losses.py and keras/src/metrics/accuracy_metrics.py.
``y`` is the target and ``p`` the prediction, both with a batch axis; a function returns one
number per sample (further axes are averaged by the caller).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import UnsupportedError

EPSILON = 1e-7

Loss = Callable[[FloatArray, FloatArray], FloatArray]


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(-1, keepdims=True)
    result: FloatArray = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def one_hot(labels: FloatArray, classes: int) -> FloatArray:
    """Integer labels (n,) or (n, 1) as rows of zeros and a one."""
    flat = labels.reshape(-1).astype(int)
    return np.asarray(np.eye(classes)[flat])


def _categorical(options: Mapping[str, Any]) -> Loss:
    smoothing = float(options.get("label_smoothing") or 0)

    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        y = y * (1 - smoothing) + smoothing / p.shape[-1]
        if options.get("from_logits"):
            log = _log_softmax(p)
        else:
            log = np.log(np.clip(p / p.sum(-1, keepdims=True), EPSILON, 1 - EPSILON))
        result: FloatArray = -(y * log).sum(-1)
        return result

    return loss


def _sparse(options: Mapping[str, Any]) -> Loss:
    dense = _categorical({"from_logits": options.get("from_logits")})

    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        return dense(np.eye(p.shape[-1])[y.reshape(p.shape[:-1]).astype(int)], p)

    return loss


def _binary(options: Mapping[str, Any]) -> Loss:
    smoothing = float(options.get("label_smoothing") or 0)

    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        y = y * (1 - smoothing) + smoothing / 2
        if options.get("from_logits"):
            each = np.maximum(p, 0) - p * y + np.log1p(np.exp(-np.abs(p)))
        else:
            p = np.clip(p, EPSILON, 1 - EPSILON)
            each = -(y * np.log(p) + (1 - y) * np.log(1 - p))
        return np.asarray(each.mean(-1))

    return loss


def _categorical_focal(options: Mapping[str, Any]) -> Loss:
    """``-alpha * (1 - p)^gamma * y * log p`` (Lin et al. 2017)."""
    alpha, gamma = float(options.get("alpha", 0.25)), float(options.get("gamma", 2.0))
    smoothing = float(options.get("label_smoothing") or 0)

    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        y = y * (1 - smoothing) + smoothing / p.shape[-1]
        p = np.exp(_log_softmax(p)) if options.get("from_logits") else p / p.sum(-1, keepdims=True)
        p = np.clip(p, EPSILON, 1 - EPSILON)
        return np.asarray(-(alpha * (1 - p) ** gamma * y * np.log(p)).sum(-1))

    return loss


def _binary_focal(options: Mapping[str, Any]) -> Loss:
    """Binary crossentropy, weighed by ``(1 - p of the true class)^gamma``."""
    alpha, gamma = float(options.get("alpha", 0.25)), float(options.get("gamma", 2.0))
    smoothing = float(options.get("label_smoothing") or 0)

    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        y = y * (1 - smoothing) + smoothing / 2
        p = 1 / (1 + np.exp(-p)) if options.get("from_logits") else p
        p = np.clip(p, EPSILON, 1 - EPSILON)
        each = -(y * np.log(p) + (1 - y) * np.log(1 - p))
        each = each * (1 - (y * p + (1 - y) * (1 - p))) ** gamma
        if options.get("apply_class_balancing"):
            each = each * (y * alpha + (1 - y) * (1 - alpha))
        return np.asarray(each.mean(-1))

    return loss


def _mean(each: Callable[[FloatArray, FloatArray], FloatArray]) -> Callable[..., Loss]:
    def make(options: Mapping[str, Any]) -> Loss:
        return lambda y, p: np.asarray(each(y, p).mean(-1))

    return make


def _huber(options: Mapping[str, Any]) -> Loss:
    delta = float(options.get("delta", 1.0))

    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        error = np.abs(y - p)
        each = np.where(error <= delta, error**2 / 2, delta * error - delta**2 / 2)
        return np.asarray(each.mean(-1))

    return loss


def _signs(y: FloatArray) -> FloatArray:
    """Targets 0 and 1 as -1 and 1, as the hinge losses take them."""
    return np.where(y == 0, -1.0, y) if set(np.unique(y)) <= {0.0, 1.0} else y


def _kl(options: Mapping[str, Any]) -> Loss:
    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        y, p = np.clip(y, EPSILON, 1), np.clip(p, EPSILON, 1)
        return np.asarray((y * np.log(y / p)).sum(-1))

    return loss


def _cosine(options: Mapping[str, Any]) -> Loss:
    def unit(v: FloatArray) -> FloatArray:
        return np.asarray(v / np.sqrt(np.maximum((v * v).sum(-1, keepdims=True), 1e-12)))

    return lambda y, p: np.asarray(-(unit(y) * unit(p)).sum(-1))


def _categorical_hinge(options: Mapping[str, Any]) -> Loss:
    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        return np.asarray(np.maximum(0, ((1 - y) * p).max(-1) - (y * p).sum(-1) + 1))

    return loss


_LOSSES: dict[str, Callable[[Mapping[str, Any]], Loss]] = {
    "categorical_crossentropy": _categorical,
    "sparse_categorical_crossentropy": _sparse,
    "binary_crossentropy": _binary,
    "categorical_focal_crossentropy": _categorical_focal,
    "binary_focal_crossentropy": _binary_focal,
    "mean_squared_error": _mean(lambda y, p: (y - p) ** 2),
    "mean_absolute_error": _mean(lambda y, p: np.abs(y - p)),
    "mean_absolute_percentage_error": _mean(
        lambda y, p: 100 * np.abs((y - p) / np.maximum(np.abs(y), EPSILON))
    ),
    "mean_squared_logarithmic_error": _mean(
        lambda y, p: (np.log(np.maximum(y, EPSILON) + 1) - np.log(np.maximum(p, EPSILON) + 1)) ** 2
    ),
    "log_cosh": _mean(lambda y, p: np.logaddexp(p - y, y - p) - np.log(2.0)),
    "poisson": _mean(lambda y, p: p - y * np.log(p + EPSILON)),
    "hinge": _mean(lambda y, p: np.maximum(1 - _signs(y) * p, 0)),
    "squared_hinge": _mean(lambda y, p: np.maximum(1 - _signs(y) * p, 0) ** 2),
    "huber": _huber,
    "kl_divergence": _kl,
    "cosine_similarity": _cosine,
    "categorical_hinge": _categorical_hinge,
}

_SHORT = {
    "mse": "mean_squared_error", "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy", "kld": "kl_divergence", "logcosh": "log_cosh",
    "kullback_leibler_divergence": "kl_divergence", "kldivergence": "kl_divergence",
    "huber_loss": "huber", "cosine_proximity": "cosine_similarity",
}  # fmt: skip


def loss_named(stored: Any) -> tuple[str, Loss]:
    """The name and function of a loss as a training configuration stores it."""
    options: Mapping[str, Any] = {}
    name = stored
    if isinstance(stored, Mapping):
        config = stored.get("config")
        name = stored.get("class_name")
        if isinstance(config, Mapping):
            options = config
            fn = config.get("fn")
            name = fn if isinstance(fn, str) else name
        elif isinstance(config, str):
            name = config
    key = _snake(str(name))
    key = _SHORT.get(key, key)
    if key not in _LOSSES:
        raise UnsupportedError(f"the loss {str(name)[:60]!r} is not known")
    return key, _LOSSES[key](options)


def _snake(name: str) -> str:
    name = name.rsplit(">", 1)[-1]
    if name.islower():
        return name
    return "".join(
        f"_{c.lower()}" if c.isupper() and i and not name[i - 1].isupper() else c.lower()
        for i, c in enumerate(name)
    )


def accuracy(y: FloatArray, p: FloatArray) -> float | None:
    """The share of right answers; None where the targets are no classes.

    One output: rounded at 0.5. Several outputs with a one-hot or integer target: the largest.
    """
    if p.ndim < 2:
        return None
    if p.shape[-1] == 1:
        target = y.reshape(p.shape)
        if not np.isin(target, (0, 1)).all():
            return None
        return float(((p > 0.5) == (target > 0.5)).mean())
    if y.shape == p.shape:
        if not (np.isin(y, (0, 1)).all() and (y.sum(-1) == 1).all()):
            return None
        target = y.argmax(-1)
    elif y.size == p.size // p.shape[-1]:
        target = y.reshape(p.shape[:-1])
    else:
        return None
    return float((p.argmax(-1) == target).mean())
