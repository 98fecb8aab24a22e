"""A slope of its own below zero, for each channel (PReLU).

Source: TensorFlow Lite Micro, kernels/prelu.cc with internal/reference/prelu.h.
"""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import Call, Const, Read, Weight, call, equation
from netsheet.quantise.multipliers import quantised_multiplier, scaled
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    centred,
    is_quantised,
    quantisation_of,
)


def sloped(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """``x`` where it is not negative, else ``x * slope`` with stored slopes: two multipliers."""
    step, value = steps[0], steps[0].equation.value
    found = _matched(value)
    if found is None or not is_quantised(step.target):
        return None
    x, slope = found
    if not is_quantised(x.tensor) or not is_quantised(slope.tensor):
        return None
    own, slopes, to = (quantisation_of(t) for t in (x.tensor, slope.tensor, step.target))
    above = scaled(centred(x), *_stored(numbers, "multiplier", own.step / to.step))
    product = Read(numbers.step(step.target, "product"), step.equation.at)
    below = scaled(product, *_stored(numbers, "slope_multiplier", own.step * slopes.step / to.step))
    chosen = call("if", call("less", centred(x), 0), below, above)
    return 1, [equation(product, centred(x) * centred(slope)), step.finished(chosen)]


def _stored(numbers: StoredNumbers, label: str, factor: float) -> tuple[Read, int]:
    multiplier, exponent = quantised_multiplier(factor)
    return numbers.add(label, multiplier)[()], exponent


def _matched(value: object) -> tuple[Read, Read] | None:
    """``if(x < 0, x * slope, x)`` as x and slope."""
    if not isinstance(value, Call) or value.function != "if":
        return None
    test, below, above = value.args
    if not isinstance(test, Call) or test.function != "less" or not isinstance(above, Read):
        return None
    if not isinstance(test.args[1], Const) or test.args[1].value != 0:
        return None
    if not isinstance(below, Call) or below.function != "mul":
        return None
    stored = [a for a in below.args if isinstance(a, Read) and isinstance(a.tensor, Weight)]
    return (above, stored[0]) if len(stored) == 1 and test.args[0] is above else None
