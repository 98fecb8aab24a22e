"""A function of the file with its operands, as the rows of the table see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netsheet.equations import FloatArray, Weight
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.base import constant
from netsheet.operators.base import Operator, Rule, axes_of
from netsheet.read.nnp.text import Message

Sizes = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class NnpVariable:
    """A variable of the network: ``shape`` as the file has it, ``values`` where it is stored."""

    name: str
    shape: Sizes
    values: FloatArray | None = None

    @property
    def inner(self) -> Sizes:
        """The shape without the batch."""
        return self.shape[1:]


@dataclass(eq=False)
class NnpFunction:
    """A function: ``name`` is the layer's, ``kind`` that of the function, ``given`` its parameters.

    ``stored`` says by a weight's name which variable of the file it is.
    """

    name: str
    kind: str
    given: Message
    inputs: Sequence[NnpVariable]
    outputs: Sequence[NnpVariable]
    stored: dict[str, str] = field(default_factory=dict)

    def input(self, index: int) -> NnpVariable:
        """An input that has to be there."""
        if index >= len(self.inputs):
            raise UnsupportedError(f"{self.kind} has no input {index}")
        return self.inputs[index]

    def has(self, index: int) -> bool:
        """True if there is such an input."""
        return index < len(self.inputs)

    def array(self, index: int) -> FloatArray:
        """The values of an input that has to be stored."""
        variable = self.input(index)
        if variable.values is None:
            raise UnsupportedError(
                f"input {index} of {self.kind}, {variable.name!r}, is computed or its values are "
                "missing, but it has to be stored"
            )
        return variable.values

    def weight(
        self, index: int, label: str, axes: Sequence[str], shape: Sequence[int] | None = None
    ) -> Weight:
        """A stored input as a weight of the layer, in a shape of as many values."""
        values = self.array(index)
        sizes = tuple(values.shape if shape is None else shape)
        name = f"{self.name}/{label}"
        self.stored[name] = self.input(index).name
        return Weight(name, tuple(axes), sizes, label=label, values=values.reshape(sizes))

    def sizes(self, name: str, rank: int, default: int) -> Sizes:
        """Sizes for so many axes, all of them the default where they are left out."""
        found = self.given.shape(name) or (default,) * rank
        if len(found) != rank:
            raise UnsupportedError(f"{self.kind} has {len(found)} sizes {name!r} for {rank} axes")
        return found

    def axis(self, name: str, rank: int | None = None) -> int:
        """An axis counted from the batch, never the batch itself.

        Raises:
            UnsupportedError: it is the batch, or there is no such axis.
        """
        return self.checked(self.given.integer(name), rank)

    def checked(self, axis: int, rank: int | None = None) -> int:
        """The same for a number that is read already."""
        rank = len(self.input(0).shape) if rank is None else rank
        if not -rank <= axis < rank or axis % rank == 0:
            raise UnsupportedError(f"{self.kind} works along axis {axis}, which is the batch")
        return axis % rank

    def operator(
        self,
        rule: Rule,
        op: str = "",
        *,
        inputs: Sequence[int | float] | None = None,
        count: int = 1,
        settings: Mapping[str, Any] | None = None,
        **attributes: Any,
    ) -> Layer:
        """A rule applied to whole tensors.

        ``inputs``: an int is an input of the function, a float a number; None: all inputs of the
        function. ``settings`` follow them: stored values that decide shapes.
        """
        chosen = range(len(self.inputs)) if inputs is None else inputs
        operands: list[int | str] = []
        weights: dict[str, Weight] = {}
        held: dict[str, Weight] = {}
        computed = 0
        for number in chosen:
            if isinstance(number, float):
                label = f"value{len(held)}"
                held[label] = constant(label, np.asarray(number))
                operands.append(label)
            elif self.input(number).values is not None:
                label = f"operand{number}"
                weights[label] = self.weight(number, label, axes_of(self.array(number).shape))
                operands.append(label)
            else:
                operands.append(computed)
                computed += 1
        for label, numbers in (settings or {}).items():
            held[label] = constant(label, np.asarray(numbers, float))
            operands.append(label)
        return Operator(
            rule=rule, op=op or self.kind, opset=13, attributes=attributes, count=count,
            operands=tuple(operands), dtypes=("float32",) * len(operands),
            stripped=(True,) * computed, batch=True, weights=weights, settings=held,
            type_name=self.kind,
        )  # fmt: skip


Row = Callable[[NnpFunction], Layer]
