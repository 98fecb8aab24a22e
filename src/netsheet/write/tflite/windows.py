"""Convolutions and poolings as operators of TensorFlow Lite: channels last, two axes of space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from netsheet.errors import UnsupportedError
from netsheet.layers import conv, conv_transpose, pool, spatial
from netsheet.layers.window import KERNEL
from netsheet.nodes import Node
from netsheet.write.tflite.graph import Array, LiteTensor, Option
from netsheet.write.tflite.lowering import Lowering, Row, stored

Given = Sequence[LiteTensor]
PADDINGS = {"same": 0, "valid": 1}  # schema.fbs, Padding


def _two(sizes: Sequence[int]) -> tuple[int, int]:
    """Sizes of one or two axes as those of height and width."""
    return (1, int(sizes[0])) if len(sizes) == 1 else (int(sizes[0]), int(sizes[1]))


def _image(lowering: Lowering, x: LiteTensor) -> LiteTensor:
    """A sequence as a picture that is one row high."""
    if len(x.shape) == 4:
        return x
    batch, length, channels = x.shape
    return lowering.reshaped(x, (batch, 1, length, channels))


def _padded(lowering: Lowering, layer: conv.Convolution, x: LiteTensor) -> tuple[LiteTensor, int]:
    """The input and the operator's padding; what is no plain one becomes an operator before it."""
    if layer.padding == "causal":
        before = (layer.kernel_size[0] - 1) * layer.dilation_rate[0]
        return _surrounded(lowering, x, [(0, 0), (before, 0)]), PADDINGS["valid"]
    if not isinstance(layer.padding, str):
        pads = [(0, 0)] * (2 - len(layer.padding)) + [tuple(pair) for pair in layer.padding]
        return _surrounded(lowering, x, pads), PADDINGS["valid"]
    return x, PADDINGS[layer.padding]


def _surrounded(lowering: Lowering, x: LiteTensor, pads: Sequence[Sequence[int]]) -> LiteTensor:
    """Zeros before and behind the two axes of space."""
    amounts = np.array([(0, 0), *pads, (0, 0)], np.int32)
    if not amounts.any():
        return x
    shape = [size + int(pair.sum()) for size, pair in zip(x.shape, amounts, strict=True)]
    return lowering.add("PAD", [x, lowering.constant("paddings", amounts, "int32")], shape)


def _options(layer: conv.Convolution, padding: int) -> dict[str, Option]:
    stride, dilation = _two(layer.strides), _two(layer.dilation_rate)
    return {
        "Padding": padding, "StrideH": stride[0], "StrideW": stride[1],
        "DilationHFactor": dilation[0], "DilationWFactor": dilation[1],
        "FusedActivationFunction": 0,
    }  # fmt: skip


def _kernel(node: Node, label: str, *channels: str) -> Array:
    """A kernel with its channels in this order around height and width."""
    weight = node.layer.weights[label]
    space = KERNEL[len(weight.axes) - 2]
    order = (*channels[:-1], *space, channels[-1]) if channels[0] == "out" else (*space, *channels)
    values: Array = weight.values.transpose([weight.axes.index(axis) for axis in order])
    return values


def _bias(node: Node, count: int) -> Array:
    found: Array = stored(node).get("bias", np.zeros(count, np.float32))
    return found


def _spatial(node: Node) -> tuple[int, int]:
    """Height and width of the output."""
    return _two(node.outputs[0].shape[:-1])


def _finished(lowering: Lowering, node: Node, y: LiteTensor) -> LiteTensor:
    """The output in the layer's own shape, activated."""
    y = lowering.reshaped(y, (1, *node.outputs[0].shape))
    return lowering.activated(y, getattr(node.layer, "active", lambda: None)())


