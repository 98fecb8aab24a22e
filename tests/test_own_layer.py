"""The documentation's own layer, run as it stands there, against real Keras."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.data.inputs import InputValue, Sample
from netsheet.errors import UnsupportedError
from netsheet.read.keras.assembly import REGISTERED

ROOT = Path(__file__).resolve().parent.parent
NAME = "retrieval>GeMPooling2D"


def block(kind: str) -> str:
    """A code block of the page."""
    page = (ROOT / "docs" / "adding-a-layer.md").read_text("utf-8")
    (code,) = re.findall(rf"```python {kind}\n(.*?)```", page, re.DOTALL)
    return str(code)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A file with the layer in it, an input, and what Keras computes."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    keras = pytest.importorskip("keras")
    space: dict[str, Any] = {}
    exec(block("keras"), space)
    inputs = keras.Input((6, 5, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = space["GeMPooling2D"](epsilon=1e-3, name="gem")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="dense")(x))
    model.get_layer("gem").set_weights([np.array([2.5], np.float32)])
    path = tmp_path_factory.mktemp("own") / "retrieval.keras"
    model.save(path)
    given = np.random.default_rng(1).normal(size=(2, 6, 5, 3)).astype(np.float32)
    parts = keras.Model(inputs, [layer.output for layer in model.layers[1:]])
    return path, given, [np.asarray(value) for value in parts(given)]


def test_unknown_class_opens_and_computes_what_comes_before(trained: Any) -> None:
    path, given, (conv, *_) = trained
    model = netsheet.load(path)
    assert model.layers["gem"].weights["0"].values == pytest.approx([2.5])
    values = model.activations(given)
    assert "gem" not in values and np.abs(values["conv"] - conv).max() < 1e-5
    with pytest.raises(UnsupportedError, match="GeMPooling2D"):
        model.predict(given)


def test_registered_class_computes_in_every_target(trained: Any, tmp_path: Path) -> None:
    path, given, expected = trained
    assert len(block("netsheet").splitlines()) < 60
    try:
        exec(block("netsheet"), {})
        model = netsheet.load(path)
        values = model.activations(given)
        for name, reference in zip(("conv", "gem", "dense"), expected, strict=True):
            assert np.abs(values[name] - reference).max() < 1e-5 * max(1, np.abs(reference).max())
        sample = Sample("x", {model.inputs[0].name: InputValue(given[0])})
        for target in ("excel", "c", "onnx"):
            verdict = model.verify(target, [sample])
            assert verdict.ok, (target, verdict.first_failure)
    finally:
        REGISTERED.pop(NAME, None)
