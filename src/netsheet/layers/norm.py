"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netsheet.equations import (
    Batch,
    Equation,
    Expr,
    FloatArray,
    Index,
    Moving,
    Noise,
    Position,
    Tensor,
    call,
    equation,
    indices_of,
    reduce,
    value,
)
from netsheet.layer import Graph, Layer, Signature
from netsheet.layers.base import Along, broadcast, constant

EPSILON = 1e-7  # keras.config.epsilon()
_RENORM: dict[str, tuple[str, ...]] = {
    "moving_stddev": ("out",),
    "renorm_mean": ("out",),
    "renorm_stddev": ("out",),
}


@dataclass(eq=False, kw_only=True)
class _SameShape(Layer):
    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return [Signature(inputs[0].axes, inputs[0].shape)]


@dataclass(eq=False, kw_only=True)
class BatchNormalization(_SameShape):
    """``(x - moving_mean[c]) * gamma[c] / sqrt(moving_variance[c] + epsilon) + beta[c]``.

    ``renorm`` of Keras 2 changes its training alone, which keeps three more statistics
    (tf_keras/src/layers/normalization/batch_normalization.py).
    """

    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    momentum: float = 0.99
    renorm: bool = False
    # Keras 2 computes maps in one kernel, whose variance for later use divides by N - 1.
    unbiased_maps: bool = False

    statistics = ("moving_mean", "moving_variance", *_RENORM)

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        labels = ["gamma"] * self.scale + ["beta"] * self.center
        axes = dict.fromkeys((*labels, "moving_mean", "moving_variance"), ("out",))
        return axes | (_RENORM if self.renorm else {})

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        at = indices_of(y)
        along = Along(x, self.axis, self.name)
        c = at[along.axes[0]]
        scale = y.step("scale", ("channel",), (c.size,))
        top: Expr = self.weights["gamma"][c] if self.scale else value(1)
        factor = top / call("sqrt", self.weights["moving_variance"][c] + self.epsilon)
        result = (x[at] - self.weights["moving_mean"][c]) * scale[c]
        if self.center:
            result = result + self.weights["beta"][c]
        return [equation(scale[c], factor), equation(y[at], result)]

    def equations_over_batch(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], batch: Batch
    ) -> list[Equation]:
        """By mean and variance of the batch, which the stored ones follow.

        Steps that a mask leaves out do not count (keras/src/layers/normalization, _moments).
        """
        if not self.otherwise_in_training:
            return super().equations_over_batch(inputs, outputs, batch)
        if self.random:  # another arithmetic in training, as renorm
            self.equations_in_training(inputs, outputs, Noise())
        x, y, mask = batch.over(inputs[0]), batch.over(outputs[0]), inputs[0].mask
        axis = Along(inputs[0], self.axis, self.name).axes[0] + 1
        at = indices_of(x)
        c = at[axis]
        over = tuple(index for number, index in enumerate(at) if number != axis)
        counts: Expr = batch.present[at[0]]
        if mask is not None:
            counts = counts * batch.over(mask)[at[: len(mask.shape) + 1]]
        number, (mean, variance) = outputs[0].step("count", (), ()), self._measured(outputs[0], c)
        deviation = x[at] - mean[c]
        few = EPSILON if mask is not None else 0.0
        total = number[()] + few
        factor = deviation / call("sqrt", variance[c] + self.epsilon)
        gamma: Expr = self.weights["gamma"][c] if self.scale else value(1)
        beta: Expr = self.weights["beta"][c] if self.center else value(0)
        moved = self._moved(variance, number, len(x.shape), axis)
        batch.moving += [
            Moving(self.weights["moving_mean"], mean, self.momentum),
            Moving(self.weights["moving_variance"], moved[0].target if moved else variance,
                   self.momentum),
        ]  # fmt: skip
        return [
            equation(number[()], reduce("sum", over, counts)),
            equation(mean[c], reduce("sum", over, counts * x[at]) / total),
            equation(variance[c], reduce("sum", over, counts * deviation * deviation) / total),
            *moved,
            equation(y[at], factor * gamma + beta),
        ]

    def _measured(self, y: Tensor, c: Index) -> tuple[Tensor, Tensor]:
        mean, variance = (y.step(name, ("channel",), (c.size,)) for name in ("mean", "variance"))
        return mean, variance

    def _moved(self, variance: Tensor, number: Tensor, rank: int, axis: int) -> list[Equation]:
        """The variance that the stored one follows, where it is not that of the batch."""
        if not self.unbiased_maps or rank not in (4, 5) or axis not in (1, rank - 1):
            return []
        (c,) = indices_of(variance)
        factor = number[()] / (number[()] - 1)
        return [equation(variance.like("unbiased")[c], variance[c] * factor)]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        stored = {label: weight.values.astype(float) for label, weight in self.weights.items()}
        scale = stored.get("gamma", 1) / np.sqrt(stored["moving_variance"] + self.epsilon)
        axis = Along(inputs[0], self.axis, self.name).axes[0]
        shape = (-1, *[1] * (len(inputs[0].shape) - 1 - axis))

        def constant(values: FloatArray) -> str:
            return graph.constant(values.astype(np.float32).reshape(shape))

        y = graph.node("Sub", [names[0], constant(stored["moving_mean"])])
        y = graph.node("Mul", [y, constant(scale)])
        return [graph.node("Add", [y, constant(stored["beta"])]) if self.center else y]


