"""Spatial axes made longer, shorter or resized: padding, cropping, up-sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Guard,
    Index,
    Lookup,
    Position,
    Tensor,
    Weight,
    affine,
    equation,
    indices_of,
    select,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph, Layer, Signature
from netsheet.layers.base import named
from netsheet.layers.resample import INTERPOLATIONS, resampled
from netsheet.layers.window import LARGEST_MATRIX, arranged, check_table, placed, sizes, tensor_axes


@dataclass(eq=False, kw_only=True)
class _Spatial(Layer):
    """A layer that maps each spatial axis by itself and leaves the channels alone."""

    rank: ClassVar[int] = 2
    data_format: str = "channels_last"

    passes_mask: ClassVar[bool] = False

    def length(self, axis: int, n: int) -> int:
        """Output length of a spatial axis of length ``n``."""
        raise NotImplementedError

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        lengths, channels = sizes(inputs[0], self.rank, self.data_format, self.name)
        spatial = [None if n is None else self.length(a, n) for a, n in enumerate(lengths)]
        for n, out in zip(lengths, spatial, strict=True):
            if out is not None and out <= 0:
                raise ValueError(f"layer {self.name!r} leaves nothing of a length of {n}")
        shape = arranged(spatial, channels, self.data_format)
        return [Signature(tensor_axes(self.rank, self.data_format), shape)]

    def at(self, axis: int, out: Index, n: int) -> tuple[Affine, Guard | None]:
        """Where output position ``out`` reads an axis of length ``n``, and whether it does."""
        raise NotImplementedError

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        axes = tensor_axes(self.rank, self.data_format)
        lengths, _ = sizes(inputs[0], self.rank, self.data_format, self.name)
        at = indices_of(outputs[0], None)
        by_axis = dict(zip(axes, at, strict=True))
        spatial = [by_axis[axis] for axis in axes if axis != "channel"]
        places = [self.at(a, spatial[a], n or 0) for a, n in enumerate(lengths)]
        source = placed(self.rank, [place for place, _ in places], by_axis["channel"])
        guards = [guard for _, guard in places if guard is not None]
        read = named(inputs[0], axes)(source)
        return [equation(outputs[0][at], select(guards, read, 0))]


@dataclass(eq=False, kw_only=True)
class ZeroPadding2D(_Spatial):
    """Zeros before and after each spatial axis."""

    padding: tuple[tuple[int, int], ...]

    def length(self, axis: int, n: int) -> int:
        return n + sum(self.padding[axis])

    def at(self, axis: int, out: Index, n: int) -> tuple[Affine, Guard | None]:
        place = out - self.padding[axis][0]
        return place, Guard(place, 0, n)

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        spatial = iter(self.padding)
        axes = tensor_axes(self.rank, self.data_format)
        pairs = [(0, 0), *((0, 0) if a == "channel" else next(spatial) for a in axes)]
        pads = graph.constant(np.array([p[0] for p in pairs] + [p[1] for p in pairs]))
        return [graph.node("Pad", [names[0], pads])]


class ZeroPadding1D(ZeroPadding2D):
    """ZeroPadding2D along time."""

    rank = 1


class ZeroPadding3D(ZeroPadding2D):
    """ZeroPadding2D along three axes."""

    rank = 3


@dataclass(eq=False, kw_only=True)
class Cropping2D(_Spatial):
    """Without some positions at the start and end of each spatial axis."""

    cropping: tuple[tuple[int, int], ...]

    def length(self, axis: int, n: int) -> int:
        return n - sum(self.cropping[axis])

    def at(self, axis: int, out: Index, n: int) -> tuple[Affine, Guard | None]:
        return out + self.cropping[axis][0], None


class Cropping1D(Cropping2D):
    """Cropping2D along time."""

    rank = 1


class Cropping3D(Cropping2D):
    """Cropping2D along three axes."""

    rank = 3


@dataclass(eq=False, kw_only=True)
class CenterCrop(_Spatial):
    """The middle ``size`` of each spatial axis.

    Where one is smaller than ``size``, Keras resizes the largest part in the middle that has the
    wanted proportions (keras/src/layers/preprocessing/.../center_crop.py: smart_resize).
    """

    size: tuple[int, ...]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        (height, width), _ = sizes(inputs[0], self.rank, self.data_format, self.name)
        if (height or 0) >= self.size[0] and (width or 0) >= self.size[1]:
            return super().equations(inputs, outputs)
        resizing = Resizing(
            name=self.name, height=self.size[0], width=self.size[1], interpolation="bilinear",
            crop_to_aspect_ratio=True, data_format=self.data_format,
        )  # fmt: skip
        return resizing.equations(inputs, outputs)

    def length(self, axis: int, n: int) -> int:
        return self.size[axis]

    def at(self, axis: int, out: Index, n: int) -> tuple[Affine, Guard | None]:
        return out + (n - self.size[axis]) // 2, None


def _interpolated(
    x: Tensor, y: Tensor, number: int, low: list[int], share: list[float]
) -> Equation:
    """``y`` between the elements ``low`` and ``low + 1`` of ``x`` along axis ``number``.

    ``share[o]`` is the weight of the upper one; nothing is read where it is 0.
    """
    at = indices_of(y)
    axis, o = y.axes[number], at[number]
    last = x.shape[number] - 1

    def read(table: list[int]) -> Expr:
        if table == list(range(len(table))):
            return x[at]
        place: list[Position] = [*at]
        place[number] = affine(Lookup(tuple(table), affine(o)))
        return x[tuple(place)]

    upper = [min(n + 1, last) for n in low]
    table = Weight(f"{y.name}/share", (axis,), (len(share),), label="share", values=np.array(share))
    part = table[o]
    return equation(y[at], read(low) * (1 - part) + read(upper) * part)


def nearest(n: int, out: int) -> list[int]:
    """``floor((o + 0.5) * n / out)``: half-pixel centres."""
    check_table(out)
    return [min((2 * o + 1) * n // (2 * out), n - 1) for o in range(out)]


def linear(n: int, out: int) -> tuple[list[int], list[float]]:
    """Lower neighbour and share of the upper one for half-pixel centres, clamped at the edge."""
    check_table(out)
    low, share = [], []
    for o in range(out):
        place = min(max((o + 0.5) * n / out - 0.5, 0.0), n - 1.0)
        low.append(int(place))
        share.append(place - int(place))
    return low, share


@dataclass(eq=False, kw_only=True)
class _Resize(_Spatial):
    interpolation: str = "nearest"

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        if self.interpolation == "nearest":
            return super().equations(inputs, outputs)
        if self.interpolation not in ("bilinear", *INTERPOLATIONS):
            raise UnsupportedError(
                f"layer {self.name!r}: interpolation {self.interpolation!r} is not supported; "
                f"nearest, bilinear, {', '.join(INTERPOLATIONS)} are"
            )
        x, y, result = inputs[0], outputs[0], []
        # the input's axes may have the names of another data format
        first = 1 if self.data_format == "channels_first" else 0
        for number in range(first, first + self.rank):
            out = y.shape[number]
            shape = (*x.shape[:number], out, *x.shape[number + 1 :])
            last = number == first + self.rank - 1
            target = y if last else y.step(y.axes[number], y.axes, shape)
            if self.interpolation == "bilinear":
                result.append(_interpolated(x, target, number, *linear(x.shape[number], out)))
            else:
                check_table(out * x.shape[number], LARGEST_MATRIX)
                result.append(resampled(x, target, number, self.interpolation))
            x = target
        return result


@dataclass(eq=False, kw_only=True)
class UpSampling2D(_Resize):
    """Each position repeated ``size`` times along each axis, or bilinear in between."""

    size: tuple[int, ...]

    def length(self, axis: int, n: int) -> int:
        return n * self.size[axis]

    def at(self, axis: int, out: Index, n: int) -> tuple[Affine, Guard | None]:
        return out // self.size[axis], None


class UpSampling1D(UpSampling2D):
    """UpSampling2D along time."""

    rank = 1


class UpSampling3D(UpSampling2D):
    """UpSampling2D along three axes."""

    rank = 3


@dataclass(eq=False, kw_only=True)
class Resizing(_Resize):
    """An image resized to ``height`` x ``width``, half-pixel centres.

    ``crop_to_aspect_ratio``: the largest part in the middle that has the new proportions.
    """

    height: int
    width: int
    crop_to_aspect_ratio: bool = False

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x = inputs[0]
        if not self.crop_to_aspect_ratio:
            return super().equations(inputs, outputs)
        (height, width), channels = sizes(x, self.rank, self.data_format, self.name)
        kept = (
            max(min(height or 0, (width or 0) * self.height // self.width), 1),
            max(min(width or 0, (height or 0) * self.width // self.height), 1),
        )
        shape = arranged(kept, channels, self.data_format)
        cropped = outputs[0].step("cropped", outputs[0].axes, tuple(n or 0 for n in shape))
        at = indices_of(cropped)
        source = tuple(i + (n - i.size) // 2 for i, n in zip(at, x.shape, strict=True))
        return [equation(cropped[at], x[source]), *super().equations([cropped], outputs)]

    def length(self, axis: int, n: int) -> int:
        return (self.height, self.width)[axis]

    def at(self, axis: int, out: Index, n: int) -> tuple[Affine, Guard | None]:
        return affine(Lookup(tuple(nearest(n, out.size)), affine(out))), None
