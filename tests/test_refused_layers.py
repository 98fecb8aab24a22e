"""One layer that is not as it should be is refused by name; everything beside it is computed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet
from netsheet.cli.app import run
from netsheet.errors import UnsupportedError

Config = dict[str, Any]
RANDOM = np.random.default_rng(3)


@pytest.fixture(scope="module")
def tf_keras() -> Any:
    return pytest.importorskip("tf_keras")


def reconfigured(path: Path, change: Callable[[Config], None]) -> None:
    """The file with its layers' configurations changed; the weights stay."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            change(layer)
        file.attrs["model_config"] = json.dumps(config)


def says(class_name: str, **arguments: Any) -> Callable[[Config], None]:
    def change(layer: Config) -> None:
        if layer["class_name"] == class_name:
            layer["config"].update(arguments)

    return change


# Each layer with the input that it takes, and what its configuration then says falsely.
SMALLER: dict[str, tuple[tuple[int, ...], Callable[[Any], Any], Config]] = {
    "Dense": ((4,), lambda k: k.Dense(10), {"units": 7}),
    "Conv2D": ((8, 8, 2), lambda k: k.Conv2D(3, 5), {"kernel_size": [3, 3]}),
    "Conv1D": ((8, 2), lambda k: k.Conv1D(3, 2), {"filters": 2}),
    "DepthwiseConv2D": ((8, 8, 2), lambda k: k.DepthwiseConv2D(3), {"kernel_size": [2, 3]}),
    "Conv2DTranspose": ((4, 4, 2), lambda k: k.Conv2DTranspose(3, 3), {"kernel_size": [2, 2]}),
    "Embedding": ((5,), lambda k: k.Embedding(9, 4), {"input_dim": 8}),
    "LSTM": ((5, 3), lambda k: k.LSTM(4), {"units": 3}),
    "GRU": ((5, 3), lambda k: k.GRU(4), {"units": 2}),
    "SimpleRNN": ((5, 3), lambda k: k.SimpleRNN(4), {"units": 2}),
    "MultiHeadAttention": ((5, 3), lambda k: k.MultiHeadAttention(4, 2), {"num_heads": 3}),
}


@pytest.mark.parametrize("name", SMALLER)
def test_weights_larger_than_the_configuration_says(
    name: str, tf_keras: Any, tmp_path: Path
) -> None:
    shape, make, false = SMALLER[name]
    inputs = tf_keras.Input(shape)
    before = tf_keras.layers.Rescaling(0.5, name="before")(inputs)
    made = make(tf_keras.layers)
    values = made(before, before) if name == "MultiHeadAttention" else made(before)
    tf_keras.Model(inputs, values).save(path := tmp_path / "m.h5")
    model = netsheet.load(path)
    assert all(node.refusal is None for node in model.nodes)

    reconfigured(path, says(name, **false))
    model = netsheet.load(path)
    node = model.node(made.name)
    assert node.refusal is not None and re.search("shape|size", node.refusal)
    assert [w.shape for w in node.layer.weights.values()] == [w.shape for w in made.weights]
    x = np.ones((1, *shape), np.float32)
    assert model.activations(x)["before"] == pytest.approx(x / 2)
    with pytest.raises(UnsupportedError, match=made.name):
        model.predict(x)


@pytest.mark.parametrize("number", range(4))
def test_normalisation_over_fewer_channels(number: int, tf_keras: Any, tmp_path: Path) -> None:
    """Each of the weights by itself is one longer than the channels."""
    model = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.BatchNormalization()])
    model.save(path := tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        name = model.weights[number].name
        group = file["model_weights"][model.layers[0].name]
        del group[name]
        group[name] = np.ones(5, np.float32)
    (node,) = netsheet.load(path).nodes
    assert node.refusal is not None and "(5,)" in node.refusal and "(4,)" in node.refusal


def test_onnx_weights_that_are_too_long(tmp_path: Path) -> None:
    weights = [
        numpy_helper.from_array(np.ones(shape, np.float32), name)
        for name, shape in (("w", (2, 3, 3, 3)), ("b", (3,)))
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 5, 5]), ("y", [1, 2, 3, 3]))
    ]
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Conv", ["r", "w", "b"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()
    )
    assert isinstance(onnx.load(path), onnx.ModelProto)
    relu, conv = netsheet.load(path).nodes
    assert relu.refusal is None and conv.refusal is not None and "(3,)" in conv.refusal


