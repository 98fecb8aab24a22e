"""Sound models of one Dense layer, which the attacks change."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def layer(class_name: str, name: str, **arguments: Any) -> dict[str, Any]:
    """A layer's configuration in the words of Keras 2."""
    return {"class_name": class_name, "config": {"name": name, **arguments}}


def dense(name: str = "d", units: int = 2) -> dict[str, Any]:
    return layer("Dense", name, units=units, activation="linear", use_bias=True)


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    """A Sequential model of three inputs."""
    source = layer("InputLayer", "in", batch_input_shape=[None, 3], dtype="float32")
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [source, *layers]}}


KERNEL = np.arange(6, dtype="f4").reshape(3, 2)
BIAS = np.ones(2, "f4")


@contextmanager
def h5(
    path: Path, config: Any = None, weights: tuple[str, ...] = ("kernel", "bias")
) -> Iterator[Any]:
    """A legacy file of one Dense layer 'd', without its arrays: yields the layer's group."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        text = config if isinstance(config, str) else json.dumps(config or sequential(dense()))
        file.attrs["model_config"] = text
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([b"d"])
        own = group.create_group("d")
        own.attrs["weight_names"] = np.array([name.encode() for name in weights])
        yield own


def whole_h5(path: Path, config: Any = None) -> None:
    with h5(path, config) as group:
        group["kernel"], group["bias"] = KERNEL, BIAS


def v3_weights(change: Callable[[Any], None] | None = None) -> bytes:
    """model.weights.h5 of one Dense layer."""
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        group = file.create_group("layers/dense/vars")
        group["0"], group["1"] = KERNEL, BIAS
        if change is not None:
            change(file)
    return data.getvalue()


def zipped(
    path: Path,
    config: Any = None,
    weights: bytes | None = None,
    members: tuple[tuple[str, bytes], ...] = (),
    method: int = zipfile.ZIP_STORED,
) -> None:
    """A .keras file of one Dense layer, and other members."""
    text = config if isinstance(config, str) else json.dumps(keras3(config or sequential(dense())))
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.8.0"}))
        archive.writestr("config.json", text)
        archive.writestr("model.weights.h5", v3_weights() if weights is None else weights)
        for name, data in members:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name  # past the constructor, which tidies names
            archive.writestr(info, data, method)


def no_arrays() -> bytes:
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.create_group("layers")
    return held.getvalue()


def functional(*layers: dict[str, Any], output: str) -> dict[str, Any]:
    source = layer("InputLayer", "in", batch_input_shape=[None, 3], dtype="float32")
    source |= {"name": "in", "inbound_nodes": []}
    config = {
        "name": "m",
        "layers": [source, *layers],
        "input_layers": [["in", 0, 0]],
        "output_layers": [[output, 0, 0]],
    }
    return {"class_name": "Functional", "config": config}


def after(made: dict[str, Any], *names: str) -> dict[str, Any]:
    """The layer with the layers that it is called on."""
    inbound = [[[name, 0, 0, {}] for name in names]]
    return {**made, "name": made["config"]["name"], "inbound_nodes": inbound}


def keras3(config: Any) -> Any:
    """A configuration in the words of Keras 3: modules, registered names, tensors in calls."""
    own = config.get("config")
    if not isinstance(own, dict):
        return config
    own = dict(own)
    if "batch_input_shape" in own:
        own["batch_shape"] = own.pop("batch_input_shape")
    own = {"trainable": True, "dtype": "float32", **own}
    if isinstance(own.get("layers"), list):
        own["layers"] = [keras3(each) if isinstance(each, dict) else each for each in own["layers"]]
    for key in ("layer", "cell"):
        if isinstance(own.get(key), dict):
            own[key] = keras3(own[key])
    if isinstance(own.get("cells"), list):
        own["cells"] = [keras3(each) for each in own["cells"]]
    made = {"module": "keras.layers", "registered_name": None, **config, "config": own}
    if config.get("inbound_nodes"):
        made["inbound_nodes"] = [_call(node) for node in config["inbound_nodes"]]
    return made


def _call(node: list[Any]) -> dict[str, Any]:
    tensors = [
        {
            "class_name": "__keras_tensor__",
            "config": {"shape": [None, 3], "dtype": "float32", "keras_history": entry[:3]},
        }
        for entry in node
    ]
    return {"args": tensors if len(tensors) == 1 else [tensors], "kwargs": {}}
