"""Calls with ``training=True``, which Keras 2 obeys in predict() too; Keras 3 does not.

Source: tf_keras/src/engine/functional.py (_run_internal_graph passes stored arguments on) and
layers/normalization/batch_normalization.py (_get_training_value).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netsheet.read.keras.graph import CallConfig
from netsheet.read.keras.table import NO_OPS, RENAMED

_NORMALISING = frozenset({"BatchNormalization"})
_STILL = frozenset({"ActivityRegularization", "Identity"})  # they never have an effect
_RATES = ("rate", "stddev")
_INNER_RATES = ("dropout", "recurrent_dropout")


def trains(call: CallConfig, above: bool, major: int) -> bool:
    """True if the call, or one of the models that it stands in (``above``), is set to training."""
    own = call.kwargs.get("training")
    return major < 3 and (above if own is None else bool(own) and not isinstance(own, str))


def refusal(class_name: str, config: Mapping[str, Any]) -> str:
    """Why a layer that is set to training is not computed; empty where training changes nothing."""
    name = RENAMED.get(class_name, class_name)
    if name in _NORMALISING and config.get("trainable", True):
        return (
            "it is called with training=True: Keras 2 normalises by the statistics of each batch, "
            "also in predict()"
        )
    at_random = name in NO_OPS and name not in _STILL and any(_given(config, _RATES, 1.0))
    if at_random or any(_given(config, _INNER_RATES, 0.0)):
        return (
            "it is called with training=True: Keras 2 drops or changes values at random, also in "
            "predict()"
        )
    return next(filter(None, (refusal(*inner) for inner in _inside(config))), "")


def _given(config: Mapping[str, Any], keys: tuple[str, ...], default: float) -> list[Any]:
    return [config[key] for key in keys if key in config] or [default]


def _inside(config: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Classes and configurations of the layers in a wrapper."""
    entries = [config.get(key) for key in ("layer", "backward_layer", "cell")]
    for key in ("layers", "cells"):
        listed = config.get(key)
        entries += listed if isinstance(listed, list) else []
    return [
        (str(entry.get("class_name")), entry["config"])
        for entry in entries
        if isinstance(entry, Mapping) and isinstance(entry.get("config"), Mapping)
    ]
