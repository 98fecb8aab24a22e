"""What a network learns from: its loss on given inputs, and gradient descent as equations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from netsheet.classes import class_count
from netsheet.engine.goals import goal_named
from netsheet.engine.gradients import TARGET, run_equations, stored_loss, unused
from netsheet.equations import (
    FLOAT,
    Equation,
    Expr,
    FloatArray,
    Number,
    Tensor,
    Weight,
    affine,
    call,
    equation,
    indices_of,
    reads,
)
from netsheet.equations.evaluation import recurrences
from netsheet.errors import UnsupportedError
from netsheet.gradient import from_logits, loss_equations, shifts
from netsheet.gradient.descent import Descent, Passage, descent
from netsheet.network import Network

LABEL, OWN_INPUT, GIVEN = "label", "input", "given"  # what says what the network should give
CLASS, NUMBER, VALUES = "class", "number", "values"  # what a user is asked for; or OWN_INPUT
LOSS, RATE, MOVE = "loss", "rate", "h"  # names of values, beside the target's and the label's


@dataclass(frozen=True, eq=False)
class Lesson:
    """A network's loss, and steps of gradient descent.

    ``target`` is what it should give, filled by ``loss_rows`` from ``label`` (a class or a number)
    or from its own input; with neither it is given itself. ``taken`` is what the loss is computed
    from: the output, or the logits before it (``loss_name`` says so).
    """

    network: Network
    asked: str  # the loss by the name that it was asked for
    loss_name: str
    taken: Tensor
    target: Tensor
    label: Tensor | None
    loss_rows: list[Equation]
    loss: Tensor
    descent: Descent
    left_out: list[str] = field(default_factory=list)  # weights that do not learn, by name

    @property
    def given(self) -> list[Tensor]:
        """What has to be given beside the network's inputs."""
        found, filled = self.descent, {eq.target for eq in self.loss_rows}
        wanted = [found.rate, found.check.h, *found.check.picked.values()]
        wanted += [] if self.label is None else [self.label]
        return [*wanted, *([] if self.target in filled else [self.target])]

    @property
    def passages(self) -> list[Passage]:
        """Every step, the network behind them, and both passages that measure a slope."""
        return [*self.descent.steps, self.descent.after, *self.descent.check.passages]

    @property
    def equations(self) -> list[Equation]:
        """All of them, in the order of computation."""
        found, check = self.descent, self.descent.check
        made = [eq for step in (*found.steps, found.after) for eq in step.equations]
        made += check.moves
        made += [eq for passage in check.passages for eq in passage.equations]
        return [*made, *check.result]

    def computed(
        self, wanted: Sequence[Tensor], arrays: Mapping[str, FloatArray]
    ) -> dict[str, FloatArray]:
        """What ONNX Runtime makes of the equations, by name; arrays with a batch axis in front."""
        inputs = [tensor for tensor in self.network.inputs if tensor.name in arrays]
        given = [tensor for tensor in self.given if tensor.name in arrays]
        return run_equations(self._behind(wanted), [*inputs, *given], wanted, arrays)

    def _behind(self, wanted: Sequence[Tensor]) -> list[Equation]:
        """The equations that these tensors need; those of a recurrence stay together."""
        needed, kept = set(wanted), list[list[Equation]]()
        for group in reversed(list(recurrences(self.equations))):
            if any(eq.target in needed for eq in group):
                kept.append(group)
                needed |= {read.tensor for eq in group for read in reads(eq.value)}
        return [eq for group in reversed(kept) for eq in group]


