"""Small ONNX networks of the kinds that exporters write, with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network:
    """Collects nodes and weights; ``model`` makes the message."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.rng = np.random.default_rng(seed)

    def weight(self, name: str, *shape: int, low: float = -1) -> str:
        """Random values of this shape."""
        return self.stored(name, self.rng.uniform(low, 1, shape).astype(np.float32))

    def stored(self, name: str, values: Any) -> str:
        """These values."""
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, op: str, inputs: Sequence[str], output: str | list[str], **options: Any) -> str:
        """A node named as its (first) output, with the name that PyTorch would give it."""
        outputs = [output] if isinstance(output, str) else output
        name = options.pop("name", f"/{outputs[0]}/{op}")
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name=name, **options))
        return outputs[0]

    def model(
        self, inputs: dict[str, Sequence[Any]], outputs: Sequence[str], opset: int = 17
    ) -> onnx.ModelProto:
        """The network; unknown shapes of outputs are left out."""
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            self.weights,
        )
        model = helper.make_model(
            graph, producer_name="test", opset_imports=[helper.make_opsetid("", opset)]
        )
        model.ir_version = 8
        return model


def convolutional(batch: object = "batch", opset: int = 17) -> onnx.ModelProto:
    """Conv, BatchNormalization, pooling; a Reshape to sizes worked out from Shape; Gemm."""
    net = Network()
    kernel, bias = net.weight("conv1.weight", 6, 3, 3, 3), net.weight("conv1.bias", 6)
    x = net.node("Conv", ["input", kernel, bias], "conv1", pads=[1, 1, 0, 1], strides=[2, 1])
    moments = [net.weight(f"bn.{name}", 6, low=0.1) for name in ("w", "b", "mean", "var")]
    x = net.node("BatchNormalization", [x, *moments], "bn", epsilon=1e-3)
    x = net.node("Relu", [x], "relu")
    grouped = net.weight("conv2.weight", 6, 2, 3, 3)
    y = net.node("Conv", [x, grouped], "conv2", group=3, pads=[1, 1, 1, 1])
    x = net.node("Add", [x, y], "sum")
    x = net.node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("AveragePool", [x], "mean", kernel_shape=[3, 3], pads=[1, 1, 1, 1],
                 count_include_pad=1)  # fmt: skip
    shape = net.node("Shape", [x], "shape")
    count = net.node("Gather", [shape, net.stored("zero", np.int64(0))], "count", axis=0)
    axes = net.stored("axes", np.array([0]))
    rows = (
        net.node("Unsqueeze", [count, axes], "rows")
        if opset >= 13
        else (net.node("Unsqueeze", [count], "rows", axes=[0]))
    )
    sizes = net.node("Concat", [rows, net.stored("rest", np.array([-1]))], "sizes", axis=0)
    x = net.node("Reshape", [x, sizes], "flat")
    x = net.node("Gemm", [x, net.weight("fc.weight", 4, 48), net.weight("fc.bias", 4)], "fc",
                 transB=1)  # fmt: skip
    net.node("Softmax", [x], "prob", axis=-1)
    return net.model({"input": [batch, 3, 8, 8]}, ["prob", "fc"], opset)


def recurrent(batch: object = "batch", direction: str = "bidirectional") -> onnx.ModelProto:
    """LSTM and GRU as exported with the batch first, and a Gemm of the last step."""
    net = Network(1)
    ways = 2 if direction == "bidirectional" else 1
    x = net.node("Transpose", ["x"], "steps", perm=[1, 0, 2])
    lstm = [net.weight("lstm.w", ways, 16, 3), net.weight("lstm.r", ways, 16, 4),
            net.weight("lstm.b", ways, 32)]  # fmt: skip
    net.node("LSTM", [x, *lstm], ["lstm", "lstm_h"], hidden_size=4, direction=direction)
    x = net.node("Transpose", ["lstm"], "turned", perm=[0, 2, 1, 3])
    x = net.node("Reshape", [x, net.stored("joined", np.array([0, 0, -1]))], "both")
    gru = [net.weight("gru.w", 1, 9, 4 * ways), net.weight("gru.r", 1, 9, 3),
           net.weight("gru.b", 1, 18)]  # fmt: skip
    net.node("GRU", [x, *gru], ["gru", "gru_h"], hidden_size=3, linear_before_reset=1)
    x = net.node("Squeeze", ["gru_h", net.stored("first", np.array([0]))], "last")
    net.node("Gemm", [x, net.weight("out.w", 3, 2)], "out")
    return net.model({"x": [batch, 7, 3]}, ["out"])


