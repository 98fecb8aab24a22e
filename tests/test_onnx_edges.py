"""The edges of ONNX files: names of outputs, axes, the batch, the order of nodes, no inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet
from netsheet.data.probe import probe
from netsheet.errors import UsageError
from netsheet.verify import verify
from netsheet.write.c.library import library, signature

Shape = list[int | str | None]


def saved(
    folder: Path,
    nodes: list[Any],
    inputs: dict[str, Shape],
    outputs: dict[str, Shape],
    stored: dict[str, Any] | None = None,
    opset: int = 17,
) -> Path:
    """An ONNX file, as ONNX's checker has it."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (stored or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def ends(path: Path) -> tuple[dict[str, Shape], dict[str, Shape]]:
    session = onnxruntime.InferenceSession(path)
    return (
        {entry.name: entry.shape for entry in session.get_inputs()},
        {entry.name: entry.shape for entry in session.get_outputs()},
    )


def same_results(path: Path, other: Path, given: dict[str, Any]) -> None:
    first, second = (onnxruntime.InferenceSession(p).run(None, given) for p in (path, other))
    for a, b in zip(first, second, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def step(folder: Path) -> Path:
    """A step of an LSTM whose states go in and come out."""
    nodes = [
        helper.make_node("Unsqueeze", ["x", "zero"], ["seq"], name="/u"),
        helper.make_node(
            "LSTM", ["seq", "W", "R", "", "", "h", "c"], ["s", "h_out", "c_out"],
            name="/l/LSTM", hidden_size=4,
        ),
        helper.make_node("Squeeze", ["h_out", "zero"], ["last"], name="/s"),
        helper.make_node("Gemm", ["last", "w"], ["y"], name="/f/Gemm"),
    ]  # fmt: skip
    stored = {"zero": np.array([0]), "W": normal(1, 16, 3), "R": normal(1, 16, 4),
              "w": normal(4, 2)}  # fmt: skip
    return saved(
        folder, nodes, {"x": ["N", 3], "h": [1, "N", 4], "c": [1, "N", 4]},
        {"y": ["N", 2], "h_out": [1, "N", 4], "c_out": [1, "N", 4]}, stored,
    )  # fmt: skip


def test_outputs_keep_their_names(tmp_path: Path) -> None:
    path = step(tmp_path)
    model = netsheet.load(path)
    samples = [probe(model)]
    assert verify(model, "onnx", samples).ok
    bound = model if model.bound else model.bind([a.shape for a in samples[0].arrays])
    bound.to_onnx(tmp_path / "again.onnx")
    assert list(ends(tmp_path / "again.onnx")[1]) == ["y", "h_out", "c_out"]
    head = signature(library(bound), "run")
    for name in ("output_y", "output_h_out", "output_c_out"):
        assert f"float {name}[" in head


def test_two_outputs_that_are_one_value_and_names_that_layers_have(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="b"),
        helper.make_node("Tanh", ["a"], ["b"], name="a"),
        helper.make_node("Identity", ["a"], ["c"], name="c"),
    ]
    path = saved(tmp_path, nodes, {"x": ["N", 3]}, {n: ["N", 3] for n in ("a", "b", "c")})
    netsheet.load(path).to_onnx(tmp_path / "again.onnx")
    assert list(ends(tmp_path / "again.onnx")[1]) == ["a", "b", "c"]
    same_results(path, tmp_path / "again.onnx", {"x": normal(2, 3)})


@pytest.mark.parametrize("shape", [[8, 4], [1, 4], ["N", 4], [4]])
def test_a_rank_stays(tmp_path: Path, shape: Shape) -> None:
    nodes = [helper.make_node("Mul", ["x", "w"], ["y"], name="mul")]
    path = saved(tmp_path, nodes, {"x": shape}, {"y": shape}, {"w": normal(4)})
    netsheet.load(path).to_onnx(tmp_path / "again.onnx")
    inputs, outputs = ends(tmp_path / "again.onnx")
    assert len(inputs["x"]) == len(outputs["y"]) == len(shape)
    if shape[0] in (8, 4):
        assert inputs["x"] == outputs["y"] == shape
    x = normal(*[n if isinstance(n, int) else 1 for n in shape])
    same_results(path, tmp_path / "again.onnx", {"x": x})


def lstm(folder: Path, first: Shape, kept: bool) -> Path:
    """PyTorch's default: (time, batch, unit); all steps, or the last state."""
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R"], ["s", "h"], name="lstm", hidden_size=2),
        helper.make_node("Squeeze", ["s" if kept else "h", "axis"], ["y"], name="last"),
    ]
    stored = {"W": normal(1, 8, 3), "R": normal(1, 8, 2), "axis": np.array([1 if kept else 0])}
    out: Shape = [first[0], first[1], 2] if kept else [first[1], 2]
    return saved(folder, nodes, {"x": [*first, 3]}, {"y": out}, stored)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("first", [["time", 1], ["time", "b"], [None, 1]])
def test_the_time_is_no_batch(tmp_path: Path, first: Shape, kept: bool) -> None:
    path = lstm(tmp_path, first, kept)
    model = netsheet.load(path)
    assert model.inputs[0].shape[0] is None and len(model.inputs[0].shape) == 3
    assert any("--batch-axis 0" in note for note in model.notes)
    bound = model.bind([(20, 1, 3)])
    assert bound.outputs[0].size == (40 if kept else 2)
    verdict = verify(bound, "c", [probe(bound)])
    assert verdict.ok and verdict.reference.startswith("the file itself")


def test_points_that_are_added_up_are_no_batch(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["f"], name="dense"),
        helper.make_node("ReduceMax", ["f"], ["y"], name="max", axes=[0], keepdims=1),
    ]
    path = saved(tmp_path, nodes, {"x": ["points", 3]}, {"y": [1, 5]}, {"w": normal(3, 5)})
    assert netsheet.load(path).inputs[0].shape == (None, 3)


