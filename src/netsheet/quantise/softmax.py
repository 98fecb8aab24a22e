"""Softmax in whole numbers: its four equations become seven.

Source: TensorFlow Lite, kernels/internal/reference/softmax.h. The exponential of a difference is
looked up (there are 256 differences); the reciprocal of the sum is Newton's iteration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from netsheet.equations import (
    Affine,
    Call,
    Equation,
    Gather,
    Quantisation,
    Read,
    Reduce,
    Tensor,
    affine,
    call,
    equation,
)
from netsheet.quantise.fixed_point import (
    NEWTON_CONSTANT,
    NEWTON_ONE,
    NEWTON_SLOPE,
    NEWTON_STEPS,
    exp_of_negative,
)
from netsheet.quantise.multipliers import kept, quantised_multiplier, scaled_number
from netsheet.quantise.step import (
    Found,
    MeantEquation,
    StoredNumbers,
    is_quantised,
    limits_of,
    offset,
    quantisation_of,
)

DIFFERENCE_BITS = 5  # integer bits of the scaled differences
SUM_BITS = 12  # integer bits of the sum of exponentials


def softmax(steps: Sequence[MeantEquation], numbers: StoredNumbers) -> Found | None:
    """``exp(x - max) / sum(exp(x - max))`` along any axes."""
    equations = [step.equation for step in steps[:4]]
    if not _is_softmax(equations) or not is_quantised(equations[3].target):
        return None
    most, exps, total, result = equations
    assert isinstance(most.value, Reduce) and isinstance(exps.value, Call)
    (difference,) = exps.value.args
    assert isinstance(difference, Call)
    x, most_read = difference.args
    assert isinstance(x, Read) and isinstance(most_read, Read)
    if not is_quantised(x.tensor) or limits_of(x.tensor)[1] > 255:
        return None
    made = _Softmax(numbers, x, most_read)
    return 4, made.equations(most, exps, total, result)


class _Softmax:
    """The tensors of one softmax."""

    def __init__(self, numbers: StoredNumbers, x: Read, most: Read) -> None:
        self.numbers, self.x, self.most_read = numbers, x, most

    def equations(
        self, most: Equation, exps: Equation, total: Equation, result: Equation
    ) -> list[Equation]:
        """The largest, exponentials, their sum, its headroom and reciprocal, the result."""
        y, x = result.target, self.x
        assert isinstance(most.value, Reduce) and isinstance(total.value, Reduce)
        largest = _step(most, x.tensor.dtype)
        exp = _step(exps, "int32")
        sums, zeros, half, inverse = (
            _named(total, f"{y.name}/{word}") for word in ("sum", "zeros", "half", "reciprocal")
        )
        table = self.numbers.add("exp_table", exponentials(quantisation_of(x.tensor)), ("value",))
        at_most = Read(largest, self.most_read.at)
        place = Gather(x - at_most + 255, 256)
        inner = total.value.body
        assert isinstance(inner, Read)
        rest = total.at

        def of(tensor: Tensor) -> Read:
            return Read(tensor, rest)

        added = call("shift_right", Read(exp, inner.at), SUM_BITS)
        product = _result_parts(result)
        scaled = call("high_product", Read(inverse, product[1].at), Read(exp, product[0].at))
        bits = SUM_BITS + 31 - 8 - Read(zeros, product[1].at)
        low, high = limits_of(y)
        return [
            equation(Read(largest, most.at), Reduce("max", most.value.over, x)),
            equation(Read(exp, exps.at), table[affine(place)]),
            equation(of(sums), Reduce("sum", total.value.over, added)),
            equation(of(zeros), call("leading_zeros", of(sums))),
            equation(of(half), call("shift_left", of(sums), of(zeros) - 1)),
            *_newton(of(half), inverse, rest),
            equation(
                Read(y, result.at), kept(offset(call("shift_right", scaled, bits), low), low, high)
            ),
        ]


def _newton(half: Read, inverse: Tensor, rest: tuple[Affine, ...]) -> list[Equation]:
    """The reciprocal of twice a number in 1/2 .. 1, from a line and three steps of Newton's."""
    word = inverse.name
    guess = Read(replace(inverse, name=f"{word}/line"), rest)
    found = [equation(guess, call("high_product", half, NEWTON_SLOPE) + NEWTON_CONSTANT)]
    for n in range(1, NEWTON_STEPS + 1):
        short = NEWTON_ONE - call("high_product", half, guess)
        better = guess + call("shift_left", call("high_product", guess, short), 2)
        guess = Read(replace(inverse, name=f"{word}/newton{n}"), rest)
        found.append(equation(guess, better))
    return [*found, equation(Read(inverse, rest), call("shift_left", guess, 1))]


def _is_softmax(equations: Sequence[Equation]) -> bool:
    if len(equations) < 4:
        return False
    most, exps, total, result = (eq.value for eq in equations)
    return (
        isinstance(most, Reduce) and most.op == "max" and isinstance(most.body, Read)
        and isinstance(exps, Call) and exps.function == "exp"
        and isinstance(exps.args[0], Call) and exps.args[0].function == "sub"
        and all(isinstance(part, Read) for part in exps.args[0].args)
        and isinstance(total, Reduce) and total.op == "sum" and isinstance(total.body, Read)
        and isinstance(result, Call) and result.function == "div"
        and all(isinstance(part, Read) for part in result.args)
    )  # fmt: skip


def _result_parts(result: Equation) -> tuple[Read, Read]:
    assert isinstance(result.value, Call)
    exp, total = result.value.args
    assert isinstance(exp, Read) and isinstance(total, Read)
    return exp, total


def _step(eq: Equation, dtype: str) -> Tensor:
    return replace(eq.target, dtype=dtype)


def _named(eq: Equation, name: str) -> Tensor:
    return replace(eq.target, name=name, dtype="int32")


def exponentials(source: Quantisation) -> list[int]:
    """exp of each difference from -255 to 0, with no integer bits."""
    fraction = 31 - DIFFERENCE_BITS
    factor = quantised_multiplier(min(source.step * 2.0**fraction, 2.0**31 - 1))
    radius = math.floor(((1 << DIFFERENCE_BITS) - 1) * 2.0**fraction / 2.0 ** factor[1])
    return [
        exp_of_negative(scaled_number(difference, factor), DIFFERENCE_BITS)
        if difference >= -radius else 0
        for difference in range(-255, 1)
    ]  # fmt: skip
