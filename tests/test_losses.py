"""Loss and accuracy of compiled models against what Keras evaluates."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet

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
