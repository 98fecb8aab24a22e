"""Networks turned into int8, against TensorFlow's converter and TensorFlow Lite Micro."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet as ns
import warm_start
from netsheet.model import Model, QuantisedModel
from netsheet.read.tflite.file import StoredModel, StoredTensor, read_content
from tflite_checks import check_everywhere

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

COUNT = 40  # calibration samples


def _layers() -> Any:
    import keras

    return keras, keras.layers


def _mobile() -> Any:
    """Blocks as MobileNetV2 has them: scaled pixels, normalisation behind each convolution."""
    keras, L = _layers()
    given = L.Input((12, 12, 3))
    x = L.Rescaling(1 / 127.5, offset=-1)(given)
    x = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    for filters, stride in ((8, 2), (8, 1), (12, 2)):
        y = L.Conv2D(filters * 2, 1, use_bias=False)(x)
        y = L.ReLU(6.0)(L.BatchNormalization()(y))
        y = L.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(y)
        y = L.ReLU(6.0)(L.BatchNormalization()(y))
        y = L.BatchNormalization()(L.Conv2D(filters, 1, use_bias=False)(y))
        x = L.Add()([x, y]) if x.shape == y.shape else y
    x = L.Dropout(0.2)(L.GlobalAveragePooling2D()(x))
    return keras.Model(given, L.Dense(5, activation="softmax")(x))


def _sequence() -> Any:
    keras, L = _layers()
    return keras.Sequential([
        L.Input((20, 3)), L.Conv1D(8, 5, strides=2, activation="relu"), L.MaxPooling1D(2),
        L.Conv1D(4, 3, padding="same"), L.LeakyReLU(0.2), L.GlobalMaxPooling1D(), L.Dense(3),
    ])  # fmt: skip


def _functions() -> Any:
    keras, L = _layers()
    return keras.Sequential([
        L.Input((9, 11, 2)), L.Conv2D(6, 3, padding="same", activation="sigmoid"),
        L.AveragePooling2D(3, 2, padding="same"), L.SeparableConv2D(7, 3, activation="tanh"),
        L.BatchNormalization(), L.Activation("elu"), L.Flatten(), L.Dense(8, activation="relu"),
        L.Dense(1, activation="sigmoid"),
    ])  # fmt: skip


def _branches() -> Any:
    keras, L = _layers()
    given = L.Input((8, 8, 3))
    a = L.Conv2D(4, 3, padding="same", activation="relu")(given)
    b = L.Conv2D(4, 5, padding="same", activation="relu6")(given)
    x = L.Concatenate()([a, b, L.Multiply()([a, b])])
    x = L.Cropping2D(1)(L.UpSampling2D(2)(x))
    x = L.Conv2D(4, 1)(L.ZeroPadding2D(((1, 0), (0, 1)))(x))
    x = L.Permute((3, 1, 2))(L.PReLU(shared_axes=[1, 2])(x))
    return keras.Model(given, L.Dense(2, activation="softmax")(L.Reshape((-1,))(x)))


def _upwards() -> Any:
    keras, L = _layers()
    return keras.Sequential([
        L.Input((6, 6, 2)), L.Conv2DTranspose(4, 3, strides=2, padding="same"), L.ReLU(),
        L.UpSampling2D(2, interpolation="bilinear"), L.Conv2D(1, 3),
    ])  # fmt: skip


NETWORKS: dict[str, Callable[[], Any]] = {
    "mobile": _mobile, "sequence": _sequence, "functions": _functions, "branches": _branches,
    "upwards": _upwards,
}  # fmt: skip


def _given(name: str, folder: Path) -> tuple[Model, Any, np.ndarray]:
    """The network with random weights, as netsheet and as Keras have it, and samples."""
    pytest.importorskip("keras")
    random = np.random.default_rng(3)
    keras_model = NETWORKS[name]()
    for weight in keras_model.weights:
        low, high = (0.5, 2.0) if "variance" in weight.path else (-0.6, 0.6)
        weight.assign(random.uniform(low, high, weight.shape))
    path = folder / f"{name}.h5"
    keras_model.save(path)
    model = ns.load(path)
    x = random.uniform(-1, 1, (COUNT, *model.inputs[0].shape)).astype(np.float32)
    return model, keras_model, x * (255 if name == "mobile" else 1)


def _converted(keras_model: Any, x: np.ndarray) -> bytes:
    """The same network by TensorFlow's converter, calibrated on the same samples."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[None]] for one in x)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def _kernels(model: StoredModel) -> list[StoredTensor]:
    """Kernels and biases, in the order of the operators that read them."""
    operators = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
    return [
        model.tensors[n]
        for op in model.operators
        if op.name in operators
        for n in op.inputs
        if n >= 0 and model.tensors[n].values is not None and model.tensors[n].quantised
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_and_scales_are_the_converters(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow")
    model, keras_model, x = _given(name, tmp_path)
    ours = read_content(model.quantise(x).quantised.content)
    theirs = read_content(_converted(keras_model, x))
    left = _kernels(theirs)
    for tensor in _kernels(ours):
        alike = [other for other in left if other.shape == tensor.shape]
        assert alike, f"{tensor.name} {tensor.shape}"
        off = [np.abs(tensor.values.astype(int) - other.values.astype(int)) for other in alike]
        best = min(range(len(off)), key=lambda n: int(off[n].sum()))
        # a normalisation is folded in float32: here and there a weight lies on a half
        limit = max(1, int(1e-4 * np.abs(tensor.values.astype(int)).max()))
        assert off[best].max() <= limit and (off[best] > 0).mean() <= 0.1, tensor.name
        left.remove(alike[best])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_is_what_tensorflow_lite_micro_computes(name: str, tmp_path: Path) -> None:
    model, _, x = _given(name, tmp_path)
    quantised = model.quantise(x)
    assert quantised.quantised.real == ()
    assert check_everywhere(quantised) > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_the_real_file_is_what_keras_computes(name: str, tmp_path: Path) -> None:
    """Lowered, folded and fused, but not quantised: TensorFlow's own interpreter on the file."""
    tf = pytest.importorskip("tensorflow")
    model, keras_model, x = _given(name, tmp_path)
    model.to_tflite(tmp_path / "real.tflite")
    runner = tf.lite.Interpreter(model_path=str(tmp_path / "real.tflite"))
    runner.allocate_tensors()
    runner.set_tensor(runner.get_input_details()[0]["index"], x[:1])
    runner.invoke()
    found = runner.get_tensor(runner.get_output_details()[0]["index"])
    wanted = np.asarray(keras_model(x[:1]))
    assert np.abs(found - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())


def test_the_seed_is_the_converters_and_holds_its_accuracy(shared: Path) -> None:
    """Both calibrated on the same 200 digits."""
    pytest.importorskip("tensorflow")
    from netsheet.data.datasets import read_dataset

    model = ns.load(shared / "seed/my_model_channels_last.h5")
    data = read_dataset(shared / "data/mnist", model)
    quantised = model.quantise(data.x[:200])
    known = _kernels(read_content((shared / "models/tflite/made/seed_int8.tflite").read_bytes()))
    ours = _kernels(read_content(quantised.quantised.content))
    assert [t.shape for t in ours] == [t.shape for t in known]
    assert all((a.values == b.values).all() for a, b in zip(ours, known, strict=True))
    accuracy = quantised.evaluate(data.x, data.y).accuracy
    assert accuracy is not None and accuracy >= 0.980


def test_layers_that_stay_real(tmp_path: Path) -> None:
    """Real numbers between whole ones: TensorFlow's interpreter computes the mixed file."""
    tf = pytest.importorskip("tensorflow")
    model, _, x = _given("sequence", tmp_path)
    key = model.nodes[2].key  # between two layers in int8
    mixed = model.quantise(x, real=[key], real_ends=True)
    assert mixed.quantised.real == (key,)
    assert mixed.inputs[0].dtype == "float32"
    runner = tf.lite.Interpreter(
        model_content=mixed.quantised.content,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    runner.allocate_tensors()
    runner.set_tensor(runner.get_input_details()[0]["index"], x[:1])
    runner.invoke()
    found = runner.get_tensor(runner.get_output_details()[0]["index"])
    wanted = model.predict(x[:1])
    # the reference kernels round once where Micro rounds twice: a few steps apart
    assert np.abs(found - mixed.predict(x[:1])).max() <= 0.02 * np.abs(wanted).max()
    assert np.abs(found - wanted).max() <= 0.1 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda L: [L.Input((5, 3)), L.LSTM(4)], "lstm.*LSTM"),
        (lambda L: [L.Input((4, 4, 3)), L.Softmax(axis=1)], "along axis 0"),
        (lambda L: [L.Input((4, 4, 4)), L.UnitNormalization()], "UnitNormalization"),
    ],
)
def test_what_has_no_form_is_refused_by_name(
    build: Callable[[Any], list[Any]], message: str, tmp_path: Path
) -> None:
    keras = pytest.importorskip("keras")
    keras.Sequential(build(keras.layers)).save(tmp_path / "net.h5")
    model = ns.load(tmp_path / "net.h5")
    with pytest.raises(ns.NetsheetError, match=message):
        model.quantise(np.zeros((2, *model.inputs[0].shape), np.float32))


