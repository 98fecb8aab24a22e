"""Pictures that a set has twice, or nearly: whoever learns one knows the other already."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

GRID = 16  # pixels of a side that near twins are compared by
NEAR = 0.99  # the correlation of near twins; of MNIST's digits one in a thousand has such a one
MOST = 20_000  # pictures of one class that are compared with each other
BLOCK = 1024  # of them at a time


@dataclass(frozen=True)
class Twins:
    """Two pictures of a set by their numbers, the first one first; ``same``: to the last pixel."""

    first: int
    second: int
    same: bool


def same_pictures(x: Array) -> list[Twins]:
    """Every picture that is the same as one before it, with that one."""
    seen: dict[bytes, int] = {}
    found = []
    for number, picture in enumerate(x):
        key = hashlib.sha256(np.ascontiguousarray(picture).tobytes()).digest()
        if key in seen:
            found.append(Twins(seen[key], number, True))
        else:
            seen[key] = number
    return found


def near_twins(x: Array, y: Array) -> list[Twins]:
    """Pictures of one class that correlate as two shots of one thing do; each with the first such.

    Compared are their brightness in a coarse grid, without its mean and its contrast.
    """
    signs = _coarse(x)
    return [
        twins for number in np.unique(y) for twins in _of_class(signs, np.nonzero(y == number)[0])
    ]


def _of_class(signs: Array, members: Array) -> Iterator[Twins]:
    if len(members) > MOST:
        return
    for start in range(0, len(members), BLOCK):
        rows = members[start : start + BLOCK]
        alike = signs[rows] @ signs[members].T
        for n, row in enumerate(rows):
            before = np.nonzero(alike[n, : start + n] >= NEAR)[0]
            if len(before):
                yield Twins(int(members[before[0]]), int(row), False)


def _coarse(x: Array) -> Array:
    """A row of length 1 for each picture; of a picture without contrast zeros."""
    grey = np.asarray(x, np.float32)
    while grey.ndim > 3:
        grey = grey.mean(-1)
    if grey.ndim == 3:
        grey = _shrunk(_shrunk(grey, 1), 2)
    flat = grey.reshape(len(grey), -1)
    flat = flat - flat.mean(1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.divide(flat, lengths, out=np.zeros_like(flat), where=lengths > 1))


def _shrunk(planes: Array, axis: int) -> Array:
    """Means over an axis, so that no more than the grid's side are left."""
    size = planes.shape[axis]
    if size <= GRID:
        return planes
    edges = np.linspace(0, size, GRID + 1).round().astype(int)
    sums = np.add.reduceat(planes, edges[:-1], axis=axis)
    shape = [1] * planes.ndim
    shape[axis] = GRID
    return np.asarray(sums / np.diff(edges).reshape(shape))


def groups(count: int, twins: Sequence[Twins]) -> Array:
    """A number for each of ``count`` pictures, the same for those that are twins."""
    group = np.arange(count)
    for pair in twins:  # the first of a pair was put into its group before
        group[pair.second] = group[pair.first]
    return group
