"""Operations of TensorFlow that compute with the sizes of tensors, and series, against tf_keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.errors import NetsheetError

tf_keras = pytest.importorskip("tf_keras")
tf = pytest.importorskip("tensorflow")
B = tf_keras.backend
RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.normal(size=(4, 5)).astype("f4")
SIZES = (3, 4)

Function = Callable[[Any], Any]
OPERATIONS: dict[str, Function] = {
    "reshape, the batch by its size": lambda x: tf.reshape(x, (tf.shape(x)[0], 12)),
    "reshape, axes turned": lambda x: tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[2], -1]),
    "reshape, twice a size": lambda x: tf.reshape(x, [-1, tf.shape(x)[1] * 2, 2]),
    "reshape, a stack": lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], 2, 6])),
    "reshape, joined": lambda x: tf.reshape(x, tf.concat([tf.shape(x)[:1], [12]], 0)),
    "reshape, like another": lambda x: tf.reshape(tf_keras.layers.Flatten()(x), tf.shape(x)),
    "reshape, as before": lambda x: tf.reshape(
        tf.reshape(x, [-1, 12]) * 2, [-1, *tf.unstack(tf.shape(x))[1:]]),
    "backend reshape": lambda x: B.reshape(x, (B.shape(x)[0], B.shape(x)[1] * 4)),
    "switch": lambda x: B.switch(B.greater(x, 0.1), x * 2, B.zeros_like(x)),
    "switch, fewer axes": lambda x: B.switch(x[:, :, 0] > 0.0, x, -2 * x),
    "dot": lambda x: B.dot(x, B.constant(MATRIX)),
    "dot, then softmax": lambda x: tf.nn.softmax(B.dot(x, tf.constant(MATRIX)), axis=1),
    "ones": lambda x: tf.ones((tf.shape(x)[0], 3, 4)) * x,
    "broadcast_to": lambda x: tf.broadcast_to(x[:, :1], [tf.shape(x)[0], 3, 4]),
    "zeros": lambda x: tf.concat([x, tf.zeros([tf.shape(x)[0], 1, 4])], 1),
    "fill": lambda x: tf.concat([tf.fill([tf.shape(x)[0], 2, 4], 2.5), x], 1),
    "by a size": lambda x: x / tf.cast(tf.shape(x)[1], tf.float32),
    "attention": lambda x: tf.matmul(x, x, transpose_b=True)
    / tf.math.sqrt(tf.cast(tf.shape(x)[-1], tf.float32)),
    "slice": lambda x: tf.slice(x, [0, 0, 1], [-1, tf.shape(x)[1] - 1, 2]),
    "polyval": lambda x: tf.math.polyval([1.0, 2.0, 3.0], x),
    "polyval of a tensor": lambda x: tf.math.polyval([1.0, x * 2, 3.0], x),
    "cumulative_logsumexp": lambda x: tf.math.cumulative_logsumexp(x * 60, axis=1),
    "backwards": lambda x: tf.math.cumulative_logsumexp(x, axis=-1, reverse=True),
    "sigmoid loss": lambda x: tf.nn.sigmoid_cross_entropy_with_logits(x * 0 + 1, x),
}  # fmt: skip
# Of these netsheet would have to know how many samples there are, or moves them.
REFUSED: dict[str, Function] = {
    "by the number of samples": lambda x: x / tf.cast(tf.shape(x)[0], tf.float32),
    "samples joined": lambda x: tf.reshape(x, [2, -1]),
    "rows": lambda x: tf.reshape(x, [-1, 4]) * 2,
    "rows, then another axis": lambda x: tf.nn.softmax(
        tf.matmul(tf.reshape(x, [-1, 4]), MATRIX), axis=1),
    "without the batch": lambda x: x + tf.ones([tf.shape(x)[1], 4]),
}  # fmt: skip


def made(function: Function, folder: Path) -> tuple[Any, Path]:
    inputs = tf_keras.Input(SIZES)
    model = tf_keras.Model(inputs, function(inputs))
    model.save(folder / "m.h5")
    return model, folder / "m.h5"


@pytest.mark.parametrize("name", OPERATIONS)
def test_as_keras_computes_them(name: str, tmp_path: Path) -> None:
    model, path = made(OPERATIONS[name], tmp_path)
    x = RANDOM.normal(size=(3, *SIZES)).astype("f4")
    wanted = np.asarray(model(x))
    found = netsheet.load(path).predict(x)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_what_depends_on_the_batch_is_refused(name: str, tmp_path: Path) -> None:
    _, path = made(REFUSED[name], tmp_path)
    with pytest.raises(NetsheetError):
        netsheet.load(path).predict(np.zeros((2, *SIZES), "f4"))


@pytest.mark.parametrize("target", ["c", "excel"])
def test_targets(target: str, tmp_path: Path) -> None:
    def function(x: Any) -> Any:
        y = B.switch(x[:, :, 0] > 0.0, x, tf.zeros([tf.shape(x)[0], 3, 4]))
        y = B.dot(y, B.constant(MATRIX)) / tf.cast(tf.shape(x)[1], tf.float32)
        return tf.math.cumulative_logsumexp(tf.reshape(y, (tf.shape(x)[0], 15)), axis=1)

    _, path = made(function, tmp_path)
    verdict = netsheet.load(path).verify(target, RANDOM.normal(size=(1, *SIZES)).astype("f4"))
    assert verdict.ok, verdict.first_failure


def test_open_sizes_are_known_with_the_input(tmp_path: Path) -> None:
    inputs = tf_keras.Input((None, 4))
    shape = tf.shape(inputs)
    model = tf_keras.Model(inputs, tf.reshape(inputs, [shape[0], shape[1] * 2, 2]))
    model.save(tmp_path / "m.h5")
    network = netsheet.load(tmp_path / "m.h5")
    for length in (2, 5):
        x = RANDOM.normal(size=(3, length, 4)).astype("f4")
        np.testing.assert_array_equal(network.predict(x), np.asarray(model(x)))
