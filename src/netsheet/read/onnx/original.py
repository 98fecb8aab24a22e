"""An ONNX message as it was read, kept so that ONNX's own runtime can compute it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netsheet.equations import FloatArray

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, eq=False)
class OnnxOriginal:
    """The message, and what each tensor of the network is called in it.

    ``constants`` are inputs that were fixed to values.
    """

    message: ModelProto
    names: Mapping[str, str]
    constants: Mapping[str, FloatArray] = field(default_factory=dict)
