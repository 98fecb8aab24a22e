"""Functions of one value: a table of the results for each of its 256 whole numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from netsheet.equations import (
    Call,
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
    exact = exact_function(step.equation.value)
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
    found = quantisation_of(step.target).whole(values, step.target.dtype)
    return [int(number) for number in found]


def applied(value: Expr, numbers: FloatArray) -> FloatArray:
    """A function of one read, of each of some real numbers."""
    source, result = (Tensor(name, ("value",), (len(numbers),)) for name in ("x", "y"))
    at = indices_of(source)
    moved = transform(value, on_reads(lambda _: source[at]))
    return evaluate([equation(result[at], moved)], {source: numbers})[result]


# --------------------------------------------------------------------------- exact rules


def exact_function(value: Expr) -> Exact | None:
    """The whole-number rule for a function; None where TensorFlow Lite computes it in reals."""
    if isinstance(value, Read):
        return rescaled
    if isinstance(value, Call) and isinstance(value.args[0], Read):
        if value.function == "sigmoid":
            return logistic
        if value.function == "tanh":
            return tanh
    return None


def rescaled(x: int, source: Quantisation, target: Quantisation) -> int:
    """The same real number in another scale."""
    factor = quantised_multiplier(source.step / target.step)
    return scaled_number(x - source.zero_point, factor) + target.zero_point


def logistic(x: int, source: Quantisation, target: Quantisation) -> int:
    """The result has the scale 1/256 and the zero point -128."""
    found = _fixed(x, source, fixed_point.logistic)
    return -128 if found is None else shifted(found, 31 - 8) - 128


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
