"""Two tensors, element by element: added, taken from each other, multiplied.

Source: TensorFlow Lite, kernels/internal/reference/integer_ops/add.h and mul.h: both are brought
to a common scale with 20 more bits, then the sum to the scale of the result.
"""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import Call, Expr, Read, equation
from netsheet.quantise.multipliers import quantised_multiplier, scaled
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    centred,
    is_quantised,
    quantisation_of,
)

EXTRA_BITS = 20


def element_by_element(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """``a + b``, ``a - b`` or ``a * b`` of two quantised tensors, stored ones too."""
    step, value = steps[0], steps[0].equation.value
    if not isinstance(value, Call) or value.function not in ("add", "sub", "mul"):
        return None
    left, right = value.args
    if not isinstance(left, Read) or not isinstance(right, Read):
        return None
    if not all(is_quantised(tensor) for tensor in (left.tensor, right.tensor, step.target)):
        return None
    scales = [quantisation_of(part.tensor).step for part in (left, right)]
    result = quantisation_of(step.target).step
    if value.function == "mul":
        product = Read(numbers.step(step.target, "product"), step.equation.at)
        factor = scales[0] * scales[1] / result
        first = equation(product, centred(left) * centred(right))
        return 1, [first, step.finished(_scaled(product, factor, numbers))]
    twice = 2 * max(scales)
    parts = [
        _scaled(centred(part) * 2**EXTRA_BITS, scale / twice, numbers)
        for part, scale in zip((left, right), scales, strict=True)
    ]
    sums = Read(numbers.step(step.target, "sum"), step.equation.at)
    total = parts[0] + parts[1] if value.function == "add" else parts[0] - parts[1]
    back = _scaled(sums, twice / (2**EXTRA_BITS * result), numbers)
    return 1, [equation(sums, total), step.finished(back)]


def _scaled(x: Expr, factor: float, numbers: StoredNumbers) -> Expr:
    """``x`` times a real factor, whose multiplier is stored."""
    multiplier, exponent = quantised_multiplier(factor)
    return scaled(x, numbers.add("multiplier", multiplier)[()], exponent)
