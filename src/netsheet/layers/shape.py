"""Layers that move values and compute nothing: reshaping, padding, cropping, repeating."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import ClassVar

import numpy as np

from netsheet.errors import UnsupportedError
from netsheet.expr import (
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
    index_names,
    indices_of,
    select,
)
from netsheet.layers.base import Graph, Layer, Shape, Signature, default_axes, named
from netsheet.layers.resample import INTERPOLATIONS, resampled
from netsheet.layers.window import LARGEST_MATRIX, arranged, check_table, placed, sizes, tensor_axes


def reshaped(x: Tensor, y: Tensor) -> Equation:
    """``y``, row by row, from ``x``, row by row.

    Over the common refinement of both shapes every position is a plain sum of indices; where
    there is none, ``x`` is read at quotients and remainders.
    """
    cuts = sorted(_suffix_products(x.shape) | _suffix_products(y.shape))
    steps = list(itertools.pairwise(cuts))
    if all(large % small == 0 for small, large in steps):
        pairs = [(small, large // small) for small, large in steps]
        parts = [(s, Index(_name(x, y, s, size), size)) for s, size in reversed(pairs)]
        return equation(y[_positions(y.shape, parts)], x[_positions(x.shape, parts)])
    at = indices_of(y)
    flat: Affine = affine(0)
    for index in at:
        flat = flat * index.size + index
    place: list[Affine] = []
    for size in reversed(x.shape):
        place.append(flat % size)
        flat = flat // size
    return equation(y[at], x[tuple(reversed(place))])


def _name(x: Tensor, y: Tensor, stride: int, size: int) -> str:
    """An index is called after the axis that it is, or after its stride."""
    for tensor in (x, y):
        for axis, name in enumerate(index_names(tensor.axes)):
            if tensor.shape[axis] == size and math.prod(tensor.shape[axis + 1 :]) == stride:
                return name
    return f"s{stride}"


def _suffix_products(shape: Sequence[int]) -> set[int]:
    return {math.prod(shape[axis:]) for axis in range(len(shape) + 1)}


def _positions(shape: Sequence[int], parts: Sequence[tuple[int, Index]]) -> tuple[Affine, ...]:
    """Each axis' position as the sum of the parts whose stride lies within it."""
    places = []
    for axis, size in enumerate(shape):
        stride = math.prod(shape[axis + 1 :])
        inside = [(s, i) for s, i in parts if stride <= s < stride * size]
        places.append(sum((i * (s // stride) for s, i in inside), affine(0)))
    return tuple(places)


def _reshape_onnx(graph: Graph, name: str, y: Tensor) -> str:
    shape = graph.constant(np.array([-1 if i == 0 else n for i, n in enumerate((-1, *y.shape))]))
    return str(graph.node("Reshape", [name, shape]))


@dataclass(eq=False, kw_only=True)
class Flatten(Layer):
    """All values in one row, in the order of the axes.

    With ``data_format="channels_first"`` Keras moves the channels to the end before.
    """

    data_format: str = "channels_last"

    passes_mask: ClassVar[bool] = False

    def _channels_last(self, x: Tensor) -> bool:
        return self.data_format != "channels_first" or len(x.shape) < 2

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        shape: Shape = inputs[0].shape
        known = [size for size in shape if size is not None]
        total = math.prod(known) if len(known) == len(shape) else None
        return [Signature(("channel",), (total,))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        if self._channels_last(x):
            return [reshaped(x, y)]
        first, *rest = indices_of(x)
        flat: Affine = affine(0)
        for index in (*rest, first):
            flat = flat * index.size + index
        return [equation(y[flat], x[(first, *rest)])]

    def order(self, x: Tensor) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Axes and shape of the input in the order in which it is flattened."""
        if self._channels_last(x):
            return x.axes, x.shape
        return (*x.axes[1:], x.axes[0]), (*x.shape[1:], x.shape[0])

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        name, rank = names[0], len(inputs[0].shape)
        if not self._channels_last(inputs[0]):
            name = graph.node("Transpose", [name], perm=[0, *range(2, rank + 1), 1])
        return [_reshape_onnx(graph, name, outputs[0])]


@dataclass(eq=False, kw_only=True)
class Reshape(Layer):
    """The same values, row by row, in another shape; one size may be -1."""

    target_shape: tuple[int, ...]

    passes_mask: ClassVar[bool] = False

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        shape: list[int | None] = list(self.target_shape)
        if -1 in self.target_shape:
            sizes_ = [n for n in inputs[0].shape if n is not None]
            rest = -math.prod(self.target_shape)
            known = len(sizes_) == len(inputs[0].shape) and rest > 0
            shape[shape.index(-1)] = math.prod(sizes_) // rest if known else None
        if None not in shape and None not in inputs[0].shape:
            before, after = inputs[0].size, math.prod(n or 0 for n in shape)
            if before != after:
                raise ValueError(
                    f"layer {self.name!r} cannot reshape {inputs[0].shape} ({before} values) "
                    f"into {tuple(shape)} ({after})"
                )
        return [Signature(default_axes(len(shape)), tuple(shape))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return [reshaped(inputs[0], outputs[0])]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        return [_reshape_onnx(graph, names[0], outputs[0])]


@dataclass(eq=False, kw_only=True)
class Permute(Layer):
    """The axes in another order; ``dims`` counts them from 1, as Keras does."""

    dims: tuple[int, ...]

    passes_mask: ClassVar[bool] = False

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x = inputs[0]
        if sorted(self.dims) != list(range(1, len(x.shape) + 1)):
            raise ValueError(f"layer {self.name!r} cannot permute {x.shape} by {self.dims}")
        order = [dim - 1 for dim in self.dims]
        return [Signature(default_axes(len(order)), tuple(x.shape[axis] for axis in order))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        at = indices_of(outputs[0])
        source = tuple(at[self.dims.index(axis + 1)] for axis in range(len(at)))
        return [equation(outputs[0][at], inputs[0][source])]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        return [graph.node("Transpose", names, perm=[0, *self.dims])]


@dataclass(eq=False, kw_only=True)
class RepeatVector(Layer):
    """The input ``n`` times, one time step each."""

    n: int

    passes_mask: ClassVar[bool] = False

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return [Signature(("time", *inputs[0].axes), (self.n, *inputs[0].shape))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        time, *rest = indices_of(outputs[0])
        return [equation(outputs[0][(time, *rest)], inputs[0][tuple(rest)])]


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
    """The middle ``size`` of each spatial axis."""

    size: tuple[int, ...]

    def length(self, axis: int, n: int) -> int:
        if self.size[axis] > n:
            raise ValueError(
                f"layer {self.name!r} crops {self.size[axis]} out of {n}: it cannot enlarge"
            )
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


Part = tuple[int | None, int | None, int | None] | int | None


@dataclass(eq=False, kw_only=True)
class Slice(Layer):
    """Parts of axes: ``(start, stop, step)`` for each, or one position, which drops the axis.

    None is a new axis of size 1; an ellipsis stands for all axes that no other part means.
    """

    parts: tuple[Part | EllipsisType, ...]

    def _parts(self, x: Tensor) -> list[Part]:
        """One part for each axis, and those that make new ones."""
        before = [part for part in self.parts if part is not Ellipsis]
        missing = len(x.shape) - sum(part is not None for part in before)
        if missing < 0:
            raise ValueError(f"layer {self.name!r} slices too many axes of {x.shape}")
        place = self.parts.index(...) if ... in self.parts else len(self.parts)
        whole: list[Part] = [(None, None, None)] * missing
        kept: list[Part] = [part for part in before if not isinstance(part, EllipsisType)]
        return [*kept[:place], *whole, *kept[place:]]

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x = inputs[0]
        sizes = iter(zip(x.axes, x.shape, strict=True))
        axes: list[str] = []
        shape: list[int | None] = []
        parts = self._parts(x)
        for part in parts:
            if part is None:
                axes.append(f"new{len(axes)}")
                shape.append(1)
                continue
            name, size = next(sizes)
            if isinstance(part, int):
                if size is not None and not -size <= part < size:
                    raise ValueError(f"layer {self.name!r} reads {part} of an axis of {size}")
                continue
            axes.append(name)
            shape.append(None if size is None else len(range(*slice(*part).indices(size))))
        named = default_axes(len(shape)) if None in parts else tuple(axes)
        return [Signature(named, tuple(shape))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, at = inputs[0], indices_of(outputs[0])
        remaining, sizes = iter(at), iter(x.shape)
        place: list[Position] = []
        for part in self._parts(x):
            if part is None:
                next(remaining)
                continue
            size = next(sizes)
            if isinstance(part, int):
                place.append(part % size)
            else:
                start, _, step = slice(*part).indices(size)
                place.append(next(remaining) * step + start)
        return [equation(outputs[0][at], x[tuple(place)])]


@dataclass(eq=False, kw_only=True)
class Identity(Layer):
    """The input itself: Dropout and its kin outside training."""

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return [Signature(inputs[0].axes, inputs[0].shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        at = indices_of(outputs[0])
        return [equation(outputs[0][at], inputs[0][at])]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        return [graph.node("Identity", names)]
