"""Which arguments of a call are a layer's inputs, and what else a call says."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.read.keras.graph import CallConfig, GraphConfig, TensorRef, refs_in

if TYPE_CHECKING:
    from netsheet.layers.attention import Attention

_MASKS = ("mask", "query_mask", "value_mask", "key_mask")
_POSITIONS = ("query", "value", "key")


def operations_in(graph: GraphConfig) -> set[str]:
    """The names of the plain operations of a graph."""
    return {layer.name for layer in graph.layers if layer.is_op}


def without_carried_masks(call: CallConfig, operations: Set[str]) -> CallConfig:
    """The call without the masks that Keras 3 writes out.

    Keras 3 saves the masks that tensors carry as operations and arguments; netsheet carries them
    itself. A mask that is no such operation was given by the user, and stays.
    """

    def carried(name: str, value: object) -> bool:
        refs = list(refs_in(value))
        return name in _MASKS and bool(refs) and all(ref.layer in operations for ref in refs)

    kept = {name: value for name, value in call.kwargs.items() if not carried(name, value)}
    return CallConfig(call.args, kept, masked=len(kept) < len(call.kwargs))


def mask_operations(graph: GraphConfig) -> set[str]:
    """The operations of a graph that only masks need."""
    operations = operations_in(graph)
    calls = {
        layer.name: [without_carried_masks(call, operations) for call in layer.calls]
        for layer in graph.layers
    }
    waiting = [ref.layer for ref in graph.outputs]
    waiting += [name for name in calls if name not in operations]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [ref.layer for call in calls.get(name, ()) for ref in call.refs()]
    return operations - needed


def wired(layer: Layer, call: CallConfig) -> tuple[Layer, list[TensorRef]]:
    """The layer as this call uses it, and the tensors that it takes in the order of its inputs."""
    if layer.attends:
        return _attention(cast("Attention", layer), call)
    if isinstance(call.kwargs.get("mask"), TensorRef):
        raise UnsupportedError("it is called with a mask of its own")
    kwargs = [arg for name, arg in call.kwargs.items() if name not in ("mask", "training")]
    return layer, list(refs_in([*call.args, *kwargs]))


def _attention(layer: Attention, call: CallConfig) -> tuple[Layer, list[TensorRef]]:
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
