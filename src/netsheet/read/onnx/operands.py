"""A node's inputs as a layer takes them: weights by label, computed values by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netsheet.equations import FloatArray, Tensor, Weight
from netsheet.operators.base import axes_of
from netsheet.read.onnx.message import input_names
from netsheet.read.onnx.values import Computed, KnownValue, Value

if TYPE_CHECKING:
    from onnx import NodeProto


def weight_of(name: str, label: str, array: FloatArray) -> Weight:
    """A stored value as a weight, its axes named by its rank."""
    return Weight(name, axes_of(array.shape), array.shape, label=label, values=array)


@dataclass
class Operands:
    """Of each input where it comes from, its tensor and its type; None where it is left out.

    ``sources`` are labels of weights and numbers of computed values; ``stored`` says by a weight's
    name which value of the file it is; ``stripped`` tells of each computed value whether its batch
    axis has been taken away.
    """

    sources: list[int | str | None] = field(default_factory=list)
    tensors: list[Tensor | None] = field(default_factory=list)
    dtypes: list[str | None] = field(default_factory=list)
    weights: dict[str, Weight] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)
    stripped: list[bool] = field(default_factory=list)


def operands_of(
    proto: NodeProto, key: str, version: int, inputs: Sequence[Value | None]
) -> Operands:
    """The operands of the node that becomes the layer ``key``."""
    names = input_names(proto, version)
    made = Operands()
    for n, value in enumerate(inputs):
        if isinstance(value, KnownValue):
            label = names[n] if names[n] not in made.weights else f"{names[n]}{n}"
            made.weights[label] = weight_of(f"{key}/{label}", label, value.array)
            made.stored[f"{key}/{label}"] = value.name
            made.sources.append(label)
            made.tensors.append(made.weights[label])
        elif isinstance(value, Computed):
            made.sources.append(len(made.stripped))
            made.stripped.append(value.stripped)
            made.tensors.append(Tensor(value.tensor.name, axes_of(value.shape), value.shape))
        else:
            made.sources.append(None)
            made.tensors.append(None)
        known = isinstance(value, (KnownValue, Computed))
        made.dtypes.append(value.dtype if known else None)  # type: ignore[union-attr]
    return made
