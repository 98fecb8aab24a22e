"""Sums of products with stored numbers: convolutions, dense layers, whatever they are called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netsheet.equations import (
    Call,
    Expr,
    Read,
    Reduce,
    Weight,
    call,
    equation,
    factors,
)
from netsheet.quantise.multipliers import quantised_multipliers
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    centred,
    is_quantised,
    quantisation_of,
)


def sum_of_products(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """``<layer>/sum`` in 32 bits, then scaled by a multiplier and a shift for each channel."""
    step = steps[0]
    found = _matched(step.equation.value)
    if found is None or not is_quantised(step.target):
        return None
    total, x, kernel, bias = found
    products = Reduce("sum", total.over, centred(x) * centred(kernel), total.where)
    sums = numbers.step(step.target, "sum")
    at = Read(sums, step.equation.at)
    first = equation(at, products if bias is None else products + bias)
    return 1, [first, step.finished(_scaled(at, x, kernel, step, numbers))]


def _matched(value: Expr) -> tuple[Reduce, Read, Read, Read | None] | None:
    """The sum, what is read and what is stored, and the bias where there is one."""
    total, bias = value, None
    if isinstance(value, Call) and value.function == "add":
        total, other = value.args
        if not isinstance(other, Read) or not isinstance(other.tensor, Weight):
            return None
        bias = other
    if not isinstance(total, Reduce) or total.op != "sum":
        return None
    parts = [part for part in factors(total.body) if isinstance(part, Read)]
    if len(parts) != 2 or len(factors(total.body)) != 2:
        return None
    stored = [part for part in parts if isinstance(part.tensor, Weight)]
    given = [part for part in parts if not isinstance(part.tensor, Weight)]
    if len(stored) != 1 or not all(is_quantised(part.tensor) for part in parts):
        return None
    if bias is not None and bias.tensor.dtype != "int32":
        return None
    return total, given[0], stored[0], bias


def _scaled(at: Expr, x: Read, kernel: Read, step: MeantEquation, numbers: StoredNumbers) -> Expr:
    """The sum in units of the result's scale."""
    own, weights = quantisation_of(x.tensor), quantisation_of(kernel.tensor)
    scales = np.asarray(weights.scale, np.float32)
    if not weights.axes and len(kernel.tensor.axes) == 2:
        # a matrix with one scale: TensorFlow Lite multiplies the two in float32
        both = np.asarray(np.float32(own.step) * scales, float)
    else:
        both = own.step * scales.astype(float)
    multipliers, exponents = quantised_multipliers(both / quantisation_of(step.target).step)
    places = tuple(kernel.at[kernel.tensor.axes.index(axis)] for axis in weights.axes)

    def stored(label: str, values: object) -> Read:
        made = numbers.add(label, np.asarray(values), weights.axes)
        return Read(made, places)

    if (exponents > 0).any():
        at = call("shift_left", at, stored("shift_left", np.maximum(exponents, 0)))
    product = call("high_product", at, stored("multiplier", multipliers))
    return call("shift_right", product, stored("shift", np.maximum(-exponents, 0)))
