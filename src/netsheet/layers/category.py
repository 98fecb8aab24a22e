"""Numbers as categories: encodings of whole numbers, and bins.

Source: keras/src/layers/preprocessing/{category_encoding,discretization}.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netsheet.equations import (
    Equation,
    Expr,
    Index,
    Number,
    Tensor,
    affine,
    call,
    equation,
    indices_of,
    reduce,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer, Signature
from netsheet.layers.base import constant

MODES = ("one_hot", "multi_hot", "count")


@dataclass(eq=False, kw_only=True)
class CategoryEncoding(Layer):
    """``one_hot``: y[.., k] = 1 where x[..] = k. ``multi_hot``, ``count``: over the last axis.

    A second input, with ``count``, weighs each value.
    """

    num_tokens: int
    output_mode: str = "multi_hot"

    passes_mask: ClassVar[bool] = False

    @property
    def tokens(self) -> int | None:
        return self.num_tokens

    def _kept(self, x: Tensor) -> int:
        """How many axes of the input stay."""
        if self.output_mode == "one_hot" and x.shape and x.shape[-1] != 1:
            return len(x.shape)
        return max(len(x.shape) - 1, 0)

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        kept = self._kept(inputs[0])
        if self.output_mode != "one_hot" and not inputs[0].shape:
            raise UnsupportedError(
                f"of one number per sample its output_mode {self.output_mode} makes a single "
                "encoding of all samples together; one_hot gives each its own"
            )
        if self.output_mode != "one_hot" and len(inputs[0].shape) > 1:
            raise ValueError(f"it takes one axis of categories, not {inputs[0].shape}")
        return [
            Signature(
                (*inputs[0].axes[:kept], "category"), (*inputs[0].shape[:kept], self.num_tokens)
            )
        ]

    def token(self, read: Expr) -> Expr:
        """The category of an input value."""
        return read

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x = inputs[0]
        at = indices_of(x)
        kept = self._kept(x)
        k = Index("k", self.num_tokens)
        hit: Expr = call("equal", self.token(x[at]), Number(affine(k)))
        if len(inputs) > 1:
            hit = hit * inputs[1][at]
        if at[kept:]:
            hit = reduce("sum" if self.output_mode == "count" else "max", at[kept:], hit)
        return [equation(outputs[0][(*at[:kept], k)], hit)]


@dataclass(eq=False, kw_only=True)
class Discretization(CategoryEncoding):
    """The number of ``boundaries`` that are not above x; encoded unless the mode is ``int``."""

    boundaries: tuple[float, ...]

    @property
    def tokens(self) -> int | None:
        return None

    def token(self, read: Expr) -> Expr:
        if not self.boundaries:
            return read * 0
        edges = constant(f"{self.name}/boundaries", np.array(self.boundaries, float))
        b = Index("b", len(self.boundaries))
        return reduce("sum", [b], call("less_equal", edges[b], read))

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        if self.output_mode == "int":
            return [Signature(inputs[0].axes, inputs[0].shape)]
        return super().infer(inputs)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        if self.output_mode != "int":
            token = outputs[0].step("bin", inputs[0].axes, inputs[0].shape)
            at = indices_of(token)
            encoded = CategoryEncoding(num_tokens=self.num_tokens, output_mode=self.output_mode)
            first = equation(token[at], self.token(inputs[0][at]))
            return [first, *encoded.equations([token], outputs)]
        at = indices_of(outputs[0])
        return [equation(outputs[0][at], self.token(inputs[0][at]))]
