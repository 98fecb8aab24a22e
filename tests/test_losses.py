"""Loss and accuracy of compiled models against what Keras evaluates."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.errors import NetsheetError

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(40, 6)).astype("float32")
CLASSES = RANDOM.integers(0, 4, 40)
ONE_HOT = np.eye(4, dtype="float32")[CLASSES]
BITS = RANDOM.integers(0, 2, (40, 1)).astype("float32")

# name: (outputs, activation, loss or its class and options, targets)
CASES: dict[str, tuple[int, str | None, Any, Any]] = {
    "categorical": (4, "softmax", "categorical_crossentropy", ONE_HOT),
    "smoothed": (4, "softmax", ("CategoricalCrossentropy", {"label_smoothing": 0.1}), ONE_HOT),
    "logits": (4, None, ("CategoricalCrossentropy", {"from_logits": True}), ONE_HOT),
    "sparse": (4, "softmax", "sparse_categorical_crossentropy", CLASSES),
    "sparse logits": (4, None, ("SparseCategoricalCrossentropy", {"from_logits": True}), CLASSES),
    "binary": (1, "sigmoid", "binary_crossentropy", BITS),
    "binary logits": (1, None, ("BinaryCrossentropy", {"from_logits": True}), BITS),
    "labels": (4, "sigmoid", "binary_crossentropy", ONE_HOT),
    "mse": (1, None, "mse", BITS),
    "mae": (1, None, "mae", BITS),
    "mape": (1, None, "mape", BITS + 1),
    "msle": (1, "softplus", "msle", BITS),
    "huber": (1, None, "huber", BITS),
    "log cosh": (1, None, "log_cosh", BITS),
    "poisson": (1, "softplus", "poisson", BITS),
    "kl": (4, "softmax", "kl_divergence", ONE_HOT),
    "hinge": (4, "tanh", "hinge", ONE_HOT * 2 - 1),
    "squared hinge": (4, "tanh", "squared_hinge", ONE_HOT),
    "categorical hinge": (4, "softmax", "categorical_hinge", ONE_HOT),
    "cosine": (4, None, "cosine_similarity", ONE_HOT),
    "focal": (4, "softmax", ("CategoricalFocalCrossentropy", {"gamma": 1.5}), ONE_HOT),
    "binary focal": (
        1,
        "sigmoid",
        ("BinaryFocalCrossentropy", {"apply_class_balancing": True}),
        BITS,
    ),
    # logits that are said to be, of what a sigmoid or a softmax made: the versions differ
    "sigmoid twice": (1, "sigmoid", ("BinaryFocalCrossentropy", {"from_logits": True}), BITS),
    "softmax twice": (
        4,
        "softmax",
        ("CategoricalFocalCrossentropy", {"from_logits": True}),
        ONE_HOT,
    ),
    "sigmoid as classes": (4, "sigmoid", "categorical_focal_crossentropy", ONE_HOT),
}


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def keras(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


@pytest.mark.parametrize("case", CASES)
def test_loss_is_what_keras_evaluates(keras: Any, case: str, tmp_path: Path) -> None:
    outputs, activation, loss, targets = CASES[case]
    if isinstance(loss, tuple):
        loss = getattr(keras.losses, loss[0])(**loss[1])
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((6,)), layers.Dense(8, "relu"), layers.Dense(outputs, activation)]
    )
    model.compile("adam", loss)
    for suffix in (".h5", ".keras"):
        model.save(tmp_path / f"m{suffix}")
        found = netsheet.load(tmp_path / f"m{suffix}").evaluate(X, targets)
        assert found.loss == pytest.approx(float(model.evaluate(X, targets, verbose=0)), rel=1e-5)
    if activation == "softmax":
        right = np.asarray(model(X)).argmax(-1) == CLASSES
        assert found.accuracy == pytest.approx(right.mean())


# ------------------------------------------------------------------ what does not fit


def saved(keras: Any, path: Path, outputs: int, activation: str | None, loss: Any) -> Any:
    """A compiled network of six inputs, and its file."""
    layers = keras.layers
    model = keras.Sequential([layers.Input((6,)), layers.Dense(outputs, activation)])
    model.compile("adam", loss)
    model.save(path)
    return model


@pytest.mark.parametrize("shift", [1, -1])
@pytest.mark.parametrize(
    ("outputs", "activation", "loss"),
    [
        (4, "softmax", "sparse_categorical_crossentropy"),
        (4, "softmax", None),
        (1, "sigmoid", "binary_crossentropy"),
    ],
)
def test_labels_out_of_range_are_refused_with_their_row(
    keras: Any, outputs: int, activation: str, loss: str | None, shift: int, tmp_path: Path
) -> None:
    model = saved(keras, tmp_path / "m.keras", outputs, activation, loss)
    labels = np.arange(40) % max(outputs, 2)
    loaded = netsheet.load(tmp_path / "m.keras")
    if loss is not None:
        wanted = float(model.evaluate(X, labels, verbose=0))
        assert loaded.evaluate(X, labels).loss == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(NetsheetError, match=r"(row|sample) \d+") as refused:
        loaded.evaluate(X, labels + shift)
    wrong = np.flatnonzero((labels + shift < 0) | (labels + shift >= max(outputs, 2)))
    number = int(re.findall(r"(?:row|sample) (\d+)", str(refused.value))[0])
    assert number - 1 in wrong or number in wrong


@pytest.mark.parametrize("given", ["targets", "labels"])
@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", "mae"])
def test_an_autoencoder_is_compared_with_its_input(
    keras: Any, loss: str, given: str, tmp_path: Path
) -> None:
    activation = "sigmoid" if loss == "binary_crossentropy" else None
    model = saved(keras, tmp_path / "m.keras", 6, activation, loss)
    x = RANDOM.uniform(0, 1, (40, 6)).astype("float32")
    wanted = float(model.evaluate(x, x, verbose=0))
    targets = x if given == "targets" else np.arange(40) % 10
    found = netsheet.load(tmp_path / "m.keras").evaluate(x, targets)
    assert found.loss == pytest.approx(wanted, rel=1e-5)
    assert ("autoencoder" in found.note) == (given == "labels")


def test_an_unknown_loss_is_named_and_none_is_made_up(keras: Any, tmp_path: Path) -> None:
    def own(true: Any, predicted: Any) -> Any:
        return keras.ops.mean((true - predicted) ** 4) if hasattr(keras, "ops") else predicted**4

    saved(keras, tmp_path / "m.keras", 4, "softmax", own)
    loaded = netsheet.load(tmp_path / "m.keras")
    found = loaded.evaluate(X, ONE_HOT)
    assert found.loss is None and found.loss_name is None
    assert "own" in found.note
    model = saved(keras, tmp_path / "mse.keras", 4, "softmax", "mse")
    wanted = float(model.evaluate(X, ONE_HOT, verbose=0))
    asked = netsheet.load(tmp_path / "mse.keras").evaluate(X, ONE_HOT, loss="mse")
    assert asked.loss == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(NetsheetError, match="own_loss"):
        loaded.evaluate(X, ONE_HOT, loss="own_loss")


def test_whole_numbers_and_fractions_have_one_loss(keras: Any, tmp_path: Path) -> None:
    """Features of a table, far from zero: the logits count, as Keras has it."""
    model = saved(keras, tmp_path / "m.h5", 1, "sigmoid", "binary_crossentropy")
    x = RANDOM.integers(0, 200, (40, 6))
    np.savez(tmp_path / "whole.npz", x=x, y=BITS)
    np.savez(tmp_path / "float.npz", x=x.astype("float32"), y=BITS)
    wanted = float(model.evaluate(x.astype("float32"), BITS, verbose=0))
    loaded = netsheet.load(tmp_path / "m.h5")
    for name in ("whole", "float"):
        found = loaded.evaluate(str(tmp_path / f"{name}.npz"))
        assert found.loss == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("form", ["npz", "folder", "file"])
@pytest.mark.parametrize("names", [("x", "y"), ("X_test", "y_test"), ("X", "Y")])
def test_arrays_with_labels_and_sample_weights(
    keras: Any, form: str, names: tuple[str, str], tmp_path: Path
) -> None:
    model = saved(keras, tmp_path / "m.keras", 4, "softmax", "sparse_categorical_crossentropy")
    weights = RANDOM.uniform(0.2, 2, 40).astype("float32")
    held = {names[0]: X, names[1]: CLASSES, "sample_weight": weights}
    np.savez(tmp_path / "all.npz", **held)  # type: ignore[arg-type]
    (tmp_path / "d").mkdir()
    for name, array in held.items():
        np.save(tmp_path / "d" / f"{name}.npy", array)
    spec = {"npz": "all.npz", "folder": "d", "file": f"d/{names[0]}.npy"}[form]
    wanted = float(model.evaluate(X, CLASSES, sample_weight=weights, verbose=0))
    found = netsheet.load(tmp_path / "m.keras").evaluate(str(tmp_path / spec))
    assert found.loss == pytest.approx(wanted, rel=1e-5)


# Each loss that is known as equations: outputs and targets that it is made for.
def _cases() -> dict[str, tuple[str, str]]:
    from netsheet.gradient import LOSSES

    kinds = {"hinge": ("any", "bits"), "squared_hinge": ("any", "signs"),
             "poisson": ("share", "share"), "kl_divergence": ("share", "share"),
             "categorical_hinge": ("any", "one-hot"),
             "mean_squared_logarithmic_error": ("share", "share")}  # fmt: skip
    return {
        name: kinds.get(
            name,
            ("any" if "logits" in name else "share", "bits" if "binary" in name else "one-hot")
            if "crossentropy" in name
            else ("any", "any"),
        )
        for name in LOSSES
    }


def _numbers(kind: str, seed: int) -> Any:
    numbers = np.random.default_rng(seed)
    if kind == "share":
        values = numbers.random((5, 3)) + 0.1
        values /= values.sum(-1, keepdims=True)
    elif kind == "bits":
        values = numbers.integers(0, 2, (5, 3))
    elif kind == "signs":
        values = 2 * numbers.integers(0, 2, (5, 3)) - 1
    elif kind == "one-hot":
        values = np.eye(3)[numbers.integers(0, 3, 5)]
    else:
        values = numbers.normal(size=(5, 3))
    return values.astype(np.float32)


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", list(_cases()))
def test_losses_as_equations(name: str, package: str) -> None:
    """The loss of a batch and its slope for every output, against Keras's own."""
    import tensorflow as tf

    from netsheet.engine.gradients import run_equations
    from netsheet.equations import Tensor
    from netsheet.gradient import gradients, loss_equations

    keras = pytest.importorskip(package)
    kinds = _cases()[name]
    p, y = _numbers(kinds[0], 1), _numbers(kinds[1], 2)
    output, target = (Tensor(label, ("class",), (3,)) for label in ("p", "y"))
    rows, scalar = loss_equations(name, output, target)
    found = gradients(rows, scalar, [output])
    slope = found.adjoints[output]
    ours = run_equations(found.equations, [output, target], [scalar, slope], {"p": p, "y": y})
    options = {"from_logits": True} if name.endswith("_from_logits") else {}
    title = "".join(w.capitalize() for w in name.removesuffix("_from_logits").split("_"))
    title = {"KlDivergence": "KLDivergence"}.get(title, title)
    loss = getattr(keras.losses, title)(**options)
    theirs = tf.Variable(p)
    with tf.GradientTape() as tape:
        value = loss(tf.constant(y), theirs)
    assert ours["loss"].mean() == pytest.approx(float(value), rel=1e-5, abs=1e-6)
    expected = np.asarray(tape.gradient(value, theirs)) * len(p)  # of each sample by itself
    assert np.abs(ours[slope.name] - expected).max() < 1e-5 * max(1, np.abs(expected).max())


