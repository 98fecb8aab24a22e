"""Networks as exporters write them, read and computed layer by layer, against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from netsheet.engine.run import Engine
from netsheet.equations.evaluation import evaluate
from netsheet.errors import FormatError, NetsheetError, UnsupportedError
from netsheet.fidelity import judge
from netsheet.model import Model
from netsheet.read.onnx import load_onnx
from onnx_models import NETWORKS, Network, convolutional

SAMPLES = 3


def saved(proto: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "network.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def by_runtime(proto: onnx.ModelProto, inputs: dict[str, Any]) -> dict[str, Any]:
    """Every node's output by the node's name, one sample after the other."""
    import onnxruntime

    full = onnx.ModelProto()
    full.CopyFrom(proto)
    del full.graph.output[:]
    names = {name: node.name for node in full.graph.node for name in node.output}
    full.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(full.SerializeToString())
    runs = [
        session.run(None, {name: array[n : n + 1] for name, array in inputs.items()})
        for n in range(SAMPLES)
    ]
    return {
        key: np.stack(values) for key, values in zip(names, zip(*runs, strict=True), strict=True)
    }


def random_inputs(model: Model) -> dict[str, Any]:
    rng = np.random.default_rng(8)
    return {
        source.name: rng.normal(size=(SAMPLES, *source.shape)).astype(np.float32)  # type: ignore[misc]
        for source in model.sources
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_what_onnx_runtime_says(name: str, tmp_path: Path) -> None:
    proto = NETWORKS[name]
    model = load_onnx(saved(proto, tmp_path))
    inputs = random_inputs(model)
    expected = by_runtime(proto, inputs)
    values = Engine(model).activations(inputs)
    given = {tensor: inputs[tensor.name][0] for tensor in model.inputs}
    reference = evaluate(model.equations(), given)
    outputs = {node.name: list(node.output) for node in proto.graph.node}
    assert len(values) >= len(model.nodes) > 3
    for node in model.nodes:
        # outputs that nothing reads are left out at the end
        for tensor, output in zip(node.outputs, outputs[node.key], strict=False):
            wanted = expected[output].reshape(SAMPLES, *tensor.shape)
            assert judge(tensor.name, values[tensor.name], wanted).ok, tensor.name
            assert judge(tensor.name, reference[tensor], wanted[0]).ok, tensor.name


def test_the_batch_axis_is_gone_and_layers_keep_their_names(tmp_path: Path) -> None:
    model = load_onnx(saved(convolutional(), tmp_path))
    assert [(source.name, source.shape) for source in model.sources] == [("input", (3, 8, 8))]
    assert [tensor.shape for tensor in model.outputs] == [(4,), (4,)]
    conv = model.layers["/conv1/Conv"]
    assert conv.type == "Conv"
    kernel = conv.weights["kernel"]
    assert kernel.axes == ("out", "in", "height", "width")
    assert model.stored[kernel.name] == "conv1.weight"
    assert [row.type for row in model.summary()][:3] == ["Input", "Conv", "BatchNormalization"]
    assert model.params == 6 * 27 + 6 + 24 + 6 * 18 + 4 * 48 + 4
    # Shape, Gather, Unsqueeze and Concat were worked out while reading
    assert "/shape/Shape" not in model.layers


def test_the_written_file_gives_the_same(tmp_path: Path) -> None:
    from netsheet.write.onnx import to_onnx

    model = load_onnx(saved(convolutional(), tmp_path))
    again = load_onnx(to_onnx(model, tmp_path / "again.onnx"))
    inputs = random_inputs(model)
    for first, second in zip(
        Engine(model).predict(inputs), Engine(again).predict(inputs), strict=True
    ):
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_open_sizes_are_bound(tmp_path: Path) -> None:
    net = Network()
    x = net.node("Conv", ["x", net.weight("w", 2, 1, 3, 3)], "conv")
    net.node("GlobalAveragePool", [x], "mean")
    path = saved(net.model({"x": ["n", 1, "height", "width"]}, ["mean"]), tmp_path)
    model = load_onnx(path)
    assert not model.bound
    assert model.layers["/conv/Conv"].params == 18
    assert "sizes of input x are open" in str(model.nodes[0].refusal)
    assert Engine(model).predict(np.ones((2, 1, 9, 7))).shape == (2, 2, 1, 1)  # type: ignore[union-attr]
    with pytest.raises(NetsheetError, match="takes the shape"):
        model.bind({"x": (2, 9, 7)})


def test_an_unknown_operator_is_named_and_layers_before_it_compute(tmp_path: Path) -> None:
    net = Network()
    x = net.node("Relu", ["x"], "relu")
    net.nodes.append(helper.make_node("Sorcery", [x], ["y"], name="magic", domain="my.company"))
    net.node("Tanh", ["y"], "tanh")
    model = load_onnx(saved(net.model({"x": ["n", 3]}, ["tanh"]), tmp_path))
    assert list(model.tensors()) == ["/relu/Relu"]
    refusals = [node.refusal for node in model.nodes]
    assert "Sorcery of 'my.company' is not computed" in str(refusals[1])
    assert "needs 'magic'" in str(refusals[2])
    values = Engine(model).activations(np.array([[-1.0, 0, 2]]))
    np.testing.assert_array_equal(values["/relu/Relu"], [[0, 0, 2]])
    with pytest.raises(UnsupportedError, match="Sorcery"):
        Engine(model).predict(np.zeros((1, 3)))


def test_a_known_condition_chooses_its_branch(tmp_path: Path) -> None:
    net = Network()
    branches = [
        helper.make_graph(
            [helper.make_node(op, ["x"], [f"{op}.out"])], op, [],
            [helper.make_empty_tensor_value_info(f"{op}.out")],
        )
        for op in ("Neg", "Exp")
    ]  # fmt: skip
    net.stored("yes", np.array(True))
    net.node("If", ["yes"], "y", then_branch=branches[0], else_branch=branches[1])
    model = load_onnx(saved(net.model({"x": ["n", 2]}, ["y"]), tmp_path))
    np.testing.assert_array_equal(Engine(model).predict(np.array([[1.0, -2]])), [[-1, 2]])


def _external(location: str, **entries: str) -> onnx.ModelProto:
    """A model whose only weight lies in another file."""
    net = Network()
    net.node("Add", ["x", net.weight("w", 3)], "y")
    proto = net.model({"x": ["n", 3]}, ["y"])
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return proto


def test_external_data_of_the_same_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"....." + np.array([1, 2, 3], np.float32).tobytes())
    model = load_onnx(saved(_external("w.bin", offset="5", length="12"), tmp_path))
    np.testing.assert_array_equal(Engine(model).predict(np.zeros((1, 3))), [[1, 2, 3]])


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "link", "missing", "", "."])
def test_external_data_elsewhere_is_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(12))
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(FormatError, match="only a file in the folder"):
        load_onnx(saved(_external(location), folder))


@pytest.mark.parametrize("entries", [{"offset": "8"}, {"length": "99"}, {"offset": "x"}])
def test_external_data_beyond_its_file_is_refused(entries: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(12))
    with pytest.raises(FormatError, match=r"within|damaged|no number"):
        load_onnx(saved(_external("w.bin", **entries), tmp_path))


def _damaged(kind: str) -> bytes:
    proto = convolutional()
    if kind == "cut short":
        return proto.SerializeToString()[:-100]
    if kind == "empty":
        return b""
    if kind == "page":
        return b"<!DOCTYPE html><html></html>"
    if kind == "old":
        proto.opset_import[0].version = 6
    if kind == "dangling":
        proto.graph.node[1].input[0] = "nothing"
    if kind == "too few bytes":
        proto.graph.initializer[0].raw_data = b"1234"
    if kind == "huge constant":
        net = Network()
        shape = net.stored("shape", np.array([1 << 20, 1 << 20]))
        net.node("Add", ["x", net.node("ConstantOfShape", [shape], "zeros")], "y")
        proto = net.model({"x": ["n", 1 << 20]}, ["y"])
    if kind == "huge expansion":
        net = Network()
        net.stored("one", np.ones((1, 1), np.float32))
        shape = net.stored("shape", np.array([1 << 20, 1 << 20]))
        net.node("Add", ["x", net.node("Expand", ["one", shape], "ones")], "y")
        proto = net.model({"x": ["n", 1 << 20]}, ["y"])
    return proto.SerializeToString()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut short", "damaged or cut short"),
        ("empty", "no ONNX model"),
        ("page", "no ONNX file"),
        ("old", "from 7 on"),
        ("dangling", "reads 'nothing'"),
        ("too few bytes", "damaged"),
        ("huge constant", "too large"),
        ("huge expansion", "too large"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(kind: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(_damaged(kind))
    with pytest.raises(FormatError, match=message):
        load_onnx(path)


def test_a_published_network(tmp_path: Path) -> None:
    """SqueezeNet's graph as the onnx package carries it, with random weights."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    proto = onnx.load(folder / "light_squeezenet.onnx")
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    rng = np.random.default_rng(1)
    for node in [node for node in proto.graph.node if node.op_type == "ConstantOfShape"]:
        shape = tuple(numpy_helper.to_array(stored[node.input[0]]))
        values = rng.normal(size=shape) * (2 / np.prod(shape[1:])) ** 0.5
        array = numpy_helper.from_array(values.astype(np.float32), node.output[0])
        proto.graph.initializer.append(array)
        proto.graph.node.remove(node)
    for node in proto.graph.node:
        node.name = node.output[0]
    model = load_onnx(saved(proto, tmp_path))
    inputs = random_inputs(model)
    expected = by_runtime(proto, inputs)
    for key, array in Engine(model).activations(inputs).items():
        assert judge(key, array, expected[key].reshape(array.shape)).ok, key
