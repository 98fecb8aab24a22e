"""ConvLSTM: an LSTM whose products are convolutions, over sequences of feature maps.

The input convolution has the layer's strides, padding and dilation; the one over the state has
none of them but ``same`` padding. Source: keras/src/layers/rnn/conv_lstm.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netsheet.equations import Equation, Expr, Guard, Index, Position, reduce
from netsheet.layer import Layer, Signature
from netsheet.layers.base import named
from netsheet.layers.cells import Cell, gated
from netsheet.layers.conv import TAP_NAMES
from netsheet.layers.recurrence import Reader, State, Step
from netsheet.layers.recurrent import Loop
from netsheet.layers.window import KERNEL, Padding, Window, arranged, windows


@dataclass(eq=False, kw_only=True)
class ConvLSTM2D(Loop, Cell):
    """``c = f c' + i c~``, ``h = o activation(c)``; the gates i, f, c~, o convolve x and h'.

    The last axis of every weight holds the gates one after another: ``gate * filters + filter``.
    """

    rank: ClassVar[int] = 2
    states: ClassVar[tuple[str, ...]] = ("state", "cell")
    gate_names: ClassVar[tuple[str, ...]] = ("i", "f", "c~", "o")

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    padding: Padding = "valid"
    data_format: str = "channels_last"
    recurrent_activation: Layer | None = None

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes: dict[str, tuple[str, ...]] = {
            "kernel": (*KERNEL[self.rank], "in", "out"),
            "recurrent_kernel": (*KERNEL[self.rank], "unit", "out"),
        }
        if self.use_bias:
            axes["bias"] = ("out",)
        return axes | self.activation_axes()

    @property
    def _axes(self) -> tuple[str, ...]:
        """The axes of one step; a single spatial axis is the width, since time is taken."""
        spatial = KERNEL[self.rank]
        return (
            ("channel", *spatial) if self.data_format == "channels_first" else (*spatial, "channel")
        )

    def _spatial(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return tuple(shape[1:] if self.data_format == "channels_first" else shape[:-1])

    def _spans(self, shape: Sequence[int | None]) -> list[Window]:
        lengths = self._spatial(shape)
        return windows(lengths, self.kernel_size, self.strides, self.dilation_rate, self.padding)

    def frame(self, x: Signature) -> Signature:
        if len(x.shape) != self.rank + 1:
            raise ValueError(
                f"layer {self.name!r} takes a sequence of {self.rank} spatial axes and channels, "
                f"but a step of its input has the shape {x.shape}"
            )
        spatial = [span.out for span in self._spans(x.shape)]
        return Signature(self._axes, arranged(spatial, self.filters, self.data_format))

    def equations_at(self, step: Step, states: Sequence[State]) -> list[Equation]:
        state = states[0].tensor
        wide = arranged(self._spatial(state.shape[1:]), 4 * self.filters, self.data_format)
        pre = step.gate("pre", Signature(self._axes, wide))
        channel = self._axes.index("channel")

        def gate(number: int) -> Reader:
            def read(at: tuple[Index, ...]) -> Expr:
                place: list[Position] = list(at)
                place[channel] = at[channel] + number * self.filters
                return pre[(step.t, *place)]

            return read

        gates = [gate(number) for number in range(4)]
        return [
            step.fill(pre, lambda at: self._sum(step, states[0], at)),
            *gated(self.active(), self.active("recurrent_activation"), step, states, gates),
        ]

    def _sum(self, step: Step, state: State, at: Sequence[Index]) -> Expr:
        """Both convolutions and the bias at one position of the wide tensor of gates."""
        out = dict(zip(self._axes, at, strict=True))
        position, o = [out[axis] for axis in KERNEL[self.rank]], out["channel"]
        x_shape = step.x.shape[1:]
        i = Index("i", x_shape[self._axes.index("channel")])
        taps, place, guards = self._reads(self._spans(x_shape), position, i)
        kernel = self._weight("kernel", taps, "in", i, o)
        result = reduce("sum", (*taps, i), step.x[(step.source, *place)] * kernel, guards)
        k = Index("k", self.filters)
        same = windows(
            self._spatial(state.tensor.shape[1:]),
            self.kernel_size,
            (1,) * self.rank,
            (1,) * self.rank,
            "same",
        )
        taps, place, guards = self._reads(same, position, k)
        kernel = self._weight("recurrent_kernel", taps, "unit", k, o)
        result = result + state.total(step.t, (*taps, k), place, kernel, guards)
        return result + self.weights["bias"][o] if self.use_bias else result

    def _reads(
        self, spans: Sequence[Window], outs: Sequence[Index], channel: Index
    ) -> tuple[list[Index], list[Position], list[Guard]]:
        """Kernel taps, where they read a feature map, and where that is inside of it."""
        taps = [Index(n, s.size) for n, s in zip(TAP_NAMES[self.rank], spans, strict=True)]
        triples = list(zip(spans, outs, taps, strict=True))
        at: dict[str, Position] = {"channel": channel}
        at |= {a: s.at(o, u) for a, (s, o, u) in zip(KERNEL[self.rank], triples, strict=True)}
        return taps, [at[axis] for axis in self._axes], [s.guard(o, u) for s, o, u in triples]

    def _weight(self, label: str, taps: Sequence[Index], axis: str, i: Index, o: Index) -> Expr:
        weight = self.weights[label]
        at: dict[str, Position] = {axis: i, "out": o}
        return named(weight, weight.axes)(at | dict(zip(KERNEL[self.rank], taps, strict=True)))


class ConvLSTM1D(ConvLSTM2D):
    """ConvLSTM2D over sequences of sequences."""

    rank = 1


class ConvLSTM3D(ConvLSTM2D):
    """ConvLSTM2D over sequences of volumes."""

    rank = 3
