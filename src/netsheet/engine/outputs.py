"""What an evaluation needs of a network: its outputs with their logits and masks, its penalties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsheet.engine.losses import Predicted
from netsheet.engine.run import Engine, Progress
from netsheet.equations import FloatArray
from netsheet.equations.entry import meaning
from netsheet.layer import Layer
from netsheet.network import LayerCall, Network, Node, ValueRef
from netsheet.regularizers import ACTIVITY, Regularizer
from netsheet.write.onnx import check_outputs

AT_A_TIME = 256  # samples whose activities are held together


@dataclass(frozen=True, eq=False)
class Output:
    """One output for all samples; ``mask`` is True for the steps that count."""

    name: str
    prediction: Predicted
    mask: FloatArray | None = None


def keras_major(network: Network) -> int:
    """The major version of Keras that wrote the file; 3 for what no Keras wrote."""
    digits = network.framework_version.partition(".")[0]
    return int(digits) if digits.isdigit() and network.format.startswith("Keras") else 3


def outputs(
    network: Network, arrays: Mapping[str, FloatArray], progress: Progress | None = None
) -> list[Output]:
    """The network's outputs for inputs with a batch axis, by ONNX Runtime."""
    check_outputs(network)
    if "evaluated" not in network.memo:
        network.memo["evaluated"] = _Evaluated.of(network)
    evaluated: _Evaluated = network.memo["evaluated"]
    return evaluated(arrays, progress)


class _Evaluated:
    """The network with what its last activations get as further outputs."""

    def __init__(self, extended: Network, logits: Sequence[str | None]) -> None:
        self.engine = Engine(extended)
        self.logits = logits

    @classmethod
    def of(cls, network: Network) -> _Evaluated:
        major = keras_major(network)
        calls, logits = list(network.calls), []
        for ref in network.results:
            before = _before(network, ref, major)
            name = None
            if isinstance(before, LayerCall):
                name = before.key
                if all(call.key != name for call in calls):
                    calls.append(before)
            elif before is not None:
                name = network._values[before].name
            logits.append(name)
        return cls(replace(network, calls=calls), logits)

    def __call__(self, arrays: Mapping[str, FloatArray], progress: Progress | None) -> list[Output]:
        tensors = self.engine.model.outputs
        names = [tensor.name for tensor in tensors]
        masks = [None if tensor.mask is None else tensor.mask.name for tensor in tensors]
        keys = dict.fromkeys(n for n in (*names, *self.logits, *masks) if n is not None)
        values = self.engine.named(arrays, list(keys), progress)
        return [
            Output(
                tensor.name,
                Predicted(
                    meaning(tensor, values[tensor.name]),
                    None if before is None else values[before],
                ),
                None if mask is None else values[mask],
            )
            for tensor, before, mask in zip(tensors, self.logits, masks, strict=True)
        ]


def _before(network: Network, ref: ValueRef, major: int) -> LayerCall | ValueRef | None:
    """What makes the logits behind an output: a call to add, or a value that is there already."""
    by_key = {call.key: call for call in network.calls}
    while ref.key in by_key and ref.output == 0:
        call = by_key[ref.key]
        if call.layer.same_since <= major and len(call.inputs) == 1:
            ref = call.inputs[0]
            continue
        if call.layer.squashes:
            return call.inputs[0] if len(call.inputs) == 1 else None
        activation: Layer | None = getattr(call.layer, "activation", None)
        if activation is None or not activation.squashes or not _acts_last(call.layer):
            return None
        return LayerCall(f"{call.key}/logits", replace(call.layer, activation=None), call.inputs)  # type: ignore[call-arg]
    return None


def _acts_last(layer: Layer) -> bool:
    """True if the activation is applied to the output itself, not inside a loop over steps."""
    return not hasattr(layer, "return_sequences")


def about_states(size: int, samples: int) -> str:
    """What a network that keeps states makes of the order of the samples."""
    said = f"stateful: the states go on from batch to batch of {size} from zeros, as Keras's do"
    if samples % size:
        said += f"; the last batch has only {samples % size} samples, which Keras refuses"
    return said


# ------------------------------------------------------------------------------ penalties


@dataclass(frozen=True)
class Penalties:
    """What weights and outputs add to the loss; ``unknown`` says whose cannot be computed."""

    total: float
    unknown: tuple[str, ...] = ()


def penalties(network: Network, arrays: Mapping[str, FloatArray]) -> Penalties:
    """Of all layers: each weight once, each call's output as a mean over the samples.

    Keras 3 leaves out the weights of layers that are not trained, Keras 2 does not.
    """
    major, total = keras_major(network), 0.0
    unknown: dict[str, None] = {}
    for layer in network.layers.values():
        for label, weight in layer.weights.items():
            regularizer = layer.regularizers.get(label.rsplit("/", 1)[-1])
            if regularizer is None or not (layer.trainable or major < 3):
                continue
            if regularizer.unknown or (regularizer.orthogonal and weight.values.ndim != 2):
                unknown[f"{layer.name} ({regularizer.unknown or 'orthogonal'})"] = None
            else:
                total += regularizer.penalty(weight.values)
        activity = layer.regularizers.get(ACTIVITY)
        if activity is not None and activity.unknown:
            unknown[f"{layer.name} ({activity.unknown})"] = None
    return Penalties(total + _activities(network, arrays), tuple(unknown))


def _activities(network: Network, arrays: Mapping[str, FloatArray]) -> float:
    acting: list[tuple[Node, Regularizer]] = [
        (node, found)
        for node in network.nodes
        if (found := node.layer.regularizers.get(ACTIVITY)) is not None and not found.unknown
    ]
    if not acting:
        return 0.0
    engine = Engine(network)
    count = len(next(iter(arrays.values())))
    keys = list(dict.fromkeys(tensor.name for node, _ in acting for tensor in node.outputs))
    total = 0.0
    step = count if network.states else AT_A_TIME  # each call begins with states of zeros
    for start in range(0, count, step):
        part = {name: array[start : start + step] for name, array in arrays.items()}
        values = engine.named(part, keys)
        total += sum(
            regularizer.penalty(np.asarray(values[tensor.name], float))
            for node, regularizer in acting
            for tensor in node.outputs
        )
    return total / count
