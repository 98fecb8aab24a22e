"""Gradients of every network of the corpora against ``tf.GradientTape``, of its own Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from conftest import SHARED
from corpus.reading import Entry, own, shared
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError
from netsheet.model import Model

CLOSE = 1e-4  # of the largest entry
SAMPLES = 2
STRAIGHT_THROUGH = ("k3_quantized.keras", "k3_q.keras")
# Keras 2 adds -1e9 to a score that a mask excludes, and passes slopes through: to a mask that is an
# input itself, and where a query may see no key at all. Here what is excluded has no slope.
ADDED_MASKS = ("k2_given_mask.h5", "k2_masked_attention.h5")
# What TensorFlow has no gradient for, on this processor or at all.
THEIRS = ("only supports NHWC", "gradient registry has no entry")
MOST_VALUES = 60_000  # of all layers: larger networks take long, and have no other layers


def entries() -> list[Entry]:
    """Keras 3 reads its archives alone, Keras 2 (as tf_keras) HDF5 as well."""
    return [
        entry for entry in (*own(), *shared(SHARED)) if entry.precision == "float32"
        and (entry.keras[0], Path(entry.file).suffix) in
        (("3", ".keras"), ("2", ".keras"), ("2", ".h5"))
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("entry", entries(), ids=str)
def test_keras(entry: Entry, tmp_path: Path) -> None:
    """Every weight's and every real input's gradient of the summed mean squared errors."""
    keras = pytest.importorskip("keras" if entry.keras[0] == "3" else "tf_keras")
    path = entry.path(tmp_path)
    ours = netsheet.load(path)
    inputs = given(entry, ours)
    ours = bound(ours, inputs)
    try:
        reference = keras.models.load_model(path, compile=False)
    except (TypeError, ValueError, NotImplementedError) as error:
        pytest.skip(f"this Keras does not load it: {error}")
    x = [tensor_of(reference.inputs[n], inputs[t.name]) for n, t in enumerate(ours.inputs)]
    if entry.file in STRAIGHT_THROUGH:
        pytest.skip("quantised layers: Keras passes gradients straight through the rounding")
    if entry.file in ADDED_MASKS:
        pytest.skip("masks: Keras 2 passes slopes through what they exclude")
    results = outputs_of(reference, x)
    comparable(results, ours, inputs)
    numbers = np.random.default_rng(4)
    y = [numbers.random(size=array.shape).astype(np.float32) for array in results]
    try:
        expected = taped(reference, x, y)
    except Exception as error:
        if not any(text in str(error) for text in THEIRS):
            raise
        pytest.skip(f"TensorFlow has no gradient here: {str(error)[-60:]}")
    found = ours.gradients(inputs, y, "mean_squared_error")
    for tensor, slope in zip(ours.inputs, expected["inputs"], strict=True):
        if slope is not None:
            close(found[tensor.name] / len(x[0]), slope, tensor.name)
    weights = [w for layer in ours.layers.values() for w in layer.weights.values()]
    for values, slope, name in expected["weights"]:
        same = [w for w in weights if alike(w.values, values)]
        assert same, f"{name} is none of {[w.name for w in weights]}"
        slopes = [found[weight.name].reshape(slope.shape) for weight in same]
        best = min(slopes, key=lambda own: float(np.abs(own - slope).max(initial=0)))
        close(best, slope, name)


def comparable(results: list[Any], ours: Model, inputs: dict[str, FloatArray]) -> None:
    """Skips where Keras's outputs, as it is installed here, are none that can be compared."""
    found = ours.predict(inputs)
    own = found if isinstance(found, list) else [found]
    for theirs, values in zip(results, own, strict=True):
        if "float" not in str(theirs.dtype) or tuple(theirs.shape) != values.shape:
            pytest.skip("its outputs are whole numbers, or in another order")
        if not np.allclose(np.asarray(theirs), values, atol=1e-3, rtol=1e-3, equal_nan=True):
            pytest.skip("this Keras, on this processor, computes other outputs than it stored")


