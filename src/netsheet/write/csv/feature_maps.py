"""Which feature map the rows of a weight come from, where one was laid out in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsheet.layer import Layer, Signature
    from netsheet.nodes import Node


def feature_maps(nodes: Sequence[Node]) -> dict[Layer, Signature]:
    """For each layer behind one that lays a feature map out in a row: that map, as laid out."""
    makers = {tensor: node for node in nodes for tensor in node.outputs}
    found: dict[Layer, Signature] = {}
    for node in nodes:
        maker = makers.get(node.inputs[0]) if node.inputs else None
        while maker is not None and len(maker.inputs) == 1:
            (x,) = maker.inputs
            row = maker.layer.unrolled(x)
            if row is not None:
                found[node.layer] = row
            if row is not None or x.shape != maker.outputs[0].shape or maker.layer.weights:
                break
            maker = makers.get(x)
    return found
