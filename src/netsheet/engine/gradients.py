"""Gradients of a loss on data: the backward equations, computed by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.engine.goals import goal_named, stored_goals
from netsheet.engine.run import Engine
from netsheet.equations import (
    Equation,
    Expr,
    FloatArray,
    Tensor,
    Weight,
    copied,
    equation,
    value,
)
from netsheet.errors import NetsheetError, UsageError
from netsheet.gradient import LOSSES, Gradients, from_logits, gradients, loss_equations, shifts
from netsheet.write.onnx import check_outputs
from netsheet.write.onnx.builder import Builder
from netsheet.write.onnx.generic import Printer

if TYPE_CHECKING:
    from netsheet.network import Network

TARGET = "target"  # the graph's input beside those of the network


def backward(network: Network, loss: str | Sequence[str]) -> Gradients:
    """Adjoints of every tensor of a network behind one sample's loss; of several outputs, one each.

    Raises:
        UsageError: there is no such loss, or not one for each output.
        UnsupportedError: the network is not computed to its end.
    """
    found, _ = _backward(network, loss)
    return found


def stored_loss(network: Network) -> str:
    """The loss that a file was trained with, of those that are known as equations.

    Raises:
        UsageError: the file names none, or one that is not known; a guess would train wrongly.
    """
    goal = stored_goals(network)[0]
    if goal.smoothing:
        raise UsageError(
            "the file was trained with smoothed labels, which are not known here; say --loss, one "
            f"of {', '.join(LOSSES)}."
        )
    return goal.loss


def loss_gradients(
    network: Network, x: object, y: object, loss: str | Sequence[str]
) -> dict[str, FloatArray]:
    """Gradients of a loss for inputs and weights, by name.

    Args:
        x: inputs with a batch axis in front; several as a list or by name. A network that keeps
            states goes on from one to the next; slopes do not go back across them.
        y: what the network should give, shaped as its output (classes as one-hot rows); of several
            outputs a list, or by name: their losses add up, as in Keras.
        loss: one of :data:`netsheet.gradient.LOSSES`; of several outputs one for each, or for all.

    Returns:
        For a weight (``conv1/kernel``) the gradient of the mean over all samples, of the weight's
        own shape; for an input, and for ``loss`` itself, one row for each sample.

    Raises:
        UsageError: there is no such loss, or not one for each output.
        NetsheetError: targets do not fit the outputs.
        UnsupportedError: a layer is not computed.
    """
    arrays = Engine(network).inputs(x)
    if None in {size for tensor in network.inputs for size in tensor.shape}:
        network = network.bind({name: array.shape[1:] for name, array in arrays.items()})
    found, targets = _backward(network, loss)
    count = len(next(iter(arrays.values())))
    given = _targets(network, y, targets, count)
    wanted = [*network.inputs, *_weights(network)]
    adjoints = {t.name: found.adjoints[t] for t in wanted if t in found.adjoints}
    scalar = next(eq.target for eq in reversed(found.forward) if eq.target.name == "loss")
    befores = [state.before for state in network.states]
    results = run_equations(
        found.equations, [*network.inputs, *befores, *targets], [*adjoints.values(), scalar],
        {**arrays, **Engine(network).states_before(arrays), **given},
    )  # fmt: skip
    gradient: dict[str, FloatArray] = {"loss": results[scalar.name]}
    for tensor in wanted:
        each = results[adjoints[tensor.name].name] if tensor.name in adjoints else None
        if isinstance(tensor, Weight):
            zeros = np.zeros(tensor.shape, np.float32)
            gradient[tensor.name] = zeros if each is None else each.mean(axis=0)
        else:
            zeros = np.zeros((count, *tensor.shape), np.float32)
            gradient[tensor.name] = zeros if each is None else each
    return gradient


def _targets(
    network: Network, y: object, targets: Sequence[Tensor], count: int
) -> dict[str, FloatArray]:
    """The values of each target by its name, shapes checked."""
    names = [tensor.name for tensor in network.outputs]
    if isinstance(y, Mapping):
        missing = [name for name in names if name not in y]
        if missing:
            raise NetsheetError(f"there is no target for the output {missing[0]!r}.")
        values = [y[name] for name in names]
    else:
        values = list(y) if isinstance(y, (list, tuple)) else [y]
        rank = len(targets[0].shape) + 1
        if len(targets) == 1 and not (len(values) == 1 and np.ndim(values[0]) == rank):
            values = [y]  # the samples of the one output, perhaps listed
    if len(values) != len(targets):
        raise NetsheetError(
            f"{len(values)} targets were given, but {network.name} has {len(targets)} outputs."
        )
    result = {}
    for tensor, own, output in zip(targets, values, names, strict=True):
        array = np.asarray(own, np.float32)
        if array.shape != (count, *tensor.shape):
            raise NetsheetError(
                f"targets have the shape {array.shape}, but {count} outputs of {output} "
                f"have {(count, *tensor.shape)}; give classes as one-hot rows."
            )
        result[tensor.name] = array
    return result


def unused(network: Network, name: str) -> str:
    """The name, with a mark behind it where a value of the network has it."""
    taken = {tensor.name for tensor in network.inputs} | network.tensors().keys()
    while name in taken:
        name += "*"
    return name


def _weights(network: Network) -> list[Weight]:
    return list(dict.fromkeys(w for layer in network.layers.values()
                              for w in layer.weights.values()))  # fmt: skip


def _backward(network: Network, loss: str | Sequence[str]) -> tuple[Gradients, list[Tensor]]:
    """Adjoints behind the loss, and what has to be given: a target for each output."""
    check_outputs(network)
    outputs = network.outputs
    asked = [loss] * len(outputs) if isinstance(loss, str) else list(loss)
    names = [goal_named(name).loss for name in asked]
    if len(names) != len(outputs):
        raise UsageError(f"{len(names)} losses were given for {len(outputs)} outputs.")
    forward = network.equations()
    targets, rows, constant = list[Tensor](), list[Equation](), list[Tensor]()
    total: Expr = value(0)
    for number, (name, output) in enumerate(zip(names, outputs, strict=True), 1):
        mark = f" ({number})" if len(outputs) > 1 else ""
        label = unused(network, f"{TARGET}{mark}")
        name, taken = from_logits(name, output, forward)
        target = Tensor(label, output.axes, output.shape)
        more, scalar = loss_equations(name, taken, target)
        kept = shifts(more)
        if mark:
            more, tensors = copied(more, mark.strip(), {})
            scalar, kept = tensors[scalar], [tensors[tensor] for tensor in kept]
        total = scalar[()] if not targets else total + scalar[()]
        targets.append(target)
        rows += more
        constant += kept
    if len(outputs) > 1:
        scalar = Tensor("loss", (), ())
        rows.append(equation(scalar[()], total))
    wanted: list[Tensor] = [*network.inputs, *_weights(network)]
    return gradients([*forward, *rows], scalar, wanted, constant), targets


def run_equations(
    equations: Sequence[Equation],
    inputs: Sequence[Tensor],
    wanted: Sequence[Tensor],
    arrays: Mapping[str, FloatArray],
) -> dict[str, FloatArray]:
    """The tensors ``wanted`` of any equations, computed by ONNX Runtime, by name.

    ``arrays`` has values for the inputs by name; they and the results have a batch axis in front.
    """
    import onnxruntime

    graph = Builder(inputs, [tensor.name for tensor in wanted])
    printer = Printer(graph, graph.values)
    printer.run(equations)
    for tensor in wanted:  # as copies: others may read the value under its first name
        whole = printer.whole(tensor)
        graph.define(tensor, whole, graph.position)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(
        graph.finish("equations", wanted).SerializeToString(), options,
        providers=["CPUExecutionProvider"],
    )  # fmt: skip
    names = [tensor.name for tensor in wanted]
    given = {value.name for value in session.get_inputs()}
    feed = {name: np.asarray(array, np.float32) for name, array in arrays.items() if name in given}
    return dict(zip(names, session.run(names, feed), strict=True))
