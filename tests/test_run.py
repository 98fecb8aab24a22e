"""The engine on small models made by hand: inputs, batches, errors, open sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.engine.run import Engine
from netsheet.equations import Weight
from netsheet.errors import NetsheetError, UnsupportedError, UsageError
from netsheet.layers.activation import Softmax, Tanh
from netsheet.layers.dense import Dense
from netsheet.layers.merge import Add
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef
from netsheet.write.onnx import build, to_onnx


def dense(name: str, inputs: int, units: int) -> Dense:
    values = np.random.default_rng(3).normal(size=(inputs, units)).astype(np.float32)
    layer = Dense(name=name, units=units, use_bias=False)
    label = f"{name}/kernel"
    layer.weights["kernel"] = Weight(label, ("in", "out"), values.shape, None, "kernel", values)
    return layer


def two_branches(**sizes: Any) -> Model:
    """tanh(a K) + b, and its softmax; two inputs, two outputs."""
    calls = [
        LayerCall("hidden", dense("hidden", 3, 4), (ValueRef("a"),)),
        LayerCall("curved", Tanh(name="curved"), (ValueRef("hidden"),)),
        LayerCall("sum", Add(name="sum"), (ValueRef("curved"), ValueRef("b"))),
        LayerCall("soft", Softmax(name="soft"), (ValueRef("sum"),)),
    ]
    sources = [Source("a", (3,)), Source("b", (4,))]
    return Model("two", calls, sources, [ValueRef("soft"), ValueRef("hidden")])


def one_sequence() -> Model:
    """A Dense along the last axis of a sequence of open length."""
    calls = [LayerCall("d", dense("d", 3, 2), (ValueRef("x"),))]
    return Model("open", calls, [Source("x", (None, 3))], [ValueRef("d")])


@pytest.fixture
def data() -> dict[str, Any]:
    rng = np.random.default_rng(4)
    return {"a": rng.normal(size=(5, 3)), "b": rng.normal(size=(5, 4))}


def test_every_layer_is_what_numpy_says(data: dict[str, Any]) -> None:
    model = two_branches()
    values = Engine(model)(data)
    hidden = data["a"] @ model.layers["hidden"].weights["kernel"].values
    total = np.tanh(hidden) + data["b"]
    soft = np.exp(total) / np.exp(total).sum(-1, keepdims=True)
    assert list(values) == ["hidden", "curved", "sum", "soft"]
    np.testing.assert_allclose(values["hidden"], hidden, atol=1e-6)
    np.testing.assert_allclose(values["curved"], np.tanh(hidden), atol=1e-6)
    np.testing.assert_allclose(values["sum"], total, atol=1e-6)
    np.testing.assert_allclose(values["soft"], soft, atol=1e-6)
    assert values["soft"].dtype == np.float32


def test_predict_gives_outputs_in_the_model_s_order(data: dict[str, Any]) -> None:
    engine = Engine(two_branches())
    soft, hidden = engine.predict([data["a"], data["b"]])
    values = engine.activations(data, ["hidden", "soft"])
    np.testing.assert_array_equal(soft, values["soft"])
    np.testing.assert_array_equal(hidden, values["hidden"])


def test_batches_join_to_the_whole(monkeypatch: pytest.MonkeyPatch, data: dict[str, Any]) -> None:
    whole = Engine(two_branches()).activations(data)
    monkeypatch.setattr("netsheet.engine.run.MAX_BATCH", 2)
    steps: list[tuple[int, int]] = []
    parts = Engine(two_branches()).activations(data, progress=lambda *at: steps.append(at))
    assert steps == [(2, 5), (4, 5), (5, 5)]
    for key, array in whole.items():
        np.testing.assert_allclose(parts[key], array, atol=1e-6)


def test_open_sizes_take_those_of_the_data() -> None:
    engine = Engine(one_sequence())
    assert engine.predict(np.zeros((2, 7, 3))).shape == (2, 7, 2)  # type: ignore[union-attr]
    assert engine.predict(np.zeros((1, 4, 3))).shape == (1, 4, 2)  # type: ignore[union-attr]
    with pytest.raises(UnsupportedError, match="bind"):
        build(one_sequence())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["a"], "takes 2 inputs"),
        (lambda d: [d["a"]], "takes 2 inputs"),
        (lambda d: {"a": d["a"]}, "without 'b'"),
        (lambda d: {**d, "c": d["a"]}, "with 'c'"),
        (lambda d: {**d, "a": d["a"][:3]}, "different numbers of samples"),
        (lambda d: {**d, "a": d["b"]}, r"'a' takes the shape \(\?, 3\), not \(5, 4\)"),
        (lambda d: {**d, "a": d["a"][0]}, "the first axis counts the samples"),
        (lambda d: {name: array[:0] for name, array in d.items()}, "no sample"),
        (lambda d: {**d, "a": [["x"] * 3]}, "no numbers"),
    ],
)
def test_wrong_inputs(data: dict[str, Any], change: Any, message: str) -> None:
    with pytest.raises(NetsheetError, match=message):
        Engine(two_branches()).activations(change(data))


def test_unknown_key(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no layer 'nope'; it has hidden, curved"):
        Engine(two_branches()).activations(data, ["nope"])


def test_onnx_file_has_the_layers_names(tmp_path: Path) -> None:
    import onnx

    proto = onnx.load(to_onnx(two_branches(), tmp_path / "two.onnx"))
    assert proto.producer_name == "netsheet"
    assert [entry.name for entry in proto.graph.input] == ["a", "b"]
    assert [entry.name for entry in proto.graph.output] == ["soft", "hidden"]
    assert [entry.name for entry in proto.graph.initializer] == ["hidden/kernel"]
    assert [node.output[0] for node in proto.graph.node] == ["hidden", "curved", "sum", "soft"]
    batch = proto.graph.output[0].type.tensor_type.shape.dim[0]
    assert batch.dim_param == "N"


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_small_probabilities_are_those_of_keras(activation: str, tmp_path: Path) -> None:
    """Of 3.5e-11 nothing must be left out, though ONNX Runtime's Sigmoid gives 0."""
    keras = pytest.importorskip("keras")
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(3, activation=activation)(inputs)
    model = keras.Model(inputs, [hidden, keras.layers.Activation(activation)(inputs)])
    weights = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    model.layers[1].set_weights([weights, np.array([-20.0, 0, 15], np.float32)])
    model.save(path := tmp_path / "net.keras")
    x = np.array([[-30, -12, 0, 60], [0, 0, 0, -1], [-86, 0, 3, 9], [2, 1, 0, -1]], np.float32)
    for ours, theirs in zip(netsheet.load(path).predict(x), model(x), strict=True):
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=3e-6, atol=1e-37)
