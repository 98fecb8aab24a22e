"""Keras files of all versions, opened: HDF5 (legacy and Keras 3 weights) and .keras zips."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netsheet.errors import FormatError, NetsheetError
from netsheet.read.hdf5 import file as hdf5
from netsheet.read.keras import zip_archive as keras_zip
from netsheet.read.keras.stored import METADATA, KerasFile, StoredLayer, StoredWeight
from netsheet.read.limits import MAX_JSON, Budget, parse_json
from netsheet.read.sniff import sniff
from netsheet.read.taught import TAUGHT, read_taught

_ASSETS = "assets/"
# Vocabularies of strings, which may be long, are not read.
_NUMBERS = re.compile(r"assets/(.*/)?integer_lookup(_\d+)?/vocabulary\.txt")
_WEIGHTS = "model.weights.h5"
_SHARDS = "model.weights.json"
_PICKLED = "model.weights.npz"
_OPTIMIZER = ("optimizer_weights", "optimizer")
_MODEL_ITSELF = "top_level_model_weights"


def read_keras(path: str | Path) -> KerasFile:
    """The contents of a Keras file, nothing in it executed or followed out of it.

    Raises:
        FormatError: it is another kind of file, damaged, or made to do harm; the text names it.
        UnsupportedError: it is stored in a way that is not read.
    """
    path = Path(path)
    kind = sniff(path)
    if kind == "onnx":
        raise FormatError(f"{path} is an ONNX file, not a Keras file.")
    readers = {"keras": _zip, "zipped": _zipped, "folder": _folder}
    try:
        return readers.get(kind, _hdf5)(path)
    except NetsheetError as error:
        raise type(error)(f"{path}: {error}") from None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# --------------------------------------------------------------------------- HDF5


def _zipped(path: Path) -> KerasFile:
    """A zip with one HDF5 file, as Teachable Machine packs it with the classes' names."""
    with keras_zip.opened(path) as archive:
        found = [name for name in archive if name.endswith((".h5", ".hdf5"))]
        found = [name for name in found if not name.startswith("__MACOSX")]
        if len(found) != 1:
            raise FormatError(f"it holds {len(found)} HDF5 files: unpack it, and name one of them.")
        file = _hdf5(path, archive.stream(found[0]), archive.budget)
        labels = next((name for name in archive if name.split("/")[-1] == "labels.txt"), None)
        if labels is not None:
            names = "; ".join(archive.text(labels).split("\n")[:20]).strip("; ")
            file.notes.append(f"Its labels.txt names the classes: {names}.")
        return file


def _folder(path: Path) -> KerasFile:
    """An unpacked .keras file."""
    weights, config = path / _WEIGHTS, path / "config.json"
    if not weights.is_file():
        raise FormatError(f"it has no {_WEIGHTS}: the weights are missing")
    if weights.is_symlink() or config.is_symlink():
        raise FormatError("a file in it is a symbolic link, which is not followed")
    budget = Budget(weights.stat().st_size)
    parsed = parse_json(_text(config), "config.json")
    about = path / "metadata.json"
    metadata = parse_json(_text(about), "metadata.json") if about.is_file() else {}
    with hdf5.opened(weights) as root:
        layers = _v3_layers(root, budget)
    training = parsed.get("compile_config")
    return KerasFile(
        path=path,
        kind="keras",
        keras_version=str(metadata.get("keras_version", "3")),
        backend=None,
        config=parsed,
        training_config=training if isinstance(training, dict) else None,
        layers=layers,
        layout="v3",
        sha256=_digest(weights),
    )


def _text(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_JSON + 1)


def _hdf5(path: Path, content: Any = None, budget: Budget | None = None) -> KerasFile:
    """A whole model, or weights alone; ``content`` is the open file where it is not ``path``."""
    budget = budget or Budget(path.stat().st_size)
    notes: list[str] = []
    with hdf5.opened(path if content is None else content) as root:
        config = hdf5.attribute(root, "model_config")
        group = hdf5.group_at(root, "model_weights") or root
        listed = hdf5.names(group, "layer_names")
        if listed is None:
            layers = _v3_layers(root, budget)
            _check_v3(root, layers, config)
        else:
            layers = [_legacy_layer(group, name, budget) for name in listed]
            _note_own_weights(group, notes)
        return KerasFile(
            path=path,
            kind="weights" if config is None else "h5",
            keras_version=_either(group, root, "keras_version") or ("3" if listed is None else "1"),
            backend=_either(group, root, "backend"),
            config=None if config is None else _json(config, "model_config"),
            training_config=_training(hdf5.attribute(root, "training_config"), notes),
            layers=layers,
            layout="v3" if listed is None else "legacy",
            sha256=_digest(path),
            notes=notes,
            taught=read_taught(hdf5.attribute(root, TAUGHT), notes),
        )


def _legacy_layer(group: Any, name: str, budget: Budget) -> StoredLayer:
    """The weights that a layer's group lists, in that order: other objects in it are not read."""
    own = hdf5.group_at(group, name)
    if own is None:
        raise FormatError(f"the layer {name!r} is listed, but its group is missing")
    weights = []
    for weight in hdf5.names(own, "weight_names") or []:
        try:
            values = hdf5.array(hdf5.child(own, weight), budget)
        except KeyError:
            raise FormatError(f"the weight {weight!r} of layer {name!r} is missing") from None
        weights.append(StoredWeight(f"{own.name}/{weight}".lstrip("/"), values))
    return StoredLayer(name, weights)


