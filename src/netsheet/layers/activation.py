"""Activation functions, as layers and as the ``activation`` argument of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netsheet.equations import Equation, Expr, Tensor, call, equation, indices_of, reduce
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph, Layer, Signature
from netsheet.layers.base import Along, Elementwise

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


class Linear(Elementwise):
    """``x``."""

    op = "Identity"
    same_since = 1

    def formula(self, x: Expr) -> Expr:
        return x


@dataclass(eq=False, kw_only=True)
class ReLU(Elementwise):
    """``min(x, max_value)`` from ``threshold`` on, below ``negative_slope * (x - threshold)``."""

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def formula(self, x: Expr) -> Expr:
        above = x if self.max_value is None else call("min", x, self.max_value)
        if not self.threshold and not self.negative_slope:
            return call("max", above, 0)
        below = (x - self.threshold) * self.negative_slope if self.negative_slope else 0
        return call("if", call("less", x, self.threshold), below, above)

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        if (self.max_value, self.negative_slope, self.threshold) == (None, 0, 0):
            return [graph.node("Relu", names)]
        return super().onnx(graph, names, inputs, outputs)


class ReLU6(Elementwise):
    """``min(max(x, 0), 6)``."""

    def formula(self, x: Expr) -> Expr:
        return call("min", call("max", x, 0), 6)


@dataclass(eq=False, kw_only=True)
class LeakyReLU(Elementwise):
    """``x`` where positive, else ``negative_slope * x``."""

    negative_slope: float = 0.3

    def formula(self, x: Expr) -> Expr:
        return call("if", call("less", x, 0), x * self.negative_slope, x)


@dataclass(eq=False, kw_only=True)
class ELU(Elementwise):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``."""

    alpha: float = 1.0

    def formula(self, x: Expr) -> Expr:
        below = call("exp", call("min", x, 0)) - 1
        return call("if", call("less", 0, x), x, below if self.alpha == 1 else below * self.alpha)


class SELU(Elementwise):
    """ELU, scaled so that activations normalise themselves (Klambauer et al. 2017)."""

    def formula(self, x: Expr) -> Expr:
        below = (call("exp", call("min", x, 0)) - 1) * (SELU_ALPHA * SELU_SCALE)
        return call("if", call("less", 0, x), x * SELU_SCALE, below)


@dataclass(eq=False, kw_only=True)
class CELU(Elementwise):
    """``max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))``."""

    alpha: float = 1.0

    def formula(self, x: Expr) -> Expr:
        below = (call("exp", call("min", x, 0) / self.alpha) - 1) * self.alpha
        return call("max", x, 0) + below


class Tanh(Elementwise):
    """``tanh(x)``."""

    op = "Tanh"

    def formula(self, x: Expr) -> Expr:
        return call("tanh", x)


class Sigmoid(Elementwise):
    """``1 / (1 + exp(-x))``."""

    op = "Sigmoid"
    squashes = "sigmoid"

    def formula(self, x: Expr) -> Expr:
        return call("sigmoid", x)


@dataclass(eq=False, kw_only=True)
class HardSigmoid(Elementwise):
    """``slope * x + 0.5`` between 0 and 1; the slope is 0.2 in Keras 1 and 2, 1/6 in Keras 3."""

    slope: float = 1 / 6

    def formula(self, x: Expr) -> Expr:
        return call("max", call("min", x * self.slope + 0.5, 1), 0)


class HardSiLU(Elementwise):
    """``x * min(max(x + 3, 0), 6) / 6``."""

    def formula(self, x: Expr) -> Expr:
        return x * call("max", call("min", x / 6 + 0.5, 1), 0)


def _softplus(x: Expr) -> Expr:
    # log(1 + exp(x)), without overflow
    return call("max", x, 0) + call("log", 1 + call("exp", -call("abs", x)))


class Softplus(Elementwise):
    """``log(1 + exp(x))``."""

    def formula(self, x: Expr) -> Expr:
        return _softplus(x)


class Softsign(Elementwise):
    """``x / (1 + abs(x))``."""

    op = "Softsign"

    def formula(self, x: Expr) -> Expr:
        return x / (1 + call("abs", x))


class SiLU(Elementwise):
    """``x * sigmoid(x)``, also known as swish."""

    def formula(self, x: Expr) -> Expr:
        return x * call("sigmoid", x)


@dataclass(eq=False, kw_only=True)
class GELU(Elementwise):
    """``x / 2 * (1 + erf(x / sqrt(2)))``, or its tanh approximation (Hendrycks, Gimpel 2016)."""

    approximate: bool = False

    def formula(self, x: Expr) -> Expr:
        if self.approximate:
            inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
            return x * 0.5 * (1 + call("tanh", inner))
        return x * 0.5 * (1 + call("erf", x * math.sqrt(0.5)))


class Exponential(Elementwise):
    """``exp(x)``."""

    op = "Exp"

    def formula(self, x: Expr) -> Expr:
        return call("exp", x)


class Mish(Elementwise):
    """``x * tanh(log(1 + exp(x)))`` (Misra 2019)."""

    def formula(self, x: Expr) -> Expr:
        return x * call("tanh", _softplus(x))


