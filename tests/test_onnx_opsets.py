"""Old and new versions of ONNX's operators mean what ONNX Runtime says."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import pytest

from netsheet.engine.run import Engine
from netsheet.equations.evaluation import evaluate
from netsheet.errors import NetsheetError
from netsheet.fidelity import judge
from netsheet.read.onnx import from_proto
from onnx_models import NETWORKS
from onnx_opsets import models

VERSIONS = [8, 10, 11, 13, 15, 18, 19, 20, 21, 22, 23]


def by_runtime(proto: onnx.ModelProto, x: Any) -> list[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    return list(session.run(None, {proto.graph.input[0].name: x}))


def agrees(proto: onnx.ModelProto, label: str) -> None:
    """netsheet's engine and its equations against ONNX Runtime on the file as it is."""
    model = from_proto(proto)
    refused = [node.refusal for node in model.nodes if node.refusal]
    assert not refused, (label, refused)
    rng = np.random.default_rng(3)
    (source,) = model.sources
    x = rng.normal(size=(1, *source.shape)).astype(np.float32)  # type: ignore[misc]
    expected = by_runtime(proto, x)
    got = Engine(model).predict(x)
    values = evaluate(model.equations(), {model.inputs[0]: x[0]})
    for tensor, result, wanted in zip(
        model.outputs, got if isinstance(got, list) else [got], expected, strict=True
    ):
        whole = np.asarray(wanted, float).reshape(tensor.shape)
        assert judge(label, result[0], whole).ok, (label, "ONNX")
        assert judge(label, values[tensor], whole).ok, (label, "equations")


@pytest.mark.parametrize(("name", "opset", "proto"), list(models()))
def test_every_way_of_writing_it(name: str, opset: int, proto: onnx.ModelProto) -> None:
    agrees(proto, f"{name}, opset {opset}")


@pytest.mark.parametrize("version", VERSIONS)
def test_networks_lifted_by_onnx_itself(version: int) -> None:
    from onnx import version_converter

    lifted = 0
    for name, proto in NETWORKS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                other = version_converter.convert_version(proto, version)
        except Exception:  # the converter has no way there for some operator
            continue
        assert other.opset_import[0].version == version
        try:
            agrees(other, f"{name}, opset {version}")
        except NetsheetError as error:
            pytest.fail(f"{name}, opset {version}: {error}")
        lifted += 1
    assert lifted, "onnx converts none of them"