def asked_for(network: Network, forward: Sequence[Equation]) -> str:
    """What a user is asked for: a class, a number, values, or nothing where it is the own input.

    Raises:
        UnsupportedError: the network has several outputs, or computes in whole numbers.
    """
    if any(tensor.dtype != FLOAT for tensor in (*network.inputs, *network.outputs)):
        raise UnsupportedError(
            f"{network.name} computes in whole numbers, which have no slopes: what learns is the "
            "network of real numbers that it was made from."
        )
    if len(network.outputs) != 1:
        raise UnsupportedError(
            f"{network.name} has {len(network.outputs)} outputs: what learns has one "
            "(--until names the layer to end with)."
        )
    (output,) = network.outputs
    if output.shape == (1,):
        return NUMBER
    if class_count(network.inputs, output, forward, network.training_config):
        return CLASS
    same = len(network.inputs) == 1 and network.inputs[0].shape == output.shape
    return OWN_INPUT if same and output.size > 1 else VALUES


def by_what(asked: str) -> str:
    """What fills the target, as :func:`lesson` takes it, for what a user is asked for."""
    return {OWN_INPUT: OWN_INPUT, VALUES: GIVEN}.get(asked, LABEL)


def lesson(
    network: Network,
    forward: Sequence[Equation],
    loss: str | None = None,
    steps: int = 1,
    by: str = LABEL,
    layers: Sequence[str] = (),
) -> Lesson:
    """The lesson of a network whose equations are ``forward``.

    Args:
        loss: one of :data:`netsheet.gradient.LOSSES`; None: that of the network's file.
        by: what says what the network should give: its ``label``, its own ``input``, or the values
            themselves, which are ``given``.
        layers: the names of those that learn; none: all that are trained.

    Raises:
        UsageError: there is no such loss, or the file names none.
        UnsupportedError: the network has several outputs, or nothing in it can learn.
    """
    name = stored_loss(network) if loss is None else goal_named(loss).loss
    if len(network.outputs) != 1:
        raise UnsupportedError(
            f"{network.name} has {len(network.outputs)} outputs: gradients take networks with one."
        )
    (output,) = network.outputs
    for own in (LOSS, TARGET, LABEL, RATE, MOVE):
        if unused(network, own) != own:
            raise UnsupportedError(
                f"{network.name} has a layer or input {own!r}: what learns has a value of that "
                "name. Give the layer another one."
            )
    asked = name
    name, taken = from_logits(name, output, forward)
    target = Tensor("target", taken.axes, taken.shape)
    rows, scalar = loss_equations(name, taken, target)
    label = Tensor("label", (), ()) if by == LABEL else None
    at = indices_of(target)
    if label is not None:
        one = call("equal", label[()], Number(affine(at[-1])))
        wanted: Expr = call("if", one, 1, 0) if target.shape[-1] > 1 else label[()]
        rows = [equation(target[at], wanted), *rows]
    elif by == OWN_INPUT:
        rows = [equation(target[at], network.inputs[0][at]), *rows]
    read = {read.tensor for eq in forward for read in reads(eq.value)}
    weights = [w for w in dict.fromkeys(_weights(network)) if w in read]
    learning = [weight for weight in weights if learns(network, weight, layers)]
    inputs = [tensor for tensor in network.inputs if tensor in read]
    found = descent([*forward, *rows], scalar, inputs, learning, steps, shifts(rows))
    if not found.weights:
        raise UnsupportedError(f"{network.name} has no weight that the loss depends on.")
    left_out = [weight.name for weight in weights if weight not in found.weights]
    return Lesson(network, asked, name, taken, target, label, rows, scalar, found, left_out)


def _weights(network: Network) -> list[Weight]:
    return [weight for layer in network.layers.values() for weight in layer.weights.values()]


def learns(network: Network, weight: Weight, layers: Sequence[str] = ()) -> bool:
    """True for weights of layers that are trained, except for statistics, which are measured.

    ``layers`` names those that are asked for; none: all.
    """
    for layer in network.layers.values():
        for label, own in layer.weights.items():
            if own is weight:
                return label in layer.learnt and (not layers or layer.name in layers)
    return False


def filled(count: int, number: float) -> FloatArray:
    """One number for each of ``count`` samples."""
    return np.full(count, number, np.float32)
