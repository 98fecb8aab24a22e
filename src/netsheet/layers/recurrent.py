"""Recurrent layers: LSTM, GRU, SimpleRNN, and RNN around cells.

The output is the first state of the (last) cell. With ``go_backwards`` step t reads the input and
its mask at T - 1 - t, and the output stays in the order of the steps. Where the mask is 0, the
output repeats the previous one (zeros before the first), or is 0 with ``zero_output_for_mask``.
Source: keras/src/layers/rnn/rnn.py, keras/src/backend/tensorflow/rnn.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsheet.equations import (
    Equation,
    Index,
    Noise,
    Position,
    Tensor,
    Value,
    call,
    equation,
    indices_of,
)
from netsheet.layer import Graph, Layer, Signature, part
from netsheet.layers.cells import (
    Cell,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
)
from netsheet.layers.noise import kept
from netsheet.layers.recurrence import Dropped, State, Step, after_first


def base_tensor(outputs: Sequence[Tensor]) -> Tensor:
    """The first output under the node's own key: what intermediate tensors are named after."""
    first = outputs[0]
    return replace(first, name=first.name.removesuffix("[0]")) if len(outputs) > 1 else first


@dataclass(eq=False, kw_only=True)
class Loop(Layer):
    """What all recurrent layers share.

    ``inputs[1:]``, if any, are the states before the first step. The outputs are the sequence or
    its last step, then the final states if ``return_state``. A mask is passed on by
    ``outputs[0]`` only, and only with ``return_sequences``.
    """

    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    zero_output_for_mask: bool = False
    stateful: bool = False  # the final states are those before the first step of the next run
    drops_each_step: bool = False  # in training by itself, as Keras 2 where it has fast kernels
    states_beside: bool = False  # they are outputs for the sake of that, under names of their own

    @property
    def keeps_state(self) -> bool:
        return self.stateful

    def kept_states(self, x: Tensor) -> list[tuple[str, Signature]]:
        return list(zip(self.state_names(), self._frames(x), strict=True))

    def state_names(self) -> list[str]:
        """Of the states in order: ``state``, ``cell``; with the prefix of their cell."""
        return [prefix + name for prefix, cell in self.cells_in_order() for name in cell.states]

    def with_state_outputs(self) -> Loop:
        beside = not self.return_state
        return replace(self, stateful=False, return_state=True, states_beside=beside)

    def output_name(self, key: str, number: int, count: int) -> str:
        if not self.states_beside:
            return super().output_name(key, number, count)
        return key if number == 0 else f"{key}/{self.state_names()[number - 1]}_out"

    def cells_in_order(self) -> list[tuple[str, Cell]]:
        """The cells of a step, each with the prefix of its names."""
        assert isinstance(self, Cell)
        return [("", self)]

    def output_mask(self, inputs: Sequence[Tensor], name: str) -> Tensor | None:
        return inputs[0].mask if self.return_sequences else None

    def _frames(self, x: Tensor) -> list[Signature]:
        """Axes and shape of one step of each state."""
        frames: list[Signature] = []
        below = Signature(x.axes[1:], x.shape[1:])
        for _, cell in self.cells_in_order():
            below = cell.frame(below)
            frames += [below] * len(cell.states)
        return frames

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x = inputs[0]
        frames = self._frames(x)
        if len(inputs) not in (1, 1 + len(frames)):
            raise ValueError(
                f"layer {self.name!r} has {len(frames)} states, "
                f"but {len(inputs) - 1} initial states are given"
            )
        output = frames[-len(self.cells_in_order()[-1][1].states)]
        if self.return_sequences:
            output = Signature(("time", *output.axes), (x.shape[0], *output.shape))
        return [output, *(frames if self.return_state else [])]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return self._in_steps(inputs, outputs)

    def _in_steps(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], dropped: Dropped | None = None
    ) -> list[Equation]:
        """The loop; ``dropped`` is what its first cell drops."""
        x, y, mask = inputs[0], outputs[0], inputs[0].mask
        key, t = base_tensor(outputs), Index("t", x.shape[0])
        source: Position = (t.size - 1) - t if self.go_backwards else t
        # With a mask, the output may differ from the state that it comes from.
        held = mask is not None and (len(inputs) > 1 or self.zero_output_for_mask)
        states = self._states(inputs, key, None if held or not self.return_sequences else y)
        result: list[Equation] = []
        below, read = x, source
        for (prefix, cell), own in zip(self.cells_in_order(), states, strict=True):
            step = Step(key, prefix, t, below, read, mask, source, dropped)
            result += cell.equations_at(step, own)
            below, read, dropped = own[0].tensor, t, None
        if held and mask is not None:
            sequence = y if self.return_sequences else replace(below, name=f"{key.name}/output")
            result.append(self._held(sequence, below, t, mask[source]))
            below = sequence
        if not self.return_sequences:
            result.append(_last(y, below))
        if self.return_state:
            every = [state.tensor for own in states for state in own]
            result += [_last(y, state) for y, state in zip(outputs[1:], every, strict=True)]
        return result

    def equations_in_training(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise
    ) -> list[Equation]:
        """With inputs and states dropped, alike in all steps (keras: dropout_rnn_cell.py)."""
        (prefix, first), *above = self.cells_in_order()
        more = any(cell.otherwise_in_training for _, cell in above)
        if not self.otherwise_in_training or self.random or first.random or more:
            return super().equations_in_training(inputs, outputs, noise)
        x, key, by_gate = inputs[0], base_tensor(outputs), first.drops_by_gate
        made, inside = list[Equation](), Dropped(None, None, None)
        if first.dropout > 0:
            begin = 0 if self.drops_each_step else 1
            axes, shape = (("gate",), (first.gates,)) if by_gate else ((), ())
            frame = Signature((*axes, *x.axes[begin:]), (*shape, *x.shape[begin:]))
            mask = noise.draw(_step(key, "kept", frame), kept(first.dropout))
            whole = Signature((*x.axes[:begin], *mask.axes), (*x.shape[:begin], *mask.shape))
            dropped = replace(_step(key, "dropped", whole), mask=None if by_gate else x.mask)
            at = indices_of(dropped)
            read = (at[0], *at[2:]) if by_gate else at
            made = [equation(dropped[at], x[read] * mask[at[begin:]])]
            inside = Dropped(dropped if by_gate else None, None, None)
            x = x if by_gate else dropped
        if first.recurrent_dropout > 0:
            frame = Signature(("gate", "channel"), (first.gates, *self._frames(x)[0].shape))
            mask = noise.draw(_step(key, "states/kept", frame), kept(first.recurrent_dropout))
            past = Signature(("time", *frame.axes), (x.shape[0], *frame.shape))
            inside = replace(inside, kept=mask, past=_step(key, f"{prefix}past", past))
        own = inside if inside.inputs or inside.past else None
        return [*made, *self._in_steps([x, *inputs[1:]], outputs, own)]

    def _states(
        self, inputs: Sequence[Tensor], key: Tensor, output: Tensor | None
    ) -> list[list[State]]:
        """The states of each cell; ``output`` is the first state of the last one, if given."""
        x = inputs[0]
        initial: list[Tensor | None] = list(inputs[1:]) or [None] * len(self._frames(x))
        frames = iter(zip(self._frames(x), initial, strict=True))
        states = []
        for prefix, cell in self.cells_in_order():
            own = []
            for name in cell.states:
                frame, before = next(frames)
                shape = tuple(size or 0 for size in (x.shape[0], *frame.shape))
                own.append(State(key.step(prefix + name, ("time", *frame.axes), shape), before))
            states.append(own)
        if output is not None:
            states[-1][0] = replace(states[-1][0], tensor=output)
        return states

    def _held(self, sequence: Tensor, state: Tensor, t: Index, kept: Value) -> Equation:
        at = indices_of(state)[1:]
        before: Value = 0
        if not self.zero_output_for_mask:
            before = after_first(t, lambda past: sequence[(past, *at)], 0)
        return equation(sequence[(t, *at)], call("if", kept, state[(t, *at)], before), t)

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        cells = self.cells_in_order()
        form = cells[0][1].onnx_form() if len(cells) == 1 else None
        if form is None or inputs[0].mask is not None:
            return super().onnx(graph, names, inputs, outputs)
        cell = cells[0][1]
        x = graph.node("Transpose", [names[0]], perm=[1, 0, 2])
        if self.go_backwards:
            x = reversed_axis(graph, x, 0)
        ahead = graph.constant(np.array([0], np.int64))
        initial = [graph.node("Unsqueeze", [name, ahead]) for name in names[1:]]
        results = graph.node(
            form.op,
            [x, *(graph.constant(array) for array in form.weights), "", *initial],
            outputs=1 + len(cell.states),
            hidden_size=form.hidden_size,
            **form.attributes,
        )
        states = [graph.node("Squeeze", [state, ahead]) for state in results[1:]]
        if self.return_sequences:
            direction = graph.constant(np.array([1], np.int64))
            sequence = graph.node("Squeeze", [results[0], direction])
            first = graph.node("Transpose", [sequence], perm=[1, 0, 2])
        else:
            # an output of its own, even where it equals the state that is returned as well
            first = graph.node("Identity", [states[0]]) if self.return_state else states[0]
        return [first, *(states if self.return_state else [])]


