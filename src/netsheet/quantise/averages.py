"""Means of windows: the sum of the numbers as they are, divided by how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import Const, Read, Reduce, call, equation
from netsheet.quantise.multipliers import kept
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    is_quantised,
    quantisation_of,
    whole_like,
)


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
    sums = Read(whole_like(step.target, "sum"), step.equation.at)
    count = Reduce("sum", value.over, Const(1.0), value.where)
    quotient = call("rounded_quotient", sums, count)
    return 1, [
        equation(sums, Reduce("sum", value.over, value.body, value.where)),
        equation(step.read, kept(quotient, *step.range)),
    ]