def _affine(layer: Layer, result: Expr, at: Sequence[Position]) -> Expr:
    """``result * gamma + beta`` with those of the two that the layer has."""
    if "gamma" in layer.weights:
        result = result * layer.weights["gamma"][tuple(at)]
    if "beta" in layer.weights:
        result = result + layer.weights["beta"][tuple(at)]
    return result


def _weighted_along(x: Tensor, axes: int | Sequence[int], layer: str) -> Along:
    """The axes that weights of their own sizes lie along, which are stored in the given order."""
    along, wanted = Along(x, axes, layer), [axes] if isinstance(axes, int) else list(axes)
    if [axis % len(x.shape) for axis in wanted] != along.axes:
        raise ValueError(f"layer {layer!r} works along the axes {tuple(wanted)}, not in order")
    return along


@dataclass(eq=False, kw_only=True)
class LayerNormalization(_SameShape):
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` along ``axis``.

    ``rms_scaling`` (Keras 3): ``x / sqrt(variance + epsilon) * gamma`` instead.
    """

    axis: int | tuple[int, ...] = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    rms_scaling: bool = False

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        single = isinstance(self.axis, int) or len(self.axis) == 1
        axes: tuple[str, ...] = ("out",) if single else ()
        labels = ["gamma"] * (self.scale or self.rms_scaling)
        labels += ["beta"] * (self.center and not self.rms_scaling)
        return dict.fromkeys(labels, axes)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        along = _weighted_along(x, self.axis, self.name)
        at, rest = along.at, along.rest
        mean, variance = along.step(y, "mean"), along.step(y, "variance")
        deviation = x[at] - mean[rest]
        root = call("sqrt", variance[rest] + self.epsilon)
        centred = x[at] if self.rms_scaling else deviation
        return [
            equation(mean[rest], reduce("mean", along.over, x[at])),
            equation(variance[rest], reduce("mean", along.over, deviation * deviation)),
            equation(y[at], _affine(self, centred / root, along.over)),
        ]


@dataclass(eq=False, kw_only=True)
class RMSNormalization(_SameShape):
    """``x / sqrt(mean(x^2) + epsilon) * scale`` along ``axis``."""

    axis: int | tuple[int, ...] = -1
    epsilon: float = 1e-6

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        single = isinstance(self.axis, int) or len(self.axis) == 1
        return {"scale": ("out",) if single else ()}

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        along = _weighted_along(x, self.axis, self.name)
        at, rest = along.at, along.rest
        square = along.step(y, "mean_square")
        scale = self.weights["scale"][along.over]
        return [
            equation(square[rest], reduce("mean", along.over, x[at] * x[at])),
            equation(y[at], x[at] / call("sqrt", square[rest] + self.epsilon) * scale),
        ]


@dataclass(eq=False, kw_only=True)
class GroupNormalization(_SameShape):
    """LayerNormalization over space and each of ``groups`` runs of channels; -1: one each."""

    groups: int = 32
    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    passes_mask: ClassVar[bool] = True

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        labels = ["gamma"] * self.scale + ["beta"] * self.center
        return dict.fromkeys(labels, ("out",))

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        axis = Along(x, self.axis, self.name).axes[0]
        channels = x.shape[axis]
        groups = channels if self.groups == -1 else self.groups
        if groups < 1 or channels % groups:
            raise ValueError(f"layer {self.name!r}: {channels} channels in {groups} groups")
        g, within = Index("g", groups), Index("c", channels // groups)
        c = g * within.size + within
        at: list[Position] = [*indices_of(x)]
        over = [i for k, i in enumerate(at) if k != axis and isinstance(i, Index)] + [within]
        at[axis] = c
        place = tuple(at)
        mean, variance = (y.step(n, ("group",), (groups,)) for n in ("mean", "variance"))
        deviation = x[place] - mean[g]
        normal = deviation / call("sqrt", variance[g] + self.epsilon)
        return [
            equation(mean[g], reduce("mean", over, x[place])),
            equation(variance[g], reduce("mean", over, deviation * deviation)),
            equation(y[place], _affine(self, normal, (c,))),
        ]


@dataclass(eq=False, kw_only=True)
class UnitNormalization(_SameShape):
    """``x / sqrt(max(sum(x^2), 1e-12))`` along ``axis``."""

    axis: int | tuple[int, ...] = -1

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        along = Along(x, self.axis, self.name)
        at, rest = along.at, along.rest
        total = along.step(y, "sum_square")
        root = call("sqrt", call("max", total[rest], 1e-12))
        return [
            equation(total[rest], reduce("sum", along.over, x[at] * x[at])),
            equation(y[at], x[at] / root),
        ]


@dataclass(eq=False, kw_only=True)
class Normalization(_SameShape):
    """``(x - mean) / max(sqrt(variance), 1e-7)``, or its inverse; adapted along ``axis``.

    ``mean`` and ``variance`` are set where they were given as arguments, not adapted; they have
    one axis for each of ``axis``, or none.
    """

    axis: tuple[int, ...] = (-1,)
    invert: bool = False
    mean: FloatArray | None = None
    variance: FloatArray | None = None

    @property
    def learnt(self) -> tuple[str, ...]:
        return ()  # it is adapted to data beforehand

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        if self.mean is not None:
            return {}
        axes: tuple[str, ...] = ("out",) if len(self.axis) == 1 else ()
        return {"mean": axes, "variance": axes, "count": ()}

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        along = _weighted_along(x, self.axis, self.name) if self.axis else None
        at = along.at if along else indices_of(x)
        over = along.over if along else ()
        mean = self._statistic("mean", self.mean, over)
        variance = self._statistic("variance", self.variance, over)
        root = call("max", call("sqrt", variance), 1e-7)
        if self.invert:
            return [equation(y[at], mean + x[at] * root)]
        return [equation(y[at], (x[at] - mean) / root)]

    def _statistic(self, label: str, given: FloatArray | None, over: Sequence[Index]) -> Expr:
        if given is None:
            if self.weights["count"].shape:
                raise ValueError(f"count is stored with the shape {self.weights['count'].shape}")
            return self.weights[label][tuple(over)]
        sizes = tuple(index.size for index in over)
        if given.ndim > len(sizes) or any(
            size not in (1, wanted)
            for size, wanted in zip(given.shape[::-1], sizes[::-1], strict=False)
        ):
            raise ValueError(f"its {label} of the shape {given.shape} does not fit {sizes}")
        return broadcast(constant(f"{self.name}/{label}", given), over)


@dataclass(eq=False, kw_only=True)
class Rescaling(_SameShape):
    """``x * scale + offset``; one number each, or one for each position of the last axis."""

    scale: float | tuple[float, ...] = 1.0
    offset: float | tuple[float, ...] = 0.0

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        at = indices_of(y)
        for label, given in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(given, tuple) and len(given) not in (1, x.shape[-1] if x.shape else 1):
                raise ValueError(f"its {len(given)} values of {label} do not fit {x.shape}")
        scale, offset = (
            broadcast(constant(f"{self.name}/{label}", np.asarray(given, float)), at)
            if isinstance(given, tuple)
            else value(given)
            for label, given in (("scale", self.scale), ("offset", self.offset))
        )
        return [equation(y[at], x[at] * scale + offset)]
