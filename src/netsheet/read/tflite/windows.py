"""Convolutions and poolings of TensorFlow Lite as layers: channels last, for one sample."""

from __future__ import annotations

from typing import Any

from netsheet.equations import Weight
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.conv import Conv2D, DepthwiseConv2D
from netsheet.layers.conv_transpose import Conv2DTranspose
from netsheet.layers.dense import Dense, FlatDense
from netsheet.layers.pool import AveragePooling2D, MaxPooling2D
from netsheet.read.tflite.operands import TfliteNode, fused_activation

PADDINGS = {0: "same", 1: "valid"}  # schema.fbs, Padding


def _padding(node: TfliteNode, code: int) -> str:
    if code not in PADDINGS:
        raise UnsupportedError(f"{node.op} with the padding {code} is not computed")
    return PADDINGS[code]


def _reach(node: TfliteNode, options: Any) -> dict[str, Any]:
    """Dilation and padding of a convolution."""
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    padding, spread = _padding(node, options.Padding()), node.operator.spread
    if spread is None:
        return {"dilation_rate": dilation, "padding": padding}
    if dilation != (1, 1) or _strides(options) != (1, 1) or padding != "valid":
        raise UnsupportedError(f"{node.op} between SPACE_TO_BATCH_ND and back is no plain one")
    return {"dilation_rate": spread.dilation, "padding": spread.padding}


def _strides(options: Any) -> tuple[int, int]:
    return options.StrideH(), options.StrideW()


def _weights(node: TfliteNode, label: str, kernel: Weight) -> dict[str, Weight]:
    """The kernel and, where there is one, the bias."""
    found = {label: kernel}
    if node.has(2):
        found["bias"] = node.weight(2, "bias", ("out",))
    return found


def convolution(node: TfliteNode) -> Layer:
    """CONV_2D: kernel (out, height, width, in); grouped where the kernel has fewer inputs."""
    options = node.options("Conv2DOptions")
    out, height, width, channels = node.constant(1).shape
    given = node.input(0).shape[-1]
    if channels < 1 or given % channels or out % (given // channels):
        raise UnsupportedError(f"{node.op} of {given} channels with a kernel of {channels}")
    kernel = node.weight(1, "kernel", ("out", "height", "width", "in"))
    return Conv2D(
        filters=out,
        groups=given // channels,
        kernel_size=(height, width),
        strides=_strides(options),
        **_reach(node, options),
        use_bias=node.has(2),
        activation=fused_activation(options.FusedActivationFunction(), node.op),
        weights=_weights(node, "kernel", kernel),
    )


def depthwise(node: TfliteNode) -> Layer:
    """DEPTHWISE_CONV_2D: kernel (1, height, width, in * multiplier)."""
    options = node.options("DepthwiseConv2DOptions")
    _, height, width, out = node.constant(1).shape
    channels = node.input(0).shape[-1]
    if channels < 1 or out % channels:
        raise UnsupportedError(f"{node.op} of {channels} channels with a kernel of {out}")
    kernel = node.weight(
        1, "depthwise_kernel", ("height", "width", "in", "multiplier"),
        (height, width, channels, out // channels),
    )  # fmt: skip
    return DepthwiseConv2D(
        depth_multiplier=out // channels,
        kernel_size=(height, width),
        strides=_strides(options),
        **_reach(node, options),
        use_bias=node.has(2),
        activation=fused_activation(options.FusedActivationFunction(), node.op),
        weights=_weights(node, "depthwise_kernel", kernel),
    )


def _pooling(node: TfliteNode, kind: type[MaxPooling2D] | type[AveragePooling2D]) -> Layer:
    options = node.options("Pool2DOptions")
    return kind(
        pool_size=(options.FilterHeight(), options.FilterWidth()),
        strides=_strides(options),
        padding=_padding(node, options.Padding()),
        activation=fused_activation(options.FusedActivationFunction(), node.op),
    )


def max_pooling(node: TfliteNode) -> Layer:
    """MAX_POOL_2D."""
    return _pooling(node, MaxPooling2D)


def average_pooling(node: TfliteNode) -> Layer:
    """AVERAGE_POOL_2D: padding does not count."""
    return _pooling(node, AveragePooling2D)


def transposed_convolution(node: TfliteNode) -> Layer:
    """TRANSPOSE_CONV: the size of its output, the kernel (out, height, width, in), the input."""
    options = node.options("TransposeConvOptions")
    out, height, width, _ = node.constant(1).shape
    pads, extra = [], []
    sizes = zip(node.input(2).shape[1:3], node.outputs[0].shape[1:3], (height, width),
                _strides(options), strict=True)  # fmt: skip
    for given, wanted, size, stride in sizes:
        full = (given - 1) * stride + size
        # the padding of the convolution that this is the gradient of, the smaller half in front
        total = max(full - wanted, 0) if _padding(node, options.Padding()) == "same" else 0
        before = total // 2
        after = max(full - wanted - before, 0)
        pads.append((before, after))
        extra.append(wanted - (full - before - after))
    kernel = node.weight(1, "kernel", ("out", "height", "width", "in"))
    weights = {"kernel": kernel}
    if node.has(3):
        weights["bias"] = node.weight(3, "bias", ("out",))
    return Conv2DTranspose(
        filters=out,
        kernel_size=(height, width),
        strides=_strides(options),
        dilation_rate=(1, 1),
        padding=tuple(pads),
        output_padding=tuple(extra),
        use_bias=node.has(3),
        activation=fused_activation(options.FusedActivationFunction(), node.op),
        weights=weights,
    )


def dense(node: TfliteNode) -> Layer:
    """FULLY_CONNECTED: kernel (out, in), along the last axis."""
    options = node.options("FullyConnectedOptions")
    if options.WeightsFormat() != 0:
        raise UnsupportedError(f"{node.op} with shuffled weights is not computed")
    out, given = node.constant(1).shape
    kernel = node.weight(1, "kernel", ("out", "in"))
    # of more axes it takes them all in a row, unless it keeps them
    flat = node.input(0).shape[-1] != given and not options.KeepNumDims()
    return (FlatDense if flat else Dense)(
        units=out,
        use_bias=node.has(2),
        activation=fused_activation(options.FusedActivationFunction(), node.op),
        weights=_weights(node, "kernel", kernel),
    )
