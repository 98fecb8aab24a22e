"""Weights of .keras files and .weights.h5: ``layers/<class in snake case>[_<n>]/.../vars/<i>``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.opaque import Opaque
from netsheet.read.keras.graph import OPERATIONS, GraphConfig, LayerConfig
from netsheet.read.keras.seen_through import masked
from netsheet.read.keras.stored import KerasFile, StoredLayer, StoredWeight
from netsheet.read.keras.weights import Placing

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


def assign_v3(
    graph: GraphConfig, layers: Mapping[str, Layer], file: KerasFile, placing: Placing
) -> list[Layer]:
    """Gives each layer its weights; returns what belongs to no layer, as layers to be shown."""
    folders = _Folders({layer.name: layer for layer in file.layers}, layers, placing, file.assets)
    folders.assign(graph, "", "")
    left = [layer for layer in file.layers if layer.name not in folders.used and layer.weights]
    result: list[Layer] = []
    for stored in left:
        if not _ignored(stored.name):
            reason = "the file stores these weights, but no layer of the model accounts for them"
            layer = Opaque(name=stored.name, type_name="?", reason=reason)
            placing.give(layer, stored.weights)
            result.append(layer)
    return result


class _Folders:
    """The stored folders, and the layers that they belong to."""

    def __init__(
        self,
        stored: Mapping[str, StoredLayer],
        layers: Mapping[str, Layer],
        placing: Placing,
        assets: Mapping[str, str],
    ) -> None:
        self.stored, self.layers, self.placing = stored, layers, placing
        self.used: set[str] = set()
        self._texts: dict[str, list[tuple[str, str]]] = {}
        for path, text in assets.items():
            folder, _, name = path.rpartition("/")
            self._texts.setdefault(folder, []).append((name, text))
        self._below: dict[str, list[str]] = {}
        for name in stored:
            parts = name.split("/")
            for count in range(1, len(parts) + 1):
                self._below.setdefault("/".join(parts[:count]), []).append(name)

    def below(self, folder: str) -> list[str]:
        """The stored names of a folder and of what lies in it."""
        return self._below.get(folder, [])

    def assign(self, graph: GraphConfig, scope: str, folder: str) -> None:
        """Gives the layers of a graph their weights; its folders lie in ``folder``."""
        counts: Counter[str] = Counter()
        containers = ("layers", _TWICE)
        container = next((c for c in containers if self.below(folder + c)), "layers")
        for config in graph.layers:
            if config.is_op:
                continue
            kind = to_snake_case((config.wrapper or config.class_name).rsplit(">", 1)[-1])
            kind = _OWN_FOLDERS.get(kind, kind)
            place = self._next(counts, kind, f"{folder}{container}")
            beside: list[StoredWeight] = []
            if config.wrapper:
                self.used.add(place)
                beside = self.stored[place].weights if place in self.stored else []
                place += "/layer"
            if config.graph is not None:
                self.assign(config.graph, f"{scope}{config.name}/", place + "/")
            elif scope + config.name in self.layers:
                self._give(self.layers[scope + config.name], config, place, beside)

    def _give(
        self, layer: Layer, config: LayerConfig, place: str, beside: Sequence[StoredWeight]
    ) -> None:
        names = self._ordered(place, list(self._inside(config.config, place)))
        self.used.update(names)
        weights: list[StoredWeight] = []
        twice: list[StoredWeight] = []
        for name in names:
            own = self.stored[name].weights
            if name == place and layer.own_arrays is not None:
                count = len(own) - layer.own_arrays
                twice, weights = own[:count], own[count:] + weights
            else:
                weights += own
        shapes = [weight.values.shape for weight in weights]
        if any(weight.values.shape not in shapes for weight in twice):
            layer.reason = "an array is stored twice, with two shapes"
        self.placing.give(layer, masked(weights, beside) if beside else weights)
        for name, text in self._texts.get(place, ()):
            try:
                layer.read_asset(name, text)
            except UnsupportedError as error:
                layer.reason = str(error)

    def _next(self, counts: Counter[str], kind: str, folder: str) -> str:
        """Where the next layer of a class lies, whose layers are numbered."""
        number = counts[kind]
        place = f"{folder}/{kind}" + (f"_{number}" if number else "")
        # Keras 2.12 and 2.13 come to a layer that has weights twice, and count it twice.
        again = folder.endswith(_TWICE) and bool(self.below(place))
        counts[kind] += 2 if again else 1
        return place

    def _inside(self, config: Any, place: str) -> Iterator[str]:
        """The folders of a wrapper's layers that hold something, in its configuration's order."""
        if not isinstance(config, Mapping) or not self.below(place):
            return
        inside: list[tuple[str, Any]] = []
        for key, folders in _WRAPPED.items():
            if isinstance(config.get(key), Mapping):
                inside += [(f"{place}/{folder}", config[key]) for folder in folders]
        older = bool(self.below(f"{place}/{_TWICE}"))
        for key, container in (("layers", _TWICE if older else "layers"), ("cells", "cells")):
            counts: Counter[str] = Counter()
            entries = config.get(key)
            for entry in entries if isinstance(entries, list) else ():
                if not isinstance(entry, Mapping):
                    continue
                if str(entry.get("module")).startswith(OPERATIONS):
                    continue
                kind = to_snake_case(str(entry.get("class_name")).rsplit(">", 1)[-1])
                inside.append((self._next(counts, kind, f"{place}/{container}"), entry))
        for folder, entry in inside:
            yield folder
            yield from self._inside(entry.get("config"), folder)

    def _ordered(self, place: str, folders: Sequence[str]) -> list[str]:
        """The stored names of a layer and its parts, in the order of get_weights()."""
        number = {folder: n for n, folder in enumerate(folders)}

        def rank(name: str) -> list[int]:
            parts = name.split("/")
            above = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
            inside = max((number[f] for f in above if f in number), default=len(folders))
            plain = [part.removeprefix("_") for part in parts]
            known = [_PARTS.index(part) if part in _PARTS else len(_PARTS) for part in plain]
            return [inside, *known]

        return sorted((n for n in self.below(place) if not _ignored(n)), key=rank)


def _ignored(name: str) -> bool:
    """State that is no weight: random seeds, optimizer, metrics."""
    parts = name.split("/")
    return "seed_generator" in parts[-1] or parts[0] in ("optimizer", "metrics", "vars")


def to_snake_case(name: str) -> str:
    """Keras's own rule: ReLU -> re_lu, Conv2DTranspose -> conv2d_transpose."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
