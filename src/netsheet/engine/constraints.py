"""What a training holds weights to after each step, as Keras does.

Source of the formulas: keras/src/constraints/constraints.py, the same in Keras 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer

Held = Callable[[FloatArray], FloatArray]
EPSILON = np.float32(1e-7)  # keras.config.epsilon()


def held(layer: Layer, label: str) -> Held | None:
    """What becomes of a weight after each step; None where nothing does.

    Raises:
        UnsupportedError: the constraint is not known.
    """
    stored = layer.constraint_of(label)
    if stored is None:
        return None
    name, options = stored
    known = _KNOWN.get(name.replace("_", "").lower())
    if known is None:
        raise UnsupportedError(
            f"layer {layer.name!r} holds its {label} to a constraint ({name}) that is not known "
            f"here; --freeze {layer.name} leaves it as it is"
        )
    return lambda w: np.asarray(known(w, options), np.float32)


def _norms(w: FloatArray, options: Mapping[str, Any]) -> FloatArray:
    axis = options.get("axis", 0)
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else (int(axis),)
    return np.asarray(np.sqrt(np.square(w).sum(axis=axes, keepdims=True)))


def _max_norm(w: FloatArray, options: Mapping[str, Any]) -> FloatArray:
    norms = _norms(w, options)
    limit = float(options.get("max_value", options.get("m", 2)))
    return np.asarray(w * (np.clip(norms, 0, limit) / (EPSILON + norms)))


def _min_max_norm(w: FloatArray, options: Mapping[str, Any]) -> FloatArray:
    norms, rate = _norms(w, options), float(options.get("rate", 1.0))
    low, high = float(options.get("min_value", 0.0)), float(options.get("max_value", 1.0))
    wanted = rate * np.clip(norms, low, high) + (1 - rate) * norms
    return np.asarray(w * (wanted / (EPSILON + norms)))


_KNOWN: dict[str, Callable[[FloatArray, Mapping[str, Any]], FloatArray]] = {
    "nonneg": lambda w, options: np.asarray(w * (w >= 0)),
    "maxnorm": _max_norm,
    "unitnorm": lambda w, options: np.asarray(w / (EPSILON + _norms(w, options))),
    "minmaxnorm": _min_max_norm,
}
