"""Files of Keras 1 and of cuDNN layers, made from Keras 2's and read by both."""

from __future__ import annotations

import json
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


def _replaced(path: Path, arrays: Arrays, **attributes: str) -> None:
    """The file with the arrays of its layers, in order, exchanged; and with other attributes."""
    rest = list(arrays)
    with h5py.File(path, "r+") as file:
        group = file["model_weights"]
        for holder in (file, group):
            for key, value in attributes.items():
                holder.attrs[key] = value
        for layer in group.attrs["layer_names"]:
            for name in group[layer].attrs["weight_names"]:
                del group[layer][name]
                group[layer][name] = rest.pop(0)
    assert not rest


def _wrapped(tf_keras: Any, make: Callable[[], Any], shape: tuple[int, ...], how: str) -> Any:
    """A model of one layer, as it is or inside something."""
    layers, inputs = tf_keras.layers, tf_keras.Input(shape)
    if how == "plain":
        return tf_keras.Model(inputs, make()(inputs))
    if how == "bidirectional":
        return tf_keras.Model(inputs, layers.Bidirectional(make())(inputs))
    if how == "in time":
        more = tf_keras.Input((2, *shape))
        return tf_keras.Model(more, layers.TimeDistributed(make())(more))
    own = tf_keras.Input(shape)
    inner = tf_keras.Model(own, layers.Activation("tanh")(make()(own)), name="inner")
    if how == "nested":
        return tf_keras.Model(inputs, inner(inputs))
    if how == "twice nested":
        outer = tf_keras.Model(own, inner(own), name="outer")
        return tf_keras.Model(inputs, outer(inputs))
    more = tf_keras.Input((2, *shape))
    return tf_keras.Model(more, layers.TimeDistributed(inner)(more))


def _cudnn(arrays: Arrays) -> Arrays:
    """Kernel, recurrent kernel and bias as CuDNN lays them out, of each layer in turn."""
    made: Arrays = []
    random = np.random.default_rng(5)
    for kernel, recurrent, bias in zip(arrays[::3], arrays[1::3], arrays[2::3], strict=True):
        count = recurrent.shape[1] // recurrent.shape[0]
        blocks = [part.reshape(part.shape[::-1]).T for part in np.split(kernel, count, axis=1)]
        made.append(np.concatenate([b.T.reshape(b.shape) for b in blocks], axis=1))
        made.append(np.concatenate([p.T for p in np.split(recurrent, count, axis=1)], axis=1))
        both = bias.reshape(-1) if bias.ndim == 2 else random.standard_normal(2 * bias.size)
        made.append(both.astype("f4"))
    return made


@pytest.mark.parametrize("how", ["plain", "bidirectional", "nested", "twice nested", "in time",
                                 "nested in time"])  # fmt: skip
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_cudnn_gates_at_every_depth(kind: str, how: str, tmp_path: Path) -> None:
    """tf_keras converts the same arrays, loaded into the same network of LSTM or GRU."""
    tf_keras = pytest.importorskip("tf_keras")
    keras = _wrapped(tf_keras, lambda: getattr(tf_keras.layers, kind)(3), (4, 2), how)
    random = np.random.default_rng(2)
    keras.set_weights([random.standard_normal(w.shape) for w in keras.get_weights()])
    keras.save(path := tmp_path / "old.h5")
    _replaced(path, _cudnn(keras.get_weights()))
    expected = tf_keras.models.load_model(path)
    with h5py.File(path, "r+") as file:
        config = file.attrs["model_config"]
        file.attrs["model_config"] = config.replace(f'"{kind}"', f'"CuDNN{kind}"')
    x = random.standard_normal((3, *keras.input_shape[1:])).astype("f4")
    model = netsheet.load(path)
    np.testing.assert_allclose(model.predict(x), expected.predict(x, verbose=0), atol=1e-5)


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any], int]] = {
    "Conv1D": ((6, 2), lambda layers: layers.Conv1D(3, 3), 1),
    "Conv2D": ((6, 5, 2), lambda layers: layers.Conv2D(3, (2, 3)), 1),
    "Conv3D": ((4, 5, 6, 2), lambda layers: layers.Conv3D(3, (2, 3, 2)), 1),
    "Conv2DTranspose": ((4, 4, 2), lambda layers: layers.Conv2DTranspose(3, (2, 3)), 1),
    "ConvLSTM2D": ((3, 5, 5, 2), lambda layers: layers.ConvLSTM2D(2, (2, 3)), 2),
    "Dense": ((5,), lambda layers: layers.Dense(3), 0),
}


