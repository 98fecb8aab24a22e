"""Layers that move values and compute nothing: reshaping, permuting, repeating, slicing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import ClassVar

import numpy as np

from netsheet.equations import (
    Affine,
    Equation,
    Index,
    Position,
    Tensor,
    affine,
    equation,
    index_names,
    indices_of,
)
from netsheet.layer import Graph, Layer, Shape, Signature, default_axes


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

    def unrolled(self, x: Tensor) -> Signature:
        if self._channels_last(x):
            return Signature(x.axes, x.shape)
        return Signature((*x.axes[1:], x.axes[0]), (*x.shape[1:], x.shape[0]))

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
        if len(inputs[0].shape) != 1:
            raise ValueError(f"it repeats vectors, and its input has the shape {inputs[0].shape}")
        return [Signature(("time", *inputs[0].axes), (self.n, *inputs[0].shape))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        time, *rest = indices_of(outputs[0])
        return [equation(outputs[0][(time, *rest)], inputs[0][tuple(rest)])]


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
@dataclass(eq=False, kw_only=True)
class Identity(Layer):
    """The input itself; ``rank`` axes where that is given."""

    rank: int | None = None

    same_since: ClassVar[int] = 3  # before, a copy

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        if self.rank is not None and len(inputs[0].shape) != self.rank:
            raise ValueError(f"it takes {self.rank} axes, and its input has {inputs[0].shape}")
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
