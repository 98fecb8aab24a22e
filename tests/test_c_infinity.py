"""Infinite numbers compile where INFINITY is no constant, or unknown."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet

WITHOUT = "#include_next <math.h>\n#undef INFINITY\n"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A clamped and an unclamped layer, which share a row function, then an infinite bias."""
    random = np.random.default_rng(5)

    def f32(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return random.normal(size=shape).astype(np.float32)

    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"], name="first"),
        helper.make_node("Relu", ["h"], ["r"], name="clamped"),
        helper.make_node("MatMul", ["r", "b"], ["s"], name="unclamped"),
        helper.make_node("Add", ["s", "c"], ["y"], name="masked"),
    ]
    stored = {"a": f32(8, 12), "b": f32(12, 8), "c": f32(8)}
    stored["c"][[1, 4]] = -np.inf, np.inf
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 8])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(proto, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.mark.parametrize("compiler", ["gcc without INFINITY", "gcc", "tcc"])
def test_infinite_numbers_compile(compiler: str, network: Path, tmp_path: Path) -> None:
    name, *without = compiler.split(maxsplit=1)
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    folder = tmp_path / "code"
    sample = np.random.default_rng(6).normal(size=(1, 8)).astype(np.float32)
    netsheet.load(network).to_c(folder, sample=sample)
    (tmp_path / "headers").mkdir()
    if without:
        (tmp_path / "headers" / "math.h").write_text(WITHOUT)
    values = ", ".join(map(repr, sample[0].tolist()))
    (tmp_path / "main.c").write_text(
        '#include "net.h"\n#include <stdio.h>\n'
        f"int main(void) {{\n    const float x[] = {{{values}}};\n"
        "    float y[8];\n    net_run(x, y);\n"
        '    for (int i = 0; i < 8; i++)\n        printf("%.9g\\n", y[i]);\n    return 0;\n}\n'
    )
    sources = [folder / "net.c", folder / "net_weights.c", tmp_path / "main.c"]
    warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic"] if name == "gcc" else ["-Wall"]
    subprocess.run(
        [name, "-std=c99", *warnings, "-isystem", tmp_path / "headers", f"-I{folder}", *sources,
         "-o", tmp_path / "main", "-lm"],
        check=True,
    )  # fmt: skip
    printed = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    (wanted,) = onnxruntime.InferenceSession(network).run(None, {"x": sample})
    found = np.array([float(line) for line in printed.stdout.split()], np.float32)
    assert np.isinf(wanted).sum() == 2
    np.testing.assert_allclose(found, wanted[0], rtol=1e-5, atol=1e-5)
