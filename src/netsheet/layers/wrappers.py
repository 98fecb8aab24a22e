"""Layers around layers: Bidirectional and TimeDistributed.

Source: keras/src/layers/rnn/{bidirectional,time_distributed}.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsheet.equations import (
    Equation,
    Expr,
    Index,
    Noise,
    Tensor,
    equation,
    indices_of,
    lift,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph, Layer, Signature, part
from netsheet.layers.composite import Composite
from netsheet.layers.recurrent import Loop, base_tensor, reversed_axis

MERGES = {"concat": "Concat", "sum": "Sum", "mul": "Mul", "ave": "Mean"}  # as ONNX operators


@dataclass(eq=False, kw_only=True)
class Bidirectional(Layer):
    """A recurrent layer over the sequence in both directions, merged.

    Weights and steps are named ``forward/...`` and ``backward/...``. The backward sequence is
    turned round before merging. Initial and final states: those of forward, then of backward.
    Both layers get ``zero_output_for_mask = return_sequences``, as Keras sets it.
    """

    forward_layer: Loop
    backward_layer: Loop | None = None  # by default the forward one, backwards
    merge_mode: str | None = "concat"

    def __post_init__(self) -> None:
        if self.merge_mode is not None and self.merge_mode not in MERGES:
            raise ValueError(f"layer {self.name!r} has the unknown merge_mode {self.merge_mode!r}")
        backward = self.backward_layer
        if backward is not None and backward.go_backwards == self.forward_layer.go_backwards:
            raise ValueError("its two layers read in the same direction")

    def directions(self) -> list[tuple[str, Loop]]:
        """Both layers, with their weights."""
        return [
            (
                name,
                replace(
                    layer,
                    name=f"{self.name}/{name}",
                    weights=part(self.weights, f"{name}/"),
                    zero_output_for_mask=layer.return_sequences,
                ),
            )
            for name, layer in self._plain_directions()
        ]

    def _plain_directions(self) -> list[tuple[str, Loop]]:
        forward = self.forward_layer
        backward = self.backward_layer or replace(forward, go_backwards=not forward.go_backwards)
        return [("forward", forward), ("backward", backward)]

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return {
            f"{name}/{label}": axes
            for name, layer in self.directions()
            for label, axes in layer.weight_axes().items()
        }

    def inner_layers(self) -> list[tuple[str, Layer]]:
        return [(f"{name}/", layer) for name, layer in self.directions()]

    def settle(self, stored: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        half = len(stored) // 2
        self.forward_layer.settle(stored[:half])
        if self.backward_layer is not None:
            self.backward_layer.settle(stored[half:])

    def output_mask(self, inputs: Sequence[Tensor], name: str) -> Tensor | None:
        return self.forward_layer.output_mask(inputs, name)

    def kept_states(self, x: Tensor) -> list[tuple[str, Signature]]:
        return [
            (f"{name}/{state}", signature)
            for name, layer in self.directions()
            for state, signature in layer.kept_states(x)
        ]

    def with_state_outputs(self) -> Layer:
        made = [layer.with_state_outputs() for _, layer in self._plain_directions()]
        return replace(self, forward_layer=made[0], backward_layer=made[1])

    def output_name(self, key: str, number: int, count: int) -> str:
        first = 2 if self.merge_mode is None else 1
        if not self.forward_layer.states_beside:
            return super().output_name(key, number, count)
        if number < first:
            return super().output_name(key, number, first)
        names = [
            f"{key}/{name}/{state}_out"
            for name, layer in self.directions()
            for state in layer.state_names()
        ]
        return names[number - first]

    def masked_outputs(self) -> int:
        return 2 if self.merge_mode is None else 1

    def _inputs(self, inputs: Sequence[Tensor]) -> list[list[Tensor]]:
        """What each direction reads: the sequence and its half of the initial states."""
        half = (len(inputs) - 1) // 2
        return [[inputs[0], *inputs[1 : 1 + half]], [inputs[0], *inputs[1 + half :]]]

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        pairs = zip(self.directions(), self._inputs(inputs), strict=True)
        forward, backward = (layer.infer(given) for (_, layer), given in pairs)
        states = [*forward[1:], *backward[1:]]
        if self.merge_mode is None:
            return [forward[0], backward[0], *states]
        axes, shape = forward[0]
        if self.merge_mode == "concat":
            width = (shape[-1] or 0) + (backward[0].shape[-1] or 0)
            return [Signature(axes, (*shape[:-1], width)), *states]
        if shape != backward[0].shape:
            raise ValueError(
                f"layer {self.name!r} cannot merge {shape} with {backward[0].shape} "
                f"by {self.merge_mode!r}"
            )
        return [forward[0], *states]

    def _outputs(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> list[tuple[Loop, list[Tensor], list[Tensor]]]:
        """Each direction with its inputs and outputs."""
        key = base_tensor(outputs)
        states = list(outputs[2 if self.merge_mode is None else 1 :])
        result = []
        for (name, layer), given in zip(self.directions(), self._inputs(inputs), strict=True):
            first, *rest = layer.infer(given)
            shape = tuple(size or 0 for size in first.shape)
            own = [key.step(name, first.axes, shape), *states[: len(rest)]]
            states = states[len(rest) :]
            result.append((layer, given, own))
        return result

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return self._both(inputs, outputs, None)

    def equations_in_training(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise
    ) -> list[Equation]:
        return self._both(inputs, outputs, None if self.still else noise)

    def _both(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise | None
    ) -> list[Equation]:
        result: list[Equation] = []
        sequences = []
        for layer, given, own in self._outputs(inputs, outputs):
            result += (
                layer.equations(given, own)
                if noise is None
                else layer.equations_in_training(given, own, noise)
            )
            sequences.append(own[0])
        return [*result, *self._merge(sequences[0], sequences[1], outputs)]

    def _merge(
        self, forward: Tensor, backward: Tensor, outputs: Sequence[Tensor]
    ) -> list[Equation]:
        y = outputs[0]

        def turned(at: Sequence[Index]) -> Expr:
            if not self.forward_layer.return_sequences:
                return backward[tuple(at)]
            return backward[(backward.shape[0] - 1 - at[0], *at[1:])]

        at = indices_of(forward)
        if self.merge_mode is None:
            return [equation(y[at], forward[at]), equation(outputs[1][at], turned(at))]
        if self.merge_mode == "concat":
            other = indices_of(backward)
            behind = y[(*other[:-1], other[-1] + forward.shape[-1])]
            return [equation(y[at], forward[at]), equation(behind, turned(other))]
        if self.merge_mode == "mul":
            return [equation(y[at], forward[at] * turned(at))]
        total = forward[at] + turned(at)
        return [equation(y[at], total / 2 if self.merge_mode == "ave" else total)]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        if inputs[0].mask is not None:
            return super().onnx(graph, names, inputs, outputs)
        half = (len(names) - 1) // 2
        given = [[names[0], *names[1 : 1 + half]], [names[0], *names[1 + half :]]]
        results = [
            layer.onnx(graph, own_names, own_inputs, own_outputs)
            for own_names, (layer, own_inputs, own_outputs) in zip(
                given, self._outputs(inputs, outputs), strict=True
            )
        ]
        (forward, *states), (backward, *more) = results
        if self.forward_layer.return_sequences:
            backward = reversed_axis(graph, backward, 1)
        states += more
        if self.merge_mode is None:
            return [forward, backward, *states]
        attributes = {"axis": -1} if self.merge_mode == "concat" else {}
        merged = graph.node(MERGES[self.merge_mode], [forward, backward], **attributes)
        return [merged, *states]


@dataclass(eq=False, kw_only=True)
class TimeDistributed(Layer):
    """A layer applied to every step of its input; its weights and steps are the inner layer's.

    The mask is passed on. An inner layer that reads masks gets the rest of a mask of several axes.
    ``inner_masks``: Keras 2 also passes on the masks that the inner layer makes; that is refused.
    """

    layer: Layer
    inner_masks: bool = False

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return self.layer.weight_axes()

    def inner_layers(self) -> list[tuple[str, Layer]]:
        return [("", self.layer)]

    def settle(self, stored: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        self.layer.settle(stored)

    def _inner(self) -> Layer:
        return replace(self.layer, name=self.name, weights=self.weights)

    def _check_masks(self, inputs: Sequence[Tensor]) -> None:
        made = self._inner().output_mask([_step(x, None) for x in inputs], self.name)
        if made is not None or any(x.mask is not None and len(x.mask.shape) > 1 for x in inputs):
            raise UnsupportedError(
                f"layer {self.name!r} (TimeDistributed) carries a mask for the steps inside "
                "a step, which is not computed for Keras 2"
            )

    def _steps(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """One step of each input."""
        return [_step(x, x.mask) for x in inputs]

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        if any(len(x.shape) < 2 for x in inputs):
            raise ValueError(f"layer {self.name!r} needs an input with a time axis and one more")
        if self.inner_masks:
            self._check_masks(inputs)
        return [
            Signature(("time", *axes), (inputs[0].shape[0], *shape))
            for axes, shape in self._inner().infer(self._steps(inputs))
        ]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return self._repeated(inputs, outputs, None)

    def equations_in_training(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise
    ) -> list[Equation]:
        return self._repeated(inputs, outputs, None if self.still else noise)

    def _repeated(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise | None
    ) -> list[Equation]:
        """The inner layer's equations for every step, with noise as in training."""
        steps = self._steps(inputs)
        results = [_step(y, None) for y in outputs]
        lifted = dict(zip([*steps, *results], [*inputs, *outputs], strict=True))
        lifted |= {s.mask: x.mask for s, x in zip(steps, inputs, strict=True) if s.mask and x.mask}
        t = Index("n", inputs[0].shape[0])
        if noise is None:
            return lift(self._inner().equations(steps, results), t, lifted, "time")
        own = Noise()
        equations = self._inner().equations_in_training(steps, results, own)
        for drawn in own.drawn:  # each step its own numbers
            step = drawn.tensor
            whole = replace(step, axes=("time", *step.axes), shape=(t.size, *step.shape))
            lifted[step] = noise.draw(whole, drawn.draw, drawn.shared)
        return lift(equations, t, lifted, "time")

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        """Every step as a sample of its own; one after the other where the layer holds a loop."""
        steps = self._steps(inputs)
        if any(step.mask is not None for step in steps):
            return super().onnx(graph, names, inputs, outputs)
        results = [_step(y, None) for y in outputs]
        inner = self._inner()

        def reshaped(name: str, shape: Sequence[int]) -> str:
            return str(graph.node("Reshape", [name, graph.constant(np.array(shape, np.int64))]))

        if not _loops(inner):
            flat = [reshaped(n, (-1, *step.shape)) for n, step in zip(names, steps, strict=True)]
            found = inner.onnx(graph, flat, steps, results)
            return [reshaped(n, (-1, *y.shape)) for n, y in zip(found, outputs, strict=True)]
        # Some values of a loop have the number of samples of the graph, so that has to stay.
        rows: list[list[str]] = []
        for number in range(outputs[0].shape[0]):
            place = graph.constant(np.array(number, np.int64))
            now = [graph.node("Gather", [name, place], axis=1) for name in names]
            found = inner.onnx(graph, now, steps, results)
            rows.append(
                [reshaped(n, (-1, 1, *y.shape)) for n, y in zip(found, results, strict=True)]
            )
        return [graph.node("Concat", list(column), axis=1) for column in zip(*rows, strict=True)]


def _loops(layer: Layer) -> bool:
    """True if the layer is recurrent, or holds one that is."""
    if isinstance(layer, Composite):
        return any(_loops(part.layer) for part in layer.parts)
    if isinstance(layer, TimeDistributed):
        return _loops(layer.layer)
    return isinstance(layer, (Loop, Bidirectional))


def _step(tensor: Tensor, mask: Tensor | None) -> Tensor:
    """One step of a tensor, and of its mask if that has more than the time axis."""
    inner = mask and len(mask.shape) > 1
    return Tensor(
        tensor.name,
        tensor.axes[1:],
        tensor.shape[1:],
        _step(mask, None) if inner and mask is not None else None,
    )
