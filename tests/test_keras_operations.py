"""TensorFlow functions in networks of Keras 2, as TFOpLambda and SlicingOpLambda layers."""

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
MATRIX = np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 2.0]], "f4")
KERNEL = RANDOM.standard_normal((2, 3, 3, 4)).astype("f4")

Operations = dict[str, Callable[[Any], Any]]

PICTURES: Operations = {
    "ellipsis": lambda x: x[..., 0],
    "channels reversed": lambda x: x[..., ::-1],
    "ellipsis in the middle": lambda x: x[:, 1, ..., 1:],
    "an axis behind": lambda x: x[..., tf.newaxis],
    "an axis between": lambda x: x[:, tf.newaxis],
    "negative steps": lambda x: x[:, ::-1, 4:0:-2],
    "negative bounds": lambda x: x[:, -3:-1, -1],
    "strided_slice": lambda x: tf.strided_slice(x, [0, 1, 0, 0], [9, 4, 3, 2], [1, 2, 1, 1],
                                                begin_mask=1, end_mask=5),
    "bias_add": lambda x: tf.nn.bias_add(x, [1.0, 2.0, 3.0]),
    "backend bias_add": lambda x: B.bias_add(x, tf.constant([1.0, 2.0, 3.0])),
    "caffe": tf_keras.applications.resnet50.preprocess_input,
    "torch": tf_keras.applications.densenet.preprocess_input,
    "tf": tf_keras.applications.mobilenet_v2.preprocess_input,
    "max_pool": lambda x: tf.nn.max_pool(x, 3, 1, "SAME"),
    "max_pool2d": lambda x: tf.nn.max_pool2d(x, 2, [1, 2, 1, 1], "VALID"),
    "avg_pool": lambda x: tf.nn.avg_pool(x, 3, 2, "SAME"),
    "pool": lambda x: tf.nn.pool(x, [2, 2], "AVG", strides=[2, 2]),
    "conv2d": lambda x: tf.nn.conv2d(x, KERNEL, 1, "SAME"),
    "conv2d, strides": lambda x: tf.nn.conv2d(x, KERNEL, [1, 2, 1, 1], "VALID"),
    "backend conv2d": lambda x: B.conv2d(x, B.constant(KERNEL), padding="same"),
    "depthwise_conv2d": lambda x: tf.nn.depthwise_conv2d(x, KERNEL, [1, 1, 1, 1], "SAME"),
    "lrn": lambda x: tf.nn.local_response_normalization(x, 1, 1.5, 0.1, 0.75),
    "symmetric": lambda x: tf.pad(x, [[0, 0], [2, 1], [1, 1], [0, 0]], mode="SYMMETRIC"),
    "bicubic": lambda x: tf.image.resize(x, [8, 6], "bicubic"),
    "nearest": lambda x: tf.image.resize(x, [8, 6], "nearest"),
    "grey": tf.image.rgb_to_grayscale,
    "left right": tf.image.flip_left_right,
    "up down": tf.image.flip_up_down,
    "central_crop": lambda x: tf.image.central_crop(x, 0.5),
    "crop_to_bounding_box": lambda x: tf.image.crop_to_bounding_box(x, 1, 1, 3, 3),
    "pad_to_bounding_box": lambda x: tf.image.pad_to_bounding_box(x, 1, 2, 8, 9),
    "standardization": tf.image.per_image_standardization,
    "contrast": lambda x: tf.image.adjust_contrast(x, 2.0),
    "brightness": lambda x: tf.image.adjust_brightness(x, 0.2),
    "clip_by_norm": lambda x: tf.clip_by_norm(x, 1.0, axes=[1, 2]),
    "batch_flatten": B.batch_flatten,
    "l2_normalize": lambda x: tf.nn.l2_normalize(x, axis=-1),
}  # fmt: skip

