"""Keras's own HDF5 file from a description and weights; Keras 3 and tf_keras load it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netsheet.equations import FloatArray
from netsheet.files import atomic


def write_h5(
    target: str | Path,
    model_config: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, FloatArray]],
    *,
    training_config: Mapping[str, Any] | None = None,
    keras_version: str,
) -> None:
    """Write a Sequential network in the layout of keras/src/legacy/saving/legacy_h5_format.py.

    Args:
        weights: by layer, then by label, in Keras's order; layers without weights may be left out.
    """
    import h5py

    layers = [entry["config"]["name"] for entry in model_config["config"]["layers"]
              if entry["class_name"] != "InputLayer"]  # fmt: skip
    with atomic(target) as path, h5py.File(path, "w") as file:
        file.attrs["keras_version"] = keras_version
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(model_config)
        if training_config is not None:
            file.attrs["training_config"] = json.dumps(training_config)
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = np.array([name.encode() for name in layers])
        root.attrs["backend"] = b"tensorflow"
        root.attrs["keras_version"] = keras_version.encode()
        for layer in layers:
            group = root.create_group(layer)
            own = weights.get(layer, {})
            names = [f"{layer}/{label}" for label in own]
            group.attrs["weight_names"] = np.array([name.encode() for name in names], dtype="S")
            for name, values in zip(names, own.values(), strict=True):
                group.create_dataset(name, data=np.asarray(values, np.float32))
