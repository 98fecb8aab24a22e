"""Transposed convolutions along 1, 2 or 3 axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.equations import (
    Equation,
    Guard,
    Index,
    Position,
    Tensor,
    equation,
    reduce,
    value,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph, Signature
from netsheet.layers.base import activated, activated_onnx, named
from netsheet.layers.conv import OUT_NAMES, TAP_NAMES, Convolution, kernel_at, plus
from netsheet.layers.window import (
    KERNEL,
    as_channels_first,
    as_stored,
    placed,
    sizes,
    tensor_axes,
)

MAX_PHASES = 4096


@dataclass(frozen=True)
class _Phase:
    """Outputs ``stride * p + offset`` of one axis, which share their kernel taps."""

    p: Index
    out: Position
    tap: Index | None
    kernel: Position
    source: Position
    guard: Guard | None


@dataclass(eq=False, kw_only=True)
class Conv2DTranspose(Convolution):
    """The gradient of a convolution: input ``q`` and tap ``k`` add to output ``q s + k d - p``.

    Solved for the output, one equation for each remainder of the output position modulo the
    stride. Output lengths as in Keras (keras/src/backend/common/backend_utils.py).
    """

    filters: int
    output_padding: tuple[int, ...] | None = None

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes = {"kernel": (*KERNEL[self.rank], "out", "in")}
        return axes | self._more_axes()

    def _lengths(self, x: Tensor) -> list[tuple[int | None, int, int]]:
        """Output length, padding before and after, for each axis."""
        lengths, _ = sizes(x, self.rank, self.data_format, self.name)
        result: list[tuple[int | None, int, int]] = []
        for axis, n in enumerate(lengths):
            stride, extra = self.strides[axis], (self.output_padding or (0,) * self.rank)[axis]
            extent = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1
            if n is None:
                result.append((None, 0, 0))
                continue
            full = (n - 1) * stride + extent
            if isinstance(self.padding, tuple):
                before, after = self.padding[axis]
                out = full - before - after + extra
            elif self.output_padding is None:
                out = n * stride + (max(extent - stride, 0) if self.padding == "valid" else 0)
                before = max(full - out, 0) // 2 if self.padding == "same" else 0
            else:
                out = full + extra - (2 * (extent // 2) if self.padding == "same" else 0)
                before = max(full - out, 0) // 2 if self.padding == "same" else 0
            result.append((out, before, full - out - before))
        return result

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return self._signature([out for out, _, _ in self._lengths(inputs[0])], self.filters)

    def _phases(self, axis: int, n: int, out: int, before: int) -> list[_Phase]:
        stride, dilation = self.strides[axis], self.dilation_rate[axis]
        step = stride // math.gcd(stride, dilation)
        phases = []
        for remainder in range(min(stride, out)):
            first = (remainder - before) % stride
            if first >= out:
                continue
            p = Index(OUT_NAMES[self.rank][axis], (out - 1 - first) // stride + 1)
            taps = [k for k in range(self.kernel_size[axis]) if k * dilation % stride == remainder]
            place = p * stride + first
            if not taps:
                phases.append(_Phase(p, place, None, 0, 0, None))
                continue
            tap = Index(TAP_NAMES[self.rank][axis], len(taps))
            kernel = tap * step + taps[0]
            # q = (out + before - k d) / s, exact for the taps of this phase
            source = p + (first + before - taps[0] * dilation) // stride
            source = source - tap * (step * dilation // stride)
            phases.append(_Phase(p, place, tap, kernel, source, Guard(source, 0, n)))
        return phases

    def _check_phases(self) -> None:
        """Phases and taps are written out one by one: their number has to be a sound one."""
        kernel = self.weights["kernel"]
        stored = tuple(kernel.shape[kernel.axes.index(axis)] for axis in KERNEL[self.rank])
        if stored != tuple(self.kernel_size):
            raise ValueError(f"the kernel's size is {stored}, not {tuple(self.kernel_size)}")
        if math.prod(self.strides) > MAX_PHASES:
            raise UnsupportedError(f"strides of {tuple(self.strides)} are not supported")

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        self._check_phases()
        x = inputs[0]
        lengths, channels = sizes(x, self.rank, self.data_format, self.name)
        axes = [
            self._phases(axis, n or 0, out or 0, before)
            for axis, (n, (out, before, _)) in enumerate(
                zip(lengths, self._lengths(x), strict=True)
            )
        ]
        return activated(
            self.active(),
            outputs[0],
            lambda y: [self._equation(x, y, channels, p) for p in itertools.product(*axes)],
        )

    def _equation(self, x: Tensor, y: Tensor, channels: int, phases: Sequence[_Phase]) -> Equation:
        axes = tensor_axes(self.rank, self.data_format)
        c, i = Index("c", self.filters), Index("i", channels)
        taps = [phase.tap for phase in phases if phase.tap is not None]
        target = named(y, axes)(placed(self.rank, [phase.out for phase in phases], c))
        if len(taps) < self.rank:  # the kernel does not reach these outputs
            return equation(target, value(self._bias(c)))
        kernel = kernel_at(
            self.weights["kernel"],
            self.rank,
            [phase.kernel for phase in phases],
            **{"in": i, "out": c},
        )
        term = named(x, axes)(placed(self.rank, [p.source for p in phases], i)) * kernel
        guards = [phase.guard for phase in phases if phase.guard is not None]
        return equation(target, plus(reduce("sum", (*taps, i), term, guards), self._bias(c)))

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        lengths = self._lengths(inputs[0])
        kernel = graph.weight(self.weights["kernel"], ("in", "out", *KERNEL[self.rank]))
        bias = [graph.weight(self.weights["bias"])] if self.use_bias else []
        y = graph.node(
            "ConvTranspose",
            [as_channels_first(graph, names[0], self.rank, self.data_format), kernel, *bias],
            kernel_shape=list(self.kernel_size),
            strides=list(self.strides),
            dilations=list(self.dilation_rate),
            pads=[before for _, before, _ in lengths] + [max(a, 0) for _, _, a in lengths],
            output_padding=[max(-after, 0) for _, _, after in lengths],
        )
        y = as_stored(graph, y, self.rank, self.data_format)
        return [activated_onnx(graph, self.active(), y, outputs[0])]


class Conv1DTranspose(Conv2DTranspose):
    """Conv2DTranspose along one axis."""

    rank = 1


class Conv3DTranspose(Conv2DTranspose):
    """Conv2DTranspose along three axes."""

    rank = 3
