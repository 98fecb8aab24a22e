"""What an ONNX operator is to netsheet: a node with its inputs, and the formula that it means.

Formulas are written for whole tensors, with every axis that ONNX counts. In a network whose first
axis is the batch, :class:`Operator` takes that axis away again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from netsheet.equations import Equation, Expr, FloatArray, Index, Tensor, Weight, equation, reads
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph, Layer, Signature, default_axes
from netsheet.layers.base import activated
from netsheet.operators.strip import without_first_axis

Shape = tuple[int, ...]


class NeedsConstantError(UnsupportedError):
    """An input that decides a shape is computed; ``index`` says which one."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class Formula(NamedTuple):
    """Shapes and element types of a node's outputs, and what writes their equations.

    ``native`` appends ONNX nodes for inputs and outputs that have the batch in front.
    """

    shapes: Sequence[Shape]
    dtypes: Sequence[str]
    write: Callable[[Sequence[Tensor]], list[Equation]]
    native: Callable[[Graph, Sequence[str]], list[str]] | None = None


@dataclass(frozen=True)
class OnnxNode:
    """A node: operator, version of the operator set, attributes, inputs and their element types.

    An input that is stored is a Weight, one that is left out is None.
    """

    op: str
    opset: int
    attributes: Mapping[str, Any]
    inputs: Sequence[Tensor | None]
    dtypes: Sequence[str | None]
    outputs: int = 1

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        return self.attributes.get(name, default)

    def has(self, index: int) -> bool:
        """True if the input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def input(self, index: int) -> Tensor:
        """An input that has to be there."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        if tensor is None:
            raise UnsupportedError(f"{self.op} has no input {index}")
        return tensor

    def dtype(self, index: int = 0) -> str:
        """The element type of an input."""
        found = self.dtypes[index] if index < len(self.dtypes) else None
        if found is None:
            raise UnsupportedError(f"{self.op} has no input {index}")
        return found

    def constant(self, index: int) -> FloatArray:
        """The stored values of an input that decides the shape of the result."""
        tensor = self.input(index)
        if not isinstance(tensor, Weight):
            message = f"input {index} of {self.op} is computed, but it decides the result's shape"
            raise NeedsConstantError(message, index)
        return tensor.values

    def integers(self, index: int) -> list[int]:
        """As :meth:`constant`, as a list of integers."""
        if len(self.input(index).shape) > 1:
            shape = self.input(index).shape
            raise UnsupportedError(f"input {index} of {self.op}, {shape}, has more than one axis")
        return [int(number) for number in np.asarray(self.constant(index)).reshape(-1).tolist()]

    def axis(self, default: int, rank: int, name: str = "axis") -> int:
        """The attribute ``axis``, counted from the front."""
        axis = int(self.attr(name, default))
        if not -rank <= axis < max(rank, 1):
            raise UnsupportedError(f"{self.op} works along axis {axis} of {rank} axes")
        return axis % rank if rank else 0


Rule = Callable[[OnnxNode], Formula]


def pointwise(
    shape: Sequence[int], dtype: str, value: Callable[[tuple[Index, ...]], Expr]
) -> Formula:
    """One output, each element from its own indices."""
    size = tuple(int(n) for n in shape)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        at = tuple(
            Index(name, n) for name, n in zip(_names(len(size)), outputs[0].shape, strict=True)
        )
        return [equation(outputs[0][at], value(at))]

    return Formula([size], [dtype], write)


def _names(rank: int) -> list[str]:
    return list("abcdefgh"[:rank]) if rank <= 8 else [f"a{axis}" for axis in range(rank)]


def indices(shape: Sequence[int], names: str = "abcdefgh") -> tuple[Index, ...]:
    """One index per size."""
    chosen = names if len(shape) <= len(names) else [f"{names[0]}{n}" for n in range(len(shape))]
    return tuple(Index(name, size) for name, size in zip(chosen, shape, strict=False))


# Operators that follow batches in a training: the inputs that hold what was measured.
MEASURED = {"BatchNormalization": (3, 4)}


