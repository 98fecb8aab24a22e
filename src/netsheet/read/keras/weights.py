"""Which stored array is which weight of which layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from netsheet.equations import Weight
from netsheet.errors import FormatError
from netsheet.layers.base import Layer, default_axes
from netsheet.layers.opaque import Opaque
from netsheet.read.keras.graph import OPERATIONS, GraphConfig, LayerConfig
from netsheet.read.keras.old_configs import modern_weights, settle
from netsheet.read.keras.stored import KerasFile, StoredLayer, StoredWeight

# Inner parts of a layer in the order of get_weights(); HDF5 lists them by the alphabet.
_PARTS = (
    "forward_layer", "backward_layer",
    "query_dense", "key_dense", "gate_dense", "value_dense", "output_dense",
)  # fmt: skip


_TWICE = "_layer_checkpoint_dependencies"

# Where a wrapper's layer lies: of Bidirectional there are two.
_WRAPPED = {
    "layer": ("layer", "forward_layer", "backward_layer"),
    "backward_layer": ("backward_layer",),
    "cell": ("cell",),
}

# Classes whose name in Keras's code, and so in folders, is not the public one.
_OWN_FOLDERS = {"group_query_attention": "grouped_query_attention"}


def give_weights(layer: Layer, stored: Sequence[StoredWeight], paths: dict[str, str]) -> None:
    """Puts stored arrays into ``layer.weights``: by name where names say it, else in order."""
    if isinstance(layer, Opaque):
        labels = _unique(_short(weight.path) for weight in stored)
        for label, weight in zip(labels, stored, strict=True):
            _give(layer, label, (), weight, paths)
        return
    settle(layer, stored)
    if layer.type == "SpectralNormalization":
        from netsheet.layers.wrappers import SpectralNormalization

        if isinstance(layer, SpectralNormalization):
            names = [_short(weight.path) for weight in stored]
            layer.vector = next((n for n in names if n in ("vector_u", "sn_u")), layer.vector)
    wanted = layer.weight_axes()
    if not stored:
        return  # a layer that was never built; the caller sees that it has none
    if len(stored) != len(wanted):
        raise FormatError(
            f"layer {layer.name!r} ({layer.type}) has {len(wanted)} weights "
            f"({', '.join(wanted) or 'none'}), but the file stores {len(stored)} for it"
        )
    for label, weight in _paired(list(wanted), stored):
        _give(layer, label, wanted[label], weight, paths)


def _paired(
    labels: Sequence[str], stored: Sequence[StoredWeight]
) -> list[tuple[str, StoredWeight]]:
    by_name = {_short(weight.path): weight for weight in stored if weight.path}
    if len(by_name) == len(stored) and set(by_name) == set(labels):
        return [(label, by_name[label]) for label in labels]
    by_path = {label: [w for w in stored if _named(w, label)] for label in labels if "/" in label}
    if len(by_path) == len(stored) and all(len(found) == 1 for found in by_path.values()):
        return [(label, by_path[label][0]) for label in labels]
    return list(zip(labels, stored, strict=True))


def _named(weight: StoredWeight, label: str) -> bool:
    """True for ``dense/kernel`` and a path that ends in it."""
    return f"/{re.sub(r':[0-9]+$', '', weight.path)}".endswith(f"/{label}")


def _give(
    layer: Layer, label: str, axes: tuple[str, ...], stored: StoredWeight, paths: dict[str, str]
) -> None:
    values = stored.values
    axes = axes or default_axes(values.ndim)
    if len(axes) != values.ndim:
        raise FormatError(
            f"layer {layer.name!r}: {label} is stored with the shape {values.shape}, "
            f"but has the axes {axes}"
        )
    name = f"{layer.name}/{label}"
    layer.weights[label] = Weight(name, axes, values.shape, label=label, values=values)
    if stored.path:
        paths[name] = stored.path


def _short(path: str) -> str:
    return re.sub(r":\d+$", "", path).rsplit("/", 1)[-1]


def _unique(labels: Iterable[str]) -> list[str]:
    counts: Counter[str] = Counter()
    result = []
    for label in labels:
        counts[label] += 1
        result.append(label if counts[label] == 1 else f"{label}_{counts[label]}")
    return result


# --------------------------------------------------------------------------- legacy layout


def assign_legacy(
    graph: GraphConfig, layers: Mapping[str, Layer], file: KerasFile, paths: dict[str, str]
) -> None:
    """Weights of the HDF5 layout, where each top-level layer has a flat list of its own.

    A nested model's list is all of its trainable weights and then the others, a frozen layer's
    among these: names decide, and order where they do not.
    """
    stored = {layer.name: layer.weights for layer in file.layers}
    unknown = set(stored) - {config.name for config in graph.layers}
    if any(stored[name] for name in unknown):
        raise FormatError(
            f"the file stores weights for {sorted(unknown)[0]!r}, which is no layer of the model"
        )
    for config in graph.layers:
        weights = list(stored.get(config.name, []))
        if config.graph is None:
            if config.name in layers:
                layer = layers[config.name]
                give_weights(layer, modern_weights(layer, weights, file), paths)
        else:
            inner = [(names, layers["/".join(names)]) for names in _inside(config)]
            _assign_nested(config.name, inner, weights, paths)


def _inside(config: LayerConfig, scope: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The name paths of all layers in a nested model that may have weights."""
    scope = (*scope, config.name)
    if config.graph is None:
        return [] if config.class_name == "InputLayer" or config.is_op else [scope]
    return [path for layer in config.graph.layers for path in _inside(layer, scope)]


