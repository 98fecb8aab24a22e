"""Operators joined, as TensorFlow's converter joins them.

``folded``: a factor or a summand for each channel goes into the kernel and the bias of the sum of
products before it. ``fused``: an activation that only limits becomes the limits of the operator
before it. Both reach through a reshape that leaves the channels where they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netsheet.write.tflite.graph import Array, LiteGraph, LiteOperator, LiteTensor

# Sums of products: the operand that is the kernel, its axis of output channels, the bias.
KERNELS = {
    "CONV_2D": (1, 0, 2), "DEPTHWISE_CONV_2D": (1, 3, 2), "FULLY_CONNECTED": (1, 0, 2),
    "TRANSPOSE_CONV": (1, 0, 3),
}  # fmt: skip
FUSED = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}  # schema.fbs, ActivationFunctionType
LIMITED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "SUB", "MUL")


def joined(graph: LiteGraph) -> LiteGraph:
    """The graph with everything joined that can be; its own operators are changed."""
    while any(_fold(graph, *pair) or _fuse(graph, *pair) for pair in _pairs(graph)):
        pass
    return graph


def _pairs(graph: LiteGraph) -> Iterator[tuple[LiteOperator, LiteOperator]]:
    """An operator and what alone reads its result, a reshape between them seen through."""
    for before, after in graph.pairs():
        yield before, after
        if after.name == "RESHAPE" and after.output.shape[-1] == before.output.shape[-1]:
            behind = graph.only_reader(after.output)
            if behind is not None:
                yield before, behind


def _fold(graph: LiteGraph, before: LiteOperator, after: LiteOperator) -> bool:
    if before.name not in KERNELS or after.name not in ("MUL", "ADD"):
        return False
    if before.options.get("FusedActivationFunction") or after.options["FusedActivationFunction"]:
        return False
    numbers = after.inputs[1].values
    channels = before.output.shape[-1]
    if numbers is None or numbers.size not in (1, channels):
        return False
    numbers = np.broadcast_to(numbers.reshape(-1), (channels,))
    where, axis, bias = KERNELS[before.name]
    if after.name == "MUL":
        _multiply(before.inputs[where], numbers, axis)
        _multiply(before.inputs[bias], numbers, 0)
    else:
        stored = before.inputs[bias]
        assert stored.values is not None
        stored.values = (stored.values + numbers).astype(np.float32)
    _drop(graph, before, after)
    return True


def _multiply(tensor: LiteTensor, numbers: Array, axis: int) -> None:
    assert tensor.values is not None
    shape = [1] * tensor.values.ndim
    shape[axis] = -1
    tensor.values = (tensor.values * numbers.reshape(shape)).astype(np.float32)


def _fuse(graph: LiteGraph, before: LiteOperator, after: LiteOperator) -> bool:
    if before.name not in LIMITED or after.name not in FUSED:
        return False
    if before.options.get("FusedActivationFunction"):
        return False
    before.options["FusedActivationFunction"] = FUSED[after.name]
    _drop(graph, before, after)
    return True


def _drop(graph: LiteGraph, before: LiteOperator, after: LiteOperator) -> None:
    """Leaves the second of the pair out; what it filled is what stands before it."""
    joined_into = after.inputs[0]
    gone = {before.output, joined_into}  # no longer what their calls compute
    graph.tensors_of = {key: t for key, t in graph.tensors_of.items() if t not in gone}
    graph.operators.remove(after)
    graph.replace_tensor(after.output, joined_into)
