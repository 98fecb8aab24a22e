"""Plain tensor operations of Functional graphs: arithmetic with constants, reductions, axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netsheet.equations import (
    Equation,
    Expr,
    Index,
    Position,
    Tensor,
    Weight,
    equation,
    indices_of,
    reduce,
    value,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph, Layer, Shape, Signature, default_axes
from netsheet.layers.base import Along, broadcast
from netsheet.layers.merge import broadcast_shape
from netsheet.layers.shape import reshaped


@dataclass(eq=False, kw_only=True)
class Operation(Layer):
    """``function`` of the operands, element by element, with broadcasting.

    An operand is a constant, or None for the next input.
    """

    function: Callable[..., Expr]
    operands: tuple[Weight | None, ...]

    def _tensors(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        rest = iter(inputs)
        return [next(rest) if operand is None else operand for operand in self.operands]

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        rank = max(len(x.shape) for x in inputs)
        if any(operand is not None and len(operand.shape) > rank for operand in self.operands):
            raise UnsupportedError("a constant has more axes than the tensors: one is the batch's")
        shape = broadcast_shape([t.shape for t in self._tensors(inputs)], self.name)
        axes = next((t.axes for t in inputs if len(t.shape) == len(shape)), None)
        return [Signature(axes or default_axes(len(shape)), shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        at = indices_of(outputs[0])
        values = [broadcast(tensor, at) for tensor in self._tensors(inputs)]
        return [equation(outputs[0][at], self.function(*values))]


@dataclass(eq=False, kw_only=True)
class Product(Layer):
    """``y[c] = sum(i) x[i] * matrix[i, c]`` along the last axis, with a constant matrix."""

    matrix: Weight

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x = inputs[0]
        return [Signature(x.axes, (*x.shape[:-1], self.matrix.shape[1]))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        *rest, c = indices_of(outputs[0])
        i = Index("i", self.matrix.shape[0])
        total = reduce("sum", (i,), inputs[0][(*rest, i)] * self.matrix[i, c])
        return [equation(outputs[0][(*rest, c)], total)]


@dataclass(eq=False, kw_only=True)
class ByInput(Layer):
    """The layer that ``choose`` makes of the input's shape; what it holds is no weight."""

    choose: Callable[[Shape], Layer]

    def _chosen(self, inputs: Sequence[Tensor]) -> Layer:
        chosen = self.choose(inputs[0].shape)
        chosen.name, chosen.type_name = self.name, self.type_name
        return chosen

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return self._chosen(inputs).infer(inputs)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return self._chosen(inputs).equations(inputs, outputs)

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        return self._chosen(inputs).onnx(graph, names, inputs, outputs)


@dataclass(eq=False, kw_only=True)
class BySizes(Layer):
    """The layer that ``choose`` makes of its inputs' shapes, and which of the inputs it takes.

    The others only decide a size. What it holds is no weight.
    """

    choose: Callable[[Sequence[Shape]], tuple[Layer, list[int]]]

    def _chosen(self, inputs: Sequence[Tensor]) -> tuple[Layer, list[int]]:
        chosen, taken = self.choose([x.shape for x in inputs])
        chosen.name, chosen.type_name = self.name, self.type_name
        return chosen, taken

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        chosen, taken = self._chosen(inputs)
        return chosen.infer([inputs[n] for n in taken])

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        chosen, taken = self._chosen(inputs)
        return chosen.equations([inputs[n] for n in taken], outputs)

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        chosen, taken = self._chosen(inputs)
        own = [inputs[n] for n in taken]
        return chosen.onnx(graph, [names[n] for n in taken], own, outputs)


