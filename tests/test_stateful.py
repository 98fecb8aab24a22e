"""Recurrent layers that keep their state from run to run: as Keras does from batch to batch."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.data.given import given_samples
from netsheet.data.probe import probe
from netsheet.errors import UnsupportedError
from netsheet.verify import recompute
from netsheet.write.excel import cell_formula
from test_cli import run

RANDOM = np.random.default_rng(4)

KINDS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "LSTM": ((2, 3), lambda k: k.LSTM(4, stateful=True)),
    "GRU": ((2, 3), lambda k: k.GRU(4, stateful=True, return_sequences=True)),
    "SimpleRNN": ((2, 3), lambda k: k.SimpleRNN(4, stateful=True)),
    "one step": ((1, 3), lambda k: k.LSTM(4, stateful=True)),
    "backwards": ((3, 3), lambda k: k.GRU(4, stateful=True, go_backwards=True)),
    "ConvLSTM2D": ((2, 4, 4, 1), lambda k: k.ConvLSTM2D(2, 3, stateful=True)),
    "Bidirectional": ((3, 2), lambda k: k.Bidirectional(k.LSTM(3, stateful=True))),
    "both sequences": (
        (3, 2),
        lambda k: k.Bidirectional(k.GRU(3, stateful=True, return_sequences=True), merge_mode="sum"),
    ),
    "stacked cells": (
        (2, 3),
        lambda k: k.RNN([k.LSTMCell(3), k.GRUCell(2)], stateful=True),
    ),
}


def made(keras: Any, name: str, batch: int, path: Path) -> tuple[Any, np.ndarray[Any, Any]]:
    """A saved network with that layer, and three batches for it."""
    shape, make = KINDS[name]
    inputs = keras.Input(batch_shape=(batch, *shape))
    hidden = make(keras.layers)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="tanh")(hidden))
    model.save(path)
    return model, RANDOM.standard_normal((3 * batch, *shape)).astype("f4")


def by_keras(model: Any, x: np.ndarray[Any, Any], batch: int) -> np.ndarray[Any, Any]:
    """What a network that has not run yet gives, batch after batch."""
    parts = [x[n : n + batch] for n in range(0, len(x), batch)]
    return np.concatenate([np.asarray(model.predict_on_batch(part)) for part in parts])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kind", ["keras", "tf_keras"])
def test_states_go_on_as_in_keras(kind: str, name: str, batch: int, tmp_path: Path) -> None:
    keras = pytest.importorskip(kind)
    path = tmp_path / ("m.keras" if kind == "keras" else "m.h5")
    model, x = made(keras, name, batch, path)
    expected = by_keras(model, x, batch)
    loaded = netsheet.load(path)
    assert loaded.states
    np.testing.assert_allclose(loaded.predict(x), expected, atol=1e-5)
    # every call begins from zeros
    np.testing.assert_allclose(loaded.predict(x), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["LSTM", "Bidirectional", "ConvLSTM2D"])
def test_onnx_has_states_as_inputs_and_outputs(name: str, tmp_path: Path) -> None:
    keras, runtime = pytest.importorskip("tf_keras"), pytest.importorskip("onnxruntime")
    model, x = made(keras, name, 2, tmp_path / "m.h5")
    loaded = netsheet.load(tmp_path / "m.h5")
    loaded.to_onnx(tmp_path / "m.onnx")
    session = runtime.InferenceSession(str(tmp_path / "m.onnx"))
    names = dict(loaded.explicit.state_names)
    assert {entry.name for entry in session.get_inputs()} == {loaded.inputs[0].name, *names}
    states = {s.before.name: np.zeros((2, *s.before.shape), "f4") for s in loaded.states}
    expected = by_keras(model, x, 2)
    for start in (0, 2, 4):
        feeds = {loaded.inputs[0].name: x[start : start + 2], **states}
        outputs = [loaded.outputs[0].name, *names.values()]
        y, *after = session.run(outputs, feeds)
        np.testing.assert_allclose(y, expected[start : start + 2], atol=1e-5)
        states = dict(zip(names, after, strict=True))


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
@pytest.mark.parametrize("name", ["LSTM", "GRU", "Bidirectional", "stacked cells"])
def test_c_keeps_its_state_until_it_is_reset(name: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model, x = made(keras, name, 1, tmp_path / "m.keras")
    loaded = netsheet.load(tmp_path / "m.keras")
    loaded.to_c(tmp_path / "out")
    expected = by_keras(model, x, 1)
    size, count = x[0].size, expected[0].size
    values = ", ".join(f"{value!r}f" for value in map(float, x.reshape(-1)))
    (tmp_path / "main.c").write_text(f"""#include <stdio.h>
