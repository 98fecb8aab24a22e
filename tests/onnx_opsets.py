"""One small ONNX model for each way in which an operator was written over the years.

Attributes became inputs (Clip, Slice, Pad, Squeeze, ReduceSum, ...), meanings changed (Softmax
before version 13), operators were renamed or removed (Upsample, Scatter).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx

from onnx_models import Network

Shape = tuple[int, ...]
Built = tuple[str, int, onnx.ModelProto]


def _model(
    opset: int, shape: Shape, build: Callable[[Network], str | list[str]]
) -> onnx.ModelProto:
    """A network of one batch axis and ``shape``."""
    net = Network(opset)
    outputs = build(net)
    names = [outputs] if isinstance(outputs, str) else outputs
    model = net.model({"x": ["batch", *shape]}, names, opset)
    for entry in model.graph.output:
        entry.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    model.ir_version = 8 if opset < 20 else 10
    return model


def _ints(net: Network, name: str, *numbers: int) -> str:
    return net.stored(name, np.array(numbers, np.int64))


def _node(op: str, weights: dict[str, Any] | None = None, **attributes: Any) -> Any:
    """A builder of one node; ``weights`` are its stored inputs behind ``x``."""

    def build(net: Network) -> str:
        names = [net.stored(name, value) for name, value in (weights or {}).items()]
        return net.node(op, ["x", *names], "y", **attributes)

    return build


def _numbers(seed: int, *shape: int, low: float = -1) -> Any:
    return np.random.default_rng(seed).uniform(low, 1, shape).astype(np.float32)


def _moments() -> dict[str, Any]:
    return {name: _numbers(n, 3, low=0.1) for n, name in enumerate(("scale", "b", "mean", "var"))}


def _where(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


def _upsampled(net: Network) -> str:
    return net.node("Upsample", ["x", net.stored("s", np.array([1, 1, 2, 3], np.float32))], "y",
                    mode="nearest")  # fmt: skip


def _resized(mode: str, **attributes: Any) -> Any:
    def build(net: Network) -> str:
        scales = net.stored("s", np.array([1, 1, 2, 1.5], np.float32))
        region = net.stored("r", np.zeros(0, np.float32))  # version 11 wants one
        return net.node("Resize", ["x", region, scales], "y", mode=mode, **attributes)

    return build


def _resized_10(net: Network) -> str:
    scales = net.stored("s", np.array([1, 1, 2, 2], np.float32))
    return net.node("Resize", ["x", scales], "y", mode="linear")


def _to_size(net: Network) -> str:
    return net.node("Resize", ["x", "", "", _ints(net, "size", 7, 9)], "y", mode="cubic",
                    axes=[2, 3], coordinate_transformation_mode="half_pixel")  # fmt: skip


def _dropped(net: Network) -> str:
    y = net.node("Dropout", ["x"], ["d", "mask"], ratio=0.4)
    return net.node("Relu", [y], "y")


def _dropped_12(net: Network) -> str:
    ratio, training = net.stored("r", np.float32(0.4)), net.stored("t", np.array(False))
    return net.node("Relu", [net.node("Dropout", ["x", ratio, training], "d")], "y")


def _top(k: bool) -> Any:
    def build(net: Network) -> list[str]:
        inputs = ["x", _ints(net, "k", 2)] if k else ["x"]
        options = {"axis": -1} if k else {"axis": -1, "k": 2}
        net.node("TopK", inputs, ["most", "where"], **options)
        return ["most"]

    return build


def _split(how: str) -> Any:
    def build(net: Network) -> list[str]:
        if how == "input":
            net.node("Split", ["x", _ints(net, "s", 1, 3)], ["a", "b"], axis=1)
        elif how == "attribute":
            net.node("Split", ["x"], ["a", "b"], axis=1, split=[1, 3])
        else:
            net.node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2)
        return ["a", "b"]

    return build


def _lstm(net: Network) -> str:
    names = [net.weight("w", 1, 16, 3), net.weight("r", 1, 16, 4), net.weight("b", 1, 32)]
    steps = net.node("Transpose", ["x"], "steps", perm=[1, 0, 2])
    return net.node("LSTM", [steps, *names], ["", "h"], hidden_size=4) or "h"


def _activated(op: str, names: list[str], **attributes: Any) -> Any:
    """A recurrent operator with other activations, forwards and backwards."""

    def build(net: Network) -> str:
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
        weights = [net.weight("w", 2, gates * 4, 3), net.weight("r", 2, gates * 4, 4)]
        steps = net.node("Transpose", ["x"], "steps", perm=[1, 0, 2])
        net.node(op, [steps, *weights], ["", "h"], hidden_size=4, direction="bidirectional",
                 activations=names * 2, **attributes)  # fmt: skip
        return "h"

    return build


def _constants(net: Network) -> str:
    a = net.node("Constant", [], "a", value_floats=[1.0, 2.0, 3.0])
    b = net.node("Constant", [], "b", value_float=0.5)
    return net.node("Mul", [net.node("Add", ["x", a], "sum"), b], "y")


def _one_hot(net: Network) -> str:
    inputs = [net.node("ArgMax", ["x"], "best", axis=1, keepdims=0),
              net.stored("depth", np.array(5, np.int64)),
              net.stored("values", np.array([0, 1], np.float32))]  # fmt: skip
    return net.node("OneHot", inputs, "y")


MAP: Shape = (3, 6, 8)
ROW: Shape = (4,)
SEQUENCE: Shape = (5, 3)

CASES: dict[str, tuple[Shape, list[int], Any]] = {
    "Clip, attributes": (ROW, [7, 9], _node("Clip", min=-0.4, max=0.6)),
    "Clip, inputs": (ROW, [11, 13, 21], _node("Clip", {"a": np.float32(-0.4), "b": np.float32(1)})),
    "Dropout, attribute": (ROW, [7, 10, 11], _dropped),
    "Dropout, inputs": (ROW, [12, 13, 22], _dropped_12),
    "Slice, attributes": (MAP, [7, 9], _node("Slice", starts=[1, -5], ends=[3, 99], axes=[2, 3])),
    "Slice, inputs": (
        MAP, [10, 11, 13],
        _node("Slice", {"s": _where(-1, 1), "e": _where(-99, 99), "a": _where(2, 3),
                        "p": _where(-2, 3)}),
    ),
    "Pad, attributes": (MAP, [7, 10], _node("Pad", pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.3)),
    "Pad, reflected": (MAP, [7], _node("Pad", pads=[0, 0, 1, 2, 0, 0, 0, 1], mode="reflect")),
    "Pad, inputs": (
        MAP, [11, 13, 18], _node("Pad", {"p": _where(0, 0, 1, 2, 0, 0, 0, 1), "v": np.float32(2)})
    ),
    "Pad, axes": (
        MAP, [18, 21], _node("Pad", {"p": _where(1, 2), "v": np.float32(0), "a": _where(-1)})
    ),
    "Squeeze, attribute": ((1, 4), [7, 11], _node("Squeeze", axes=[1])),
    "Squeeze, input": ((1, 4), [13, 21], _node("Squeeze", {"a": _where(1)})),
    "Unsqueeze, attribute": (ROW, [7, 11], _node("Unsqueeze", axes=[1, 3])),
    "Unsqueeze, input": (ROW, [13, 21], _node("Unsqueeze", {"a": _where(1, 3)})),
    "ReduceSum, attribute": (MAP, [7, 11], _node("ReduceSum", axes=[2], keepdims=0)),
    "ReduceSum, input": (MAP, [13, 18], _node("ReduceSum", {"a": _where(2)}, keepdims=0)),
    **{
        f"{op}, attribute": (MAP, [7, 11, 13, 17], _node(op, axes=[2, -1]))
        for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceLogSumExp")
    },
    **{
        f"{op}, input": (MAP, [18, 20], _node(op, {"a": _where(2, -1)}))
        for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceLogSumExp")
    },
    "Upsample, attribute": (MAP, [7], _node("Upsample", scales=[1.0, 1.0, 2.0, 2.0])),
    "Upsample, input": (MAP, [9], _upsampled),
    "Resize, first form": (MAP, [10], _resized_10),
    "Resize, nearest": (MAP, [11, 13, 18, 19], _resized("nearest")),
    "Resize, linear": (
        MAP, [11, 13, 19],
        _resized("linear", coordinate_transformation_mode="align_corners"),
    ),
    "Resize, to a size": (MAP, [18, 19], _to_size),
    "BatchNormalization": (
        MAP, [7, 9, 14, 15], _node("BatchNormalization", _moments(), epsilon=1e-3)
    ),
    "InstanceNormalization": (
        MAP, [7, 22],
        _node("InstanceNormalization", {"s": _numbers(1, 3), "b": _numbers(2, 3)}),
    ),
    "Softmax over all": (SEQUENCE, [7, 11], _node("Softmax", axis=1)),
    "Softmax of one axis": (SEQUENCE, [13], _node("Softmax", axis=1)),
    "LogSoftmax": (SEQUENCE, [7, 13], _node("LogSoftmax", axis=2)),
    "Hardmax": (SEQUENCE, [7, 13], _node("Hardmax", axis=2)),
    "Gemm": (ROW, [7, 9, 11, 13], _node("Gemm", {"w": _numbers(1, 5, 4), "c": _numbers(2, 5)},
                                        transB=1, alpha=0.5, beta=2.0)),
    "Cast": (ROW, [7, 9, 13, 19], lambda net: net.node(
        "Cast", [net.node("Cast", ["x"], "whole", to=6)], "y", to=1)),
    "TopK, attribute": (ROW, [7, 9], _top(False)),
    "TopK, input": (ROW, [10, 11], _top(True)),
    "Split, attribute": (ROW, [7, 11], _split("attribute")),
    "Split, input": (ROW, [13, 18], _split("input")),
    "Split, number": (ROW, [18], _split("number")),
    "PRelu": (MAP, [7, 9, 16], _node("PRelu", {"slope": _numbers(1, 3, 1, 1)})),
    "AveragePool": (
        MAP, [7, 10, 11, 19],
        _node("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
              count_include_pad=1),
    ),
    "AveragePool, upwards": (
        MAP, [10, 19, 22], _node("AveragePool", kernel_shape=[2, 3], strides=[2, 3], ceil_mode=1)
    ),
    "MaxPool": (MAP, [7, 8, 10, 12], _node("MaxPool", kernel_shape=[3, 2], strides=[2, 2],
                                           auto_pad="SAME_LOWER")),
    "MaxPool, dilated": (
        MAP, [10, 12], _node("MaxPool", kernel_shape=[2, 2], dilations=[2, 3], ceil_mode=1)
    ),
    "ConvTranspose, groups": (
        (4, 5, 3), [7, 11],
        _node("ConvTranspose", {"w": _numbers(1, 4, 3, 3, 2), "b": _numbers(2, 6)}, group=2,
              strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 1]),
    ),
    "LRN": (MAP, [7, 13], _node("LRN", size=3, alpha=0.01)),
    "LSTM": (SEQUENCE, [7, 14], _lstm),
    "LSTM, other activations": (
        SEQUENCE, [14],
        _activated("LSTM", ["HardSigmoid", "ScaledTanh", "Tanh"],
                   activation_alpha=[0.3, 0.9, 0.25, 1.1], activation_beta=[0.4, 0.8, 0.5, 0.7]),
    ),
    "GRU, other activations": (
        SEQUENCE, [14],
        _activated("GRU", ["HardSigmoid", "LeakyRelu"], activation_alpha=[0.3, 0.1, 0.2, 0.05],
                   activation_beta=[0.5, 0.6]),
    ),
    "RNN, other activations": (SEQUENCE, [7], _activated("RNN", ["Softsign"])),
    "Constant, numbers": ((3,), [12, 13], _constants),
    "Scatter": (ROW, [9], _node("Scatter", {"i": _where(2, 0)[None], "u": _numbers(1, 1, 2)},
                                axis=1)),
    "OneHot": (ROW, [9, 11], _one_hot),
    "Flatten": (MAP, [7, 9, 11, 13], _node("Flatten", axis=1)),
    "LayerNormalization": (
        SEQUENCE, [17], _node("LayerNormalization", {"s": _numbers(1, 3), "b": _numbers(2, 3)})
    ),
    "GroupNormalization, by group": (
        (4, 3, 2), [18],
        _node("GroupNormalization", {"s": _numbers(1, 2), "b": _numbers(2, 2)}, num_groups=2),
    ),
    "GroupNormalization, by channel": (
        (4, 3, 2), [21],
        _node("GroupNormalization", {"s": _numbers(1, 4), "b": _numbers(2, 4)}, num_groups=2),
    ),
    "Gelu": (ROW, [20], _node("Gelu", approximate="tanh")),
    "Mean": (ROW, [8, 13], _node("Mean", {"w": _numbers(1, 1, 4)})),
    "Pow": (ROW, [7, 12, 15], lambda net: net.node(
        "Pow", [net.node("Abs", ["x"], "a"), net.stored("p", np.float32(1.5))], "y")),
}  # fmt: skip


def models() -> Iterator[Built]:
    """Every case in every version of the operators: its name, the version, the model."""
    for name, (shape, opsets, build) in CASES.items():
        for opset in opsets:
            yield name, opset, _model(opset, shape, build)