def branched(tf_keras: Any, path: Path) -> tuple[Any, Any]:
    """Two branches, of which one holds a Dense ``bad``; returns the model and an input."""
    layers = tf_keras.layers
    inputs = tf_keras.Input((4,), name="x")
    first = layers.Dense(3, activation="tanh", name="first")(inputs)
    bad = layers.Dense(3, name="bad")(first)
    beside = layers.Dense(2, name="beside")(first)
    after = layers.Activation("tanh", name="after")(bad)
    model = tf_keras.Model(inputs, [beside, after])
    model.save(path)
    return model, RANDOM.standard_normal((2, 4)).astype("f4")


BAD: dict[str, tuple[Callable[[Config], None], str]] = {
    "argument": (lambda c: c["config"].update(units="three"), "units has to be"),
    "activation": (lambda c: c["config"].update(activation="own"), "activation 'own'"),
    "strange": (lambda c: c["config"].update(activation={"class_name": ["x"]}), "activation"),
    "fewer weights": (lambda c: c["config"].update(use_bias=False), "has 1 weights .kernel."),
    "own class": (lambda c: c.update(class_name="Attention"), "has no 'use_scale'"),
    "own head class": (
        lambda c: (c.update(class_name="MultiHeadAttention"), c["config"].update(head_num=2))[0],
        "has no 'num_heads'",
    ),
    "own normalisation": (lambda c: c.update(class_name="Normalization"), "has no 'axis'"),
    "of another rank": (
        lambda c: c.update(class_name="Conv2D", config={**c["config"], "filters": 3,
                                                        "kernel_size": [1, 1]}),
        "kernel is stored with the shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_beside_a_bad_layer_is_computed(name: str, tf_keras: Any, tmp_path: Path) -> None:
    keras, x = branched(tf_keras, path := tmp_path / "m.h5")
    change, reason = BAD[name]
    reconfigured(path, lambda c: change(c) if c["config"]["name"] == "bad" else None)
    model = netsheet.load(path)
    refusals = {node.key: node.refusal for node in model.nodes if node.refusal}
    assert set(refusals) == {"bad", "after"}
    assert re.search(reason, refusals["bad"])
    stored = keras.get_layer("bad").get_weights()
    shown = list(model.layers["bad"].weights.values())
    for weight, values in zip(shown, stored, strict=True):
        assert np.array_equal(weight.values, values)
    expected = keras(x)[0].numpy()
    assert model.activations(x)["beside"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [(3, 5), (9, 4), (4, 9), (7, 11), (6, 6)])
@pytest.mark.parametrize("kind", ["keras", "tf_keras"])
def test_center_crop_enlarges_as_keras_does(kind: str, size: Any, tmp_path: Path) -> None:
    keras = pytest.importorskip(kind)
    model = keras.Sequential([keras.Input((6, 5, 2)), keras.layers.CenterCrop(*size)])
    model.save(path := tmp_path / ("m.keras" if kind == "keras" else "m.h5"))
    x = RANDOM.uniform(0, 255, (2, 6, 5, 2)).astype("f4")
    expected = np.asarray(model.predict(x, verbose=0))
    np.testing.assert_allclose(netsheet.load(path).predict(x), expected, rtol=1e-5, atol=1e-3)


# What a configuration says, what is said of it, and whether Keras takes it: then so do we.
ARGUMENTS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any], Config, str]] = {
    "bias of no output axis": (
        (5, 4), lambda k: k.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"),
        {"bias_axes": "c"}, "bias_axes has to be letters of the output"),
    "bias axes that are numbers": (
        (5, 4), lambda k: k.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"),
        {"bias_axes": [2]}, "bias_axes has to be a word"),
    "no variance": (
        (2,), lambda k: k.Normalization(mean=[1.0, 2.0], variance=[1.0, 4.0]),
        {"variance": None}, "variance has to be numbers, as mean and variance are given"),
    "no mean": (
        (2,), lambda k: k.Normalization(mean=[1.0, 2.0], variance=[1.0, 4.0]),
        {"mean": None}, "mean has to be numbers"),
    "merged otherwise": (
        (5, 3), lambda k: k.Bidirectional(k.LSTM(2)),
        {"merge_mode": "max"}, "merge_mode has to be concat, sum, mul, ave or null"),
    "merged by a list": (
        (5, 3), lambda k: k.Bidirectional(k.LSTM(2)),
        {"merge_mode": ["sum"]}, "merge_mode has to be"),
    "cells that are none": (
        (5, 3), lambda k: k.RNN([k.LSTMCell(2)]),
        {"cell": {"class_name": "StackedRNNCells", "config": {"cells": {"a": 1}}}},
        "cells has to be a list of layers"),
    "no cells": (
        (5, 3), lambda k: k.RNN([k.LSTMCell(2)]),
        {"cell": {"class_name": "StackedRNNCells", "config": {}}}, "cells has to be a list"),
    "axes that are none": (
        (5, 4), lambda k: k.LayerNormalization(axis=[2]), {"axis": []}, "axis has to be whole"),
    "a dilation past 32 bits": (
        (9, 3), lambda k: k.SeparableConv1D(4, 1), {"dilation_rate": [2**31]},
        "dilation_rate has to be 1 positive whole number"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_that_keras_refuses_is_named(name: str, tf_keras: Any, tmp_path: Path) -> None:
    shape, make, false, said = ARGUMENTS[name]
    model = tf_keras.Sequential([tf_keras.Input(shape), made := make(tf_keras.layers)])
    model.save(path := tmp_path / "m.h5")
    x = RANDOM.standard_normal((3, *shape)).astype("f4")
    np.testing.assert_allclose(netsheet.load(path).predict(x), model(x), rtol=1e-5, atol=1e-6)

    reconfigured(path, says(type(made).__name__, **false))
    with pytest.raises(Exception, match=r"\w"):  # its kernels take the dilation as 32 bits
        tf_keras.models.load_model(path, compile=False).predict(x, verbose=0)
    with pytest.raises(UnsupportedError, match=said):
        netsheet.load(path).predict(x)


def test_what_keras_leaves_open_is_taken(tf_keras: Any, tmp_path: Path) -> None:
    """No bias of an EinsumDense, both directions of a sequence by themselves."""
    layers = tf_keras.layers
    inputs = tf_keras.Input((5, 4))
    apart = layers.Bidirectional(layers.GRU(3), merge_mode=None)(inputs)
    model = tf_keras.Model(inputs, [layers.EinsumDense("...c,cd->...d", 3)(inputs), *apart])
    model.save(path := tmp_path / "m.h5")
    x = RANDOM.standard_normal((2, 5, 4)).astype("f4")
    found = netsheet.load(path).predict(x)
    for values, wanted in zip(found, model(x), strict=True):
        np.testing.assert_allclose(values, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("center", [True, False])
def test_renorm_changes_training_alone(
    suffix: str, center: bool, tf_keras: Any, tmp_path: Path
) -> None:
    """Its statistics of training lie between other weights, in a nested model too."""
    layers = tf_keras.layers
    block = tf_keras.Sequential(
        [tf_keras.Input((6, 3)), layers.Conv1D(4, 2), layers.BatchNormalization(renorm=True)]
    )
    model = tf_keras.Sequential(
        [tf_keras.Input((6, 3)), block, layers.BatchNormalization(renorm=True, center=center),
         layers.Dense(2)]
    )  # fmt: skip
    model.compile("sgd", "mse")
    x = RANDOM.normal(2, 3, (8, 6, 3)).astype("f4")
    model.fit(x, RANDOM.normal(size=(8, 5, 2)), epochs=2, verbose=0)
    model.save(path := tmp_path / f"m.{suffix}")
    network = netsheet.load(path)
    np.testing.assert_allclose(
        network.predict(x), model.predict(x, verbose=0), rtol=1e-5, atol=1e-5
    )
    assert network.params == model.count_params()


@pytest.mark.parametrize("kind", ["keras", "tf_keras"])
@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("name", ["CategoryEncoding", "Discretization", "IntegerLookup"])
def test_one_number_per_sample_as_a_category(
    name: str, mode: str, kind: str, tmp_path: Path
) -> None:
    """Of the samples themselves Keras makes one encoding, but for one_hot: they are mixed."""
    keras = pytest.importorskip(kind)
    made = {
        "CategoryEncoding": lambda k: k.CategoryEncoding(4, output_mode=mode),
        "Discretization": lambda k: k.Discretization([0.5, 1.5, 2.5], output_mode=mode),
        "IntegerLookup": lambda k: k.IntegerLookup(vocabulary=[0, 1, 2], output_mode=mode),
    }[name]
    inputs = keras.Input((), dtype="float32" if name == "Discretization" else "int32")
    model = keras.Model(inputs, made(keras.layers)(inputs))
    model.save(path := tmp_path / "m.keras")
    x = np.array([2, 0, 3, 3, 1]).astype(inputs.dtype if kind == "keras" else "int32")
    wanted = np.asarray(model(x))
    if mode == "one_hot":
        assert np.array_equal(netsheet.load(path).predict(x), wanted)
        return
    assert wanted.shape == (4,)
    with pytest.raises(UnsupportedError, match="all samples together"):
        netsheet.load(path).predict(x)


def test_a_page_says_what_it_does_not_compute(
    tf_keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    branched(tf_keras, path := tmp_path / "m.h5")
    change, reason = BAD["argument"]
    reconfigured(path, lambda c: change(c) if c["config"]["name"] == "bad" else None)
    run(["page", str(path), "-o", str(tmp_path / "m.html")])
    said = capsys.readouterr().err
    assert re.search(f"Not computed: bad: .*{reason}", said) and "Not computed: after" in said
    run(["page", str(path), "-o", str(tmp_path / "m.html"), "--until", "first"])
    assert "Not computed" not in capsys.readouterr().err


def test_an_array_that_is_stored_twice(tmp_path: Path) -> None:
    """Of SpectralNormalization the kernel is, in .keras files; Keras takes but one shape."""
    keras = pytest.importorskip("keras")
    wrapped = keras.layers.SpectralNormalization(keras.layers.Dense(4))
    keras.Sequential([keras.Input((3,)), wrapped]).save_weights(path := tmp_path / "m.weights.h5")
    architecture = tmp_path / "m.json"
    architecture.write_text(keras.Sequential([keras.Input((3,)), wrapped]).to_json())
    assert not netsheet.load(path, architecture=architecture).nodes[0].refusal
    with h5py.File(path, "r+") as file:
        place = file["layers/spectral_normalization/vars"]
        assert place["0"].shape == (3, 4)
        del place["0"]
        place["0"] = np.ones((2, 4), np.float32)
    (node,) = netsheet.load(path, architecture=architecture).nodes
    assert node.refusal is not None and "stored twice" in node.refusal


def test_a_dot_takes_two_axes(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    ends = [keras.Input((3, 4)), keras.Input((5, 4))]
    model = keras.Model(ends, keras.layers.Dot((2, 2))(ends))
    (path := tmp_path / "m.json").write_text(model.to_json())
    config = json.loads(path.read_text())
    (dot,) = (one for one in config["config"]["layers"] if one["class_name"] == "Dot")
    dot["config"]["axes"] = [2, 2, 2]
    path.write_text(json.dumps(config))
    with pytest.raises((TypeError, ValueError), match="axes"):
        keras.models.model_from_json(path.read_text())
    model.save_weights(tmp_path / "m.weights.h5")
    network = netsheet.load(tmp_path / "m.weights.h5", architecture=path)
    assert "one or two whole numbers" in str(network.nodes[-1].refusal)
