"""LSTM, GRU and RNN with ONNX's order of gates, one or both directions.

Gates lie behind each other in the rows of W and R: input, output, forget, cell in an LSTM; update,
reset, hidden in a GRU. The bias has the input's part first, then the recurrent one's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Guard,
    Index,
    Position,
    Tensor,
    Value,
    Weight,
    affine,
    call,
    equation,
    reduce,
    select,
)
from netsheet.errors import UnsupportedError
from netsheet.operators.base import Formula, OnnxNode, Shape

Function = Callable[[Expr], Expr]


class Parametric(NamedTuple):
    """An activation with ONNX's defaults for its parameters; None where it has none."""

    alpha: float | None
    beta: float | None
    make: Callable[[Expr, float, float], Expr]


FUNCTIONS: dict[str, Parametric] = {
    "sigmoid": Parametric(None, None, lambda x, a, b: call("sigmoid", x)),
    "tanh": Parametric(None, None, lambda x, a, b: call("tanh", x)),
    "relu": Parametric(None, None, lambda x, a, b: call("max", x, 0)),
    "softsign": Parametric(None, None, lambda x, a, b: x / (1 + call("abs", x))),
    "softplus": Parametric(None, None, lambda x, a, b: call("log", 1 + call("exp", x))),
    "hardsigmoid": Parametric(0.2, 0.5, lambda x, a, b: call("max", 0, call("min", 1, x * a + b))),
    "affine": Parametric(1.0, 0.0, lambda x, a, b: x * a + b),
    "leakyrelu": Parametric(0.01, None, lambda x, a, b: call("if", call("less", x, 0), x * a, x)),
    "thresholdedrelu": Parametric(1.0, None, lambda x, a, b: call("if", call("less", a, x), x, 0)),
    "elu": Parametric(
        1.0, None, lambda x, a, b: call("if", call("less", x, 0), (call("exp", x) - 1) * a, x)
    ),
    "scaledtanh": Parametric(1.0, 1.0, lambda x, a, b: call("tanh", x * b) * a),
}


def activations(
    names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]
) -> list[Function]:
    """The functions of these names; parameters are taken by those that have them, in order."""
    alpha_left, beta_left = list(alphas), list(betas)

    def function(name: str) -> Function:
        kind = FUNCTIONS[name]
        a = kind.alpha if kind.alpha is None or not alpha_left else alpha_left.pop(0)
        b = kind.beta if kind.beta is None or not beta_left else beta_left.pop(0)
        return lambda x: kind.make(x, float(a or 0.0), float(b or 0.0))

    return [function(name) for name in names]


@dataclass(frozen=True)
class Direction:
    """One direction of a recurrent operator: what its steps read, and where they write."""

    node: OnnxNode
    number: int
    backwards: bool
    functions: tuple[Function, ...]

    @property
    def batch_first(self) -> bool:
        """``layout`` 1: the batch is the first axis."""
        return bool(self.node.attr("layout", 0))

    @property
    def hidden(self) -> int:
        """Number of units."""
        return int(self.node.input(2).shape[2])

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return self.node.input(0).shape[1 if self.batch_first else 0]

    @property
    def batch(self) -> int:
        """Number of sequences."""
        return self.node.input(0).shape[0 if self.batch_first else 1]

    def place(self, t: Position) -> Affine:
        """The time step that step ``t`` of the computation works on."""
        return self.steps - 1 - affine(t) if self.backwards else affine(t)

    def gate(self, number: int, t: Index, b: Index, j: Position) -> Expr:
        """The input's share of a gate, with all biases that are added outside."""
        x, w = self.node.input(0), self.node.input(1)
        i = Index("i", w.shape[2])
        at = self.place(t)
        source = x[b, at, i] if self.batch_first else x[at, b, i]
        return reduce("sum", (i,), source * w[self.number, number * self.hidden + affine(j), i])

    def recurrent(self, number: int, before: Callable[[Index], Expr], j: Position) -> Expr:
        """The state's share of a gate."""
        r = self.node.input(2)
        k = Index("k", self.hidden)
        row = number * self.hidden + affine(j)
        return reduce("sum", (k,), before(k) * r[self.number, row, k])

    def bias(self, number: int, j: Position) -> Value:
        """A bias; the recurrent ones follow those of the input."""
        if not self.node.has(3):
            return 0
        return self.node.input(3)[self.number, number * self.hidden + affine(j)]

    def peephole(self, number: int, state: Expr, j: Position) -> Value:
        """The cell state's share of a gate of an LSTM."""
        if not self.node.has(7):
            return 0
        return state * self.node.input(7)[self.number, number * self.hidden + affine(j)]

    def initial(self, index: int, b: Index, j: Position) -> Value:
        """A state before the first step; 0 unless given."""
        if not self.node.has(index):
            return 0
        tensor = self.node.input(index)
        return tensor[b, self.number, j] if self.batch_first else tensor[self.number, b, j]

    def before(self, state: Tensor, index: int, t: Index, b: Index, j: Position) -> Expr:
        """A state after the step before."""
        inside = Guard(t - 1, 0, self.steps)
        return select([inside], state[t - 1, b, j], self.initial(index, b, j))


