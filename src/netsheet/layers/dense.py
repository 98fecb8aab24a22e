"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.equations import (
    Equation,
    Expr,
    Index,
    Tensor,
    affine,
    call,
    equation,
    indices_of,
    reduce,
)
from netsheet.layer import Graph, Layer, Signature, default_axes
from netsheet.layers.base import activated, activated_onnx, named

QUANTIZER_EPSILON = 1e-7


@dataclass(eq=False, kw_only=True)
class Dense(Layer):
    """``y[c] = sum(i) x[i] * kernel[i, c] + bias[c]`` along the last axis.

    ``quantized``: Keras 3's int8 form; the input row is rounded to int8 by its largest absolute
    value (keras/src/quantizers/quantizers.py: abs_max_quantize), the product scaled back.
    """

    units: int
    use_bias: bool = True
    activation: Layer | None = None
    quantized: bool = False

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes: dict[str, tuple[str, ...]] = {"kernel": ("in", "out")}
        if self.use_bias:
            axes["bias"] = ("out",)
        if self.quantized:
            axes["kernel_scale"] = ("out",)
        return axes | self.activation_axes()

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x = inputs[0]
        if not x.shape:
            raise ValueError(f"layer {self.name!r} needs an axis to work along")
        return [Signature(x.axes, (*x.shape[:-1], self.units))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return activated(self.active(), outputs[0], lambda y: self._sum(inputs[0], y))

    def _sum(self, x: Tensor, y: Tensor) -> list[Equation]:
        if self.quantized:
            return self._quantized(x, y)
        *rest, c = indices_of(y)
        i = Index("i", x.shape[-1])
        kernel = self.weights["kernel"]  # a file may have its axes the other way round
        weight = named(kernel, kernel.axes)({"in": i, "out": c})
        total = reduce("sum", (i,), x[(*rest, i)] * weight)
        return [equation(y[(*rest, c)], self._plus_bias(total, c))]

    def _plus_bias(self, total: Expr, c: Index) -> Expr:
        return total + self.weights["bias"][c] if self.use_bias else total

    def _quantized(self, x: Tensor, y: Tensor) -> list[Equation]:
        *rest, c = indices_of(y)
        i = Index("i", x.shape[-1])
        scale = y.step("scale", x.axes[:-1], x.shape[:-1])
        rounded = Tensor(f"{y.name}/int8", x.axes, x.shape)
        most = reduce("max", (i,), call("abs", x[(*rest, i)]))
        whole = call("round", x[(*rest, i)] * scale[tuple(rest)])
        product = reduce("sum", (i,), rounded[(*rest, i)] * self.weights["kernel"][i, c])
        back = product / (scale[tuple(rest)] * self.weights["kernel_scale"][c])
        return [
            equation(scale[tuple(rest)], 127 / (most + QUANTIZER_EPSILON)),
            equation(rounded[(*rest, i)], call("max", call("min", whole, 127), -127)),
            equation(y[(*rest, c)], self._plus_bias(back, c)),
        ]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        if self.quantized:
            return super().onnx(graph, names, inputs, outputs)
        kernel = graph.weight(self.weights["kernel"], ("in", "out"))
        bias = [graph.weight(self.weights["bias"])] if self.use_bias else []
        if len(outputs[0].shape) == 1 and bias:
            y = graph.node("Gemm", [names[0], kernel, *bias])
        else:
            y = graph.node("MatMul", [names[0], kernel])
            y = graph.node("Add", [y, *bias]) if bias else y
        return [activated_onnx(graph, self.active(), y, outputs[0])]


class FlatDense(Dense):
    """Dense over all values of a sample in a row, whatever axes they have."""

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return [Signature(default_axes(1), (self.units,))]

    def _sum(self, x: Tensor, y: Tensor) -> list[Equation]:
        (c,) = indices_of(y)
        at = indices_of(x)
        place = affine(0)
        for index in at:  # row by row, the last axis fastest
            place = place * index.size + index
        kernel = self.weights["kernel"]
        weight = named(kernel, kernel.axes)({"in": place, "out": c})
        total = reduce("sum", at, x[at] * weight)
        return [equation(y[c], self._plus_bias(total, c))]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        shape = graph.constant(np.array([0, -1], np.int64))
        flat = graph.node("Reshape", [names[0], shape])
        return super().onnx(graph, [flat], inputs, outputs)


@dataclass(eq=False, kw_only=True)
class EinsumDense(Layer):
    """``y = einsum(x, kernel) + bias``; the first letter (or ``...``) is the batch."""

    einsum: str
    output_shape: tuple[int | None, ...]
    bias_axes: str | None = None
    activation: Layer | None = None

    def _letters(self, rank: int) -> tuple[str, str, str]:
        """Letters of input, kernel and output without batch, ``...`` written out."""
        left, out = self.einsum.replace(" ", "").split("->")
        x, kernel = left.split(",")
        if "..." in x:
            # the batch is one of the axes that the dots stand for
            used = set(self.einsum)
            free = [c for c in "zyxwvutsrqponmlkjihgfedcba" if c not in used]
            dots = "".join(free[: rank - len(x.replace("...", ""))])
            return x.replace("...", dots), kernel, out.replace("...", dots)
        return x[1:], kernel, out[1:]

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        kernel = self.einsum.replace(" ", "").split("->")[0].split(",")[1]
        axes: dict[str, tuple[str, ...]] = {"kernel": tuple(kernel)}
        if self.bias_axes:
            out = self.einsum.split("->")[1].strip().replace("...", "")
            first = min(out.index(letter) for letter in self.bias_axes)
            axes["bias"] = tuple(out[first:])
        return axes | self.activation_axes()

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x, kernel, out = self._letters(len(inputs[0].shape))
        if len(x) != len(inputs[0].shape):
            raise ValueError(f"layer {self.name!r}: {self.einsum} does not fit its input")
        size = dict(zip(x, inputs[0].shape, strict=True))
        size |= dict(zip(kernel, self.weights["kernel"].shape, strict=True))
        shape = tuple(size[letter] for letter in out)
        said = self.output_shape[-len(out) :] if out else ()
        wrong = any(n not in (None, own) for n, own in zip(said[::-1], shape[::-1], strict=False))
        named = self.einsum.rpartition("->")[2].strip().removeprefix("...")
        if wrong or len(self.output_shape) < len(named) - ("..." not in self.einsum):
            raise ValueError(f"its output_shape {self.output_shape} is not the {shape} computed")
        return [Signature(default_axes(len(out)), shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return activated(self.active(), outputs[0], lambda y: [self._einsum(inputs[0], y)])

    def _einsum(self, x: Tensor, y: Tensor) -> Equation:
        kernel = self.weights["kernel"]
        letters = self._letters(len(x.shape))
        index: dict[str, Index] = {}
        for word, tensor in zip(letters, (x, kernel, y), strict=True):
            for letter, size in zip(word, tensor.shape, strict=True):
                index.setdefault(letter, Index(letter, size))
        places = [tuple(index[letter] for letter in word) for word in letters]
        over = dict.fromkeys(letter for letter in letters[0] + letters[1])
        summed = [index[letter] for letter in over if letter not in letters[2]]
        result = reduce("sum", summed, x[places[0]] * kernel[places[1]])
        if "bias" in self.weights:
            bias = self.weights["bias"]
            last = list(zip(letters[2], places[2], strict=True))[len(places[2]) - len(bias.shape) :]
            of_bias = self.bias_axes or ""
            result = result + bias[tuple(at if c in of_bias else 0 for c, at in last)]
        return equation(y[places[2]], result)
