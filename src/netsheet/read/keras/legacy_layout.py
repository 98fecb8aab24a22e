"""Weights of the HDF5 layout of Keras 1 and 2: each top-level layer has a flat list of its own.

A nested model's list is all of its trainable weights and then the others, a frozen layer's among
these: names decide, and order where they do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsheet.layer import Layer
from netsheet.layers.opaque import Opaque
from netsheet.read.keras.graph import GraphConfig, LayerConfig
from netsheet.read.keras.stored import KerasFile, StoredWeight
from netsheet.read.keras.weights import NOT_TRAINED, Placing


def assign_legacy(
    graph: GraphConfig, layers: Mapping[str, Layer], file: KerasFile, placing: Placing
) -> list[Layer]:
    """Gives each layer its weights; returns what belongs to no layer, as layers to be shown."""
    stored = {layer.name: layer.weights for layer in file.layers}
    left = []
    for config in graph.layers:
        weights = stored.pop(config.name, [])
        if config.graph is not None:
            inner = [(names, layers["/".join(names)]) for names in _inside(config)]
            rest = _assign_nested(inner, weights, placing)
            left.append(_unclaimed(f"{config.name}/?", rest, placing))
        elif config.name in layers:
            placing.give(layers[config.name], weights)
        else:
            stored[config.name] = weights  # an operation or an input has none of its own
    left += [_unclaimed(name, weights, placing) for name, weights in stored.items()]
    return [layer for layer in left if layer is not None]


def _unclaimed(name: str, weights: Sequence[StoredWeight], placing: Placing) -> Layer | None:
    if not weights:
        return None
    reason = "the file stores these weights, but they belong to no layer of the model"
    layer = Opaque(name=name, type_name="?", reason=reason)
    placing.give(layer, weights)
    return layer


def _inside(config: LayerConfig, scope: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The name paths of all layers in a nested model that may have weights."""
    scope = (*scope, config.name)
    if config.graph is None:
        return [] if config.class_name == "InputLayer" or config.is_operation else [scope]
    return [path for layer in config.graph.layers for path in _inside(layer, scope)]


def _assign_nested(
    inner: Sequence[tuple[tuple[str, ...], Layer]],
    stored: Sequence[StoredWeight],
    placing: Placing,
) -> list[StoredWeight]:
    """Gives the layers of a nested model theirs; returns what is left."""
    if not stored:
        return []
    found, rest = _by_name(inner, stored, placing)
    missing = [layer for _, layer in inner if layer not in found and layer.weight_axes()]
    if rest or missing:
        ordered = _by_order([layer for _, layer in inner], stored, placing)
        if ordered is not None:
            found, rest = ordered, []
        else:  # only layers that have a list of their own can be told what is wrong with it
            more, rest = _by_name(inner, rest, None)
            found |= more
    for layer, weights in found.items():
        placing.give(layer, weights)
    return rest


def _by_name(
    inner: Sequence[tuple[tuple[str, ...], Layer]],
    stored: Sequence[StoredWeight],
    placing: Placing | None,
) -> tuple[dict[Layer, list[StoredWeight]], list[StoredWeight]]:
    """What lies in folders of the layers' names, and the rest; ``placing``: only what fits."""
    folders: dict[str, list[StoredWeight]] = {}
    for weight in stored:
        for folder in dict.fromkeys(weight.path.split("/")[:-1]):
            folders.setdefault(folder, []).append(weight)
    found: dict[Layer, list[StoredWeight]] = {}
    taken: set[StoredWeight] = set()
    # Longer names first: 'dense' must not take what belongs to 'block/dense'.
    for names, layer in sorted(inner, key=lambda pair: -len(pair[0])):
        parts = names[-1].split("/")
        own = [
            weight
            for weight in folders.get(parts[0], ())
            if weight not in taken and (len(parts) == 1 or _belongs(weight, names[-1]))
        ]
        fits = placing is None or (
            not isinstance(layer, Opaque) and placing.labels(layer, len(own)) is not None
        )
        if own and fits:
            found[layer] = own
            taken.update(own)
    return found, [weight for weight in stored if weight not in taken]


def _belongs(weight: StoredWeight, name: str) -> bool:
    """True if the layer's name, which has slashes in it, is a part of the stored path."""
    folders = "/".join(weight.path.split("/")[:-1])
    return f"/{name}/" in f"/{folders}/"


def _by_order(
    layers: Sequence[Layer], stored: Sequence[StoredWeight], placing: Placing
) -> dict[Layer, list[StoredWeight]] | None:
    """All trainable weights in order and then the others; None where their numbers differ."""
    for form in range(2):
        slots = [(layer, label) for layer in layers for label in placing.form(layer, form)]
        trained = [slot for slot in slots if slot[1].rsplit("/", 1)[-1] not in NOT_TRAINED]
        others = [slot for slot in slots if slot[1].rsplit("/", 1)[-1] in NOT_TRAINED]
        if len(slots) == len(stored):
            result: dict[Layer, list[StoredWeight]] = {}
            for (layer, _), weight in zip(trained + others, stored, strict=True):
                result.setdefault(layer, []).append(weight)
            return result
    return None