MASKS = RANDOM.integers(0, 2, (40, 3, 4, 1)).astype("float32")
# Losses of masks, which batches have and their samples have not unless an axis is named.
OVERLAPS: dict[str, tuple[str, dict[str, Any]]] = {
    "dice": ("Dice", {}),
    "dice of each": ("Dice", {"axis": (1, 2, 3)}),
    "dice of each channel": ("Dice", {"axis": (0, 1, 2)}),
    "dice summed": ("Dice", {"reduction": "sum"}),
    "tversky": ("Tversky", {"alpha": 0.3, "beta": 0.7}),
    "tversky of each": ("Tversky", {"alpha": 0.3, "axis": (1, 2, 3)}),
}


@pytest.mark.parametrize("case", OVERLAPS)
def test_overlaps_of_masks(case: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    name, options = OVERLAPS[case]
    layers = [keras.Input((3, 4, 2)), keras.layers.Conv2D(1, 1, activation="sigmoid")]
    model = keras.Sequential(layers)
    model.compile(loss=getattr(keras.losses, name)(**options))
    x = RANDOM.normal(size=(40, 3, 4, 2)).astype("float32")
    wanted = model.evaluate(x, MASKS, verbose=0)
    model.save(tmp_path / "m.keras")
    network = netsheet.load(tmp_path / "m.keras")
    assert network.evaluate(x, MASKS).loss == pytest.approx(wanted, rel=1e-5)
    weights = RANDOM.uniform(size=40)
    if "each" in case and "channel" not in case:
        wanted = model.evaluate(x, MASKS, sample_weight=weights, verbose=0)
        found = network.evaluate(x, MASKS, sample_weight=weights)
        assert found.loss == pytest.approx(wanted, rel=1e-5)
    else:
        with pytest.raises(NetsheetError, match="all samples together"):
            network.evaluate(x, MASKS, sample_weight=weights)


@pytest.mark.parametrize("loss", ["BinaryCrossentropy", "CategoricalCrossentropy"])
def test_a_loss_along_another_axis_is_none(loss: str, keras: Any, tmp_path: Path) -> None:
    made = getattr(keras.losses, loss)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, activation="softmax")])
    for axis, found in ((0, False), (1, True)):
        model.compile(loss=made(axis=axis))
        model.save(path := tmp_path / "m.keras")
        result = netsheet.load(path).evaluate(X, ONE_HOT)
        assert (result.loss is not None) == found
        assert found or "along axis 0" in result.note
        if found:
            wanted = model.evaluate(X, ONE_HOT, verbose=0)
            assert result.loss == pytest.approx(wanted, rel=1e-5)


