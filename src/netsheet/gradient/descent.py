"""Gradient descent written out: each step a forward pass, adjoints and new weights.

A step's weights are those that the step before has made, so that K steps are K copies of the same
equations. Two further copies, with one weight a little larger and a little smaller, measure what
the adjoint of that weight says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netsheet.equations import (
    Equation,
    Expr,
    Number,
    Read,
    Tensor,
    Transform,
    Weight,
    call,
    copied,
    equation,
    indices_of,
    on_reads,
    reads,
    reduce,
    value,
)
from netsheet.gradient.reductions import numbered
from netsheet.gradient.reverse import gradients


@dataclass(frozen=True, eq=False)
class Passage:
    """The network computed once: up to its loss, and back where adjoints are asked for.

    ``mark`` stands behind the names of its tensors (nothing for the first passage), ``tensors`` has
    them by those of the first. ``backward`` fills what slopes need besides, then adjoints, then
    the new weights.
    """

    mark: str
    forward: list[Equation]
    backward: list[Equation]
    loss: Tensor
    tensors: Mapping[Tensor, Tensor]

    @property
    def equations(self) -> list[Equation]:
        """Forward, then backward."""
        return [*self.forward, *self.backward]


@dataclass(frozen=True, eq=False)
class SlopeCheck:
    """The slope of the loss along one weight, measured: (L(w + h) - L(w - h)) / 2h.

    ``picked`` has, for each weight, a number that is given: which of its elements is moved, or -1.
    ``moves`` fill arrays of zeros, with h for that element, and the weights moved up and down.
    """

    h: Tensor
    picked: Mapping[Tensor, Tensor]
    moves: list[Equation]
    passages: tuple[Passage, Passage]
    result: list[Equation]
    adjoint: Tensor  # what reverse mode says of the picked element
    measured: Tensor


@dataclass(frozen=True, eq=False)
class Descent:
    """``steps`` one after another, then the network with the last weights (``after``)."""

    rate: Tensor
    weights: list[Weight]
    adjoints: Mapping[Tensor, Tensor]  # of the first step, by what they belong to
    new: Mapping[Tensor, Tensor]  # by the weight, what the first step makes of it
    steps: list[Passage]
    after: Passage
    check: SlopeCheck

    @property
    def losses(self) -> list[Tensor]:
        """Before each step, and behind the last one."""
        return [*(step.loss for step in self.steps), self.after.loss]


def descent(
    equations: Sequence[Equation],
    loss: Tensor,
    inputs: Sequence[Tensor],
    weights: Sequence[Weight],
    steps: int = 1,
    constant: Sequence[Tensor] = (),
) -> Descent:
    """Plain gradient descent: new weight = weight - rate * adjoint.

    Args:
        equations: of the network and of its loss, in order.
        inputs: whose adjoints are wanted besides.
        constant: as for :func:`netsheet.gradient.gradients`.
        weights: that learn; those that the loss does not depend on are left out.
    """
    rate = Tensor("rate", (), ())
    found = gradients(equations, loss, [*weights, *inputs], constant)
    own = {eq.target for eq in equations}
    kept = [found.adjoints[t] for t in (*own, *weights, *inputs) if t in found.adjoints]
    backward = without_renamings(found.backward, kept)
    adjoints = {tensor: adjoint for tensor, adjoint in found.adjoints.items()
                if any(eq.target is adjoint for eq in backward)}  # fmt: skip
    helpers = needed((eq for eq in found.forward if eq.target not in own), backward)
    learning = [weight for weight in weights if weight in adjoints]
    new: dict[Tensor, Tensor] = {weight: weight.like("new") for weight in learning}
    for weight in learning:
        at = indices_of(weight)
        less = rate[()] * adjoints[weight][at]
        backward.append(equation(new[weight][at], weight[at] - less))
    first = Passage("", list(equations), [*helpers, *backward], loss, {})
    passages, before = [first], new
    for number in range(2, steps + 1):
        passages.append(_again(first, f"(step {number})", before))
        before = {weight: passages[-1].tensors[new[weight]] for weight in learning}
    after = _again(first, "(after)", before, back=False)
    check = _check(first, learning, adjoints)
    return Descent(rate, learning, adjoints, new, passages, after, check)


def _again(
    first: Passage, mark: str, weights: Mapping[Tensor, Tensor], back: bool = True
) -> Passage:
    """The first passage with other weights; what depends on none of them is not repeated."""
    depending: set[Tensor] = set(weights)
    repeated: list[Equation] = []
    count = 0
    for number, eq in enumerate(first.equations if back else first.forward):
        if eq.target in depending or any(read.tensor in depending for read in reads(eq.value)):
            depending.add(eq.target)
            repeated.append(eq)
            count += number < len(first.forward)
    made, tensors = copied(repeated, mark, weights)
    return Passage(mark, made[:count], made[count:], tensors.get(first.loss, first.loss), tensors)


def _check(
    first: Passage, weights: Sequence[Weight], adjoints: Mapping[Tensor, Tensor]
) -> SlopeCheck:
    h = Tensor("h", (), ())
    picked: dict[Tensor, Tensor] = {w: Tensor(f"{w.name}/picked", (), ()) for w in weights}
    moves: list[Equation] = []
    up, down = dict[Tensor, Tensor](), dict[Tensor, Tensor]()
    total: Expr = value(0)
    for number, weight in enumerate(weights):
        at = indices_of(weight)
        move, up[weight], down[weight] = (weight.like(n) for n in ("move", "up", "down"))
        here = call("equal", picked[weight][()], Number(numbered(at)))
        moves.append(equation(move[at], call("if", here, h[()], 0)))
        moves.append(equation(up[weight][at], weight[at] + move[at]))
        moves.append(equation(down[weight][at], weight[at] - move[at]))
        over = indices_of(weight)
        part = weight.step("slope", (), ())
        moved = move[over] * adjoints[weight][over]
        moves.append(equation(part[()], reduce("sum", over, moved)))
        total = part[()] if number == 0 else total + part[()]
    higher = _again(first, "(w + h)", up, back=False)
    lower = _again(first, "(w - h)", down, back=False)
    adjoint, measured = Tensor("slope/adjoint", (), ()), Tensor("slope/measured", (), ())
    result = [
        equation(adjoint[()], total / h[()]),
        equation(measured[()], (higher.loss[()] - lower.loss[()]) / (2 * h[()])),
    ]
    return SlopeCheck(h, picked, moves, (higher, lower), result, adjoint, measured)


def needed(available: Iterable[Equation], by: Iterable[Equation]) -> list[Equation]:
    """Those of the available equations, in order, that the others read, or that these read."""
    listed = list(available)
    wanted = {read.tensor for eq in by for read in reads(eq.value)}
    kept: list[Equation] = []
    for eq in reversed(listed):
        if eq.target in wanted:
            kept.append(eq)
            wanted |= {read.tensor for read in reads(eq.value)}
    return kept[::-1]


def without_renamings(equations: Iterable[Equation], kept: Iterable[Tensor]) -> list[Equation]:
    """Equations without those that only give a tensor another name, unless it is to be ``kept``."""
    keep, names = set(kept), dict[Tensor, Tensor]()

    def read(node: Read) -> Expr:
        return Read(names[node.tensor], node.at) if node.tensor in names else node

    rewriting, result = Transform(on_reads(read)), []
    for eq in equations:
        eq = rewriting.equation(eq)
        same = isinstance(eq.value, Read) and eq.value.at == eq.at
        if same and eq.target not in keep and eq.value.tensor.shape == eq.target.shape:  # type: ignore[attr-defined]
            names[eq.target] = eq.value.tensor  # type: ignore[attr-defined]
        else:
            result.append(eq)
    return result
