"""The corpora as tests read them: the project's own archives and the shared folders."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

OWN = Path(__file__).parent
Array = np.ndarray[Any, Any]

# How far half-precision references may be from float32: a few units in their last place.
TOLERANCE = {"float32": 1e-5, "float16": 4e-3, "bfloat16": 3e-2}


@dataclass(frozen=True)
class Entry:
    """One file that computes, with its reference; ``source`` is the corpus that it is from."""

    source: str
    file: str
    reference: str
    keras: str
    about: str
    precision: str = "float32"
    folder: Path | None = None  # None: in the archive of its Keras version

    @property
    def archive(self) -> Path:
        """The archive of an own file."""
        return OWN / f"keras{self.keras[0]}.zip"

    def path(self, temporary: Path) -> Path:
        """The model file, unpacked into a folder if need be."""
        if self.folder is not None:
            return self.folder / self.file
        target = temporary / self.file
        with zipfile.ZipFile(self.archive) as stored:
            target.write_bytes(stored.read(self.file))
        return target

    def values(self) -> dict[str, Array]:
        """The reference's arrays as numbers, by key."""
        if self.folder is not None:
            with np.load(self.folder / self.reference) as stored:
                return {key: _numbers(stored[key]) for key in stored.files}
        with (
            zipfile.ZipFile(self.archive) as archive,
            archive.open(self.reference) as file,
            np.load(file) as stored,
        ):
            return {key: _numbers(stored[key]) for key in stored.files}

    @property
    def bound(self) -> float:
        """The largest deviation allowed, relative to the largest value (at least 1)."""
        return TOLERANCE[self.precision]

    def __str__(self) -> str:
        return f"{self.source}/{self.file}"


def _numbers(array: Array) -> Array:
    if array.dtype.kind == "V":  # bfloat16: the upper half of a float32
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32)


@cache
def own() -> tuple[Entry, ...]:
    """The project's own corpus."""
    found = []
    for major in (2, 3):
        with zipfile.ZipFile(OWN / f"keras{major}.zip") as archive:
            manifest = json.loads(archive.read("manifest.json"))
        for entry in manifest["files"]:
            found.append(
                Entry("own", entry["file"], entry["reference"], entry["keras"], entry["about"],
                      entry.get("precision", "float32"))
            )  # fmt: skip
    return tuple(found)


def shared(folder: Path) -> Iterator[Entry]:
    """The corpora beside the project that have references; none where the folder is absent."""
    for source in ("open", "dialects"):
        manifest = folder / "corpus" / source / "manifest.json"
        if not manifest.is_file():
            continue
        files = json.loads(manifest.read_text("utf-8"))["files"]
        if isinstance(files, dict):
            files = [{"file": name, **entry} for name, entry in files.items()]
        for entry in files:
            if entry["status"] == "computes":
                place = manifest.parent
                precision = entry.get("precision") or _precision(place / entry["reference"])
                yield Entry(source, entry["file"], entry["reference"], entry["keras"],
                            entry.get("about", ""), precision, place)  # fmt: skip


def _precision(reference: Path) -> str:
    with np.load(reference) as stored:
        kinds = {stored[key].dtype for key in stored.files}
    if any(kind.kind == "V" for kind in kinds):
        return "bfloat16"
    return "float16" if np.dtype(np.float16) in kinds else "float32"
