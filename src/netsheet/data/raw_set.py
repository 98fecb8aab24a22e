"""What a source of samples holds, before it is fitted to a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class RawSet:
    """Samples with their axis in front, labels where there are any, and where they came from."""

    x: Array
    y: Array | None
    note: str
    class_names: list[str] | None = None
    names: Sequence[str] = ()
    weights: Array | None = None  # of the samples in a loss
    pictures: bool = False  # pixels, whatever the network's input looks like
    preparation: str = ""  # what was done to the pictures before, as text
    resized: int = 0  # pictures that had another size than the network takes


def as_labels(y: Array) -> Array:
    """Whole numbers as int64, a column as a row; everything else as float32."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    whole = y.dtype.kind in "iub" or (y.ndim == 1 and y.size and bool((y == np.round(y)).all()))
    return y.astype(np.int64 if whole and y.ndim == 1 else np.float32)
