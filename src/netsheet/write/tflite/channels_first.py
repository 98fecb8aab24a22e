"""Layers whose channels stand in front, said with channels last: as TensorFlow Lite has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from netsheet.equations import Tensor
from netsheet.layer import Layer
from netsheet.layers.norm import BatchNormalization
from netsheet.nodes import Node
from netsheet.write.tflite.graph import LiteTensor
from netsheet.write.tflite.lowering import Lowering, Row

Given = Sequence[LiteTensor]


def with_channels_last(row_of: Callable[[Layer], Row], lowering: Lowering, node: Node,
                       given: Given) -> LiteTensor | None:  # fmt: skip
    """The operators of a layer with channels in front, between transpositions.

    None for a layer that has none there. Its activation comes behind the second transposition:
    a softmax is along the last axis, whichever that is.
    """
    layer = _turned_layer(node)
    if layer is None:
        return None
    inputs, outputs = (tuple(map(_turned, tensors)) for tensors in (node.inputs, node.outputs))
    inner = Node(node.key, layer, inputs, outputs)
    moved = [_to_last(lowering, x) for x in given]
    y = row_of(layer)(lowering, inner, moved)
    if len(y.shape) == len(given[0].shape):
        y = _to_front(lowering, y)
    fused = getattr(node.layer, "activation", None) is not None
    return lowering.activated(y, node.layer.active() if fused else None)


def _turned_layer(node: Node) -> Layer | None:
    layer, rank = node.layer, len(node.inputs[0].shape) if node.inputs else 0
    if rank < 2:
        return None
    changes: dict[str, Any] = {}
    if getattr(layer, "data_format", None) == "channels_first":
        changes = {"data_format": "channels_last"}
    elif isinstance(layer, BatchNormalization) and layer.axis % rank == 0:
        changes = {"axis": -1}
    if not changes:
        return None
    if getattr(layer, "activation", None) is not None:
        changes["activation"] = None
    turned: Layer = replace(layer, **changes)
    return turned


def _turned(tensor: Tensor) -> Tensor:
    """The tensor with its first axis behind the others."""
    if len(tensor.shape) < 2:
        return tensor
    first, *axes = tensor.axes
    channels, *sizes = tensor.shape
    return Tensor(tensor.name, (*axes, first), (*sizes, channels))


def _to_last(lowering: Lowering, x: LiteTensor) -> LiteTensor:
    rank = len(x.shape)
    return lowering.transposed(x, (0, *range(2, rank), 1)) if rank > 2 else x


def _to_front(lowering: Lowering, y: LiteTensor) -> LiteTensor:
    rank = len(y.shape)
    return lowering.transposed(y, (0, rank - 1, *range(1, rank - 1)))