def test_rows_of_one_value_are_one_class(keras: Any, tmp_path: Path) -> None:
    """Keras then finds each of them right, whatever it is."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, activation="sigmoid")])
    metrics = [keras.metrics.CategoricalAccuracy(name="rows"),
               keras.metrics.TopKCategoricalAccuracy(1, name="first"),
               keras.metrics.SparseCategoricalAccuracy(name="numbers")]  # fmt: skip
    model.compile(loss="binary_crossentropy", metrics=metrics)
    wanted = model.evaluate(X, BITS, verbose=0, return_dict=True)
    model.save(path := tmp_path / "m.keras")
    found = netsheet.load(path).evaluate(X, BITS).metrics
    assert found == pytest.approx({name: wanted[name] for name in found}, rel=1e-6)
    assert set(found) == {"rows", "first", "numbers"} and found["rows"] == 1


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_weights_of_an_overlap_are_whole_numbers_in_keras_3(
    dtype: str | None, keras: Any, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, activation="softmax")])
    options = {} if dtype is None else {"dtype": dtype}
    metric = keras.metrics.OneHotIoU(4, [0, 2], name="two", **options)
    model.compile(loss="categorical_crossentropy", weighted_metrics=[metric])
    weights = RANDOM.uniform(0.2, 3, 40).astype("float32")
    wanted = model.evaluate(X, ONE_HOT, sample_weight=weights, verbose=0, return_dict=True)
    model.save(path := tmp_path / "m.keras")
    found = netsheet.load(path).evaluate(X, ONE_HOT, sample_weight=weights).metrics
    assert found["two"] == pytest.approx(wanted["two"], rel=1e-5)


def test_correlations(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    metrics = [keras.metrics.PearsonCorrelation(), keras.metrics.ConcordanceCorrelation(),
               keras.metrics.LogCoshError()]  # fmt: skip
    model.compile(loss="mse", metrics=metrics)
    y = RANDOM.normal(size=(40, 4))
    wanted = model.evaluate(X, y, verbose=0, return_dict=True)
    model.save(path := tmp_path / "m.keras")
    result = netsheet.load(path).evaluate(X, y)
    assert {"loss": result.loss, **result.metrics} == pytest.approx(wanted, rel=1e-5)


def test_classes_as_rows_are_said(keras: Any, tmp_path: Path) -> None:
    """Keras would stretch the numbers over the outputs, or refuse them."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, activation="softmax")])
    model.compile(loss="mse")
    wanted = model.evaluate(X, ONE_HOT, verbose=0)
    model.save(path := tmp_path / "m.keras")
    network = netsheet.load(path)
    result = network.evaluate(X, CLASSES)
    assert result.loss == pytest.approx(wanted, rel=1e-5) and "row with a one" in result.note
    assert not network.evaluate(X, ONE_HOT).note


