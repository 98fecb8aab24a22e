"""ONNX nodes as the layers that they mean, which have rows in the table.

A network read from ONNX has convolutions as layers already; its other nodes are operators. What
means no layer stays an operator, and has no form in TensorFlow Lite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from netsheet.equations import FloatArray, Tensor, Weight
from netsheet.layer import Layer
from netsheet.layers import activation as functions
from netsheet.layers import dense, merge, norm, pool, shape, spatial
from netsheet.layers.window import Padding
from netsheet.nodes import Node
from netsheet.operators.base import OnnxNode, Operator

FRONT = "channels_first"
Meaning = Callable[[Node, OnnxNode], Layer | None]


def meant(node: Node) -> Node:
    """The call with the layer that its ONNX node means; the call itself where it means none."""
    layer = node.layer
    if not isinstance(layer, Operator) or layer.op not in MEANINGS or layer.activation is not None:
        return node
    if not layer.batch or not all(layer.stripped) or len(node.outputs) != 1:
        return node
    if not all(layer.cuts(layer.formula(node.inputs).shapes)):
        return node  # the batch goes elsewhere
    found = MEANINGS[layer.op](node, layer.node(node.inputs))
    if found is None:
        return node
    found.name = layer.name
    return replace(node, layer=found)


def _stored(onnx: OnnxNode, index: int) -> FloatArray | None:
    """The numbers of an input that is stored."""
    tensor = onnx.inputs[index] if index < len(onnx.inputs) else None
    return np.asarray(tensor.values, float) if isinstance(tensor, Weight) else None


def _weight(label: str, axes: Sequence[str], values: FloatArray) -> Weight:
    array = np.ascontiguousarray(values, np.float32)
    return Weight(label, tuple(axes), array.shape, label=label, values=array)


def _plain(layer: Layer) -> Meaning:
    return lambda node, onnx: replace(layer)


def _per_channel(x: Tensor, factor: FloatArray, summand: FloatArray) -> Layer | None:
    """``x * factor + summand``, with one number of each, or one for each channel."""
    rank = len(x.shape)
    axis = -1 if rank == 1 else 0  # channels stand in front
    shape = tuple(size if n == axis % rank else 1 for n, size in enumerate(x.shape))
    arrays = []
    for numbers in (factor, summand):
        if numbers.ndim > rank + 1:
            return None
        wide = numbers.reshape((1,) * (rank + 1 - numbers.ndim) + numbers.shape)
        if wide.shape[1:] not in (shape, (1,) * rank) or wide.shape[0] != 1:
            return None
        arrays.append(np.broadcast_to(wide[0], shape).reshape(-1))
    count = arrays[0].size
    return norm.BatchNormalization(
        axis=axis,
        epsilon=0.0,
        weights={
            "gamma": _weight("gamma", ("out",), arrays[0]),
            "beta": _weight("beta", ("out",), arrays[1]),
            "moving_mean": _weight("moving_mean", ("out",), np.zeros(count)),
            "moving_variance": _weight("moving_variance", ("out",), np.ones(count)),
        },
    )


def _arithmetic(layer: Layer, numbers: Callable[[FloatArray, bool], tuple[FloatArray, FloatArray]],
                swapped: bool) -> Meaning:  # fmt: skip
    """Two computed operands, or one and stored numbers; ``swapped``: these may come first."""

    def meaning(node: Node, onnx: OnnxNode) -> Layer | None:
        known = [_stored(onnx, n) for n in range(2)]
        if known[0] is None and known[1] is None:
            alike = len(node.inputs) == 2 and len(node.inputs[0].shape) == len(node.inputs[1].shape)
            return replace(layer) if alike and type(layer) is not Layer else None
        first = known[0] is not None
        stored = known[0] if first else known[1]
        if stored is None or len(node.inputs) != 1 or (first and not swapped):
            return None
        factor, summand = numbers(stored, first)
        return _per_channel(node.inputs[0], factor, summand)

    return meaning


_ONE, _ZERO = np.ones(()), np.zeros(())


def _normalised(node: Node, onnx: OnnxNode) -> Layer | None:
    arrays = [_stored(onnx, n) for n in range(1, 5)]
    if any(array is None for array in arrays):
        return None
    scale, bias, mean, variance = (np.asarray(array) for array in arrays)
    labels = {"gamma": scale, "beta": bias, "moving_mean": mean, "moving_variance": variance}
    return norm.BatchNormalization(
        axis=0 if len(node.inputs[0].shape) > 1 else -1,
        epsilon=float(onnx.attr("epsilon", 1e-5)),
        weights={label: _weight(label, ("out",), array) for label, array in labels.items()},
    )


def _product(node: Node, onnx: OnnxNode) -> Layer | None:
    """Gemm with a stored matrix, or MatMul with one: a dense layer."""
    matrix = _stored(onnx, 1)
    if matrix is None or matrix.ndim != 2 or onnx.attr("transA", 0):
        return None
    kernel = matrix.T if onnx.attr("transB", 0) else matrix
    kernel = kernel * float(onnx.attr("alpha", 1.0))
    weights = {"kernel": _weight("kernel", ("in", "out"), kernel)}
    if onnx.has(2):
        bias = _stored(onnx, 2)
        if bias is None or bias.size not in (1, kernel.shape[1]):
            return None
        bias = np.broadcast_to(bias.reshape(-1), (kernel.shape[1],))
        weights["bias"] = _weight("bias", ("out",), bias * float(onnx.attr("beta", 1.0)))
    return dense.Dense(units=kernel.shape[1], use_bias="bias" in weights, weights=weights)


def _pool(kind: type[pool.MaxPooling2D] | type[pool.AveragePooling2D]) -> Meaning:
    def meaning(node: Node, onnx: OnnxNode) -> Layer | None:
        window = tuple(onnx.attr("kernel_shape", ()))
        if len(window) != 2 or len(node.inputs[0].shape) != 3:
            return None
        strides = tuple(onnx.attr("strides", (1, 1)))
        pads = list(onnx.attr("pads", (0, 0, 0, 0)))
        if any(n != 1 for n in onnx.attr("dilations", (1, 1))) or onnx.attr("storage_order", 0):
            return None
        average = kind is pool.AveragePooling2D
        zeros = any(pads) and (onnx.attr("count_include_pad", 0) if average else True)
        padding: Padding | None = _padding(node, window, strides, pads)
        if zeros and (average or padding is None):
            padding = _around(node, window, strides, pads)
        if padding is None:
            return None
        return kind(pool_size=window, strides=strides, padding=padding, data_format=FRONT)

    return meaning


def _padding(
    node: Node, window: Sequence[int], strides: Sequence[int], pads: Sequence[int]
) -> str | None:
    """``valid`` or ``same`` where the window goes over the map as that says; else None."""
    sizes, results = node.inputs[0].shape[1:], node.outputs[0].shape[1:]
    assert None not in sizes and None not in results
    rows = list(zip(sizes, results, window, strides, pads[:2], strict=True))
    if not any(pads) and all(r == (n - w) // s + 1 for n, r, w, s, _ in rows):
        return "valid"
    for size, result, wide, step, before in rows:
        total = max((result - 1) * step + wide - size, 0)
        if result != -(-size // step) or before != total // 2:
            return None
    return "same"


def _around(
    node: Node, window: Sequence[int], strides: Sequence[int], pads: Sequence[int]
) -> tuple[tuple[int, int], ...] | None:
    """The padding in front and behind, where the window goes over all of it."""
    sizes, results = node.inputs[0].shape[1:], node.outputs[0].shape[1:]
    pairs = ((pads[0], pads[2]), (pads[1], pads[3]))
    rows = zip(sizes, results, window, strides, pairs, strict=True)
    fits = all(r == (n + sum(pair) - w) // s + 1 for n, r, w, s, pair in rows)
    return pairs if fits and min(pads) >= 0 else None


def _global(kind: type[pool.GlobalMaxPooling2D] | type[pool.GlobalAveragePooling2D]) -> Meaning:
    def meaning(node: Node, onnx: OnnxNode) -> Layer | None:
        rank = len(node.inputs[0].shape)
        return kind(data_format=FRONT, keepdims=True) if rank == 3 else None

    return meaning


def _mean(node: Node, onnx: OnnxNode) -> Layer | None:
    """ReduceMean over height and width."""
    axes = onnx.attr("axes") or (onnx.integers(1) if onnx.has(1) else ())
    rank = len(node.inputs[0].shape) + 1
    if rank != 4 or sorted(int(axis) % rank for axis in axes) != [2, 3]:
        return None
    return pool.GlobalAveragePooling2D(data_format=FRONT, keepdims=bool(onnx.attr("keepdims", 1)))


def _reshape(node: Node, onnx: OnnxNode) -> Layer | None:
    return shape.Reshape(target_shape=tuple(node.outputs[0].shape))


def _transpose(node: Node, onnx: OnnxNode) -> Layer | None:
    order = [int(n) for n in onnx.attr("perm", range(len(node.inputs[0].shape), -1, -1))]
    return shape.Permute(dims=tuple(order[1:])) if order[0] == 0 else None


def _joined(node: Node, onnx: OnnxNode) -> Layer | None:
    rank = len(node.inputs[0].shape) + 1
    axis = int(onnx.attr("axis", 1)) % rank
    computed = all(not isinstance(tensor, Weight) for tensor in onnx.inputs)
    return merge.Concatenate(axis=axis - 1) if axis and computed else None


def _limited(node: Node, onnx: OnnxNode) -> Layer | None:
    """Clip from 0 on, or between 0 and 6."""
    if onnx.opset < 11:
        low, high = onnx.attr("min"), onnx.attr("max")
    else:
        low, high = (_stored(onnx, n) for n in (1, 2))
        if (onnx.has(1) and low is None) or (onnx.has(2) and high is None):
            return None
    ends = [None if end is None else float(end) for end in (low, high)]
    if ends[0] != 0 or ends[1] not in (None, 6.0):
        return None
    return functions.ReLU(max_value=ends[1])


def _softmax(layer: Layer) -> Meaning:
    """Along the last axis."""

    def meaning(node: Node, onnx: OnnxNode) -> Layer | None:
        rank = len(node.inputs[0].shape) + 1
        axis = int(onnx.attr("axis", -1 if onnx.opset >= 13 else 1)) % rank
        return replace(layer) if axis == rank - 1 else None

    return meaning


def _padded(node: Node, onnx: OnnxNode) -> Layer | None:
    """Zeros around height and width."""
    if len(node.inputs[0].shape) != 3 or onnx.attr("mode", "constant") != "constant":
        return None
    pads = onnx.attr("pads") or (onnx.integers(1) if onnx.has(1) else None)
    value = _stored(onnx, 2) if onnx.has(2) else np.asarray(onnx.attr("value", 0.0))
    if pads is None or len(pads) != 8 or value is None or float(value) != 0 or onnx.has(3):
        return None
    if any(pads[n] for n in (0, 1, 4, 5)) or min(pads) < 0:
        return None
    around = ((pads[2], pads[6]), (pads[3], pads[7]))
    return spatial.ZeroPadding2D(padding=around, data_format=FRONT)


MEANINGS: dict[str, Meaning] = {
    "Relu": _plain(functions.ReLU()),
    "Tanh": _plain(functions.Tanh()),
    "Sigmoid": _plain(functions.Sigmoid()),
    "HardSwish": _plain(functions.HardSiLU()),
    "LeakyRelu": lambda node, onnx: functions.LeakyReLU(
        negative_slope=float(onnx.attr("alpha", 0.01))
    ),
    "Elu": lambda node, onnx: functions.ELU() if onnx.attr("alpha", 1.0) == 1 else None,
    "Softmax": _softmax(functions.Softmax()),
    "LogSoftmax": _softmax(functions.LogSoftmax()),
    "Clip": _limited,
    "Identity": _plain(shape.Identity()),
    "Dropout": _plain(shape.Identity()),
    "Add": _arithmetic(merge.Add(), lambda c, first: (_ONE, c), True),
    "Sub": _arithmetic(
        merge.Subtract(), lambda c, first: (-_ONE, c) if first else (_ONE, -c), True
    ),
    "Mul": _arithmetic(merge.Multiply(), lambda c, first: (c, _ZERO), True),
    "Div": _arithmetic(Layer(), lambda c, first: (1 / c, _ZERO), False),
    "BatchNormalization": _normalised,
    "Gemm": _product,
    "MatMul": _product,
    "MaxPool": _pool(pool.MaxPooling2D),
    "AveragePool": _pool(pool.AveragePooling2D),
    "GlobalAveragePool": _global(pool.GlobalAveragePooling2D),
    "GlobalMaxPool": _global(pool.GlobalMaxPooling2D),
    "ReduceMean": _mean,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Transpose": _transpose,
    "Concat": _joined,
    "Pad": _padded,
}
