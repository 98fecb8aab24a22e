"""An architecture from one file for the weights of another: to_json(), a .keras or a .h5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.read.keras.container import read_keras
from netsheet.read.keras.graph import GraphConfig
from netsheet.read.keras.stored import KerasFile, StoredLayer
from netsheet.read.limits import MAX_JSON, parse_json


@dataclass(frozen=True)
class Architecture:
    """A model's configuration, and the version of Keras that wrote it."""

    config: Mapping[str, Any]
    version: str
    path: Path


@dataclass(frozen=True, eq=False)
class KerasOriginal:
    """A network of two files, kept so that Keras itself can join them: ``weights`` are the other.

    ``layout`` is how these are stored: ``legacy`` or ``v3``.
    """

    architecture: Architecture
    weights: Path
    layout: str


def read_architecture(path: str | Path) -> Architecture:
    """The architecture in a JSON text, or in a whole Keras file.

    Raises:
        UsageError: there is no such file.
        FormatError: it holds no architecture.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(MAX_JSON + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        stored = read_keras(path)
        if stored.config is None:
            raise FormatError(f"{path} holds weights only, no architecture.")
        return Architecture(stored.config, stored.keras_version, path)
    try:
        config = parse_json(head, "the architecture")
    except NetsheetError as error:
        raise FormatError(f"{path}: {error}") from None
    if not isinstance(config.get("config"), (dict, list)):
        raise FormatError(f"{path}: this JSON is no architecture: model.to_json() writes one.")
    newest = "3" if "module" in config or "registered_name" in config else "2"
    return Architecture(config, str(config.get("keras_version", newest)), path)


def joined(file: KerasFile, architecture: Architecture) -> KerasFile:
    """The weights of a file with an architecture; UsageError where it has one of its own."""
    if file.config is not None:
        raise UsageError(
            f"{file.path} has an architecture of its own: leave out --architecture, or give a file "
            "of weights."
        )
    note = f"The architecture is that of {architecture.path.name}."
    return replace(file, config=architecture.config, notes=[*file.notes, note])


def in_order(file: KerasFile, graph: GraphConfig) -> KerasFile:
    """Stored layers under the names of the architecture's, where those differ.

    Keras joins them in order, whatever they are called (hdf5_format.load_weights_from_hdf5_group).
    """
    names = [layer.name for layer in graph.layers]
    weighted = [layer for layer in file.layers if layer.weights]
    if file.layout != "legacy" or {layer.name for layer in weighted} <= set(names):
        return file
    may = [
        layer.name
        for layer in graph.layers
        if layer.graph is not None or _may_have_weights(layer.class_name)
    ]
    if len(may) != len(weighted):
        return file
    renamed = [StoredLayer(name, layer.weights) for name, layer in zip(may, weighted, strict=True)]
    note = "Its layers have other names than those of the weights: they were joined in order."
    return replace(file, layers=renamed, notes=[*file.notes, note])


_WEIGHTLESS = ("Input", "Dropout", "Activation", "Flatten", "Pool", "Padding", "Reshape", "Permute",
               "Cropping", "UpSampling", "Concatenate", "Add", "Multiply", "Subtract", "Average",
               "Maximum", "Minimum", "Dot", "Noise", "Rescaling", "Masking", "RepeatVector",
               "Softmax", "LeakyReLU", "ELU", "ThresholdedReLU", "Identity", "OpLambda", "Lambda",
               "Random", "Resizing", "CenterCrop", "Regularization")  # fmt: skip


def _may_have_weights(class_name: str) -> bool:
    known = any(word in class_name for word in _WEIGHTLESS)
    return not known and class_name != "ReLU"
