"""The rules, one after the other, over the equations of a layer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from netsheet.equations import Call, Const, Equation, Read, reads
from netsheet.errors import UnsupportedError
from netsheet.quantise.averages import average, scaled_sum
from netsheet.quantise.edges import from_reals, to_reals
from netsheet.quantise.interpolation import interpolated
from netsheet.quantise.movements import movement
from netsheet.quantise.products import sum_of_products
from netsheet.quantise.slopes import sloped
from netsheet.quantise.softmax import softmax
from netsheet.quantise.step import Found, MeantEquation, Rule, StoredNumbers, is_quantised
from netsheet.quantise.sums import element_by_element
from netsheet.quantise.tables import table

RULES: tuple[Rule, ...] = (
    movement, sum_of_products, average, scaled_sum, interpolated, element_by_element, sloped,
    softmax, table, to_reals, from_reals,
)  # fmt: skip

Otherwise = Callable[[MeantEquation, StoredNumbers], list[Equation]]


def quantised(
    equations: Sequence[Equation], numbers: StoredNumbers, otherwise: Otherwise | None = None
) -> list[Equation]:
    """The whole-number equations of a layer; ``numbers`` takes what they read besides weights.

    Args:
        otherwise: is given what no rule takes; None refuses it.

    Raises:
        UnsupportedError: a step that no rule takes.
    """
    steps = with_limits(equations)
    found: list[Equation] = []
    while steps:
        taken = _taken(steps, numbers)
        if taken is None:
            if otherwise is None:
                raise UnsupportedError(_untaken(steps[0]))
            taken = 1, otherwise(steps[0], numbers)
        found += taken[1]
        steps = steps[taken[0] :]
    return found


def _taken(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    for rule in RULES:
        found = rule(steps, numbers)
        if found is not None:
            return found
    return None


def _untaken(step: MeantEquation) -> str:
    kinds = sorted({read.tensor.dtype for read in reads(step.equation.value)})
    return (
        f"there is no whole-number rule for what {step.target.name!r} ({step.target.dtype}) is "
        f"made of ({', '.join(kinds)})"
    )


def with_limits(equations: Sequence[Equation]) -> list[MeantEquation]:
    """The equations as steps; one that only limits what comes before is joined with it."""
    steps: list[MeantEquation] = []
    counts = Counter(tensor for eq in equations for tensor in {r.tensor for r in reads(eq.value)})
    for eq in equations:
        held = _held(eq)
        if held is None:
            steps.append(MeantEquation(eq))
            continue
        read, low, high = held
        before = [step for step in steps if step.target is read.tensor]
        if before and counts[read.tensor] == 1 and read.tensor.shape == eq.target.shape:
            # its parts fill the target itself, and are held there
            steps = [
                MeantEquation(replace(step.equation, target=eq.target), low, high)
                if step in before else step
                for step in steps
            ]  # fmt: skip
        elif is_quantised(read.tensor):
            steps.append(MeantEquation(replace(eq, value=read), low, high))
        else:
            steps.append(MeantEquation(eq))
    return steps


def _held(eq: Equation) -> tuple[Read, float, float] | None:
    """What an equation reads and the limits that it puts on: nothing else is done."""
    low, high, value = -math.inf, math.inf, eq.value
    while isinstance(value, Call) and value.function in ("max", "min"):
        inner, limit = value.args
        if isinstance(inner, Const):
            inner, limit = limit, inner
        if not isinstance(limit, Const):
            return None
        if value.function == "max":
            low = max(low, min(limit.value, high))
        else:
            high = min(high, max(limit.value, low))
        value = inner
    if not isinstance(value, Read) or value.at != eq.at or (low == -math.inf and high == math.inf):
        return None
    return value, low, high
