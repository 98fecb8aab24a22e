"""What an evaluation needs of a network: its outputs with their logits and masks, its penalties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsheet.engine.losses import Predicted
from netsheet.engine.run import Engine, Progress
from netsheet.equations import FloatArray
from netsheet.equations.entry import meaning
from netsheet.layer import NEVER, Layer
from netsheet.network import LayerCall, Network, Node, ValueRef
from netsheet.regularizers import ACTIVITY, Regularizer
from netsheet.write.onnx import check_outputs

SATURATED = 24 * np.log(2)  # above it, TensorFlow's sigmoid is 1
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


@dataclass(frozen=True)
class _Squashed:
    """An output that is a function of ``logits``, a tensor; ``by`` is "softmax" or "sigmoid".

    ``copied`` says that Keras copies it after that, and then knows of no logits.
    """

    logits: str
    by: str
    copied: bool


class _Evaluated:
    """The network with what its last activations get as further outputs."""

    def __init__(self, extended: Network, squashed: Sequence[_Squashed | None]) -> None:
        self.engine = Engine(extended)
        self.squashed = squashed

    @classmethod
    def of(cls, network: Network) -> _Evaluated:
        major = keras_major(network)
        calls: list[LayerCall] = list(network.calls)
        squashed: list[_Squashed | None] = []
        for ref in network.results:
            found = _before(network, ref, major)
            if found is None:
                squashed.append(None)
                continue
            before, by, copied = found
            if isinstance(before, LayerCall):
                name = before.key
                if all(call.key != name for call in calls):
                    calls.append(before)
            else:
                name = network._values[before].name
            squashed.append(_Squashed(name, by, copied))
        return cls(replace(network, calls=calls), squashed)

    def __call__(self, arrays: Mapping[str, FloatArray], progress: Progress | None) -> list[Output]:
        tensors = self.engine.model.outputs
        names = [tensor.name for tensor in tensors]
        masks = [None if tensor.mask is None else tensor.mask.name for tensor in tensors]
        logits = [None if one is None else one.logits for one in self.squashed]
        keys = dict.fromkeys(n for n in (*names, *logits, *masks) if n is not None)
        values = self.engine.named(arrays, list(keys), progress)
        return [
            Output(
                tensor.name,
                _predicted(meaning(tensor, values[tensor.name]), before, values),
                None if mask is None else values[mask],
            )
            for tensor, before, mask in zip(tensors, self.squashed, masks, strict=True)
        ]


def _predicted(
    output: FloatArray, squashed: _Squashed | None, values: Mapping[str, FloatArray]
) -> Predicted:
    """An output with its logits.

    A sigmoid is computed anew from them, since losses take logarithms of it and of 1 minus it: ONNX
    Runtime's is right to about 1e-7 and no more, so that of a probability of 1e-7 nothing is left.
    TensorFlow's is ``e / (1 + e)`` with ``e = exp(x)`` in float32: from 2^24 on, 1 + e is e.
    """
    if squashed is None:
        return Predicted(output)
    logits = values[squashed.logits]
    if squashed.by == "sigmoid" and logits.shape == output.shape:
        with np.errstate(over="ignore"):
            exact = 1 / (1 + np.exp(-logits.astype(float)))
        output = np.where(logits > SATURATED, 1, exact).astype(output.dtype)
    return Predicted(output, None if squashed.copied else logits)


def _before(
    network: Network, ref: ValueRef, major: int
) -> tuple[LayerCall | ValueRef, str, bool] | None:
    """What makes the logits behind an output, the function that takes them, and if it is copied.

    The first is a call to add, or a value that is there already.
    """
    by_key = {call.key: call for call in network.calls}
    copied = False
    while ref.key in by_key and ref.output == 0:
        call = by_key[ref.key]
        if call.layer.same_since < NEVER and len(call.inputs) == 1:
            copied |= call.layer.same_since > major
            ref = call.inputs[0]
            continue
        if call.layer.squashes:
            alone = len(call.inputs) == 1
            return (call.inputs[0], call.layer.squashes, copied) if alone else None
        activation: Layer | None = getattr(call.layer, "activation", None)
        if activation is None or not activation.squashes or not _acts_last(call.layer):
            return None
        linear = replace(call.layer, activation=None)  # type: ignore[call-arg]
        return LayerCall(f"{call.key}/logits", linear, call.inputs), activation.squashes, copied
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
            regularizer = layer.regularizer_of(label)
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
    kept = {state.after for state in network.states}  # further outputs, which Keras does not count
    counted = [
        (tensor, found) for node, found in acting for tensor in node.outputs if tensor not in kept
    ]
    keys = list(dict.fromkeys(tensor.name for tensor, _ in counted))
    total = 0.0
    step = count if network.states else AT_A_TIME  # each call begins with states of zeros
    for start in range(0, count, step):
        part = {name: array[start : start + step] for name, array in arrays.items()}
        values = engine.named(part, keys)
        total += sum(
            regularizer.penalty(np.asarray(values[tensor.name], float))
            for tensor, regularizer in counted
        )
    return total / count
