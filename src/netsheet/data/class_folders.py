"""Folders of pictures, one for each class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.data.fit import picture, taken_size, text
from netsheet.data.images import SUFFIXES, picture_size
from netsheet.data.known_classes import KnownClasses
from netsheet.data.raw_set import Progress, RawSet
from netsheet.data.table_text import text_of
from netsheet.errors import NetsheetError

if TYPE_CHECKING:
    from netsheet.data.own.preparation import Preparation
    from netsheet.equations import Tensor

Array = npt.NDArray[Any]


# What people call the folders of a set that is split already.
PARTS = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "val": "validation", "valid": "validation", "validation": "validation",
}  # fmt: skip
SHOWN = 5  # names in a sentence


def parts_of(folder: Path) -> dict[str, Path]:
    """The folders ``train``, ``test`` and ``validation`` of a set that is split, else none.

    It is split where all of its folders are called so, and have folders of classes.
    """
    found: dict[str, Path] = {}
    for inner in folders_in(folder):
        part = PARTS.get(inner.name.lower())
        if part is None or not folders_in(inner):
            return {}
        found[part] = inner
    return found


def of_part(folder: Path, part: str | None, usual: str = "test") -> tuple[Path, str]:
    """The folder of one part of a set that is split, and what to say of it.

    ``usual`` is the one to take where none is asked for.

    Raises:
        NetsheetError: a part is asked for that is not there.
    """
    parts = parts_of(folder)
    if not parts:
        if part is not None:
            raise NetsheetError(
                f"{folder}: is not split: there is no folder {part!r} of folders of classes in it."
            )
        return folder, ""
    order = sorted(("test", "validation", "train"), key=lambda name: name != usual)
    wanted = part or next(name for name in order if name in parts)
    if wanted not in parts:
        raise NetsheetError(f"{folder}: has no {wanted} set; it has {', '.join(sorted(parts))}.")
    called = {"train": "the training set", "test": "the test set"}.get(wanted, f"the {wanted} set")
    return parts[wanted], f"{called}, "


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder in the order of their names, without those that programs leave."""
    found = [item for item in folder.iterdir() if item.is_dir() and not hidden(Path(item.name))]
    return sorted(found, key=lambda item: item.name)


def pictures_in(folder: Path) -> list[Path]:
    """The files in a folder itself that are named as pictures."""
    found = [item for item in folder.iterdir() if item.suffix.lower() in SUFFIXES]
    return sorted(item for item in found if item.is_file() and not hidden(Path(item.name)))


def check_nesting(folder: Path) -> None:
    """Refuses a folder whose only folder holds those of the classes, as archives unpack.

    Raises:
        NetsheetError: it is one; the message names the folder to give.
    """
    inner = folders_in(folder)
    if len(inner) != 1 or pictures_in(inner[0]):
        return
    deeper = [one for one in folders_in(inner[0]) if pictures_in(one)]
    if len(deeper) > 1 or parts_of(inner[0]):
        names = ", ".join(one.name for one in folders_in(inner[0])[:SHOWN])
        raise NetsheetError(
            f"{folder}: has one folder, {inner[0].name}, and the classes lie in that ({names}, "
            f"...): give {inner[0]}."
        )


def no_classes(folder: Path) -> str:
    """What to say of a folder without folders of pictures."""
    loose = len(pictures_in(folder))
    if not loose:
        return f"{folder}: has neither IDX files nor folders of pictures, one for each class."
    return (
        f"{folder}: has {loose} pictures, but no labels: put those of each class into a folder "
        "named as the class."
    )


def class_folders(
    folder: Path,
    tensor: Tensor,
    known: KnownClasses,
    limit: int | None,
    progress: Progress | None,
    part: str | None = None,
    form: Preparation | None = None,
    usual: str = "test",
) -> RawSet:
    """Pictures in one folder for each class, at any depth, the classes in the order of their names.

    As Keras's ``image_dataset_from_directory``, names that begin with a dot are passed by. Where
    the folders in it are ``train`` and ``test``, that of the part is taken (of the test set, if it
    is not said).

    Raises:
        NetsheetError: there are no such folders, or they are not what the network tells apart.
    """
    folder, what = of_part(folder, part, usual)
    check_nesting(folder)
    names, classes = folder_classes(folder, known)
    files = [
        (item, classes.index(name))
        for name in names
        for item in sorted((folder / name).rglob("*"))
        if item.suffix.lower() in SUFFIXES and not hidden(item.relative_to(folder))
    ]
    if not files:
        raise NetsheetError(no_classes(folder))
    filled = {number for _, number in files}
    empty = [name for name in names if classes.index(name) not in filled]
    if limit is not None and limit < len(files):  # of every class
        chosen = np.linspace(0, len(files) - 1, limit).round().astype(int)
        files = [files[i] for i in chosen]
    pixels: list[Array] = []
    resized, taken = 0, taken_size(tensor)
    for done, (item, _) in enumerate(files, 1):
        pixels.append(picture(item, tensor, form)[0])
        if form is None and None not in taken and picture_size(item) != taken:
            resized += 1
        if pixels[-1].shape != pixels[0].shape:
            raise NetsheetError(
                f"{item}: is {text(pixels[-1].shape)}, the first picture {text(pixels[0].shape)}; "
                "this network takes any size, but all of one data set must have the same."
            )
        if progress is not None:
            progress(done, len(files))
    y = np.array([number for _, number in files])
    called = [str(item.relative_to(folder)) for item, _ in files]
    note = f"{folder.name}, {what}{len(names)} classes{_of_size(resized, len(files), tensor)}"
    if empty:
        note += f"; there are no pictures in {', '.join(empty[:SHOWN])}"
    return RawSet(np.stack(pixels), y, note, classes, called, pictures=True, resized=resized)


def _of_size(resized: int, count: int, tensor: Tensor) -> str:
    """How many pictures were brought to the size that the network takes."""
    if not resized:
        return ""
    height, width = taken_size(tensor)
    return f", {resized} of {count} pictures stretched to {width}x{height}"


def hidden(path: Path) -> bool:
    """True for what programs leave behind: ``.ipynb_checkpoints``, ``__MACOSX``, ``._a.png``."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def folder_classes(folder: Path, known: KnownClasses) -> tuple[list[str], list[str]]:
    """The folders' names, and those of all classes by number: in the order of labels.txt, of what
    the network calls them, of numbers or of names.
    """
    names = [item.name for item in folders_in(folder)]
    listed = folder / "labels.txt"
    if not listed.is_file():
        advice = f"List all classes in their order in {listed}."
        return names, known.order(names, str(folder), advice)
    order = [re.sub(r"^\d+[ :,]\s*", "", line.strip()) for line in text_of(listed).splitlines()]
    order = [name for name in order if name]
    missing = [name for name in names if name not in order]
    if missing:
        raise NetsheetError(f"{listed}: does not list the folder {missing[0]!r}.")
    return [name for name in order if name in names], order
