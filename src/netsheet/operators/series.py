"""What is added up along an axis, and polynomials."""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import Equation, Guard, Index, Tensor, call, equation, reduce
from netsheet.operators.array_ops import inner
from netsheet.operators.base import Formula, OnnxNode, Rule, indices


def accumulated_exponentials(axis: int, reverse: bool) -> Rule:
    """``y[i] = log(sum(j <= i) exp(x[j]))`` along an axis, without overflow.

    The largest value so far is taken out first (tf.math.cumulative_logsumexp).
    """

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        place = inner(axis, len(x.shape))
        size = x.shape[place]

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            y = outputs[0]
            largest, summed = y.like("max"), y.like("sum")
            at = indices(x.shape)
            j = Index("j", size)
            source = (*at[:place], j, *at[place + 1 :])
            so_far = [Guard(j - at[place] if reverse else at[place] - j, 0, size)]
            powers = call("exp", x[source] - largest[at])
            return [
                equation(largest[at], reduce("max", (j,), x[source], so_far)),
                equation(summed[at], reduce("sum", (j,), powers, so_far)),
                equation(y[at], call("log", summed[at]) + largest[at]),
            ]

        return Formula([x.shape], [node.dtype()], write)

    return rule
