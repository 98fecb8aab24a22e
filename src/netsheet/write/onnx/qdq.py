"""A quantised network as ONNX's QuantizeLinear and DequantizeLinear around real operators.

It is the form that runtimes and accelerators know and make fast. They round halves to even and
scale with floats: results differ from TensorFlow Lite's by a step here and there, and the exact
form (whole-number arithmetic) stays the one that is proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from netsheet.equations import FLOAT, Quantisation, Tensor, Weight
from netsheet.network import Node
from netsheet.write.onnx.builder import Builder


class QdqBuilder(Builder):
    """A graph whose layers compute in real numbers and whose tensors are whole ones."""

    def __init__(self, inputs: Sequence[Tensor], reserved: Sequence[str] = ()) -> None:
        super().__init__(inputs, reserved)
        self._stored: dict[Weight, Weight] = {}  # real weights, by the whole ones that they mean

    def layer(self, node: Node, given: Sequence[str]) -> list[str]:
        """One layer's nodes for the values of its inputs; the names of its outputs."""
        found = node.layer.in_reals()
        if found is None:
            return node.layer.onnx(self, given, node.inputs, node.outputs)
        layer, stored = found
        self._stored |= stored
        names = [self._real(name, tensor) for name, tensor in zip(given, node.inputs, strict=True)]
        inputs, outputs = ([_twin(t) for t in group] for group in (node.inputs, node.outputs))
        results = layer.onnx(self, names, inputs, outputs)
        return [
            self._whole(name, tensor) for name, tensor in zip(results, node.outputs, strict=True)
        ]

    def weight(self, weight: Weight, axes: Sequence[str] | None = None) -> str:
        whole = self._stored.get(weight)
        known = None if whole is None else whole.quantisation
        if whole is None or known is None or len(known.axes) > 1:
            return super().weight(weight, axes)
        order = tuple(axes) if axes is not None else weight.axes
        axis = order.index(known.axes[0]) if known.axes else 0
        name = super().weight(whole, axes)
        return str(self.node("DequantizeLinear", [name, *self._scale(known, whole.dtype)],
                             axis=axis))  # fmt: skip

    def _real(self, name: str, tensor: Tensor) -> str:
        if tensor.quantisation is None:
            return name
        scale = self._scale(tensor.quantisation, tensor.dtype)
        return str(self.node("DequantizeLinear", [name, *scale]))

    def _whole(self, name: str, tensor: Tensor) -> str:
        if tensor.quantisation is None:
            return name
        scale = self._scale(tensor.quantisation, tensor.dtype)
        return str(self.node("QuantizeLinear", [name, *scale]))

    def _scale(self, known: Quantisation, dtype: str) -> list[str]:
        """Scale and zero point; ONNX wants no zero point of 32 bits."""
        scale = self.constant(np.asarray(known.scale, np.float32))
        if dtype == "int32":
            return [scale]
        zeros = np.full(np.shape(known.scale), known.zero_point, dtype)
        return [scale, self.constant(zeros)]


def _twin(tensor: Tensor) -> Tensor:
    """The same tensor of real numbers."""
    return replace(tensor, mask=None, dtype=FLOAT, quantisation=None)