def _assign_nested(
    name: str,
    inner: Sequence[tuple[tuple[str, ...], Layer]],
    stored: list[StoredWeight],
    paths: dict[str, str],
) -> None:
    if not stored:
        return
    rest = list(stored)
    found: dict[Layer, list[StoredWeight]] = {}
    # Longer names first: 'dense' must not take what belongs to 'block/dense'.
    for names, layer in sorted(inner, key=lambda pair: -len(pair[0])):
        own = [weight for weight in rest if _belongs(weight, names)]
        if len(own) == len(layer.weight_axes()) and not isinstance(layer, Opaque):
            found[layer] = own
            rest = [weight for weight in rest if weight not in own]
    missing = [layer for _, layer in inner if layer not in found and layer.weight_axes()]
    if rest or missing:
        found = _by_order(name, [layer for _, layer in inner], stored)
    for _, layer in inner:
        give_weights(layer, found.get(layer, []), paths)


def _belongs(weight: StoredWeight, names: tuple[str, ...]) -> bool:
    """True if the layer's name is a folder of the stored path."""
    folders = "/".join(weight.path.split("/")[:-1])
    return f"/{names[-1]}/" in f"/{folders}/"


_NOT_TRAINED = ("moving_mean", "moving_variance", "mean", "variance", "count")


def _by_order(
    name: str, layers: Sequence[Layer], stored: Sequence[StoredWeight]
) -> dict[Layer, list[StoredWeight]]:
    slots = [(layer, label) for layer in layers for label in layer.weight_axes()]
    trained = [slot for slot in slots if slot[1] not in _NOT_TRAINED]
    order = trained + [slot for slot in slots if slot[1] in _NOT_TRAINED]
    if len(order) != len(stored):
        raise FormatError(
            f"the nested model {name!r} has {len(order)} weights, "
            f"but the file stores {len(stored)} for it"
        )
    result: dict[Layer, list[StoredWeight]] = {}
    for (layer, _), weight in zip(order, stored, strict=True):
        result.setdefault(layer, []).append(weight)
    return result


# --------------------------------------------------------------------------- Keras 3 layout


def assign_v3(
    graph: GraphConfig, layers: Mapping[str, Layer], file: KerasFile, paths: dict[str, str]
) -> None:
    """Weights of ``.keras`` files: ``layers/<class in snake case>[_<n>]/.../vars/<i>``."""
    stored = {layer.name: layer for layer in file.layers}
    used: set[str] = set()
    _assign_folder(graph, layers, "", "", stored, used, paths)
    left = sorted(name for name in set(stored) - used if stored[name].weights)
    left = [name for name in left if not _ignored(name)]
    if left:
        raise FormatError(f"the file stores weights under {left[0]!r}, which no layer accounts for")


