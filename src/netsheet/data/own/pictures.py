"""The files of a folder of classes: which are pictures, and each in one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.data.class_folders import (
    check_nesting,
    folder_classes,
    folders_in,
    hidden,
    no_classes,
)
from netsheet.data.images import SUFFIXES, image_array
from netsheet.data.known_classes import KnownClasses
from netsheet.data.own.preparation import Preparation, resolved
from netsheet.data.own.strokes import strokes_in
from netsheet.data.raw_set import Progress
from netsheet.errors import FormatError, NetsheetError, UnsupportedError

if TYPE_CHECKING:
    from netsheet.data.own.making import Wanted

Array = npt.NDArray[Any]

LOOKED_AT = 24  # pictures that decide how all are fitted


@dataclass(frozen=True)
class LeftOut:
    """A file that is not in the set, and a sentence that names it and says why."""

    name: str
    text: str


@dataclass(eq=False)
class Pictures:
    """Pictures of one form with their classes; ``done`` counts what was done to them."""

    x: Array
    y: Array
    names: list[str]
    class_names: list[str]
    done: dict[str, int] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


@dataclass(frozen=True)
class ClassFiles:
    """The pictures of a folder of classes, and the files that are none."""

    folder: Path
    class_names: list[str]
    files: list[tuple[Path, int]]
    others: list[Path]


def class_files(folder: Path) -> ClassFiles:
    """What lies in the folders of a folder, one for each class, at any depth.

    Raises:
        NetsheetError: there are no such folders; the text says what to do.
    """
    check_nesting(folder)
    names, classes = folder_classes(folder, KnownClasses())
    found = [
        (item, classes.index(name))
        for name in names
        for item in sorted((folder / name).rglob("*"))
        if item.is_file() and not hidden(item.relative_to(folder))
    ]
    files = [one for one in found if one[0].suffix.lower() in SUFFIXES]
    if not files:
        raise NetsheetError(no_classes(folder))
    for inner in folders_in(folder):
        deeper = [one.name for one in folders_in(inner)]
        own = [one for one, _ in files if one.parent == inner]
        if len(deeper) > 1 and not own and len(names) > 1:
            raise NetsheetError(
                f"{folder}: {inner.name} holds folders ({', '.join(deeper[:3])}), not pictures: "
                "which folders are the classes? Give the one that they lie in."
            )
    others = [one for one, _ in found if one.suffix.lower() not in SUFFIXES]
    return ClassFiles(folder, classes, files, others)


def form_of(files: Sequence[Path], wanted: Wanted, where: str) -> Preparation:
    """The form that all pictures get: what was asked for, and what a look at some of them says.

    Raises:
        NetsheetError: pictures of several sizes, and none is asked for; or none can be read.
    """
    chosen = np.unique(np.linspace(0, len(files) - 1, LOOKED_AT).round().astype(int))
    seen, problem = [], ""
    for number in chosen:
        try:
            seen.append(image_array(files[int(number)], None, None, None)[0])
        except (FormatError, UnsupportedError) as error:
            problem = problem or str(error)
    if not seen:
        raise NetsheetError(problem)
    return form_seen(seen, wanted, where)


def form_seen(seen: Sequence[Array], wanted: Wanted, where: str) -> Preparation:
    """The same from the pixels of some pictures, (rows, columns, channels)."""
    sizes = sorted({picture.shape[:2] for picture in seen})
    if wanted.size is None and len(sizes) > 1:
        shown = ", ".join(f"{width}x{height}" for height, width in sizes[:3])
        raise NetsheetError(
            f"{where}: the pictures have several sizes ({shown}): say the one that all get, as "
            "--size 28x28."
        )
    height, width = wanted.size or sizes[0]
    grey = wanted.grey or wanted.fit == "strokes" or all(one.shape[-1] == 1 for one in seen)
    fit = wanted.fit
    plain = Preparation(height, width, 1 if grey else 3, invert=wanted.invert or "auto")
    if not grey:
        plain = resolved(plain, "stretch", wanted.invert or "no")
    if fit != "auto":
        return resolved(plain, fit, plain.invert)
    others = [one for one in seen if one.shape[:2] != (height, width)]
    if not grey or not others:
        return plain
    written = sum(strokes_in(_grey(one)) is not None for one in others)
    return resolved(plain, "strokes" if 3 * written >= 2 * len(others) else "stretch", plain.invert)


def _grey(picture: Array) -> Array:
    from PIL import Image as Pillow

    image = Pillow.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture[..., :3])
    return np.asarray(image.convert("L"))


def read_pictures(
    found: ClassFiles, form: Preparation, progress: Progress | None = None
) -> Pictures:
    """The pictures of all classes in that form; those that cannot be read are named.

    Raises:
        NetsheetError: none can be read.
    """
    made, classes, names = [], [], []
    done: dict[str, int] = {}
    left_out = [
        LeftOut(name, f"{name}: is no picture by its name")
        for name in (str(one.relative_to(found.folder)) for one in found.others)
    ]
    for number, (path, own) in enumerate(found.files, 1):
        try:
            pixels, how = form.prepared(path)
        except (FormatError, UnsupportedError) as error:
            name = str(path.relative_to(found.folder))
            left_out.append(LeftOut(name, str(error).replace(str(path), name, 1)))
        else:
            made.append(pixels)
            classes.append(own)
            names.append(str(path.relative_to(found.folder)))
            more = how.partition(", ")[2] or "as they are"
            done[more] = done.get(more, 0) + 1
        if progress is not None:
            progress(number, len(found.files))
    if not made:
        raise NetsheetError(
            f"{found.folder}: none of its {len(found.files)} pictures can be read: "
            f"{left_out[-1].text}"
        )
    return Pictures(np.stack(made), np.array(classes), names, found.class_names, done, left_out)
