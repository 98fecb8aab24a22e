"""Which inputs are scaled by 1/255 and which are not, from the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from test_cli import output

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def activation(model: Any, array: np.ndarray[Any, Any], folder: Path) -> Any:
    """The last layer's output as the command writes it for a file of whole numbers."""
    model.save(folder / "m.keras")
    np.save(folder / "x.npy", array)
    from test_cli import run

    run("activations", folder / "m.keras", "-i", folder / "x.npy", "-o", folder / "a.npz")
    with np.load(folder / "a.npz") as found:
        return found[found.files[-1]]


def test_tokens_are_never_scaled(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(9, 3)])
    tokens = np.array([1, 8, 0, 3])
    found = activation(model, tokens, tmp_path)
    assert found == pytest.approx(np.asarray(model(tokens[None])))


@pytest.mark.parametrize(("factor", "expected"), [(1 / 127.5, 1.0), (2.0, 2 / 255)])
def test_pixels_are_left_to_a_network_that_scales_them(
    keras: Any, tmp_path: Path, factor: float, expected: float
) -> None:
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Rescaling(factor)])
    pixels = np.full((2, 2, 1), 255 if factor < 1 else 1)
    found = activation(model, pixels, tmp_path)
    assert found == pytest.approx(np.full((1, 2, 2, 1), 2.0 if factor < 1 else expected), rel=1e-6)


def test_pixels_are_scaled_otherwise(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    found = activation(model, np.full((2, 2, 1), 51), tmp_path)
    assert found == pytest.approx(np.full((1, 4), 0.2))
    assert output("summary", tmp_path / "m.keras")["total_params"] == 0
