"""One row for each operator of TensorFlow Lite: the layer that computes it."""

from __future__ import annotations

from collections.abc import Callable

from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.activation import (
    ELU,
    LeakyReLU,
    Linear,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from netsheet.layers.shape import Reshape
from netsheet.read.tflite import windows
from netsheet.read.tflite.operands import TfliteNode

Row = Callable[[TfliteNode], Layer]


def _reshape(node: TfliteNode) -> Layer:
    """To the shape that the file says of the output, without the batch."""
    shape = node.outputs[0].shape
    if not shape or shape[0] not in (1, -1) or node.input(0).shape[:1] not in ((1,), (-1,)):
        raise UnsupportedError(f"{node.op} to {shape} moves the batch axis; that is not computed")
    return Reshape(target_shape=tuple(shape[1:]))


def _softmax(node: TfliteNode) -> Layer:
    beta = node.options("SoftmaxOptions").Beta()
    if beta != 1:
        raise UnsupportedError(f"{node.op} with beta {beta:g} is not computed")
    return Softmax()


TABLE: dict[str, Row] = {
    "CONV_2D": windows.convolution,
    "DEPTHWISE_CONV_2D": windows.depthwise,
    "MAX_POOL_2D": windows.max_pooling,
    "AVERAGE_POOL_2D": windows.average_pooling,
    "FULLY_CONNECTED": windows.dense,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
    "TANH": lambda node: Tanh(),
    "LOGISTIC": lambda node: Sigmoid(),
    "RELU": lambda node: ReLU(),
    "RELU6": lambda node: ReLU(max_value=6.0),
    "ELU": lambda node: ELU(),
    "LEAKY_RELU": lambda node: LeakyReLU(negative_slope=node.options("LeakyReluOptions").Alpha()),
    "QUANTIZE": lambda node: Linear(),
    "DEQUANTIZE": lambda node: Linear(),
}
