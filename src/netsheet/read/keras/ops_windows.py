"""Operations over windows and images: convolutions, pooling, resizing, tf.image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.equations import FloatArray, Weight, call, value
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer, Shape
from netsheet.layers import conv, ops, pool, shape, spatial
from netsheet.layers.base import constant
from netsheet.operators import array_ops, local_norms
from netsheet.read.keras.graph import TensorRef
from netsheet.read.keras.ops_made import Made, OperationRow, made

if TYPE_CHECKING:
    from netsheet.read.keras.ops import OperationCall

_IMAGE = ("inputs", "input", "value", "images", "image", "x")
_CHANNELS_FIRST = ("channels_first", "NCHW", "NCW", "NCDHW")


def _first(c: OperationCall) -> TensorRef:
    tensor = c.get(0, _IMAGE)
    if not isinstance(tensor, TensorRef):
        raise UnsupportedError("its image is a constant")
    return tensor


def _format(c: OperationCall, position: int) -> str:
    form = str(c.get(position, ("data_format",), None))
    return "channels_first" if form in _CHANNELS_FIRST else "channels_last"


def _window(given: Any, rank: int) -> tuple[int, ...]:
    """A size for each axis of space, from one, from one each, or with batch and channels."""
    if given is None:
        return (1,) * rank
    listed = [int(n) for n in (given if isinstance(given, (list, tuple)) else [given])]
    if len(listed) == rank + 2:
        listed = listed[1:-1]
    if len(listed) not in (1, rank):
        raise UnsupportedError(f"its sizes {listed} do not fit {rank} axes")
    return tuple(listed * rank if len(listed) == 1 else listed)


def _by_rank(c: OperationCall, choose: Callable[[int], Layer]) -> Made:
    """The layer for so many axes of space as the input has."""

    def chosen(sizes: Shape) -> Layer:
        rank = len(sizes) - 1
        if not 1 <= rank <= 3:
            raise UnsupportedError(f"it works on {rank} axes of space")
        return choose(rank)

    return ops.ByInput(choose=chosen), [_first(c)]


# --------------------------------------------------------------------------- pooling, convolution


def _pooled(kind: str) -> OperationRow:
    def row(c: OperationCall) -> Made:
        size = c.get(1, ("pool_size", "ksize", "window_shape"))
        steps = c.get(2, ("strides",), None)
        return _pooling(c, kind, size, steps, str(c.get(3, ("padding",), "valid")))

    return row


def _pooling(c: OperationCall, kind: str, size: Any, steps: Any, padding: str) -> Made:
    form = _format(c, 4)

    def choose(rank: int) -> Layer:
        sizes = _window(size, rank)
        layer: Layer = getattr(pool, f"{kind}Pooling{rank}D")(
            pool_size=sizes,
            strides=sizes if steps is None else _window(steps, rank),
            padding=_padding(padding),
            data_format=form,
        )
        return layer

    return _by_rank(c, choose)


def _padding(padding: Any) -> Any:
    if str(padding).lower() not in ("same", "valid"):
        raise UnsupportedError(f"padding by {padding!r} is not computed")
    return str(padding).lower()


def _pool(c: OperationCall) -> Made:
    """tf.nn.pool, whose strides are 1 where none are given."""
    kind = {"AVG": "Average", "MAX": "Max"}[str(c.kwargs.get("pooling_type"))]
    if set(_window(c.kwargs.get("dilation_rate", c.kwargs.get("dilations")), 1)) != {1}:
        raise UnsupportedError("pooling with dilation is not computed")
    steps = c.kwargs.get("strides") or 1
    return _pooling(c, kind, c.get(1, ("window_shape",)), steps, str(c.kwargs.get("padding")))


def _convolution(c: OperationCall) -> Made:
    kernel = _constant(c.get(1, ("filter", "filters", "kernel")))
    rank = kernel.ndim - 2
    given = ("stride", "strides")
    layer = conv.CONVOLUTIONS[rank](
        filters=kernel.shape[-1],
        kernel_size=kernel.shape[:rank],
        strides=_window(c.get(2, given, None), rank),
        dilation_rate=_window(c.kwargs.get("dilations", c.kwargs.get("dilation_rate")), rank),
        padding=_padding(c.get(3, ("padding",), "VALID")),
        data_format=_format(c, 4),
        use_bias=False,
    )
    axes = layer.weight_axes()["kernel"]
    layer.weights["kernel"] = Weight("kernel", axes, kernel.shape, label="kernel", values=kernel)
    return ops.ByInput(choose=lambda sizes: layer), [_first(c)]


def _depthwise(c: OperationCall) -> Made:
    kernel = _constant(c.get(1, ("filter", "filters")))
    layer = conv.DepthwiseConv2D(
        depth_multiplier=kernel.shape[-1],
        kernel_size=kernel.shape[:2],
        strides=_window(c.get(2, ("strides",), None), 2),
        dilation_rate=_window(c.kwargs.get("rate", c.kwargs.get("dilations")), 2),
        padding=_padding(c.get(3, ("padding",), "VALID")),
        data_format=_format(c, 5),
        use_bias=False,
    )
    ((label, axes),) = layer.weight_axes().items()
    layer.weights[label] = Weight(label, axes, kernel.shape, label=label, values=kernel)
    return ops.ByInput(choose=lambda sizes: layer), [_first(c)]


def _constant(given: Any) -> FloatArray:
    if given is None or isinstance(given, TensorRef):
        raise UnsupportedError("its kernel is computed")
    return np.asarray(given, np.float32)


def _bias_add(c: OperationCall) -> Made:
    bias = c.get(1, ("bias",))
    first = _format(c, 2) == "channels_first"
    if isinstance(bias, TensorRef):
        raise UnsupportedError("its bias is computed")
    numbers = np.asarray(bias, float)
    if numbers.ndim != 1:
        raise UnsupportedError("its bias has more than one axis")

    def choose(sizes: Shape) -> Layer:
        lying = numbers.reshape(-1, *(1,) * (len(sizes) - 1)) if first else numbers
        return ops.Operation(function=lambda x, b: x + b, operands=(None, constant("bias", lying)))

    return ops.ByInput(choose=choose), [c.get(0, ("value", "x"))]


def _response_norm(c: OperationCall) -> Made:
    """Over the last axis, whatever the image's format is (TensorFlow knows NHWC only)."""
    radius = int(c.get(1, ("depth_radius",), 5))
    bias, alpha, beta = (
        float(c.get(n, (name,), default))
        for n, (name, default) in enumerate([("bias", 1.0), ("alpha", 1.0), ("beta", 0.5)], 2)
    )
    return made(local_norms.local_response(radius, bias, alpha, beta), [c.tensor()])


