"""Files of Keras 1 and of cuDNN layers, made from Keras 2's and read by both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import netsheet

Arrays = list[np.ndarray[Any, Any]]


def gates(order: Sequence[int]) -> Callable[[Arrays], Arrays]:
    """Kernel, recurrent kernel and bias as one array each for every gate, in another order."""

    def split(arrays: Arrays) -> Arrays:
        parts = [np.split(array, len(order), axis=-1) for array in arrays]
        return [part[gate] for gate in order for part in parts]

    return split


OLD: dict[str, tuple[Callable[[Any], Any], Callable[[Arrays], Arrays]]] = {
    "LSTM": (lambda layers: layers.LSTM(3), gates([0, 2, 1, 3])),
    "GRU": (lambda layers: layers.GRU(3, reset_after=False), gates([0, 1, 2])),
    "Conv1D": (
        lambda layers: layers.Conv1D(4, 2),
        lambda arrays: [arrays[0][:, None].transpose(3, 2, 0, 1), *arrays[1:]],
    ),
}


@pytest.mark.parametrize("name", OLD)
def test_weights_of_keras_1_are_those_that_keras_2_reads(name: str, tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    make, older = OLD[name]
    model = tf_keras.Sequential([tf_keras.Input((5, 4)), make(tf_keras.layers)])
    model.build()
    random = np.random.default_rng(1)
    model.set_weights([random.standard_normal(w.shape) for w in model.get_weights()])
    path = tmp_path / "old.h5"
    model.save(path)
    _as_keras_1(path, older(model.get_weights()))

    x = random.standard_normal((2, 5, 4)).astype("float32")
    expected = tf_keras.models.load_model(path).predict(x, verbose=0)
    np.testing.assert_allclose(netsheet.load(path).predict(x), expected, atol=1e-5)


def _as_keras_1(path: Path, arrays: Arrays) -> None:
    """Replaces the only layer's arrays; no version means version 1."""
    with h5py.File(path, "r+") as file:
        group = file["model_weights"]
        for holder in (file, group):
            del holder.attrs["keras_version"]
        layer = next(
            group[name]
            for name in group.attrs["layer_names"]
            if len(group[name].attrs["weight_names"])
        )
        for name in list(layer):
            del layer[name]
        names = [f"part_{number}" for number in range(len(arrays))]
        layer.attrs["weight_names"] = names
        for name, array in zip(names, arrays, strict=True):
            layer[name] = array.astype("float32")


def test_attention_before_keras_2_10_heeds_no_carried_mask() -> None:
    path = Path(__file__).parent / "keras_files" / "masked_attention_2_9.h5"
    with np.load(path.with_suffix(".npz")) as stored:
        found = netsheet.load(path).predict(stored["x"])
        for number, value in enumerate(found):
            expected = stored[f"y{number}"]
            assert np.abs(value - expected).max() <= 1e-5 * max(1, np.abs(expected).max())
