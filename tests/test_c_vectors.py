"""Vectors of every width that this computer has: the C that hosts compile with -march."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet
from netsheet.data.probe import probe
from netsheet.engine.run import engine
from netsheet.verify.engines.c_host import SANITIZE, run_library
from netsheet.write.c.library import library

READ_OVER = (3, 5, 12)  # channels that fill no vector: weights are read over their end
MACHINES = {"-march=haswell": ("avx2", "fma"), "-march=skylake-avx512": ("avx512f", "avx512dq")}


def needs_vectors(option: str) -> None:
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = set()
    if not set(MACHINES[option]) <= flags:
        pytest.skip(f"this processor is none for {option}")


def convolutions(channels: int, given: int, size: int, added: bool) -> onnx.ModelProto:
    """Two convolutions with edges, the second with what comes in added, and a ReLU."""
    random = np.random.default_rng(channels)
    stored = {
        "a": random.normal(size=(channels, given, 3, 3)) / 10, "b": random.normal(size=channels),
        "c": random.normal(size=(channels, channels, 3, 3)) / 10,
        "d": random.normal(size=(7, channels, 1, 1)),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "a", "b"], ["h"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["h", "c"], ["g"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["g", "h"], ["s"]) if added
        else helper.make_node("Identity", ["g"], ["s"]),
        helper.make_node("Relu", ["s"], ["r"]),
        helper.make_node("Conv", ["r", "d"], ["y"], strides=[2, 1]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, given, size, size + 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in stored.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("option", list(MACHINES))
@pytest.mark.parametrize(
    ("channels", "given", "size", "added"),
    [(3, 1, 9, False), (5, 3, 8, False), (6, 2, 5, True), (8, 3, 11, True), (12, 4, 7, False),
     (16, 3, 14, True), (24, 5, 6, True), (40, 8, 5, False), (64, 3, 4, True)],
)  # fmt: skip
def test_vectors_of_every_width(
    channels: int, given: int, size: int, added: bool, option: str, tmp_path: Path
) -> None:
    """Against ONNX Runtime; nothing is read outside of an array."""
    needs_vectors(option)
    onnx.save(convolutions(channels, given, size, added), tmp_path / "net.onnx")
    model = netsheet.load(tmp_path / "net.onnx")
    sample = probe(model)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (wanted,) = session.run(None, {"x": sample.arrays[0][np.newaxis]})
    for options in (["-O2"], *([["-O1", *SANITIZE]] if channels in READ_OVER else [])):
        ((found,),) = run_library(
            library(model, traced=False), [sample.arrays], traced=False,
            options=[*options, option],
        )  # fmt: skip
        bound = 1e-5 * max(1.0, float(np.abs(wanted).max()))
        np.testing.assert_allclose(found[1], wanted.reshape(-1), rtol=0, atol=bound)


@pytest.mark.parametrize("option", list(MACHINES))
@pytest.mark.parametrize("file", ["ad01.h5", "pretrainedResnet.h5", "str_ww_ref_model.h5"])
def test_larger_networks_with_vectors_of_every_width(file: str, option: str, shared: Path) -> None:
    needs_vectors(option)
    model = netsheet.load(shared / "models" / file)
    sample = probe(model)
    batch = {t.name: a[np.newaxis] for t, a in zip(model.inputs, sample.arrays, strict=True)}
    wanted = engine(model).activations(batch)[model.outputs[0].name][0]
    ((found,),) = run_library(
        library(model, traced=False), [sample.arrays], traced=False, options=["-O3", option]
    )
    bound = 1e-5 * max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found[1], wanted.reshape(-1), rtol=0, atol=bound)
