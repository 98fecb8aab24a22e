"""The kinds of numbers that tensors hold, and what whole numbers stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

FLOAT = "float32"
WHOLE = "int32"  # in which whole numbers are computed, however narrow they are stored

# The smallest and the largest number of each kind of whole numbers.
LIMITS: dict[str, tuple[int, int]] = {
    "int8": (-(2**7), 2**7 - 1),
    "uint8": (0, 2**8 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
}


@dataclass(frozen=True, eq=False)
class Quantisation:
    """Which real numbers whole ones stand for: ``scale * (whole - zero_point)``.

    ``scale`` is one float32, or one for each position of ``axes`` (the output channels of a
    kernel, by the names of its axes).
    """

    scale: npt.NDArray[Any] | np.float32 = field(default_factory=lambda: np.float32(1))
    zero_point: int = 0
    axes: tuple[str, ...] = ()

    @property
    def step(self) -> float:
        """The only scale of a tensor that has one."""
        assert not self.axes
        return float(self.scale)

    def same(self, other: Quantisation | None) -> bool:
        """True if both mean the same numbers."""
        return (
            other is not None
            and self.zero_point == other.zero_point
            and self.axes == other.axes
            and bool(np.array_equal(self.scale, other.scale))
        )

    def real(self, whole: npt.NDArray[Any], axes: tuple[str, ...] = ()) -> npt.NDArray[Any]:
        """The real numbers, in doubles, that an array of whole ones with these axes stands for."""
        scale = np.asarray(self.scale, float)
        if self.axes:
            order = sorted(self.axes, key=axes.index)
            scale = scale.transpose([self.axes.index(axis) for axis in order])
            sizes = iter(scale.shape)
            scale = scale.reshape([next(sizes) if axis in order else 1 for axis in axes])
        found: npt.NDArray[Any] = (np.asarray(whole, float) - self.zero_point) * scale
        return found

    def whole(self, real: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
        """The nearest whole numbers of a dtype (halves away from zero), as TensorFlow Lite has it.

        The quotient is a float32, as there.
        """
        assert not self.axes
        low, high = LIMITS[dtype]
        with np.errstate(all="ignore"):
            quotient = np.asarray(real, np.float32) / np.float32(self.scale)
        away = np.trunc(quotient.astype(float) + np.copysign(0.5, quotient))
        kept = np.clip(np.nan_to_num(away, nan=0.0) + self.zero_point, low, high)
        found: npt.NDArray[Any] = kept.astype(dtype)
        return found
