"""An output that a file names and no layer makes is refused, never left out silently."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import netsheet
from netsheet.errors import FormatError


def keras_file(folder: Path, output: list[object]) -> Path:
    """A network of two outputs whose second one is called something else in the file."""
    keras = pytest.importorskip("keras")
    x = keras.Input((3,), name="x")
    first = keras.layers.Dense(2, name="first")(x)
    model = keras.Model(x, [first, keras.layers.Dense(2, name="second")(first)])
    model.save(folder / "whole.keras")
    with zipfile.ZipFile(folder / "whole.keras") as old, \
            zipfile.ZipFile(folder / "other.keras", "w") as new:  # fmt: skip
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["output_layers"][1] = output
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return folder / "other.keras"


@pytest.mark.parametrize(("output", "said"), [
    (["none", 0, 0], "'none' does not exist"),
    (["second", 3, 0], "call 3"),
    (["second", 0, 2], "output 2 of 'second', but that layer has 1"),
])  # fmt: skip
def test_keras(tmp_path: Path, output: list[object], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        netsheet.load(keras_file(tmp_path, output))


def test_onnx(tmp_path: Path) -> None:
    values = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 2]) for n in ("x", "y", "z")
    ]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    net = netsheet.load(tmp_path / "m.onnx")  # the rest of the file is there, and said to be
    assert "Nothing computes its output 'z', which is left out." in net.notes
    assert [name for name, _ in net.named_outputs()] == ["y"]
