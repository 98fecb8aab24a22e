"""Files of one layer each: every layer of the corpus alone, written anew by the Keras installed."""

from __future__ import annotations

import importlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import netsheet
from corpus.reading import Entry, own
from netsheet.errors import NetsheetError
from netsheet.verify.engines.keras import silence

Array = np.ndarray[Any, Any]
LIBRARIES = {2: "tf_keras", 3: "keras"}
SUFFIXES = {2: "h5", 3: "keras"}


@dataclass(frozen=True)
class Found:
    """A layer as a file of the corpus describes it, with the shapes of what it is called with."""

    major: int
    kind: str
    description: str  # JSON: class_name, config and what else the file says
    shapes: tuple[tuple[int | None, ...], ...]

    def model(self) -> Any:
        """Keras's model of this layer alone, with random weights."""
        keras = library(self.major)
        inputs = [keras.Input(shape) for shape in self.shapes]
        described = json.loads(self.description)
        described.pop("build_config", None)
        made = keras.layers.deserialize(described)
        return keras.Model(inputs, _called(made, inputs))

    def file(self, rng: np.random.Generator) -> bytes:
        """A file of that model."""
        with silence(), tempfile.TemporaryDirectory() as folder:
            model = self.model()
            model.set_weights([_drawn(array, rng) for array in model.get_weights()])
            path = Path(folder) / f"one.{SUFFIXES[self.major]}"
            model.save(path)
            return path.read_bytes()


def library(major: int) -> Any:
    """Keras 3, or what stands for Keras 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return importlib.import_module(LIBRARIES[major])


def _called(layer: Any, inputs: list[Any]) -> Any:
    if len(inputs) == 1:
        return layer(inputs[0])
    try:
        return layer(inputs)
    except Exception:  # a layer that takes its inputs one by one
        return layer(*inputs)


def _drawn(array: Array, rng: np.random.Generator) -> Array:
    """Numbers that suit any weight: a variance has to be positive."""
    if array.dtype.kind != "f":
        return array
    return rng.uniform(0.2, 0.9, array.shape).astype(array.dtype)


@cache
def layers(folder: Path) -> tuple[Found, ...]:
    """Every layer of the corpus, each once for the same arguments; ``folder`` takes the files."""
    found: dict[tuple[Any, ...], Found] = {}
    for entry in own():
        if entry.precision != "float32" or entry.file.endswith(".keras") == entry.file.startswith(
            "k2"
        ):
            continue
        for one in _of(entry, folder):
            settings = json.loads(one.description)["config"]
            settings = {k: v for k, v in settings.items() if k not in ("name", "build_config")}
            key = one.major, one.kind, json.dumps(settings, sort_keys=True), one.shapes
            found.setdefault(key, one)
    return tuple(found.values())


def _of(entry: Entry, folder: Path) -> Iterator[Found]:
    path = entry.path(folder)
    try:
        model = netsheet.load(path)
    except NetsheetError:
        return
    described = {part["config"]["name"]: part for part in described_layers(configuration(path))}
    for node in model.nodes:
        part = described.get(node.layer.name)
        if part is None or node.refusal or "layers" in part["config"]:
            continue
        if ".ops" in str(part.get("module", "")) or part["class_name"].endswith("OpLambda"):
            continue
        shapes = tuple(tensor.shape for tensor in node.inputs)
        yield Found(int(entry.keras[0]), part["class_name"], json.dumps(part), shapes)


def configuration(path: Path) -> dict[str, Any]:
    """The configuration that a file holds."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return dict(json.loads(archive.read("config.json")))
    with h5py.File(path) as file:
        return dict(json.loads(file.attrs["model_config"]))


def described_layers(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The descriptions of a model's layers, without its inputs."""
    parts = config["config"]
    every = parts["layers"] if isinstance(parts, Mapping) else parts
    return [
        part
        for part in every
        if part["class_name"] not in ("InputLayer", "Lambda") and "name" in part["config"]
    ]


@dataclass
class Document:
    """A file taken apart: its configuration and its HDF5 file, both to be changed."""

    config: dict[str, Any]
    hdf5: bytes
    rest: dict[str, bytes]  # the other parts of a .keras file

    @classmethod
    def of(cls, data: bytes) -> Document:
        """The parts of a .keras or .h5 file."""
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                parts = {name: archive.read(name) for name in archive.namelist()}
            config = json.loads(parts.pop("config.json"))
            return cls(config, parts.pop("model.weights.h5"), parts)
        with h5py.File(io.BytesIO(data)) as file:
            return cls(json.loads(file.attrs["model_config"]), data, {})

    def bytes(self) -> bytes:
        """The file again."""
        target = io.BytesIO()
        text = json.dumps(self.config)
        if self.rest:
            with zipfile.ZipFile(target, "w") as archive:
                for name, part in self.rest.items():
                    archive.writestr(name, part)
                archive.writestr("config.json", text)
                archive.writestr("model.weights.h5", self.hdf5)
            return target.getvalue()
        target.write(self.hdf5)
        with h5py.File(target, "r+") as file:
            file.attrs["model_config"] = text
        return target.getvalue()
