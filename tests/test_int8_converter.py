"""Files of TensorFlow's converter, operator by operator: equal to TensorFlow Lite Micro."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np
import pytest

import netsheet as ns
from netsheet.data.probe import probe
from tflite_checks import check_everywhere, samples
from tflite_files import as_uint8, in_reference_kernels, networks, without_reshape
from tflite_files import converted as made

pytest.importorskip("tensorflow")
pytest.importorskip("tflite_micro")


converted = functools.cache(made)


def opened(content: bytes, folder: Path) -> ns.Model:
    """A file's network."""
    path = folder / "network.tflite"
    path.write_bytes(content)
    return ns.load(path)


@pytest.mark.parametrize("name", sorted(networks()))
def test_int8(name: str, tmp_path: Path) -> None:
    model = opened(converted(name), tmp_path)
    assert [node.refusal for node in model.nodes if node.refusal] == []
    assert check_everywhere(model)


SOME = (
    "MobileNet", "transposed", "add", "squeeze", "joined", "pools", "mean kept", "bilinear",
    "prelu", "hard swish", "softmax of maps", "two outputs",
)  # fmt: skip


@pytest.mark.parametrize("name", SOME)
def test_the_page(name: str, tmp_path: Path) -> None:
    """The page's own engine, in Node, against the file itself."""
    if not shutil.which("node"):
        pytest.skip("no node")
    model = opened(converted(name), tmp_path)
    verdict = model.verify("page", [probe(model, seed) for seed in range(2)], engine="node")
    assert "TensorFlow Lite Micro" in verdict.reference
    assert verdict.ok, verdict.first_failure  # of whole numbers: to the last bit


@pytest.mark.parametrize("name", ["MobileNet", "dense", "bilinear", "sliced", "transposed"])
def test_float(name: str, tmp_path: Path) -> None:
    model = opened(converted(name, "float"), tmp_path)
    assert all(tensor.dtype == "float32" for tensor in model.tensors().values())
    assert check_everywhere(model)


@pytest.mark.parametrize("kind", ["uint8 ends", "float ends"])
def test_the_ends_may_be_of_another_type(kind: str, tmp_path: Path) -> None:
    model = opened(converted("MobileNet", kind), tmp_path)
    assert {tensor.dtype for tensor in model.inputs} == {
        kind.split()[0].replace("float", "float32")
    }
    assert check_everywhere(model)


@pytest.mark.parametrize("name", ["MobileNet", "dense"])
def test_one_scale_for_a_whole_kernel(name: str, tmp_path: Path) -> None:
    model = opened(converted(name, per_channel=False), tmp_path)
    assert check_everywhere(model)


@pytest.mark.parametrize(
    "name",
    ["same strides", "depthwise", "add", "multiply", "pools", "sigmoid", "leaky", "joined",
     "softmax of maps", "hard swish", "mean of an axis", "dense"],
)  # fmt: skip
def test_unsigned_files_of_the_oldest_converters(name: str, tmp_path: Path) -> None:
    """uint8, which TensorFlow Lite Micro does not take: against the reference kernels."""
    content = as_uint8(converted(name, per_channel=False))
    model = opened(content, tmp_path)
    assert {tensor.dtype for tensor in model.tensors().values()} == {"uint8"}
    tensors = model.tensors()
    numbers = {key: n for key, n in model.original.numbers.items() if key in tensors}
    for one in samples(model):
        found = in_reference_kernels(content, one, list(numbers.values()))
        ours = model.activations([values[None] for values in one])
        for key, number in numbers.items():
            assert (ours[key][0] == found[number].reshape(tensors[key].shape)).all(), key


def test_a_dense_layer_takes_a_map_in_one_row(shared: Path, tmp_path: Path) -> None:
    kept = (shared / "models/tflite/made/op_dense_softmax_int8.tflite").read_bytes()
    model = opened(without_reshape(kept), tmp_path)
    assert [node.layer.type for node in model.nodes] == ["FlatDense", "Softmax"]
    assert check_everywhere(model)


def test_wide_activations_are_refused_by_name(tmp_path: Path) -> None:
    import tensorflow as tf

    model = networks()["dense"]()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    random = np.random.default_rng(1)
    converter.representative_dataset = lambda: (
        [random.standard_normal((1, 10)).astype(np.float32)] for _ in range(5)
    )
    wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [wide]
    ours = opened(converter.convert(), tmp_path)
    assert any("int16" in str(node.refusal) for node in ours.nodes)


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, 1])
def test_shared_models(shared: Path, part: int) -> None:
    """Every file of real and made models."""
    files = sorted((shared / "models/tflite").rglob("*.tflite"))
    assert len(files) >= 27
    for file in files[part::2]:
        model = ns.load(file)
        assert [node.refusal for node in model.nodes if node.refusal] == [], file.name
        assert check_everywhere(model, c="int8" in file.name), file.name


@pytest.mark.parametrize("form", ["qdq", "qlinear"])
@pytest.mark.parametrize("name", sorted(networks()))
def test_the_forms_that_runtimes_know_are_a_few_steps_beside(
    name: str, form: str, tmp_path: Path
) -> None:
    """QuantizeLinear around real operators, or operators of whole numbers, by ONNX Runtime."""
    import onnx
    import onnxruntime

    model = opened(converted(name), tmp_path)
    model.to_onnx(tmp_path / "net.onnx", form=form)
    if form == "qlinear":
        nodes = onnx.load(tmp_path / "net.onnx").graph.node
        real = [node for node in nodes if node.op_type in ("Conv", "Gemm")]
        groups = [{a.name: a.i for a in node.attribute}.get("group", 1) for node in real]
        assert all(number > 1 for number in groups), groups  # depthwise ones alone
        makers = {name: node.op_type for node in nodes for name in node.output}
        pooled = [makers.get(node.input[0], "") for node in nodes if node.op_type == "MaxPool"]
        assert "DequantizeLinear" not in pooled
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    given = [np.stack(column) for column in zip(*samples(model), strict=True)]
    entries = [entry.name for entry in session.get_inputs()]
    found = session.run(None, dict(zip(entries, given, strict=True)))
    exact = model.activations(given, [tensor.name for tensor in model.outputs])
    for one, tensor in zip(found, model.outputs, strict=True):
        assert one.dtype == tensor.dtype
        off = np.abs(one.astype(float) - exact[tensor.name])
        assert off.max() <= 8 and off.mean() < 0.6