TABLES: Operations = {
    "constant @ x": lambda x: tf.matmul(MATRIX.T, tf.transpose(x, [0, 2, 1])),
    "x @ constant": lambda x: x @ MATRIX,
    "transpose_a": lambda x: tf.matmul(x, x, transpose_a=True),
    "transpose_a, constant": lambda x: tf.matmul(tf.transpose(x, [0, 2, 1]), MATRIX,
                                                 transpose_a=True),
    "transpose_b, constant": lambda x: tf.matmul(x, MATRIX.T, transpose_b=True),
    "tensordot": lambda x: tf.tensordot(x, MATRIX, [[2], [0]]),
    "tensordot, one": lambda x: tf.tensordot(x, MATRIX, 1),
    "max_pool1d": lambda x: tf.nn.max_pool1d(x, 2, 2, "VALID"),
    "avg_pool1d": lambda x: tf.nn.avg_pool1d(x, 2, 1, "SAME"),
    "conv1d": lambda x: tf.nn.conv1d(x, KERNEL[0], 1, "SAME"),
    "bias_add, channels first": lambda x: tf.nn.bias_add(x, np.arange(5.0), data_format="NCW"),
    "top_k": lambda x: tf.math.top_k(x, k=2)[0],
    "sort": lambda x: tf.sort(x, axis=1),
    "sort, falling": lambda x: tf.sort(x, axis=-1, direction="DESCENDING"),
    "rint": tf.math.rint,
    "erfc": tf.math.erfc,
    "reciprocal_no_nan": tf.math.reciprocal_no_nan,
    "xlogy": lambda x: tf.math.xlogy(x, x * x + 1.0),
    "scalar_mul": lambda x: tf.math.scalar_mul(2.0, x),
    "is_nan": lambda x: tf.cast(tf.math.is_nan(x), "float32"),
    "is_finite": lambda x: tf.where(tf.math.is_finite(x), x, 0.0),
    "ensure_shape": lambda x: tf.ensure_shape(x, (None, 5, 3)),
    "matrix_transpose": tf.linalg.matrix_transpose,
    "crelu": tf.nn.crelu,
    "crelu, axis": lambda x: tf.nn.crelu(x, axis=1),
    "diag_part": tf.linalg.diag_part,
    "diag_part, k": lambda x: tf.linalg.diag_part(x, k=-1),
    "trace": tf.linalg.trace,
    "band_part": lambda x: tf.linalg.band_part(x, 1, -1),
    "band_part, narrow": lambda x: tf.linalg.band_part(x, 0, 1),
    "dropout of nothing": lambda x: tf.nn.dropout(x, 0.0),
}  # fmt: skip


def _compared(operations: Operations, shape: tuple[int, ...], nested: bool, path: Path) -> None:
    """All of them as outputs of one network, in a nested one if asked, against tf_keras."""
    tf_keras.backend.clear_session()
    inputs = tf_keras.Input(shape)
    outputs = [function(inputs) for function in operations.values()]
    model = tf_keras.Model(inputs, outputs)
    if nested:
        outer = tf_keras.Input(shape)
        model = tf_keras.Model(outer, model(tf_keras.layers.Rescaling(2.0)(outer)))
    model.save(path)
    x = RANDOM.standard_normal((2, *shape)).astype("f4")
    loaded = netsheet.load(path)
    refused = [f"{node.key}: {node.refusal}" for node in loaded.nodes if node.refusal]
    assert not refused
    found, expected = loaded.predict(x), model.predict(x, verbose=0)
    for name, ours, theirs in zip(operations, found, expected, strict=True):
        bound = 1e-5 * max(1, np.abs(theirs).max())
        assert ours.shape == theirs.shape, name
        assert np.abs(ours - theirs).max() <= 10 * bound, name


@pytest.mark.parametrize("nested", [False, True])
def test_on_pictures(nested: bool, tmp_path: Path) -> None:
    _compared(PICTURES, (6, 5, 3), nested, tmp_path / "m.h5")


@pytest.mark.parametrize("nested", [False, True])
def test_on_tables(nested: bool, tmp_path: Path) -> None:
    _compared(TABLES, (5, 3), nested, tmp_path / "m.h5")


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "the batch reversed": (lambda x: x[::-1], "slices the batch"),
    "along the batch": (lambda x: tf.reduce_sum(x, axis=0, keepdims=True) + x, "batch axis"),
    "live dropout": (lambda x: tf.nn.dropout(x, 0.5), "at random"),
    "a constant over the batch": (lambda x: x + np.ones((2, 5, 3), "f4"), "more axes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_concerns_the_batch_is_refused(name: str, tmp_path: Path) -> None:
    function, reason = REFUSED[name]
    inputs = tf_keras.Input((5, 3))
    tf_keras.Model(inputs, function(inputs)).save(path := tmp_path / "m.h5")
    with pytest.raises(NetsheetError, match=reason):
        netsheet.load(path).predict(np.ones((2, 5, 3), "f4"))