@dataclass(eq=False, kw_only=True)
class Operator(Layer):
    """An ONNX node as a layer.

    ``operands`` says where each ONNX input comes from: None is left out, a string names a weight,
    a number counts the layer's inputs. ``stripped`` tells of each layer input, ``batch`` of the
    outputs, whether the batch axis (of size 1) in front has been taken away. ``activation`` is
    applied to the only output; ``channels_last`` names axes as TensorFlow counts them.
    """

    rule: Rule
    op: str
    opset: int
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    operands: tuple[int | str | None, ...] = ()
    dtypes: tuple[str | None, ...] = ()
    stripped: tuple[bool, ...] = ()
    batch: bool = False
    count: int = 1
    settings: dict[str, Weight] = field(default_factory=dict, repr=False)
    activation: Layer | None = None
    channels_last: bool = False

    @property
    def learnt(self) -> tuple[str, ...]:
        measured = {self.operands[n] for n in MEASURED.get(self.op, ()) if n < len(self.operands)}
        return tuple(label for label in super().learnt if label not in measured)

    @property
    def otherwise_in_training(self) -> bool:
        return self.op in MEASURED and self.trainable and not self.still

    def keep_weights(self, formula: Formula) -> None:
        """Stored inputs that only decide shapes are settings of the layer, not weights of it."""
        outputs = [Tensor("", axes_of(shape), shape) for shape in formula.shapes]
        used = {read.tensor for eq in formula.write(outputs) for read in reads(eq.value)}
        unused = {label: weight for label, weight in self.weights.items() if weight not in used}
        self.settings |= unused
        self.weights = {label: w for label, w in self.weights.items() if label not in unused}

    def node(self, inputs: Sequence[Tensor]) -> OnnxNode:
        """The node as its rule sees it: inputs with all their axes."""
        found: list[Tensor | None] = []
        for operand in self.operands:
            if operand is None:
                found.append(None)
            elif isinstance(operand, str):
                found.append(self.weights.get(operand) or self.settings[operand])
            else:
                found.append(inputs[operand])
        return OnnxNode(self.op, self.opset, self.attributes, found, self.dtypes, self.count)

    def _whole(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        return [
            Tensor(tensor.name, ("batch", *tensor.axes), (1, *tensor.shape)) if cut else tensor
            for tensor, cut in zip(inputs, self.stripped, strict=True)
        ]

    def formula(self, inputs: Sequence[Tensor]) -> Formula:
        """The formula for these inputs, batch axis included."""
        return self.rule(self.node(self._whole(inputs)))

    def cuts(self, shapes: Sequence[Shape]) -> list[bool]:
        """Which outputs lose an axis of size 1 in front."""
        return [self.batch and shape[:1] == (1,) for shape in shapes]

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        shapes = self.formula(inputs).shapes
        kept = [
            shape[1:] if cut else shape
            for shape, cut in zip(shapes, self.cuts(shapes), strict=True)
        ]
        named = default_axes if self.channels_last else _counted
        return [Signature(named(len(shape)), shape) for shape in kept]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        if self.activation is None:
            return self._written(inputs, outputs)
        return activated(self.activation, outputs[0], lambda y: self._written(inputs, [y]))

    def _written(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        whole = self._whole(inputs)
        formula = self.rule(self.node(whole))
        cuts = self.cuts(formula.shapes)
        if not self.batch:
            return formula.write(outputs)
        targets = [
            Tensor(tensor.name, ("batch", *tensor.axes), (1, *tensor.shape)) if cut else tensor
            for tensor, cut in zip(outputs, cuts, strict=True)
        ]
        pairs = [*zip(whole, inputs, strict=True), *zip(targets, outputs, strict=True)]
        return without_first_axis(formula.write(targets), dict(pairs))

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        formula = self.formula(inputs)
        native = formula.native if self.activation is None else None
        if native is not None and all(self.stripped) and all(self.cuts(formula.shapes)):
            return native(graph, names)
        return super().onnx(graph, names, inputs, outputs)


def axes_of(shape: Sequence[int]) -> tuple[str, ...]:
    """Names for the axes of a tensor whose framework counts channels first."""
    return _counted(len(shape))


def _counted(rank: int) -> tuple[str, ...]:
    axes = default_axes(rank)
    if "channel" in axes and len(axes) > 2:
        return ("channel", *(axis for axis in axes if axis != "channel"))
    return axes
