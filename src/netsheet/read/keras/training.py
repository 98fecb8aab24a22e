"""Calls with ``training=True``, which Keras 2 obeys in predict() too; Keras 3 does not.

Source: tf_keras/src/engine/functional.py (_run_internal_graph passes stored arguments on) and
layers/normalization/batch_normalization.py (_get_training_value).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netsheet.read.keras.graph import CallConfig
from netsheet.read.keras.noise import NOISE
from netsheet.read.keras.table import NO_OPS, RENAMED

_NORMALISING = frozenset({"BatchNormalization"})
_STILL = frozenset({"ActivityRegularization", "Identity"})  # they never have an effect
# Their rows know what they drop in training.
_DROPPING = frozenset({
    "AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention",
    "GRU", "GRUCell", "LSTM", "LSTMCell", "SimpleRNN", "SimpleRNNCell",
})  # fmt: skip
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


def stands_still(call: CallConfig, above: bool, major: int) -> bool:
    """True if the call, or one of the models that it stands in, is set to training=False.

    Keras 3 writes it to most calls, and does not obey it while it trains
    (keras/src/models/functional.py, operation_fn).
    """
    own = call.kwargs.get("training")
    return major < 3 and (above if own is None else own is False)


def at_random(class_name: str, config: Mapping[str, Any]) -> bool:
    """True if, in training, it drops or changes values, or follows batches in another way.

    Those with a row of their own say so themselves.
    """
    name = RENAMED.get(class_name, class_name)
    if name in NO_OPS and name not in _STILL and name not in NOISE:
        return True
    if name == "SpectralNormalization":  # it normalises its kernel at every step
        return True
    if name in _DROPPING:
        return not all(_share(config.get(name) or 0) for name in _INNER_RATES)
    if name in _NORMALISING and (config.get("renorm") or config.get("virtual_batch_size")):
        return True
    return any(_given(config, _INNER_RATES, 0.0))


def _share(rate: object) -> bool:
    return isinstance(rate, (int, float)) and 0 <= rate < 1


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