def _step(key: Tensor, name: str, signature: Signature) -> Tensor:
    return key.step(name, signature.axes, tuple(size or 0 for size in signature.shape))


def _last(output: Tensor, sequence: Tensor) -> Equation:
    at = indices_of(output)
    return equation(output[at], sequence[(sequence.shape[0] - 1, *at)])


def reversed_axis(graph: Graph, name: str, axis: int) -> str:
    """ONNX nodes that turn an axis round."""
    ends = ([-1], [-(2**63) + 1], [axis], [-1])  # start, end, axis, step
    bounds = [graph.constant(np.array(end, np.int64)) for end in ends]
    return str(graph.node("Slice", [name, *bounds]))


@dataclass(eq=False, kw_only=True)
class SimpleRNN(Loop, SimpleRNNCell):
    """A loop around a SimpleRNNCell."""


@dataclass(eq=False, kw_only=True)
class GRU(Loop, GRUCell):
    """A loop around a GRUCell."""


@dataclass(eq=False, kw_only=True)
class LSTM(Loop, LSTMCell):
    """A loop around an LSTMCell."""


@dataclass(eq=False, kw_only=True)
class RNN(Loop):
    """A loop around any cell, or several on top of each other; the weights are the cell's."""

    cell: Cell | StackedRNNCells

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return self.cell.weight_axes()

    def inner_layers(self) -> list[tuple[str, Layer]]:
        return [("", self.cell)]

    def settle(self, stored: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        self.cell.settle(stored)

    def cells_in_order(self) -> list[tuple[str, Cell]]:
        if isinstance(self.cell, Cell):
            return [("", replace(self.cell, name=self.name, weights=self.weights))]
        return [
            (prefix, replace(cell, name=self.name, weights=part(self.weights, prefix)))
            for number, cell in enumerate(self.cell.cells)
            for prefix in [f"{number}/"]
        ]
