"""Means: of windows in the scale of what is read, along axes in a scale of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netsheet.equations import Call, Const, Expr, Read, Reduce, call, equation
from netsheet.quantise.multipliers import kept, quantised_multiplier, scaled
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    centred,
    is_quantised,
    quantisation_of,
)

MOST_EXTRA_BITS = 32


def average(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """The mean in the scale of what is read: a sum in 32 bits, a quotient to the nearest number.

    Source: TensorFlow Lite, kernels/internal/reference/integer_ops/pooling.h (AveragePool).
    """
    step, value = steps[0], steps[0].equation.value
    if not isinstance(value, Reduce) or value.op != "mean" or not isinstance(value.body, Read):
        return None
    source = value.body.tensor
    if not is_quantised(step.target) or not is_quantised(source):
        return None
    if not quantisation_of(step.target).same(source.quantisation):
        return None
    sums = Read(numbers.step(step.target, "sum"), step.equation.at)
    count = Reduce("sum", value.over, Const(1.0), value.where)
    quotient = call("rounded_quotient", sums, count)
    return 1, [
        equation(sums, Reduce("sum", value.over, value.body, value.where)),
        equation(step.read, kept(quotient, *step.range)),
    ]


def scaled_sum(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """A sum, divided or not: the numbers counted from their zero point, added up, then scaled.

    Source: TensorFlow Lite, kernels/internal/reference/reduce.h (QuantizedMeanOrSum).
    """
    step = steps[0]
    total, points = _divided(step.equation.value)
    if not isinstance(total, Reduce) or total.op != "sum" or not isinstance(total.body, Read):
        return None
    source = total.body.tensor
    if not is_quantised(step.target) or not is_quantised(source) or total.where:
        return None
    factor = quantisation_of(source).step / quantisation_of(step.target).step
    multiplier, exponent = quantised_multiplier(factor)
    if points != 1:
        bits = min(int(math.log2(points)), MOST_EXTRA_BITS, 31 + exponent)
        multiplier, exponent = (multiplier << bits) // points, exponent - bits
    sums = Read(numbers.step(step.target, "sum"), step.equation.at)
    stored = numbers.add("multiplier", multiplier)[()]
    return 1, [
        equation(sums, Reduce("sum", total.over, centred(total.body))),
        step.finished(scaled(sums, stored, exponent)),
    ]


def _divided(value: Expr) -> tuple[Expr, int]:
    """A value and the whole number that it is divided by."""
    if isinstance(value, Call) and value.function == "div":
        top, below = value.args
        if isinstance(below, Const) and below.value >= 1 and below.value == int(below.value):
            return top, int(below.value)
    return value, 1
