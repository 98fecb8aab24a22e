"""Tokens that a network has no row for are refused, wherever they come in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.data.datasets import read_dataset
from netsheet.engine.fitting import Plan, fit
from netsheet.engine.training import Trainer
from netsheet.errors import NetsheetError

ROWS = 5


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A look-up inside a model inside a model, as people wrap encoders."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    inner = keras.Sequential(
        [keras.Input((4,), dtype="int32"), layers.Embedding(ROWS, 3, name="table")], name="encoder"
    )
    given = keras.Input((4,), dtype="int32")
    model = keras.Model(given, layers.Dense(2)(layers.Flatten()(inner(given))))
    path = tmp_path_factory.mktemp("words") / "words.keras"
    model.save(path)
    return path, model


def _trained(model: Any, x: Any, folder: Path) -> object:
    return fit(Trainer(model, "mse", 2), x, np.zeros((2, 2)), Plan(epochs=1, batch=2, validation=0))


def _read(model: Any, x: Any, folder: Path) -> object:
    np.save(folder / "x.npy", x)
    return netsheet.read_input(f"{folder / 'x.npy'}#1", model)


def _set(model: Any, x: Any, folder: Path) -> object:
    np.savez(folder / "set.npz", x=x, y=np.zeros(2, int))
    return read_dataset(folder / "set.npz", model)


@pytest.mark.parametrize("token", [-1, ROWS, 1_000_000])
@pytest.mark.parametrize("used", [
    lambda model, x, folder: model.predict(x),
    lambda model, x, folder: model.activations(x),
    lambda model, x, folder: model.gradients(x, np.zeros((2, 2)), "mse"),
    lambda model, x, folder: model.evaluate(x, np.zeros((2, 2))),
    _trained, _read, _set,
])  # fmt: skip
def test_refused_as_by_keras(
    used: Callable[[Any, Any, Path], object], token: int, words: tuple[Path, Any], tmp_path: Path
) -> None:
    path, theirs = words
    x = np.array([[0, 1, 2, 3], [ROWS - 1, 0, token, 1]])
    if token > 0:  # Keras 3 takes -1 for the last row, Keras 2 refuses that as well
        with pytest.raises(Exception, match=f"= {token} is not in"):  # TensorFlow on a CPU
            theirs(x)
    with pytest.raises(NetsheetError, match=f"has {token} for .*table' has rows for 0 to 4"):
        used(netsheet.load(path), x, tmp_path)


def test_every_row_there_is_can_be_read(words: tuple[Path, Any]) -> None:
    path, theirs = words
    x = np.array([[0, 1, 2, 3], [ROWS - 1, 0, 1, 1]])
    assert np.abs(netsheet.load(path).predict(x) - np.asarray(theirs(x))).max() < 1e-5


def test_what_onnx_runtime_refuses_is_a_sentence(tmp_path: Path) -> None:
    """A token that the network computes is only known as it runs."""
    keras = pytest.importorskip("keras")
    given = keras.Input((2,), dtype="int32")
    model = keras.Model(given, keras.layers.Embedding(ROWS, 3)(given * 2))
    model.save(tmp_path / "twice.keras")
    ours = netsheet.load(tmp_path / "twice.keras")
    fitting = np.array([[0, 2]])
    assert np.abs(ours.predict(fitting) - np.asarray(model(fitting))).max() < 1e-6
    with pytest.raises(NetsheetError, match=r"cannot be computed for these values: .* bounds"):
        ours.predict(np.array([[0, 3]]))
