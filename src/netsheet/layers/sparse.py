"""Activations with exact zeros: sparse sigmoid and sparsemax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.equations import Equation, Expr, Index, Position, Tensor, call, equation, reduce
from netsheet.layer import Layer, Signature
from netsheet.layers.base import Along, Elementwise


class SparseSigmoid(Elementwise):
    """``(x + 1) / 2`` between 0 and 1."""

    def formula(self, x: Expr) -> Expr:
        return call("max", call("min", x * 0.5 + 0.5, 1), 0)


@dataclass(eq=False, kw_only=True)
class Sparsemax(Layer):
    """``max(x - tau, 0)`` along ``axis``, as Keras 3 computes it.

    An element is in the support if ``1 + k x > s``, k being the number of elements as large and s
    their sum (Martins, Astudillo 2016). Keras's tau is ``(sum of s over the support - 1)`` by the
    number of elements in the support; the paper has only the smallest element's s there.
    """

    axis: int = -1

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return [Signature(inputs[0].axes, inputs[0].shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        along = Along(x, self.axis, self.name)
        at, rest, place = along.at, along.rest, along.axes[0]
        support, total, tau = y.like("support"), y.like("total"), along.step(y, "tau")
        other: list[Position] = list(at)
        j = Index("j", x.shape[place])
        other[place] = j
        larger = call("less_equal", x[at], x[tuple(other)])
        number = reduce("sum", (j,), larger)
        inside = support[at]
        return [
            equation(total[at], reduce("sum", (j,), larger * x[tuple(other)])),
            equation(support[at], call("less", total[at], number * x[at] + 1)),
            equation(
                tau[rest],
                (reduce("sum", along.over, inside * total[at]) - 1)
                / reduce("sum", along.over, inside),
            ),
            equation(y[at], call("max", x[at] - tau[rest], 0)),
        ]
