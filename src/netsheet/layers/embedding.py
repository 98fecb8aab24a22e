"""Layers where a sequence begins: Embedding and Masking, with the masks that they make.

A mask is a tensor of zeros and ones over time, named ``<key>/mask``, that the output carries along.
The layer that makes it says so with one more equation; layers behind it pass the same tensor on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netsheet.equations import (
    Equation,
    Gather,
    Index,
    Tensor,
    affine,
    call,
    equation,
    indices_of,
    reduce,
)
from netsheet.layer import Graph, Layer, Signature

_INT64 = 7  # TensorProto.INT64


@dataclass(eq=False, kw_only=True)
class Embedding(Layer):
    """``y[..., c] = embeddings[x[...], c]``: a row of a table; with ``mask_zero``, 0 is padding.

    A token outside the table reads its nearest row; as in Keras on a CPU, data with such tokens are
    refused before.
    """

    input_dim: int
    output_dim: int
    mask_zero: bool = False

    passes_mask: ClassVar[bool] = False

    @property
    def tokens(self) -> int | None:
        return self.input_dim

    @property
    def table_rows(self) -> int | None:
        return self.input_dim

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return {"embeddings": ("token", "channel")}

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        x = inputs[0]
        axes = ("time",) if len(x.shape) == 1 else x.axes
        return [Signature((*axes, "channel"), (*x.shape, self.output_dim))]

    def loses_mask(self, gone: Sequence[bool]) -> bool:
        return False  # it makes its own

    def output_mask(self, inputs: Sequence[Tensor], name: str) -> Tensor | None:
        x = inputs[0]
        if not self.mask_zero:
            return None
        return Tensor(f"{name}/mask", self.infer(inputs)[0].axes[:-1], x.shape)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        *at, c = indices_of(y)
        token = call("min", call("max", x[tuple(at)], 0), self.input_dim - 1)
        row = affine(Gather(token, self.input_dim))
        result = [equation(y[(*at, c)], self.weights["embeddings"][row, c])]
        if y.mask is not None:
            result.append(equation(y.mask[tuple(at)], 1 - call("equal", x[tuple(at)], 0)))
        return result

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        token = graph.node("Cast", [names[0]], to=_INT64)
        return [graph.node("Gather", [graph.weight(self.weights["embeddings"]), token], axis=0)]


@dataclass(eq=False, kw_only=True)
class Masking(Layer):
    """Masks the steps whose values all are ``mask_value``, and sets them to 0."""

    mask_value: float = 0.0

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return [Signature(inputs[0].axes, inputs[0].shape)]

    def loses_mask(self, gone: Sequence[bool]) -> bool:
        return False  # it makes its own

    def output_mask(self, inputs: Sequence[Tensor], name: str) -> Tensor | None:
        x = inputs[0]
        return Tensor(f"{name}/mask", x.axes[:-1], x.shape[:-1])

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        mask = y.mask or self.output_mask(inputs, y.name)
        assert mask is not None
        at = indices_of(y)
        i = Index("i", x.shape[-1])
        # Keras compares in float32
        differs = 1 - call("equal", x[(*at[:-1], i)], float(np.float32(self.mask_value)))
        return [
            equation(mask[at[:-1]], reduce("max", (i,), differs)),
            equation(y[at], x[at] * mask[at[:-1]]),
        ]