# --------------------------------------------------------------------------- images


def _resize(c: OperationCall) -> Made:
    size = c.get(1, ("size",))
    if not isinstance(size, (list, tuple)) or c.flag("antialias") or c.flag("crop_to_aspect_ratio"):
        raise UnsupportedError("resizing with these arguments is not computed")
    if c.flag("preserve_aspect_ratio") or c.flag("pad_to_aspect_ratio"):
        raise UnsupportedError("resizing with these arguments is not computed")
    method = str(c.get(2, ("interpolation", "method"), "bilinear")).lower()
    first = c.get(9, ("data_format",), None) == "channels_first"
    layer = spatial.Resizing(
        height=int(size[0]), width=int(size[1]), interpolation=method,
        data_format="channels_first" if first else "channels_last",
    )  # fmt: skip
    return layer, [_first(c)]


def _blocks(to_depth: bool) -> OperationRow:
    def row(c: OperationCall) -> Made:
        if str(c.get(2, ("data_format",), "NHWC")) != "NHWC":
            raise UnsupportedError("channels first are not computed here")
        return made(array_ops.blocks(int(c.get(1, ("block_size",))), to_depth), [c.tensor()])

    return row


_GREY = (0.2989, 0.5870, 0.1140)  # tensorflow/python/ops/image_ops_impl.py


def _grey(c: OperationCall) -> Made:
    shares = constant("shares", np.array(_GREY)[:, None])

    def choose(sizes: Shape) -> Layer:
        if sizes[-1] != 3:
            raise UnsupportedError(f"an image of {sizes[-1]} channels has no red, green and blue")
        return ops.Product(matrix=shares)

    return ops.ByInput(choose=choose), [_first(c)]


def _colour(c: OperationCall) -> Made:
    return made(array_ops.selected(-1, [0, 0, 0], lambda n: [0, 0, 0]), [_first(c)])


def _mirrored(axis: int) -> OperationRow:
    """``axis`` counts from the end, as pictures may come one by one."""
    return lambda c: made(
        array_ops.selected(axis, None, lambda n: list(range(n))[::-1]), [_first(c)]
    )