class LogSigmoid(Elementwise):
    """``log(sigmoid(x))``."""

    def formula(self, x: Expr) -> Expr:
        return -_softplus(-x)


class HardTanh(Elementwise):
    """``x`` between -1 and 1."""

    def formula(self, x: Expr) -> Expr:
        return call("max", call("min", x, 1), -1)


class TanhShrink(Elementwise):
    """``x - tanh(x)``."""

    def formula(self, x: Expr) -> Expr:
        return x - call("tanh", x)


@dataclass(eq=False, kw_only=True)
class SoftShrink(Elementwise):
    """``x`` moved towards 0 by ``threshold``, 0 in between."""

    threshold: float = 0.5

    def formula(self, x: Expr) -> Expr:
        return call("sign", x) * call("max", call("abs", x) - self.threshold, 0)


@dataclass(eq=False, kw_only=True)
class HardShrink(Elementwise):
    """``x`` where ``abs(x) > threshold``, else 0."""

    threshold: float = 0.5

    def formula(self, x: Expr) -> Expr:
        return call("if", call("less", self.threshold, call("abs", x)), x, 0)


@dataclass(eq=False, kw_only=True)
class Threshold(Elementwise):
    """``x`` where ``x > threshold``, else ``default_value``."""

    threshold: float = 0.0
    default_value: float = 0.0

    def formula(self, x: Expr) -> Expr:
        return call("if", call("less", self.threshold, x), x, self.default_value)


@dataclass(eq=False, kw_only=True)
class Squareplus(Elementwise):
    """``(x + sqrt(x^2 + b)) / 2``."""

    b: float = 4.0

    def formula(self, x: Expr) -> Expr:
        return (x + call("sqrt", x * x + self.b)) * 0.5


class SparsePlus(Elementwise):
    """0 up to -1, ``(x + 1)^2 / 4`` up to 1, then ``x``."""

    def formula(self, x: Expr) -> Expr:
        middle = (x + 1) * (x + 1) * 0.25
        below = call("if", call("less", x, -1), 0, middle)
        return call("if", call("less", x, 1), below, x)


@dataclass(eq=False, kw_only=True)
class Softmax(Layer):
    """``exp(x - max) / sum(exp(x - max))`` along ``axis`` (counted without the batch).

    With ``heeds_mask`` (Keras's layer of that name, not the function), 1e9 is taken from what is
    masked where the input carries a mask for each of its values.
    """

    op: ClassVar[str] = "Softmax"  # as an ONNX operator
    squashes: ClassVar[str] = "softmax"

    axis: int | tuple[int, ...] = -1
    heeds_mask: bool = False

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x = inputs[0]
        if self.heeds_mask and x.mask is not None and x.mask.shape != x.shape:
            # Keras itself fails here, or spreads the mask over the wrong axis.
            raise UnsupportedError(f"its input {x.shape} carries a mask over {x.mask.shape}")
        return [Signature(x.axes, x.shape)]

    def _along(self, x: Tensor) -> Along:
        return Along(x, self.axis, self.name)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        along = self._along(x)
        most, exp, total = along.step(y, "max"), y.like("exp"), along.step(y, "sum")
        at, rest = along.at, along.rest
        before: list[Equation] = []
        if self.heeds_mask and x.mask is not None:
            masked = y.like("masked")
            before = [equation(masked[at], x[at] - (1 - x.mask[at]) * 1e9)]
            x = masked
        return [
            *before,
            equation(most[rest], reduce("max", along.over, x[at])),
            equation(exp[at], call("exp", x[at] - most[rest])),
            equation(total[rest], reduce("sum", along.over, exp[at])),
            equation(y[at], exp[at] / total[rest]),
        ]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        axes = self._along(inputs[0]).axes
        if len(axes) == 1 and not (self.heeds_mask and inputs[0].mask is not None):
            return [graph.node(self.op, names, axis=axes[0] + 1)]
        return super().onnx(graph, names, inputs, outputs)


class LogSoftmax(Softmax):
    """``x - max - log(sum(exp(x - max)))`` along ``axis``."""

    op = "LogSoftmax"
    squashes = ""

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        along = self._along(x)
        most, total = along.step(y, "max"), along.step(y, "sum")
        at, rest = along.at, along.rest
        return [
            equation(most[rest], reduce("max", along.over, x[at])),
            equation(total[rest], reduce("sum", along.over, call("exp", x[at] - most[rest]))),
            equation(y[at], x[at] - most[rest] - call("log", total[rest])),
        ]


@dataclass(eq=False, kw_only=True)
class PReLU(Layer):
    """``x`` where positive, else ``alpha * x``; alpha has one value along each shared axis."""

    shared_axes: tuple[int, ...] = ()

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return {"alpha": ()}

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return [Signature(inputs[0].axes, inputs[0].shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, alpha, at = inputs[0], self.weights["alpha"], indices_of(outputs[0])
        shared = {axis % len(at) for axis in self.shared_axes}
        slope = alpha[tuple(0 if n in shared else index for n, index in enumerate(at))]
        below = call("min", x[at], 0) * slope
        return [equation(outputs[0][at], call("max", x[at], 0) + below)]
