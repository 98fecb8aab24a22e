"""What every recurrence is written with: its states, and one step of its loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from netsheet.equations import (
    Equation,
    Expr,
    Guard,
    Index,
    Position,
    Tensor,
    Value,
    call,
    equation,
    indices_of,
    lift,
    reduce,
    select,
    value,
)
from netsheet.layer import Layer, Signature
from netsheet.layers.base import Elementwise

Reader = Callable[[tuple[Index, ...]], Value]


@dataclass(frozen=True)
class State:
    """A state over time and, if given, what it is before the first step (zeros otherwise)."""

    tensor: Tensor
    initial: Tensor | None

    def before(self, t: Index, at: Sequence[Position]) -> Expr:
        """The state at ``at`` after step t - 1."""
        first: Value = 0 if self.initial is None else self.initial[tuple(at)]
        return after_first(t, lambda past: self.tensor[(past, *at)], first)

    def total(
        self,
        t: Index,
        over: Sequence[Index],
        at: Sequence[Position],
        factor: Expr,
        where: Sequence[Guard] = (),
    ) -> Expr:
        """``sum(over) state[t - 1, at] * factor`` where the guards hold."""
        first: Value = 0
        if self.initial is not None:
            first = reduce("sum", over, self.initial[tuple(at)] * factor, where)
        return after_first(
            t, lambda past: reduce("sum", over, self.tensor[(past, *at)] * factor, where), first
        )


def after_first(t: Index, later: Callable[[Position], Expr], first: Value) -> Expr:
    """``later(t - 1)`` from the second step on."""
    if t.size == 1:
        return value(first)
    return select([Guard(t + 0, 1, t.size)], later(t - 1), first)


@dataclass(frozen=True)
class Dropped:
    """What a cell drops in training, with masks of their own for its gates, alike in all steps.

    ``inputs`` (time, gate, in) are the inputs that each gate reads; None: all read ``x``.
    ``kept`` (gate, unit) are the factors of the first state, which each gate reads as ``past``
    (time, gate, unit); None: it is read as it is. Source: keras/src/layers/rnn/{lstm,gru}.py.
    """

    inputs: Tensor | None
    kept: Tensor | None
    past: Tensor | None


@dataclass(frozen=True)
class Step:
    """Step ``t`` of a loop: what a cell reads and under which name it writes.

    The input ``x`` is read at ``source`` along its first axis, ``mask`` (or None) at ``masked``;
    intermediate tensors are named ``<key>/<prefix><name>``.
    """

    key: Tensor
    prefix: str
    t: Index
    x: Tensor
    source: Position
    mask: Tensor | None
    masked: Position
    dropped: Dropped | None = None

    def gate(self, name: str, signature: Signature) -> Tensor:
        """An intermediate tensor with one row for each step."""
        shape = tuple(size or 0 for size in signature.shape)
        return self.key.step(self.prefix + name, ("time", *signature.axes), (self.t.size, *shape))

    def fill(self, target: Tensor, formula: Reader) -> Equation:
        """``target[t, at] = formula(at)``."""
        at = indices_of(target)[1:]
        return equation(target[(self.t, *at)], formula(at), self.t)

    def advance(self, state: State, formula: Reader) -> Equation:
        """Fills a state: ``formula(at)``, or the state before where the step is masked."""
        if self.mask is None:
            return self.fill(state.tensor, formula)
        kept = self.mask[self.masked]
        return self.fill(
            state.tensor, lambda at: call("if", kept, formula(at), state.before(self.t, at))
        )

    def activate(self, activation: Layer | None, out: Tensor, pre: Reader) -> list[Equation]:
        """``out[t] = activation(pre)``; one that mixes elements gets the visible step ``/pre``."""
        if activation is None:
            return [self.fill(out, pre)]
        if isinstance(activation, Elementwise):
            function = activation.formula
            return [self.fill(out, lambda at: function(value(pre(at))))]
        before = out.like("pre")
        return [self.fill(before, pre), *self._lifted(activation, before, out)]

    def through(self, activation: Layer | None, source: Tensor) -> tuple[list[Equation], Reader]:
        """``activation(source[t])`` to be read inside a formula, and the equations it needs."""
        if activation is None:
            return [], lambda at: source[(self.t, *at)]
        if isinstance(activation, Elementwise):
            function = activation.formula
            return [], lambda at: function(source[(self.t, *at)])
        out = source.like("activated")
        return self._lifted(activation, source, out), lambda at: out[(self.t, *at)]

    def _lifted(self, activation: Layer, before: Tensor, out: Tensor) -> list[Equation]:
        now = [Tensor(part.name, part.axes[1:], part.shape[1:]) for part in (before, out)]
        inner = activation.equations(now[:1], now[1:])
        lifted = lift(inner, self.t, {now[0]: before, now[1]: out}, "time")
        return [replace(eq, time=self.t) for eq in lifted]
