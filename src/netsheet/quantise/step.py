"""What the rules work on: an equation with its limits, and the stored numbers that they make."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from netsheet.equations import (
    FLOAT,
    LIMITS,
    Equation,
    Expr,
    Quantisation,
    Read,
    Tensor,
    Weight,
    equation,
)
from netsheet.quantise.multipliers import bound, kept


@dataclass(frozen=True, eq=False)
class MeantEquation:
    """An equation over what whole numbers mean, its result held between two real numbers."""

    equation: Equation
    low: float = -math.inf
    high: float = math.inf

    @property
    def target(self) -> Tensor:
        """What it fills."""
        return self.equation.target

    @property
    def read(self) -> Read:
        """Its left side."""
        return Read(self.target, self.equation.at)

    @property
    def limited(self) -> bool:
        """True if the result is held."""
        return not (math.isinf(self.low) and math.isinf(self.high))

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest whole number of the result."""
        return bound(self.low, self.target), bound(self.high, self.target)

    def finished(self, x: Expr) -> Equation:
        """The equation of the result from what is to be held: the zero point is added first."""
        zero = quantisation_of(self.target).zero_point
        low, high = self.range
        return equation(self.read, kept(offset(x, zero), low, high))


@dataclass(eq=False)
class StoredNumbers:
    """The numbers that a layer's whole-number equations read besides its weights."""

    name: str
    weights: dict[str, Weight] = field(default_factory=dict)
    _steps: dict[tuple[Tensor, str], Tensor] = field(default_factory=dict)

    def step(self, target: Tensor, word: str) -> Tensor:
        """The tensor ``<target>/<word>`` of 32 bits, the same for all parts of a target."""
        key = target, word
        if key not in self._steps:
            name = f"{target.name}/{word}"
            self._steps[key] = replace(
                target, name=name, mask=None, dtype="int32", quantisation=None
            )
        return self._steps[key]

    def add(
        self, label: str, values: npt.ArrayLike, axes: Sequence[str] = (), dtype: str = "int32"
    ) -> Weight:
        """A tensor ``<layer>/<label>``; numbered where there is one with other values."""
        array = np.asarray(values, dtype)
        chosen, number = label, 1
        while chosen in self.weights:
            known = self.weights[chosen]
            if known.axes == tuple(axes) and np.array_equal(known.values, array):
                return known
            number += 1
            chosen = f"{label}_{number}"
        weight = Weight(
            f"{self.name}/{chosen}", tuple(axes), array.shape, dtype=dtype, label=chosen,
            values=array,
        )  # fmt: skip
        self.weights[chosen] = weight
        return weight


# Takes the first few steps and returns how many with their equations; None where it takes none.
Found = tuple[int, list[Equation]]
Rule = Callable[[Sequence[MeantEquation], StoredNumbers], Found | None]


def quantisation_of(tensor: Tensor) -> Quantisation:
    """What a tensor's whole numbers stand for; AssertionError where it has real ones."""
    assert tensor.quantisation is not None
    return tensor.quantisation


def is_quantised(tensor: Tensor) -> bool:
    """True for a tensor of narrow whole numbers that stand for real ones."""
    return tensor.quantisation is not None and tensor.dtype in ("int8", "uint8", "int16")


def is_real(tensor: Tensor) -> bool:
    """True for a tensor of real numbers."""
    return tensor.dtype == FLOAT


def centred(read: Read) -> Expr:
    """A quantised value counted from its zero point."""
    zero = quantisation_of(read.tensor).zero_point
    return offset(read, -zero)


def offset(x: Expr, number: int) -> Expr:
    """``x + number``, written as a difference where the number is negative."""
    return x + number if number > 0 else x - -number if number < 0 else x


def limits_of(tensor: Tensor) -> tuple[int, int]:
    """The smallest and the largest number that a tensor of whole numbers can hold."""
    return LIMITS[tensor.dtype]
