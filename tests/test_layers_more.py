"""Rarer layers, from files of real Keras through every target."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.data.inputs import InputValue, Sample
from netsheet.equations.evaluation import evaluate
from netsheet.errors import UnsupportedError

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

Make = Callable[[Any], Any]
WORDS = [7, 2, 4, 9]
EDGES = [-0.5, 0.0, 1.0]

# name: (Keras, layer, shape of the input, number of tokens or 0)
CASES: dict[str, tuple[str, Make, tuple[int, ...], int]] = {
    "adaptive average": ("keras", lambda k: k.AdaptiveAveragePooling2D((3, 4)), (7, 6, 3), 0),
    "adaptive max": ("keras", lambda k: k.AdaptiveMaxPooling2D((2, 4)), (7, 6, 3), 0),
    "adaptive 1": ("keras", lambda k: k.AdaptiveAveragePooling1D(4), (7, 3), 0),
    "adaptive 3": ("keras", lambda k: k.AdaptiveMaxPooling3D((2, 3, 2)), (4, 5, 6, 2), 0),
    "local 1": ("tf_keras", lambda k: k.LocallyConnected1D(4, 3, strides=2), (9, 3), 0),
    "local 2": (
        "tf_keras",
        lambda k: k.LocallyConnected2D(4, (3, 2), strides=(2, 1), activation="relu"),
        (7, 6, 3),
        0,
    ),
    "one hot": ("keras", lambda k: k.CategoryEncoding(5, output_mode="one_hot"), (1,), 5),
    "multi hot": ("tf_keras", lambda k: k.CategoryEncoding(5), (4,), 5),
    "count": ("keras", lambda k: k.CategoryEncoding(5, output_mode="count"), (4,), 5),
    "bins": ("keras", lambda k: k.Discretization(EDGES), (4,), 0),
    "counted bins": ("keras", lambda k: k.Discretization(EDGES, output_mode="count"), (4,), 0),
    "lookup": ("keras", lambda k: k.IntegerLookup(vocabulary=WORDS), (6,), 10),
    "lookup in buckets": (
        "tf_keras",
        lambda k: k.IntegerLookup(vocabulary=WORDS, num_oov_indices=3, mask_token=0),
        (9,),
        10,
    ),
    "lookup back": (
        "keras",
        lambda k: k.IntegerLookup(vocabulary=WORDS, mask_token=0, invert=True, num_oov_indices=2),
        (9,),
        8,
    ),
    "one-hot lookup": (
        "tf_keras",
        lambda k: k.IntegerLookup(vocabulary=WORDS, mask_token=0, output_mode="one_hot"),
        (1,),
        10,
    ),
    "multi-hot lookup": (
        "keras",
        lambda k: k.IntegerLookup(
            vocabulary=WORDS,
            num_oov_indices=2,
            output_mode="multi_hot",
            max_tokens=9,
            pad_to_max_tokens=True,
        ),
        (5,),
        10,
    ),
    "counted lookup": (
        "keras",
        lambda k: k.IntegerLookup(vocabulary=WORDS, mask_token=1, output_mode="count"),
        (8,),
        10,
    ),
    "spectral": (
        "keras",
        lambda k: k.SpectralNormalization(k.Conv2D(3, 2, activation="relu")),
        (4, 4, 2),
        0,
    ),
}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("case", CASES)
def test_layer_in_every_target(case: str, suffix: str, tmp_path: Path) -> None:
    package, make, shape, tokens = CASES[case]
    keras = pytest.importorskip(package)
    inputs = keras.Input(shape)
    made = keras.Model(inputs, make(keras.layers)(inputs))
    random = np.random.default_rng(3)
    made.set_weights([random.normal(size=w.shape).astype("float32") for w in made.get_weights()])
    path = tmp_path / f"model{suffix}"
    made.save(path)
    size = (2, *shape)
    given = random.integers(0, tokens, size) if tokens else random.normal(size=size)
    given = given.astype("float32")
    expected = np.asarray(made(given))

    model = netsheet.load(path)
    bound = 1e-5 * max(1, np.abs(expected).max())
    assert np.abs(np.asarray(model.predict(given)) - expected).max() <= bound
    sample = Sample("x", {model.inputs[0].name: InputValue(given[0])})
    for target in ("excel", "c", "onnx"):
        verdict = model.verify(target, [sample])
        assert verdict.ok, (target, verdict.first_failure)


def test_softmax_refuses_a_mask_that_keras_spreads_wrongly(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    inputs = keras.Input((5, 3))
    masked = keras.layers.Masking(name="masked")(inputs)
    keras.Model(inputs, keras.layers.Softmax(name="share")(masked)).save(tmp_path / "m.keras")
    model = netsheet.load(tmp_path / "m.keras")
    assert list(model.activations(np.ones((1, 5, 3), np.float32))) == ["masked"]
    with pytest.raises(UnsupportedError, match="carries a mask"):
        model.predict(np.ones((1, 5, 3), np.float32))


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_both_directions_carry_the_mask(package: str, tmp_path: Path) -> None:
    keras = pytest.importorskip(package)
    layers = keras.layers
    inputs = keras.Input((6,))
    x = layers.Embedding(9, 4, mask_zero=True)(inputs)
    both = layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode=None)(x)
    made = keras.Model(inputs, [layers.GRU(2)(part) for part in both])
    made.save(tmp_path / "m.h5")
    given = np.array([[1, 2, 0, 3, 0, 0], [4, 0, 0, 8, 1, 2]], np.float32)
    found = netsheet.load(tmp_path / "m.h5").predict(given)
    for ours, theirs in zip(found, made(given), strict=True):
        assert np.abs(ours - np.asarray(theirs)).max() < 1e-5


@pytest.mark.parametrize("name", ["Add", "Average", "Multiply", "Maximum", "Minimum"])
def test_more_inputs_than_a_formula_takes(name: str, tmp_path: Path) -> None:
    """Combined in groups, each a tensor of its own."""
    keras = pytest.importorskip("keras")
    x = keras.Input((4,))
    parts = [keras.layers.Rescaling(1 + n / 1000, offset=n / 500)(x) for n in range(70)]
    model = keras.Model(x, getattr(keras.layers, name)()(parts))
    model.save(tmp_path / "wide.keras")
    opened = netsheet.load(tmp_path / "wide.keras")
    given = np.random.default_rng(4).uniform(-1, 1, (1, 4)).astype(np.float32)
    expected = np.asarray(model(given))[0]
    values = evaluate(opened.equations(), {opened.inputs[0]: given[0]})[opened.outputs[0]]
    assert np.abs(values - expected).max() < 1e-5 * max(1, np.abs(expected).max())
    assert opened.verify("excel", [Sample("x", {opened.inputs[0].name: InputValue(given[0])})]).ok


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_learned_vocabulary_lies_beside_the_arrays(package: str, tmp_path: Path) -> None:
    """An adapted IntegerLookup: its numbers are in vocabulary.txt of the .keras file."""
    keras = pytest.importorskip(package)
    first, second = (keras.layers.IntegerLookup(num_oov_indices=2, mask_token=0) for _ in range(2))
    first.adapt(np.array([12, 12, 36, 0, 42, 42, 42]))
    second.adapt(np.array([3, 4, 4, -7]))
    inputs = keras.Input((7,), dtype="int64")
    inner = keras.Sequential([keras.Input((7,), dtype="int64"), second])
    made = keras.Model(inputs, [first(inputs), inner(inputs)])
    made.save(tmp_path / "m.keras")
    given = np.array([[12, 0, 3, 42, -7, 36, 4], [-1, 5, 12, 6, 3, 0, 8]])
    found = netsheet.load(tmp_path / "m.keras").predict(given)
    for ours, theirs in zip(found, made(given), strict=True):
        assert np.array_equal(ours, np.asarray(theirs))


def test_a_vocabulary_that_is_not_in_the_file(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    words = keras.layers.IntegerLookup(name="words")
    words.adapt(np.array([3, 4, 4]))
    keras.Sequential([keras.Input((2,), dtype="int64"), words]).save(tmp_path / "m.h5")
    model = netsheet.load(tmp_path / "m.h5")
    with pytest.raises(UnsupportedError, match=r"words.*vocabulary is not in the file"):
        model.predict(np.ones((1, 2)))
