"""What a network's inputs are by nature: tokens, raw pixels, or pixels that were scaled before."""

from __future__ import annotations

import numpy as np

from netsheet.data.inputs import Scaling
from netsheet.layers.base import Layer
from netsheet.layers.category import CategoryEncoding
from netsheet.layers.embedding import Embedding
from netsheet.layers.norm import Normalization, Rescaling
from netsheet.network import Network

_SMALL, _LARGE = 1 / 50, 2  # a factor for raw pixels; a mean or deviation of raw pixels


def token_inputs(model: Network) -> dict[str, int]:
    """The inputs that an Embedding reads, and how many tokens it knows."""
    return {
        node.inputs[0].name: node.layer.input_dim
        for node in model.nodes
        if isinstance(node.layer, Embedding) and node.inputs
    }


def natural_scaling(model: Network) -> Scaling | None:
    """No scaling at all where the network reads tokens or scales pixels itself; else None.

    None leaves it to the usual rule: whole numbers of 0 .. 255 are scaled by 1/255.
    """
    names = {tensor.name for tensor in model.inputs}
    first = [node.layer for node in model.nodes if any(t.name in names for t in node.inputs)]
    return Scaling() if any(_takes_raw(layer) for layer in first) else None


def _takes_raw(layer: Layer) -> bool:
    if isinstance(layer, Rescaling):
        return bool(np.max(np.abs(layer.scale)) <= _SMALL)
    if isinstance(layer, Normalization):
        mean, variance = (
            layer.weights[label].values if given is None else given
            for label, given in (("mean", layer.mean), ("variance", layer.variance))
        )
        return bool(max(np.max(np.abs(mean)), np.sqrt(np.max(variance))) > _LARGE)
    return isinstance(layer, CategoryEncoding | Embedding)
