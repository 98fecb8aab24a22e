"""HDF5 groups and datasets of an untrusted file, read without following anything out of it.

Every path component has to be a hard link. External and virtual datasets, soft and external
links, other filters than gzip's, and sizes far beyond what is stored are refused.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import IO, Any

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import FormatError, NetsheetError, UnsupportedError
from netsheet.read.hdf5.raw import Raw
from netsheet.read.limits import MAX_DEPTH, MAX_JSON, Budget

_SHUFFLE, _DEFLATE, _FLETCHER = 2, 1, 3
# h5py turns HDF5's codes into these.
_DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError)
_PIPELINE = (_SHUFFLE, _DEFLATE, _FLETCHER)  # the only order in which they are of use


@contextmanager
def opened(file: Path | IO[bytes]) -> Iterator[Any]:
    """The root group; whatever a damaged file makes the HDF5 library say is a FormatError."""
    import h5py

    try:
        with _raw(file) as raw, h5py.File(file, "r") as root:
            number = h5py.h5o.get_info(root.id).fileno
            _RAW[number] = raw
            try:
                yield root
            finally:
                del _RAW[number]
    except NetsheetError:
        raise
    except MemoryError:
        raise FormatError("it needs more memory than there is") from None
    except _DAMAGED as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise FormatError(
            f"the file is damaged or cut off ({reason}). Copy or download it again."
        ) from None


# The bytes of the open files, by the number that the HDF5 library gives to each.
_RAW: dict[int, Raw] = {}


@contextmanager
def _raw(file: Path | IO[bytes]) -> Iterator[Raw]:
    if isinstance(file, Path):
        with file.open("rb") as stream:
            yield Raw(stream)
    else:
        yield Raw(file)


def child(group: Any, path: str) -> Any:
    """The object at a path below a group, each step a hard link; KeyError if there is none."""
    import h5py

    for part in filter(None, path.split("/")):
        if part in (".", ".."):
            raise FormatError(f"the path {path!r} has a step that is no name")
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


def group_at(group: Any, path: str) -> Any:
    """The group at a path; None if there is nothing, FormatError if it is something else."""
    import h5py

    try:
        found = child(group, path)
    except KeyError:
        return None
    if not isinstance(found, h5py.Group):
        raise FormatError(f"{path} holds values where a group should be")
    return found


# --------------------------------------------------------------------------- attributes


def attribute(group: Any, key: str) -> Any:
    """An attribute, an array of one as its element, bytes decoded; None if there is none."""
    value = _attribute(group, key)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return _decoded(value)


def names(group: Any, key: str) -> list[str] | None:
    """A list of names in one attribute, or split over ``key0``, ``key1``, ...; None if absent.

    Keras splits a list that is longer than an HDF5 attribute can be.
    """
    whole = _attribute(group, key)
    parts = [] if whole is None else [whole]
    while whole is None and (part := _attribute(group, f"{key}{len(parts)}")) is not None:
        parts.append(part)
    if not parts:
        return None
    found = [_decoded(name) for part in parts for name in np.atleast_1d(part).tolist()]
    if not all(isinstance(name, str) and _printable(name) for name in found):
        raise FormatError(f"the attribute {key!r} of {group.name} holds no names in UTF-8")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise FormatError(f"the attribute {key!r} of {group.name} names {twice!r} twice")
    return found


def _attribute(group: Any, key: str) -> Any:
    import h5py

    if key not in group.attrs:
        return None
    stored = group.attrs.get_id(key)
    kind, count = stored.get_type(), stored.get_space().get_simple_extent_npoints()
    length = count * kind.get_size()
    if isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str():
        info = h5py.h5o.get_info(group.id)
        if raw := _RAW.get(info.fileno):  # none while a copy of a file that was read is changed
            length += sum(raw.text_lengths(info.addr, key, count))
    elif kind.get_class() not in (h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM):
        raise FormatError(f"the attribute {key!r} of {group.name} holds neither text nor numbers")
    if length > MAX_JSON:
        raise FormatError(f"the attribute {key!r} is longer than {MAX_JSON:,} bytes")
    value = group.attrs[key]
    return None if isinstance(value, h5py.Empty) else value


def _decoded(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _printable(name: str) -> bool:
    """h5py turns bytes that are no UTF-8 into halves of UTF-16 pairs."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


# --------------------------------------------------------------------------- datasets


