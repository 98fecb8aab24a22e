"""Pooling to a given size: windows of unequal length that cover the input.

Output o of n covers the positions floor(o * length / n) to ceil((o + 1) * length / n) - 1
(keras/src/layers/pooling/base_adaptive_pooling.py, after PyTorch).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netsheet.equations import (
    Affine,
    Equation,
    Guard,
    Index,
    Lookup,
    Tensor,
    affine,
    equation,
    reduce,
)
from netsheet.layer import Layer, Signature
from netsheet.layers.base import named
from netsheet.layers.pool import OUT_NAMES, TAP_NAMES
from netsheet.layers.window import arranged, check_table, placed, sizes, tensor_axes


@dataclass(eq=False, kw_only=True)
class AdaptiveAveragePooling(Layer):
    """The mean over each of ``output_size`` windows along every spatial axis."""

    reduction: ClassVar[str] = "mean"

    output_size: tuple[int, ...]
    data_format: str = "channels_last"

    passes_mask: ClassVar[bool] = False

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        rank = len(self.output_size)
        _, channels = sizes(inputs[0], rank, self.data_format, self.name)
        axes = tensor_axes(rank, self.data_format)
        return [Signature(axes, arranged(self.output_size, channels, self.data_format))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        rank = len(self.output_size)
        lengths, channels = sizes(inputs[0], rank, self.data_format, self.name)
        axes = tensor_axes(rank, self.data_format)
        outs, taps, places, guards = [], [], [], []
        for axis, (length, count) in enumerate(zip(lengths, self.output_size, strict=True)):
            check_table(count)
            first = [o * (length or 0) // count for o in range(count)]
            extent = [-(-(o + 1) * (length or 0) // count) - first[o] for o in range(count)]
            out = Index(OUT_NAMES[rank][axis], count)
            tap = Index(TAP_NAMES[rank][axis], max(extent))
            outs.append(out)
            taps.append(tap)
            places.append(_place(first, out) + tap)
            if min(extent) < max(extent):
                guards.append(Guard(tap - _place(extent, out), -max(extent), 0))
        c = Index("c", channels)
        body = named(inputs[0], axes)(placed(rank, places, c))
        result = reduce(self.reduction, taps, body, guards)
        return [equation(named(outputs[0], axes)(placed(rank, outs, c)), result)]


class AdaptiveMaxPooling(AdaptiveAveragePooling):
    """The largest value of each window."""

    reduction: ClassVar[str] = "max"


def _place(values: Sequence[int], out: Index) -> Affine:
    """``values[out]``; as a multiple of ``out`` where it is one."""
    step = values[1] - values[0] if len(values) > 1 else 0
    if all(value == values[0] + n * step for n, value in enumerate(values)):
        return out * step + values[0]
    return affine(Lookup(tuple(values), affine(out)))
