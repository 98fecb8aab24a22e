"""What a name in a graph stands for while the graph is read."""

from __future__ import annotations

from dataclasses import dataclass

from netsheet.equations import FloatArray, Tensor
from netsheet.network import ValueRef


@dataclass(frozen=True, eq=False)
class KnownValue:
    """A value that is stored, or follows from stored values and shapes alone."""

    array: FloatArray
    name: str

    @property
    def dtype(self) -> str:
        """The element type."""
        return str(self.array.dtype.name)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that ONNX sees."""
        return tuple(self.array.shape)


@dataclass(frozen=True, eq=False)
class Computed:
    """A value that depends on an input; ``stripped`` of the batch axis in front or not."""

    ref: ValueRef
    tensor: Tensor
    dtype: str
    stripped: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that ONNX sees, with one sample in the batch."""
        return (1, *self.tensor.shape) if self.stripped else self.tensor.shape


@dataclass(frozen=True, eq=False)
class Uncomputed:
    """A value that no netsheet layer computes."""

    ref: ValueRef


@dataclass(frozen=True, eq=False)
class Several:
    """A sequence of values, their number known."""

    items: tuple[KnownValue | Computed | Uncomputed, ...]


Value = KnownValue | Computed | Uncomputed | Several
