"""Graphs that compute one sample from others, or with their number, have no batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet

onnxruntime = pytest.importorskip("onnxruntime")
RANDOM = np.random.default_rng(0)
SLICE = {"starts": [-1], "ends": [-1000], "axes": [0], "steps": [-1]}


def value(name: str, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def saved(
    folder: Path, nodes: list[onnx.NodeProto], constants: dict[str, Any], rank: int = 2,
    outputs: tuple[str, ...] = ("y",), batch: Any = "N",
) -> Path:  # fmt: skip
    shape = [batch, 4, 3][:rank]
    graph = helper.make_graph(
        nodes, "g", [value("x", shape)], [value(name, shape) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


def by_runtime(path: Path, x: Any) -> list[Any]:
    found: list[Any] = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    return found


MIXED: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "softmax over the samples": ([helper.make_node("Softmax", ["x"], ["y"], axis=0)], {}),
    "counted from the end": ([helper.make_node("Softmax", ["x"], ["y"], axis=-2)], {}),
    "turned round": (
        [helper.make_node("Slice", ["x", *SLICE], ["y"])],
        {name: np.array(part) for name, part in SLICE.items()},
    ),
    "running sum": ([helper.make_node("CumSum", ["x", "a"], ["y"])], {"a": np.array(0)}),
    "minus the mean": (
        [helper.make_node("ReduceMean", ["x"], ["m"], axes=[0], keepdims=1),
         helper.make_node("Sub", ["x", "m"], ["y"])], {},
    ),
    "the first sample added": (
        [helper.make_node("Gather", ["x", "i"], ["f"], axis=0),
         helper.make_node("Add", ["x", "f"], ["y"])], {"i": np.array([0])},
    ),
    "attention between samples": (
        [helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
         helper.make_node("MatMul", ["x", "t"], ["s"]),
         helper.make_node("MatMul", ["s", "x"], ["y"])], {},
    ),
}  # fmt: skip


def branch(name: str, op: str) -> onnx.GraphProto:
    return helper.make_graph([helper.make_node(op, ["x"], [name])], name, [], [value(name, [])])


COUNT = [
    helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "zero"], ["n"]),
    helper.make_node("Cast", ["n"], ["f"], to=TensorProto.FLOAT),
]  # fmt: skip
ZERO = {"zero": np.array(0)}
COUNTED: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "divided by their number": ([*COUNT, helper.make_node("Div", ["x", "f"], ["y"])], ZERO),
    "a power of it": (
        [helper.make_node("Relu", ["x"], ["r"]),
         helper.make_node("Shape", ["r"], ["s"], end=1),
         helper.make_node("ReduceProd", ["s"], ["n"], keepdims=0),
         helper.make_node("Cast", ["n"], ["f"], to=TensorProto.FLOAT),
         helper.make_node("Pow", ["r", "f"], ["y"])], {},
    ),
    "the number of elements": (
        [helper.make_node("Size", ["x"], ["s"]),
         helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
         helper.make_node("Mul", ["x", "f"], ["y"])], {},
    ),
    "spread over all samples": (
        [*COUNT, helper.make_node("Expand", ["f", "s"], ["e"]),
         helper.make_node("Add", ["x", "e"], ["y"])], ZERO,
    ),
    "a limit": ([*COUNT, helper.make_node("Clip", ["x", "", "f"], ["y"])], ZERO),
    "a condition": (
        [*COUNT, helper.make_node("Greater", ["n", "one"], ["c"]),
         helper.make_node("Where", ["c", "x", "none"], ["y"])],
        {**ZERO, "one": np.array(1), "none": np.zeros((1, 4), "f4")},
    ),
    "a branch": (
        [*COUNT, helper.make_node("Greater", ["n", "one"], ["c"]),
         helper.make_node("If", ["c"], ["y"], then_branch=branch("a", "Neg"),
                          else_branch=branch("b", "Relu"))], {**ZERO, "one": np.array(1)},
    ),
    "which sample it is": (
        [*COUNT, helper.make_node("Range", ["zero", "n", "one"], ["i"]),
         helper.make_node("Cast", ["i"], ["g"], to=TensorProto.FLOAT),
         helper.make_node("Unsqueeze", ["g", "axes"], ["u"]),
         helper.make_node("Add", ["x", "u"], ["y"])],
        {**ZERO, "one": np.array(1), "axes": np.array([1])},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [*MIXED, *COUNTED])
def test_samples_that_are_mixed_are_no_batch(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path, *(MIXED | COUNTED)[name])
    x = RANDOM.normal(size=(5, 4)).astype("f4")
    (wanted,) = by_runtime(path, x)
    network = netsheet.load(path)
    assert "taken for no batch" in " ".join(network.notes)
    np.testing.assert_allclose(network.predict(x[None])[0], wanted, rtol=1e-5, atol=1e-6)


APART: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "turned and back": (
        [helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
         helper.make_node("ReduceMean", ["t"], ["m"], axes=[0], keepdims=1),
         helper.make_node("Sub", ["t", "m"], ["s"]),
         helper.make_node("Transpose", ["s"], ["y"], perm=[1, 0, 2])], {},
    ),
    "joined with an axis and back": (
        [helper.make_node("Reshape", ["x", "r"], ["f"]),
         helper.make_node("MatMul", ["f", "w"], ["g"]),
         helper.make_node("Reshape", ["g", "b"], ["t"]),
         helper.make_node("Softmax", ["t"], ["y"], axis=-2)],
        {"r": np.array([-1, 3]), "b": np.array([-1, 4, 3]),
         "w": RANDOM.normal(size=(3, 3)).astype("f4")},
    ),
    "a slice of another axis, put back": (
        [helper.make_node("Slice", ["x", *SLICE], ["y"])],
        {**{name: np.array(part) for name, part in SLICE.items()}, "axes": np.array([1])},
    ),
    "their number only shapes": (
        [helper.make_node("Shape", ["x"], ["s"]),
         helper.make_node("ConstantOfShape", ["s"], ["o"]),
         helper.make_node("Add", ["x", "o"], ["z"]),
         helper.make_node("Reshape", ["z", "s"], ["y"])], {},
    ),
    "the number of features is computed with": (
        [helper.make_node("Shape", ["x"], ["s"], start=1, end=2),
         helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
         helper.make_node("Div", ["x", "f"], ["y"])], {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_samples_that_stay_apart_are_a_batch(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path, *APART[name], rank=3)
    x = RANDOM.normal(size=(5, 4, 3)).astype("f4")
    (wanted,) = by_runtime(path, x)
    network = netsheet.load(path)
    assert not network.notes
    np.testing.assert_allclose(network.predict(x), wanted, rtol=1e-5, atol=1e-6)


def test_outputs_without_a_batch_keep_their_names(tmp_path: Path) -> None:
    path = saved(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], {}, batch=8)
    network = netsheet.load(path)
    network.to_onnx(tmp_path / "again.onnx")
    x = RANDOM.normal(size=(8, 4)).astype("f4")
    (wanted,), (found,) = by_runtime(path, x), by_runtime(tmp_path / "again.onnx", x)
    np.testing.assert_array_equal(found, wanted)
