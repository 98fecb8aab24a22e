"""Equations as text: every index has a name of its own."""

from __future__ import annotations

from netsheet.equations import Index, Tensor, equation, reduce
from netsheet.write.mathematics import latex, ranges, text


def test_two_indices_of_one_name_are_told_apart() -> None:
    x = Tensor("x", ("channel", "channel2"), (3, 2))
    y = Tensor("y", ("channel",), (2,))
    inner, outer = Index("c", 3), Index("c", 2)
    eq = equation(y[outer], reduce("sum", [inner], x[inner, outer]))
    assert text(eq) == "y[c] = sum(c') x[c', c]"
    assert ranges(eq) == "c = 0..1; c' = 0..2"
    assert latex(eq) == r"\mathrm{y}_{c} = \sum_{c'} \mathrm{x}_{c',c}"