def given(entry: Entry, network: Model) -> dict[str, FloatArray]:
    """The reference's inputs, the first samples of them."""
    stored = {k: v for k, v in entry.values().items() if k.startswith("input:")}
    by_order = list(stored.values())
    return {
        tensor.name: stored.get(f"input:{tensor.name}", by_order[number])[:SAMPLES]
        for number, tensor in enumerate(network.inputs)
    }


def bound(network: Model, inputs: dict[str, FloatArray]) -> Model:
    network = network.bind({name: array.shape[1:] for name, array in inputs.items()})
    if network.states or any(node.refusal for node in network.nodes):
        pytest.skip("it keeps states, or has a layer that is not computed")
    if sum(tensor.size for tensor in network.tensors().values()) > MOST_VALUES:
        pytest.skip("it is large")
    return network


def tensor_of(wanted: Any, array: FloatArray) -> Any:
    import tensorflow as tf

    return tf.constant(array.astype(tf.as_dtype(wanted.dtype).as_numpy_dtype))


def outputs_of(model: Any, x: list[Any]) -> list[Any]:
    results = model(x if len(x) > 1 else x[0], training=False)
    if isinstance(results, dict):
        return list(results.values())
    return list(results) if isinstance(results, (list, tuple)) else [results]


def taped(model: Any, x: list[Any], y: list[FloatArray]) -> dict[str, Any]:
    """What tf.GradientTape says: of inputs (None for whole numbers), and of each variable."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        for tensor in x:
            tape.watch(tensor)
        results = outputs_of(model, x)
        total = sum(
            tf.reduce_mean(tf.square(out - own)) for out, own in zip(results, y, strict=True)
        )
    variables = [v for v in model.variables if "float" in str(v.dtype)]
    sources = [v if isinstance(v, tf.Variable) else v.value for v in variables]
    found = tape.gradient(total, [*x, *sources])
    slopes = [None if part is None else np.asarray(tf.convert_to_tensor(part)) for part in found]
    weights = [
        (np.asarray(variable), slope, getattr(variable, "path", variable.name))
        for variable, slope in zip(variables, slopes[len(x) :], strict=True)
        if slope is not None and variable.trainable
    ]
    inputs = [
        slope if slope is not None and "float" in str(tensor.dtype.name) else None
        for tensor, slope in zip(x, slopes, strict=False)
    ]
    return {"inputs": inputs, "weights": weights}


def alike(ours: FloatArray, theirs: FloatArray) -> bool:
    return ours.size == theirs.size and np.array_equal(ours.ravel(), theirs.ravel())


def close(found: FloatArray, expected: FloatArray, name: str) -> None:
    assert found.shape == expected.shape, name
    known = np.isfinite(expected)
    largest = max(float(np.abs(expected[known]).max(initial=0)), 1e-3)
    assert np.abs(found - expected)[known].max(initial=0) < CLOSE * largest, name


def test_what_does_not_fit_is_said() -> None:
    keras = pytest.importorskip("keras")
    x = keras.Input((3,))
    made = [keras.layers.Dense(2, name="first")(x), keras.layers.Dense(1, name="second")(x)]
    model = Model.over(netsheet.load(saved(keras.Model(x, made))))
    numbers = np.zeros((2, 3), np.float32)
    with pytest.raises(NetsheetError, match=r"1 targets were given, but .* has 2 outputs"):
        model.gradients(numbers, [np.zeros((2, 2))], "mean_squared_error")
    with pytest.raises(NetsheetError, match=r"\(2, 1\).*2 outputs of first have \(2, 2\)"):
        model.gradients(numbers, [np.zeros((2, 1)), np.zeros((2, 1))], "mean_squared_error")
    with pytest.raises(NetsheetError, match="no target for the output 'second'"):
        model.gradients(numbers, {"first": np.zeros((2, 2))}, "mean_squared_error")


def saved(model: Any) -> Path:
    import tempfile

    path = Path(tempfile.mkdtemp()) / "net.keras"
    model.save(path)
    return path
