"""Real factors as whole numbers: a multiplier of 31 bits and a shift.

Source: TensorFlow Lite, kernels/internal/quantization_util.cc (QuantizeMultiplier) and
kernels/internal/common.cc (MultiplyByQuantizedMultiplier, which rounds twice).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.equations import LIMITS, Expr, Tensor, Value, call

LOWEST_EXPONENT = -31  # a factor below 2^-31 counts as 0


def quantised_multiplier(factor: float) -> tuple[int, int]:
    """``factor`` as ``q * 2^(e - 31)`` with ``2^30 <= q < 2^31``; (0, 0) where it is too small."""
    if factor == 0 or not math.isfinite(factor):
        return 0, 0
    fraction, exponent = math.frexp(factor)
    whole = math.floor(fraction * 2**31 + 0.5)
    if whole == 2**31:
        whole, exponent = whole // 2, exponent + 1
    return (0, 0) if exponent < LOWEST_EXPONENT else (whole, exponent)


def quantised_multipliers(
    factors: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The same for each of an array of factors: multipliers and exponents."""
    found = [quantised_multiplier(float(factor)) for factor in np.asarray(factors).reshape(-1)]
    pair = np.array(found, np.int64).reshape(*np.shape(factors), 2)
    return pair[..., 0], pair[..., 1]


def scaled(x: Expr, multiplier: Value, exponent: int) -> Expr:
    """``x * multiplier * 2^(exponent - 31)``, rounded twice."""
    if exponent > 0:
        x = call("shift_left", x, exponent)
    product = call("high_product", x, multiplier)
    return call("shift_right", product, -exponent) if exponent < 0 else product


def scaled_number(x: int, factor: tuple[int, int]) -> int:
    """The same of a number, now."""
    multiplier, exponent = factor
    product = ((x << max(exponent, 0)) * multiplier + 2**30) >> 31
    return shifted(product, max(-exponent, 0))


def shifted(x: int, bits: int) -> int:
    """``x / 2^bits``, halves away from zero."""
    half = 1 << (bits - 1) if bits else 0
    size = (abs(x) + half) >> bits
    return size if x >= 0 else -size


def bound(real: float, tensor: Tensor) -> int:
    """The whole number that a limit of an activation is in a tensor, inside its range.

    The quotient is a float32, rounded with halves away from zero.
    """
    assert tensor.quantisation is not None
    low, high = LIMITS[tensor.dtype]
    if math.isinf(real):
        return low if real < 0 else high
    with np.errstate(all="ignore"):
        quotient = float(np.float32(real) / np.float32(tensor.quantisation.step))
    if math.isinf(quotient):
        return low if quotient < 0 else high
    whole = math.trunc(quotient + math.copysign(0.5, quotient)) + tensor.quantisation.zero_point
    return min(max(whole, low), high)


def kept(x: Expr, low: int, high: int) -> Expr:
    """``x`` held between two whole numbers."""
    return call("min", call("max", x, low), high)
