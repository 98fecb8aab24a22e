"""Values between others: sums with fixed shares of 1/1024 and its products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netsheet.equations import Expr, Read, Reduce, Weight, call, equation, factors
from netsheet.quantise.multipliers import kept
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    is_quantised,
    is_real,
    quantisation_of,
)

BITS = 10  # of one share


def interpolated(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """A sum of values times shares, in the scale of what is read; halves away from zero.

    Source: TensorFlow Lite, kernels/internal/reference/resize_bilinear.h.
    """
    step, value = steps[0], steps[0].equation.value
    if not isinstance(value, Reduce) or value.op != "sum" or not is_quantised(step.target):
        return None
    parts = [part for part in factors(value.body) if isinstance(part, Read)]
    given = [part for part in parts if not isinstance(part.tensor, Weight)]
    shares = [part for part in parts if isinstance(part.tensor, Weight)]
    if len(given) != 1 or not shares or len(parts) != len(factors(value.body)):
        return None
    if not quantisation_of(step.target).same(given[0].tensor.quantisation):
        return None
    body: Expr = given[0]
    for share in shares:
        assert isinstance(share.tensor, Weight)
        whole = np.asarray(share.tensor.values) * 2**BITS
        if not is_real(share.tensor) or (whole != np.round(whole)).any():
            return None
        body = body * Read(numbers.add("shares", whole, share.tensor.axes), share.at)
    sums = Read(numbers.step(step.target, "sum"), step.equation.at)
    back = call("shift_right", sums, BITS * len(shares))
    return 1, [
        equation(sums, Reduce("sum", value.over, body, value.where)),
        equation(step.read, kept(back, *step.range)),
    ]
