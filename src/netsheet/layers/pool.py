"""Pooling over windows and over whole feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netsheet.equations import Equation, Expr, Index, Tensor, equation, indices_of, reduce
from netsheet.layer import Graph, Layer, Signature
from netsheet.layers.base import activated, activated_onnx, named
from netsheet.layers.window import (
    Padding,
    Window,
    arranged,
    as_channels_first,
    as_stored,
    onnx_pads,
    placed,
    sizes,
    tensor_axes,
    windows,
)

OUT_NAMES = {1: ("t",), 2: ("y", "x"), 3: ("z", "y", "x")}
TAP_NAMES = {1: ("u",), 2: ("u", "v"), 3: ("w", "u", "v")}


@dataclass(eq=False, kw_only=True)
class _Pooling(Layer):
    rank: ClassVar[int] = 2
    reduction: ClassVar[str] = "max"

    pool_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Padding = "valid"
    data_format: str = "channels_last"
    activation: Layer | None = None  # that a file of TensorFlow Lite has joined with it

    passes_mask: ClassVar[bool] = False

    def _spans(self, x: Tensor) -> tuple[list[Window], int]:
        lengths, channels = sizes(x, self.rank, self.data_format, self.name)
        ones = (1,) * self.rank
        return windows(lengths, self.pool_size, self.strides, ones, self.padding), channels

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        spans, channels = self._spans(inputs[0])
        axes = tensor_axes(self.rank, self.data_format)
        return [Signature(axes, arranged([s.out for s in spans], channels, self.data_format))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return activated(self.activation, outputs[0], lambda y: [self._pooled(inputs[0], y)])

    def _pooled(self, x: Tensor, y: Tensor) -> Equation:
        spans, channels = self._spans(x)
        axes = tensor_axes(self.rank, self.data_format)
        outs = [Index(n, s.out or 0) for n, s in zip(OUT_NAMES[self.rank], spans, strict=True)]
        taps = [Index(n, s.size) for n, s in zip(TAP_NAMES[self.rank], spans, strict=True)]
        c = Index("c", channels)
        triples = list(zip(spans, outs, taps, strict=True))
        source = placed(self.rank, [span.at(o, u) for span, o, u in triples], c)
        guards = [span.guard(o, u) for span, o, u in triples]
        result = reduce(self.reduction, taps, named(x, axes)(source), guards)
        return equation(named(y, axes)(placed(self.rank, outs, c)), self.finished(result))

    def finished(self, pooled: Expr) -> Expr:
        """What becomes of the value of a window."""
        return pooled

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        spans, _ = self._spans(inputs[0])
        pooled = graph.node(
            "MaxPool" if self.reduction == "max" else "AveragePool",
            [as_channels_first(graph, names[0], self.rank, self.data_format)],
            kernel_shape=list(self.pool_size),
            strides=list(self.strides),
            pads=onnx_pads(spans),
        )
        pooled = as_stored(graph, pooled, self.rank, self.data_format)
        return [activated_onnx(graph, self.activation, pooled, outputs[0])]


class MaxPooling2D(_Pooling):
    """The largest value of each window; padding never counts."""


class MaxPooling1D(MaxPooling2D):
    """MaxPooling2D along one axis."""

    rank = 1


class MaxPooling3D(MaxPooling2D):
    """MaxPooling2D along three axes."""

    rank = 3


class AveragePooling2D(_Pooling):
    """The mean of each window over the elements inside the input (padding does not count)."""

    reduction = "mean"


class AveragePooling1D(AveragePooling2D):
    """AveragePooling2D along one axis."""

    rank = 1


class AveragePooling3D(AveragePooling2D):
    """AveragePooling2D along three axes."""

    rank = 3


@dataclass(eq=False, kw_only=True)
class SumPooling2D(_Pooling):
    """``factor`` times the sum of each window; padding adds nothing (NNabla's SumPooling)."""

    reduction: ClassVar[str] = "sum"
    factor: float = 1.0

    def finished(self, pooled: Expr) -> Expr:
        return pooled if self.factor == 1 else pooled * self.factor

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        return Layer.onnx(self, graph, names, inputs, outputs)


class SumPooling1D(SumPooling2D):
    """SumPooling2D along one axis."""

    rank = 1


class SumPooling3D(SumPooling2D):
    """SumPooling2D along three axes."""

    rank = 3


@dataclass(eq=False, kw_only=True)
class _GlobalPooling(Layer):
    rank: ClassVar[int] = 2
    reduction: ClassVar[str] = "max"

    data_format: str = "channels_last"
    keepdims: bool = False

    passes_mask: ClassVar[bool] = False

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        _, channels = sizes(inputs[0], self.rank, self.data_format, self.name)
        if self.keepdims:
            shape = arranged([1] * self.rank, channels, self.data_format)
            return [Signature(tensor_axes(self.rank, self.data_format), shape)]
        return [Signature(("channel",), (channels,))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        axes = tensor_axes(self.rank, self.data_format)
        at = indices_of(x)
        c = at[axes.index("channel")]
        over = [index for index in at if index is not c]
        target = named(y, axes)(placed(self.rank, [0] * self.rank, c)) if self.keepdims else y[c]
        if x.mask is not None and self.reduction == "mean" and self.rank == 1:
            t = over[0]
            count = y.step("steps", (), ())
            weighted = reduce("sum", over, x[at] * x.mask[t])
            counted = equation(count[()], reduce("sum", over, x.mask[t]))
            return [counted, equation(target, weighted / count[()])]
        return [equation(target, reduce(self.reduction, over, x[at]))]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        if inputs[0].mask is not None:
            return super().onnx(graph, names, inputs, outputs)
        first = 2 if self.data_format == "channels_first" else 1
        op = "ReduceMax" if self.reduction == "max" else "ReduceMean"
        axes = list(range(first, first + self.rank))
        return [graph.node(op, names, axes=axes, keepdims=int(self.keepdims))]


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each channel."""


class GlobalMaxPooling1D(GlobalMaxPooling2D):
    """The largest value of each channel over time."""

    rank = 1


class GlobalMaxPooling3D(GlobalMaxPooling2D):
    """The largest value of each channel of a volume."""

    rank = 3


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel."""

    reduction = "mean"


class GlobalAveragePooling1D(GlobalAveragePooling2D):
    """The mean of each channel over the time steps that a mask, if there is one, keeps."""

    rank = 1


class GlobalAveragePooling3D(GlobalAveragePooling2D):
    """The mean of each channel of a volume."""

    rank = 3
