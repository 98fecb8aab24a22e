"""Open sizes of an ONNX file's inputs follow from its weights where these decide them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet

RNG = np.random.default_rng(9)


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.uniform(0.5, 1.5, shape).astype(np.float32)


def node(op: str, *inputs: str, output: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=f"{op}_{output}", **attributes)


def written(folder: Path, nodes: list[Any], shape: list[Any], stored: dict[str, Any]) -> Path:
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(proto, folder / "net.onnx")
    return folder / "net.onnx"


CASES: dict[str, tuple[list[Any], list[Any], dict[str, Any], tuple[int | None, ...]]] = {
    "product": ([node("MatMul", "x", "w")], ["N", "C"], {"w": f32(4, 3)}, (4,)),
    "product of rows": ([node("MatMul", "x", "w")], ["N", None, None], {"w": f32(4, 3)}, (None, 4)),
    "gemm": ([node("Gemm", "x", "w", transB=1)], ["N", None], {"w": f32(3, 5)}, (5,)),
    "convolution": ([node("Conv", "x", "w", group=2)], ["N", "C", "H", 5],
                    {"w": f32(4, 3, 2, 2)}, (6, None, 5)),
    "behind a scaling": ([node("Div", "x", "s", output="h"), node("Relu", "h", output="r"),
                          node("Conv", "r", "w")], ["N", "C", 5, 5],
                         {"s": f32(1), "w": f32(4, 3, 2, 2)}, (3, 5, 5)),
    "normalisation": ([node("LayerNormalization", "x", "g", axis=-2)], ["N", 2, "A", "B"],
                      {"g": f32(3, 4)}, (2, 3, 4)),
    "channels": ([node("InstanceNormalization", "x", "g", "g")], ["N", "C", 4],
                 {"g": f32(3)}, (3, 4)),
    "told differently": ([node("MatMul", "x", "w", output="a"),
                          node("MatMul", "x", "v", output="b"),
                          node("Add", "a", "b")], ["N", "C"],
                         {"w": f32(4, 3), "v": f32(5, 3)}, (None,)),
    "nothing tells": ([node("Relu", "x")], ["N", "C"], {}, (None,)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_weights_tell_open_sizes(name: str, tmp_path: Path) -> None:
    nodes, shape, stored, expected = CASES[name]
    path = written(tmp_path, nodes, shape, stored)
    model = netsheet.load(path)
    assert model.inputs[0].shape == expected
    told = tuple(size if isinstance(size, int) else None for size in shape[1:]) != expected
    assert any("The weights tell" in note for note in model.notes) == told
    if name == "told differently":
        return
    x = f32(2, *(size or 4 for size in expected))
    (wanted,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
    np.testing.assert_allclose(model.predict(x), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_recurrent_weights_tell_the_features(op: str, tmp_path: Path) -> None:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    stored = {"w": f32(1, gates * 2, 3), "r": f32(1, gates * 2, 2)}
    path = written(tmp_path, [node(op, "x", "w", "r", hidden_size=2)], ["T", 1, "F"], stored)
    model = netsheet.load(path)
    assert model.inputs[0].shape[-1] == 3
