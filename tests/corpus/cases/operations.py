"""Operations that are no layers: keras.ops of Keras 3, functions of TensorFlow in Keras 2."""

from __future__ import annotations

from typing import Any

import numpy as np
from kit import KERAS2, KERAS3, Kit, case, numbers


@case({3: ("keras", "h5")})
def ops_arithmetic(k: Kit) -> Any:
    """Arithmetic of two tensors, of a tensor and a number, and with a constant."""
    ops = k.ops
    x, y = k.input(3, 4, name="x"), k.input(3, 4, name="y")
    z = k.input(1, 4, name="z")
    outputs = [
        x + y, x - y, x * y, x / (y * y + 1), x + 2.5, 2.5 - x, 3 * x, 1 / (x * x + 2), -x,
        x + z, z * x, abs(x),
        ops.maximum(x, y), ops.minimum(x, 0.25), ops.power(abs(x) + 0.5, 1.5),
        ops.power(abs(x) + 0.5, y), (abs(x) + 1) ** 2, ops.square(x), ops.clip(x, -0.5, 0.75),
        x + np.arange(4, dtype="float32"), x * numbers(3, 4, seed=2),
        ops.where(x > y, x, y * 2), ops.floor_divide(x, 0.5), ops.mod(x, 0.7),
    ]  # fmt: skip
    return k.model([x, y, z], outputs)


@case(KERAS3)
def ops_functions(k: Kit) -> Any:
    """Functions of one tensor."""
    ops = k.ops
    x = k.input(3, 4, name="x")
    p = ops.abs(x) + 0.5
    outputs = [
        ops.exp(x), ops.log(p), ops.sqrt(p), ops.rsqrt(p), ops.sign(x), ops.floor(x), ops.ceil(x),
        ops.round(x), ops.sin(x), ops.cos(x), ops.tan(x), ops.tanh(x), ops.sinh(x), ops.cosh(x),
        ops.erf(x), ops.sigmoid(x), ops.log1p(p), ops.expm1(x), ops.log2(p), ops.log10(p),
        ops.reciprocal(p), ops.negative(x), ops.absolute(x), ops.stop_gradient(x), ops.copy(x),
        ops.arctan(x), ops.arcsin(ops.sin(x) * 0.9), ops.arccos(ops.sin(x) * 0.9), ops.arcsinh(x),
        ops.arctanh(ops.sin(x) * 0.9), ops.arccosh(p + 1), ops.trunc(x), ops.logaddexp(x, p),
        ops.nan_to_num(x), ops.isfinite(x), ops.hypot(x, p), ops.cast(x, "float32"),
        ops.arctan2(x, p), ops.rad2deg(x) if hasattr(ops, "rad2deg") else x * 1,
    ]  # fmt: skip
    return k.model(x, outputs)


@case({3: ("keras", "h5")})
def ops_activations(k: Kit) -> Any:
    """Activations as operations, with arguments."""
    ops = k.ops
    x = k.input(3, 4, name="x")
    outputs = [
        ops.relu(x), ops.relu6(x * 5), ops.selu(x), ops.softplus(x), ops.softsign(x), ops.silu(x),
        ops.hard_silu(x * 3), ops.hard_sigmoid(x * 3), ops.log_sigmoid(x), ops.hard_tanh(x),
        ops.tanh_shrink(x), ops.sparse_plus(x), ops.leaky_relu(x), ops.leaky_relu(x, 0.3),
        ops.elu(x), ops.elu(x, 0.6), ops.gelu(x), ops.gelu(x, False), ops.gelu(x, True),
        ops.softmax(x), ops.softmax(x, 1), ops.log_softmax(x), ops.celu(x), ops.celu(x, 0.6),
        ops.soft_shrink(x), ops.soft_shrink(x, 0.2), ops.hard_shrink(x), ops.hard_shrink(x, 0.2),
        ops.threshold(x, 0.1, 0.4), ops.squareplus(x), ops.squareplus(x, 2), ops.glu(x),
        ops.sparse_sigmoid(x), ops.sparsemax(x),
    ]  # fmt: skip
    return k.model(x, outputs)


@case(KERAS3)
def ops_reductions(k: Kit) -> Any:
    """Reductions over axes."""
    ops = k.ops
    x = k.input(3, 2, 4, name="x")
    outputs = [
        ops.mean(x, axis=1), ops.mean(x, axis=-1, keepdims=True), ops.mean(x, axis=(1, 2)),
        ops.sum(x, axis=2), ops.sum(x, axis=(1, 2, 3)), ops.max(x, axis=-1), ops.min(x, axis=1),
        ops.prod(x, axis=2), ops.max(x, axis=(1, 3), keepdims=True), ops.var(x, axis=-1),
        ops.std(x, axis=1), ops.logsumexp(x, axis=-1), ops.norm(x, axis=-1),
        ops.argmax(x, axis=-1), ops.argmin(x, axis=1), ops.cumsum(x, axis=1),
        ops.any(x > 1, axis=-1), ops.all(x > -1, axis=1), ops.average(x, axis=1),
        ops.amax(x, axis=1), ops.count_nonzero(x, axis=1), ops.cumprod(x, axis=3),
    ]  # fmt: skip
    return k.model(x, outputs)


