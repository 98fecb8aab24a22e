"""Convolutions with a kernel of its own at every position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netsheet.equations import Affine, Equation, Index, Position, Tensor, affine, equation, reduce
from netsheet.layer import Layer, Signature
from netsheet.layers.base import activated, named
from netsheet.layers.pool import OUT_NAMES, TAP_NAMES
from netsheet.layers.window import (
    SPATIAL,
    Window,
    arranged,
    placed,
    sizes,
    tensor_axes,
    windows,
)


@dataclass(eq=False, kw_only=True)
class LocallyConnected(Layer):
    """``y[o, c] = sum(u, i) x[o * s + u, i] * kernel[o, (u, i), c] + bias[o, c]``.

    Keras 2 only, as stored by ``implementation=1``: positions in one axis, row by row, and the
    values of a window in one axis, in the order in which the input has them.
    """

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    data_format: str = "channels_last"
    use_bias: bool = True
    activation: Layer | None = None

    passes_mask: ClassVar[bool] = False

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes: dict[str, tuple[str, ...]] = {"kernel": ("position", "in", "out")}
        if self.use_bias:
            axes["bias"] = (*SPATIAL[len(self.kernel_size)], "out")
        return axes | self.activation_axes()

    def _spans(self, x: Tensor) -> tuple[list[Window], int]:
        rank = len(self.kernel_size)
        lengths, channels = sizes(x, rank, self.data_format, self.name)
        return windows(lengths, self.kernel_size, self.strides, (1,) * rank, "valid"), channels

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        spans, _ = self._spans(inputs[0])
        axes = tensor_axes(len(spans), self.data_format)
        return [Signature(axes, arranged([s.out for s in spans], self.filters, self.data_format))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return activated(self.active(), outputs[0], lambda y: [self._equation(inputs[0], y)])

    def _equation(self, x: Tensor, y: Tensor) -> Equation:
        spans, channels = self._spans(x)
        rank = len(spans)
        outs = [Index(n, s.out or 0) for n, s in zip(OUT_NAMES[rank], spans, strict=True)]
        taps = [Index(n, s.size) for n, s in zip(TAP_NAMES[rank], spans, strict=True)]
        i, c = Index("i", channels), Index("c", self.filters)
        axes = tensor_axes(rank, self.data_format)
        window = (i, *taps) if self.data_format == "channels_first" else (*taps, i)
        weight = self.weights["kernel"][_flat(outs), _flat(window), c]
        places: list[Position] = [s.at(o, u) for s, o, u in zip(spans, outs, taps, strict=True)]
        total = reduce("sum", (*taps, i), named(x, axes)(placed(rank, places, i)) * weight)
        if self.use_bias:
            total = total + self.weights["bias"][(*outs, c)]
        return equation(named(y, axes)(placed(rank, outs, c)), total)


def _flat(indices: Sequence[Index]) -> Affine:
    """Several axes as one, the last one running fastest."""
    result = affine(0)
    for index in indices:
        result = result * index.size + index
    return result
