"""Where whole numbers begin and end: real numbers as whole ones, and back."""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import Equation, Expr, Read, call, equation, on_reads, transform
from netsheet.quantise.multipliers import kept
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    centred,
    is_quantised,
    is_real,
    offset,
    quantisation_of,
)


def from_reals(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """A read of real numbers that fills whole ones: ``whole(x / scale) + zero point``, held."""
    step, value = steps[0], steps[0].equation.value
    if not isinstance(value, Read) or not is_real(value.tensor) or not is_quantised(step.target):
        return None
    return 1, [quantising(step, value)]


def to_reals(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """A read of whole numbers that fills real ones: ``real(x - zero point) * scale``."""
    step, value = steps[0], steps[0].equation.value
    if not isinstance(value, Read) or not is_quantised(value.tensor) or not is_real(step.target):
        return None
    return 1, [equation(step.read, meant(value))]


def quantising(step: MeantEquation, value: Expr) -> Equation:
    """The equation of whole numbers from a real value."""
    own = quantisation_of(step.target)
    whole = call("whole", value / own.step)
    return equation(step.read, kept(offset(whole, own.zero_point), *step.range))


def meant(read: Read) -> Expr:
    """The real number that a quantised one stands for."""
    return call("real", centred(read)) * quantisation_of(read.tensor).step


def through_reals(step: MeantEquation, numbers: StoredNumbers) -> list[Equation]:
    """What no rule takes: computed in real numbers, from what the whole ones stand for."""
    value = transform(
        step.equation.value,
        on_reads(lambda read: meant(read) if is_quantised(read.tensor) else read),
    )
    if is_quantised(step.target):
        return [quantising(step, value)]
    return [equation(step.read, value)]