def _central(c: OperationCall) -> Made:
    fraction = float(c.get(1, ("central_fraction",)))

    def choose(sizes: Shape) -> Layer:
        parts: list[tuple[int | None, int | None, int | None]] = []
        for size in sizes[:2]:
            if size is None:
                raise UnsupportedError("the image's size is open")
            start = int((size - size * fraction) / 2)
            parts.append((start, start + size - 2 * start, None))
        return shape.Slice(parts=tuple(parts))

    return ops.ByInput(choose=choose), [_first(c)]


def _box(c: OperationCall) -> tuple[int, int, int, int]:
    names = ("offset_height", "offset_width", "target_height", "target_width")
    top, left, height, width = (int(c.get(n, (name,))) for n, name in enumerate(names, 1))
    return top, left, height, width


def _cropped(c: OperationCall) -> Made:
    top, left, height, width = _box(c)
    parts = ((top, top + height, None), (left, left + width, None))
    return shape.Slice(parts=parts), [_first(c)]


def _bordered(c: OperationCall) -> Made:
    top, left, height, width = _box(c)

    def choose(sizes: Shape) -> Layer:
        after = (height - top - (sizes[0] or 0), width - left - (sizes[1] or 0))
        if min(after) < 0:
            raise UnsupportedError(f"an image of {sizes[:2]} is larger than the box")
        return spatial.ZeroPadding2D(padding=((top, after[0]), (left, after[1])))

    return ops.ByInput(choose=choose), [_first(c)]


def _standardized(c: OperationCall) -> Made:
    return made(local_norms.standardized(range(-3, 0)), [_first(c)])


def _contrast(c: OperationCall) -> Made:
    factor = c.get(1, ("contrast_factor",))
    if isinstance(factor, TensorRef):
        raise UnsupportedError("its factor is computed")
    return made(local_norms.spread(range(-3, -1), float(factor)), [_first(c)])


def _brightness(c: OperationCall) -> Made:
    delta = float(c.get(1, ("delta",)))
    return ops.Operation(function=lambda x: x + delta, operands=(None,)), [_first(c)]


def _as_floats(c: OperationCall) -> Made:
    if "float" not in str(c.get(1, ("dtype",))):
        raise UnsupportedError("it makes whole numbers of an image")
    return shape.Identity(), [_first(c)]


def _clip_by_norm(c: OperationCall) -> Made:
    limit, axes = c.get(1, ("clip_norm",)), c.axes(2)
    if axes is None or isinstance(limit, TensorRef):
        raise UnsupportedError("it works along the batch axis, or its limit is computed")

    def clipped(x: Any, norm: Any) -> Any:
        return x * float(limit) / call("max", norm, value(float(limit)))

    return made(local_norms.by_norm(axes, clipped), [c.tensor()])


def _same(c: OperationCall) -> Made:
    return shape.Identity(), [c.tensor()]


def _dropout(c: OperationCall) -> Made:
    if c.get(1, ("rate",), None) not in (0, 0.0):
        raise UnsupportedError("it drops values at random, also outside training")
    return _same(c)


WINDOWS: dict[str, OperationRow] = {
    "resize": _resize,
    **{
        name: _pooled(kind)
        for kind, names in {
            "Max": ("max_pool", "max_pool1d", "max_pool2d", "max_pool3d", "max_pool_v2"),
            "Average": ("average_pool", "avg_pool", "avg_pool1d", "avg_pool2d", "avg_pool3d",
                        "avg_pool_v2"),
        }.items()
        for name in names
    },
    "pool": _pool, "pool_v2": _pool, "bias_add": _bias_add,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "conv1d_v2", "conv2d_v2",
                     "convolution_v2"), _convolution),
    "depthwise_conv2d": _depthwise, "depthwise_conv2d_v2": _depthwise,
    "local_response_normalization": _response_norm, "lrn": _response_norm,
    "depth_to_space": _blocks(False), "space_to_depth": _blocks(True),
    "rgb_to_grayscale": _grey, "grayscale_to_rgb": _colour,
    "flip_left_right": _mirrored(-2), "flip_up_down": _mirrored(-3),
    "central_crop": _central, "crop_to_bounding_box": _cropped,
    "pad_to_bounding_box": _bordered, "per_image_standardization": _standardized,
    "adjust_contrast": _contrast, "adjust_brightness": _brightness,
    "convert_image_dtype": _as_floats, "clip_by_norm": _clip_by_norm,
    "ensure_shape": _same, "dropout": _dropout, "dropout_v2": _dropout,
}  # fmt: skip
