"""What every layer is: attributes, weights, output shape, equations and ONNX nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, Protocol

from netsheet.equations import (
    FLOAT,
    Batch,
    Equation,
    Noise,
    Quantisation,
    Tensor,
    Weight,
)
from netsheet.errors import UnsupportedError
from netsheet.regularizers import Regularizer

Shape = tuple[int | None, ...]

NEVER = 99  # a version of Keras that there is not
ACTIVATIONS = ("activation", "recurrent_activation")  # arguments that name one


class Signature(NamedTuple):
    """Axes and shape of an output; None where the size depends on an unbound input."""

    axes: tuple[str, ...]
    shape: Shape


class Graph(Protocol):
    """What a layer needs of an ONNX graph under construction; values are names."""

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; returns its output name, or a list of names where ``outputs`` > 1."""

    def constant(self, array: Any) -> str:
        """An initializer with these values and their own dtype."""

    def weight(self, weight: Weight, axes: Sequence[str] | None = None) -> str:
        """The initializer of a weight, its axes in the order asked for."""

    def print(
        self,
        equations: Sequence[Equation],
        given: Mapping[Tensor, str],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        """Nodes for any equations: the general, slower way."""


@dataclass(eq=False, kw_only=True)
class Layer:
    """One layer of a model, named and parameterised as Keras names it.

    ``name`` is unique in the model (``encoder/conv1`` inside a nested model). ``weights`` maps
    short names to stored values in the order of ``get_weights()``.
    """

    name: str = ""
    type_name: str = ""
    weights: dict[str, Weight] = field(default_factory=dict, repr=False)
    reason: str = ""  # why it is shown only and not computed; empty where it is computed
    # What it adds to the loss, by the label of the weight or "activity".
    regularizers: dict[str, Regularizer] = field(default_factory=dict, repr=False)
    # What training holds a weight to, by its label: the constraint's name and arguments.
    constraints: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict, repr=False)
    trainable: bool = field(default=True, repr=False)
    random: bool = field(default=False, repr=False)  # in training it drops or changes values
    still: bool = field(default=False, repr=False)  # in training it acts as in prediction

    passes_mask: ClassVar[bool] = True
    attends: ClassVar[bool] = False  # takes query, value and key, which a call may name
    # Gates that the last axis of every weight holds one after another, in their order.
    gate_names: ClassVar[tuple[str, ...]] = ()
    statistics: ClassVar[tuple[str, ...]] = ()  # weights that a training measures, not learns
    # Of the arrays that a file has for a wrapper itself, so many at the end are its own; None: all.
    own_arrays: ClassVar[int | None] = None
    squashes: ClassVar[str] = ""  # "softmax" or "sigmoid", where it is this function
    activity_inside: ClassVar[bool] = False  # Keras 3 counts the activity of layers in it as well
    same_since: ClassVar[int] = NEVER  # Keras's version from which its output is its very input

    @property
    def gates(self) -> int:
        """How many gates the last axis of every weight holds; 1 where there are none."""
        return max(1, len(self.gate_names))

    def gates_of(self, label: str) -> tuple[str, ...]:
        """The names of the gates along the last axis of a weight, its own or an inner layer's."""
        for prefix, inner in self.inner_layers():
            names = inner.gates_of(label.removeprefix(prefix)) if label.startswith(prefix) else ()
            if names:
                return names
        return self.gate_names

    @property
    def tokens(self) -> int | None:
        """How many tokens it tells apart; None for a layer that reads numbers as such."""
        return None

    @property
    def table_rows(self) -> int | None:
        """How many rows of a table its input picks from by number; None for any other layer."""
        return None

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        """The weights that this layer has, trainable ones first, each with its axis names."""
        return {}

    def inner_layers(self) -> list[tuple[str, Layer]]:
        """The layers in this one, in stored order; each with the prefix of its weights' labels."""
        return []

    def settle(self, stored: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        """Takes from the names and shapes of stored arrays what the configuration leaves open."""

    def read_asset(self, name: str, text: str) -> None:
        """Takes what a text beside the arrays says, as ``vocabulary.txt`` of a .keras file."""

    @property
    def otherwise_in_training(self) -> bool:
        """True if it computes something else while a network is trained."""
        if self.still:
            return False
        inside = any(layer.otherwise_in_training for _, layer in self.inner_layers())
        return self.random or inside or (bool(self.statistics) and self.trainable)

    @property
    def learnt(self) -> tuple[str, ...]:
        """The labels of its weights that a training changes by their gradients."""
        if not self.trainable:
            return ()
        stay = set(self.statistics)
        for prefix, layer in self.inner_layers():
            stay |= {prefix + label for label in set(layer.weight_axes()) - set(layer.learnt)}
        return tuple(label for label in self.weights or self.weight_axes() if label not in stay)

    def regularizer_of(self, label: str) -> Regularizer | None:
        """What a weight adds to the loss: by its whole label, or by the last part of it."""
        return self.regularizers.get(label) or self.regularizers.get(label.rsplit("/", 1)[-1])

    def constraint_of(self, label: str) -> tuple[str, Mapping[str, Any]] | None:
        """What training holds a weight to: by its whole label, or by the last part of it."""
        return self.constraints.get(label) or self.constraints.get(label.rsplit("/", 1)[-1])

    def equations_in_training(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise
    ) -> list[Equation]:
        """What it computes of one sample while a network is trained, with numbers drawn as noise.

        Raises:
            UnsupportedError: it computes something else then, which is not known.
        """
        if self.otherwise_in_training:
            raise UnsupportedError(
                f"layer {self.name!r} ({self.type}) computes something else in training, which is "
                f"not known here: --still {self.name} lets it act as in prediction"
            )
        return self.equations(inputs, outputs)

    def equations_over_batch(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], batch: Batch
    ) -> list[Equation]:
        """What it computes of a whole batch while a network is trained.

        Args:
            inputs, outputs: tensors of one sample; ``batch`` has those over all samples.
        """
        noise = Noise()
        return batch.lift(self.equations_in_training(inputs, outputs, noise), noise)

    def activation_axes(self) -> dict[str, tuple[str, ...]]:
        """The weights of activations that are layers of their own: ``activation/alpha``."""
        return {
            f"{name}/{label}": axes
            for name in ACTIVATIONS
            if isinstance(layer := getattr(self, name, None), Layer)
            for label, axes in layer.weight_axes().items()
        }

    def active(self, name: str = "activation") -> Layer | None:
        """The activation of that argument, with its share of the weights."""
        layer: Layer | None = getattr(self, name)
        if layer is None or not layer.weight_axes():
            return layer
        return replace(layer, weights=part(self.weights, f"{name}/"))

    @property
    def keeps_state(self) -> bool:
        """True if what it computes depends on the runs before."""
        return any(layer.keeps_state for _, layer in self.inner_layers())

    def kept_states(self, x: Tensor) -> list[tuple[str, Signature]]:
        """The states that it keeps from run to run; UnsupportedError where they are not read."""
        raise UnsupportedError(f"a state that is kept inside a {self.type} is not computed")

    def with_state_outputs(self) -> Layer:
        """The same layer with the states as further inputs and as its last outputs."""
        raise UnsupportedError(f"a state that is kept inside a {self.type} is not computed")

    def unrolled(self, x: Tensor) -> Signature | None:
        """Of a layer that only lays its input out in one row: the axes and sizes, in that order."""
        return None

    def blind_to(self, gone: Sequence[bool], output: bool = False) -> Layer:
        """The layer as it is where it does not see the masks of those inputs.

        ``output``: its output has no mask either.
        """
        return self

    def loses_mask(self, gone: Sequence[bool]) -> bool:
        """True if its output has no mask where those of its inputs have lost theirs."""
        return any(gone)

    def strips_masks(self) -> list[int]:
        """The inputs off which Keras takes the masks, so that no later layer sees them."""
        return []

    def output_name(self, key: str, number: int, count: int) -> str:
        """The name of one of ``count`` outputs of the call ``key``."""
        return key if count == 1 else f"{key}[{number}]"

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        """Axes and shape of each output; raises ValueError where the inputs do not fit."""
        raise UnsupportedError(f"layer {self.name!r} ({self.type_name}) is not computed")

    def output_kind(self, number: int) -> tuple[str, Quantisation | None]:
        """The dtype of an output, and what its numbers stand for where they are whole."""
        return FLOAT, None

    def output_mask(self, inputs: Sequence[Tensor], name: str) -> Tensor | None:
        """The mask over time that the output carries; ``name`` is the output's key."""
        if not self.passes_mask:
            return None
        return next((tensor.mask for tensor in inputs if tensor.mask is not None), None)

    def masked_outputs(self) -> int:
        """How many outputs carry it, counted from the first."""
        return 1

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        """The equations that fill the outputs (and intermediates) from the inputs."""
        raise UnsupportedError(f"layer {self.name!r} ({self.type_name}) has no equations")

    def meaning(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        """What the equations mean: those of real numbers, where whole ones stand for them."""
        return self.equations(inputs, outputs)

    def in_reals(self) -> tuple[Layer, dict[Weight, Weight]] | None:
        """Of a layer of whole numbers the one of real ones, and its weights' whole ones."""
        return None

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        """ONNX nodes for the layer; returns the names of its outputs."""
        equations = self.equations(inputs, outputs)
        return graph.print(equations, dict(zip(inputs, names, strict=True)), outputs)

    @property
    def channels_first(self) -> bool:
        """True if it takes feature maps whose channels come before the space axes."""
        return getattr(self, "data_format", None) == "channels_first"

    @property
    def params(self) -> int:
        """Number of stored values, trainable and not."""
        return sum(int(weight.values.size) for weight in self.weights.values())

    @property
    def trainable_params(self) -> int:
        """Number of those that a training changes: none if frozen, no measured statistics."""
        return sum(int(self.weights[label].values.size) for label in self.learnt
                   if label in self.weights)  # fmt: skip

    @property
    def details(self) -> dict[str, Any]:
        """What it was made with, where it has that: kernel size, strides, padding, functions.

        Keys are Keras's names of the arguments; ``function`` is that of an Activation layer.
        """
        found: dict[str, Any] = {}
        for name in ("kernel_size", "pool_size", "strides", "dilation_rate", "groups", "padding"):
            value = getattr(self, name, None)
            usual = name in ("dilation_rate", "groups") and value in (1, (1,), (1, 1), (1, 1, 1))
            if value is not None and value != () and not usual:
                found[name] = value if isinstance(value, (int, str)) else tuple(value)
        for name in ACTIVATIONS:
            if isinstance(layer := getattr(self, name, None), Layer):
                found[name] = layer.function_name
        if self.type == "Activation":
            found["function"] = self.function_name
        return found

    @property
    def function_name(self) -> str:
        """Its name as a function, as Keras writes it: ``relu``, ``leaky_relu``, ``log_softmax``."""
        words = re.sub("(Re|Si|E|GE|SE|CE)LU", lambda m: m[0].capitalize(), type(self).__name__)
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", words).lower()

    @property
    def type(self) -> str:
        """The class name in the framework: ``Conv2D``."""
        return self.type_name or type(self).__name__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{label}</td><td>{weight.shape}</td><td>{', '.join(weight.axes)}</td></tr>"
            for label, weight in self.weights.items()
        )
        from html import escape

        head = f"<b>{escape(self.name)}</b> {escape(self.type)}, {self.params:,} parameters"
        return f"{head}<table><tr><th>weight</th><th>shape</th><th>axes</th></tr>{rows}</table>"


def part(weights: Mapping[str, Weight], prefix: str) -> dict[str, Weight]:
    """The weights whose labels start with ``prefix``, without it."""
    return {
        label.removeprefix(prefix): weight
        for label, weight in weights.items()
        if label.startswith(prefix)
    }


_BY_RANK: dict[int, tuple[str, ...]] = {
    0: (),
    1: ("channel",),
    2: ("time", "channel"),
    3: ("height", "width", "channel"),
    4: ("depth", "height", "width", "channel"),
}


def default_axes(rank: int) -> tuple[str, ...]:
    """The usual names for the axes of a tensor of this rank, without batch."""
    if rank in _BY_RANK:
        return _BY_RANK[rank]
    return (*(f"axis{i}" for i in range(rank - 4)), *_BY_RANK[4])
