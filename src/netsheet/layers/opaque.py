"""Layers that are shown and not computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.equations import Equation, Tensor
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer, Signature, default_axes


@dataclass(eq=False, kw_only=True)
class Opaque(Layer):
    """A layer whose computation is not known; ``reason`` says why.

    ``output_shape`` is what the file says of its output, if it does.
    """

    output_shape: tuple[int | None, ...] | None = None

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        if self.output_shape is None:
            raise UnsupportedError(self.reason)
        return [Signature(default_axes(len(self.output_shape)), self.output_shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        raise UnsupportedError(f"layer {self.name!r}: {self.reason}")
