"""Which arguments of a call are a layer's inputs, and what else a call says."""

from __future__ import annotations

from dataclasses import replace

from netsheet.errors import UnsupportedError
from netsheet.layers.attention import Attention, GroupQueryAttention, MultiHeadAttention
from netsheet.layers.base import Layer
from netsheet.read.keras_graph import CallConfig, TensorRef, refs_in

_IGNORED = ("mask", "training")
_POSITIONS = ("query", "value", "key")


def wired(layer: Layer, call: CallConfig) -> tuple[Layer, list[TensorRef]]:
    """The layer as this call uses it, and the tensors that it takes in the order of its inputs."""
    if isinstance(layer, (Attention, MultiHeadAttention, GroupQueryAttention)):
        return _attention(layer, call)
    if isinstance(call.kwargs.get("mask"), TensorRef):
        raise UnsupportedError("it is called with a mask")
    kwargs = [arg for name, arg in call.kwargs.items() if name not in _IGNORED]
    return layer, list(refs_in([*call.args, *kwargs]))


def _attention(
    layer: Attention | MultiHeadAttention | GroupQueryAttention, call: CallConfig
) -> tuple[Layer, list[TensorRef]]:
    """Query, value and key come by position, in one list, or by name; masks by name."""
    given = dict(zip(_POSITIONS, refs_in(call.args), strict=False))
    for name, value in call.kwargs.items():
        if isinstance(value, TensorRef):
            given["query" if name == "inputs" else name] = value
        elif name == "inputs" or (name == "mask" and value is not None):
            _named(given, name, list(refs_in(value)))
    causal = bool(call.kwargs.get("use_causal_mask")) or layer.use_causal_mask
    scores = bool(call.kwargs.get("return_attention_scores"))
    own = replace(
        layer,
        arguments=tuple(given),
        use_causal_mask=causal,
        return_attention_scores=scores,
    )
    return own, list(given.values())


def _named(given: dict[str, TensorRef], name: str, refs: list[TensorRef]) -> None:
    suffix = "_mask" if name == "mask" else ""
    given.update({position + suffix: ref for position, ref in zip(_POSITIONS, refs, strict=False)})
