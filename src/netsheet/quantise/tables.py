"""Functions of one value: a table of the results for each of its 256 whole numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from netsheet.equations import (
    Expr,
    FloatArray,
    Gather,
    Quantisation,
    Read,
    Reduce,
    Tensor,
    Weight,
    affine,
    equation,
    indices_of,
    on_reads,
    reads,
    transform,
    walk,
)
from netsheet.equations.evaluation import evaluate
from netsheet.quantise import fixed_point
from netsheet.quantise.multipliers import quantised_multiplier, scaled_number, shifted
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    is_quantised,
    limits_of,
    offset,
    quantisation_of,
)

# The result of one whole number, before the limits are put on: input, from, to.
Exact = Callable[[int, Quantisation, Quantisation], int]
INTEGER_BITS = 4  # of the fixed-point input of tanh and the logistic function


def table(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """``table[x]``, where the value is a function of one element of one quantised tensor."""
    step = steps[0]
    read = _only_read(step.equation.value)
    if read is None or not is_quantised(step.target) or limits_of(read.tensor)[1] > 255:
        return None
    results = _results(step, read)
    low, high = limits_of(read.tensor)
    stored = numbers.add("table", results, ("value",), step.target.dtype)
    place = Gather(offset(read, -low), high - low + 1)
    return 1, [equation(step.read, stored[affine(place)])]


def _only_read(value: Expr) -> Read | None:
    """The only element that the value depends on."""
    found = {(read.tensor, read.at): read for read in reads(value)}
    if len(found) != 1 or any(isinstance(node, Reduce) for node in walk(value)):
        return None
    (read,) = found.values()
    return read if is_quantised(read.tensor) and not isinstance(read.tensor, Weight) else None


def _results(step: MeantEquation, read: Read) -> list[int]:
    low, high = limits_of(read.tensor)
    source, target = quantisation_of(read.tensor), quantisation_of(step.target)
    exact = exact_function(step.equation.value, step.limited)
    if exact in (logistic, tanh) and step.target.dtype != "int8":
        exact = None  # the fixed-point rules are those of int8 alone
    if exact is None:
        return _by_reals(step, read)
    first, last = step.range
    found = [exact(number, source, target) for number in range(low, high + 1)]
    return [min(max(number, first), last) for number in found]


def _by_reals(step: MeantEquation, read: Read) -> list[int]:
    """Each number's meaning, its function in float32, and the nearest number to that."""
    low, high = limits_of(read.tensor)
    real = quantisation_of(read.tensor).real(np.arange(low, high + 1))
    values = applied(step.equation.value, real.astype(np.float32))
    values = np.clip(values, step.low, step.high)
    target = quantisation_of(step.target)
    # TensorFlow Lite multiplies by the reciprocal of the scale, in float32
    with np.errstate(all="ignore"):
        units = values.astype(np.float32) * (np.float32(1) / np.float32(target.step))
    found = Quantisation(np.float32(1), target.zero_point).whole(units, step.target.dtype)
    return [int(number) for number in found]


def applied(value: Expr, numbers: FloatArray) -> FloatArray:
    """A function of one read, of each of some real numbers."""
    source, result = (Tensor(name, ("value",), (len(numbers),)) for name in ("x", "y"))
    at = indices_of(source)
    moved = transform(value, on_reads(lambda _: source[at]))
    return evaluate([equation(result[at], moved)], {source: numbers})[result]


# --------------------------------------------------------------------------- exact rules


def exact_function(value: Expr, limited: bool) -> Exact | None:
    """The whole-number rule for a function; None where TensorFlow Lite computes it in reals.

    A function is known by its values at some points, however it is written.
    """
    if isinstance(value, Read):
        return limited_rescaled if limited else rescaled
    points = np.array(POINTS)
    with np.errstate(all="ignore"):
        values = applied(value, points)
    if np.allclose(values, 1 / (1 + np.exp(-points)), rtol=0, atol=1e-9):
        return logistic
    if np.allclose(values, np.tanh(points), rtol=0, atol=1e-9):
        return tanh
    if np.allclose(values, points * np.clip(points / 6 + 0.5, 0, 1), rtol=0, atol=1e-9):
        return hard_swish
    slope = float(values[0] / points[0])
    if np.allclose(values, np.where(points < 0, points * slope, points), rtol=0, atol=1e-6):
        return leaky(slope)
    return None


