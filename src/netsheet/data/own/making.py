"""A data set made of what one has: read, brought into one form, looked through, divided."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.data.arrays import npz_names, npz_texts
from netsheet.data.class_folders import of_part
from netsheet.data.datasets import split_name
from netsheet.data.known_classes import KnownClasses
from netsheet.data.own.division import divided
from netsheet.data.own.pictures import (
    LOOKED_AT,
    LeftOut,
    Pictures,
    class_files,
    form_of,
    form_seen,
    read_pictures,
)
from netsheet.data.own.preparation import Preparation, kept_preparation
from netsheet.data.own.twins import Twins, groups, near_twins, same_pictures
from netsheet.data.raw_set import Progress, RawSet
from netsheet.data.sources import CLASS_NAMES, NAMES, PREPARATION, parts_in, raw_set
from netsheet.equations import Tensor
from netsheet.errors import NetsheetError, UsageError
from netsheet.files import atomic

Array = npt.NDArray[Any]

UNEVEN = 10  # so many times as many pictures of one class as of another are said


@dataclass(frozen=True)
class Wanted:
    """What a set is asked to be; None where it is decided from what there is.

    ``share`` of every class is to train with, the rest to test with.
    """

    size: tuple[int, int] | None = None  # height, width
    grey: bool = False
    fit: str = "auto"
    invert: str | None = None
    share: float | None = None
    seed: int = 0
    keep_twins: bool = False

    def __post_init__(self) -> None:
        if self.share is not None and not 0 < self.share < 1:
            raise UsageError(f"--split is a share between 0 and 1, not {self.share:g}.")
        if self.seed < 0:
            raise UsageError(f"--seed must be 0 or more, not {self.seed}.")


@dataclass(eq=False)
class OwnSet:
    """Samples with classes, and what was found on the way.

    ``train`` says which samples are to train with, None where the set is not divided.
    """

    name: str
    x: Array
    y: Array
    names: list[str]
    class_names: list[str]
    train: Array | None = None
    form: Preparation | None = None
    done: dict[str, int] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    same: list[Twins] = field(default_factory=list)
    near: list[Twins] = field(default_factory=list)

    @property
    def counts(self) -> list[tuple[str, int, int]]:
        """Of each class its name, its samples to train with, and those to test with."""
        train = np.ones(len(self.y), bool) if self.train is None else self.train
        return [
            (name, int((train & (self.y == n)).sum()), int((~train & (self.y == n)).sum()))
            for n, name in enumerate(self.class_names)
        ]

    @property
    def parts(self) -> dict[str, Array]:
        """Which samples belong to which part: ``train`` and ``test``, or one without a name."""
        if self.train is None:
            return {"": np.ones(len(self.x), bool)}
        return {"train": self.train, "test": ~self.train}

    def write(self, target: Path) -> None:
        """The .npz that other commands take: x and y, or those of both parts; names; the form.

        Raises:
            NetsheetError: it cannot be written; the old file is left.
        """
        arrays: dict[str, Array] = {CLASS_NAMES: np.array(self.class_names)}
        names = np.array(self.names)
        for part, own in self.parts.items():
            end = f"_{part}" if part else ""
            arrays |= {f"x{end}": self.x[own], f"y{end}": self.y[own]}
            arrays[f"{NAMES}{end}"] = names[own]
        if self.form is not None:
            arrays[PREPARATION] = np.array(self.form.to_json())
        with atomic(target) as place, place.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def own_set(
    source: str, wanted: Wanted, label: str | None = None, progress: Progress | None = None
) -> OwnSet:
    """The data set that ``source`` makes: a folder of pictures, or anything of ``--data``.

    Raises:
        NetsheetError: there is nothing to learn from in it; the text says what to do.
    """
    where, named, number = split_name(source)
    if number is not None:
        raise UsageError(f"{source}: is one sample; a set is made of all: leave out its number.")
    parts: list[str] = [] if named else parts_in(where)
    if len(parts) > 1 and wanted.share is not None:
        raise UsageError(
            f"{source}: is split already ({', '.join(parts)}): leave out --split, or take one part "
            f"as {source}#train."
        )
    path, form = Path(where), None
    found: list[OwnSet] = []
    named_parts: list[str | None] = [*parts] if parts else [named]
    for part in named_parts:
        found.append(_part(where, part, form, wanted, label, progress))
        form = found[0].form
        if parts:
            found[-1].train = np.full(len(found[-1].x), part == "train")
    made = found[0]
    for other in found[1:]:
        made = _joined(made, other)
    made.name = path.name
    if len(made.class_names) < 2 or len(np.unique(made.y)) < 2:
        only = made.class_names[int(made.y[0])] if made.class_names else "?"
        raise NetsheetError(
            f"{source}: all samples are of one class ({only}): a network learns to tell classes "
            "apart. Add a folder of what is something else."
        )
    made = _without_twins(made, wanted)
    if wanted.share is not None:
        group = groups(len(made.y), made.near)
        made.train = divided(made.y, group, wanted.share, wanted.seed)
    return made


def _part(
    source: str,
    part: str | None,
    form: Preparation | None,
    wanted: Wanted,
    label: str | None,
    progress: Progress | None,
) -> OwnSet:
    """One part of a source, or all of it; in a form that another part has got, if there is one."""
    path = Path(source)
    if path.is_dir() and not _arrays_in(path):
        found = class_files(of_part(path, part)[0] if part else path)
        form = form or form_of([one for one, _ in found.files], wanted, source)
        return _of_pictures(read_pictures(found, form, progress), form)
    tensor = Tensor("sample", ("height", "width", "channel"), _open_shape(wanted))
    raw = raw_set(source, tensor, KnownClasses(), label, None, progress, part)
    return _of_raw(source, raw, form, wanted)


def _arrays_in(folder: Path) -> bool:
    """True for a folder of IDX or .npy files."""
    from netsheet.data.arrays import is_idx

    return any(item.suffix == ".npy" or is_idx(item) for item in folder.iterdir() if item.is_file())


def _open_shape(wanted: Wanted) -> Any:
    height, width = wanted.size or (None, None)
    return (height, width, 1 if wanted.grey or wanted.size else None)


def _of_pictures(found: Pictures, form: Preparation) -> OwnSet:
    return OwnSet(
        "", found.x, found.y, found.names, found.class_names, None, form, found.done,
        found.left_out,
    )  # fmt: skip


def _of_raw(source: str, raw: RawSet, form: Preparation | None, wanted: Wanted) -> OwnSet:
    if raw.y is None:
        raise NetsheetError(
            f"{source}: has no labels; put them beside the samples (y beside x, a column of the "
            "table, or a folder for each class)."
        )
    if len(raw.y) != len(raw.x):
        raise NetsheetError(f"{source}: has {len(raw.x)} samples, but {len(raw.y)} labels.")
    y, class_names = _classes(source, raw)
    names = list(raw.names) or [f"#{n}" for n in range(len(y))]
    x = _as_pictures(raw, wanted)
    if x is None:
        if wanted.size is not None:
            raise UsageError(
                f"{source}: has {raw.x[0].size} values in a sample, which are no pictures of "
                f"{wanted.size[1]}x{wanted.size[0]}; leave out --size for a table."
            )
        return OwnSet("", raw.x, y, names, class_names)
    form = form or _kept(source, wanted) or form_seen(list(x[:LOOKED_AT]), wanted, source)
    done: dict[str, int] = {}
    made = np.empty((len(x), form.height, form.width, form.channels), np.uint8)
    for number, picture in enumerate(x):
        made[number], how = form.of(_in_channels(picture, form.channels), names[number])
        more = ", ".join(how) or "as they are"
        done[more] = done.get(more, 0) + 1
    return OwnSet("", made, y, names, class_names, None, form, done)


def _kept(source: str, wanted: Wanted) -> Preparation | None:
    """How the pictures of a set were prepared before, where nothing else is asked for."""
    before = kept_form(Path(source))
    if before is None or wanted.fit != "auto" or wanted.invert is not None:
        return None
    return before if wanted.size in (None, (before.height, before.width)) else None


def _classes(source: str, raw: RawSet) -> tuple[Array, list[str]]:
    """Numbers of classes, and their names."""
    y = np.asarray(raw.y)
    flat = y.reshape(len(y), -1)
    if flat.shape[1] > 1:
        if not (np.isin(flat, (0, 1)).all() and (flat.sum(1) == 1).all()):
            raise NetsheetError(f"{source}: its labels are no classes: {flat.shape[1]} numbers.")
        flat = flat.argmax(1)[:, None]
    numbers = flat[:, 0]
    if not np.equal(np.mod(numbers, 1), 0).all() or numbers.min() < 0:
        raise NetsheetError(f"{source}: the labels are no classes (0, 1, 2, ...).")
    whole = numbers.astype(np.int64)
    count = max(int(whole.max()) + 1, len(raw.class_names or ()))
    return whole, list(raw.class_names or map(str, range(count)))


def _as_pictures(raw: RawSet, wanted: Wanted) -> Array | None:
    """Samples as pictures of (rows, columns, channels) in bytes; None for a table."""
    x = raw.x
    if x.ndim == 2 and wanted.size is not None:
        height, width = wanted.size
        channels = x.shape[1] // (height * width)
        if channels in (1, 3) and channels * height * width == x.shape[1]:
            x = x.reshape(len(x), height, width, channels)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4:
        return None
    if x.shape[-1] not in (1, 3) and x.shape[1] in (1, 3):
        x = np.moveaxis(x, 1, -1)
    if x.dtype != np.uint8:
        low, high = float(x.min()), float(x.max())
        if low < 0 or high > 255:
            return None
        x = np.round(x * (255 if high <= 1 else 1)).astype(np.uint8)
    return x if x.shape[-1] in (1, 3) else None


def _in_channels(picture: Array, channels: int) -> Array:
    from PIL import Image as Pillow

    if picture.shape[-1] == channels:
        return picture
    if channels == 3:
        return np.repeat(picture, 3, axis=-1)
    return np.asarray(Pillow.fromarray(picture).convert("L"))[..., None]


def _joined(one: OwnSet, other: OwnSet) -> OwnSet:
    """Both parts of a set that is split."""
    if one.class_names != other.class_names:
        raise NetsheetError(
            f"the parts have different classes: {', '.join(one.class_names[:8])}, and "
            f"{', '.join(other.class_names[:8])}; name their folders alike."
        )
    if one.x.shape[1:] != other.x.shape[1:] or one.form != other.form:
        raise NetsheetError("the parts have pictures of different forms: say --size and --fit.")
    assert one.train is not None and other.train is not None
    done = {name: one.done.get(name, 0) + other.done.get(name, 0)
            for name in {**one.done, **other.done}}  # fmt: skip
    return replace(
        one, x=np.concatenate([one.x, other.x]), y=np.concatenate([one.y, other.y]),
        names=[*one.names, *other.names], train=np.concatenate([one.train, other.train]),
        done=done, left_out=[*one.left_out, *other.left_out],
    )  # fmt: skip


def _without_twins(made: OwnSet, wanted: Wanted) -> OwnSet:
    """Of pictures that are there twice, one is kept; of those that lie in two classes, none."""
    if made.form is None:
        return made
    same = same_pictures(made.x)
    gone: set[int] = set()
    told: list[LeftOut] = []
    for pair in [] if wanted.keep_twins else same:
        first, second = made.names[pair.first], made.names[pair.second]
        if made.y[pair.first] == made.y[pair.second]:
            told.append(LeftOut(second, f"{second}: the same picture as {first}"))
        else:
            for one, other in ((second, first), (first, second)):
                text = f"{one}: the same picture as {other}, which is in another class"
                told.append(LeftOut(one, text))
            gone.add(pair.first)
        gone.add(pair.second)
    keep = np.array([n for n in range(len(made.x)) if n not in gone], int)
    if len(np.unique(made.y[keep])) < 2:
        raise NetsheetError(
            f"{made.name}: of {len(made.x)} pictures only {len(keep)} are left, of one class at "
            f"most: {told[0].text}. Put each picture into the folder of its class; "
            "--keep-duplicates takes all as they are."
        )
    left = _only(made, keep)
    left.left_out = [*made.left_out, *dict.fromkeys(told)]
    left.same = same
    left.near = near_twins(left.x, left.y)
    return left


def _only(made: OwnSet, keep: Array) -> OwnSet:
    return replace(
        made, x=made.x[keep], y=made.y[keep], names=[made.names[n] for n in keep],
        train=None if made.train is None else made.train[keep],
    )  # fmt: skip


def across(made: OwnSet) -> list[tuple[str, str]]:
    """Names of pictures that are nearly alike, one to train with and one to test with."""
    if made.train is None:
        return []
    return [
        (made.names[pair.first], made.names[pair.second])
        for pair in made.near
        if made.train[pair.first] != made.train[pair.second]
    ]


def rarest(made: OwnSet) -> tuple[tuple[str, int], tuple[str, int]] | None:
    """The rarest and the commonest class with their samples, where they are far apart."""
    totals = [(name, train + test) for name, train, test in made.counts if train + test]
    low, high = min(totals, key=lambda one: one[1]), max(totals, key=lambda one: one[1])
    return (low, high) if low[1] * UNEVEN < high[1] else None


def as_json(made: OwnSet) -> dict[str, Any]:
    """What was made, as plain data."""
    return {
        "samples": len(made.x), "shape": list(made.x.shape[1:]),
        "preparation": None if made.form is None else json.loads(made.form.to_json()),
        "done": made.done,
        "classes": [{"name": n, "train": a, "test": b} if made.train is not None
                    else {"name": n, "samples": a} for n, a, b in made.counts],
        "left_out": [{"name": one.name, "why": one.text} for one in made.left_out],
        "nearly_alike": [[made.names[p.first], made.names[p.second]] for p in made.near],
        "nearly_alike_across": [list(pair) for pair in across(made)],
    }  # fmt: skip


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def kept_form(path: Path) -> Preparation | None:
    """How the pictures of a set (.npz) were prepared; None where it does not say.

    Raises:
        FormatError: what it says is damaged.
    """
    if path.suffix.lower() != ".npz" or PREPARATION not in npz_names(path):
        return None
    (kept,) = npz_texts(path, PREPARATION)
    return kept_preparation(kept, str(path))
