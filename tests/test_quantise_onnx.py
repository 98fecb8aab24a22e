"""Networks read from ONNX turned into int8: what PyTorch exports, and nodes one by one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import netsheet as ns
from netsheet.model import Model
from onnx_models import Network
from tflite_checks import check_everywhere

EXPORTS = Path(__file__).parent / "onnx_files/pytorch.zip"


def exported(name: str, folder: Path) -> Model:
    """A file of PyTorch's exporters, with the sizes of its sample."""
    with zipfile.ZipFile(EXPORTS) as files:
        (folder / "net.onnx").write_bytes(files.read(f"{name}.onnx"))
        kept = np.load(io.BytesIO(files.read(f"{name.split('.')[0]}.npz")))
    model = ns.load(folder / "net.onnx")
    return model if model.bound else model.bind([kept[kept.files[0]].shape[1:]])


def nodes_of_all_kinds() -> onnx.ModelProto:
    net = Network()
    x = net.node("Pad", ["input", net.stored("pads", np.array([0, 0, 1, 0, 0, 0, 0, 1]))], "pad")
    x = net.node("Conv", [x, net.weight("k1", 6, 3, 3, 3)], "conv1", strides=[2, 2])
    x = net.node("Add", [x, net.weight("b1", 6, 1, 1)], "bias")
    x = net.node("Relu", [x], "relu")
    y = net.node("Conv", [x, net.weight("k2", 6, 1, 3, 3), net.weight("b2", 6)], "depthwise",
                 group=6, pads=[1, 1, 1, 1])  # fmt: skip
    y = net.node("Mul", [net.weight("scale", 1, 6, 1, 1), y], "scaled")
    y = net.node("Sub", [net.weight("one", 1), y], "reversed")
    y = net.node("Clip", [y, net.stored("low", np.float32(0)), net.stored("high", np.float32(6))],
                 "clip")  # fmt: skip
    x = net.node("Concat", [net.node("Sub", [x, y], "sub"), y], "concat", axis=1)
    x = net.node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1])
    x = net.node("Transpose", [x], "turned", perm=[0, 2, 3, 1])
    x = net.node("Flatten", [x], "flat")
    x = net.node("MatMul", [x, net.weight("w", 48, 8)], "product")
    x = net.node("Add", [x, net.weight("b3", 8)], "summand")
    x = net.node("Div", [x, net.stored("three", np.float32(3))], "third")
    x = net.node("LeakyRelu", [x], "leaky", alpha=0.1)
    x = net.node("Gemm", [x, net.weight("fc.w", 4, 8), net.weight("fb", 4)], "fc", transB=1,
                 alpha=0.5, beta=2.0)  # fmt: skip
    net.node("Softmax", [x], "prob", axis=-1)
    return net.model({"input": [1, 3, 9, 9]}, ["prob"], 17)


def given(model: Model, count: int = 24) -> np.ndarray:
    random = np.random.default_rng(4)
    return random.standard_normal((count, *model.inputs[0].shape)).astype(np.float32)


def check(model: Model, folder: Path) -> None:
    """The file of real numbers by TensorFlow's interpreter against ONNX Runtime on the ONNX file;
    the quantised one against TensorFlow Lite Micro."""
    import onnxruntime

    tf = pytest.importorskip("tensorflow")
    x = given(model)
    session = onnxruntime.InferenceSession(folder / "net.onnx")
    wanted = session.run(None, {session.get_inputs()[0].name: x[:1]})[0]
    model.to_tflite(folder / "real.tflite")
    interpreter = tf.lite.Interpreter(str(folder / "real.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x[:1])
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-5 * max(1, np.abs(wanted).max())
    made = model.quantise(x)
    assert made.quantised.real == ()
    assert check_everywhere(made, c=False) > 0
    scale = max(1.0, float(np.abs(wanted).max()))
    assert np.abs(np.asarray(made.predict(x[:1])) - wanted).max() < 0.1 * scale


@pytest.mark.parametrize("name", ["mobile.script17", "mobile.dynamo18", "viewed.script9"])
def test_what_pytorch_exports(name: str, tmp_path: Path) -> None:
    check(exported(name, tmp_path), tmp_path)


def test_nodes_of_all_kinds(tmp_path: Path) -> None:
    onnx.save(nodes_of_all_kinds(), tmp_path / "net.onnx")
    check(ns.load(tmp_path / "net.onnx"), tmp_path)


def test_the_first_layers_of_a_resnet(tmp_path: Path) -> None:
    """Poolings with padding on both sides, as PyTorch has them: of values that are not negative."""
    net = Network()
    x = net.node("Conv", ["input", net.weight("k", 4, 3, 3, 3)], "conv", pads=[1, 1, 1, 1])
    x = net.node("MaxPool", [net.node("Relu", [x], "relu")], "largest", kernel_shape=[3, 3],
                 strides=[2, 2], pads=[1, 1, 1, 1])  # fmt: skip
    x = net.node("AveragePool", [x], "mean", kernel_shape=[2, 3], pads=[1, 0, 0, 1],
                 count_include_pad=1)  # fmt: skip
    net.node("Conv", [x, net.weight("k2", 2, 4, 1, 1)], "last")
    onnx.save(net.model({"input": [1, 3, 8, 8]}, ["last"], 17), tmp_path / "net.onnx")
    check(ns.load(tmp_path / "net.onnx"), tmp_path)


def test_what_has_no_form_is_named(tmp_path: Path) -> None:
    model = exported("lstm.script17", tmp_path)
    with pytest.raises(ns.NetsheetError, match=r"no form in TensorFlow Lite: .*\(LSTM\)"):
        model.quantise(given(model))


@pytest.mark.parametrize(
    ("op", "inputs", "options"),
    [
        ("MaxPool", ["input"], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("Softmax", ["input"], {"axis": 1}),
        ("Clip", ["input", "low"], {}),
        ("Transpose", ["input"], {"perm": [1, 0, 2, 3]}),
        ("AveragePool", ["input"],
         {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ],
)  # fmt: skip
def test_what_would_be_wrong_is_refused(
    op: str, inputs: list[str], options: dict[str, object], tmp_path: Path
) -> None:
    """Padding, axes and limits that the operators of TensorFlow Lite do not have."""
    net = Network()
    net.stored("low", np.float32(-1))
    net.node(op, inputs, "odd", **options)
    onnx.save(net.model({"input": [1, 3, 8, 8]}, ["odd"], 17), tmp_path / "net.onnx")
    model = ns.load(tmp_path / "net.onnx")
    with pytest.raises(ns.NetsheetError, match=r"odd|batch|no form"):
        model.quantise(given(model))
