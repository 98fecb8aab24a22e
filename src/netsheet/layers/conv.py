"""Convolutions: plain, grouped, dilated, causal, depthwise, separable; along 1, 2 or 3 axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netsheet.equations import (
    Equation,
    Expr,
    Guard,
    Index,
    Position,
    Tensor,
    Value,
    Weight,
    equation,
    reduce,
)
from netsheet.layer import Graph, Layer, Signature
from netsheet.layers.base import activated, activated_onnx, named
from netsheet.layers.window import (
    KERNEL,
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
class Convolution(Layer):
    """What all convolutions have: a kernel's size, strides and dilation, padding, a bias."""

    rank: ClassVar[int] = 2
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    padding: Padding = "valid"
    data_format: str = "channels_last"
    use_bias: bool = True
    activation: Layer | None = None

    passes_mask: ClassVar[bool] = False

    def _spans(self, x: Tensor) -> tuple[list[Window], int]:
        lengths, channels = sizes(x, self.rank, self.data_format, self.name)
        spans = windows(lengths, self.kernel_size, self.strides, self.dilation_rate, self.padding)
        return spans, channels

    def _signature(self, spatial: Sequence[int | None], channels: int) -> list[Signature]:
        axes = tensor_axes(self.rank, self.data_format)
        return [Signature(axes, arranged(spatial, channels, self.data_format))]

    def _indices(self, spans: Sequence[Window]) -> tuple[tuple[Index, ...], tuple[Index, ...]]:
        outs = [Index(n, s.out or 0) for n, s in zip(OUT_NAMES[self.rank], spans, strict=True)]
        taps = [Index(n, s.size) for n, s in zip(TAP_NAMES[self.rank], spans, strict=True)]
        return tuple(outs), tuple(taps)

    def _more_axes(self) -> dict[str, tuple[str, ...]]:
        """What a convolution has beside its kernels."""
        bias: dict[str, tuple[str, ...]] = {"bias": ("out",)} if self.use_bias else {}
        return bias | self.activation_axes()

    def _bias(self, out: Position) -> Value:
        return self.weights["bias"][out] if self.use_bias else 0

    def _reads(
        self, spans: Sequence[Window], outs: Sequence[Index], taps: Sequence[Index]
    ) -> tuple[list[Position], list[Guard]]:
        triples = list(zip(spans, outs, taps, strict=True))
        return [s.at(o, u) for s, o, u in triples], [s.guard(o, u) for s, o, u in triples]


def plus(total: Expr, bias: Value) -> Expr:
    """The sum with its bias, where there is one."""
    return total if isinstance(bias, int) else total + bias


def kernel_at(weight: Weight, rank: int, taps: Sequence[Position], **channels: Position) -> Expr:
    """A value of a kernel: at these taps, and at channels by the names of their axes."""
    return named(weight, weight.axes)(dict(zip(KERNEL[rank], taps, strict=True)) | channels)


