"""The bytes of ONNX files, read by the onnx package and compared with what its helper makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from netsheet.write.onnx.messages import NodeRecord, graph_bytes, model_bytes, value_bytes

TYPES = ["float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32",
         "int64", "uint64", "bool"]  # fmt: skip


def graph(*nodes: NodeRecord, **initializers: Any) -> onnx.GraphProto:
    data = graph_bytes("g", nodes, [value_bytes("x", "float32", ["N", 2])], [], initializers)
    return onnx.load_model_from_string(model_bytes(data, ("me", "1.2"), 8, 17)).graph


@pytest.mark.parametrize("attributes", [
    {},
    {"axis": -1, "keepdims": 0, "large": 2**40},
    {"alpha": 0.1, "pads": [0, 1, 2, 3], "ratios": [0.5, 2.0], "none": None},
    {"mode": "constant", "names": ["ab", "ü"], "flag": True, "number": np.int64(7)},
    {"value": numpy_helper.from_array(np.arange(3)), "real": np.float32(0.25)},
    {"to": 10, "perm": (1, 0), "single": [300]},
])  # fmt: skip
def test_nodes(attributes: dict[str, Any]) -> None:
    (found,) = graph(NodeRecord("Op", ["a", "", "b/ö"], ["c"], "name", attributes)).node
    assert found == helper.make_node("Op", ["a", "", "b/ö"], ["c"], name="name", **attributes)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 200)])
def test_tensors(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 120, shape).astype(dtype)
    for order in ("=", ">"):
        (found,) = graph(w=array.astype(array.dtype.newbyteorder(order))).initializer
        assert found == numpy_helper.from_array(array, "w")


@pytest.mark.parametrize("shape", [[], ["N", 3], ["N", None, 70_000], [1]])
def test_values(shape: list[int | str | None]) -> None:
    data = graph_bytes("g", [], [], [value_bytes("y", "int8", shape)], {})
    (found,) = onnx.load_model_from_string(model_bytes(data, ("", ""), 8, 17)).graph.output
    assert found == helper.make_tensor_value_info("y", onnx.TensorProto.INT8, shape)


def test_a_model() -> None:
    node = NodeRecord("Relu", ["x"], ["y"], "r")
    data = graph_bytes(
        "net", [node], [value_bytes("x", "float32", ["N", 2])],
        [value_bytes("y", "float32", ["N", 2])], {},
    )  # fmt: skip
    model = onnx.load_model_from_string(model_bytes(data, ("netsheet", "9"), 8, 17))
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.producer_name, model.producer_version) == (8, "netsheet", "9")
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
    assert model.graph.name == "net"
