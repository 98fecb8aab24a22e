"""HDF5 groups and datasets of an untrusted file, read without following anything out of it.

Every path component has to be a hard link. External and virtual datasets, soft and external
links, unknown filters, and sizes far beyond what is stored are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from netsheet.errors import FormatError
from netsheet.expr import FloatArray
from netsheet.read.limits import MAX_DEPTH, MAX_EXPANSION, MAX_OBJECTS, SMALL

_FILTERS = {1, 2, 3, 4, 6, 32000}  # deflate, shuffle, fletcher32, szip, scaleoffset, lzf


@contextmanager
def opened(file: Path | IO[bytes], shown: Path) -> Iterator[Any]:
    """The root group; a damaged file raises FormatError, whenever that shows."""
    import h5py

    try:
        with h5py.File(file, "r") as root:
            yield root
    except FormatError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FormatError(
            f"{shown} is damaged or cut off ({reason}). Copy or download it again."
        ) from None


def child(group: Any, path: str) -> Any:
    """The object at a path below a group, each step a hard link; KeyError if there is none."""
    import h5py

    for part in filter(None, path.split("/")):
        if part == "..":
            raise FormatError(f"the path {path!r} leads out of its group")
        if not isinstance(group, h5py.Group):
            raise KeyError(path)
        link = group.get(part, getlink=True)
        if link is None:
            raise KeyError(path)
        if not isinstance(link, h5py.HardLink):
            kind = "an external" if isinstance(link, h5py.ExternalLink) else "a soft"
            raise FormatError(
                f"{group.name.rstrip('/')}/{part} is {kind} link, which is never followed"
            )
        group = group[part]
    return group


def attribute(group: Any, key: str) -> Any:
    """An attribute with bytes decoded; None if there is none."""
    if key not in group.attrs:
        return None
    value = group.attrs[key]
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    return _decoded(value)


def names(group: Any, key: str) -> list[str] | None:
    """A list of names in one attribute, or split over ``key0``, ``key1``, ...; None if absent."""
    parts = [group.attrs[key]] if key in group.attrs else []
    number = 0
    while key not in group.attrs and f"{key}{number}" in group.attrs:
        parts.append(group.attrs[f"{key}{number}"])
        number += 1
    if not parts:
        return None
    found = [_decoded(name) for part in parts for name in np.atleast_1d(part).tolist()]
    if not all(isinstance(name, str) for name in found):
        raise FormatError(f"the attribute {key!r} of {group.name} holds no names")
    return found


def _decoded(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def array(dataset: Any) -> FloatArray:
    """The values of a dataset; bfloat16 becomes float32, other numbers keep their type."""
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        raise FormatError(f"{dataset.name} is a group where values should be")
    _check(dataset)
    if _is_bfloat16(dataset):
        bits: FloatArray = dataset[()].view(np.uint16).astype(np.uint32) << 16
        return bits.view(np.float32)
    if dataset.dtype.kind not in "fiub":
        raise FormatError(f"{dataset.name} holds {dataset.dtype}, not numbers")
    values: FloatArray = dataset[()]
    return np.asarray(values)


def _is_bfloat16(dataset: Any) -> bool:
    named = attribute(dataset, "dtype") == "bfloat16"
    return bool(dataset.dtype.itemsize == 2 and (dataset.dtype.kind == "V" or named))


def _check(dataset: Any) -> None:
    if dataset.external or dataset.is_virtual:
        raise FormatError(f"{dataset.name} keeps its values in another file, which is not opened")
    properties = dataset.id.get_create_plist()
    for number in range(properties.get_nfilters()):
        if properties.get_filter(number)[0] not in _FILTERS:
            raise FormatError(f"{dataset.name} is compressed by a filter that is not known")
    declared, stored = dataset.nbytes, dataset.id.get_storage_size()
    if declared > SMALL and declared > stored * (MAX_EXPANSION if dataset.chunks else 1):
        raise FormatError(
            f"{dataset.name} declares {declared:,} bytes, but the file holds {stored:,}: "
            "it is cut off, or made to exhaust the memory"
        )


def count(group: Any) -> int:
    """How many datasets lie in a group, and in groups in it, without reading any."""
    import h5py

    total, seen = 0, 0

    def visit(part: Any, depth: int) -> None:
        nonlocal total, seen
        for name in part:
            seen += 1
            if depth > MAX_DEPTH or seen > MAX_OBJECTS:
                raise FormatError("the file has too many groups, or a group in itself")
            if isinstance(part.get(name, getlink=True), h5py.HardLink):
                kind = part.get(name, getclass=True)
                if kind is h5py.Dataset:
                    total += 1
                elif kind is h5py.Group:
                    visit(part[name], depth + 1)

    visit(group, 0)
    return total


def groups(group: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every group below (path, group), by hard links only; other links are refused."""
    import h5py

    if depth > MAX_DEPTH:
        raise FormatError("the file has too many groups in each other, or a group in itself")
    for name in group:
        found = child(group, name)
        if isinstance(found, h5py.Group):
            path = f"{prefix}{name}"
            yield path, found
            yield from groups(found, path + "/", depth + 1)
