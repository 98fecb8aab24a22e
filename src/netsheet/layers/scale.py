"""Learned and fixed scaling, as in ConvNeXt and Inception-ResNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.equations import Equation, Tensor, equation, indices_of
from netsheet.layer import Layer, Signature


@dataclass(eq=False, kw_only=True)
class LayerScale(Layer):
    """``y[..., c] = x[..., c] * gamma[c]`` (Touvron et al. 2021)."""

    projection_dim: int

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return {"gamma": ("out",)}

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        if inputs[0].shape[-1:] != (self.projection_dim,):
            raise ValueError(f"it scales {self.projection_dim} channels, not {inputs[0].shape}")
        return [Signature(inputs[0].axes, inputs[0].shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        at = indices_of(outputs[0])
        return [equation(outputs[0][at], inputs[0][at] * self.weights["gamma"][at[-1]])]


@dataclass(eq=False, kw_only=True)
class ScaledAdd(Layer):
    """``y = a + b * scale``: Keras's CustomScaleLayer."""

    scale: float

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        if inputs[0].shape != inputs[1].shape:
            raise ValueError(f"{inputs[0].shape} and {inputs[1].shape} are not added")
        return [Signature(inputs[0].axes, inputs[0].shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        at = indices_of(outputs[0])
        return [equation(outputs[0][at], inputs[0][at] + inputs[1][at] * self.scale)]
