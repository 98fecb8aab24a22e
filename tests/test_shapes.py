"""Sizes that contradict are refused by name; nothing is cut off, filled in or read beside."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from netsheet.errors import UnsupportedError
from netsheet.read.onnx import from_proto
from netsheet.verify import verify

sys.path.insert(0, str(Path(__file__).resolve().parent / "node"))

import shapes

BRIEF = 400  # cases in the suite, always the same; NETSHEET_FUZZ_SECONDS takes new ones


def graph(op: str, given: dict[str, Any], outputs: int = 1, **attributes: Any) -> Any:
    """One node: arrays are stored, tuples are the shapes of inputs."""
    entries = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape[1:]])
        for name, shape in given.items()
        if isinstance(shape, tuple)
    ]
    stored = [
        numpy_helper.from_array(array, name)
        for name, array in given.items()
        if isinstance(array, np.ndarray)
    ]
    results = [f"y{n}" for n in range(outputs)]
    made = helper.make_graph(
        [helper.make_node(op, list(given), results, name="node", **attributes)],
        "net",
        entries,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results],
        stored,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def f(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


CONTRADICTIONS: dict[str, tuple[Any, str]] = {
    "gemm": (graph("Gemm", {"x": (1, 4), "w": f(5, 2)}), r"\(1, 4\), \(5, 2\).*4 columns"),
    "gemm bias": (graph("Gemm", {"x": (1, 4), "w": f(4, 2), "c": f(3)}), r"\(3,\)"),
    "batch norm": (
        graph("BatchNormalization", {"x": (1, 2, 4), **{k: f(3) for k in "abcd"}}),
        r"\(1, 2, 4\), \(3,\).*should be \(2,\)",
    ),
    "instance norm": (
        graph("InstanceNormalization", {"x": (1, 2, 4), "a": f(3), "b": f(3)}),
        r"should be \(2,\)",
    ),
    "concat": (graph("Concat", {"x": (1, 2, 5), "z": (1, 3, 6)}, axis=1), r"only axis 1"),
    "split": (graph("Split", {"x": (1, 4), "s": np.array([2, 3])}, 2, axis=1), r"pieces \[2, 3\]"),
    "einsum": (graph("Einsum", {"x": (1, 4), "w": f(5, 2)}, equation="ni,io->no"), "'i' is 4"),
    "gather": (graph("Gather", {"x": (1, 4), "i": np.array([0, 6])}, axis=1), "index 6"),
    "conv": (graph("Conv", {"x": (1, 3, 5, 5), "k": f(2, 4, 3, 3)}), "3 channels, 4 in the"),
    "conv bias": (graph("Conv", {"x": (1, 3, 5, 5), "k": f(2, 3, 3, 3), "b": f(3)}), "bias has 2"),
    "lstm": (
        graph("LSTM", {"x": (1, 1, 3), "w": f(1, 8, 4), "r": f(1, 8, 2)}, hidden_size=2),
        r"input 1, \(1, 8, 4\), should be \(1, 8, 3\)|input 1",
    ),
    "carried": (
        graph("CausalConvWithState", {"x": (1, 2, 4), "k": f(2, 1, 4), "b": f(2), "s": f(1, 2, 2)}),
        "reaches 3 steps back",
    ),
    "prelu": (graph("PRelu", {"x": (1, 3), "s": f(2, 3)}), "does not broadcast"),
    "transpose": (graph("Transpose", {"x": (1, 3)}, perm=[0, 0]), "is no order"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_refused_with_its_sizes(name: str) -> None:
    proto, said = CONTRADICTIONS[name]
    model = from_proto(proto)
    with pytest.raises(UnsupportedError, match=said):
        verify(model, "onnx", [_sample(model)])
    (node,) = model.nodes
    assert node.refusal is not None and node.key == "node"


def _sample(model: Any) -> Any:
    from netsheet.data.probe import probe

    return probe(model)


def test_sizes_that_contradict_are_refused_or_right() -> None:
    """ONNX Runtime is the judge; what is computed is also compiled under the sanitizers."""
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        pytest.skip("no C compiler")
    seconds = float(os.environ.get("NETSHEET_FUZZ_SECONDS", 0))
    if seconds:
        counts, findings = shapes.fuzz(seconds, int(time.time()))
    else:
        counts, findings = shapes.fuzz(600, 0, BRIEF)
        assert counts["cases"] == BRIEF
    assert counts["refused by ONNX Runtime"] > counts["cases"] / 5
    assert counts["compiled"] > counts["cases"] / 5
    assert not findings, "\n".join(findings)