def _note_own_weights(group: Any, notes: list[str]) -> None:
    """Weights that a subclassed model keeps itself, outside its layers."""
    own = hdf5.group_at(group, _MODEL_ITSELF)
    if own is not None and (names := hdf5.names(own, "weight_names")):
        notes.append(f"The model has {len(names)} weights outside its layers; they are not shown.")


def _either(group: Any, root: Any, key: str) -> str | None:
    value = hdf5.attribute(group, key)
    value = hdf5.attribute(root, key) if value is None else value
    return None if value is None else str(value)


def _json(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, str):
        raise FormatError(f"the attribute {what} is no text")
    return parse_json(value, what)


def _training(value: Any, notes: list[str]) -> Mapping[str, Any] | None:
    """Nothing depends on it but the loss: broken, it does not keep the model from opening."""
    if value is None or value == "":
        return None
    try:
        return _json(value, "training_config")
    except FormatError as error:
        notes.append(f"The training configuration is left out: {error}.")
        return None


# --------------------------------------------------------------------------- Keras 3


def _v3_layers(root: Any, budget: Budget) -> list[StoredLayer]:
    """Every ``.../vars`` group with its arrays in the order of their numbers."""
    found = [
        (path, group)
        for path, group in hdf5.walk(root, budget, skipped=_OPTIMIZER)
        if path.split("/")[-1] == "vars"
    ]
    layers = [_v3_layer(path, group, budget) for path, group in found]
    return [layer for layer in layers if layer.weights]


def _v3_layer(path: str, group: Any, budget: Budget) -> StoredLayer:
    weights = [
        StoredWeight(f"{path}/{name}", hdf5.array(hdf5.child(group, name), budget))
        for name in sorted(hdf5.listed(group), key=_natural)
    ]
    own = hdf5.attribute(group, "name")
    name = path.removesuffix("vars").rstrip("/")
    return StoredLayer(name, weights, own if isinstance(own, str) else None)


def _natural(name: str) -> tuple[int, int, str]:
    """Variables are numbered, and in some layers (idf_weights) named."""
    return (0, int(name), "") if re.fullmatch(r"[0-9]{1,9}", name) else (1, 0, name)


def _check_v3(root: Any, layers: list[StoredLayer], config: Any) -> None:
    known = {"layers", "_layer_checkpoint_dependencies"}
    if not layers and config is None and not known & set(root):
        raise FormatError(
            "an HDF5 file, but no Keras model: it has neither a model_config nor layer names"
        )


def _zip(path: Path) -> KerasFile:
    with keras_zip.opened(path) as archive:
        config = archive.json("config.json")
        metadata = archive.json(METADATA) if METADATA in archive else {}
        layers: dict[str, StoredLayer] = {}
        for member in _weight_members(archive):
            with hdf5.opened(archive.stream(member)) as root:
                for layer in _v3_layers(root, archive.budget):
                    layers[layer.name] = _joined(layers.get(layer.name), layer)
        assets = {
            name.removeprefix(_ASSETS): archive.text(name)
            for name in archive
            if _NUMBERS.fullmatch(name)
        }
    training = config.get("compile_config")
    notes: list[str] = []
    return KerasFile(
        path=path,
        taught=read_taught(metadata.get(TAUGHT), notes),
        notes=notes,
        kind="keras",
        keras_version=str(metadata.get("keras_version", "3")),
        backend=None,
        config=config,
        training_config=training if isinstance(training, dict) else None,
        layers=list(layers.values()),
        layout="v3",
        sha256=_digest(path),
        assets=assets,
    )


def _weight_members(archive: keras_zip.Archive) -> list[str]:
    """One HDF5 file, or the shards that an index names; each variable lies whole in one of them."""
    if _WEIGHTS in archive:
        return [_WEIGHTS]
    if _PICKLED in archive:
        raise FormatError(
            f"its weights are in {_PICKLED}, which holds pickled objects and is never opened. "
            "Save the model again with h5py installed."
        )
    if _SHARDS not in archive:
        raise FormatError(f"it has no {_WEIGHTS}: the weights are missing")
    index = archive.json(_SHARDS).get("weight_map")
    if not isinstance(index, dict):
        raise FormatError(f"{_SHARDS} has no weight_map")
    files = [
        name for part in index.values() for name in (part if isinstance(part, list) else [part])
    ]
    if not all(isinstance(name, str) for name in files):
        raise FormatError(f"the weight_map of {_SHARDS} holds something else than names")
    return sorted(set(files))


def _joined(first: StoredLayer | None, second: StoredLayer) -> StoredLayer:
    """A layer whose variables lie in two shards."""
    if first is None:
        return second
    weights = first.weights + second.weights
    weights.sort(key=lambda weight: _natural(weight.path.rsplit("/", 1)[-1]))
    return StoredLayer(first.name, weights, first.keras_name or second.keras_name)
