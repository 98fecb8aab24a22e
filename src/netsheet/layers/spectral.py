"""SpectralNormalization: a layer whose kernel was divided by its largest singular value.

Source: keras/src/layers/normalization/spectral_normalization.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from netsheet.equations import Equation, Tensor
from netsheet.layer import Graph, Layer, Signature

_VECTORS = ("vector_u", "sn_u")  # Keras 3, Keras 2


@dataclass(eq=False, kw_only=True)
class SpectralNormalization(Layer):
    """The inner layer as it is: its kernel was normalised while training, and is stored so."""

    layer: Layer
    vector: str = "vector_u"  # the name of what training iterates on

    own_arrays: ClassVar[int | None] = 1  # the kernel stands in the wrapper and in the layer

    @property
    def learnt(self) -> tuple[str, ...]:
        return tuple(label for label in super().learnt if label != self.vector)

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return {self.vector: ("step", "out"), **self.layer.weight_axes()}

    def inner_layers(self) -> list[tuple[str, Layer]]:
        return [("", self.layer)]

    def settle(self, stored: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        names = [name for name, _ in stored]
        self.vector = next((name for name in names if name in _VECTORS), self.vector)
        self.layer.settle([pair for pair in stored if pair[0] != self.vector])

    @property
    def _inner(self) -> Layer:
        own = {label: self.weights[label] for label in self.layer.weight_axes()}
        return replace(self.layer, name=self.name, weights=own)

    def output_mask(self, inputs: Sequence[Tensor], name: str) -> Tensor | None:
        return self._inner.output_mask(inputs, name)

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        inner = self._inner
        vector, kernel = self.weights[self.vector], next(iter(inner.weights.values()))
        if vector.shape != (1, *kernel.shape[-1:]):
            raise ValueError(f"{self.vector} {vector.shape} does not fit the kernel {kernel.shape}")
        return inner.infer(inputs)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return self._inner.equations(inputs, outputs)

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        return self._inner.onnx(graph, names, inputs, outputs)
