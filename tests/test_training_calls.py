"""Layers that a file calls with training=True: Keras 2 obeys it in predict(), Keras 3 does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet

KINDS: dict[str, Callable[[Any], Any]] = {
    "BatchNormalization": lambda layers: layers.BatchNormalization(),
    "Dropout": lambda layers: layers.Dropout(0.5),
    "GaussianNoise": lambda layers: layers.GaussianNoise(0.5),
    "LSTM with dropout": lambda layers: layers.LSTM(2, dropout=0.5, return_sequences=True),
    "Dropout in time": lambda layers: layers.TimeDistributed(layers.Dropout(0.5)),
}
SAME: dict[str, Callable[[Any], Any]] = {
    "frozen BatchNormalization": lambda layers: layers.BatchNormalization(trainable=False),
    "Dropout of nothing": lambda layers: layers.Dropout(0.0),
    "LSTM without dropout": lambda layers: layers.LSTM(2, return_sequences=True),
    "LayerNormalization": lambda layers: layers.LayerNormalization(),
}


def _model(keras: Any, make: Callable[[Any], Any], nested: bool) -> Any:
    inputs = keras.Input((4, 3))
    first = keras.layers.Dense(3, name="first")(inputs)
    if not nested:
        return keras.Model(inputs, make(keras.layers)(first, training=True))
    own = keras.Input((4, 3))
    inner = keras.Model(own, make(keras.layers)(own), name="inner")
    return keras.Model(inputs, inner(first, training=True))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_keras_2_obeys_and_is_refused(name: str, nested: bool, tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    _model(keras, KINDS[name], nested).save(path := tmp_path / "m.h5")
    first, last = netsheet.load(path).nodes
    assert first.refusal is None
    assert last.refusal is not None and "training=True" in last.refusal


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", SAME)
def test_where_training_changes_nothing(name: str, nested: bool, tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    model = _model(keras, SAME[name], nested)
    model.save(path := tmp_path / "m.h5")
    x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype("f4")
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(netsheet.load(path).predict(x), expected, atol=1e-5)


def test_keras_3_computes_as_without(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = _model(keras, KINDS["BatchNormalization"], False)
    model.save(path := tmp_path / "m.keras")
    x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype("f4")
    found = netsheet.load(path).predict(x)
    np.testing.assert_allclose(found, np.asarray(model.predict(x, verbose=0)), atol=1e-5)
