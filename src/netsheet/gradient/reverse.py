"""Reverse mode over equations: adjoints, from the loss back to what is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field

from netsheet.equations import (
    FLOAT,
    Const,
    Equation,
    Expr,
    Guard,
    Index,
    Number,
    Position,
    Read,
    Tensor,
    affine,
    call,
    equation,
    indices_of,
    reads,
    substituted,
    value,
)
from netsheet.equations.evaluation import recurrences
from netsheet.errors import UnsupportedError
from netsheet.gradient.derivative import contributions
from netsheet.gradient.inverse import gathered
from netsheet.gradient.reductions import Helpers, apart, numbered, reduction_of, with_helpers


@dataclass
class Gradients:
    """The equations of a network, those behind them that fill adjoints, and the adjoints.

    ``forward`` computes what the network computes, each reduction in an equation of its own;
    ``backward`` reads it. ``adjoints`` has the tensor ``<tensor>/grad`` of each tensor that the
    loss depends on; one that is not in it has the gradient 0. ``points`` are tensors of the
    numbers of points, whatever is computed.
    """

    forward: list[Equation]
    backward: list[Equation]
    adjoints: dict[Tensor, Tensor]
    points: frozenset[Tensor] = frozenset()

    @property
    def equations(self) -> list[Equation]:
        """Forward, then backward."""
        return [*self.forward, *self.backward]

    @property
    def flat(self) -> set[Tensor]:
        """Adjoints that are 0 whatever goes in: behind them everything goes through steps."""
        adjoints, found = set(self.adjoints.values()), set[Tensor]()
        for eq in self.backward:
            read = {read.tensor for read in reads(eq.value)} & adjoints
            nothing = isinstance(eq.value, Const) and eq.value.value == 0
            if eq.target in adjoints and (nothing or (read and read <= found)):
                found.add(eq.target)
        return found


def gradients(
    equations: Iterable[Equation],
    loss: Tensor,
    wanted: Sequence[Tensor],
    constant: Sequence[Tensor] = (),
) -> Gradients:
    """Adjoints of every tensor between ``wanted`` and ``loss``, which is a single number.

    Reverse mode (Linnainmaa, 1970): for y = f(x), the adjoint of x gets that of y times df/dx. A
    maximum passes its adjoint to the first element that attains it, as Keras does. Positions have
    no gradient.

    Args:
        equations: in the order of computation; they fill ``loss``.
        loss: a tensor without axes.
        wanted: inputs and weights for which the gradient is needed.
        constant: what the loss is known not to depend on, whatever it reads (a number that is
            subtracted and added again).

    Raises:
        ValueError: the loss has axes.
        UnsupportedError: something is computed in whole numbers, which have no gradients.
    """
    equations = list(equations)
    for eq in equations:
        if eq.target.dtype != FLOAT:
            raise UnsupportedError(
                f"{eq.target.name!r} is computed in whole numbers, which have no gradients: take "
                "the network that it was quantised from"
            )
    if loss.shape:
        raise ValueError(f"{loss.name} has the shape {loss.shape}: a loss is one number")
    forward, helpers = with_helpers(apart(equations))
    backward = _Backward(_between(forward, loss, wanted) - set(constant), helpers)
    backward.seed(loss)
    for group in reversed(list(recurrences(forward))):
        backward.through(group)
    for tensor in wanted:
        if tensor in backward.active:
            backward.fill(tensor)
    points = frozenset([*helpers.first.values(), *helpers.count.values()])
    return Gradients(forward, backward.equations, backward.adjoints, points)


def _between(equations: Sequence[Equation], loss: Tensor, wanted: Sequence[Tensor]) -> Set[Tensor]:
    """Tensors that depend on what is wanted and that the loss depends on."""
    reading = [(eq.target, {read.tensor for read in reads(eq.value)}) for eq in equations]
    depending, needed = set(wanted), {loss}
    before = -1
    while before != len(depending) + len(needed):  # a recurrence may need a second round
        before = len(depending) + len(needed)
        for target, sources in reading:
            if sources & depending:
                depending.add(target)
        for target, sources in reversed(reading):
            if target in needed:
                needed |= sources
    return needed & depending


@dataclass(frozen=True, eq=False)
class _Use:
    """One read of a tensor: what a point of ``indices`` and ``over`` gives to the adjoint."""

    read: Read
    part: Expr
    indices: tuple[Index, ...]
    over: tuple[Index, ...]
    where: tuple[Guard, ...]


@dataclass
class _Backward:
    """Adjoints in the making; ``active`` are the tensors that need one."""

    active: Set[Tensor]
    helpers: Helpers
    equations: list[Equation] = field(default_factory=list)
    adjoints: dict[Tensor, Tensor] = field(default_factory=dict)
    uses: dict[Tensor, list[_Use]] = field(default_factory=dict)
    filled: set[Tensor] = field(default_factory=set)

    def adjoint(self, tensor: Tensor) -> Tensor:
        """``<tensor>/grad``, of the tensor's own axes."""
        if tensor not in self.adjoints:
            self.adjoints[tensor] = Tensor(f"{tensor.name}/grad", tensor.axes, tensor.shape)
        return self.adjoints[tensor]

    def seed(self, loss: Tensor) -> None:
        """The loss changes as itself."""
        self.equations.append(equation(self.adjoint(loss)[()], 1))
        self.filled.add(loss)

    def through(self, group: Sequence[Equation]) -> None:
        """From the adjoints of what a group of equations fills to those of what it reads.

        A recurrence is run backwards: at its step s it fills the adjoints of step T - 1 - s.
        """
        members = [eq for eq in group if eq.target in self.active]
        if group[0].time is None:
            for eq in members:
                self.fill(eq.target)
                self._collect(eq)
            return
        for eq in members:
            self._collect(eq)
        step = Index(group[0].time.name, group[0].time.size)
        targets = [eq.target for eq in members]
        for eq in reversed(members):
            if targets.count(eq.target) > 1:
                self._fill_part(eq, step)
            else:
                self._fill_step(eq, step)

    # ------------------------------------------------------------------ filling

    def fill(self, tensor: Tensor) -> None:
        """The equation of the tensor's adjoint: everything that reads the tensor is known."""
        if tensor not in self.filled:
            self._fill(tensor, indices_of(tensor), None)

    def _fill_step(self, eq: Equation, step: Index) -> None:
        if eq.target in self.filled:
            return
        assert eq.time is not None
        mirrored = {eq.time: affine(eq.time.size - 1) - step}
        at: list[Position] = list(indices_of(eq.target))
        for axis, place in enumerate(eq.at):
            if eq.time in place.indices():
                at[axis] = substituted(place, mirrored)
        self._fill(eq.target, at, step)

    def _fill_part(self, eq: Equation, step: Index) -> None:
        """The adjoint of what one equation fills of a tensor that several fill in each step.

        Between two of them others may read the first part, as a GRU resets its state.
        """
        assert eq.time is not None
        moved: dict[Index, Position] = {i: Index(i.name, i.size) for i in eq.indices}
        moved[eq.time] = affine(eq.time.size - 1) - step
        self._fill(eq.target, [substituted(place, moved) for place in eq.at], step)

    def _fill(self, tensor: Tensor, at: Sequence[Position], step: Index | None) -> None:
        total: Expr = value(0)
        for number, use in enumerate(self.uses.get(tensor, [])):
            part = gathered(use.read, use.part, use.indices, use.over, use.where, at)
            total = part if number == 0 else total + part
        self.equations.append(equation(self.adjoint(tensor)[tuple(at)], total, step))
        self.filled.add(tensor)

    # ------------------------------------------------------------------ collecting

    def _collect(self, eq: Equation) -> None:
        """What the equation contributes to the adjoints of what it reads."""
        own, d = Read(eq.target, eq.at), _read(self.adjoint(eq.target), eq)
        whole = reduction_of(eq)
        if whole is None:
            self._use(contributions(eq.value, d, own), eq.indices, (), ())
            return
        node, where = whole
        place = numbered(node.over)
        if node.op in ("max", "min"):
            first = self.helpers.first[eq.target][eq.at]
            d = call("if", call("equal", first, Number(place)), d, 0)
        elif node.op == "mean":
            d = d / self.helpers.count[eq.target][eq.at]
        elif node.op == "prod":
            d = d * self.helpers.others[eq.target][(*eq.at, place)]
        self._use(contributions(node.body, d), eq.indices, node.over, (*where, *node.where))

    def _use(
        self,
        parts: Iterable[tuple[Read, Expr]],
        indices: tuple[Index, ...],
        over: tuple[Index, ...],
        where: tuple[Guard, ...],
    ) -> None:
        for read, part in parts:
            if read.tensor in self.active:
                self.uses.setdefault(read.tensor, []).append(_Use(read, part, indices, over, where))


def _read(tensor: Tensor, eq: Equation) -> Expr:
    """The element of ``tensor`` that the equation fills in its own target."""
    return tensor[eq.at]
