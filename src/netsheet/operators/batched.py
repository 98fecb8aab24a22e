"""A layer for one sample, applied to every element of a first axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.equations import Equation, Index, Tensor, lift
from netsheet.layer import Layer, Signature


@dataclass(eq=False, kw_only=True)
class Batched(Layer):
    """``inner`` for each position of the first axis, which ONNX calls the batch."""

    inner: Layer

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        size = inputs[0].shape[0]
        return [
            Signature(("batch", *axes), (size, *shape))
            for axes, shape in self.inner.infer([_one(tensor) for tensor in inputs])
        ]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        ones = {_one(tensor): tensor for tensor in (*inputs, *outputs)}
        given, made = list(ones)[: len(inputs)], list(ones)[len(inputs) :]
        index = Index("n", inputs[0].shape[0])
        return lift(self.inner.equations(given, made), index, ones, "batch")


def _one(tensor: Tensor) -> Tensor:
    return Tensor(tensor.name, tensor.axes[1:], tensor.shape[1:])