def _assign_folder(
    graph: GraphConfig,
    layers: Mapping[str, Layer],
    scope: str,
    folder: str,
    stored: Mapping[str, StoredLayer],
    used: set[str],
    paths: dict[str, str],
) -> None:
    counts: Counter[str] = Counter()
    container = next(
        (c for c in ("layers", _TWICE) if _holds(stored, folder + c)),
        "layers",
    )
    for config in graph.layers:
        if config.is_op:
            continue
        kind = to_snake_case(config.class_name.rsplit(">", 1)[-1])
        kind = _OWN_FOLDERS.get(kind, kind)
        place = _next(counts, kind, f"{folder}{container}", stored)
        if config.graph is not None:
            inner = f"{scope}{config.name}/"
            _assign_folder(config.graph, layers, inner, place + "/", stored, used, paths)
        elif scope + config.name in layers:
            below = _below(stored, place, list(_folders(config.config, place, stored)))
            used.update(below)
            weights = [weight for name in below for weight in stored[name].weights]
            layer = layers[scope + config.name]
            if layer.type == "SpectralNormalization":
                # its kernel is stored twice: in the wrapper, and in the layer that it wraps
                own = [w for name in below if name != place for w in stored[name].weights]
                weights = [*(stored[place].weights[-1:] if place in stored else ()), *own]
            give_weights(layer, weights, paths)


def _holds(stored: Mapping[str, StoredLayer], folder: str) -> bool:
    return any(name.startswith(folder + "/") for name in stored)


def _next(counts: Counter[str], kind: str, folder: str, stored: Iterable[str]) -> str:
    """Where the next layer of a class lies, whose layers are numbered."""
    number = counts[kind]
    place = f"{folder}/{kind}" + (f"_{number}" if number else "")
    # Keras 2.12 and 2.13 come to a layer that has weights twice, and count it twice.
    again = folder.endswith(_TWICE) and any(f"{name}/".startswith(f"{place}/") for name in stored)
    counts[kind] += 2 if again else 1
    return place


def _folders(config: Any, place: str, stored: Iterable[str]) -> Iterator[str]:
    """The folders of the layers in a wrapper that hold something, in its configuration's order."""
    stored = [name for name in stored if f"{name}/".startswith(f"{place}/")]
    if not isinstance(config, Mapping) or not stored:
        return
    inside: list[tuple[str, Any]] = []
    for key, folders in _WRAPPED.items():
        if isinstance(config.get(key), Mapping):
            inside += [(f"{place}/{folder}", config[key]) for folder in folders]
    older = any(name.startswith(f"{place}/{_TWICE}/") for name in stored)
    for key, container in (("layers", _TWICE if older else "layers"), ("cells", "cells")):
        counts: Counter[str] = Counter()
        entries = config.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, Mapping) or str(entry.get("module")).startswith(OPERATIONS):
                continue
            kind = to_snake_case(str(entry.get("class_name")).rsplit(">", 1)[-1])
            inside.append((_next(counts, kind, f"{place}/{container}", stored), entry))
    for folder, entry in inside:
        yield folder
        yield from _folders(entry.get("config"), folder, stored)


def _below(stored: Mapping[str, StoredLayer], place: str, folders: Sequence[str] = ()) -> list[str]:
    """The stored names of a layer and its parts, in the order of get_weights()."""
    names = [name for name in stored if name == place or name.startswith(place + "/")]
    names = [name for name in names if not _ignored(name)]

    def rank(name: str) -> list[int]:
        inside = [n for n, folder in enumerate(folders) if f"{name}/".startswith(f"{folder}/")]
        parts = [part.removeprefix("_") for part in name.split("/")]
        known = [_PARTS.index(part) if part in _PARTS else len(_PARTS) for part in parts]
        return [inside[-1] if inside else len(folders), *known]

    return sorted(names, key=rank)


def _ignored(name: str) -> bool:
    """State that is no weight: random seeds, optimizer, metrics."""
    parts = name.split("/")
    return "seed_generator" in parts[-1] or parts[0] in ("optimizer", "metrics", "vars")


def to_snake_case(name: str) -> str:
    """Keras's own rule: ReLU -> re_lu, Conv2DTranspose -> conv2d_transpose."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
