"""A failing layer is explained where float32 cannot do better, and only there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.data.inputs import InputValue, Sample
from netsheet.fidelity import LayerVerdict, Verdict
from netsheet.verify.explain import explained

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.mark.parametrize(("size", "expected"), [(1e6, "float32 itself is off"), (0.1, "")])
def test_note_on_lost_digits(tmp_path: Path, size: float, expected: str) -> None:
    keras: Any = pytest.importorskip("keras")
    random = np.random.default_rng(1)
    model = keras.Sequential(
        [keras.Input((400,)), keras.layers.Dense(30), keras.layers.ReLU(max_value=6, name="cut")]
    )
    # Every sum is near 3 after millions have cancelled.
    kernel = random.normal(size=(400, 30)) * size
    x = random.normal(size=400).astype("float32")
    kernel = kernel.astype("float32")
    bias = 3 - x.astype(float) @ kernel.astype(float)
    model.set_weights([kernel, bias.astype("float32")])
    model.save(tmp_path / "m.keras")
    ours = netsheet.load(tmp_path / "m.keras")
    sample = Sample("x", {ours.inputs[0].name: InputValue(x)})
    row = LayerVerdict("cut", 30, 1.0, 1.0, False)
    found = explained(ours, [sample], Verdict("c", "gcc", "ONNX Runtime", [row]))
    assert found.layers[0].note.startswith(expected) and not found.ok
    assert bool(found.layers[0].note) == bool(expected)
