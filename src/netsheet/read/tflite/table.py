"""One row for each operator of TensorFlow Lite: the layer that computes it."""

from __future__ import annotations

from collections.abc import Callable

from netsheet.equations import call
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.activation import (
    ELU,
    GELU,
    HardSiLU,
    HardTanh,
    LeakyReLU,
    Linear,
    LogSoftmax,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from netsheet.layers.shape import Reshape
from netsheet.read.tflite import operators, resizing, slices, windows
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


def _gelu(node: TfliteNode) -> Layer:
    return GELU(approximate=bool(node.options("GeluOptions").Approximate()))


TABLE: dict[str, Row] = {
    "CONV_2D": windows.convolution,
    "DEPTHWISE_CONV_2D": windows.depthwise,
    "TRANSPOSE_CONV": windows.transposed_convolution,
    "MAX_POOL_2D": windows.max_pooling,
    "AVERAGE_POOL_2D": windows.average_pooling,
    "FULLY_CONNECTED": windows.dense,
    # moving
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
    "CONCATENATION": operators.concatenation,
    "PAD": operators.padding,
    "PADV2": operators.padding,
    "MIRROR_PAD": operators.mirrored,
    "TRANSPOSE": operators.transposition,
    "SPLIT": slices.splitting,
    "SPLIT_V": slices.splitting,
    "SLICE": slices.slicing,
    "STRIDED_SLICE": slices.strided_slicing,
    "REVERSE_V2": slices.reversal,
    "GATHER": slices.gathering,
    "PACK": slices.packing,
    "UNPACK": slices.unpacking,
    "TILE": operators.repetition,
    "RESIZE_NEAREST_NEIGHBOR": resizing.resizing("nearest", "ResizeNearestNeighborOptions"),
    "RESIZE_BILINEAR": resizing.resizing("linear", "ResizeBilinearOptions"),
    # two operands
    "ADD": operators.arithmetic("Add", "AddOptions"),
    "SUB": operators.arithmetic("Sub", "SubOptions"),
    "MUL": operators.arithmetic("Mul", "MulOptions"),
    "DIV": operators.arithmetic("Div", "DivOptions"),
    "MAXIMUM": operators.plain("Max"),
    "MINIMUM": operators.plain("Min"),
    # along axes
    "MEAN": operators.reduction("ReduceMean"),
    "SUM": operators.reduction("ReduceSum"),
    "REDUCE_MAX": operators.reduction("ReduceMax"),
    "REDUCE_MIN": operators.reduction("ReduceMin"),
    "SOFTMAX": _softmax,
    "LOG_SOFTMAX": lambda node: LogSoftmax(),
    # functions of one value
    "TANH": lambda node: Tanh(),
    "LOGISTIC": lambda node: Sigmoid(),
    "RELU": lambda node: ReLU(),
    "RELU6": lambda node: ReLU(max_value=6.0),
    "RELU_N1_TO_1": lambda node: HardTanh(),
    "RELU_0_TO_1": lambda node: ReLU(max_value=1.0),
    "ELU": lambda node: ELU(),
    "LEAKY_RELU": lambda node: LeakyReLU(negative_slope=node.options("LeakyReluOptions").Alpha()),
    "PRELU": operators.prelu,
    "HARD_SWISH": lambda node: HardSiLU(),
    "GELU": _gelu,
    "EXP": operators.plain("Exp"),
    "LOG": operators.real("Log"),
    "SQRT": operators.real("Sqrt"),
    "ABS": operators.real("Abs"),
    "NEG": operators.real("Neg"),
    "FLOOR": operators.real("Floor"),
    "CEIL": operators.real("Ceil"),
    "RSQRT": operators.real_formula(lambda x: 1 / call("sqrt", x)),
    "SQUARE": operators.real_formula(lambda x: x * x),
    "SQUARED_DIFFERENCE": operators.real_formula(lambda x, y: (x - y) * (x - y)),
    "BATCH_MATMUL": operators.matrix_product,
    "SIN": operators.real("Sin"),
    "COS": operators.real("Cos"),
    # between real numbers and whole ones
    "QUANTIZE": lambda node: Linear(),
    "DEQUANTIZE": lambda node: Linear(),
}