def inside_others(keras: Any) -> dict[str, tuple[Any, bool]]:
    """Layers with others in them, which have penalties of their own; and if all are computed."""
    layers = keras.layers
    dense = layers.Dense(2, kernel_regularizer="l2", name="one")
    inner = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, kernel_regularizer="l1", name="a"),
         keras.Sequential([layers.Dense(2, bias_regularizer="l2", bias_initializer="ones")])]
    )  # fmt: skip
    cells = [layers.LSTMCell(3, kernel_regularizer="l2"), layers.GRUCell(4),
             layers.LSTMCell(2, recurrent_regularizer="l1")]  # fmt: skip
    both = layers.Bidirectional(
        layers.GRU(1, kernel_regularizer="l2", return_sequences=True),
        backward_layer=layers.GRU(1, bias_regularizer="l1", go_backwards=True,
                                  bias_initializer="ones", return_sequences=True),
    )  # fmt: skip
    return {
        "a layer": (layers.TimeDistributed(dense), True),
        "models in models": (layers.TimeDistributed(inner), True),
        "cells": (layers.RNN(cells, return_sequences=True), True),
        "two directions": (both, True),
        "an activity": (layers.Bidirectional(
            layers.GRU(1, activity_regularizer="l2", return_sequences=True)), False),
        "activities of heads": (layers.MultiHeadAttention(
            2, 3, output_shape=2, activity_regularizer="l2", kernel_regularizer="l1"),
            keras.__name__ == "tf_keras"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["a layer", "models in models", "cells", "two directions", "an activity",
     "activities of heads"],
)  # fmt: skip
def test_penalties_of_layers_in_layers(name: str, keras: Any, tmp_path: Path) -> None:
    layer, computed = inside_others(keras)[name]
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, layer(inputs, inputs) if "heads" in name else layer(inputs))
    model.compile(loss="mse")
    x = RANDOM.normal(size=(40, 5, 3)).astype("float32")
    y = RANDOM.normal(size=(40, 5, 2)).astype("float32")
    wanted = model.evaluate(x, y, verbose=0)
    model.save(path := tmp_path / "m.keras")
    found = netsheet.load(path).evaluate(x, y)
    if computed:
        assert found.loss == pytest.approx(wanted, rel=1e-5) and not found.note
    else:
        assert "lacks the penalties" in found.note and found.loss < wanted
