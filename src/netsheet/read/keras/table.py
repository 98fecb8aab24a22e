"""One row per Keras class: how its arguments become a layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers import (
    activation,
    adaptive,
    category,
    contrast,
    conv,
    conv_transpose,
    dense,
    local,
    lookup,
    merge,
    norm,
    pool,
    scale,
    shape,
    spatial,
)
from netsheet.read.keras.arguments import Arguments
from netsheet.read.keras.context import Context, Row
from netsheet.read.keras.noise import NOISE


def _data_format(a: Arguments) -> str:
    return a.choice("data_format", "channels_last", "channels_first")


def _convolution(a: Arguments, c: Context, rank: int) -> dict[str, Any]:
    """What all convolutions have in common."""
    return {
        "kernel_size": a.ints("kernel_size", rank),
        "strides": a.ints("strides", rank),
        "dilation_rate": a.ints("dilation_rate", rank),
        "padding": a.choice("padding", "valid", "same", *(["causal"] if rank == 1 else [])),
        "data_format": _data_format(a),
        "use_bias": a.flag("use_bias", True),
        "activation": c.activation(a),
    }


def _conv(kind: type[conv.Conv2D], rank: int) -> Row:
    return lambda a, c: kind(
        filters=a.positive("filters"), groups=a.positive("groups", 1), **_convolution(a, c, rank)
    )


def _depthwise(kind: type[conv.DepthwiseConv2D], rank: int) -> Row:
    return lambda a, c: kind(
        depth_multiplier=a.positive("depth_multiplier", 1), **_convolution(a, c, rank)
    )


def _separable(kind: type[conv.SeparableConv2D], rank: int) -> Row:
    return lambda a, c: kind(
        filters=a.positive("filters"),
        depth_multiplier=a.positive("depth_multiplier", 1),
        **_convolution(a, c, rank),
    )


def _transposed(kind: type[conv_transpose.Conv2DTranspose], rank: int) -> Row:
    def row(a: Arguments, c: Context) -> Layer:
        extra = a.get("output_padding")
        if extra is not None:
            extra = (extra,) * rank if isinstance(extra, int) else tuple(extra)
            if len(extra) != rank or not all(type(n) is int and n >= 0 for n in extra):
                a.refuse("output_padding", f"{rank} whole numbers")
        return kind(filters=a.positive("filters"), output_padding=extra, **_convolution(a, c, rank))

    return row


def _pool(kind: type[pool.MaxPooling2D] | type[pool.AveragePooling2D], rank: int) -> Row:
    def row(a: Arguments, c: Context) -> Layer:
        size = a.ints("pool_size", rank, 2)
        return kind(
            pool_size=size,
            strides=a.ints("strides", rank, size),
            padding=a.choice("padding", "valid", "same"),
            data_format=_data_format(a),
        )

    return row


def _global(kind: type[pool.GlobalMaxPooling2D] | type[pool.GlobalAveragePooling2D]) -> Row:
    return lambda a, c: kind(data_format=_data_format(a), keepdims=a.flag("keepdims", False))


def _adaptive(kind: type[adaptive.AdaptiveAveragePooling], rank: int) -> Row:
    return lambda a, c: kind(
        output_size=a.ints("output_size", rank, None), data_format=_data_format(a)
    )


def _local(rank: int) -> Row:
    def row(a: Arguments, c: Context) -> Layer:
        if a.integer("implementation", 1) != 1:
            raise UnsupportedError("its kernel is stored for another implementation than 1")
        return local.LocallyConnected(
            filters=a.positive("filters"),
            kernel_size=a.ints("kernel_size", rank),
            strides=a.ints("strides", rank),
            data_format=_data_format(a),
            use_bias=a.flag("use_bias", True),
            activation=c.activation(a),
        )

    return row


def _mode(a: Arguments, default: str, *more: str) -> str:
    mode = a.text("output_mode", default)
    return mode if mode in (*category.MODES, *more) else a.refuse("output_mode", "a known mode")


def _category(a: Arguments, c: Context) -> Layer:
    return category.CategoryEncoding(
        num_tokens=a.positive("num_tokens"), output_mode=_mode(a, "multi_hot")
    )


def _discretization(a: Arguments, c: Context) -> Layer:
    edges = a.get("bin_boundaries")
    if not isinstance(edges, list) or not all(isinstance(e, int | float) for e in edges):
        raise UnsupportedError("the file does not say where its bins end")
    if edges != sorted(edges):
        a.refuse("bin_boundaries", "a rising list")
    return category.Discretization(
        boundaries=tuple(float(edge) for edge in edges),
        num_tokens=len(edges) + 1,
        output_mode=_mode(a, "int", "int"),
    )


def _integer_lookup(a: Arguments, c: Context) -> Layer:
    tokens = a.get("vocabulary")
    if isinstance(tokens, str):
        raise UnsupportedError("its vocabulary is in another file, which is not opened")
    if tokens is not None and not all(type(token) is int for token in tokens):
        a.refuse("vocabulary", "a list of whole numbers")
    buckets = a.integer("num_oov_indices", 1)
    if buckets < 0:
        a.refuse("num_oov_indices", "0 or more")
    if buckets > 1 and a.text("oov_method", "floormod") != "floormod":
        raise UnsupportedError(f"unknown numbers are spread by {a.get('oov_method')!r}")
    return lookup.IntegerLookup(
        vocabulary=None if tokens is None else tuple(tokens),
        num_oov_indices=buckets,
        mask_token=None if a.get("mask_token") is None else a.integer("mask_token"),
        oov_token=a.integer("oov_token", -1),
        invert=a.flag("invert", False),
        output_mode=_mode(a, "int", "int"),
        width=a.positive("max_tokens") if a.flag("pad_to_max_tokens", False) else None,
    )


def _plain(kind: type[Layer]) -> Row:
    """A layer without arguments that change its values."""
    return lambda a, c: kind()


def _of_rank(rank: int) -> Row:
    """A layer that only acts in training, on an input of so many axes."""
    return lambda a, c: shape.Identity(rank=rank)


def _merge(kind: Callable[..., Layer]) -> Row:
    return lambda a, c: kind(any_mask=c.major >= 3)


def _activation(a: Arguments, c: Context) -> Layer:
    return c.activation(a) or activation.Linear()


def _relu(a: Arguments, c: Context) -> Layer:
    top = a.get("max_value")
    return activation.ReLU(
        max_value=None if top is None else a.number("max_value", 0),
        negative_slope=a.number("negative_slope", 0),
        threshold=a.number("threshold", 0),
    )


def _leaky_relu(a: Arguments, c: Context) -> Layer:
    key = "negative_slope" if "negative_slope" in a.config else "alpha"
    return activation.LeakyReLU(negative_slope=a.number(key, 0.3))


def _softmax(a: Arguments, c: Context) -> Layer:
    axes = a.axes("axis")
    return activation.Softmax(axis=axes if len(axes) > 1 else axes[0], heeds_mask=True)


def _quantized(a: Arguments) -> bool:
    policy = a.get("dtype")
    mode = a.get("quantization_mode") or (
        policy["config"].get("mode")
        if isinstance(policy, Mapping) and isinstance(policy.get("config"), Mapping)
        else None
    )
    if mode not in (None, "int8"):
        raise UnsupportedError(f"the quantization mode {mode!r} is not supported; int8 is")
    return mode == "int8"


def _dense(a: Arguments, c: Context) -> Layer:
    return dense.Dense(
        units=a.positive("units"),
        use_bias=a.flag("use_bias", True),
        activation=c.activation(a),
        quantized=_quantized(a),
    )


def _einsum_dense(a: Arguments, c: Context) -> Layer:
    if _quantized(a):
        raise UnsupportedError("a quantized EinsumDense is not supported")
    output = a.get("output_shape")
    sizes = output if isinstance(output, list) else [output]
    if not all(size is None or (type(size) is int and size > 0) for size in sizes):
        a.refuse("output_shape", "positive whole numbers or null")
    equation = a.text("equation", "").replace(" ", "")
    if not re.fullmatch(r"(\.\.\.)?[a-zA-Z]*,[a-zA-Z]+->(\.\.\.)?[a-zA-Z]*", equation):
        a.refuse("equation", "as 'abc,cd->abd'")
    bias = a.text("bias_axes", "")
    if not set(bias) <= set(equation.partition("->")[2].replace(".", "")):
        a.refuse("bias_axes", f"letters of the output of {equation}")
    return dense.EinsumDense(
        einsum=equation,
        output_shape=tuple(sizes),
        bias_axes=bias or None,
        activation=c.activation(a),
    )


def _axis(axes: tuple[int, ...]) -> int | tuple[int, ...]:
    return axes[0] if len(axes) == 1 else axes


def _batch_norm(a: Arguments, c: Context) -> Layer:
    if c.major < 2 and a.integer("mode", 0) != 0:
        raise UnsupportedError(
            f"its mode {a.integer('mode')} of Keras 1 normalises by the sample or the batch "
            "itself, which later Keras does not know either"
        )
    return norm.BatchNormalization(
        axis=a.axis("axis"),
        epsilon=a.number("epsilon", 1e-3),
        center=a.flag("center", True),
        scale=a.flag("scale", True),
        momentum=a.number("momentum", 0.99),
        renorm=c.major < 3 and a.flag("renorm", False),
        unbiased_maps=c.major < 3,
    )


def _layer_norm(a: Arguments, c: Context) -> Layer:
    return norm.LayerNormalization(
        axis=_axis(a.axes("axis")),
        epsilon=a.number("epsilon", 1e-3),
        center=a.flag("center", True),
        scale=a.flag("scale", True),
        rms_scaling=a.flag("rms_scaling", False),
    )


def _group_norm(a: Arguments, c: Context) -> Layer:
    return norm.GroupNormalization(
        groups=a.integer("groups", 32),
        axis=a.axis("axis"),
        epsilon=a.number("epsilon", 1e-3),
        center=a.flag("center", True),
        scale=a.flag("scale", True),
    )


def _values(a: Arguments, key: str) -> Any:
    """An argument that holds an array, however wrapped; None if absent."""
    stored = a.get(key)
    while isinstance(stored, Mapping):
        stored = stored.get("config", stored.get("value"))
    if stored is not None and np.asarray(stored).dtype.kind not in "iuf":
        a.refuse(key, "numbers")
    return None if stored is None else np.asarray(stored, float).squeeze()


def _normalization(a: Arguments, c: Context) -> Layer:
    without_axis = "axis" in a.config and a.config["axis"] in (None, [])
    mean, variance = _values(a, "mean"), _values(a, "variance")
    if (mean is None) != (variance is None):
        lacking = "mean" if mean is None else "variance"
        a.refuse(lacking, "numbers, as mean and variance are given together")
    return norm.Normalization(
        axis=() if without_axis else a.axes("axis"),
        invert=a.flag("invert", False),
        mean=mean,
        variance=variance,
    )


def _rescaling(a: Arguments, c: Context) -> Layer:
    def factor(key: str, default: float) -> float | tuple[float, ...]:
        values = _values(a, key)
        if values is None or values.ndim == 0:
            return default if values is None else float(values)
        return tuple(map(float, values))

    return norm.Rescaling(scale=factor("scale", 1.0), offset=factor("offset", 0.0))


def _dot(a: Arguments, c: Context) -> Layer:
    axes = a.axes("axes")
    if len(axes) > 2:
        a.refuse("axes", "one or two whole numbers")
    pair = (axes[0], axes[-1])
    return merge.Dot(axes=pair, normalize=a.flag("normalize", False))


def _reshape(a: Arguments, c: Context) -> Layer:
    target = a.get("target_shape")
    if not isinstance(target, list) or not all(isinstance(n, int) for n in target):
        a.refuse("target_shape", "a list of whole numbers")
    return shape.Reshape(target_shape=tuple(target))


def _permute(a: Arguments, c: Context) -> Layer:
    dims = a.get("dims")
    if not isinstance(dims, list) or not all(isinstance(n, int) for n in dims):
        a.refuse("dims", "a list of whole numbers")
    return shape.Permute(dims=tuple(dims))


def _padding(kind: type[spatial.ZeroPadding2D], rank: int) -> Row:
    return lambda a, c: kind(padding=a.pairs("padding", rank, 1), data_format=_data_format(a))


def _cropping(kind: type[spatial.Cropping2D], rank: int) -> Row:
    default = 1 if rank == 1 else 0
    return lambda a, c: kind(
        cropping=a.pairs("cropping", rank, default), data_format=_data_format(a)
    )


def _upsampling(kind: type[spatial.UpSampling2D], rank: int) -> Row:
    return lambda a, c: kind(
        size=a.ints("size", rank, 2),
        data_format=_data_format(a),
        interpolation=a.text("interpolation", "nearest"),
    )


def _auto_contrast(a: Arguments, c: Context) -> Layer:
    ends = a.get("value_range", [0, 255])
    if not isinstance(ends, (list, tuple)) or len(ends) != 2 or ends[0] == ends[1]:
        a.refuse("value_range", "two different numbers")
    low, high = sorted(map(float, ends))
    return contrast.AutoContrast(value_range=(low, high))


def _resizing(a: Arguments, c: Context) -> Layer:
    for option in ("pad_to_aspect_ratio", "antialias"):
        if a.flag(option, False):
            raise UnsupportedError(f"Resizing with {option} is not supported")
    return spatial.Resizing(
        height=a.positive("height"),
        width=a.positive("width"),
        interpolation=a.text("interpolation", "bilinear").lower(),
        crop_to_aspect_ratio=a.flag("crop_to_aspect_ratio", False),
        data_format=_data_format(a),
    )


NO_OPS = (
    "ActivityRegularization", "AlphaDropout", "AugMix", "CutMix", "Dropout",
    "Equalization", "GaussianDropout", "GaussianNoise", "Identity", "MixUp", "RandAugment",
    "RandomApply", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter",
    "RandomContrast", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale",
    "RandomHeight", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization",
    "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation",
    "RandomWidth", "RandomZoom", "Solarization", "SpatialDropout1D", "SpatialDropout2D",
    "SpatialDropout3D", "StochasticDepth",
)  # fmt: skip

_ROWS: dict[str, Row] = {
    **dict.fromkeys(NO_OPS, _plain(shape.Identity)),
    **dict.fromkeys((name for name in NO_OPS if name.startswith(("Random", "Solar"))), _of_rank(3)),
    **NOISE,
    "Activation": _activation,
    **{
        f"AdaptiveAveragePooling{rank}D": _adaptive(adaptive.AdaptiveAveragePooling, rank)
        for rank in (1, 2, 3)
    },
    **{
        f"AdaptiveMaxPooling{rank}D": _adaptive(adaptive.AdaptiveMaxPooling, rank)
        for rank in (1, 2, 3)
    },
    "Add": _merge(merge.Add),
    "AutoContrast": _auto_contrast,
    "Average": _merge(merge.Average),
    "AveragePooling1D": _pool(pool.AveragePooling1D, 1),
    "AveragePooling2D": _pool(pool.AveragePooling2D, 2),
    "AveragePooling3D": _pool(pool.AveragePooling3D, 3),
    "BatchNormalization": _batch_norm,
    "CategoryEncoding": _category,
    "CenterCrop": lambda a, c: spatial.CenterCrop(
        size=(a.positive("height"), a.positive("width")), data_format=_data_format(a)
    ),
    "Concatenate": lambda a, c: merge.Concatenate(axis=a.axis("axis"), any_mask=c.major >= 3),
    "Conv1D": _conv(conv.Conv1D, 1),
    "Conv1DTranspose": _transposed(conv_transpose.Conv1DTranspose, 1),
    "Conv2D": _conv(conv.Conv2D, 2),
    "Conv2DTranspose": _transposed(conv_transpose.Conv2DTranspose, 2),
    "Conv3D": _conv(conv.Conv3D, 3),
    "Conv3DTranspose": _transposed(conv_transpose.Conv3DTranspose, 3),
    "Cropping1D": _cropping(spatial.Cropping1D, 1),
    "Cropping2D": _cropping(spatial.Cropping2D, 2),
    "Cropping3D": _cropping(spatial.Cropping3D, 3),
    "CustomScaleLayer": lambda a, c: scale.ScaledAdd(scale=a.number("scale", 1)),
    "Dense": _dense,
    "DepthwiseConv1D": _depthwise(conv.DepthwiseConv1D, 1),
    "DepthwiseConv2D": _depthwise(conv.DepthwiseConv2D, 2),
    "Discretization": _discretization,
    "Dot": _dot,
    "ELU": lambda a, c: activation.ELU(alpha=a.number("alpha", 1)),
    "EinsumDense": _einsum_dense,
    "Flatten": lambda a, c: shape.Flatten(data_format=_data_format(a)),
    "GlobalAveragePooling1D": _global(pool.GlobalAveragePooling1D),
    "GlobalAveragePooling2D": _global(pool.GlobalAveragePooling2D),
    "GlobalAveragePooling3D": _global(pool.GlobalAveragePooling3D),
    "GlobalMaxPooling1D": _global(pool.GlobalMaxPooling1D),
    "GlobalMaxPooling2D": _global(pool.GlobalMaxPooling2D),
    "GlobalMaxPooling3D": _global(pool.GlobalMaxPooling3D),
    "GroupNormalization": _group_norm,
    "IntegerLookup": _integer_lookup,
    "LayerNormalization": _layer_norm,
    "LayerScale": lambda a, c: scale.LayerScale(projection_dim=a.positive("projection_dim")),
    "LeakyReLU": _leaky_relu,
    "LocallyConnected1D": _local(1),
    "LocallyConnected2D": _local(2),
    "MaxPooling1D": _pool(pool.MaxPooling1D, 1),
    "MaxPooling2D": _pool(pool.MaxPooling2D, 2),
    "MaxPooling3D": _pool(pool.MaxPooling3D, 3),
    "Maximum": _merge(merge.Maximum),
    "Minimum": _merge(merge.Minimum),
    "Multiply": _merge(merge.Multiply),
    "Normalization": _normalization,
    "PReLU": lambda a, c: activation.PReLU(
        shared_axes=() if a.get("shared_axes") is None else a.axes("shared_axes")
    ),
    "Permute": _permute,
    "RMSNormalization": lambda a, c: norm.RMSNormalization(
        axis=_axis(a.axes("axis")), epsilon=a.number("epsilon", 1e-6)
    ),
    "ReLU": _relu,
    "RepeatVector": lambda a, c: shape.RepeatVector(n=a.positive("n")),
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "Resizing": _resizing,
    "SeparableConv1D": _separable(conv.SeparableConv1D, 1),
    "SeparableConv2D": _separable(conv.SeparableConv2D, 2),
    "Softmax": _softmax,
    "Subtract": _merge(merge.Subtract),
    "ThresholdedReLU": lambda a, c: activation.Threshold(threshold=a.number("theta", 1)),
    "UnitNormalization": lambda a, c: norm.UnitNormalization(axis=_axis(a.axes("axis"))),
    "UpSampling1D": _upsampling(spatial.UpSampling1D, 1),
    "UpSampling2D": _upsampling(spatial.UpSampling2D, 2),
    "UpSampling3D": _upsampling(spatial.UpSampling3D, 3),
    "ZeroPadding1D": _padding(spatial.ZeroPadding1D, 1),
    "ZeroPadding2D": _padding(spatial.ZeroPadding2D, 2),
    "ZeroPadding3D": _padding(spatial.ZeroPadding3D, 3),
}


class _Table(Mapping[str, Row]):
    """All rows; those for layers over time are made when another class is asked for."""

    def __getitem__(self, name: str) -> Row:
        return _ROWS[name] if name in _ROWS else self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @cached_property
    def _all(self) -> dict[str, Row]:
        from netsheet.read.keras.sequence import SEQUENCE

        return {**SEQUENCE, **_ROWS}


TABLE = _Table()

# Arguments that Keras has always written of a class. A file that lacks one means another class,
# somebody's own of that name: HDF5 of Keras 2 has the bare name only.
ALWAYS: dict[str, tuple[str, ...]] = {
    "AdditiveAttention": ("use_scale",),
    "Attention": ("use_scale",),
    "CategoryEncoding": ("num_tokens", "output_mode"),
    "EinsumDense": ("equation",),
    "GroupNormalization": ("groups", "axis", "epsilon"),
    "IntegerLookup": ("num_oov_indices", "output_mode"),
    "LayerNormalization": ("axis", "epsilon"),
    "MultiHeadAttention": ("num_heads", "key_dim"),
    "Normalization": ("axis",),
    "Rescaling": ("scale",),
    "Resizing": ("height", "width"),
    "SpectralNormalization": ("power_iterations", "layer"),
    "UnitNormalization": ("axis",),
}

# Older and shorter names of the same classes.
RENAMED = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "Custom>CustomScaleLayer": "CustomScaleLayer",  # so written by keras.applications
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalAvgPool3D": "GlobalAveragePooling3D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalMaxPool3D": "GlobalMaxPooling3D",
    "GroupedQueryAttention": "GroupQueryAttention",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "SyncBatchNormalization": "BatchNormalization",
    "TimeDistributedDense": "Dense",
}
