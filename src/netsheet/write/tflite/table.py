"""One row for each class of layers: the operators of TensorFlow Lite that compute it.

The counterpart of the reader's table (:mod:`netsheet.read.tflite.table`). A layer whose output is
``a * x + b``, with numbers for each channel, needs no row: whatever it is called, it is found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers import activation as functions
from netsheet.layers import conv, conv_transpose, dense, merge, norm, pool, shape, spatial
from netsheet.nodes import Node
from netsheet.write.tflite import windows
from netsheet.write.tflite.graph import LiteTensor
from netsheet.write.tflite.linear import scaled
from netsheet.write.tflite.lowering import Lowering, Row, stored

Given = Sequence[LiteTensor]


def has_row(layer: Layer) -> bool:
    """True if the layer's class has a row of its own."""
    return type(layer) in TABLE or isinstance(layer, shape.Identity)  # dropout and its kin too


def row_of(layer: Layer) -> Row:
    """The row of a layer's class.

    Raises:
        UnsupportedError: it has none.
    """
    if not has_row(layer):
        raise UnsupportedError(f"{layer.type} has no form in TensorFlow Lite")
    return TABLE.get(type(layer), _passed)


def _out(node: Node) -> tuple[int, ...]:
    return (1, *node.outputs[0].shape)


