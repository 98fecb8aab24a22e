"""Functions of whole numbers: the arithmetic of quantised networks, exact in every printer.

Arguments and results are whole numbers of 32 bits; products inside have 64. The first three are
those that TensorFlow Lite Micro and CMSIS-NN share (gemmlowp, fixedpoint/fixedpoint.h):

- ``high_product(a, b)``: ``a * b / 2^31``, halves up (saturating rounding doubling high multiply).
- ``shift_right(x, n)``: ``x / 2^n``, halves away from zero (rounding divide by a power of two).
- ``shift_left(x, n)``: ``x * 2^n``, held at the ends of 32 bits (saturating).
- ``rounded_quotient(x, n)``: ``x / n``, halves away from zero, for ``n > 0``.
- ``leading_zeros(x)``: how many of the 32 bits of ``x > 0`` are zeros before the first one.

Between the two kinds of numbers:

- ``real(x)``: a whole number as a real one.
- ``whole(x)``: the whole number nearest to a float32, halves away from zero, held in 32 bits.

The evaluator holds whole numbers in doubles, which have 53 bits for them, and in 64-bit integers
inside these functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.equations.dtypes import LIMITS

Array = Any  # of numbers, or one number
LOW, HIGH = LIMITS["int32"]


def _bits(x: Array) -> npt.NDArray[np.int64]:
    return np.asarray(x).astype(np.int64)


def _high_product(a: Array, b: Array) -> Array:
    product = (_bits(a) * _bits(b) + 2**30) >> 31
    return np.minimum(product, HIGH).astype(float)


def _shift_right(x: Array, n: Array) -> Array:
    # towards zero from half a step further out, which is to the nearest, halves away from zero
    whole, bits = _bits(x), _bits(n)
    half = np.where(bits > 0, np.int64(1) << np.maximum(bits - 1, 0), 0)
    return (np.sign(whole) * ((np.abs(whole) + half) >> bits)).astype(float)


def _shift_left(x: Array, n: Array) -> Array:
    return np.clip(_bits(x) << _bits(n), LOW, HIGH).astype(float)


def _rounded_quotient(x: Array, n: Array) -> Array:
    whole, divisor = _bits(x), np.maximum(_bits(n), 1)
    return (np.sign(whole) * ((np.abs(whole) + divisor // 2) // divisor)).astype(float)


def _leading_zeros(x: Array) -> Array:
    _, exponent = np.frexp(np.asarray(x, float))
    return (32 - exponent).astype(float)


def _whole(x: Array) -> Array:
    single = np.nan_to_num(np.asarray(x).astype(np.float32), nan=0.0).astype(float)
    away = np.trunc(single + np.copysign(0.5, single))
    return np.clip(away, LOW, HIGH)


def _real(x: Array) -> Array:
    return np.asarray(x)


WHOLE_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "high_product": _high_product, "shift_right": _shift_right, "shift_left": _shift_left,
    "rounded_quotient": _rounded_quotient, "leading_zeros": _leading_zeros,
    "whole": _whole, "real": _real,
}  # fmt: skip
