"""Operators of TensorFlow Lite and the tensors between them, before they are a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Option = int | float | bool


@dataclass(eq=False)
class LiteTensor:
    """A tensor with the batch axis (of size 1) in front, where it is computed.

    ``values`` where it is stored. ``scales`` and ``zero_points`` are empty for real numbers; with
    several scales they belong to the positions of the axis ``dimension``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    values: Array | None = None
    scales: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    zero_points: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    dimension: int = 0

    @property
    def stored(self) -> bool:
        """True if its numbers stand in the file."""
        return self.values is not None

    @property
    def real(self) -> bool:
        """True if it holds real numbers."""
        return self.dtype == "float32"

    def like(self, name: str) -> LiteTensor:
        """A computed tensor of the same shape and numbers."""
        return LiteTensor(
            name, self.shape, self.dtype, None, self.scales, self.zero_points, self.dimension
        )


@dataclass(eq=False)
class LiteOperator:
    """One operator; ``kind`` and ``options`` are the schema's table of options and its fields.

    ``layer`` is the key of the call that it came from.
    """

    name: str
    inputs: list[LiteTensor]
    output: LiteTensor
    kind: str = ""
    options: dict[str, Option] = field(default_factory=dict)
    layer: str = ""

    @property
    def computed(self) -> list[LiteTensor]:
        """The inputs that are not stored."""
        return [tensor for tensor in self.inputs if not tensor.stored]


@dataclass(eq=False)
class LiteGraph:
    """Operators in the order of computation."""

    inputs: list[LiteTensor] = field(default_factory=list)
    outputs: list[LiteTensor] = field(default_factory=list)
    operators: list[LiteOperator] = field(default_factory=list)
    # the tensor that holds what a call of the network computes, where one does
    tensors_of: dict[str, LiteTensor] = field(default_factory=dict)
    # of calls whose tensor has its axes in another order: which axis each of the call's own is
    orders: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def tensors(self) -> list[LiteTensor]:
        """Every tensor once: inputs, then by operators."""
        found = dict.fromkeys(self.inputs)
        for operator in self.operators:
            found |= dict.fromkeys([*operator.inputs, operator.output])
        return list(found | dict.fromkeys(self.outputs))

    def readers(self, tensor: LiteTensor) -> list[LiteOperator]:
        """The operators that read a tensor."""
        return [op for op in self.operators if any(t is tensor for t in op.inputs)]

    def maker(self, tensor: LiteTensor) -> LiteOperator | None:
        """The operator that fills a tensor."""
        return next((op for op in self.operators if op.output is tensor), None)

    def only_reader(self, tensor: LiteTensor) -> LiteOperator | None:
        """The operator that reads a tensor, where nothing else needs it."""
        found = self.readers(tensor)
        needed_outside = any(t is tensor for t in self.outputs)
        return found[0] if len(found) == 1 and not needed_outside else None

    def replace_tensor(self, old: LiteTensor, new: LiteTensor) -> None:
        """What read the old tensor reads the new one."""
        for operator in self.operators:
            operator.inputs = [new if t is old else t for t in operator.inputs]
        self.outputs = [new if t is old else t for t in self.outputs]
        self.tensors_of = {
            key: new if tensor is old else tensor for key, tensor in self.tensors_of.items()
        }

    def pairs(self) -> Iterator[tuple[LiteOperator, LiteOperator]]:
        """Each operator with the only one that reads what it fills."""
        for operator in list(self.operators):
            after = self.only_reader(operator.output)
            if after is not None:
                yield operator, after
