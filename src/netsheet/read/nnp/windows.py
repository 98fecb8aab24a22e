"""Convolutions, poolings and fully connected functions of NNabla as layers for one sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.equations import Expr, Index, Weight
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.conv import Conv1D, Conv2D, Conv3D
from netsheet.layers.conv_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from netsheet.layers.dense import EinsumDense
from netsheet.layers.pool import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    SumPooling1D,
    SumPooling2D,
    SumPooling3D,
)
from netsheet.layers.window import KERNEL, Padding
from netsheet.operators.base import Formula, OnnxNode, pointwise
from netsheet.operators.convolution import grouped_transposed
from netsheet.read.nnp.function import NnpFunction, Sizes

CONVOLUTIONS: dict[int, type[Conv2D]] = {1: Conv1D, 2: Conv2D, 3: Conv3D}
TRANSPOSED: dict[int, type[Conv2DTranspose]] = {
    1: Conv1DTranspose,
    2: Conv2DTranspose,
    3: Conv3DTranspose,
}
MAXIMUM: dict[int, type[MaxPooling2D]] = {1: MaxPooling1D, 2: MaxPooling2D, 3: MaxPooling3D}
AVERAGE: dict[int, type[AveragePooling2D]] = {
    1: AveragePooling1D,
    2: AveragePooling2D,
    3: AveragePooling3D,
}
SUM: dict[int, type[SumPooling2D]] = {1: SumPooling1D, 2: SumPooling2D, 3: SumPooling3D}
GLOBAL: dict[int, type[GlobalAveragePooling2D]] = {
    1: GlobalAveragePooling1D,
    2: GlobalAveragePooling2D,
    3: GlobalAveragePooling3D,
}
LETTERS = "abcdefgh"

Pads = tuple[tuple[int, int], ...]


def _rank(f: NnpFunction, rank: int) -> int:
    """The number of spatial axes, of a function whose only axis before them is the channels'."""
    if rank not in KERNEL or len(f.input(0).shape) != rank + 2:
        raise UnsupportedError(
            f"{f.kind} over {rank} axes of {len(f.input(0).shape)} is not computed"
        )
    return rank


def _format(f: NnpFunction) -> str:
    return "channels_last" if f.given.flag("channel_last") else "channels_first"


def _checked_base(f: NnpFunction) -> None:
    if f.given.integer("base_axis") != 1:
        raise UnsupportedError(
            f"{f.kind} with base_axis {f.given.integer('base_axis')} is not computed"
        )


def _pads(f: NnpFunction, rank: int) -> Padding:
    return _padding(tuple((pad, pad) for pad in f.sizes("pad", rank, 0)))


def _padding(pads: Pads) -> Padding:
    return pads if any(map(any, pads)) else "valid"


def _biased(f: NnpFunction, kernel: Weight) -> dict[str, Weight]:
    weights = {"kernel": kernel}
    if f.has(2):
        weights["bias"] = f.weight(2, "bias", ("out",))
    return weights


def convolution(f: NnpFunction) -> Layer:
    """Convolution: W (out, in / group, spatial); with channel_last (out, spatial, in / group)."""
    _checked_base(f)
    shape, last = f.array(1).shape, _format(f) == "channels_last"
    rank = _rank(f, len(shape) - 2)
    axes = ("out", *KERNEL[rank], "in") if last else ("out", "in", *KERNEL[rank])
    return CONVOLUTIONS[rank](
        filters=shape[0],
        groups=max(f.given.integer("group"), 1),
        kernel_size=tuple(shape[1:-1] if last else shape[2:]),
        strides=f.sizes("stride", rank, 1),
        dilation_rate=f.sizes("dilation", rank, 1),
        padding=_pads(f, rank),
        data_format=_format(f),
        use_bias=f.has(2),
        weights=_biased(f, f.weight(1, "kernel", axes)),
    )


def depthwise(f: NnpFunction) -> Layer:
    """DepthwiseConvolution: W (in * multiplier, spatial); each input has so many outputs."""
    _checked_base(f)
    shape = f.array(1).shape
    rank = _rank(f, len(shape) - 1)
    channels = f.input(0).shape[1]
    if channels < 1 or shape[0] % channels:
        raise UnsupportedError(
            f"{f.kind} of {channels} channels with {shape[0]} kernels is not computed"
        )
    kernel = f.weight(1, "kernel", ("out", "in", *KERNEL[rank]), (shape[0], 1, *shape[1:]))
    return CONVOLUTIONS[rank](
        filters=shape[0],
        groups=channels,
        kernel_size=tuple(shape[1:]),
        strides=f.sizes("stride", rank, 1),
        dilation_rate=f.sizes("dilation", rank, 1),
        padding=_pads(f, rank),
        data_format="channels_first",
        use_bias=f.has(2),
        weights=_biased(f, kernel),
    )


def deconvolution(f: NnpFunction) -> Layer:
    """Deconvolution: W (in, out / group, spatial); the transposed convolution."""
    _checked_base(f)
    shape = f.array(1).shape
    rank = _rank(f, len(shape) - 2)
    if _format(f) == "channels_last":
        raise UnsupportedError(f"{f.kind} with channel_last is not computed")
    strides, dilations = f.sizes("stride", rank, 1), f.sizes("dilation", rank, 1)
    extra, groups = f.sizes("output_padding", rank, 0), max(f.given.integer("group"), 1)
    if groups > 1:
        pads = f.sizes("pad", rank, 0)
        return f.operator(
            grouped_transposed, "ConvTranspose", group=groups, strides=strides,
            dilations=dilations, pads=[*pads, *pads], output_padding=extra,
        )  # fmt: skip
    return TRANSPOSED[rank](
        filters=shape[1],
        kernel_size=tuple(shape[2:]),
        strides=strides,
        dilation_rate=dilations,
        padding=_pads(f, rank),
        output_padding=extra,
        data_format="channels_first",
        use_bias=f.has(2),
        weights=_biased(f, f.weight(1, "kernel", ("in", "out", *KERNEL[rank]))),
    )


