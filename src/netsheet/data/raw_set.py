"""What a source of samples holds, before it is fitted to a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
