"""A batch as an axis of the equations themselves, and what a training draws and measures in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from netsheet.equations.assignments import Equation
from netsheet.equations.positions import Index
from netsheet.equations.transform import lift
from netsheet.equations.values import FloatArray, Tensor, Weight

# Numbers of a shape, from a source of random ones.
Draw = Callable[[np.random.Generator, tuple[int, ...]], FloatArray]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A tensor whose numbers are drawn anew at every step of a training.

    ``shared``: all samples of a batch get the same ones; else each has its own.
    """

    tensor: Tensor
    draw: Draw
    shared: bool = False


@dataclass
class Noise:
    """What the layers of one sample ask to be drawn."""

    drawn: list[Drawn] = field(default_factory=list)

    def draw(self, tensor: Tensor, draw: Draw, shared: bool = False) -> Tensor:
        """The tensor, to be read in equations."""
        self.drawn.append(Drawn(tensor, draw, shared))
        return tensor


@dataclass(frozen=True, eq=False)
class Moving:
    """A weight that follows what batches measure: ``momentum * w + (1 - momentum) * value``."""

    weight: Weight
    value: Tensor
    momentum: float


class Batch:
    """Tensors of one sample, each with the tensor that has the samples as its first axis.

    ``present`` is 1 for the samples that are there, 0 for those that only fill a batch up.
    """

    AXIS = "batch"

    def __init__(self, size: int, present: Tensor) -> None:
        self.index = Index("n", size)
        self.present = present
        self.noise: list[Drawn] = []  # with their axis for the samples
        self.moving: list[Moving] = []
        self._over: dict[Tensor, Tensor] = {}

    @property
    def size(self) -> int:
        """How many samples a batch has."""
        return self.index.size

    def over(self, tensor: Tensor) -> Tensor:
        """The tensor over the samples of the batch."""
        if tensor not in self._over:
            self._over[tensor] = replace(
                tensor, axes=(self.AXIS, *tensor.axes), shape=(self.size, *tensor.shape), mask=None
            )
        return self._over[tensor]

    def lift(self, equations: Iterable[Equation], noise: Noise | None = None) -> list[Equation]:
        """The equations of one sample, for all samples; ``noise`` is what they ask to be drawn."""
        for drawn in noise.drawn if noise else ():
            own = drawn.tensor if drawn.shared else self.over(drawn.tensor)
            self.noise.append(replace(drawn, tensor=own))
        equations = list(equations)
        for eq in equations:
            self.over(eq.target)
        return lift(equations, Index("n", self.size), self._over, self.AXIS)