@pytest.mark.parametrize("how", ["plain", "nested", "twice nested", "in time", "nested in time"])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_kernels_of_theano_at_every_depth(kind: str, how: str, tmp_path: Path) -> None:
    """A file that says theano holds kernels turned by 180 degrees along every axis of space."""
    tf_keras = pytest.importorskip("tf_keras")
    shape, make, kernels = CONVOLUTIONS[kind]
    keras = _wrapped(tf_keras, lambda: make(tf_keras.layers), shape, how)
    random = np.random.default_rng(2)
    keras.set_weights([random.standard_normal(w.shape) for w in keras.get_weights()])
    keras.save(path := tmp_path / "old.h5")
    arrays = keras.get_weights()
    turned = [np.flip(a, tuple(range(a.ndim - 2))) for a in arrays[:kernels]]
    _replaced(path, [*turned, *arrays[kernels:]], backend="theano", keras_version="2.1.6")
    x = random.standard_normal((2, *keras.input_shape[1:])).astype("f4")
    expected = keras.predict(x, verbose=0)
    np.testing.assert_allclose(netsheet.load(path).predict(x), expected, atol=1e-5, rtol=1e-5)


def test_bidirectional_of_keras_1(tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    keras = _wrapped(tf_keras, lambda: tf_keras.layers.LSTM(3), (4, 2), "bidirectional")
    random = np.random.default_rng(2)
    keras.set_weights([random.standard_normal(w.shape) for w in keras.get_weights()])
    keras.save(path := tmp_path / "old.h5")
    arrays, split = keras.get_weights(), gates([0, 2, 1, 3])
    _as_keras_1(path, [*split(arrays[:3]), *split(arrays[3:])])
    x = random.standard_normal((2, 4, 2)).astype("f4")
    np.testing.assert_allclose(
        netsheet.load(path).predict(x), keras.predict(x, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_modes_of_batch_normalization_in_keras_1(mode: int, tmp_path: Path) -> None:
    """Keras 2 refuses modes 1 and 2 too (legacy/interfaces.py)."""
    tf_keras = pytest.importorskip("tf_keras")
    keras = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.BatchNormalization()])
    keras.save(path := tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1]["config"]["mode"] = mode
        file.attrs["model_config"] = json.dumps(config)
    _as_keras_1(path, keras.get_weights())
    (node,) = netsheet.load(path).nodes
    assert (node.refusal is None) == (mode == 0)


@pytest.mark.parametrize("make", [
    lambda k: [k.layers.Dense(4, activation=k.layers.PReLU())],
    lambda k: [k.layers.Conv1D(4, 2, activation=k.layers.PReLU(shared_axes=[1]))],
    lambda k: [k.layers.Conv1D(4, 2, activation=k.layers.BatchNormalization())],
    lambda k: [k.layers.TimeDistributed(k.layers.Dense(3, activation=k.layers.PReLU()))],
    lambda k: [k.layers.Dense(4, activation=k.layers.LeakyReLU(0.3))],
])  # fmt: skip
def test_an_activation_with_weights(make: Callable[[Any], Any], tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    keras = tf_keras.Sequential([tf_keras.Input((5, 3)), *make(tf_keras)])
    random = np.random.default_rng(2)
    keras.set_weights([np.abs(random.standard_normal(w.shape)) for w in keras.get_weights()])
    keras.save(path := tmp_path / "m.h5")
    x = random.standard_normal((2, 5, 3)).astype("f4")
    expected = keras.predict(x, verbose=0)
    np.testing.assert_allclose(netsheet.load(path).predict(x), expected, atol=1e-5, rtol=1e-5)
