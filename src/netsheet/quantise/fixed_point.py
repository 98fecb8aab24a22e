"""exp, tanh and the logistic function of fixed-point numbers, in whole numbers alone.

Source: gemmlowp, fixedpoint/fixedpoint.h (exp_on_interval_between_negative_one_quarter_and_0_excl,
exp_on_negative_values, one_over_one_plus_x_for_x_in_0_1, tanh, logistic), for 32 bits. A number
with ``i`` integer bits is a whole number of units of ``2^(i - 31)``; here they are called raw.
"""

from __future__ import annotations

from netsheet.equations import LIMITS
from netsheet.quantise.multipliers import shifted

LOW, HIGH = LIMITS["int32"]
ONE = HIGH  # with no integer bits, as near to 1 as it gets
ONE_EIGHTH = 1 << 28
EXP_OF_MINUS_EIGHTH = 1895147668  # exp(-1/8), no integer bits
THIRD = 715827883
# exp(-2^n) for n = -2 to 4, no integer bits
EXP_OF_POWERS = (
    1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242,
)  # fmt: skip
# 48/17 and -32/17 with two integer bits: the line from which Newton's iteration starts
NEWTON_CONSTANT, NEWTON_SLOPE, NEWTON_ONE, NEWTON_STEPS = 1515870810, -1010580540, 1 << 29, 3


def high_product(a: int, b: int) -> int:
    """``a * b / 2^31``, halves up."""
    return min((a * b + 2**30) >> 31, HIGH)


def left(x: int, bits: int) -> int:
    """``x * 2^bits``, held in 32 bits."""
    return min(max(x << bits, LOW), HIGH)


def _exp_of_small(a: int) -> int:
    """exp of a raw number from -1/4 to 0, no integer bits: Taylor's series around -1/8."""
    x = a + ONE_EIGHTH
    x2 = high_product(x, x)
    x3 = high_product(x2, x)
    x4_quarter = shifted(high_product(x2, x2), 2)
    rest = shifted(high_product(x4_quarter + x3, THIRD) + x2, 1)
    return EXP_OF_MINUS_EIGHTH + high_product(EXP_OF_MINUS_EIGHTH, x + rest)


def exp_of_negative(a: int, integer_bits: int) -> int:
    """exp of a raw number <= 0; the result has no integer bits."""
    fraction = 31 - integer_bits
    quarter = 1 << (fraction - 2)
    rest = (a & (quarter - 1)) - quarter  # in -1/4 .. 0
    result = _exp_of_small(left(rest, integer_bits))
    remainder = rest - a
    for n, factor in enumerate(EXP_OF_POWERS):
        if integer_bits > n - 2 and remainder & (1 << (fraction - 2 + n)):
            result = high_product(result, factor)
    if integer_bits > 5 and a < -(1 << (fraction + 5)):
        result = 0
    return ONE if a == 0 else result


def _half_sum(a: int, b: int) -> int:
    total = a + b
    return shifted(total, 1)


def _newton(half_denominator: int) -> int:
    """About the reciprocal of a number in 1/2 .. 1; two integer bits."""
    x = NEWTON_CONSTANT + high_product(half_denominator, NEWTON_SLOPE)
    for _ in range(NEWTON_STEPS):
        short = NEWTON_ONE - high_product(half_denominator, x)
        x = x + left(high_product(x, short), 2)
    return x


def _logistic_of_positive(a: int, integer_bits: int) -> int:
    exp = exp_of_negative(-a, integer_bits)
    return left(_newton(_half_sum(exp, ONE)), 1)  # half of it is meant: one integer bit fewer


def logistic(a: int, integer_bits: int) -> int:
    """``1 / (1 + exp(-a))`` of a raw number; the result has no integer bits."""
    if a == 0:
        return 1 << 30
    positive = _logistic_of_positive(abs(a), integer_bits)
    return positive if a > 0 else ONE - positive


def tanh(a: int, integer_bits: int) -> int:
    """tanh of a raw number; the result has no integer bits."""
    if a == 0:
        return 0
    exp = exp_of_negative(-abs(a), integer_bits + 1)  # of twice the number: one bit more
    # (1 - exp) / (1 + exp) = 2 / (1 + exp) - 1
    fraction = left(_newton(_half_sum(exp, ONE)) - NEWTON_ONE, 2)
    return fraction if a > 0 else -fraction
