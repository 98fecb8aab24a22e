"""Training: forward and backward equations of a whole batch as one graph in ONNX Runtime.

The batch is an axis of the equations themselves, so that a gradient is the sum over its samples.
Weights are inputs of the graph; the optimizer changes them between two runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.engine.optimizers import Optimizer
from netsheet.equations import Equation, FloatArray, Index, Tensor, Weight, lift
from netsheet.errors import NetsheetError, UnsupportedError, UsageError
from netsheet.gradient import LOSSES, gradients, loss_equations
from netsheet.write.onnx.builder import Builder
from netsheet.write.onnx.generic import Printer

if TYPE_CHECKING:
    from netsheet.network import Network

TARGET, SHARE = "target", "share"  # inputs of the graph beside those of the network


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
    """The mean loss over some samples, and how many of them were classified right."""

    loss: float
    accuracy: float | None


@dataclass
class Trainer:
    """A network being trained on batches of one size.

    ``weights`` are the trained ones by name; a shorter batch is filled up with samples that count
    nothing.

    Raises:
        UsageError: there is no such loss.
        UnsupportedError: a layer is not computed, or the network has several inputs or outputs.
    """

    network: Network
    loss: str
    batch: int
    frozen: Sequence[str] = ()  # names of weights that stay
    weights: dict[str, FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        _check(self.network, self.loss)
        every = dict.fromkeys(
            w for layer in self.network.layers.values() for w in layer.weights.values()
        )
        used = [w for w in every if w.name not in self.frozen]
        equations, self._x, self._y, output = _over_batch(self.network, self.batch)
        share = Tensor(SHARE, ("batch",), (self.batch,))
        more, loss = loss_equations(self.loss, output, self._y, share)
        found = gradients([*equations, *more], loss, used)
        trained = [weight for weight in used if weight in found.adjoints]
        self.weights = {w.name: w.values.astype(np.float32) for w in trained}
        self._adjoints = {w.name: found.adjoints[w].name for w in trained}
        wanted = [loss, output, *(found.adjoints[w] for w in trained)]
        self._loss, self._output = loss.name, output.name
        graph = _WeightsAsInputs([self._x, self._y, share], trained, [t.name for t in wanted])
        self._session = _session(graph, found.equations, wanted)
        forward = _WeightsAsInputs([self._x, self._y, share], trained, [loss.name, output.name])
        self._forward = _session(forward, found.forward, [loss, output])

    def step(self, x: FloatArray, y: FloatArray, counts: FloatArray, by: Optimizer) -> Measured:
        """One step of the optimizer on at most ``batch`` samples; what they gave before it.

        Args:
            counts: how much each sample counts (1, or the weight of its class).
        """
        values = self._run(self._session, x, y, counts)
        by.step(self.weights, {name: values[grad] for name, grad in self._adjoints.items()})
        return self._measured(values, y)

    def measure(self, x: FloatArray, y: FloatArray) -> Measured:
        """Loss and accuracy on any number of samples."""
        parts, right = [], []
        for start in range(0, len(x), self.batch):
            own = slice(start, start + self.batch)
            values = self._run(self._forward, x[own], y[own], np.ones(len(x[own]), np.float32))
            found = self._measured(values, y[own])
            parts.append((found.loss, len(x[own])))
            right.append(found.accuracy)
        total = sum(loss * count for loss, count in parts) / len(x)
        if None in right:
            return Measured(total, None)
        hits = sum((share or 0) * count for share, (_, count) in zip(right, parts, strict=True))
        return Measured(total, hits / len(x))

    def _run(
        self, session: Any, x: FloatArray, y: FloatArray, counts: FloatArray
    ) -> dict[str, FloatArray]:
        share = counts / counts.sum() if counts.sum() else counts
        given = {self._x.name: x, TARGET: y, SHARE: share}
        feed = {name: self._filled(array) for name, array in given.items()}
        names = [output.name for output in session.get_outputs()]
        needed = {entry.name for entry in session.get_inputs()}
        feed |= {f"weight:{name}": array for name, array in self.weights.items()}
        results = session.run(names, {k: v for k, v in feed.items() if k in needed})
        return {name: array[0] for name, array in zip(names, results, strict=True)}

    def _filled(self, array: FloatArray) -> FloatArray:
        missing = self.batch - len(array)
        if missing:
            array = np.concatenate([array, np.zeros((missing, *array.shape[1:]))])
        return np.asarray(array[np.newaxis], np.float32)

    def _measured(self, values: Mapping[str, FloatArray], y: FloatArray) -> Measured:
        output = values[self._output][: len(y)]
        # a limit may hide in the loss that the output is no number any more
        loss = float(values[self._loss]) if np.isfinite(output).all() else float("nan")
        return Measured(loss, _accuracy(output, y))


def _accuracy(p: FloatArray, y: FloatArray) -> float | None:
    """How many are right; None where the targets are no classes."""
    if not np.isin(y, (0, 1)).all():
        return None
    if y.shape[-1] == 1:
        return float(((p > 0.5) == (y > 0.5)).mean())
    return float((p.argmax(-1) == y.argmax(-1)).mean())


def _check(network: Network, loss: str) -> None:
    if loss not in LOSSES:
        raise UsageError(f"there is no loss {loss!r}; losses are {', '.join(LOSSES)}.")
    if network.states:
        raise UnsupportedError(
            f"{network.name} keeps states from batch to batch (stateful=True): training takes "
            "networks without them. Save it with stateful=False, which has the same weights."
        )
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise UnsupportedError(
            f"{network.name} has {len(network.inputs)} inputs and {len(network.outputs)} outputs: "
            "training takes networks with one of each."
        )


def _over_batch(network: Network, size: int) -> tuple[list[Equation], Tensor, Tensor, Tensor]:
    """The equations over a batch, its input, its targets and its output."""
    (x,), (output,) = network.inputs, network.outputs
    given = Tensor(x.name, ("batch", *x.axes), (size, *x.shape))
    lifted = lift(network.equations(), Index("n", size), {x: given}, "batch")
    last = next(eq.target for eq in reversed(lifted) if eq.target.name == output.name)
    return lifted, given, Tensor(TARGET, last.axes, last.shape), last


def _session(
    graph: _WeightsAsInputs, equations: Sequence[Equation], wanted: Sequence[Tensor]
) -> Any:
    import onnxruntime
    from onnx import TensorProto, helper

    printer = Printer(graph, graph.values)
    printer.run(equations)
    for tensor in wanted:
        graph.define(tensor, printer.whole(tensor), 0)
    proto = graph.finish("training", wanted)
    for weight, name in graph.given.items():
        shape = list(weight.shape)
        proto.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


# --------------------------------------------------------------------------- epochs


@dataclass(frozen=True)
class Epoch:
    """What came of one round over the samples; ``held_out`` None without any held out."""

    number: int
    trained: Measured
    held_out: Measured | None


def epochs(
    trainer: Trainer,
    optimizer: Optimizer,
    x: FloatArray,
    y: FloatArray,
    *,
    held_out: tuple[FloatArray, FloatArray] | None = None,
    rounds: int,
    seed: int,
    class_weights: FloatArray | None = None,
    begin: int = 0,
) -> Iterator[Epoch]:
    """Train round by round; what each gave is seen before the next begins.

    The order of the samples in a round depends on the seed and the round's number alone, so that a
    run that is resumed at round ``begin`` goes the same way.

    Raises:
        NetsheetError: the loss is no number any more; the step is named.
    """
    counts = np.ones(len(x), np.float32)
    if class_weights is not None:
        counts = class_weights[y.argmax(-1)].astype(np.float32)
    for number in range(begin, rounds):
        order = np.random.default_rng((seed, number)).permutation(len(x))
        losses, right = [], []
        for start in range(0, len(x), trainer.batch):
            own = order[start : start + trainer.batch]
            found = trainer.step(x[own], y[own], counts[own], optimizer)
            if not np.isfinite(found.loss):
                raise NetsheetError(
                    f"the loss is {found.loss} at step {start // trainer.batch + 1} of epoch "
                    f"{number + 1}: the training diverges. Try a smaller rate "
                    f"(--rate {optimizer.rate / 10:g}), and look whether the inputs are scaled."
                )
            losses.append(found.loss * len(own))
            right.append((found.accuracy or 0) * len(own))
        hits = sum(right) / len(x) if found.accuracy is not None else None
        trained = Measured(sum(losses) / len(x), hits)
        yield Epoch(number + 1, trained, trainer.measure(*held_out) if held_out else None)


def initialised(network: Network, seed: int) -> dict[str, FloatArray]:
    """Weights to begin with, by name: Glorot's uniform ones for kernels, 0 for biases.

    Source: Glorot and Bengio, 2010; Keras's default. A kernel's receptive field counts for both
    fans.
    """
    numbers = np.random.default_rng(seed)
    made: dict[str, FloatArray] = {}
    for layer in network.layers.values():
        for label, weight in layer.weights.items():
            if label == "bias" or len(weight.shape) < 2:
                made[weight.name] = np.zeros(weight.shape, np.float32)
                continue
            sizes = dict(zip(weight.axes, weight.shape, strict=True))
            field_size = weight.size // (sizes["in"] * sizes["out"])
            limit = np.sqrt(6 / (field_size * (sizes["in"] + sizes["out"])))
            made[weight.name] = numbers.uniform(-limit, limit, weight.shape).astype(np.float32)
    return made
