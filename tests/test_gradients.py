"""Gradients as equations: against central differences, and against Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import netsheet
from netsheet.engine.gradients import backward
from netsheet.engine.optimizers import SGD
from netsheet.engine.training import Trainer
from netsheet.equations import (
    Equation,
    FloatArray,
    Tensor,
    Weight,
    equation,
    indices_of,
    reads,
    reduce,
)
from netsheet.equations.evaluation import evaluate
from netsheet.errors import UnsupportedError
from netsheet.gradient import gradients
from netsheet.layer import default_axes
from netsheet.layers.base import constant
from random_equations import STAGES, MadeUp

CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
STEP = 1e-5

chains = st.lists(
    st.tuples(st.sampled_from(sorted(STAGES)), st.integers(0, 1 << 20)), min_size=1, max_size=4
)
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


def weighted_sum(output: Tensor, seed: int) -> tuple[list[Equation], Tensor]:
    """A loss that every element of the output has a weight of its own in."""
    values = np.random.default_rng(seed).normal(size=output.shape)
    factor = constant("factor", values)
    loss, at = Tensor("loss", (), ()), indices_of(output)
    return [equation(loss[()], reduce("sum", at, output[at] * factor[at]))], loss


def slopes(
    equations: Sequence[Equation], loss: Tensor, given_: dict[Tensor, FloatArray], tensor: Tensor
) -> FloatArray:
    """Central differences, element by element, in doubles."""
    base = given_[tensor]
    result = np.zeros_like(base)
    for place in np.ndindex(base.shape):
        ends = []
        for step in (STEP, -STEP):
            moved = base.copy()
            moved[place] += step
            ends.append(float(evaluate(equations, {**given_, tensor: moved})[loss]))
        result[place] = (ends[0] - ends[1]) / (2 * STEP)
    return result


@settings(deadline=None, suppress_health_check=CHECKS, phases=PHASES, max_examples=60)
@given(shapes, chains, st.integers(0, 1 << 20))
def test_central_differences(
    shape: tuple[int, ...], chain: list[tuple[str, int]], seed: int
) -> None:
    x = Tensor("x", default_axes(len(shape)), shape)
    layer = MadeUp(name="made", type_name="MadeUp", stages=tuple(chain))
    (signature,) = layer.infer([x])
    y = Tensor("y", signature.axes, signature.shape)  # type: ignore[arg-type]
    equations = layer.equations([x], [y])
    more, loss = weighted_sum(y, seed)
    equations += more
    weights = {
        read.tensor for eq in equations for read in reads(eq.value)
        if isinstance(read.tensor, Weight) and read.tensor.name not in ("factor", "chosen")
    }  # fmt: skip
    wanted = [x, *sorted(weights, key=lambda tensor: tensor.name)]
    found = gradients(equations, loss, wanted)
    values: dict[Tensor, FloatArray] = {x: np.random.default_rng(seed + 1).normal(size=shape)}
    values |= {w: w.values.astype(float) for w in weights if isinstance(w, Weight)}
    results = evaluate(found.equations, values)
    for tensor in wanted:
        expected = slopes(equations, loss, values, tensor)
        adjoint = found.adjoints.get(tensor)
        got = results[adjoint] if adjoint is not None else np.zeros(tensor.shape)
        largest = max(1.0, float(np.abs(expected).max(initial=0)))
        assert np.abs(got - expected).max(initial=0) < 1e-6 * largest, (tensor.name, chain)


def test_a_loss_is_one_number() -> None:
    x = Tensor("x", ("channel",), (3,))
    with pytest.raises(ValueError, match="a loss is one number"):
        gradients([], x, [x])


# --------------------------------------------------------------------------- against Keras


def _keras_gradients(model: Any, x: FloatArray, y: FloatArray, loss: str) -> dict[str, FloatArray]:
    """By the path of each variable, and ``x`` for the input."""
    import tensorflow as tf

    given_x = tf.constant(x)
    function = _keras_loss(loss)
    with tf.GradientTape() as tape:
        tape.watch(given_x)
        value = tf.reduce_mean(function(tf.constant(y), model(given_x, training=False)))
    variables = list(model.trainable_variables)
    found = tape.gradient(value, [given_x, *variables])
    names = ["x", *(variable.path for variable in variables)]
    return {
        name: np.zeros(()) if part is None else np.asarray(tf.convert_to_tensor(part))
        for name, part in zip(names, found, strict=True)
    }


def _keras_loss(name: str) -> Any:
    import keras

    return getattr(keras.losses, name)


def small_networks(keras: Any) -> dict[str, tuple[Any, str]]:
    """One network for each kind of slope, and the loss that it is trained with."""
    layers = keras.layers

    def network(shape: tuple[int, ...], *inner: Any) -> Any:
        return keras.Sequential([keras.Input(shape), *inner])

    return {
        "dense": (network((5,), layers.Dense(7, "tanh"), layers.Dense(3, "softmax")),
                  "categorical_crossentropy"),
        "deep": (network((6,), layers.Dense(5, "relu"), layers.Dense(4, "elu"),
                         layers.Dense(4, "gelu"), layers.Dense(1, "sigmoid")),
                 "binary_crossentropy"),
        "convolution": (network((9, 8, 2), layers.Conv2D(3, 3, 2, "same", activation="relu"),
                                layers.Conv2D(4, (2, 3), dilation_rate=2, padding="same"),
                                layers.MaxPooling2D(2, padding="same"), layers.Flatten(),
                                layers.Dense(3, "softmax")), "categorical_crossentropy"),
        "groups": (network((6, 6, 4), layers.Conv2D(4, 3, groups=2, activation="swish"),
                           layers.DepthwiseConv2D(2, depth_multiplier=2),
                           layers.AveragePooling2D(2, 1, "same"),
                           layers.GlobalMaxPooling2D(), layers.Dense(2)), "mean_squared_error"),
        "transposed": (network((4, 4, 2), layers.Conv2DTranspose(3, 3, 2, "same"),
                               layers.SeparableConv2D(2, 3), layers.UpSampling2D(2),
                               layers.GlobalAveragePooling2D()), "huber"),
        "normalised": (network((4, 6), layers.BatchNormalization(), layers.LayerNormalization(),
                               layers.Conv1D(5, 3, padding="causal"), layers.PReLU(),
                               layers.Flatten(), layers.Dense(3)), "mean_absolute_error"),
        "lstm": (network((5, 3), layers.LSTM(4, return_sequences=True), layers.LSTM(3),
                         layers.Dense(2, "softmax")), "categorical_crossentropy"),
        "gru": (network((5, 3), layers.Bidirectional(layers.GRU(3, return_sequences=True)),
                        layers.SimpleRNN(4), layers.Dense(2)), "mean_squared_error"),
    }  # fmt: skip


def attention_network(keras: Any) -> Any:
    """Attention over itself, with a residual connection."""
    x = keras.Input((4, 6))
    y = keras.layers.MultiHeadAttention(2, 3)(x, x)
    y = keras.layers.LayerNormalization()(x + y)
    return keras.Model(x, keras.layers.GlobalAveragePooling1D()(y))


@pytest.mark.parametrize("name", ["dense", "deep", "convolution", "groups", "transposed",
                                  "normalised", "lstm", "gru", "attention"])  # fmt: skip
def test_keras(name: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(7)
    model, loss = (
        (attention_network(keras), "mean_squared_error")
        if name == "attention"
        else small_networks(keras)[name]
    )
    numbers = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(numbers.normal(size=variable.shape) / 2)
    model.save(tmp_path / "net.keras")
    x = numbers.normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    y = numbers.random(size=(3, *model.output_shape[1:])).astype(np.float32)
    if "crossentropy" in loss:
        y = (y == y.max(-1, keepdims=True)).astype(np.float32)
    expected = _keras_gradients(model, x, y, loss)
    opened = netsheet.load(tmp_path / "net.keras")
    got = opened.gradients(x, y, loss)
    per_sample = got[opened.inputs[0].name] / len(x)  # Keras's is of the mean over the samples
    pairs = [(per_sample, expected.pop("x"))]
    weights = [w for layer in opened.layers.values() for w in layer.weights.values()
               if not w.label.startswith("moving_")]  # fmt: skip
    assert len(weights) == len(expected)
    pairs += [(got[w.name], part) for w, part in zip(weights, expected.values(), strict=True)]
    for ours, theirs in pairs:
        assert ours.shape == theirs.shape
        largest = max(float(np.abs(theirs).max()), 1e-3)
        assert np.abs(ours - theirs).max() < 1e-4 * largest


@pytest.mark.parametrize("called", [
    lambda model, x: model.gradients(x, np.zeros((1, 2)), "mse"),
    lambda model, x: model.saliency(x, 1),
    lambda model, x: backward(model, "mse"),
])  # fmt: skip
def test_a_network_that_is_not_computed_to_its_end_names_the_layer(
    called: Callable[[Any, Any], object], tmp_path: Path
) -> None:
    keras = pytest.importorskip("keras")
    given = keras.Input((4, 3))
    median = keras.ops.median(given, axis=1)
    path = tmp_path / "median.keras"
    keras.Model(given, keras.layers.Dense(2)(median)).save(path)
    with pytest.raises(UnsupportedError, match=r"not computed to its end: layer 'median"):
        called(netsheet.load(path), np.zeros((1, 4, 3), np.float32))


def test_a_large_vocabulary_is_no_table_of_comparisons(tmp_path: Path) -> None:
    """40,000 words in 64 values, read 1,000 times: 10 GB if each word were compared with each."""
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((50,), dtype="int32"), layers.Embedding(40_000, 64, name="words"),
        layers.GlobalAveragePooling1D(), layers.Dense(2, name="out"),
    ])  # fmt: skip
    model.save(tmp_path / "words.keras")
    numbers = np.random.default_rng(0)
    x, y = numbers.integers(0, 40_000, (20, 50)), numbers.normal(size=(20, 2)).astype(np.float32)
    x[:, :10] = 7  # one that comes again and again
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - y) ** 2)
    (expected,) = tape.gradient(loss, [model.get_layer("words").embeddings.value])
    dense = tf.convert_to_tensor(expected).numpy()
    trainer = Trainer(netsheet.load(tmp_path / "words.keras"), "mse", 20)
    before = trainer.weights["words/embeddings"].copy()
    trainer.step(x, y, np.ones(20, np.float32), SGD(1.0))
    got = before - trainer.weights["words/embeddings"]
    assert np.abs(got - dense).max() < 1e-4 * np.abs(dense).max()
