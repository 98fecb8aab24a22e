"""Keras's own files from a description and weights; Keras 3 and Keras 2 load them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netsheet.engine.architectures import Described
from netsheet.files import atomic
from netsheet.read.keras.stored import METADATA
from netsheet.read.taught import TAUGHT

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same network makes the same file


def write_keras_file(
    target: str | Path, described: Described, taught: Mapping[str, Any] | None = None
) -> None:
    """Write a Sequential network, as ``.keras`` or, by any other name, as HDF5.

    Args:
        described: its ``training_config`` as an HDF5 file has it (``loss``, ``metrics``,
            ``optimizer_config``), empty for none; layers without weights may be left out.
        taught: what to keep of the data that it was trained with; Keras passes it by.
    """
    write = write_archive if Path(target).suffix.lower() == ".keras" else write_h5
    write(target, described, taught)


def write_h5(
    target: str | Path, described: Described, taught: Mapping[str, Any] | None = None
) -> None:
    """The layout of keras/src/legacy/saving/legacy_h5_format.py."""
    import h5py

    layers = [entry["config"]["name"] for entry in _with_weights(described.model_config)]
    with atomic(target) as path, h5py.File(path, "w") as file:
        file.attrs["keras_version"] = described.keras_version
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(described.model_config)
        if described.training_config:
            file.attrs["training_config"] = json.dumps(described.training_config)
        if taught:
            file.attrs[TAUGHT] = json.dumps(taught)
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = np.array([name.encode() for name in layers])
        root.attrs["backend"] = b"tensorflow"
        root.attrs["keras_version"] = described.keras_version.encode()
        for layer in layers:
            group = root.create_group(layer)
            own = described.weights.get(layer, {})
            names = [f"{layer}/{label}" for label in own]
            group.attrs["weight_names"] = np.array([name.encode() for name in names], dtype="S")
            for name, values in zip(names, own.values(), strict=True):
                group.create_dataset(name, data=np.asarray(values, np.float32))


def write_archive(
    target: str | Path, described: Described, taught: Mapping[str, Any] | None = None
) -> None:
    """The layout of keras/src/saving/saving_lib.py."""
    model_config = described.model_config
    layers = [{"module": "keras.layers", "registered_name": None, **entry}
              for entry in model_config["config"]["layers"]]  # fmt: skip
    config = {
        "module": "keras", "class_name": model_config["class_name"],
        "config": {**model_config["config"], "layers": layers}, "registered_name": None,
        "build_config": {"input_shape": model_config["config"]["build_input_shape"]},
    }  # fmt: skip
    if described.training_config:
        config["compile_config"] = _compile_config(described.training_config)
    about: dict[str, Any] = {
        "keras_version": described.keras_version, "date_saved": "1980-01-01@00:00:00",
    }  # fmt: skip
    parts = {
        METADATA: json.dumps({**about, **({TAUGHT: taught} if taught else {})}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": _stored_weights(described),
    }
    with atomic(target) as path, zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, LONG_AGO), content)


def _with_weights(model_config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The layers that may have weights."""
    layers = model_config["config"]["layers"]
    return [entry for entry in layers if entry["class_name"] != "InputLayer"]


def _compile_config(training: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: training.get(key) for key in ("loss", "loss_weights", "metrics")}
    optimizer = dict(training["optimizer_config"], module="keras.optimizers", registered_name=None)
    return {"optimizer": optimizer, **kept}


def _stored_weights(described: Described) -> bytes:
    """``layers/conv2d_1/vars/0``: groups are named by the class, counted from the second one."""
    import h5py

    content, used = io.BytesIO(), dict[str, int]()
    with h5py.File(content, "w") as file:
        file.create_group("vars")
        for entry in _with_weights(described.model_config):
            name = snake_case(entry["class_name"])
            number = used[name] = used.get(name, -1) + 1
            group = file.create_group(f"layers/{name}_{number}/vars" if number
                                      else f"layers/{name}/vars")  # fmt: skip
            for place, values in enumerate(
                described.weights.get(entry["config"]["name"], {}).values()
            ):
                group.create_dataset(str(place), data=np.asarray(values, np.float32))
    return content.getvalue()


def snake_case(name: str) -> str:
    """``MaxPooling2D`` as ``max_pooling2d`` (keras/src/utils/naming.py)."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
