"""Pictures that are moved, turned and mirrored at random in training, and else stay as they are.

For each pixel that comes out, what is drawn says which four pixels go in and with which shares.
Source of the formulas: keras/src/layers/preprocessing/image_preprocessing (tf_keras:
preprocessing/image_preprocessing.py) and TensorFlow's ImageProjectiveTransformV3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.equations import (
    Equation,
    Expr,
    FloatArray,
    Gather,
    Index,
    Noise,
    Position,
    Tensor,
    affine,
    equation,
    indices_of,
    reduce,
)
from netsheet.layers.shape import Identity

TAPS = 4  # pixels around a place
ROW, COLUMN, SHARE = 0, 1, 2  # what is drawn for each of them


@dataclass(eq=False, kw_only=True)
class Augmentation(Identity):
    """``y[i, j, c] = sum(k) share[k, i, j] * x[row[k, i, j], column[k, i, j], c]``."""

    fill_mode: str = "reflect"
    fill_value: float = 0.0
    interpolation: str = "bilinear"
    channels_last: bool = True

    def __post_init__(self) -> None:
        self.random = True

    @property
    def channels_first(self) -> bool:
        return not self.channels_last

    def drawn(self, numbers: np.random.Generator, count: int) -> FloatArray:
        """The parameters of so many pictures: a row for each."""
        raise NotImplementedError

    def places(self, drawn: FloatArray, height: int, width: int) -> FloatArray:
        """For each picture and pixel that comes out the row and column to look at.

        Returns:
            An array (pictures, 2, height, width) of places between the pixels.
        """
        raise NotImplementedError

    def plan(self, drawn: FloatArray, height: int, width: int) -> FloatArray:
        """Rows, columns and shares: (pictures, 3, 4, height, width)."""
        rows, columns = np.moveaxis(self.places(drawn, height, width), 1, 0)
        rows, columns = (
            _inside(place, size, self.fill_mode)
            for place, size in ((rows, height), (columns, width))
        )
        if self.interpolation == "nearest":
            rows, columns = (_rounded(place) for place in (rows, columns))
        parts = []
        for down in (0, 1):
            for right in (0, 1):
                row, column = np.floor(rows) + down, np.floor(columns) + right
                share = (1 - np.abs(rows - row)) * (1 - np.abs(columns - column))
                there = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                parts.append([np.clip(row, 0, height - 1), np.clip(column, 0, width - 1),
                              np.where(there, share, 0)])  # fmt: skip
        return np.asarray(np.moveaxis(np.array(parts, np.float32), (2, 1), (0, 1)), np.float32)

    def equations_in_training(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise
    ) -> list[Equation]:
        if not self.otherwise_in_training:
            return self.equations(inputs, outputs)
        x, y = inputs[0], outputs[0]
        first = 0 if self.channels_last else 1
        height, width = x.shape[first : first + 2]

        def draw(numbers: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
            return self.plan(self.drawn(numbers, shape[0]), height, width)

        plan = noise.draw(
            y.step("plan", ("part", "tap", "height", "width"), (3, TAPS, height, width)), draw
        )
        at: list[Position] = list(indices_of(y))
        k, (i, j) = Index("k", TAPS), at[first : first + 2]
        from_: list[Position] = list(at)
        from_[first] = affine(Gather(plan[ROW, k, i, j], height))
        from_[first + 1] = affine(Gather(plan[COLUMN, k, i, j], width))
        total: Expr = reduce("sum", [k], plan[SHARE, k, i, j] * x[tuple(from_)])
        if self.fill_mode == "constant" and self.fill_value:
            k = Index("k", TAPS)
            kept = reduce("sum", [k], plan[SHARE, k, i, j])
            total = total + (1 - kept) * self.fill_value
        return [equation(y[tuple(at)], total)]


def _grid(height: int, width: int) -> tuple[FloatArray, FloatArray]:
    rows, columns = np.mgrid[:height, :width].astype(float)
    return rows[None], columns[None]


def _rounded(place: FloatArray) -> FloatArray:
    """The nearest whole number, halves away from zero."""
    return np.asarray(np.trunc(place + np.copysign(0.5, place)))


def _inside(place: FloatArray, size: int, mode: str) -> FloatArray:
    """Places beyond the border brought back, as the mode says; as they are with "constant"."""
    if mode == "constant":
        return place
    if mode == "reflect" and size > 1:  # d c b a | a b c d | d c b a
        moved = np.mod(place, 2 * size)
        turned = 2 * size - 1 - moved
        outside = (place < 0) | (place > size - 1)
        place = np.where(outside, np.where(moved >= size, turned, moved), place)
    elif mode == "wrap" and size > 1:  # a b c d | a b c d | a b c d
        low = place + size * (np.trunc(-place / (size - 1)) + 1)
        high = place - size * np.trunc(place / (size - 1))
        place = np.where(place < 0, low, np.where(place > size - 1, high, place))
    return np.asarray(np.clip(place, 0, size - 1))


@dataclass(eq=False, kw_only=True)
class RandomTranslation(Augmentation):
    """Moves pictures down by a share of their height and right by one of their width.

    ``height_factor`` and ``width_factor`` are the lowest and the highest share.
    """

    height_factor: tuple[float, float]
    width_factor: tuple[float, float]

    def drawn(self, numbers: np.random.Generator, count: int) -> FloatArray:
        factors = (self.height_factor, self.width_factor)
        return np.stack([numbers.uniform(low, high, count) for low, high in factors], -1)

    def places(self, drawn: FloatArray, height: int, width: int) -> FloatArray:
        rows, columns = _grid(height, width)
        down, right = (drawn[:, n, None, None] * size for n, size in ((0, height), (1, width)))
        return np.stack([rows - down, columns - right], 1)


@dataclass(eq=False, kw_only=True)
class RandomRotation(Augmentation):
    """Turns pictures around their middle; ``factor``: the lowest and highest share of a turn."""

    factor: tuple[float, float]

    def drawn(self, numbers: np.random.Generator, count: int) -> FloatArray:
        return numbers.uniform(*self.factor, (count, 1))

    def places(self, drawn: FloatArray, height: int, width: int) -> FloatArray:
        rows, columns = _grid(height, width)
        angle = 2 * np.pi * drawn[:, 0, None, None]
        down, right = rows - (height - 1) / 2, columns - (width - 1) / 2
        cosine, sine = np.cos(angle), np.sin(angle)
        turned = [sine * right + cosine * down, cosine * right - sine * down]
        return np.stack([turned[0] + (height - 1) / 2, turned[1] + (width - 1) / 2], 1)


@dataclass(eq=False, kw_only=True)
class RandomFlip(Augmentation):
    """Mirrors every second picture; ``independent``: up and down apart from left and right."""

    horizontal: bool = True
    vertical: bool = True
    independent: bool = False  # as Keras 2; Keras 3 mirrors both ways or none

    def drawn(self, numbers: np.random.Generator, count: int) -> FloatArray:
        flips = numbers.random((count, 2)) < 0.5
        if not self.independent:
            flips[:, 1] = flips[:, 0]
        return np.asarray(flips & [self.vertical, self.horizontal], float)

    def places(self, drawn: FloatArray, height: int, width: int) -> FloatArray:
        rows, columns = _grid(height, width)
        down, right = (drawn[:, n, None, None] > 0 for n in (0, 1))
        return np.stack([
            np.where(down, height - 1 - rows, rows + 0 * right),
            np.where(right, width - 1 - columns, columns + 0 * down),
        ], 1)  # fmt: skip
