"""An operator with its operands, as the rows of the table see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.equations import FLOAT, LIMITS, Quantisation, Weight
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.activation import HardTanh, ReLU
from netsheet.read.tflite.file import StoredOperator, StoredTensor

Array = npt.NDArray[Any]
ACTIVATIONS = ("int8", "uint8")


@dataclass(frozen=True, eq=False)
class TfliteNode:
    """An operator of the file: ``name`` is the layer's, ``inputs`` may lack some (None)."""

    name: str
    operator: StoredOperator
    inputs: Sequence[StoredTensor | None]
    outputs: Sequence[StoredTensor]
    # the number of the tensor that each weight's very values are, by the weight's label
    sources: dict[str, int] = field(default_factory=dict)

    @property
    def op(self) -> str:
        """The operator's name in TensorFlow Lite's schema: ``CONV_2D``."""
        return self.operator.name

    def options(self, kind: str) -> Any:
        """The options, which have to be there.

        Raises:
            UnsupportedError: they are not.
        """
        found = self.operator.options(kind)
        if found is None:
            raise UnsupportedError(f"{self.op} has no {kind}")
        return found

    def input(self, index: int) -> StoredTensor:
        """An input that has to be there."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise UnsupportedError(f"{self.op} has no input {index}")
        return found

    def has(self, index: int) -> bool:
        """True if the input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def constant(self, index: int) -> Array:
        """The stored values of an input that decides what is computed."""
        tensor = self.input(index)
        if tensor.values is None:
            raise UnsupportedError(f"input {index} of {self.op} is computed, but has to be stored")
        return tensor.values

    @property
    def whole(self) -> bool:
        """True if it computes with quantised activations."""
        computed = [t for t in self.inputs if t is not None and t.values is None]
        return any(tensor.quantised for tensor in (*computed, *self.outputs))

    def weight(
        self, index: int, label: str, axes: Sequence[str], shape: Sequence[int] | None = None
    ) -> Weight:
        """A stored input as a weight; ``shape`` (of the axes) splits axes of the stored one.

        Of a network of real numbers, quantised weights are taken for what they stand for.
        """
        tensor, values = self.input(index), self.constant(index)
        sizes = tuple(values.shape if shape is None else shape)
        name = f"{self.name}/{label}"
        if not tensor.quantised or not self.whole:
            found = real_values(tensor)
            if not tensor.quantised:
                self.sources[label] = tensor.number
            return Weight(name, tuple(axes), sizes, label=label, values=found.reshape(sizes))
        self.sources[label] = tensor.number
        return Weight(
            name, tuple(axes), sizes, dtype=tensor.dtype, label=label,
            quantisation=_quantisation(tensor, axes, sizes), values=values.reshape(sizes),
        )  # fmt: skip


def real_values(tensor: StoredTensor) -> Array:
    """The numbers of a stored tensor, as what they stand for."""
    assert tensor.values is not None
    if not tensor.quantised:
        return tensor.values
    shape = [1] * tensor.values.ndim
    if tensor.scales.size > 1:
        shape[tensor.dimension] = -1
    scales, zeros = tensor.scales.reshape(shape), tensor.zero_points.reshape(shape)
    centred = tensor.values.astype(np.int64) - zeros
    found: Array = (centred * scales.astype(float)).astype(np.float32)
    return found


def _quantisation(tensor: StoredTensor, axes: Sequence[str], sizes: Sequence[int]) -> Quantisation:
    """One scale, or one for each position of the axes that the stored one has become."""
    if tensor.scales.size == 1:
        return tensor.quantisation()
    if tensor.zero_points.any():
        raise UnsupportedError(f"{tensor.name!r} has zero points other than 0 for its channels")
    # the stored axis is the product of some axes beside each other
    before = int(np.prod(tensor.shape[: tensor.dimension], initial=1))
    first, product = 0, 1
    while product < before:
        product *= sizes[first]
        first += 1
    last, product = first, 1
    while product < tensor.scales.size:
        product *= sizes[last]
        last += 1
    if product != tensor.scales.size:
        raise UnsupportedError(f"{tensor.name!r} has scales along axis {tensor.dimension}")
    while first < last - 1 and sizes[first] == 1:
        first += 1
    while last > first + 1 and sizes[last - 1] == 1:
        last -= 1
    own = sizes[first:last]
    return Quantisation(tensor.scales.reshape(own), 0, tuple(axes[first:last]))


def kind_of(tensor: StoredTensor) -> tuple[str, Quantisation | None]:
    """The dtype of a computed tensor in the network, and what its numbers stand for.

    Whole numbers without a scale are computed with as real ones.
    """
    if not tensor.quantised:
        if tensor.dtype not in (FLOAT, "bool", *LIMITS):
            raise UnsupportedError(f"{tensor.name!r} is of {tensor.dtype}, which is not computed")
        return FLOAT, None
    if tensor.dtype not in ACTIVATIONS:
        raise UnsupportedError(
            f"{tensor.name!r} holds {tensor.dtype}: activations of 8 bits are computed"
        )
    return tensor.dtype, tensor.quantisation()


def fused_activation(code: int, op: str) -> Layer | None:
    """The activation that an operator ends with (schema.fbs, ActivationFunctionType)."""
    if code == 0:
        return None
    if code == 1:
        return ReLU()
    if code == 2:
        return HardTanh()
    if code == 3:
        return ReLU(max_value=6.0)
    raise UnsupportedError(f"{op} with the fused activation {code} is not computed")