@case({3: ("keras", "h5")})
def ops_shapes(k: Kit) -> Any:
    """Operations that move values."""
    ops = k.ops
    x, y = k.input(3, 2, 4, name="x"), k.input(3, 2, 4, name="y")
    outputs = [
        ops.reshape(x, (-1, 6, 4)), ops.reshape(x, (-1, 24)), ops.transpose(x, (0, 2, 1, 3)),
        ops.transpose(x, (0, 3, 1, 2)), ops.expand_dims(x, 1), ops.expand_dims(x, -1),
        ops.squeeze(ops.expand_dims(x, 2), 2), ops.concatenate([x, y], axis=-1),
        ops.concatenate([x, y], axis=1), ops.stack([x, y], axis=1), ops.stack([x, y], axis=-1),
        x[:, 0], x[:, :, 1], x[:, 1:3], x[:, :, :, ::2], x[:, ::-1], x[:, -1, :, 1:],
        x[..., 0], x[:, :, None], x[:, ..., 1:3],
        ops.flip(x, axis=1), ops.repeat(x, 2, axis=1), ops.tile(x, (1, 2, 1, 3)),
        ops.pad(x, ((0, 0), (1, 0), (0, 2), (1, 1))), ops.swapaxes(x, 1, 2),
        ops.moveaxis(x, 1, -1), ops.roll(x, 1, axis=2), ops.squeeze(x[:, 0:1], 1),
        ops.broadcast_to(x[:, 0:1, 0:1], (2, 3, 2, 4)), ops.ravel(x) if False else x * 1,
        ops.take(x, [2, 0], axis=1), ops.zeros_like(x), ops.ones_like(x),
        *ops.split(x, 2, axis=3), *ops.split(x, [1], axis=1), *ops.unstack(x, axis=2),
    ]  # fmt: skip
    return k.model([x, y], outputs)


@case(KERAS3)
def ops_products(k: Kit) -> Any:
    """Matrix products."""
    ops = k.ops
    x, y, z = k.input(3, 4, name="x"), k.input(4, 5, name="y"), k.input(3, 4, name="z")
    outputs = [
        ops.matmul(x, y), x @ y, ops.matmul(x, ops.transpose(z, (0, 2, 1))),
        ops.einsum("bij,bjk->bik", x, y), ops.einsum("bij,bij->bi", x, z),
        ops.einsum("bij,bkj->bik", x, z), ops.matmul(x, numbers(4, 3, seed=8)),
        ops.dot(x, numbers(4, 3, seed=9)), ops.tensordot(x, numbers(4, 2, seed=8), axes=1),
        ops.normalize(x, axis=-1), ops.vectorize(lambda a: a)(x) if False else x * 1,
    ]  # fmt: skip
    return k.model([x, y, z], outputs)


@case(KERAS3)
def ops_windows(k: Kit) -> Any:
    """Pooling, resizing and positions as operations."""
    ops = k.ops
    x = k.input(6, 5, 2, name="x")
    outputs = [
        ops.max_pool(x, 2), ops.average_pool(x, 2, padding="same"),
        ops.max_pool(x, 3, strides=2, padding="same"),
        ops.one_hot(ops.argmax(x, axis=-1), 2),
        ops.image.resize(x, (8, 9)), ops.image.resize(x, (3, 4), interpolation="nearest"),
    ]  # fmt: skip
    return k.model(x, outputs)


@case({2: ("h5", "keras")})
def lambdas_arithmetic(k: Kit) -> Any:
    """TensorFlow's functions on Keras 2's tensors: arithmetic."""
    tf = k.tf
    x, y = k.input(3, 4, name="x"), k.input(3, 4, name="y")
    p = tf.abs(x) + 0.5
    outputs = [
        x + y, x - y, x * y, x / (y * y + 1), x + 2.5, 2.5 - x, 3 * x, 1 / p, -x, p**2,
        tf.maximum(x, y), tf.minimum(x, 0.25), tf.pow(p, 1.5), tf.square(x), tf.sqrt(p),
        tf.exp(x), tf.math.log(p), tf.math.rsqrt(p), tf.sign(x), tf.floor(x), tf.sin(x), tf.cos(x),
        tf.clip_by_value(x, -0.5, 0.75), tf.add(x, y), tf.multiply(x, 2.0), tf.math.divide(x, 2.0),
        x + np.arange(4, dtype="float32"), tf.constant(numbers(1, 4)) * x, tf.math.erf(x),
        tf.where(x > y, x, y), tf.math.squared_difference(x, y), tf.add_n([x, y, x]),
        x // 0.5, x % 0.7, tf.math.softplus(x), tf.identity(x), tf.cast(x, "float32"),
        tf.math.reciprocal(p), tf.math.log1p(p), tf.round(x), tf.math.multiply_no_nan(x, y),
    ]  # fmt: skip
    return k.model([x, y], outputs)


