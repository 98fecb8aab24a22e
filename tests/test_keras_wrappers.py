"""Wrappers of tensorflow_model_optimization that only wrap, written by classes of the same form."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.errors import UnsupportedError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

RNG = np.random.default_rng(5)
MODULE = "tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper"


def wrapper_class(keras: Any, class_name: str) -> Any:
    """A wrapper that masks as PruneLowMagnitude does, or does nothing as QuantizeAnnotate."""

    def init(self: Any, layer: Any, **kwargs: Any) -> None:
        kwargs.setdefault("name", f"{keras.backend.get_uid('w')}_{layer.name}")
        keras.layers.Wrapper.__init__(self, layer, **kwargs)

    def build(self: Any, input_shape: Any) -> None:
        keras.layers.Wrapper.build(self, input_shape)
        self.masks = {}
        if class_name != "PruneLowMagnitude":
            return
        add = {"initializer": "ones", "trainable": False}
        for number, weight in enumerate(self.layer.trainable_weights):
            if "bias" not in weight.name and "beta" not in weight.name:
                end = f"_{number}" if number else ""
                self.masks[weight.ref()] = self.add_weight(f"mask{end}", weight.shape, **add)
                self.add_weight(f"threshold{end}", [], **add)
        self.add_weight("pruning_step", [], **add)

    def call(self: Any, inputs: Any) -> Any:
        for weight in self.layer.trainable_weights:
            if weight.ref() in self.masks:
                weight.assign(weight * self.masks[weight.ref()])
        return self.layer(inputs)

    made = type(class_name, (keras.layers.Wrapper,), {"build": build, "call": call})
    made.__init__ = init
    made.__module__ = MODULE
    return made


def network(keras: Any, class_name: str, nested: bool) -> Any:
    """Three wrapped layers, one of them in a nested model, with masks that hit some weights."""
    wrap, layers = wrapper_class(keras, class_name), keras.layers
    x = keras.Input((6, 6, 2))
    y = wrap(layers.SeparableConv2D(3, 3, activation="relu"), name="prune_low_magnitude_s")(x)
    y = layers.Dense(3, name="between")(y)
    y = wrap(layers.BatchNormalization(), name="prune_low_magnitude_b")(y)
    y = layers.Flatten()(y)
    dense = wrap(layers.Dense(4, activation="tanh"), name="prune_low_magnitude_d")
    if nested:
        inner = keras.Input(y.shape[1:])
        dense = keras.Model(inner, layers.Dense(4)(dense(inner)), name="head")
    made = keras.Model(x, dense(y))
    for weight in made.weights:
        values = RNG.uniform(0.2, 1, weight.shape)
        if "mask" in weight.name:
            values = RNG.integers(0, 2, weight.shape)
        weight.assign(values.astype("float32"))
    return made


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("class_name", ["PruneLowMagnitude", "QuantizeAnnotate"])
def test_what_only_wraps_is_seen_through(
    class_name: str, nested: bool, suffix: str, tmp_path: Path
) -> None:
    keras = pytest.importorskip("tf_keras")
    made = network(keras, class_name, nested)
    made.save(tmp_path / f"m{suffix}")  # before the masks are applied
    given = RNG.uniform(-1, 1, (3, 6, 6, 2)).astype("float32")
    expected = np.asarray(made(given))
    model = netsheet.load(tmp_path / f"m{suffix}")
    assert np.abs(model.predict(given) - expected).max() < 1e-5
    assert any(f"{class_name} around 3 layers" in note for note in model.notes)


@pytest.mark.parametrize("class_name", ["QuantizeWrapperV2", "ClusterWeights"])
def test_what_computes_differently_is_refused(class_name: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    made = network(keras, class_name, False)
    made.save(tmp_path / "m.h5")
    model = netsheet.load(tmp_path / "m.h5")
    with pytest.raises(UnsupportedError, match=r"quantize_apply|strip_clustering"):
        model.predict(np.ones((1, 6, 6, 2), np.float32))
