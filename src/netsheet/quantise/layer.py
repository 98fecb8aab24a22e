"""A layer over quantised tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from netsheet.equations import FLOAT, Equation, Quantisation, Tensor, Weight
from netsheet.equations.entry import scale_text
from netsheet.layer import Layer, Signature
from netsheet.quantise.rewriting import quantised
from netsheet.quantise.step import StoredNumbers

NumberKind = tuple[str, Quantisation | None]  # dtype, and what its numbers stand for


@dataclass(eq=False, kw_only=True)
class QuantisedLayer(Layer):
    """What another layer computes, in whole numbers.

    ``kinds`` says of each output what its numbers are. ``weights`` are the inner layer's, as
    whole numbers, and once equations are written those that they read besides: multipliers,
    shifts, tables.
    """

    inner: Layer
    kinds: Sequence[NumberKind]
    _known: tuple[tuple[Tensor, ...], list[Equation]] | None = field(default=None, repr=False)

    def output_kind(self, number: int) -> NumberKind:
        return self.kinds[number]

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return self.inner.infer(inputs)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        key = (*inputs, *outputs)
        if self._known is None or self._known[0] != key:
            numbers = StoredNumbers(self.name)
            found = quantised(self.inner.equations(inputs, outputs), numbers)
            self.weights = {**self.inner.weights, **numbers.weights}
            self._known = key, found
        return self._known[1]

    def meaning(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return self.inner.meaning(inputs, outputs)

    def in_reals(self) -> tuple[Layer, dict[Weight, Weight]] | None:
        weights = {label: _real(weight) for label, weight in self.inner.weights.items()}
        pairs = zip(weights.values(), self.inner.weights.values(), strict=True)
        return replace(self.inner, weights=weights), dict(pairs)

    @property
    def params(self) -> int:
        return self.inner.params

    @property
    def details(self) -> dict[str, Any]:
        numbers = scale_text(*self.kinds[0]) if self.kinds else ""
        return {**self.inner.details, **({"numbers": numbers} if numbers else {})}

    @property
    def function_name(self) -> str:
        return self.inner.function_name

    @property
    def type(self) -> str:
        return self.type_name or self.inner.type

    @property
    def channels_first(self) -> bool:
        return self.inner.channels_first


def _real(weight: Weight) -> Weight:
    """The weight as the real numbers that it stands for."""
    known = weight.quantisation
    if known is None:
        return weight
    values = known.real(weight.values, weight.axes).astype(np.float32)
    return replace(weight, dtype=FLOAT, quantisation=None, values=values)
