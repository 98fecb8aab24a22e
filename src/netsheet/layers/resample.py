"""Interpolations with wider kernels: every output is a weighted sum of a few inputs.

Source: TensorFlow's ResizeBicubic (half-pixel centres), ScaleAndTranslate (no antialiasing) and
ResizeArea, which tf.image.resize and so Keras on TensorFlow use.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from netsheet.equations import (
    Equation,
    FloatArray,
    Index,
    Lookup,
    Position,
    Tensor,
    Weight,
    affine,
    equation,
    indices_of,
    reduce,
)

CUBIC_STEPS = 1024  # TensorFlow's table of cubic weights


def _keys(x: float, a: float) -> float:
    x = abs(x)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return a * (((x - 5) * x + 8) * x - 4) if x < 2 else 0.0


def _lanczos(radius: int) -> Callable[[float], float]:
    def kernel(x: float) -> float:
        if abs(x) > radius:
            return 0.0
        if abs(x) <= 1e-3:
            return 1.0
        t = math.pi * x
        return radius * math.sin(t) * math.sin(t / radius) / (t * t)

    return kernel


def _gaussian(x: float) -> float:
    return math.exp(-2 * x * x) if abs(x) < 1.5 else 0.0  # a radius of three sigmas of 1/2


def _mitchell(x: float) -> float:
    x = abs(x)
    if x >= 2:
        return 0.0
    if x >= 1:
        return (((-7 / 18) * x + 2) * x - 10 / 3) * x + 16 / 9
    return (((7 / 6) * x - 2) * x) * x + 8 / 9


KERNELS: dict[str, tuple[float, Callable[[float], float]]] = {
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
    "gaussian": (1.5, _gaussian),
    "mitchellcubic": (2, _mitchell),
}
INTERPOLATIONS = ("bicubic", "area", *KERNELS)


def weights(n: int, out: int, interpolation: str) -> FloatArray:
    """The matrix (out, n) that resizes ``n`` values to ``out``; each row sums to 1."""
    scale = n / out
    matrix = np.zeros((out, n))
    for o in range(out):
        centre = (o + 0.5) * scale
        row = matrix[o]
        if interpolation == "area":
            for i in range(math.floor(o * scale), min(math.ceil((o + 1) * scale), n)):
                row[i] = min(i + 1, (o + 1) * scale) - max(i, o * scale)
        elif interpolation == "bicubic":
            place = math.floor(centre - 0.5)
            step = round((centre - 0.5 - place) * CUBIC_STEPS) / CUBIC_STEPS
            for tap in range(-1, 3):
                if 0 <= place + tap < n:
                    row[place + tap] = _keys(tap - step, -0.5)
        else:
            radius, kernel = KERNELS[interpolation]
            first = max(math.ceil(centre - radius - 0.5), 0)
            for i in range(first, min(math.floor(centre + radius - 0.5), n - 1) + 1):
                row[i] = kernel(i + 0.5 - centre)
        row /= row.sum()
    return matrix


def resampled(x: Tensor, y: Tensor, number: int, interpolation: str) -> Equation:
    """``y`` from ``x`` along axis ``number``: a sum over as many taps as the widest row has."""
    matrix = weights(x.shape[number], y.shape[number], interpolation)
    used = matrix != 0
    count = int(used.sum(1).max())
    # a row with fewer taps has more of weight 0, inside the input
    starts = np.minimum(used.argmax(1), x.shape[number] - count)
    span = max(
        int(last) - int(start) + 1
        for start, last in zip(starts, matrix.shape[1] - 1 - used[:, ::-1].argmax(1), strict=True)
    )
    starts = np.minimum(starts, x.shape[number] - span)
    places = starts[:, np.newaxis] + np.arange(span)
    taps = np.take_along_axis(matrix, places, axis=1)
    at = indices_of(y)
    o, k = at[number], Index("k", span)
    place: list[Position] = [*at]
    place[number] = affine(Lookup(tuple(int(p) for p in starts), affine(o))) + k
    table = Weight(f"{y.name}/taps", (y.axes[number], "tap"), taps.shape, label="taps", values=taps)
    return equation(y[at], reduce("sum", (k,), x[tuple(place)] * table[o, k]))
