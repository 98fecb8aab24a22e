"""Keras files of all versions, opened: HDF5 (legacy and Keras 3 weights) and .keras zips."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

from netsheet.errors import FormatError
from netsheet.read import hdf5
from netsheet.read.limits import MAX_EXPANSION, MAX_JSON, SMALL, parse_json
from netsheet.read.sniff import sniff
from netsheet.read.stored import KerasFile, StoredLayer, StoredWeight


def read_keras(path: str | Path) -> KerasFile:
    """The contents of a Keras file; FormatError says what is wrong with it."""
    path = Path(path)
    kind = sniff(path)
    if kind == "keras":
        return _zip(path)
    if kind != "hdf5":
        raise FormatError(f"{path} is an {kind.upper()} file, not a Keras file.")
    with hdf5.opened(path, path) as root:
        return _legacy(path, root)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# --------------------------------------------------------------------------- HDF5


def _legacy(path: Path, root: Any) -> KerasFile:
    """A whole model, or weights alone."""
    config = hdf5.attribute(root, "model_config")
    training = hdf5.attribute(root, "training_config")
    whole = config is not None
    group = root
    if "model_weights" in root:
        group = hdf5.child(root, "model_weights")
    listed = hdf5.names(group, "layer_names")
    if listed is None:
        layers = _v3_layers(root)
        empty = not layers and not ({"layers", "_layer_checkpoint_dependencies"} & set(root))
        if empty and not whole:
            raise FormatError(
                f"{path} is an HDF5 file, but no Keras model: it has neither a model_config nor "
                "layer names."
            )
    else:
        layers = [_legacy_layer(group, name) for name in listed]
    version = hdf5.attribute(group, "keras_version") or hdf5.attribute(root, "keras_version")
    backend = hdf5.attribute(group, "backend") or hdf5.attribute(root, "backend")
    return KerasFile(
        path=path,
        kind="h5" if whole else "weights",
        keras_version=str(version or ("1" if listed is not None else "3")),
        backend=None if backend is None else str(backend),
        config=parse_json(_text(config, "model_config"), "model_config") if whole else None,
        training_config=_optional_json(training, "training_config"),
        layers=layers,
        layout="v3" if listed is None else "legacy",
        sha256=_digest(path),
        optimizer_weights=_optimizer(root),
    )


def _legacy_layer(group: Any, name: str) -> StoredLayer:
    try:
        own = hdf5.child(group, name)
    except KeyError:
        raise FormatError(f"the layer {name!r} is listed, but its group is missing") from None
    weights = []
    for weight in hdf5.names(own, "weight_names") or []:
        try:
            values = hdf5.array(hdf5.child(own, weight))
        except KeyError:
            raise FormatError(f"the weight {weight!r} of layer {name!r} is missing") from None
        weights.append(StoredWeight(f"{own.name}/{weight}".lstrip("/"), values))
    return StoredLayer(name, weights)


def _optimizer(root: Any) -> int:
    for name in ("optimizer_weights", "optimizer"):
        if name in root and hdf5.child(root, name) is not None:
            return hdf5.count(hdf5.child(root, name))
    return 0


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise FormatError(f"the attribute {what} is no text")
    return value


def _optional_json(value: Any, what: str) -> Any:
    return parse_json(value, what) if isinstance(value, str) and value else None


# --------------------------------------------------------------------------- Keras 3


def _v3_layers(root: Any) -> list[StoredLayer]:
    """Every ``.../vars`` group with its arrays in the order of their numbers."""
    layers = []
    for path, group in hdf5.groups(root):
        if path.split("/")[-1] != "vars" or path.split("/")[0] == "optimizer":
            continue
        numbers = [name for name in group if name.isdigit()]
        weights = [
            StoredWeight(f"{path}/{name}", hdf5.array(hdf5.child(group, name)))
            for name in sorted(numbers, key=int)
        ]
        if weights:
            own = hdf5.attribute(group, "name")
            name = path.removesuffix("vars").rstrip("/")
            layers.append(StoredLayer(name, weights, own if isinstance(own, str) else None))
    return layers


def _zip(path: Path) -> KerasFile:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            config = parse_json(_member(path, archive, "config.json", MAX_JSON), "config.json")
            metadata = _metadata(path, archive)
            layers = _zip_weights(path, archive)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        raise FormatError(
            f"{path} is a damaged .keras file ({error}). Copy or download it again."
        ) from None
    training = config.get("compile_config")
    return KerasFile(
        path=path,
        kind="keras",
        keras_version=str(metadata.get("keras_version", "3")),
        backend=None,
        config=config,
        training_config=training if isinstance(training, dict) else None,
        layers=layers,
        layout="v3",
        sha256=_digest(path),
    )


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    seen: set[str] = set()
    size = path.stat().st_size
    for info in archive.infolist():
        name = info.filename
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or "\\" in name or ":" in name:
            raise FormatError(f"{path}: the member {name!r} has a path that leads out of the file")
        if name in seen:
            raise FormatError(f"{path}: the member {name!r} occurs twice")
        seen.add(name)
        if info.file_size > SMALL and info.file_size > MAX_EXPANSION * max(info.compress_size, 1):
            raise FormatError(
                f"{path}: the member {name!r} grows from {info.compress_size:,} to "
                f"{info.file_size:,} bytes: it is made to exhaust the memory"
            )
        if info.compress_size > size:
            raise FormatError(f"{path}: the member {name!r} is cut off")


def _member(path: Path, archive: zipfile.ZipFile, name: str, limit: int | None = None) -> bytes:
    """A member's bytes; never more than its directory entry and the limit say."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise FormatError(f"{path} has no {name}") from None
    if limit is not None and info.file_size > limit:
        raise FormatError(f"{path}: {name} is {info.file_size:,} bytes long; {limit:,} are allowed")
    try:
        with archive.open(info) as member:
            data = member.read(info.file_size + 1)
    except Exception as error:  # zlib.error, lzma.LZMAError and others have no common class
        raise FormatError(f"{path}: {name} is damaged ({error})") from None
    if len(data) > info.file_size:
        raise FormatError(f"{path}: {name} is longer than it says")
    return data


def _metadata(path: Path, archive: zipfile.ZipFile) -> Any:
    if "metadata.json" not in archive.namelist():
        return {}
    return parse_json(_member(path, archive, "metadata.json", MAX_JSON), "metadata.json")


def _zip_weights(path: Path, archive: zipfile.ZipFile) -> list[StoredLayer]:
    names = archive.namelist()
    if "model.weights.h5" in names:
        return _weights_member(path, archive, "model.weights.h5")
    if "model.weights.json" in names:
        index = parse_json(_member(path, archive, "model.weights.json", MAX_JSON), "the index")
        shards = index.get("weight_map")
        if not isinstance(shards, dict):
            raise FormatError(f"{path}: model.weights.json has no weight_map")
        files = {str(name) for part in shards.values() for name in _listed(part)}
        return [layer for name in sorted(files) for layer in _weights_member(path, archive, name)]
    if "model.weights.npz" in names:
        raise FormatError(f"{path} keeps its weights as .npz, which is not read; save it as .h5.")
    raise FormatError(f"{path} has no model.weights.h5: the weights are missing")


def _listed(part: Any) -> list[Any]:
    return part if isinstance(part, list) else [part]


def _weights_member(path: Path, archive: zipfile.ZipFile, name: str) -> list[StoredLayer]:
    data = io.BytesIO(_member(path, archive, name))
    with hdf5.opened(data, path) as root:
        return _v3_layers(root)