def convolution(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    """CONV_2D, along one axis or two."""
    layer = node.layer
    assert isinstance(layer, conv.Conv2D)
    x, padding = _padded(lowering, layer, _image(lowering, given[0]))
    kernel = _kernel(node, "kernel", "out", "in")
    kernel = kernel.reshape(layer.filters, *_two(layer.kernel_size), -1)
    y = lowering.add(
        "CONV_2D",
        [x, lowering.constant("Conv2D", kernel),
         lowering.constant("bias", _bias(node, layer.filters))],
        (1, *_spatial(node), layer.filters), "Conv2DOptions", **_options(layer, padding),
    )  # fmt: skip
    return _finished(lowering, node, y)


def _depthwise(lowering: Lowering, node: Node, x: LiteTensor, bias: Array) -> LiteTensor:
    layer = node.layer
    assert isinstance(layer, conv.DepthwiseConv2D)
    x, padding = _padded(lowering, layer, _image(lowering, x))
    kernel = _kernel(node, layer.kernel_label, "in", "multiplier")
    count = kernel.shape[-1] * kernel.shape[-2]
    kernel = kernel.reshape(1, *_two(layer.kernel_size), count)
    return lowering.add(
        "DEPTHWISE_CONV_2D",
        [x, lowering.constant("depthwise", kernel), lowering.constant("bias", bias)],
        (1, *_spatial(node), count), "DepthwiseConv2DOptions",
        DepthMultiplier=layer.depth_multiplier, **_options(layer, padding),
    )  # fmt: skip


def depthwise(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    """DEPTHWISE_CONV_2D, along one axis or two."""
    count = node.outputs[0].shape[-1]
    y = _depthwise(lowering, node, given[0], _bias(node, count))
    return _finished(lowering, node, y)


def separable(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    """DEPTHWISE_CONV_2D without a bias, then CONV_2D of one point."""
    layer = node.layer
    assert isinstance(layer, conv.SeparableConv2D)
    between = layer.depth_multiplier * given[0].shape[-1]
    y = _depthwise(lowering, node, given[0], np.zeros(between, np.float32))
    kernel = _kernel(node, "pointwise_kernel", "out", "in").reshape(layer.filters, 1, 1, -1)
    plain = replace(layer, strides=(1,), dilation_rate=(1,))
    y = lowering.add(
        "CONV_2D",
        [y, lowering.constant("Conv2D", kernel),
         lowering.constant("bias", _bias(node, layer.filters))],
        (*y.shape[:-1], layer.filters), "Conv2DOptions", **_options(plain, PADDINGS["valid"]),
    )  # fmt: skip
    return _finished(lowering, node, y)


def transposed(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    """TRANSPOSE_CONV, where its output has the size that the format gives it."""
    layer = node.layer
    assert isinstance(layer, conv_transpose.Conv2DTranspose)
    if layer.padding not in PADDINGS or layer.dilation_rate not in ((1, 1), (1,)):
        raise UnsupportedError(
            "a transposed convolution with dilation or own padding is not written"
        )
    if layer.output_padding is not None:
        raise UnsupportedError("a transposed convolution with output padding is not written")
    shape = (1, *node.outputs[0].shape)
    kernel = _kernel(node, "kernel", "out", "in")
    stride = _two(layer.strides)
    y = lowering.add(
        "TRANSPOSE_CONV",
        [lowering.constant("shape", shape, "int32"), lowering.constant("Conv2D", kernel),
         given[0], lowering.constant("bias", _bias(node, layer.filters))],
        shape, "TransposeConvOptions", Padding=PADDINGS[str(layer.padding)],
        StrideH=stride[0], StrideW=stride[1], FusedActivationFunction=0,
    )  # fmt: skip
    return lowering.activated(y, layer.active())


def _never_negative(lowering: Lowering, x: LiteTensor) -> bool:
    """True if zeros around the values are no larger than any of them."""
    maker = lowering.graph.maker(x)
    while maker is not None and maker.name in ("TRANSPOSE", "RESHAPE", "MAX_POOL_2D", "PAD"):
        maker = lowering.graph.maker(maker.inputs[0])
    return maker is not None and maker.name in ("RELU", "RELU6", "LOGISTIC", "SOFTMAX")


def pooling(name: str) -> Row:
    """A pooling along one axis or two.

    Padding of its own, in front and behind, is of zeros: an average counts them.
    """

    def row(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
        layer = node.layer
        assert isinstance(layer, (pool.MaxPooling2D, pool.AveragePooling2D))
        window, stride = _two(layer.pool_size), _two(layer.strides)
        x, padding = _image(lowering, given[0]), str(layer.padding)
        if not isinstance(layer.padding, str):
            largest = isinstance(layer, pool.MaxPooling2D)
            if largest and not _never_negative(lowering, x):
                raise UnsupportedError("a pooling with padding of values below 0 is not written")
            x, padding = _surrounded(lowering, x, layer.padding), "valid"
        y = lowering.add(
            name, [x], (1, *_spatial(node), x.shape[-1]), "Pool2DOptions",
            Padding=PADDINGS[padding], StrideH=stride[0], StrideW=stride[1],
            FilterHeight=window[0], FilterWidth=window[1], FusedActivationFunction=0,
        )  # fmt: skip
        y = lowering.reshaped(y, (1, *node.outputs[0].shape))
        return lowering.activated(y, layer.activation)

    return row


def global_pooling(name: str) -> Row:
    """The mean or the largest of all points."""

    def row(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
        layer = node.layer
        assert isinstance(layer, (pool.GlobalMaxPooling2D, pool.GlobalAveragePooling2D))
        axes = list(range(1, len(given[0].shape) - 1))
        shape = (1, *node.outputs[0].shape)
        stored_axes = lowering.constant("axes", axes, "int32")
        return lowering.add(name, [given[0], stored_axes], shape, "ReducerOptions",
                            KeepDims=layer.keepdims)  # fmt: skip

    return row


def padding(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    """PAD with zeros."""
    layer = node.layer
    assert isinstance(layer, spatial.ZeroPadding2D)
    amounts = np.array([(0, 0), *layer.padding, (0, 0)], np.int32)
    stored_amounts = lowering.constant("paddings", amounts, "int32")
    return lowering.add("PAD", [given[0], stored_amounts], (1, *node.outputs[0].shape))


def cropping(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    """STRIDED_SLICE along the axes of space."""
    layer = node.layer
    assert isinstance(layer, spatial.Cropping2D)
    shape = (1, *node.outputs[0].shape)
    begin = [0, *(before for before, _ in layer.cropping), 0]
    end = [first + size for first, size in zip(begin, shape, strict=True)]
    operands = [
        lowering.constant(word, numbers, "int32")
        for word, numbers in (("begin", begin), ("end", end), ("strides", [1] * len(begin)))
    ]
    return lowering.add("STRIDED_SLICE", [given[0], *operands], shape, "StridedSliceOptions",
                        BeginMask=0, EndMask=0, EllipsisMask=0, NewAxisMask=0,
                        ShrinkAxisMask=0)  # fmt: skip


def upsampling(lowering: Lowering, node: Node, given: Given) -> LiteTensor:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR, with half pixels as Keras has them."""
    layer = node.layer
    assert isinstance(layer, spatial.UpSampling2D)
    names = {"nearest": "ResizeNearestNeighbor", "bilinear": "ResizeBilinear"}
    if layer.interpolation not in names:
        raise UnsupportedError(f"the interpolation {layer.interpolation} is not written")
    kind = names[layer.interpolation]
    name = "RESIZE_BILINEAR" if layer.interpolation == "bilinear" else "RESIZE_NEAREST_NEIGHBOR"
    shape = (1, *node.outputs[0].shape)
    size = lowering.constant("size", shape[1:3], "int32")
    return lowering.add(name, [given[0], size], shape, f"{kind}Options",
                        AlignCorners=False, HalfPixelCenters=True)  # fmt: skip
