"""Networks with channels in front, and convolutions in groups, turned into int8."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet as ns
from netsheet.model import Model
from netsheet.read.tflite.file import read_content
from netsheet.write.tflite.comparison import layer_noise
from tflite_checks import check_everywhere

keras = pytest.importorskip("keras")
L = keras.layers
FRONT = {"data_format": "channels_first"}


def _residual() -> Any:
    given = L.Input((3, 10, 8))
    x = L.ZeroPadding2D(((0, 1), (1, 0)), **FRONT)(given)
    x = L.Conv2D(8, 3, strides=2, use_bias=False, **FRONT)(x)
    x = L.ReLU()(L.BatchNormalization(axis=1)(x))
    y = L.DepthwiseConv2D(3, padding="same", activation="relu6", **FRONT)(x)
    y = L.BatchNormalization(axis=1)(L.Conv2D(8, 1, **FRONT)(y))
    x = L.Concatenate(axis=1)([L.Add()([x, y]), L.Multiply()([x, y])])
    x = L.AveragePooling2D(2, **FRONT)(x)
    x = L.GlobalAveragePooling2D(**FRONT)(x)
    return keras.Model(given, L.Dense(4, activation="softmax")(x))


def _flat() -> Any:
    """Flattened as the values lie, which depends on the order of axes."""
    return keras.Sequential([
        L.Input((2, 9, 7)), L.Conv2D(4, 3, activation="tanh", **FRONT), L.MaxPooling2D(2, **FRONT),
        L.Flatten(), L.Dense(5, activation="relu"), L.Dense(3, activation="softmax"),
    ])  # fmt: skip


def _moved() -> Any:
    """Flattened with the channels moved to the end, as Keras has it."""
    return keras.Sequential([
        L.Input((2, 9, 7)), L.SeparableConv2D(4, 3, padding="same", **FRONT), L.LeakyReLU(),
        L.Cropping2D(1, **FRONT), L.Flatten(**FRONT), L.Dense(3),
    ])  # fmt: skip


def _maps() -> Any:
    """Maps at the end, and a softmax along the last axis, which is not that of the channels."""
    return keras.Sequential([
        L.Input((3, 6, 6)), L.UpSampling2D(2, **FRONT),
        L.Conv2D(4, 3, activation="softmax", **FRONT),
    ])  # fmt: skip


def _groups() -> Any:
    return keras.Sequential([
        L.Input((8, 8, 4)), L.Conv2D(8, 3, groups=2, activation="relu"),
        L.Conv2D(8, 3, groups=4, padding="same"), L.GlobalMaxPooling2D(), L.Dense(3),
    ])  # fmt: skip


NETWORKS: dict[str, Callable[[], Any]] = {
    "residual": _residual, "flat": _flat, "moved": _moved, "maps": _maps, "groups": _groups,
}  # fmt: skip


def _given(name: str, folder: Path) -> tuple[Model, np.ndarray]:
    random = np.random.default_rng(5)
    network = NETWORKS[name]()
    for weight in network.weights:
        low, high = (0.5, 2.0) if "variance" in weight.path else (-0.6, 0.6)
        weight.assign(random.uniform(low, high, weight.shape))
    network.save(folder / "net.keras")
    model = ns.load(folder / "net.keras")
    return model, random.uniform(-1, 1, (40, *model.inputs[0].shape)).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_real_file_computes_the_network(name: str, tmp_path: Path) -> None:
    """TensorFlow's own interpreter on the file, ONNX Runtime on the network as it was."""
    tf = pytest.importorskip("tensorflow")
    model, x = _given(name, tmp_path)
    model.to_tflite(tmp_path / "real.tflite")
    interpreter = tf.lite.Interpreter(str(tmp_path / "real.tflite"))
    interpreter.allocate_tensors()
    wanted = model.predict(x)
    for one, right in zip(x, wanted, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], one[None])
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        assert found.shape == (1, *right.shape)
        assert np.abs(found[0] - right).max() <= 1e-5 * max(1, np.abs(wanted).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_int8_is_near_and_computed_to_the_last_bit(name: str, tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro")
    model, x = _given(name, tmp_path)
    made = model.quantise(x)
    assert made.quantised.real == ()
    assert check_everywhere(made) > 0
    rows = layer_noise(model, made.quantised, {model.inputs[0].name: x})
    assert len(rows) >= 2
    assert min(row.decibels for row in rows) > 15, rows  # orders of axes are not mixed up
    assert made.predict(x).shape == model.predict(x).shape


@pytest.mark.parametrize(
    ("name", "left"), [("residual", 1), ("flat", 1), ("moved", 1), ("maps", 3)]
)
def test_transpositions_undo_each_other(name: str, left: int, tmp_path: Path) -> None:
    """That of the input stays, and those around a softmax along another axis."""
    model, _ = _given(name, tmp_path)
    model.to_tflite(tmp_path / "real.tflite")
    operators = read_content((tmp_path / "real.tflite").read_bytes()).operators
    assert [op.name for op in operators].count("TRANSPOSE") <= left


def test_the_published_network_with_channels_in_front(shared: Path) -> None:
    """The same kernels as the twin with channels last has, which TensorFlow converted."""
    from netsheet.data.datasets import read_dataset
    from test_quantise import _kernels

    model = ns.load(shared / "seed/my_model.h5")
    data = read_dataset(shared / "data/mnist", model, limit=2000)
    made = model.quantise(data.x[:200])
    known = _kernels(read_content((shared / "models/tflite/made/seed_int8.tflite").read_bytes()))
    ours = _kernels(read_content(made.quantised.content))
    for one, other in zip(ours[:-2], known[:-2], strict=True):  # the dense one flattens otherwise
        if one.values.dtype == np.int8:
            assert np.array_equal(one.values, other.values), one.name
    assert np.array_equal(np.sort(ours[-2].values.ravel()), np.sort(known[-2].values.ravel()))
    assert made.evaluate(data.x, data.y).accuracy >= 0.97
    # a picture is given to the file as to the network that it was made of
    assert made.inputs[0].axes == model.inputs[0].axes == ("channel", "height", "width")
    picture = ns.read_input(shared / "seed/digit5.png", made)
    assert made.predict(picture.arrays[0][np.newaxis]).argmax() == 5
