"""Wrappers that only wrap: their layer stands in their place, under their name.

Source: tensorflow_model_optimization/python/core/sparsity/keras/pruning_wrapper.py and
quantization/keras/quantize_annotate.py. Beside the weights of a layer that is pruned lie, for each
pruned one, a mask of 0 and 1 and a threshold, and how many steps have been done. What computes is
the weights times their masks; in a file that was saved after a training they are so already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from netsheet.read.keras.stored import StoredLayer, StoredWeight

WRAPPERS = frozenset({"PruneLowMagnitude", "QuantizeAnnotate"})
_STEP = "pruning_step"  # every layer that is pruned has one
_BESIDE = re.compile(rf"(mask|threshold|{_STEP})(_\d+)?(:\d+)?")


def unwrapped(entry: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """A layer's entry in a configuration without such wrappers, and the outermost one's class."""
    outermost = ""
    for _ in WRAPPERS:
        kind, config = str(entry.get("class_name")).rsplit(">", 1)[-1], entry.get("config")
        inner = config.get("layer") if isinstance(config, Mapping) else None
        if kind not in WRAPPERS or not isinstance(inner, Mapping):
            break
        assert isinstance(config, Mapping)
        outermost = outermost or kind
        own = inner.get("config")
        if isinstance(own, Mapping) and "batch_input_shape" in config:
            own = {"batch_input_shape": config["batch_input_shape"], **own}
        name = entry.get("name") or config.get("name")
        entry = {**inner, "config": own, "name": name} | {
            key: entry[key] for key in ("inbound_nodes", "build_config") if key in entry
        }
    return entry, outermost


def without_masks(layer: StoredLayer) -> StoredLayer:
    """The stored weights times their masks, without what lies beside them; of the HDF5 layout."""
    weights = list(layer.weights)
    for folder in {_folder(w) for w in weights if _name(w).startswith(_STEP)}:
        beside = [w for w in weights if _folder(w) == folder and _BESIDE.fullmatch(_name(w))]
        weights = [w for w in weights if w not in beside]
        masks = [w for w in beside if _name(w).startswith("mask")]
        inside = [w for w in weights if _folder(w) == folder] or weights
        made = dict(zip(inside, masked(inside, masks), strict=True))
        weights = [made.get(w, w) for w in weights]
    return replace(layer, weights=weights)


def masked(weights: Sequence[StoredWeight], beside: Sequence[StoredWeight]) -> list[StoredWeight]:
    """Each weight times the first mask of its shape that no weight before it has."""
    masks = [w.values for w in beside if w.values.ndim and np.isin(w.values, (0, 1)).all()]
    result = []
    for weight in weights:
        number = next((n for n, m in enumerate(masks) if m.shape == weight.values.shape), None)
        if number is not None:
            mask = masks.pop(number)
            if np.any(weight.values[mask == 0]):
                weight = replace(weight, values=weight.values * mask)
        result.append(weight)
    return result


def _name(weight: StoredWeight) -> str:
    return weight.path.rsplit("/", 1)[-1]


def _folder(weight: StoredWeight) -> str:
    return weight.path.rpartition("/")[0]