#include "out/net.h"
int main(void)
{{
    static const float x[{x.size}] = {{{values}}};
    float y[{count}];
    for (int twice = 0; twice < 2; twice++) {{
        net_reset();
        for (int n = 0; n < 3; n++) {{
            net_run(x + n * {size}, y);
            for (int i = 0; i < {count}; i++)
                printf("%.9g\\n", (double)y[i]);
        }}
    }}
    return 0;
}}
""")
    sources = ["main.c", "out/net.c", "out/net_weights.c"]
    command = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", "main", *sources, "-lm"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = subprocess.run([tmp_path / "main"], capture_output=True, text=True).stdout
    found = np.array(printed.split(), float).reshape(2, *expected.shape)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    np.testing.assert_allclose(found[1], expected, atol=1e-5)
    assert "stateful" in (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "stateful" in (tmp_path / "out" / "net.h").read_text("utf-8")


@pytest.mark.parametrize("target", ["c", "onnx", "excel", "keras"])
def test_every_target_agrees_from_the_first_run_on(target: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    if target == "excel":
        pytest.importorskip("ironcalc")
    made(keras, "LSTM", 1, tmp_path / "m.keras")
    loaded = netsheet.load(tmp_path / "m.keras")
    verdict = loaded.verify(target, [probe(loaded)])
    assert verdict.ok, verdict.first_failure


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("target", ["c", "onnx", "keras", "excel"])
def test_verify_computes_samples_one_after_another(target: str, batch: int, tmp_path: Path) -> None:
    """As Keras does; C, which keeps the states of one sample, only where a call takes one."""
    keras = pytest.importorskip("keras")
    if target == "excel":
        pytest.importorskip("ironcalc")
    if target == "c" and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    model, x = made(keras, "GRU", batch, tmp_path / "m.keras")
    loaded = netsheet.load(tmp_path / "m.keras")
    samples = given_samples(loaded, x)
    verdict = loaded.verify(target, samples)
    assert verdict.ok, verdict.first_failure
    found = recompute(loaded, target, samples).samples
    expected = by_keras(model, x, batch)
    if target == "c" and batch == 2:
        expected = np.concatenate([by_keras(keras.models.load_model(tmp_path / "m.keras"),
                                            np.stack([one, one]), 2)[:1] for one in x])  # fmt: skip
    values = np.stack([one[loaded.outputs[0].name] for one in found])
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_commands_say_that_states_go_on(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    _, x = made(keras, "one step", 1, tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", x)
    for command in (["predict"], ["activations", "--samples", 3]):
        name, *more = command
        done = run(name, tmp_path / "m.keras", "--data", tmp_path / "x.npy", *more)
        assert "go on from batch to batch of 1 from zeros" in done.stderr


def test_a_stateful_layer_that_is_called_twice_is_refused(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    inputs = keras.Input(batch_shape=(1, 2, 3))
    layer = keras.layers.LSTM(3, stateful=True, return_sequences=True)
    keras.Model(inputs, layer(layer(inputs))).save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedError, match="called several times"):
        netsheet.load(tmp_path / "m.keras").predict(np.ones((1, 2, 3)))


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("kind", ["keras", "tf_keras"])
def test_evaluation_carries_the_states_as_keras_does(kind: str, batch: int, tmp_path: Path) -> None:
    """Masked steps and an activity penalty depend on Keras's batches, too."""
    keras = pytest.importorskip(kind)
    random = np.random.default_rng(5)
    x = random.normal(size=(12, 5, 3)).astype(np.float32)
    x[random.random((12, 5)) < 0.3] = 0
    y = random.integers(0, 2, (12, 5))
    layers = keras.layers
    given = layers.Input(batch_shape=(batch, 5, 3))
    masked = layers.Masking()(given)
    hidden = layers.LSTM(
        4, stateful=True, return_sequences=True, activity_regularizer=keras.regularizers.L2(0.1)
    )(masked)
    hidden = layers.GRU(3, stateful=True, return_sequences=True)(hidden)
    out = layers.Dense(2, activation="softmax", activity_regularizer="l1")(hidden)
    model = keras.Model(given, out)
    model.compile(loss="sparse_categorical_crossentropy")
    path = tmp_path / ("net.h5" if kind == "tf_keras" else "net.keras")
    model.save(path)
    loss = model.evaluate(x, y, batch_size=batch, verbose=0)
    found = netsheet.load(path).evaluate(x, y)
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert f"batch of {batch} from zeros" in found.note
    if batch > 1:
        short = netsheet.load(path).evaluate(x[:10], y[:10])
        assert "last batch has only 2 samples" in short.note


