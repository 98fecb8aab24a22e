"""What flows into a network: one sample, its values before scaling, and what was done to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Scaling:
    """``value = ((255 - raw if invert else raw) * scale - mean) / std``, per channel.

    ``mean`` and ``std`` hold one number, or one for each channel.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    invert: bool = False


@dataclass(frozen=True, eq=False)
class InputValue:
    """The values of one input tensor, float32, in the tensor's shape (no batch axis).

    ``raw`` are the integers that they were made from by ``scaling``, where there were any.
    """

    values: npt.NDArray[np.float32]
    raw: Array | None = None
    scaling: Scaling | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """One value for each input tensor, by its name, in the order of the model's inputs."""

    name: str
    inputs: dict[str, InputValue]
    label: int | None = None
    note: str = ""

    @property
    def arrays(self) -> list[npt.NDArray[np.float32]]:
        """The values in the order of the model's inputs, without batch axis."""
        return [value.values for value in self.inputs.values()]
