"""Training: forward and backward equations of a whole batch as one graph in ONNX Runtime.

The batch is an axis of the equations themselves, so that a gradient is the sum over its samples.
Weights are inputs of the graph; the optimizer changes them between two runs. What layers draw at
random is an input, too: the numbers follow from the seed, the epoch and the step alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netsheet.engine.constraints import Held, held
from netsheet.engine.finite import finite_tensors
from netsheet.engine.goals import Goal, goal_named
from netsheet.engine.objective import PRESENT, objective
from netsheet.engine.optimizers import Optimizer
from netsheet.equations import (
    Batch,
    Equation,
    FloatArray,
    Tensor,
    Weight,
    multiply_accumulates,
)
from netsheet.errors import UnsupportedError, UsageError
from netsheet.gradient import gradients
from netsheet.network import Network
from netsheet.write.onnx import check_outputs
from netsheet.write.onnx.builder import Builder
from netsheet.write.onnx.generic import Printer

FEW_PRODUCTS = 1 << 26  # of one step: shared by several threads they take longer
# Values of inputs or targets: of the only one, in order, or by name.
Arrays = FloatArray | Sequence[FloatArray] | Mapping[str, FloatArray]


class _WeightsAsInputs(Builder):
    """A graph whose weights are given at each run."""

    def __init__(self, inputs: Sequence[Tensor], given: Sequence[Weight], names: Sequence[str]):
        super().__init__(inputs, [*names, *(f"weight:{w.name}" for w in given)], single=True)
        self.given = {weight: f"weight:{weight.name}" for weight in given}

    def weight(self, weight: Weight, axes: Sequence[str] | None = None) -> str:
        """The input that a trained weight is; other weights are stored in the graph."""
        if weight in self.given:
            assert axes is None
            return self.given[weight]
        return super().weight(weight, axes)


@dataclass(frozen=True)
class Measured:
    """The mean loss over some samples, and how many of them were classified right.

    Of several outputs, ``losses`` and ``accuracies`` have each one's own by name.
    """

    loss: float
    accuracy: float | None
    losses: Mapping[str, float] = field(default_factory=dict)
    accuracies: Mapping[str, float | None] = field(default_factory=dict)

    @classmethod
    def mean(cls, parts: Sequence[tuple[Measured, int]]) -> Measured:
        """Of several batches, each with its number of samples."""
        total = sum(count for _, count in parts)

        def over(values: Sequence[float | None]) -> float | None:
            known = [value for value in values if value is not None]
            if len(known) < len(values):
                return None
            pairs = zip(known, parts, strict=True)
            return sum(value * count for value, (_, count) in pairs) / total

        first = parts[0][0]
        return cls(
            over([part.loss for part, _ in parts]) or 0.0,
            over([part.accuracy for part, _ in parts]),
            {name: over([part.losses[name] for part, _ in parts]) or 0.0 for name in first.losses},
            {name: over([part.accuracies[name] for part, _ in parts]) for name in first.accuracies},
        )


@dataclass
class Trainer:
    """A network being trained on batches of one size.

    ``loss`` is that of the only output, or one goal for each. ``weights`` are those that change, by
    name: the learnt ones, and the statistics that follow the batches; ``untouched`` names learnt
    ones that the loss does not depend on. A shorter batch is filled up with samples that count
    nothing.

    Raises:
        UsageError: there is no such loss, or not one for each output.
        UnsupportedError: a layer or what it does in training is not computed; nothing can learn.
    """

    network: Network
    loss: str | Sequence[Goal]
    batch: int
    penalised: bool = True
    weights: dict[str, FloatArray] = field(init=False)
    untouched: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.goals = _goals(self.network, self.loss)
        every = dict.fromkeys(
            layer.weights[label] for layer in self.network.layers.values() for label in layer.learnt
        )
        learnt = [weight for weight in every if weight.values.dtype.kind in "fV"]
        present = Tensor(PRESENT, (Batch.AXIS,), (self.batch,))
        batch = Batch(self.batch, present)
        forward = _over_batch(self.network, batch)
        made = objective(self.network, self.goals, batch, forward, self.penalised)
        found = gradients([*forward, *made.equations], made.total, learnt, made.constant)
        flat = found.flat
        trained = [w for w in learnt if w in found.adjoints and found.adjoints[w] not in flat]
        if not trained:
            raise UnsupportedError(
                f"{self.network.name} has no weight that can learn: all of its layers are frozen, "
                "or its loss depends on none of them."
            )
        self.untouched = [weight.name for weight in learnt if weight not in trained]
        self._held = _held(self.network, {weight.name for weight in trained})
        self.noise, self._moving = batch.noise, batch.moving
        changing = list(dict.fromkeys([*trained, *(each.weight for each in self._moving)]))
        self.weights = {w.name: np.array(w.values, np.float32) for w in changing}
        self._adjoints = {w.name: found.adjoints[w].name for w in trained}
        self._made = made
        self._inputs = [batch.over(tensor) for tensor in self.network.inputs]
        fed = [*self._inputs, *made.targets, made.counts, present]
        wanted = [*made.results, *(found.adjoints[w] for w in trained)]
        wanted += [moving.value for moving in self._moving]
        noise = [drawn.tensor for drawn in self.noise]
        # an adjoint that is no number makes weights that are none, and the loss says so
        finite = found.points.union(found.adjoints.values(), finite_tensors(found.forward))
        self._learning = _graph([*fed, *noise], changing, found.equations, wanted, finite)
        self._forward = self._predicting(changing)

    def _predicting(self, changing: Sequence[Weight]) -> _Graph:
        """What computes the losses as in prediction, with the changed weights."""
        present = Tensor(PRESENT, (Batch.AXIS,), (self.batch,))
        batch = Batch(self.batch, present)
        forward = _over_batch(self.network, batch, training=False)
        made = objective(self.network, self.goals, batch, forward, self.penalised)
        fed = [batch.over(tensor) for tensor in self.network.inputs]
        fed += [*made.targets, made.counts, present]
        return _graph(fed, changing, [*forward, *made.equations], made.results)

    @property
    def learnt(self) -> list[str]:
        """The names of the weights that the optimizer changes."""
        return list(self._adjoints)

    def drawn(self, numbers: np.random.Generator) -> dict[str, FloatArray]:
        """What the layers draw for one step, by name."""
        return {each.tensor.name: each.draw(numbers, each.tensor.shape) for each in self.noise}

    def step(
        self,
        x: Arrays,
        y: Arrays,
        counts: FloatArray,
        by: Optimizer,
        noise: Mapping[str, FloatArray] | None = None,
    ) -> Measured:
        """One step of the optimizer on at most ``batch`` samples; what they gave before it.

        Args:
            counts: how much each sample counts (1, or the weight of its class).
            noise: what the layers have drawn; None: it is drawn here, by chance.
        """
        drawn = self.drawn(np.random.default_rng()) if noise is None else noise
        given, targets = by_name(x, self.network.inputs), by_name(y, self.network.outputs)
        values = self._run(self._learning, given, targets, counts, drawn)
        measured = self._measured(values, targets, len(counts))
        if np.isfinite(measured.loss):
            by.step(self.weights, {name: values[grad] for name, grad in self._adjoints.items()})
            for name, held_to in self._held.items():
                self.weights[name] = held_to(self.weights[name])
            self._follow(values)
        return measured

    def _follow(self, values: Mapping[str, FloatArray]) -> None:
        """The statistics, one batch further."""
        for moving in self._moving:
            kept = np.float32(moving.momentum)
            own = self.weights[moving.weight.name]
            own *= kept
            own += (1 - kept) * values[moving.value.name]

    def predicted(self, x: Arrays, y: Arrays) -> dict[str, FloatArray]:
        """Each output for at most ``batch`` samples, computed as in prediction, by name."""
        given, targets = by_name(x, self.network.inputs), by_name(y, self.network.outputs)
        count = len(next(iter(given.values())))
        values = self._run(self._forward, given, targets, np.ones(count, np.float32), {})
        pairs = zip(self.network.outputs, self._made.outputs, strict=True)
        return {own.name: values[tensor.name][:count] for own, tensor in pairs}

    def measure(self, x: Arrays, y: Arrays) -> Measured:
        """Loss and accuracy on any number of samples, computed as in prediction."""
        given, targets = by_name(x, self.network.inputs), by_name(y, self.network.outputs)
        count = len(next(iter(given.values())))
        parts = []
        for start in range(0, count, self.batch):
            own = slice(start, min(start + self.batch, count))
            part, wanted = rows_of(given, own), rows_of(targets, own)
            ones = np.ones(own.stop - start, np.float32)
            values = self._run(self._forward, part, wanted, ones, {})
            parts.append((self._measured(values, wanted, len(ones)), len(ones)))
        return Measured.mean(parts)

    def _run(
        self,
        graph: _Graph,
        x: Mapping[str, FloatArray],
        y: Mapping[str, FloatArray],
        counts: FloatArray,
        noise: Mapping[str, FloatArray],
    ) -> dict[str, FloatArray]:
        targets = [
            goal.prepared(y[tensor.name])
            for goal, tensor in zip(self.goals, self.network.outputs, strict=True)
        ]
        fed = {tensor.name: x[own.name] for tensor, own in zip(self._inputs, self.network.inputs,
                                                               strict=True)}  # fmt: skip
        fed |= {t.name: values for t, values in zip(self._made.targets, targets, strict=True)}
        fed |= {self._made.counts.name: counts, PRESENT: np.ones(len(counts), np.float32)}
        feed = {name: self._filled(array) for name, array in fed.items()}
        feed |= {name: np.asarray(array[np.newaxis], np.float32) for name, array in noise.items()}
        feed |= {f"weight:{name}": array for name, array in self.weights.items()}
        results = graph.session.run(graph.outputs, {name: feed[name] for name in graph.inputs})
        return {name: array[0] for name, array in zip(graph.outputs, results, strict=True)}

    def _filled(self, array: FloatArray) -> FloatArray:
        missing = self.batch - len(array)
        if missing:
            array = np.concatenate([array, np.zeros((missing, *array.shape[1:]))])
        return np.asarray(array[np.newaxis], np.float32)

    def _measured(
        self, values: Mapping[str, FloatArray], y: Mapping[str, FloatArray], count: int
    ) -> Measured:
        outputs = [values[tensor.name][:count] for tensor in self._made.outputs]
        masks = [None if t is None else values[t.name][:count] > 0 for t in self._made.masks]
        # a limit may hide in the loss that the output is no number any more
        sound = all(np.isfinite(output).all() for output in outputs)
        loss = float(values[self._made.total.name]) if sound else float("nan")
        names = [tensor.name for tensor in self.network.outputs]
        right = [
            _accuracy(output, y[name], goal, mask)
            for output, name, goal, mask in zip(outputs, names, self.goals, masks, strict=True)
        ]
        if len(outputs) == 1:
            return Measured(loss, right[0])
        losses = [float(values[tensor.name]) for tensor in self._made.losses]
        return Measured(
            loss, None, dict(zip(names, losses, strict=True)), dict(zip(names, right, strict=True))
        )


def by_name(given: Arrays, tensors: Sequence[Tensor]) -> dict[str, FloatArray]:
    """Arrays by the names of the tensors.

    Raises:
        UsageError: there is not one for each.
    """
    if isinstance(given, Mapping):
        missing = [tensor.name for tensor in tensors if tensor.name not in given]
        if missing:
            raise UsageError(f"there are no values for {missing[0]!r}.")
        return {tensor.name: given[tensor.name] for tensor in tensors}
    arrays: list[FloatArray] = [given] if isinstance(given, np.ndarray) else list(given)
    if len(arrays) != len(tensors):
        raise UsageError(f"{len(arrays)} arrays were given for {len(tensors)} tensors.")
    return {tensor.name: array for tensor, array in zip(tensors, arrays, strict=True)}


def rows_of(arrays: Mapping[str, FloatArray], own: Any) -> dict[str, FloatArray]:
    """Some samples of each array."""
    return {name: array[own] for name, array in arrays.items()}


def _accuracy(p: FloatArray, y: FloatArray, goal: Goal, mask: FloatArray | None) -> float | None:
    """How many are right; None where the targets are no classes."""
    if not ((y == 0) | (y == 1)).all():
        return None
    rows = y.shape[-1] > 1 and not goal.loss.startswith("binary")
    if not rows:
        right = (p > (0 if "logits" in goal.loss else 0.5)) == (y > 0.5)
    elif (y.sum(-1) == 1).all() or "crossentropy" in goal.loss:
        right = p.argmax(-1) == y.argmax(-1)
    else:
        return None
    right = right if mask is None or mask.shape != right.shape[: mask.ndim] else right[mask]
    return float(right.mean()) if right.size else None


def _goals(network: Network, loss: str | Sequence[Goal]) -> list[Goal]:
    goals = [goal_named(loss)] * len(network.outputs) if isinstance(loss, str) else list(loss)
    if len(goals) != len(network.outputs):
        raise UsageError(f"{len(goals)} losses were given for {len(network.outputs)} outputs.")
    if network.states:
        raise UnsupportedError(
            f"{network.name} keeps states from batch to batch (stateful=True): training takes "
            "networks without them. Save it with stateful=False, which has the same weights."
        )
    check_outputs(network)
    return goals


def _held(network: Network, trained: Set[str]) -> dict[str, Held]:
    """What trained weights are held to, by name."""
    found = {}
    for layer in network.layers.values():
        for label, weight in layer.weights.items():
            if weight.name in trained and (each := held(layer, label)) is not None:
                found[weight.name] = each
    return found


def _over_batch(network: Network, batch: Batch, training: bool = True) -> list[Equation]:
    """The equations of all calls over a batch."""
    for tensor in network.inputs:
        batch.over(tensor)
    made: list[Equation] = []
    for node in network.computed():
        if training:
            made += node.layer.equations_over_batch(node.inputs, node.outputs, batch)
        else:
            made += batch.lift(network.node_equations(node))
    return made


@dataclass(frozen=True)
class _Graph:
    """A session of ONNX Runtime, and the names of what it reads and gives."""

    session: Any
    inputs: Sequence[str]
    outputs: Sequence[str]

    @classmethod
    def of(cls, session: Any) -> _Graph:
        inputs = [entry.name for entry in session.get_inputs()]
        return cls(session, inputs, [entry.name for entry in session.get_outputs()])


def _graph(
    inputs: Sequence[Tensor],
    given: Sequence[Weight],
    equations: Sequence[Equation],
    wanted: Sequence[Tensor],
    finite: Set[Tensor] = frozenset(),
) -> _Graph:
    import onnxruntime
    from onnx import TensorProto, helper

    graph = _WeightsAsInputs(inputs, given, [t.name for t in wanted])
    graph.finite = finite
    printer = Printer(graph, graph.values)
    printer.run(equations)
    for tensor in wanted:  # as copies: others may read the value under its first name
        whole = printer.whole(tensor)
        graph.define(tensor, whole, graph.position)
    proto = graph.finish("training", wanted)
    for weight, name in graph.given.items():
        shape = list(weight.shape)
        proto.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # waiting by turning round costs more than it gains where other processes run as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if multiply_accumulates(equations) < FEW_PRODUCTS:
        options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return _Graph.of(session)
