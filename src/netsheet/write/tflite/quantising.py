"""Operators of real numbers turned into those of int8, with the scales that the ranges give.

Source of the choices: TensorFlow Lite's quantisation specification (8-bit): weights symmetric, with
a scale for each output channel; activations with a zero point; sums in int32 with the bias in their
own scale; fixed scales behind softmax, sigmoid and tanh; what only moves values keeps their scale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from netsheet.write.tflite.graph import Array, LiteGraph, LiteOperator, LiteTensor
from netsheet.write.tflite.passes import KERNELS
from netsheet.write.tflite.ranges import Range

LOW, HIGH = -128, 127
MOST_WEIGHT = 127  # weights are symmetric: -128 is not used
MOST_BIAS = 2**30  # so that a sum of 32 bits has room beside it

# Where the result has the scale of what is read.
SAME = (
    "RESHAPE", "MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "TRANSPOSE", "STRIDED_SLICE", "REDUCE_MAX",
    "RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR",
)  # fmt: skip
FIXED = {"SOFTMAX": (1 / 256, -128), "LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
ALIKE = ("CONCATENATION", "MAXIMUM", "MINIMUM")  # all operands in the scale of the result
FREE = (
    "ADD", "SUB", "MUL", "MEAN", "RELU", "RELU6", "LEAKY_RELU", "PRELU", "ELU", "HARD_SWISH",
    *KERNELS,
)  # fmt: skip
WHOLE = (*SAME, *FIXED, *ALIKE, *FREE)


@dataclass(frozen=True)
class Scale:
    """What a tensor's whole numbers stand for."""

    step: np.float32
    zero_point: int

    @classmethod
    def of(cls, low: float, high: float) -> Scale:
        """That which covers a range and 0, in 255 steps."""
        low, high = min(low, 0.0), max(high, 0.0)
        step = (high - low) / (HIGH - LOW)
        if step == 0:
            return cls(np.float32(1), 0)
        zero = LOW - low / step
        return cls(np.float32(step), int(min(max(np.floor(zero + 0.5), LOW), HIGH)))

    def put_on(self, tensor: LiteTensor) -> None:
        """The tensor holds int8 in this scale."""
        tensor.dtype = "int8"
        tensor.scales = np.array([self.step], np.float32)
        tensor.zero_points = np.array([self.zero_point], np.int64)
        if tensor.values is not None:
            whole = _rounded(tensor.values.astype(float) / float(self.step)) + self.zero_point
            tensor.values = np.clip(whole, LOW, HIGH).astype(np.int8)

    @classmethod
    def on(cls, tensor: LiteTensor) -> Scale:
        """That of a tensor."""
        return cls(np.float32(tensor.scales[0]), int(tensor.zero_points[0]))


def _rounded(values: Array) -> Array:
    """To the nearest whole number, halves away from zero."""
    found: Array = np.trunc(values + np.copysign(0.5, values))
    return found


def quantised_graph(
    graph: LiteGraph,
    ranges: Mapping[LiteTensor, Range],
    real: Collection[str] = (),
    real_ends: bool = False,
) -> LiteGraph:
    """The graph in int8; the given one is used up.

    Args:
        ranges: of all computed tensors.
        real: keys of calls that stay in real numbers.
        real_ends: inputs and outputs hold real numbers.
    """
    work = _Quantising(graph, dict(ranges))
    if not real_ends:
        for tensor in graph.inputs:
            work.scale_of(tensor).put_on(tensor)
    for operator in list(graph.operators):
        whole = operator.name in WHOLE and operator.layer not in real
        work.whole(operator) if whole else work.left_real(operator)
    for number, tensor in enumerate(graph.outputs):
        if real_ends and not tensor.real:
            graph.outputs[number] = work.as_real(tensor)
    for operator in work.found:
        if operator.name in KERNELS and not operator.output.real:
            _quantise_kernel(operator)
    graph.operators = work.found
    return graph