@dataclass(eq=False, kw_only=True)
class Filled(Layer):
    """One ``number`` in a ``shape``, for each sample of its input."""

    shape: tuple[int, ...]
    number: float

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return [Signature(default_axes(len(self.shape)), self.shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return [equation(outputs[0][indices_of(outputs[0])], value(self.number))]


@dataclass(eq=False, kw_only=True)
class ReduceAxes(Layer):
    """Sum, mean, product, maximum or minimum along axes (counted without the batch)."""

    op: str
    axes: tuple[int, ...]
    keepdims: bool = False

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x = inputs[0]
        along = Along(x, self.axes, self.name)
        if self.keepdims:
            shape = tuple(1 if axis in along.axes else n for axis, n in enumerate(x.shape))
            return [Signature(x.axes, shape)]
        shape = tuple(x.shape[axis] for axis in along.kept)
        return [Signature(default_axes(len(shape)), shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        along = Along(inputs[0], self.axes, self.name)
        target: tuple[Position, ...] = along.rest
        if self.keepdims:
            target = tuple(0 if axis in along.axes else i for axis, i in enumerate(along.at))
        return [equation(outputs[0][target], reduce(self.op, along.over, inputs[0][along.at]))]


@dataclass(eq=False, kw_only=True)
class ExpandDims(Layer):
    """A new axis of size 1 in front of ``axis`` (counted without the batch)."""

    axis: int

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        shape = list(inputs[0].shape)
        axis = self.axis % (len(shape) + 1)
        shape.insert(axis, 1)
        return [Signature(default_axes(len(shape)), tuple(shape))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return [reshaped(inputs[0], outputs[0])]


@dataclass(eq=False, kw_only=True)
class Squeeze(Layer):
    """Without the axes of size 1 named (all of them if None)."""

    axes: tuple[int, ...] | None = None

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x = inputs[0]
        gone = (
            [axis for axis, n in enumerate(x.shape) if n == 1]
            if self.axes is None
            else Along(x, self.axes, self.name).axes
        )
        if any(x.shape[axis] not in (1, None) for axis in gone):
            raise ValueError(f"layer {self.name!r} drops an axis of {x.shape} that is not 1")
        shape = tuple(n for axis, n in enumerate(x.shape) if axis not in gone)
        return [Signature(default_axes(len(shape)), shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return [reshaped(inputs[0], outputs[0])]


@dataclass(eq=False, kw_only=True)
class Stack(Layer):
    """The inputs side by side along a new axis (counted without the batch)."""

    axis: int = -1

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        shape = list(broadcast_shape([x.shape for x in inputs], self.name))
        shape.insert(self.axis % (len(shape) + 1), len(inputs))
        return [Signature(default_axes(len(shape)), tuple(shape))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        result = []
        for number, x in enumerate(inputs):
            at = indices_of(x)
            target: list[Position] = [*at]
            target.insert(self.axis % (len(at) + 1), number)
            result.append(equation(outputs[0][tuple(target)], x[at]))
        return result


@dataclass(eq=False, kw_only=True)
class MatMul(Layer):
    """Matrix product over the last two axes of two tensors; leading axes broadcast."""

    transpose_a: bool = False
    transpose_b: bool = False

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        a, b = (list(x.shape) for x in inputs)
        if len(a) < 2 or len(b) < 2:
            raise ValueError(
                f"layer {self.name!r} multiplies {inputs[0].shape} by {inputs[1].shape}"
            )
        rows, inner = (a[-1], a[-2]) if self.transpose_a else (a[-2], a[-1])
        other, columns = (b[-1], b[-2]) if self.transpose_b else (b[-2], b[-1])
        if inner != other:
            raise ValueError(
                f"layer {self.name!r} multiplies {inputs[0].shape} by {inputs[1].shape}"
            )
        lead = broadcast_shape([tuple(a[:-2]), tuple(b[:-2])], self.name)
        return [Signature(default_axes(len(lead) + 2), (*lead, rows, columns))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        a, b = inputs
        *lead, row, column = indices_of(outputs[0])
        i = Index("i", a.shape[-2] if self.transpose_a else a.shape[-1])
        left = (*lead, i, row) if self.transpose_a else (*lead, row, i)
        right = (*lead, column, i) if self.transpose_b else (*lead, i, column)
        total = reduce("sum", (i,), broadcast(a, left) * broadcast(b, right))
        return [equation(outputs[0][(*lead, row, column)], total)]