def affine(f: NnpFunction) -> Layer:
    """Affine: everything from ``base_axis`` on is flattened, times W (inputs, outputs...)."""
    inner, kernel = f.input(0).inner, f.array(1)
    base = f.given.integer("base_axis")
    summed, made = inner[base - 1 :], kernel.shape[1:]
    if base < 1 or not summed or math.prod(summed) != kernel.shape[0]:
        raise UnsupportedError(
            f"{f.kind} from axis {base} of {inner} with W {kernel.shape} is not computed"
        )
    if len(inner) + len(made) > len(LETTERS):
        raise UnsupportedError(f"{f.kind} of {len(inner)} axes is not computed")
    x, out = LETTERS[: len(inner)], LETTERS[len(inner) : len(inner) + len(made)]
    left = x[: base - 1]
    weights = {
        "kernel": f.weight(1, "kernel", (*x[base - 1 :], *out), (*summed, *made)),
        **({"bias": f.weight(2, "bias", tuple(out), made)} if f.has(2) else {}),
    }
    return EinsumDense(
        einsum=f"z{x},{x[base - 1 :]}{out}->z{left}{out}",
        output_shape=(*inner[: base - 1], *made),
        bias_axes=out if f.has(2) else None,
        weights=weights,
        type_name="Affine",
    )


# --------------------------------------------------------------------------- poolings


@dataclass(frozen=True)
class _Windows:
    """The windows of a pooling; ``inside``: none reaches beyond the padding."""

    kernel: Sizes
    strides: Sizes
    pads: Pads
    inside: bool

    @property
    def padded(self) -> bool:
        """True if there is padding before the first value."""
        return any(before for before, _ in self.pads)


def _windows(f: NnpFunction) -> _Windows:
    """Without ``ignore_border`` there are ceil((n + 2 pad) / stride), cut off at the end."""
    kernel = f.given.shape("kernel")
    rank = _rank(f, len(kernel))
    strides = f.given.shape("stride") or kernel
    pads = f.sizes("pad", rank, 0)
    if any(n < 1 for n in (*kernel, *strides)) or len(strides) != rank:
        raise UnsupportedError(
            f"{f.kind} with kernel {kernel} and stride {strides} is not computed"
        )
    if f.given.flag("ignore_border"):
        return _Windows(kernel, strides, tuple((pad, pad) for pad in pads), True)
    shape = f.input(0).shape
    lengths = shape[1:-1] if f.given.flag("channel_last") else shape[2:]
    found = []
    inside = True
    for n, k, s, pad in zip(lengths, kernel, strides, pads, strict=True):
        last = (-(-(n + 2 * pad) // s) - 1) * s - pad  # where the last window starts
        if last >= n:
            raise UnsupportedError(f"{f.kind} with a window in the padding alone is not computed")
        inside &= last + k <= n + pad
        found.append((pad, max(last + k - n, 0)))
    return _Windows(kernel, strides, tuple(found), inside)


def max_pooling(f: NnpFunction) -> Layer:
    """MaxPooling: padding never is the largest."""
    found = _windows(f)
    return MAXIMUM[len(found.kernel)](
        pool_size=found.kernel, strides=found.strides, padding=_padding(found.pads),
        data_format=_format(f),
    )  # fmt: skip


def average_pooling(f: NnpFunction) -> Layer:
    """AveragePooling: with ``including_pad`` the padding counts, what is behind it never."""
    found = _windows(f)
    if f.given.flag("including_pad") and found.padded:
        if not found.inside:
            raise UnsupportedError(
                f"{f.kind} with padding that counts, without ignore_border, is not computed"
            )
        return _sum(f, found, 1 / math.prod(found.kernel))
    return AVERAGE[len(found.kernel)](
        pool_size=found.kernel, strides=found.strides, padding=_padding(found.pads),
        data_format=_format(f),
    )  # fmt: skip


def sum_pooling(f: NnpFunction) -> Layer:
    """SumPooling."""
    return _sum(f, _windows(f), 1.0)


def _sum(f: NnpFunction, found: _Windows, factor: float) -> Layer:
    return SUM[len(found.kernel)](
        pool_size=found.kernel, strides=found.strides, padding=_padding(found.pads),
        data_format=_format(f), factor=factor,
    )  # fmt: skip


def global_average(f: NnpFunction) -> Layer:
    """GlobalAveragePooling: one value for each channel, the other axes kept with size 1."""
    rank = _rank(f, len(f.input(0).shape) - 2)
    return GLOBAL[rank](data_format="channels_first", keepdims=True)


def unpooling(f: NnpFunction) -> Layer:
    """Unpooling: each value fills a block of the kernel's size."""
    kernel = f.given.shape("kernel")
    if not kernel or any(n < 1 for n in kernel) or len(kernel) > len(f.input(0).inner):
        raise UnsupportedError(f"{f.kind} with kernel {kernel} is not computed")
    if f.given.flag("channel_last"):
        raise UnsupportedError(f"{f.kind} with channel_last is not computed")

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        times: Sequence[int] = [1] * (len(x.shape) - len(kernel)) + list(kernel)

        def element(at: tuple[Index, ...]) -> Expr:
            return x[tuple(i // n if n > 1 else i for i, n in zip(at, times, strict=True))]

        shape = [n * t for n, t in zip(x.shape, times, strict=True)]
        return pointwise(shape, node.dtype(), element)

    return f.operator(rule)