@pytest.mark.parametrize("names", [("N", "N"), ("unk__6", "unk__7"), (None, None)])
def test_a_batch_is_a_batch_whatever_it_is_called(
    tmp_path: Path, names: tuple[str | None, str | None]
) -> None:
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"], name="dense")]
    path = saved(tmp_path, nodes, {"x": [names[0], 3]}, {"y": [names[1], 2]}, {"w": normal(3, 2)})
    model = netsheet.load(path)
    assert model.inputs[0].shape == (3,) and not model.notes


def test_the_batch_axis_is_chosen(tmp_path: Path) -> None:
    path = lstm(tmp_path, ["time", "b"], True)
    assert netsheet.load(path, batch_axis=0).inputs[0].shape == (None, 3)
    assert netsheet.load(path, batch_axis="time").inputs[0].shape == (None, 3)
    for axis in (1, "1", "b"):
        assert netsheet.load(path, batch_axis=axis).inputs[0].shape == (None, 1, 3)
    for axis in (None, "none"):
        assert netsheet.load(path, batch_axis=axis).inputs[0].shape == (None, None, 3)
    with pytest.raises(UsageError, match="names b, time"):
        netsheet.load(path, batch_axis="depth")


def test_nodes_in_any_order(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Tanh", ["b"], ["y"], name="third"),
        helper.make_node("Relu", ["a"], ["b"], name="second"),
        helper.make_node("Gemm", ["x", "w"], ["a"], name="first"),
    ]
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(normal(3, 2), "w")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    loaded = netsheet.load(tmp_path / "net.onnx")
    assert [node.key for node in loaded.nodes] == ["first", "second", "third"]
    assert verify(loaded, "onnx", [probe(loaded)]).ok


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_with_channels_last(tmp_path: Path, channels: int) -> None:
    from PIL import Image

    from netsheet.data.inputs import read_input

    pixels = np.random.default_rng(1).integers(0, 255, (16, 16, channels)).astype(np.uint8)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(tmp_path / "p.png")
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="relu")]
    path = saved(tmp_path, nodes, {"x": ["N", 16, 16, channels]}, {"y": ["N", 16, 16, channels]})
    model = netsheet.load(path)
    sample = read_input(tmp_path / "p.png", model.inputs)
    np.testing.assert_allclose(sample.arrays[0], pixels / 255, atol=1e-6)
    assert verify(model, "onnx", [sample]).ok


def test_an_input_of_the_batch_alone(tmp_path: Path) -> None:
    """What reinforcement learning exports: a state that is one number for each sample."""
    from netsheet.data.inputs import read_input

    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["y"], name="dense"),
        helper.make_node("Identity", ["state"], ["after"], name="keep"),
    ]
    path = saved(
        tmp_path, nodes, {"x": ["N", 3], "state": ["N"]}, {"y": ["N", 2], "after": ["N"]},
        {"w": normal(3, 2)},
    )  # fmt: skip
    model = netsheet.load(path)
    for state in (np.float32(2), np.array([2], np.float32)):
        np.savez(tmp_path / "x.npz", x=normal(1, 3), state=state)
        sample = read_input(tmp_path / "x.npz", model.inputs)
        assert [array.shape for array in sample.arrays] == [(3,), ()]
        for target in ("onnx", "c", "excel"):
            verdict = verify(model, target, [sample])
            assert verdict.ok, (target, verdict.first_failure)


def test_an_edited_csv_becomes_an_onnx_file(tmp_path: Path) -> None:
    from netsheet.errors import UnsupportedError
    from netsheet.write.csv.copy_model import by_dataset, write_copy
    from netsheet.write.csv.read_back import import_csv

    nodes = [
        helper.make_node("Constant", [], ["c"], name="c", value=numpy_helper.from_array(normal(2))),
        helper.make_node("Gemm", ["x", "w", "c"], ["h"], name="dense"),
        helper.make_node("Transpose", ["w"], ["t"], name="turn"),
        helper.make_node("MatMul", ["h", "t"], ["y"], name="back"),
    ]
    path = saved(tmp_path, nodes, {"x": ["N", 3]}, {"y": ["N", 3]}, {"w": normal(3, 2)})
    model = netsheet.load(path)
    model.to_csv(tmp_path / "w.csv", layout="tidy")
    text = (tmp_path / "w.csv").read_text()
    lines = text.splitlines(keepends=True)
    for name, value in (("dense/B", 7.5), ("dense/C", -3.25)):
        at = next(n for n, line in enumerate(lines) if line.startswith(name) or
                  name.split("/")[1] in line.split(",")[:2])  # fmt: skip
        lines[at] = f"{lines[at].rpartition(',')[0]},{value}\r\n"
    (tmp_path / "w.csv").write_text("".join(lines), newline="")
    changed = by_dataset(model, import_csv(model, tmp_path / "w.csv", layout="tidy"))
    assert set(changed) == {"w", "c"}
    write_copy(path, changed, tmp_path / "new.onnx")
    again = netsheet.load(tmp_path / "new.onnx")
    weights = {w.label: w.values for w in again.layers["dense"].weights.values()}
    assert weights["B"].reshape(-1)[0] == 7.5 and weights["C"].reshape(-1)[0] == -3.25
    x = normal(2, 3)
    (y,) = onnxruntime.InferenceSession(tmp_path / "new.onnx").run(None, {"x": x})
    np.testing.assert_allclose(again.predict(x), y, rtol=1e-5)
    with pytest.raises(UnsupportedError, match="worked out from other values"):
        write_copy(path, {"t": normal(2, 3)}, tmp_path / "other.onnx")