@dataclass(eq=False, kw_only=True)
class Conv2D(Convolution):
    """``y[o, c] = sum(u, i) x[o * s + u * d - p, i] * kernel[u, i, c] + bias[c]``."""

    filters: int
    groups: int = 1

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes = {"kernel": (*KERNEL[self.rank], "in", "out")}
        return axes | self._more_axes()

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        spans, _ = self._spans(inputs[0])
        return self._signature([span.out for span in spans], self.filters)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return activated(self.active(), outputs[0], lambda y: [self._equation(inputs[0], y)])

    def _equation(self, x: Tensor, y: Tensor) -> Equation:
        spans, channels = self._spans(x)
        outs, taps = self._indices(spans)
        i = Index("i", channels // self.groups)
        c: Position
        source: Position
        if self.groups == 1:
            c, source = Index("c", self.filters), i
        else:
            group, within = Index("g", self.groups), Index("c", self.filters // self.groups)
            c, source = group * within.size + within, group * i.size + i
        axes = tensor_axes(self.rank, self.data_format)
        places, guards = self._reads(spans, outs, taps)
        term = named(x, axes)(placed(self.rank, places, source)) * kernel_at(
            self.weights["kernel"], self.rank, taps, **{"in": i, "out": c}
        )
        total = reduce("sum", (*taps, i), term, guards)
        return equation(named(y, axes)(placed(self.rank, outs, c)), plus(total, self._bias(c)))

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        spans, _ = self._spans(inputs[0])
        kernel = graph.weight(self.weights["kernel"], ("out", "in", *KERNEL[self.rank]))
        bias = [graph.weight(self.weights["bias"])] if self.use_bias else []
        x = as_channels_first(graph, names[0], self.rank, self.data_format)
        y = graph.node(
            "Conv",
            [x, kernel, *bias],
            kernel_shape=list(self.kernel_size),
            strides=list(self.strides),
            dilations=list(self.dilation_rate),
            pads=onnx_pads(spans),
            group=self.groups,
        )
        y = as_stored(graph, y, self.rank, self.data_format)
        return [activated_onnx(graph, self.active(), y, outputs[0])]


class Conv1D(Conv2D):
    """Conv2D along one axis; ``causal`` padding reads only the past."""

    rank = 1


class Conv3D(Conv2D):
    """Conv2D along three axes."""

    rank = 3


@dataclass(eq=False, kw_only=True)
class DepthwiseConv2D(Convolution):
    """Each channel for itself; output channel ``i * depth_multiplier + m``."""

    depth_multiplier: int = 1
    kernel_label: ClassVar[str] = "depthwise_kernel"

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes = {self.kernel_label: (*KERNEL[self.rank], "in", "multiplier")}
        return axes | self._more_axes()

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        spans, channels = self._spans(inputs[0])
        return self._signature([span.out for span in spans], channels * self.depth_multiplier)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return activated(
            self.active(), outputs[0], lambda y: [self._depthwise(inputs[0], y, self._bias)]
        )

    def _depthwise(self, x: Tensor, y: Tensor, bias: object) -> Equation:
        spans, channels = self._spans(x)
        outs, taps = self._indices(spans)
        i, m = Index("i", channels), Index("m", self.depth_multiplier)
        c = i * m.size + m if m.size > 1 else i + 0
        axes = tensor_axes(self.rank, self.data_format)
        places, guards = self._reads(spans, outs, taps)
        kernel = kernel_at(
            self.weights[self.kernel_label],
            self.rank,
            taps,
            **{"in": i, "multiplier": m if m.size > 1 else 0},
        )
        term = named(x, axes)(placed(self.rank, places, i)) * kernel
        total = reduce("sum", taps, term, guards)
        result = plus(total, bias(c)) if callable(bias) else total
        return equation(named(y, axes)(placed(self.rank, outs, c)), result)

    def _depthwise_onnx(self, graph: Graph, x: str, spans: Sequence[Window]) -> str:
        """Depthwise step on channels-first data; without bias."""
        weight = self.weights[self.kernel_label]
        order = ("in", "multiplier", *KERNEL[self.rank])
        flat = weight.to(order)
        groups = flat.shape[0]
        if flat.shape[1] == 1:
            kernel = graph.weight(weight, order)
        else:
            kernel = graph.constant(flat.reshape(-1, 1, *flat.shape[2:]))
        return str(
            graph.node(
                "Conv",
                [x, kernel],
                kernel_shape=list(self.kernel_size),
                strides=list(self.strides),
                dilations=list(self.dilation_rate),
                pads=onnx_pads(spans),
                group=groups,
            )
        )

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        spans, _ = self._spans(inputs[0])
        x = as_channels_first(graph, names[0], self.rank, self.data_format)
        y = as_stored(graph, self._depthwise_onnx(graph, x, spans), self.rank, self.data_format)
        if self.use_bias:
            y = graph.node("Add", [y, _channel_weight(graph, self, "bias")])
        return [activated_onnx(graph, self.active(), y, outputs[0])]


class DepthwiseConv1D(DepthwiseConv2D):
    """DepthwiseConv2D along one axis."""

    rank = 1


def _channel_weight(graph: Graph, layer: Convolution, label: str) -> str:
    """A per-channel weight that broadcasts over a feature map in the layer's data format."""
    bias = layer.weights[label].values
    if layer.data_format == "channels_first":
        bias = bias.reshape(-1, *[1] * layer.rank)
    return graph.constant(bias)


@dataclass(eq=False, kw_only=True)
class SeparableConv2D(DepthwiseConv2D):
    """A depthwise step (visible as ``<name>/depthwise``), then a 1 x 1 convolution."""

    filters: int

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        depthwise = {"depthwise_kernel": (*KERNEL[self.rank], "in", "multiplier")}
        pointwise = {"pointwise_kernel": (*KERNEL[self.rank], "in", "out")}
        return depthwise | pointwise | self._more_axes()

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        spans, _ = self._spans(inputs[0])
        return self._signature([span.out for span in spans], self.filters)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x = inputs[0]
        spans, channels = self._spans(x)
        outs, _ = self._indices(spans)
        axes = tensor_axes(self.rank, self.data_format)
        middle = channels * self.depth_multiplier
        shape = arranged([span.out for span in spans], middle, self.data_format)
        depth = outputs[0].step("depthwise", axes, tuple(n or 0 for n in shape))
        i, c = Index("i", middle), Index("c", self.filters)
        pointwise = kernel_at(
            self.weights["pointwise_kernel"], self.rank, [0] * self.rank, **{"in": i, "out": c}
        )
        total = reduce("sum", (i,), named(depth, axes)(placed(self.rank, outs, i)) * pointwise)
        result = plus(total, self._bias(c))
        return [
            self._depthwise(x, depth, None),
            *activated(
                self.active(),
                outputs[0],
                lambda y: [equation(named(y, axes)(placed(self.rank, outs, c)), result)],
            ),
        ]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        spans, _ = self._spans(inputs[0])
        x = as_channels_first(graph, names[0], self.rank, self.data_format)
        axes = ("out", "in", *KERNEL[self.rank])
        kernel = graph.weight(self.weights["pointwise_kernel"], axes)
        bias = [graph.weight(self.weights["bias"])] if self.use_bias else []
        y = graph.node("Conv", [self._depthwise_onnx(graph, x, spans), kernel, *bias])
        y = as_stored(graph, y, self.rank, self.data_format)
        return [activated_onnx(graph, self.active(), y, outputs[0])]


class SeparableConv1D(SeparableConv2D):
    """SeparableConv2D along one axis."""

    rank = 1


CONVOLUTIONS: dict[int, type[Conv2D]] = {1: Conv1D, 2: Conv2D, 3: Conv3D}  # by axes of space