class _Quantising:
    """The operators that are done, with those that had to come between."""

    def __init__(self, graph: LiteGraph, ranges: dict[LiteTensor, Range]) -> None:
        self.graph, self.ranges = graph, ranges
        self.found: list[LiteOperator] = []
        self._others: dict[tuple[LiteTensor, Scale | None], LiteTensor] = {}

    def scale_of(self, tensor: LiteTensor) -> Scale:
        """The scale that a tensor's range gives; of a stored one, its numbers' range."""
        if tensor.values is not None:
            return Scale.of(float(tensor.values.min()), float(tensor.values.max()))
        return Scale.of(self.ranges[tensor].low, self.ranges[tensor].high)

    def whole(self, operator: LiteOperator) -> None:
        """An operator in int8: its output gets a scale, its operands are in int8."""
        name = operator.name
        first = operator.computed[0]
        if name in FIXED:
            step, zero = FIXED[name]
            scale = Scale(np.float32(step), zero)
        elif name in SAME:
            scale = self.scale_of(first) if first.real else Scale.on(first)
        else:
            scale = self.scale_of(operator.output)
        wanted = scale if name in ALIKE else None
        kernel = KERNELS.get(name)
        for place, tensor in enumerate(operator.inputs):
            if tensor.stored:
                if kernel is None and tensor.real:
                    operator.inputs[place] = self._stored(tensor, wanted)
            else:
                operator.inputs[place] = self._in_int8(tensor, wanted)
        scale.put_on(operator.output)
        self.found.append(operator)

    def left_real(self, operator: LiteOperator) -> None:
        """An operator of real numbers: what it reads is turned back into them."""
        operator.inputs = [
            tensor if tensor.stored or tensor.real else self.as_real(tensor)
            for tensor in operator.inputs
        ]
        self.found.append(operator)

    def as_real(self, tensor: LiteTensor) -> LiteTensor:
        """The real numbers that a tensor's whole ones stand for."""
        return self._other(tensor, None, "DEQUANTIZE")

    def _in_int8(self, tensor: LiteTensor, wanted: Scale | None) -> LiteTensor:
        """The tensor in int8, in the scale that is wanted."""
        if tensor.real:
            return self._other(tensor, wanted or self.scale_of(tensor), "QUANTIZE")
        if wanted is None or Scale.on(tensor) == wanted:
            return tensor
        maker = next((op for op in self.found if op.output is tensor), None)
        if maker is not None and maker.name in FREE and self.graph.only_reader(tensor):
            wanted.put_on(tensor)  # its maker gives it in the wanted scale at once
            return tensor
        return self._other(tensor, wanted, "QUANTIZE")

    def _stored(self, tensor: LiteTensor, wanted: Scale | None) -> LiteTensor:
        """Stored numbers in int8; a copy, since other operators may read them otherwise."""
        copy = replace(tensor)
        (wanted or self.scale_of(tensor)).put_on(copy)
        return copy

    def _other(self, tensor: LiteTensor, scale: Scale | None, name: str) -> LiteTensor:
        key = tensor, scale
        if key not in self._others:
            output = LiteTensor(f"{tensor.name}/{name.lower()}", tensor.shape)
            if scale is not None:
                scale.put_on(output)
            self.found.append(LiteOperator(name, [tensor], output))
            self._others[key] = output
        return self._others[key]


def _quantise_kernel(operator: LiteOperator) -> None:
    """Kernel and bias of a sum of products: int8 for each output channel, int32."""
    where, axis, place = KERNELS[operator.name]
    kernel, bias = replace(operator.inputs[where]), replace(operator.inputs[place])
    assert kernel.values is not None and bias.values is not None
    source = next(tensor for tensor in operator.inputs if not tensor.stored)
    step = float(source.scales[0])
    others = tuple(n for n in range(kernel.values.ndim) if n != axis)
    largest = np.abs(kernel.values.astype(float)).max(axis=others, initial=0.0)
    # where weights are nearly nothing, their scale still has to leave the bias inside int32
    least = np.abs(bias.values.astype(float)) / (step * MOST_BIAS)
    scales = np.maximum(largest / MOST_WEIGHT, least).astype(np.float32)
    scales[scales == 0] = 1
    shape = [1] * kernel.values.ndim
    shape[axis] = -1
    whole = _rounded(kernel.values.astype(float) / scales.astype(float).reshape(shape))
    kernel.values = np.clip(whole, -MOST_WEIGHT, MOST_WEIGHT).astype(np.int8)
    kernel.dtype, kernel.scales, kernel.dimension = "int8", scales, axis
    kernel.zero_points = np.zeros(scales.size, np.int64)
    both = step * scales.astype(float)
    bias.values = _rounded(bias.values.astype(float) / both).astype(np.int32)
    bias.dtype, bias.scales, bias.dimension = "int32", both.astype(np.float32), 0
    bias.zero_points = kernel.zero_points
    operator.inputs[where], operator.inputs[place] = kernel, bias
