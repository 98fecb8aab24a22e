"""A copy of a model's file with other values in its weights."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.equations.entry import with_scales
from netsheet.errors import FormatError, NetsheetError, UnsupportedError
from netsheet.files import atomic
from netsheet.read.hdf5.file import attribute, child
from netsheet.read.keras.stored import METADATA
from netsheet.read.sniff import sniff
from netsheet.read.taught import TAUGHT

if TYPE_CHECKING:
    import h5py

    from netsheet.network import Network

Array = npt.NDArray[Any]

WEIGHTS_IN_KERAS = "model.weights.h5"
CHUNK = 1 << 20


def by_dataset(model: Network, values: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays that differ from the model's own weights, by their dataset in its file.

    Raises:
        UnsupportedError: a changed weight does not lie in a dataset of its own, or two layers that
            share one are given different values.
    """
    shown = (with_scales(layer.weights) for layer in model.layers.values())
    weights = {weight.name: weight for one in shown for _, weight in one}
    changed: dict[str, Array] = {}
    for name, array in values.items():
        if np.array_equal(array, weights[name].values, equal_nan=array.dtype.kind == "f"):
            continue
        if name not in model.stored:
            raise UnsupportedError(
                f"{model.path}: {name} cannot be changed in a copy: it is not stored by itself."
            )
        place = model.stored[name]
        if place in changed and not np.array_equal(changed[place], array):
            raise UnsupportedError(
                f"{model.path}: {name} shares its values with another layer, but the two are given "
                "different ones."
            )
        changed[place] = array
    return changed


def write_copy(
    source: str | Path,
    changed: Mapping[str, Array],
    target: str | Path,
    taught: Mapping[str, Any] | None = None,
) -> None:
    """A copy of a Keras file (.h5, .weights.h5, .keras), an ONNX or a TensorFlow Lite file.

    It has other values in it.

    ``changed`` has arrays by the path of their dataset inside the file (of model.weights.h5 in a
    .keras file; in an ONNX file by the name of the stored value, in a TensorFlow Lite file by the
    tensor's number), of as many elements as there;
    shape and dtype stay those of the file. ``taught``: what a Keras or an ONNX file is to
    keep of the data that it was trained with.

    Raises:
        NetsheetError: ``target`` is ``source``, or cannot be written.
        FormatError: ``source`` has no such dataset, or it has another number of elements.
    """
    source, target = Path(source), Path(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise NetsheetError(f"{target}: is the model itself, which is never changed; name another.")
    with atomic(target) as temporary:
        kind = sniff(source)
        if kind == "tflite":
            from netsheet.write.csv.copy_tflite import write_tflite_copy

            write_tflite_copy(source, changed, temporary)
        elif kind == "onnx":
            from netsheet.write.csv.copy_onnx import write_onnx_copy

            write_onnx_copy(source, changed, temporary, taught)
        elif zipfile.is_zipfile(source):
            _copy_archive(source, changed, temporary, taught)
        else:
            shutil.copyfile(source, temporary)
            _change(temporary, changed, source, taught)


def _copy_archive(
    source: Path, changed: Mapping[str, Array], target: Path, taught: Mapping[str, Any] | None
) -> None:
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, "w") as new,
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
    ):
        for item in old.infolist():
            if item.filename == METADATA and taught:
                about = {**json.loads(old.read(item)), TAUGHT: taught}
                new.writestr(item, json.dumps(about), item.compress_type)
                continue
            if item.filename != WEIGHTS_IN_KERAS:
                new.writestr(item, old.read(item), item.compress_type)
                continue
            weights = Path(folder) / WEIGHTS_IN_KERAS
            with old.open(item) as stored, weights.open("wb") as file:
                shutil.copyfileobj(stored, file, CHUNK)
            _change(weights, changed, source)
            new.write(weights, item.filename, item.compress_type)


def _change(
    path: Path,
    changed: Mapping[str, Array],
    source: Path,
    taught: Mapping[str, Any] | None = None,
) -> None:
    import h5py

    try:
        with h5py.File(path, "r+") as file:
            if taught:
                file.attrs[TAUGHT] = json.dumps(taught)
            for name, values in changed.items():
                dataset = _dataset(file, name, source)
                if dataset.size != np.size(values):
                    raise FormatError(
                        f"{source}: dataset {name} has the shape {dataset.shape}; "
                        f"{np.size(values)} values do not fit."
                    )
                dataset[...] = _stored(np.asarray(values).reshape(dataset.shape), dataset)
    except OSError as error:
        raise FormatError(f"{source}: cannot be changed as an HDF5 file: {error}.") from error


def _dataset(file: h5py.File, name: str, source: Path) -> h5py.Dataset:
    """A dataset that lies in the file itself: no link and no storage leads out of it."""
    import h5py

    try:
        found = child(file, name)
    except KeyError:
        raise FormatError(f"{source}: has no dataset {name}.") from None
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        raise FormatError(f"{source}: {name} is no dataset of numbers in the file itself.")
    return found


def _stored(values: Array, dataset: h5py.Dataset) -> Array:
    """The values in the dtype of the dataset; bfloat16 is the upper half of a float32."""
    kind = dataset.dtype
    if not (kind.itemsize == 2 and (kind.kind == "V" or attribute(dataset, "dtype") == "bfloat16")):
        return values.astype(kind)
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16  # ties to even
    upper = np.where(np.isnan(values), 0x7FC0, nearest).astype(np.uint16)
    return upper.view(kind) if kind.kind == "V" else upper.astype(kind)