@case({2: ("h5", "keras")})
def lambdas_shapes(k: Kit) -> Any:
    """TensorFlow's functions on Keras 2's tensors: movements and reductions."""
    tf = k.tf
    x, y = k.input(3, 2, 4, name="x"), k.input(3, 2, 4, name="y")
    outputs = [
        tf.reshape(x, (-1, 6, 4)), tf.transpose(x, (0, 2, 1, 3)), tf.expand_dims(x, 1),
        tf.expand_dims(x, -1), tf.squeeze(tf.expand_dims(x, 2), 2), tf.concat([x, y], -1),
        tf.concat([x, y], axis=1), tf.stack([x, y], axis=1), x[:, 0], x[:, :, 1], x[:, 1:3],
        x[:, :, :, ::2], x[:, -1, :, 1:], x[:, :, tf.newaxis],
        tf.reduce_mean(x, axis=1), tf.reduce_mean(x, [1, 2]), tf.reduce_sum(x, -1, keepdims=True),
        tf.reduce_max(x, axis=2), tf.reduce_min(x, axis=1), tf.reduce_prod(x, axis=2),
        tf.math.reduce_variance(x, axis=-1), tf.math.reduce_std(x, axis=-1),
        tf.tile(x, (1, 2, 1, 3)), tf.repeat(x, 2, axis=1), tf.reverse(x, [1]),
        tf.pad(x, ((0, 0), (1, 0), (0, 2), (1, 1))), tf.zeros_like(x), tf.ones_like(x),
        tf.math.reduce_logsumexp(x, axis=-1), tf.norm(x, axis=-1), tf.gather(x, [2, 0], axis=1),
        tf.cumsum(x, axis=1), tf.argmax(x, axis=-1),
        *tf.split(x, 2, axis=3), *tf.unstack(x, axis=2), tf.roll(x, 1, axis=2),
    ]  # fmt: skip
    return k.model([x, y], outputs)


@case(KERAS2)
def lambdas_functions(k: Kit) -> Any:
    """TensorFlow's network functions on Keras 2's tensors."""
    tf, backend = k.tf, k.keras.backend
    x, m, n = k.input(3, 4, name="x"), k.input(4, 5, name="m"), k.input(3, 4, name="n")
    outputs = [
        tf.nn.relu(x), tf.nn.relu6(x * 5), tf.nn.leaky_relu(x), tf.nn.leaky_relu(x, alpha=0.3),
        tf.nn.elu(x), tf.nn.selu(x), tf.nn.softmax(x), tf.nn.softmax(x, axis=1), tf.nn.tanh(x),
        tf.nn.sigmoid(x), tf.nn.swish(x), tf.nn.gelu(x), tf.nn.softsign(x), tf.sigmoid(x),
        tf.tanh(x), tf.nn.log_softmax(x), tf.math.log_sigmoid(x), tf.nn.l2_normalize(x, axis=-1),
        tf.matmul(x, m), tf.matmul(x, n, transpose_b=True), tf.linalg.matmul(x, m), x @ m,
        k.keras.activations.relu(x),
        k.keras.activations.hard_sigmoid(x), backend.mean(x, axis=1), backend.sum(x, axis=-1),
        backend.relu(x), backend.concatenate([x, n]), backend.square(x), backend.sqrt(abs(x) + 1),
        backend.batch_dot(x, m), backend.l2_normalize(x, axis=-1), backend.expand_dims(x, 1),
        backend.softmax(x), backend.permute_dimensions(x, (0, 2, 1)), backend.reshape(x, (-1, 12)),
        backend.hard_sigmoid(x), backend.clip(x, -0.5, 0.5), backend.abs(x), backend.max(x, 1),
        tf.matmul(x, tf.constant(numbers(4, 3, seed=8))), tf.tensordot(x, numbers(4, 2), 1),
    ]  # fmt: skip
    return k.model([x, m, n], outputs)


@case({2: ("h5", "keras"), 3: ("keras", "h5")})
def tensors_in_layers(k: Kit) -> Any:
    """Arithmetic between layers, as people write it."""
    layers = k.layers
    x = k.input(6, 6, 3, name="x")
    y = layers.Conv2D(4, 3, padding="same", name="conv")(x / 127.5 - 1.0)
    gate = layers.Dense(4, activation="sigmoid", name="gate")(
        layers.GlobalAveragePooling2D(name="mean")(y)
    )
    y = y * layers.Reshape((1, 1, 4), name="spread")(gate)
    top, rest = y[:, :3], y[:, 3:]
    y = layers.Concatenate(axis=-1, name="join")([top, rest])
    return k.model(x, layers.Dense(2, name="out")(layers.Flatten(name="flat")(y)))
