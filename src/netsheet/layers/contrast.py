"""AutoContrast: each channel of a picture spread over the whole range of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.equations import Equation, Tensor, call, equation, reduce
from netsheet.layer import Layer, Signature
from netsheet.layers.base import Along


@dataclass(eq=False, kw_only=True)
class AutoContrast(Layer):
    """``(x - min) / (max - min)``, in the units of ``value_range``; a flat channel stays.

    Minimum and maximum run over the first two axes, as Keras takes them in every data format.
    Keras does this outside training, too.
    """

    value_range: tuple[float, float] = (0.0, 255.0)

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        if len(inputs[0].shape) != 3:
            raise ValueError(f"layer {self.name!r} takes pictures, not {inputs[0].shape}")
        return [Signature(inputs[0].axes, inputs[0].shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x, y = inputs[0], outputs[0]
        along = Along(x, (0, 1), self.name)
        least, most = along.step(y, "min"), along.step(y, "max")
        at, rest = along.at, along.rest
        low, high = self.value_range
        width = most[rest] - least[rest]
        share = (x[at] - least[rest]) / call("if", call("equal", width, 0), 1, width)
        return [
            equation(least[rest], reduce("min", along.over, x[at])),
            equation(most[rest], reduce("max", along.over, x[at])),
            equation(y[at], call("if", call("equal", width, 0), x[at], share * (high - low) + low)),
        ]
