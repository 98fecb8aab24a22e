"""One step of a recurrence: SimpleRNNCell, GRUCell, LSTMCell, StackedRNNCells.

A cell writes its gates and its new states as visible tensors with a leading time axis, and reads
the states of the step before. Where the mask is 0, every state is carried over.
Source of the formulas: keras/src/layers/rnn/{simple_rnn,gru,lstm}.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from netsheet.equations import (
    Equation,
    Expr,
    FloatArray,
    Index,
    Position,
    Tensor,
    Value,
    equation,
    reduce,
)
from netsheet.layer import Layer, Signature
from netsheet.layers.activation import HardSigmoid, Linear, ReLU, Sigmoid, Softsign, Tanh
from netsheet.layers.recurrence import Reader, State, Step


class OnnxForm(NamedTuple):
    """A cell as a recurrent ONNX operator; W, R and B have a leading direction axis."""

    op: str
    hidden_size: int
    weights: tuple[FloatArray, FloatArray, FloatArray]
    attributes: dict[str, Any]


@dataclass(eq=False, kw_only=True)
class Cell(Layer):
    """One step of a recurrence; the first of its states is its output."""

    activation: Layer | None = None
    use_bias: bool = True
    dropout: float = 0.0  # of its inputs in training, the same in all steps
    recurrent_dropout: float = 0.0  # of its first state, which its gates read
    drops_by_gate: bool = False  # each gate drops inputs of its own

    states: ClassVar[tuple[str, ...]] = ("state",)

    @property
    def otherwise_in_training(self) -> bool:
        drops = self.dropout > 0 or self.recurrent_dropout > 0
        return super().otherwise_in_training or (drops and not self.still)

    def frame(self, x: Signature) -> Signature:
        """Axes and shape of one state, for one step of the input; ValueError if it cannot be."""
        raise NotImplementedError

    def equations_at(self, step: Step, states: Sequence[State]) -> list[Equation]:
        """The equations of one step: gates, then the new states."""
        raise NotImplementedError

    def onnx_form(self) -> OnnxForm | None:
        """The ONNX operator that is this very cell, or None."""
        return None


@dataclass(eq=False, kw_only=True)
class _VectorCell(Cell):
    """A cell whose states are vectors of ``units`` values.

    The last axis of every weight holds the gates one after another: ``gate * units + unit``.
    """

    units: int

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes: dict[str, tuple[str, ...]] = {
            "kernel": ("in", "out"),
            "recurrent_kernel": ("unit", "out"),
        }
        if self.use_bias:
            axes["bias"] = ("out",)
        return axes | self.activation_axes()

    def frame(self, x: Signature) -> Signature:
        if len(x.shape) != 1:
            raise ValueError(
                f"layer {self.name!r} takes a sequence of vectors, "
                f"but a step of its input has the shape {x.shape}"
            )
        return Signature(("channel",), (self.units,))

    def _wide(self, step: Step, name: str, gates: int) -> Tensor:
        return step.gate(name, Signature(("channel",), (gates * self.units,)))

    def _by_gate(
        self, step: Step, target: Tensor, formula: Callable[[Position, int], Expr], gates: int
    ) -> list[Equation]:
        """The columns of some gates: at once, or of each by itself where each drops its own."""
        if step.dropped is None:
            o = Index("o", gates * self.units)
            return [equation(target[step.t, o], formula(o, 0), step.t)]
        columns = [Index("c", self.units) + gate * self.units for gate in range(gates)]
        return [
            equation(target[step.t, column], formula(column, gate), step.t)
            for gate, column in enumerate(columns)
        ]

    def _kept(self, step: Step, state: State) -> list[Equation]:
        """What each gate reads of the state before, where something of it is dropped."""
        if step.dropped is None or step.dropped.past is None or step.dropped.kept is None:
            return []
        kept = step.dropped.kept
        return [
            step.fill(step.dropped.past, lambda at: state.before(step.t, at[1:]) * kept[at]),
        ]

    def _input(self, step: Step, o: Position, gate: int, row: int | None = None) -> Expr:
        """``x W + b``; ``row`` of a bias that has several."""
        i = Index("i", step.x.shape[1])
        x = step.x[step.source, i]
        if step.dropped is not None and step.dropped.inputs is not None:
            x = step.dropped.inputs[step.source, gate, i]
        total = reduce("sum", (i,), x * self.weights["kernel"][i, o])
        return self._plus_bias(total, o, row)

    def _past(self, step: Step, state: State, o: Position, gate: int) -> Expr:
        """``h' U``."""
        k = Index("k", self.units)
        factor = self.weights["recurrent_kernel"][k, o]
        if step.dropped is None or step.dropped.past is None:
            return state.total(step.t, (k,), (k,), factor)
        return reduce("sum", (k,), step.dropped.past[step.t, gate, k] * factor)

    def _sum(self, step: Step, state: State, o: Position, gate: int) -> Expr:
        return self._input(step, o, gate) + self._past(step, state, o, gate)

    def _plus_bias(self, total: Expr, o: Position, row: int | None = None) -> Expr:
        if not self.use_bias:
            return total
        bias = self.weights["bias"]
        return total + (bias[o] if row is None else bias[row, o])

    def _columns(self, tensor: Tensor, step: Step) -> list[Reader]:
        """For each gate a reader of its columns."""

        def reader(gate: int) -> Reader:
            return lambda at: tensor[step.t, at[0] + gate * self.units]

        return [reader(gate) for gate in range(tensor.shape[1] // self.units)]

    def _onnx_weights(self, order: Sequence[int]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """W (1, gates u, in), R (1, gates u, u), B (1, 2 gates u), with the gates in ``order``."""
        width = self.gates * self.units
        columns = np.arange(width).reshape(self.gates, self.units)[list(order)].ravel()
        kernel, recurrent = (
            self.weights[label].values.astype(np.float32)
            for label in ("kernel", "recurrent_kernel")
        )
        bias = np.zeros((2, width), np.float32)  # of the input, of the state
        if self.use_bias:
            stored = self.weights["bias"].values.reshape(-1, width)
            bias[: len(stored)] = stored
        return (
            kernel[:, columns].T[None],
            recurrent[:, columns].T[None],
            bias[:, columns].reshape(1, -1),
        )


def _is_plain(activation: Layer | None) -> bool:
    """True for ``max(x, 0)``."""
    return isinstance(activation, ReLU) and (
        activation.max_value,
        activation.negative_slope,
        activation.threshold,
    ) == (None, 0, 0)


def _onnx_activations(*activations: Layer | None) -> dict[str, Any] | None:
    """The attributes that name the activations of a recurrent ONNX operator; None if one cannot.

    Alphas and betas are listed for those only that have them.
    """
    names: list[str] = []
    alphas: list[float] = []
    betas: list[float] = []
    for activation in activations:
        if isinstance(activation, (Tanh, Sigmoid, Softsign)):
            names.append(type(activation).op or "")
        elif _is_plain(activation):
            names.append("Relu")
        elif activation is None or isinstance(activation, (Linear, HardSigmoid)):
            steep = isinstance(activation, HardSigmoid)
            names.append("HardSigmoid" if steep else "Affine")
            alphas.append(activation.slope if isinstance(activation, HardSigmoid) else 1.0)
            betas.append(0.5 if steep else 0.0)
        else:
            return None
    attributes: dict[str, Any] = {"activations": names}
    return attributes | ({"activation_alpha": alphas, "activation_beta": betas} if alphas else {})


@dataclass(eq=False, kw_only=True)
class SimpleRNNCell(_VectorCell):
    """``h = activation(x W + h' U + b)``."""

    def equations_at(self, step: Step, states: Sequence[State]) -> list[Equation]:
        pre = self._wide(step, "pre", 1)
        steps, new = step.through(self.active(), pre)
        return [
            *self._kept(step, states[0]),
            *self._by_gate(step, pre, lambda o, gate: self._sum(step, states[0], o, gate), 1),
            *steps,
            step.advance(states[0], new),
        ]

    def onnx_form(self) -> OnnxForm | None:
        named = _onnx_activations(self.active())
        return OnnxForm("RNN", self.units, self._onnx_weights([0]), named) if named else None


@dataclass(eq=False, kw_only=True)
class GRUCell(_VectorCell):
    """``h = z h' + (1 - z) h~`` with the gates z (update), r (reset) and h~, in this order.

    ``h~ = activation(x W + b + r (h' U + c))`` with ``reset_after``, which stores the biases b
    and c as the two rows of ``bias``; else ``h~ = activation(x W + b + (r h') U)``.
    """

    recurrent_activation: Layer | None = None
    reset_after: bool = True
    reset_after_said: bool = True  # False: the file does not say it, its biases do

    gate_names: ClassVar[tuple[str, ...]] = ("z", "r", "h~")

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes = super().weight_axes()
        if self.use_bias and self.reset_after:
            axes["bias"] = ("bias", "out")
        return axes

    def settle(self, stored: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        # Two rows of biases (in CuDNN's form one after the other) tell ``reset_after``.
        if len(stored) == 3 and self.use_bias and not self.reset_after_said:
            shape = stored[2][1]
            self.reset_after = len(shape) == 2 or shape == (6 * self.units,)

    def equations_at(self, step: Step, states: Sequence[State]) -> list[Equation]:
        t, state = step.t, states[0]
        x, h = self._wide(step, "input", 3), self._wide(step, "recurrent", 3)
        z, r, new = (self._wide(step, name, 1) for name in ("z", "r", "h~"))
        from_x, from_h = self._columns(x, step), self._columns(h, step)
        row = 0 if self.reset_after else None
        gates = [
            *step.activate(
                self.active("recurrent_activation"), z, lambda at: from_x[0](at) + from_h[0](at)
            ),
            *step.activate(
                self.active("recurrent_activation"), r, lambda at: from_x[1](at) + from_h[1](at)
            ),
        ]

        def recurrent(o: Position, gate: int) -> Expr:
            past = self._past(step, state, o, gate)
            return self._plus_bias(past, o, 1) if self.reset_after else past

        if not self.reset_after:
            gates += self._reset(step, state, r, h)

        def candidate(at: tuple[Index, ...]) -> Value:
            own = from_h[2](at)
            return from_x[2](at) + (r[t, at[0]] * own if self.reset_after else own)

        return [
            *self._kept(step, state),
            *self._by_gate(step, x, lambda o, gate: self._input(step, o, gate, row), 3),
            *self._by_gate(step, h, recurrent, 3 if self.reset_after else 2),
            *gates,
            *step.activate(self.active(), new, candidate),
            step.advance(
                state,
                lambda at: z[t, at[0]] * state.before(t, at) + (1 - z[t, at[0]]) * new[t, at[0]],
            ),
        ]

    def _reset(self, step: Step, state: State, r: Tensor, h: Tensor) -> list[Equation]:
        """The last gate's product, of the state that the reset gate let through."""
        t, reset = step.t, self._wide(step, "reset", 1)
        k, d = Index("k", self.units), Index("c", self.units)
        column = d + 2 * self.units
        kernel = self.weights["recurrent_kernel"]
        dropped = step.dropped.past if step.dropped is not None else None

        def before(at: tuple[Index, ...]) -> Expr:
            return state.before(t, at) if dropped is None else dropped[t, 2, at[0]]

        return [
            step.fill(reset, lambda at: r[t, at[0]] * before(at)),
            equation(h[t, column], reduce("sum", (k,), reset[t, k] * kernel[k, column]), t),
        ]

    def onnx_form(self) -> OnnxForm | None:
        named = _onnx_activations(self.active("recurrent_activation"), self.active())
        if named is None:
            return None
        attributes = named | {"linear_before_reset": int(self.reset_after)}
        return OnnxForm("GRU", self.units, self._onnx_weights([0, 1, 2]), attributes)


@dataclass(eq=False, kw_only=True)
class LSTMCell(_VectorCell):
    """``c = f c' + i c~``, ``h = o activation(c)`` with the gates i, f, c~, o, in this order."""

    recurrent_activation: Layer | None = None

    gate_names: ClassVar[tuple[str, ...]] = ("i", "f", "c~", "o")
    states: ClassVar[tuple[str, ...]] = ("state", "cell")

    def equations_at(self, step: Step, states: Sequence[State]) -> list[Equation]:
        pre = self._wide(step, "pre", 4)
        first = self._by_gate(step, pre, lambda o, gate: self._sum(step, states[0], o, gate), 4)
        gates = self._columns(pre, step)
        return [
            *self._kept(step, states[0]),
            *first,
            *gated(self.active(), self.active("recurrent_activation"), step, states, gates),
        ]

    def onnx_form(self) -> OnnxForm | None:
        named = _onnx_activations(self.active("recurrent_activation"), self.active(), self.active())
        if named is None:
            return None
        return OnnxForm("LSTM", self.units, self._onnx_weights([0, 3, 1, 2]), named)


def gated(
    activation: Layer | None,
    recurrent_activation: Layer | None,
    step: Step,
    states: Sequence[State],
    pre: Sequence[Reader],
) -> list[Equation]:
    """The gates of an LSTM from their sums, then its two states; also of a ConvLSTM."""
    t, (state, memory) = step.t, states
    signature = Signature(state.tensor.axes[1:], state.tensor.shape[1:])
    i, f, new, o = (step.gate(name, signature) for name in ("i", "f", "c~", "o"))
    steps, squashed = step.through(activation, memory.tensor)
    return [
        *step.activate(recurrent_activation, i, pre[0]),
        *step.activate(recurrent_activation, f, pre[1]),
        *step.activate(activation, new, pre[2]),
        *step.activate(recurrent_activation, o, pre[3]),
        step.advance(
            memory,
            lambda at: f[(t, *at)] * memory.before(t, at) + i[(t, *at)] * new[(t, *at)],
        ),
        *steps,
        step.advance(state, lambda at: o[(t, *at)] * squashed(at)),
    ]


@dataclass(eq=False, kw_only=True)
class StackedRNNCells(Layer):
    """Cells on top of each other in one loop; weights and steps are named ``0/...``, ``1/...``."""

    cells: tuple[Cell, ...]

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return {
            f"{number}/{label}": axes
            for number, cell in enumerate(self.cells)
            for label, axes in cell.weight_axes().items()
        }

    def inner_layers(self) -> list[tuple[str, Layer]]:
        return [(f"{number}/", cell) for number, cell in enumerate(self.cells)]