def _passed(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    return given[0]


def _reshaped(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    return lowering.reshaped(given[0], _out(node))


def _function(name: str, kind: str = "") -> Row:
    def row(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
        return lowering.add(name, given[:1], given[0].shape, kind)

    return row


def _relu(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    layer = node.layer
    assert isinstance(layer, functions.ReLU)
    if layer.threshold:
        raise UnsupportedError(f"ReLU from {layer.threshold:g} on is not written")
    if layer.negative_slope and layer.max_value is None:
        return lowering.add("LEAKY_RELU", given[:1], given[0].shape, "LeakyReluOptions",
                            Alpha=float(layer.negative_slope))  # fmt: skip
    if layer.negative_slope or layer.max_value not in (None, 6.0):
        raise UnsupportedError(
            f"ReLU with a slope of {layer.negative_slope:g} and the largest value "
            f"{layer.max_value:g} is not written"
        )
    return lowering.add("RELU" if layer.max_value is None else "RELU6", given[:1], given[0].shape)


def _leaky(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    slope = float(getattr(node.layer, "negative_slope", 0))
    return lowering.add("LEAKY_RELU", given[:1], given[0].shape, "LeakyReluOptions", Alpha=slope)


def _elu(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    if getattr(node.layer, "alpha", 1.0) != 1.0:
        raise UnsupportedError("ELU with an alpha other than 1 is not written")
    return lowering.add("ELU", given[:1], given[0].shape)


def _silu(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    gate = lowering.add("LOGISTIC", given[:1], given[0].shape)
    return lowering.add("MUL", [given[0], gate], given[0].shape, "MulOptions",
                        FusedActivationFunction=0)  # fmt: skip


def _gelu(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    return lowering.add("GELU", given[:1], given[0].shape, "GeluOptions",
                        Approximate=bool(getattr(node.layer, "approximate", False)))  # fmt: skip


def _prelu(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    alpha = lowering.constant("alpha", stored(node)["alpha"])
    return lowering.add("PRELU", [given[0], alpha], given[0].shape)


def _check_last(node: Node) -> None:
    axis, rank = getattr(node.layer, "axis", -1), len(node.inputs[0].shape)
    if axis not in (-1, rank - 1):
        raise UnsupportedError(f"{node.layer.type} along axis {axis} is not written, only the last")


def _softmax(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    _check_last(node)
    return lowering.add("SOFTMAX", given[:1], given[0].shape, "SoftmaxOptions", Beta=1.0)


def _log_softmax(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    _check_last(node)
    return lowering.add("LOG_SOFTMAX", given[:1], given[0].shape, "LogSoftmaxOptions")


def _dense(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    layer = node.layer
    assert isinstance(layer, dense.Dense)
    if layer.quantized:
        raise UnsupportedError("Keras's own int8 form is not written")
    weights = stored(node)
    kernel = layer.weights["kernel"]
    order = [kernel.axes.index(axis) for axis in ("out", "in")]
    matrix = lowering.constant("MatMul", weights["kernel"].transpose(order))
    bias = weights.get("bias", np.zeros(layer.units, np.float32))
    y = lowering.add(
        "FULLY_CONNECTED", [given[0], matrix, lowering.constant("bias", bias)],
        (*given[0].shape[:-1], layer.units), "FullyConnectedOptions",
        FusedActivationFunction=0, WeightsFormat=0, KeepNumDims=len(given[0].shape) > 2,
    )  # fmt: skip
    return lowering.activated(y, layer.active())


def _two(name: str, kind: str = "") -> Row:
    """An operator of two operands; of more, one after the other."""
    options = {"FusedActivationFunction": 0} if kind in _ARITHMETIC else {}

    def row(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
        total = given[0]
        for other in given[1:]:
            if len(total.shape) != len(other.shape):
                raise UnsupportedError("operands of different ranks are not written")
            pairs = zip(total.shape, other.shape, strict=True)
            total = lowering.add(name, [total, other], [max(p) for p in pairs], kind, **options)
        return total

    return row


_ARITHMETIC = ("AddOptions", "SubOptions", "MulOptions")


def _average(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    total = _two("ADD", "AddOptions")(lowering, node, given)
    return scaled(lowering, total, np.array(1 / len(given)), np.array(0.0))


def _concatenated(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    axis = int(getattr(node.layer, "axis", -1)) % len(node.inputs[0].shape)
    return lowering.add("CONCATENATION", given, _out(node), "ConcatenationOptions",
                        Axis=axis + 1,  # behind the batch
                        FusedActivationFunction=0)  # fmt: skip


def _permuted(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    return lowering.transposed(given[0], (0, *getattr(node.layer, "dims", ())))


def _affine(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    from netsheet.write.tflite.linear import factors_of

    factor, summand = factors_of(node)
    return scaled(lowering, given[0], factor, summand)


TABLE: dict[type[Layer], Row] = {
    conv.Conv2D: windows.convolution,
    conv.Conv1D: windows.convolution,
    conv.DepthwiseConv2D: windows.depthwise,
    conv.DepthwiseConv1D: windows.depthwise,
    conv.SeparableConv2D: windows.separable,
    conv.SeparableConv1D: windows.separable,
    conv_transpose.Conv2DTranspose: windows.transposed,
    dense.Dense: _dense,
    pool.MaxPooling2D: windows.pooling("MAX_POOL_2D"),
    pool.MaxPooling1D: windows.pooling("MAX_POOL_2D"),
    pool.AveragePooling2D: windows.pooling("AVERAGE_POOL_2D"),
    pool.AveragePooling1D: windows.pooling("AVERAGE_POOL_2D"),
    pool.GlobalAveragePooling2D: windows.global_pooling("MEAN"),
    pool.GlobalAveragePooling1D: windows.global_pooling("MEAN"),
    pool.GlobalMaxPooling2D: windows.global_pooling("REDUCE_MAX"),
    pool.GlobalMaxPooling1D: windows.global_pooling("REDUCE_MAX"),
    spatial.ZeroPadding2D: windows.padding,
    spatial.ZeroPadding1D: windows.padding,
    spatial.Cropping2D: windows.cropping,
    spatial.Cropping1D: windows.cropping,
    spatial.UpSampling2D: windows.upsampling,
    # moving
    shape.Identity: _passed,
    shape.Flatten: _reshaped,
    shape.Reshape: _reshaped,
    shape.Permute: _permuted,
    # several operands
    merge.Add: _two("ADD", "AddOptions"),
    merge.Subtract: _two("SUB", "SubOptions"),
    merge.Multiply: _two("MUL", "MulOptions"),
    merge.Maximum: _two("MAXIMUM"),
    merge.Minimum: _two("MINIMUM"),
    merge.Average: _average,
    merge.Concatenate: _concatenated,
    # a factor and a summand for each channel
    norm.BatchNormalization: _affine,
    norm.Normalization: _affine,
    norm.Rescaling: _affine,
    # functions of one value
    functions.Linear: _passed,
    functions.ReLU: _relu,
    functions.ReLU6: _function("RELU6"),
    functions.LeakyReLU: _leaky,
    functions.PReLU: _prelu,
    functions.ELU: _elu,
    functions.Tanh: _function("TANH"),
    functions.Sigmoid: _function("LOGISTIC"),
    functions.GELU: _gelu,
    functions.LogSoftmax: _log_softmax,
    functions.HardSiLU: _function("HARD_SWISH"),
    functions.SiLU: _silu,
    functions.Softmax: _softmax,
}
