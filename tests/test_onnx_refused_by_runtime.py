"""Sizes that ONNX Runtime does not take are refused, and those that it takes are computed."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet
from netsheet.errors import NetsheetError

onnxruntime = pytest.importorskip("onnxruntime")
RANDOM = np.random.default_rng(0)
BATCH, HEADS, QUERIES, KEYS, UNITS = 2, 4, 3, 5, 6


def saved(
    folder: Path, nodes: list[onnx.NodeProto], inputs: dict[str, Any], stored: dict[str, Any]
) -> Path:
    kinds = {"b": TensorProto.BOOL, "f": TensorProto.FLOAT}
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, kinds[a.dtype.kind], a.shape)
         for name, a in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


def agree(path: Path, inputs: dict[str, Any]) -> bool:
    """Both compute the same, or both refuse; True where they compute."""
    given = {name: array[None] for name, array in inputs.items()}
    try:
        (wanted,) = onnxruntime.InferenceSession(str(path)).run(None, inputs)
    except Exception:
        with pytest.raises(NetsheetError, match="does not fit"):
            netsheet.load(path, batch_axis="none").predict(given)
        return False
    (found,) = netsheet.load(path, batch_axis="none").predict(given)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    return True


MASKS = [
    (QUERIES, KEYS), (1, KEYS), (QUERIES, 1), (1, 1), (KEYS,), (1,), (QUERIES, KEYS - 1),
    (QUERIES, KEYS + 1), (KEYS - 1,), (HEADS, QUERIES, KEYS), (1, QUERIES, KEYS),
    (BATCH, QUERIES, KEYS), (BATCH, HEADS, QUERIES, KEYS), (BATCH, 1, QUERIES, KEYS),
    (1, HEADS, QUERIES, KEYS), (BATCH, HEADS, 1, KEYS), (BATCH, 1, 1, KEYS),
    (BATCH, HEADS, QUERIES, 1), (BATCH, HEADS, QUERIES, KEYS - 2),
    (1, BATCH, HEADS, QUERIES, KEYS),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["float32", "bool"])
def test_masks_of_attention(kind: str, tmp_path: Path) -> None:
    inputs = {
        name: RANDOM.normal(size=(BATCH, HEADS, steps, UNITS)).astype("f4")
        for name, steps in zip("qkv", (QUERIES, KEYS, KEYS), strict=True)
    }
    node = helper.make_node("Attention", [*"qkvm"], ["y"])
    taken = 0
    for shape in MASKS:
        mask = RANDOM.normal(size=shape).astype("f4")
        inputs["m"] = mask > -0.5 if kind == "bool" else mask
        taken += agree(saved(tmp_path, [node], inputs, {}), inputs)
    assert taken == 6


@pytest.mark.parametrize("where", range(3))
@pytest.mark.parametrize("shapes", list(product([(), (1,)], repeat=2)))
def test_numbers_of_range(where: int, shapes: Any, tmp_path: Path) -> None:
    given = list(shapes)
    given.insert(where, ())
    stored = {
        name: np.full(shape, number, np.float32)
        for name, shape, number in zip("abc", given, (0, 4, 1), strict=True)
    }
    nodes = [
        helper.make_node("Range", [*"abc"], ["r"]),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    inputs = {"x": RANDOM.normal(size=(2, 4)).astype("f4")}
    assert agree(saved(tmp_path, nodes, inputs, stored), inputs) == (shapes == ((), ()))


@pytest.mark.parametrize("value", [KEYS, KEYS - 1, KEYS + 2])
def test_the_past_of_attention(value: int, tmp_path: Path) -> None:
    """Key and value remember the same steps."""
    steps = {"q": QUERIES, "k": KEYS, "v": KEYS, "pk": KEYS, "pv": value}
    inputs = {
        name: RANDOM.normal(size=(BATCH, HEADS, count, UNITS)).astype("f4")
        for name, count in steps.items()
    }
    node = helper.make_node("Attention", ["q", "k", "v", "", "pk", "pv"], ["y", "nk", "nv"])
    assert agree(saved(tmp_path, [node], inputs, {}), inputs) == (value == KEYS)


@pytest.mark.parametrize("units", [8, 9])
def test_units_are_turned_in_pairs(units: int, tmp_path: Path) -> None:
    """ONNX Runtime turns an odd number of them into something; ONNX defines pairs alone."""
    x = RANDOM.normal(size=(2, HEADS, 3, units)).astype("f4")
    angles = RANDOM.normal(size=(2, 2, 3, units // 2)).astype("f4")
    node = helper.make_node("RotaryEmbedding", ["x", "cos", "sin"], ["y"])
    path = saved(tmp_path, [node], {"x": x}, {"cos": np.cos(angles[0]), "sin": np.sin(angles[1])})
    if units % 2 == 0:
        assert agree(path, {"x": x})
        return
    with pytest.raises(NetsheetError, match="in pairs, of which 9"):
        netsheet.load(path, batch_axis="none").predict({"x": x[None]})


@pytest.mark.parametrize("shape", [(4,), (1, 4)])
def test_scales_of_resize_are_a_list(shape: tuple[int, ...], tmp_path: Path) -> None:
    scales = np.array([1, 1, 0.6, 0.6], np.float32)
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear")
    x = RANDOM.normal(size=(1, 1, 2, 4)).astype("f4")
    path = saved(tmp_path, [node], {"x": x}, {"s": scales.reshape(shape)})
    if shape == (4,):
        assert agree(path, {"x": x})
        return
    with pytest.raises(NetsheetError, match="a list of scales or sizes"):
        netsheet.load(path, batch_axis="none").predict({"x": x[None]})
