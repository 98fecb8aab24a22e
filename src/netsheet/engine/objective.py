"""What a training makes small: the losses of all outputs over a batch, and what penalties add."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from netsheet.engine.goals import Goal
from netsheet.engine.outputs import keras_major
from netsheet.equations import (
    Batch,
    Equation,
    Expr,
    Tensor,
    Weight,
    call,
    copied,
    equation,
    indices_of,
    reduce,
    value,
)
from netsheet.errors import UnsupportedError
from netsheet.gradient import from_logits, loss_equations, shifts
from netsheet.layer import Layer
from netsheet.network import Network, Node
from netsheet.regularizers import ACTIVITY, Regularizer

# What is given beside the network's inputs.
TARGET, COUNTS, PRESENT = "training/target", "training/counts", "training/present"


@dataclass
class Objective:
    """The whole loss over a batch, each output's own, and the targets that have to be given.

    ``outputs``, their ``masks`` and ``losses`` are tensors in the order of the network's outputs;
    ``equations`` compute the losses from the outputs. ``counts`` says how much each sample counts.
    The loss does not depend on what is ``constant``, whatever it reads.
    """

    total: Tensor
    counts: Tensor
    outputs: list[Tensor] = field(default_factory=list)
    masks: list[Tensor | None] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)
    targets: list[Tensor] = field(default_factory=list)
    constant: list[Tensor] = field(default_factory=list)
    equations: list[Equation] = field(default_factory=list)

    @property
    def results(self) -> list[Tensor]:
        """What a run is asked for."""
        masks = [mask for mask in self.masks if mask is not None]
        return list(dict.fromkeys([self.total, *self.losses, *self.outputs, *masks]))


def objective(
    network: Network,
    goals: Sequence[Goal],
    batch: Batch,
    forward: Sequence[Equation],
    penalised: bool = True,
) -> Objective:
    """The objective of a network whose equations over the batch are ``forward``.

    Each output's loss is the mean over the samples that are there and, where the output has a
    mask, over the steps that count; each sample's part is multiplied by its count, as Keras does
    with sample and class weights. ``penalised``: regularizers add to it.

    Raises:
        UnsupportedError: a regularizer is not known, or an output has no axis.
    """
    several = len(network.outputs) > 1
    counts = Tensor(COUNTS, (Batch.AXIS,), (batch.size,))
    made = Objective(Tensor("training/loss", (), ()), counts)
    whole: Expr = value(0)
    for number, (goal, own) in enumerate(zip(goals, network.outputs, strict=True), 1):
        if not own.shape:
            raise UnsupportedError(
                f"the output {own.name!r} is a number without an axis: losses take outputs with one"
            )
        output = batch.over(own)
        mark = f" ({number})" if several else ""
        target = Tensor(TARGET + mark, output.axes, output.shape)
        name, taken = from_logits(goal.loss, output, forward)
        share, before = _share(own, output, counts, batch)
        rows, scalar = loss_equations(name, taken, target, share)
        kept, rows = shifts(rows), [*before, *rows]
        rows, tensors = copied(rows, f"({number})", {})
        scalar = tensors[scalar]
        made.constant += [tensors[tensor] for tensor in kept]
        made.equations += rows
        made.outputs.append(output)
        made.masks.append(None if own.mask is None else batch.over(own.mask))
        made.losses.append(scalar)
        made.targets.append(target)
        part = scalar[()] if goal.weight == 1 else scalar[()] * goal.weight
        whole = part if number == 1 else whole + part
    for tensor, equations in _penalties(network, batch) if penalised else ():
        made.equations += equations
        whole = whole + tensor[()]
    made.equations.append(equation(made.total[()], whole))
    return made


def _share(
    own: Tensor, output: Tensor, counts: Tensor, batch: Batch
) -> tuple[Tensor, list[Equation]]:
    """How much each sample, and each step of it, counts in the mean."""
    present, mask = batch.present, own.mask
    number = Tensor("loss/number", (), ())
    if mask is None or mask.shape != output.shape[1 : 1 + len(mask.shape)]:
        share = Tensor("loss/share", counts.axes, counts.shape)
        (n,), there = indices_of(share), indices_of(present)
        return share, [
            equation(number[()], reduce("sum", there, present[there])),
            equation(share[n], counts[n] / number[()]),
        ]
    steps = batch.over(mask)
    share = Tensor("loss/share", steps.axes, steps.shape)
    at, over = indices_of(share), indices_of(steps)
    return share, [
        equation(number[()], reduce("sum", over, present[over[0]] * steps[over])),
        equation(share[at], counts[at[0]] * steps[at] / number[()]),
    ]


# --------------------------------------------------------------------------- penalties


def _penalties(network: Network, batch: Batch) -> Iterator[tuple[Tensor, list[Equation]]]:
    """The penalty of each weight once, and of each call's outputs as a mean over the samples.

    Keras 3 leaves out the weights of layers that are frozen, Keras 2 does not.
    """
    of_all = keras_major(network) < 3
    for layer in network.layers.values():
        for label, weight in layer.weights.items():
            regularizer = layer.regularizer_of(label)
            if regularizer is not None and (layer.trainable or of_all):
                yield _of_weight(layer, weight, _known(layer, regularizer))
    for node in network.nodes:
        activity = node.layer.regularizers.get(ACTIVITY)
        if activity is not None:
            yield _of_outputs(node, _known(node.layer, activity), batch)


def _known(layer: Layer, regularizer: Regularizer) -> Regularizer:
    if regularizer.unknown or regularizer.orthogonal:
        what = regularizer.unknown or "orthogonal"
        raise UnsupportedError(
            f"layer {layer.name!r} has a regularizer ({what}) whose gradient is not known here: "
            "--no-penalties trains without any"
        )
    return regularizer


def _size(x: Expr, regularizer: Regularizer) -> Expr:
    """``l1 |x| + l2 x^2``."""
    total: Expr = value(0)
    if regularizer.l1:
        total = regularizer.l1 * call("abs", x)
    if regularizer.l2:
        square = regularizer.l2 * (x * x)
        total = total + square if regularizer.l1 else square
    return total


def _of_weight(
    layer: Layer, weight: Weight, regularizer: Regularizer
) -> tuple[Tensor, list[Equation]]:
    tensor, at = Tensor(f"penalty/{weight.name}", (), ()), indices_of(weight)
    return tensor, [equation(tensor[()], reduce("sum", at, _size(weight[at], regularizer)))]


def _of_outputs(
    node: Node, regularizer: Regularizer, batch: Batch
) -> tuple[Tensor, list[Equation]]:
    tensor = Tensor(f"penalty/{node.key}", (), ())
    parts, equations = [], []
    present = indices_of(batch.present)
    number = reduce("sum", present, batch.present[present])
    for own in node.outputs:
        output, part = batch.over(own), Tensor(f"penalty/{own.name}/outputs", (), ())
        at = indices_of(output)
        size = batch.present[at[0]] * _size(output[at], regularizer)
        equations.append(equation(part[()], reduce("sum", at, size)))
        parts.append(part[()])
    whole: Expr = parts[0]
    for more in parts[1:]:
        whole = whole + more
    return tensor, [*equations, equation(tensor[()], whole / number)]