POINTS = (-8.0, -4.0, -2.5, -1.25, -0.5, 0.0, 0.25, 0.75, 1.5, 3.0, 5.0, 9.0)


def rescaled(x: int, source: Quantisation, target: Quantisation) -> int:
    """The same real number in another scale."""
    factor = quantised_multiplier(source.step / target.step)
    return scaled_number(x - source.zero_point, factor) + target.zero_point


def limited_rescaled(x: int, source: Quantisation, target: Quantisation) -> int:
    """The same where a limit follows: TensorFlow Lite divides the scales in float32 then."""
    factor = quantised_multiplier(_single_quotient(source.step, target.step))
    return scaled_number(x - source.zero_point, factor) + target.zero_point


def _single_quotient(first: float, second: float) -> float:
    return float(np.float32(first) / np.float32(second))


def leaky(slope: float) -> Exact:
    """``x`` where it is not negative, else ``slope * x``: a multiplier for each side.

    Source: TensorFlow Lite, kernels/internal/reference/leaky_relu.h.
    """

    def exact(x: int, source: Quantisation, target: Quantisation) -> int:
        scale = np.float32(source.step)
        if x < source.zero_point:
            scale = scale * np.float32(slope)
        factor = quantised_multiplier(_single_quotient(float(scale), target.step))
        return scaled_number(x - source.zero_point, factor) + target.zero_point

    return exact


def logistic(x: int, source: Quantisation, target: Quantisation) -> int:
    """The result has the scale 1/256 and the zero point -128."""
    found = _fixed(x, source, fixed_point.logistic)
    return -128 if found is None else shifted(found, 31 - 8) - 128


def hard_swish(x: int, source: Quantisation, target: Quantisation) -> int:
    """``x * min(max(x + 3, 0), 6) / 6`` in 16 bits.

    Source: TensorFlow Lite, kernels/internal/reference/hard_swish.h.
    """
    fine = np.float32(1 / 128) * np.float32(source.step)
    out, out_exponent = quantised_multiplier(_single_quotient(float(fine), target.step))
    ramp, ramp_exponent = quantised_multiplier(_single_quotient(float(fine), 3 / 32768))
    value = (x - source.zero_point) << 7
    scaled_value = _high_product16(value, _narrowed(out))
    share = value
    if ramp_exponent > 0:
        share = _held16(share << (ramp_exponent - 1))
    share = _high_product16(share, _narrowed(ramp))
    if ramp_exponent > 0:
        share = _held16(share << 1)
    if ramp_exponent < 0:
        share = shifted(share, -ramp_exponent)
    share = (share + 2**15) >> 1
    product = share * scaled_value
    cut = (abs(product) >> 15) * (1 if product >= 0 else -1)
    return shifted(cut, -out_exponent) + target.zero_point


def _narrowed(multiplier: int) -> int:
    """A multiplier of 31 bits as one of 15."""
    return min((multiplier + 2**15) >> 16, 2**15 - 1)


def _high_product16(a: int, b: int) -> int:
    return min((a * b + 2**14) >> 15, 2**15 - 1)


def _held16(x: int) -> int:
    return min(max(x, -(2**15)), 2**15 - 1)


def tanh(x: int, source: Quantisation, target: Quantisation) -> int:
    """The result has the scale 1/128 and the zero point 0."""
    found = _fixed(x, source, fixed_point.tanh)
    return -128 if found is None else shifted(found, 31 - 7)


def _fixed(x: int, source: Quantisation, function: Callable[[int, int], int]) -> int | None:
    """A fixed-point function; the end of 32 bits beyond its radius, None below it."""
    fraction = 31 - INTEGER_BITS
    factor = quantised_multiplier(source.step * 2**fraction)
    radius = math.floor(((1 << INTEGER_BITS) - 1) * 2.0**fraction / 2.0 ** factor[1])
    centred = x - source.zero_point
    if centred <= -radius:
        return None
    if centred >= radius:
        return fixed_point.HIGH
    return function(scaled_number(centred, factor), INTEGER_BITS)