def test_bad_samples_are_refused(tmp_path: Path) -> None:
    model, _, x = _given("sequence", tmp_path)
    with pytest.raises(ns.NetsheetError, match="NaN"):
        model.quantise(np.where(x > 0.9, np.nan, x))
    with pytest.raises(ns.NetsheetError, match="there is no layer 'conv9'"):
        model.quantise(x, real=["conv9"])
    with pytest.raises(ns.NetsheetError, match="quantised already"):
        quantised = model.quantise(x)
        assert isinstance(quantised, QuantisedModel)
        quantised.quantise(np.zeros((1, *model.inputs[0].shape), np.float32))
    # nothing but zeros: ranges without an extent, which any scale covers
    assert not np.isnan(model.quantise(np.zeros_like(x)).predict(x)).any()


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return warm_start.netsheet(*arguments)


def test_the_command_line(tmp_path: Path) -> None:
    model, _, x = _given("sequence", tmp_path)
    np.savez(tmp_path / "set.npz", x=x, y=np.arange(COUNT) % 3)
    base = ["quantise", tmp_path / "sequence.h5", "--calibrate", tmp_path / "set.npz"]
    told = _run(*base, "-o", tmp_path / "net.tflite", "--json", "--plot", tmp_path / "r.png")
    assert told.returncode == 0, told.stderr
    said = json.loads(told.stdout)
    assert (tmp_path / "r.png").read_bytes()[:4] == b"\x89PNG"
    assert {row["layer"] for row in said["layers"]} <= {node.key for node in model.nodes}
    assert all(row["snr_db"] is None or row["snr_db"] > 10 for row in said["layers"])
    opened = ns.load(tmp_path / "net.tflite")
    assert opened.inputs[0].dtype == "int8"
    for name in ("net.bin", "net.h5"):
        wrong = _run(*base, "-o", tmp_path / name)
        assert wrong.returncode == 2 and ".tflite, .onnx or .nsq.h5" in wrong.stderr


def test_the_report_as_a_picture(tmp_path: Path) -> None:
    """The bars are as long as the numbers say, those that hurt in another colour."""
    from PIL import Image

    from netsheet.write.pictures.noise import BAD, GOOD, ROW, TOP, NoiseBar, draw_noise

    bars = [NoiseBar("conv", 40.0, 0.0), NoiseBar("tanh", 20.0, 0.012),
            NoiseBar("畳み込み", 5.0, 0, True), NoiseBar("flat", math.inf, 0.0)]  # fmt: skip
    draw_noise(tmp_path / "report.png", bars, "dB", "cut off", "accuracy 0.98")
    pixels = np.asarray(Image.open(tmp_path / "report.png").convert("RGB"))
    lengths = []
    for number, colour in enumerate((GOOD, GOOD, BAD, GOOD)):
        line = pixels[TOP + ROW * number + ROW // 2]
        lengths.append(int((line == np.array(colour)).all(axis=1).sum()))
    assert lengths[0] == pytest.approx(2 * lengths[1], abs=2)
    assert lengths[1] == pytest.approx(4 * lengths[2], abs=8)
    assert lengths[3] >= lengths[0]
