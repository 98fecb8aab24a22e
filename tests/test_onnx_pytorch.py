"""Networks that PyTorch's two exporters wrote, against what PyTorch computed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from netsheet.data.inputs import InputValue, Sample
from netsheet.engine.run import Engine
from netsheet.equations.evaluation import evaluate
from netsheet.fidelity import judge
from netsheet.model import Model
from netsheet.read.onnx import from_proto

FILES = Path(__file__).parent / "onnx_files" / "pytorch.zip"
# Version 9 has no bilinear resizing as PyTorch has it: its exporter says that values differ.
INEXACT = {"unet.script9"}


def members() -> list[str]:
    with zipfile.ZipFile(FILES) as archive:
        return [name.removesuffix(".onnx") for name in archive.namelist() if "onnx" in name]


def opened(name: str) -> tuple[Model, onnx.ModelProto, Any, list[Any]]:
    """The model, its message, the inputs and PyTorch's outputs."""
    with zipfile.ZipFile(FILES) as archive:
        proto = onnx.load_from_string(archive.read(f"{name}.onnx"))
        stored = np.load(io.BytesIO(archive.read(f"{name.split('.')[0]}.npz")))
    outputs = [stored[key] for key in stored.files if key != "x"]
    return from_proto(proto), proto, stored["x"], outputs


def by_runtime(proto: onnx.ModelProto, x: Any) -> list[Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return list(session.run(None, {proto.graph.input[0].name: x}))


@pytest.mark.parametrize("name", members())
def test_outputs_are_those_of_pytorch(name: str) -> None:
    model, proto, x, expected = opened(name)
    assert not [node.refusal for node in model.nodes if node.refusal]
    if name in INEXACT:
        expected = by_runtime(proto, x)
    results = Engine(model).predict(x)
    values = evaluate(model.equations(), {model.inputs[0]: x[0]})
    for number, (tensor, got, wanted) in enumerate(
        zip(
            model.outputs, results if isinstance(results, list) else [results], expected,
            strict=True,
        )
    ):  # fmt: skip
        assert judge(f"y{number}", got, wanted.astype(float)).ok, "engine"
        assert judge(f"y{number}", values[tensor], wanted[0].astype(float)).ok, "equations"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in members() if name.split(".")[1] in ("script17", "dynamo23")]
)
def test_every_target_computes_it(name: str) -> None:
    from netsheet.verify import verify

    model, _, x, _ = opened(name)
    sample = Sample(name, {model.inputs[0].name: InputValue(x[0].astype(np.float32))})
    for target in ("onnx", "c", "excel"):
        if target == "excel":
            pytest.importorskip("ironcalc")
        verdict = verify(model, target, [sample])
        assert verdict.ok, (target, verdict.first_failure)


def test_layers_keep_the_names_that_the_exporter_gave() -> None:
    model, *_ = opened("convolutional.script17")
    names = list(model.layers)
    assert names[:3] == ["/conv1/Conv", "/Relu", "/conv2/Conv"]  # BatchNorm is folded
    assert [row.type for row in model.summary()][1:4] == ["Conv", "Relu", "Conv"]
    assert model.layers["/conv1/Conv"].weights["kernel"].shape == (8, 3, 3, 3)