def transformer() -> onnx.ModelProto:
    """Attention written out in MatMuls, LayerNormalization, Gelu by Erf."""
    net = Network(2)
    parts = []
    for name in ("q", "k", "v"):
        y = net.node("MatMul", ["x", net.weight(f"{name}.w", 8, 8)], name)
        y = net.node("Reshape", [y, net.stored(f"{name}.s", np.array([0, 0, 2, 4]))], f"{name}4")
        parts.append(net.node("Transpose", [y], f"{name}h", perm=[0, 2, 1, 3]))
    k = net.node("Transpose", [parts[1]], "kt", perm=[0, 1, 3, 2])
    scores = net.node("MatMul", [parts[0], k], "scores")
    scores = net.node("Div", [scores, net.stored("root", np.float32(2))], "scaled")
    weights = net.node("Softmax", [scores], "weights")
    y = net.node("MatMul", [weights, parts[2]], "mixed")
    y = net.node("Transpose", [y], "back", perm=[0, 2, 1, 3])
    y = net.node("Reshape", [y, net.stored("model", np.array([0, 0, 8]))], "joined")
    y = net.node("Add", ["x", y], "residual")
    y = net.node("LayerNormalization", [y, net.weight("ln.w", 8), net.weight("ln.b", 8)], "ln")
    z = net.node("Div", [y, net.stored("sqrt2", np.float32(2**0.5))], "z")
    z = net.node("Add", [net.node("Erf", [z], "erf"), net.stored("one", np.float32(1))], "z1")
    y = net.node("Mul", [y, z], "gelu")
    net.node("ReduceMean", [y], "mean", axes=[1], keepdims=0)
    return net.model({"x": ["batch", 5, 8]}, ["mean"])


def u_net() -> onnx.ModelProto:
    """ConvTranspose, Resize, Pad, Concat, Slice, Clip."""
    net = Network(3)
    x = net.node("Conv", ["x", net.weight("a.w", 4, 2, 3, 3)], "down", strides=[2, 2],
                 auto_pad="SAME_UPPER")  # fmt: skip
    x = net.node("Clip", [x, net.stored("low", np.float32(0)), net.stored("high", np.float32(6))],
                 "relu6")  # fmt: skip
    y = net.node("ConvTranspose", [x, net.weight("b.w", 4, 3, 2, 2)], "up", strides=[2, 2])
    scales = net.stored("scales", np.array([1, 1, 2, 2], np.float32))
    z = net.node("Resize", [x, "", scales], "resized", mode="linear")
    n = net.node("Resize", [x, "", scales], "nearest", mode="nearest",
                 coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
    y = net.node("Concat", [y, z, n, "x"], "joined", axis=1)
    y = net.node("Pad", [y, net.stored("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1]))], "padded",
                 mode="reflect")  # fmt: skip
    numbers = [net.stored(name, np.array(value)) for name, value in
               (("starts", [1, -2]), ("ends", [2**63 - 1, -(2**63)]), ("along", [2, 3]),
                ("by", [2, -1]))]  # fmt: skip
    y = net.node("Slice", [y, *numbers], "cut")
    net.node("InstanceNormalization", [y, net.weight("in.w", 13), net.weight("in.b", 13)], "norm")
    return net.model({"x": ["batch", 2, 8, 6]}, ["norm"])


def quantized() -> onnx.ModelProto:
    """A Conv between QuantizeLinear and DequantizeLinear, its kernel stored as int8."""
    net = Network(4)
    step, zero = net.stored("step", np.float32(0.05)), net.stored("zero", np.uint8(120))
    x = net.node("QuantizeLinear", ["x", step, zero], "q")
    x = net.node("DequantizeLinear", [x, step, zero], "dq")
    kernel = net.stored("w8", net.rng.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8))
    scales = net.stored("w.scale", net.rng.uniform(0.01, 0.02, 4).astype(np.float32))
    zeros = net.stored("w.zero", np.zeros(4, np.int8))
    w = net.node("DequantizeLinear", [kernel, scales, zeros], "w", axis=0)
    x = net.node("Conv", [x, w], "conv")
    net.node("ReduceMax", [x], "most", axes=[2, 3])
    return net.model({"x": [1, 2, 6, 6]}, ["most"])


NETWORKS = {
    "convolutional": convolutional(),
    "convolutional, batch of 1": convolutional(1),
    "convolutional, opset 9": convolutional(opset=9),
    "recurrent": recurrent(),
    "recurrent, one way": recurrent(direction="reverse"),
    "transformer": transformer(),
    "u-net": u_net(),
    "quantized": quantized(),
}
