"""Operators that are layers of their own class, because ONNX and Keras mean the same by them."""

from __future__ import annotations

from collections.abc import Callable

from netsheet.equations import Weight
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.conv import Conv1D, Conv2D, Conv3D
from netsheet.layers.conv_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from netsheet.layers.window import KERNEL
from netsheet.operators.base import OnnxNode
from netsheet.operators.convolution import transposed_pads
from netsheet.operators.windows import padding, steps

CONVOLUTIONS: dict[int, type[Conv2D]] = {1: Conv1D, 2: Conv2D, 3: Conv3D}
TRANSPOSED: dict[int, type[Conv2DTranspose]] = {
    1: Conv1DTranspose,
    2: Conv2DTranspose,
    3: Conv3DTranspose,
}


def _weights(node: OnnxNode, name: str, axes: tuple[str, ...]) -> dict[str, Weight]:
    """Kernel and bias in ONNX's own order of axes."""
    values = {"kernel": (node.constant(1), axes)}
    if node.has(2):
        values["bias"] = (node.constant(2), ("out",))
    return {
        label: Weight(f"{name}/{label}", kept, array.shape, label=label, values=array)
        for label, (array, kept) in values.items()
    }


def _rank(node: OnnxNode) -> int:
    rank = len(node.input(0).shape) - 2
    if rank not in KERNEL:
        raise UnsupportedError(f"{node.op} over {rank} spatial axes is not computed")
    return rank


def convolution(node: OnnxNode, name: str) -> Layer:
    """Conv: kernel (out, in / groups, spatial)."""
    rank, lengths = _rank(node), node.input(0).shape[2:]
    kernel = node.constant(1)
    return CONVOLUTIONS[rank](
        filters=kernel.shape[0],
        groups=int(node.attr("group", 1)),
        kernel_size=tuple(kernel.shape[2:]),
        strides=steps(node, "strides", rank),
        dilation_rate=steps(node, "dilations", rank),
        padding=padding(node, lengths, kernel.shape[2:]),
        data_format="channels_first",
        use_bias=node.has(2),
        weights=_weights(node, name, ("out", "in", *KERNEL[rank])),
    )


def transposed_convolution(node: OnnxNode, name: str) -> Layer:
    """ConvTranspose: kernel (in, out, spatial)."""
    rank, lengths = _rank(node), node.input(0).shape[2:]
    kernel = node.constant(1)
    size = tuple(kernel.shape[2:])
    extra = tuple(int(n) for n in node.attr("output_padding") or [0] * rank)
    strides, dilations = steps(node, "strides", rank), steps(node, "dilations", rank)
    pads = tuple((before, after) for before, after, _ in transposed_pads(node, lengths, size))
    return TRANSPOSED[rank](
        filters=kernel.shape[1],
        kernel_size=size,
        strides=strides,
        dilation_rate=dilations,
        padding=pads,
        output_padding=extra,
        data_format="channels_first",
        use_bias=node.has(2),
        weights=_weights(node, name, ("in", "out", *KERNEL[rank])),
    )


def is_layer(node: OnnxNode) -> bool:
    """True if a layer class computes the node; otherwise its rule does."""
    return node.op in LAYERS and (node.op == "Conv" or int(node.attr("group", 1)) == 1)


# A layer for one sample; it takes the first input only, the others have to be stored.
LAYERS: dict[str, Callable[[OnnxNode, str], Layer]] = {
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
}