def array(dataset: Any, budget: Budget) -> FloatArray:
    """The values of a dataset; bfloat16 becomes float32, other numbers keep their type.

    Raises:
        FormatError: the values lie elsewhere, are missing, are no numbers, or ask for more memory
            than ``budget`` has.
        UnsupportedError: a compression other than gzip.
    """
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        raise FormatError(f"{dataset.name} is no dataset where values should be")
    # Before anything else: asking a virtual dataset for its shape can open its sources.
    if dataset.is_virtual or dataset.external:
        raise FormatError(f"{dataset.name} keeps its values in another file, which is not opened")
    if dataset.shape is None:
        raise FormatError(f"{dataset.name} is empty where values should be")
    bfloat16 = _is_bfloat16(dataset)
    if not bfloat16 and dataset.dtype.kind not in "fiub":
        raise FormatError(f"{dataset.name} holds {dataset.dtype}, not numbers")
    _check_storage(dataset, budget)
    values: FloatArray = np.asarray(dataset[()])
    if bfloat16:  # the upper half of a float32
        values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _is_bfloat16(dataset: Any) -> bool:
    kind = dataset.dtype
    if kind.itemsize != 2 or kind.names or kind.subdtype:
        return False
    return bool(
        kind.kind == "V" or (kind.kind in "ui" and attribute(dataset, "dtype") == "bfloat16")
    )


def _check_storage(dataset: Any, budget: Budget) -> None:
    """What is declared has to be there, and to fit in the memory."""
    declared = math.prod(dataset.shape) * dataset.dtype.itemsize
    if dataset.chunks:
        chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize
        budget.take(max(declared, chunk), dataset.name)
        _check_chunks(dataset, chunk, budget)
        return
    offset = dataset.id.get_offset()  # None if the values lie in the dataset's header
    stored = dataset.id.get_storage_size()
    if offset is not None:
        stored = min(stored, _size(dataset) - offset)
    if stored < declared:
        raise FormatError(
            f"{dataset.name} declares {declared:,} bytes, but the file holds {max(stored, 0):,}: "
            "it is cut off, or made to exhaust the memory"
        )
    budget.take(declared, dataset.name)


def _size(dataset: Any) -> int:
    import h5py

    return int(h5py.h5i.get_file_id(dataset.id).get_filesize())


def _check_chunks(dataset: Any, chunk: int, budget: Budget) -> None:
    """No chunk may inflate beyond its size: HDF5 itself would go on as long as zlib does."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if filters != [known for known in _PIPELINE if known in filters]:
        raise UnsupportedError(
            f"{dataset.name} is compressed in a way that is not read. Rewrite the file with "
            "h5repack -f NONE."
        )
    steps = [range(0, n, step) for n, step in zip(dataset.shape, dataset.chunks, strict=True)]
    budget.visit(math.prod(map(len, steps)))
    if _DEFLATE not in filters:
        return
    skipped = 1 << filters.index(_DEFLATE)
    for offset in product(*steps):
        mask, data = dataset.id.read_direct_chunk(offset)
        if not mask & skipped and len(zlib.decompressobj().decompress(data, chunk + 1)) > chunk:
            raise FormatError(
                f"{dataset.name} inflates to more than its {chunk:,} bytes: it is made to exhaust "
                "the memory"
            )


# --------------------------------------------------------------------------- walking


def listed(group: Any) -> list[str]:
    """The names in a group, where it is one: a dataset would give its values."""
    import h5py

    if not isinstance(group, h5py.Group):
        raise FormatError(f"{group.name} holds values where a group should be")
    names = list(group)
    if not all(map(_printable, names)):
        raise FormatError("it has a group or dataset whose name is no UTF-8")
    return names


def walk(
    group: Any, budget: Budget, prefix: str = "", depth: int = 0, skipped: Collection[str] = ()
) -> Iterator[tuple[str, Any]]:
    """Every group and dataset below a group (path, object), but for some of its own members.

    A link among them is refused, and so are very many of them: a group may be in itself.
    """
    import h5py

    if depth > MAX_DEPTH:
        raise FormatError("it has too many groups in each other, or a group in itself")
    for name in listed(group):
        if name in skipped:
            continue
        budget.visit()
        found = child(group, name)
        yield f"{prefix}{name}", found
        if isinstance(found, h5py.Group):
            yield from walk(found, budget, f"{prefix}{name}/", depth + 1)