def _lstm(d: Direction, h: Tensor, c: Tensor, step: Callable[[str], Tensor]) -> list[Equation]:
    t, b, j = Index("t", d.steps), Index("b", d.batch), Index("j", d.hidden)
    f, g, o = d.functions
    gates = [step(name) for name in ("input_gate", "output_gate", "forget_gate", "new")]

    def sums(number: int) -> Expr:
        before = d.recurrent(number, lambda k: d.before(h, 5, t, b, k), j)
        return d.gate(number, t, b, j) + before + d.bias(number, j) + d.bias(4 + number, j)

    old = d.before(c, 6, t, b, j)
    entry, leave, keep, new = (gate[t, b, j] for gate in gates)
    return [
        equation(entry, f(sums(0) + d.peephole(0, old, j)), t),
        equation(keep, f(sums(2) + d.peephole(2, old, j)), t),
        equation(new, g(sums(3)), t),
        equation(c[t, b, j], keep * old + entry * new, t),
        equation(leave, f(sums(1) + d.peephole(1, c[t, b, j], j)), t),
        equation(h[t, b, j], leave * o(c[t, b, j]), t),
    ]


def _gru(d: Direction, h: Tensor, c: Tensor, step: Callable[[str], Tensor]) -> list[Equation]:
    t, b, j = Index("t", d.steps), Index("b", d.batch), Index("j", d.hidden)
    f, g = d.functions
    update, reset, new = step("update_gate"), step("reset_gate"), step("new")

    def before(k: Index) -> Expr:
        return d.before(h, 5, t, b, k)

    def gate(number: int) -> Expr:
        biases = d.bias(number, j) + d.bias(3 + number, j)
        return f(d.gate(number, t, b, j) + d.recurrent(number, before, j) + biases)

    if d.node.attr("linear_before_reset", 0):
        inner = (d.recurrent(2, before, j) + d.bias(5, j)) * reset[t, b, j]
    else:
        inner = d.recurrent(2, lambda k: before(k) * reset[t, b, k], j) + d.bias(5, j)
    z = update[t, b, j]
    return [
        equation(z, gate(0), t),
        equation(reset[t, b, j], gate(1), t),
        equation(new[t, b, j], g(d.gate(2, t, b, j) + inner + d.bias(2, j)), t),
        equation(h[t, b, j], (1 - z) * new[t, b, j] + z * before(j), t),
    ]


def _rnn(d: Direction, h: Tensor, c: Tensor, step: Callable[[str], Tensor]) -> list[Equation]:
    t, b, j = Index("t", d.steps), Index("b", d.batch), Index("j", d.hidden)
    total = d.recurrent(0, lambda k: d.before(h, 5, t, b, k), j) + d.bias(0, j) + d.bias(1, j)
    return [equation(h[t, b, j], d.functions[0](d.gate(0, t, b, j) + total), t)]


Cell = Callable[[Direction, Tensor, Tensor, Callable[[str], Tensor]], list[Equation]]


def _directions(node: OnnxNode, defaults: Sequence[str]) -> list[Direction]:
    kind = node.attr("direction", "forward")
    count = 2 if kind == "bidirectional" else 1
    names = [name.lower() for name in node.attr("activations") or [*defaults] * count]
    if any(name not in FUNCTIONS for name in names):
        raise UnsupportedError(f"{node.op} with the activations {names} is not computed")
    if node.attr("clip") or node.attr("input_forget", 0):
        raise UnsupportedError(f"{node.op} with clip or input_forget is not computed")
    size = len(defaults)
    functions = activations(
        names, node.attr("activation_alpha") or (), node.attr("activation_beta") or ()
    )
    return [
        Direction(
            node,
            n,
            kind == "reverse" or n == 1,
            tuple(functions[n * size : (n + 1) * size]),
        )
        for n in range(count)
    ]


def _check_lengths(node: OnnxNode, steps: int) -> None:
    """Sequences of different lengths are not computed."""
    if node.has(4):
        lengths = node.input(4)
        if not isinstance(lengths, Weight) or np.any(lengths.values != steps):
            raise UnsupportedError(f"{node.op} over sequences of different lengths")


def recurrent(cell: Cell, defaults: Sequence[str], states: int) -> Any:
    """The rule of a recurrent operator whose cell has one or two states."""

    def rule(node: OnnxNode) -> Formula:
        directions = _directions(node, defaults)
        first = directions[0]
        _check_lengths(node, first.steps)
        count, hidden = len(directions), first.hidden
        whole: Shape = (first.steps, count, first.batch, hidden)
        last: Shape = (count, first.batch, hidden)
        if first.batch_first:
            whole, last = (first.batch, first.steps, count, hidden), (first.batch, count, hidden)

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            result: list[Equation] = []
            for d in directions:
                result += _direction(cell, d, outputs)
            return result

        shapes = [whole, *[last] * states][: node.outputs]
        return Formula(shapes, [node.dtype()] * len(shapes), write)

    return rule


def _direction(cell: Cell, d: Direction, outputs: Sequence[Tensor]) -> list[Equation]:
    """All steps of one direction, and its part of the outputs."""
    side = "backward" if d.backwards else "forward"
    axes, shape = ("time", "batch", "unit"), (d.steps, d.batch, d.hidden)

    def step(name: str) -> Tensor:
        return outputs[0].step(f"{side}/{name}", axes, shape)

    h, c = step("state"), step("cell")
    result = cell(d, h, c, step)
    t, b, j = Index("t", d.steps), Index("b", d.batch), Index("j", d.hidden)
    y, place = outputs[0], d.place(t)
    target = y[b, place, d.number, j] if d.batch_first else y[place, d.number, b, j]
    result.append(equation(target, h[t, b, j]))
    for tensor, state in zip(outputs[1:], (h, c), strict=False):
        target = tensor[b, d.number, j] if d.batch_first else tensor[d.number, b, j]
        result.append(equation(target, state[d.steps - 1, b, j]))
    return result


ROWS: dict[str, Any] = {
    "LSTM": recurrent(_lstm, ("sigmoid", "tanh", "tanh"), 2),
    "GRU": recurrent(_gru, ("sigmoid", "tanh"), 1),
    "RNN": recurrent(_rnn, ("tanh",), 1),
}
