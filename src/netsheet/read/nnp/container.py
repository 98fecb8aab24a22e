"""Where the network and its parameters lie: in a .nnp, in a .nntxt, or beside it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import FormatError, NetsheetError
from netsheet.read.hdf5 import file as hdf5
from netsheet.read.keras import zip_archive
from netsheet.read.limits import Budget
from netsheet.read.nnp.text import Message, parse
from netsheet.read.nnp.wire import parameters as wire_parameters

LARGEST_TEXT = 1 << 30
# Names that NNabla and the Neural Network Console give to the file of parameters beside a network.
BESIDE = ("parameter", "parameters")
ENDINGS = (".h5", ".protobuf")


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """The description, the arrays by their names, and where they come from."""

    description: Message
    arrays: Mapping[str, FloatArray]
    version: str
    sha256: str
    notes: list[str] = field(default_factory=list)


def read(path: Path, given: Path | None = None) -> StoredNetwork:
    """A network with its parameters; ``given`` is their file, where the network has none.

    Raises:
        FormatError: it is damaged, or there are no parameters.
    """
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"PK"
    if zipped:
        return _zipped(path)
    size = path.stat().st_size
    if size > LARGEST_TEXT:
        raise FormatError(f"a text of {size:,} bytes is not read; save it as .nnp")
    content = path.read_bytes()
    description = parse(content.decode("utf-8-sig", "replace"))
    arrays = _inside(description, Budget(size))
    notes: list[str] = []
    place = given or (None if arrays else _beside(path))
    if place is not None:
        arrays = {**arrays, **_file(place)}
        content += place.read_bytes()
        notes.append(f"parameters from {place.name}")
    return StoredNetwork(description, arrays, "", hashlib.sha256(content).hexdigest(), notes)


def _beside(path: Path) -> Path | None:
    """The file of parameters that lies beside a network, by its name."""
    stems = [*BESIDE, path.stem, f"{path.stem}_param", f"{path.stem}_parameter"]
    places = [path.with_name(f"{stem}{ending}") for stem in stems for ending in ENDINGS]
    return next((place for place in places if place.is_file()), None)


def _zipped(path: Path) -> StoredNetwork:
    with zip_archive.opened(path) as archive:
        networks = [name for name in archive if name.endswith((".nntxt", ".prototxt"))]
        if len(networks) != 1:
            raise FormatError(f"it has {len(networks)} networks (.nntxt); one is read")
        description = parse(archive.text(networks[0]))
        arrays = _inside(description, archive.budget)
        for name in archive:
            if name.endswith(".h5"):
                arrays |= _hdf5(archive.stream(name), archive.budget)
            elif name.endswith(".protobuf"):
                arrays |= wire_parameters(archive.stream(name).read(), archive.budget)
        version = "nnp_version.txt"
        number = archive.text(version).strip()[:20] if version in archive else ""
    return StoredNetwork(description, arrays, number, hashlib.sha256(path.read_bytes()).hexdigest())


def _file(path: Path) -> dict[str, FloatArray]:
    """The parameters in a file of their own."""
    try:
        budget = Budget(path.stat().st_size)
        with path.open("rb") as stream:
            if stream.read(8) == b"\x89HDF\r\n\x1a\n":
                return _hdf5(path, budget)
            stream.seek(0)
            return wire_parameters(stream.read(), budget)
    except OSError as error:
        raise NetsheetError(f"{path} cannot be read: {error}") from None
    except NetsheetError as error:
        raise type(error)(f"{path.name}: {error}") from None


def _hdf5(file: Path | IO[bytes], budget: Budget) -> dict[str, FloatArray]:
    import h5py

    with hdf5.opened(file) as root:
        found = {
            name: hdf5.array(one, budget)
            for name, one in hdf5.walk(root, budget)
            if isinstance(one, h5py.Dataset)
        }
    with np.errstate(over="ignore"):
        return {name: array.astype(np.float32) for name, array in found.items()}


def _inside(description: Message, budget: Budget) -> dict[str, FloatArray]:
    """Parameters that the description itself holds."""
    found: dict[str, FloatArray] = {}
    for stored in description.messages("parameter"):
        name, sizes, words = (
            stored.text("variable_name"),
            stored.shape("shape"),
            stored.texts("data"),
        )
        budget.take(4 * len(words), name)
        if any(size < 0 for size in sizes) or math.prod(sizes) != len(words):
            raise FormatError(f"parameter {name!r} has {len(words):,} values for the shape {sizes}")
        try:
            with np.errstate(over="ignore"):
                found[name] = np.array(words, np.float32).reshape(sizes)
        except ValueError:
            raise FormatError(f"parameter {name!r} holds no numbers") from None
    return found
