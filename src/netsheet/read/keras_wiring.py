"""Which arguments of a call are a layer's inputs, and in which order."""

from __future__ import annotations

from netsheet.layers.base import Layer
from netsheet.read.keras_graph import CallConfig, TensorRef, refs_in

_NO_INPUTS = ("mask", "training", "query_mask", "value_mask", "key_mask")


def wired(layer: Layer, call: CallConfig) -> list[TensorRef]:
    """The tensors that a layer is called with, in the order of its ``inputs``."""
    kwargs = [arg for name, arg in call.kwargs.items() if name not in _NO_INPUTS]
    return list(refs_in([*call.args, *kwargs]))
