"""Layers that change their input at random in training only, and else are the input itself.

Source of the formulas: keras/src/layers/regularization, the same in Keras 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.equations import (
    Draw,
    Equation,
    Expr,
    FloatArray,
    Noise,
    Position,
    Tensor,
    equation,
    indices_of,
)
from netsheet.errors import UnsupportedError
from netsheet.layers.shape import Identity


def kept(rate: float) -> Draw:
    """1 / (1 - rate) for what is kept, 0 for the share ``rate`` that is dropped."""
    factor = np.float32(0 if rate >= 1 else 1 / (1 - rate))
    return lambda numbers, shape: np.where(numbers.random(shape) >= rate, factor, np.float32(0))


def normal(mean: float, deviation: float) -> Draw:
    """Normally distributed numbers."""

    def draw(numbers: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        return numbers.normal(mean, deviation, shape).astype(np.float32)

    return draw


@dataclass(eq=False, kw_only=True)
class Dropout(Identity):
    """Drops values and makes up for them: ``x * kept``.

    ``noise_shape`` with the batch axis in front: where it has a 1, the same is dropped all along
    that axis.
    """

    rate: float = 0.5
    noise_shape: tuple[int | None, ...] | None = None

    def __post_init__(self) -> None:
        self.random = self.rate > 0

    def equations_in_training(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise
    ) -> list[Equation]:
        if not self.otherwise_in_training:
            return self.equations(inputs, outputs)
        x, y = inputs[0], outputs[0]
        shape, shared = self._noise_shape(x)
        mask = noise.draw(y.step("kept", x.axes, shape), self._draw(), shared)
        at = indices_of(y)
        place: tuple[Position, ...] = tuple(
            0 if size == 1 else index for size, index in zip(shape, at, strict=True)
        )
        return [equation(y[at], self._changed(x[at], mask[place]))]

    def _draw(self) -> Draw:
        return kept(self.rate)

    def _changed(self, x: Expr, drawn: Expr) -> Expr:
        return x * drawn

    def _noise_shape(self, x: Tensor) -> tuple[tuple[int, ...], bool]:
        """The shape of what is drawn for a sample, and whether all samples share it."""
        if self.noise_shape is None:
            return x.shape, False
        first, *sizes = self.noise_shape
        wanted = tuple(
            own if size is None else size for size, own in zip(sizes, x.shape, strict=False)
        )
        if len(sizes) != len(x.shape) or any(
            size not in (1, own) for size, own in zip(wanted, x.shape, strict=True)
        ):
            raise ValueError(f"its noise_shape {self.noise_shape} does not fit {x.shape}")
        if first not in (None, 1):
            raise UnsupportedError(
                f"layer {self.name!r}: its noise_shape is for batches of {first}: "
                f"--still {self.name} lets it act as in prediction"
            )
        return wanted, first == 1


@dataclass(eq=False, kw_only=True)
class SpatialDropout(Dropout):
    """Drops whole feature maps."""

    channels_last: bool = True

    @property
    def channels_first(self) -> bool:
        return not self.channels_last

    def _noise_shape(self, x: Tensor) -> tuple[tuple[int, ...], bool]:
        channel = len(x.shape) - 1 if self.channels_last else 0
        return tuple(size if axis == channel else 1 for axis, size in enumerate(x.shape)), False


@dataclass(eq=False, kw_only=True)
class GaussianDropout(Dropout):
    """Multiplies by normally distributed numbers around 1."""

    def _draw(self) -> Draw:
        return normal(1.0, float(np.sqrt(self.rate / (1 - self.rate))))


@dataclass(eq=False, kw_only=True)
class GaussianNoise(Dropout):
    """Adds normally distributed numbers; ``rate`` is their standard deviation."""

    def _draw(self) -> Draw:
        return normal(0.0, self.rate)

    def _changed(self, x: Expr, drawn: Expr) -> Expr:
        return x + drawn


_LOWEST = -1.6732632423543772 * 1.0507009873554805  # of selu


@dataclass(eq=False, kw_only=True)
class AlphaDropout(Dropout):
    """Sets values to the lowest one of selu; mean and variance stay.

    Source: Klambauer et al., 2017.
    """

    def _draw(self) -> Draw:
        rate = self.rate
        return lambda numbers, shape: (numbers.random(shape) >= rate).astype(np.float32)

    def _changed(self, x: Expr, drawn: Expr) -> Expr:
        factor = float(((1 - self.rate) * (1 + self.rate * _LOWEST**2)) ** -0.5)
        shift = -factor * _LOWEST * self.rate
        return factor * (x * drawn + _LOWEST * (1 - drawn)) + shift
