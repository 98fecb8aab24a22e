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
from tflite_files import converted as made
from tflite_files import networks

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


@pytest.mark.parametrize("name", sorted(networks()))
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


def test_shared_models(shared: Path) -> None:
    """Every file of real and made models."""
    files = sorted((shared / "models/tflite").rglob("*.tflite"))
    assert len(files) >= 27
    for file in files:
        model = ns.load(file)
        assert [node.refusal for node in model.nodes if node.refusal] == [], file.name
        assert check_everywhere(model, c="int8" in file.name), file.name


@pytest.mark.parametrize("name", sorted(networks()))
def test_the_form_that_runtimes_know_is_a_few_steps_beside(name: str, tmp_path: Path) -> None:
    """QuantizeLinear and DequantizeLinear, computed by ONNX Runtime."""
    import onnxruntime

    model = opened(converted(name), tmp_path)
    model.to_onnx(tmp_path / "qdq.onnx", form="qdq")
    session = onnxruntime.InferenceSession(tmp_path / "qdq.onnx")
    given = [np.stack(column) for column in zip(*samples(model), strict=True)]
    entries = [entry.name for entry in session.get_inputs()]
    found = session.run(None, dict(zip(entries, given, strict=True)))
    exact = model.activations(given, [tensor.name for tensor in model.outputs])
    for one, tensor in zip(found, model.outputs, strict=True):
        assert one.dtype == tensor.dtype
        off = np.abs(one.astype(float) - exact[tensor.name])
        assert off.max() <= 8 and off.mean() < 0.6