def test_explain_takes_values_apart_behind_the_inputs_before(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model, x = made(keras, "one step", 1, tmp_path / "m.keras")
    expected = by_keras(model, x, 1)
    loaded = netsheet.load(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", x)
    for count in (1, 3):
        given = [part for n in range(count) for part in ("--input", f"{tmp_path / 'x.npy'}#{n}")]
        key = loaded.outputs[0].name
        done = run("explain", tmp_path / "m.keras", key, "1", *given, "--json")
        found = json.loads(done.stdout)
        assert found["value"] == pytest.approx(expected[count - 1, 1], abs=1e-5)
        assert ("go on from batch" in done.stderr) == (count > 1)
    cell = cell_formula(loaded, given_samples(loaded, x[:1]), key, (1,))
    assert cell is not None and cell.formula.startswith("=")


@pytest.mark.parametrize("batch", [1, 2])
def test_gradients_are_those_of_each_call_from_its_states(batch: int, tmp_path: Path) -> None:
    """As TensorFlow has them, to which a state is a number that was left."""
    keras, tf = pytest.importorskip("keras"), pytest.importorskip("tensorflow")
    inputs = keras.Input(batch_shape=(batch, 2, 3))
    hidden = keras.layers.LSTM(4, stateful=True)(inputs)
    keras.Model(inputs, keras.layers.Dense(2)(hidden)).save(tmp_path / "m.keras")
    x = RANDOM.standard_normal((3 * batch, 2, 3)).astype("f4")
    y = RANDOM.standard_normal((3 * batch, 2)).astype("f4")
    model = keras.models.load_model(tmp_path / "m.keras")
    slopes, weights = [], []
    for start in range(0, len(x), batch):
        part = tf.constant(x[start : start + batch])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(part)
            found = model(part)
            score = tf.reduce_sum(found[:, 1])
            loss = tf.reduce_mean(tf.square(found - y[start : start + batch]))
        slopes.append(tape.gradient(score, part).numpy())
        weights.append([g.numpy() for g in tape.gradient(loss, model.trainable_weights)])
    loaded = netsheet.load(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded.saliency(x, 1)["saliency"], np.concatenate(slopes), atol=1e-5)
    gradient = loaded.gradients(x, y, "mean_squared_error")
    names = [w.name for layer in loaded.layers.values() for w in layer.weights.values()]
    for name, *parts in zip(names, *weights, strict=True):
        np.testing.assert_allclose(gradient[name], np.mean(parts, axis=0), atol=1e-5, err_msg=name)
