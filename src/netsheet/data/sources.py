"""Where samples come from: IDX files, arrays, CSV, folders of pictures, or sets known by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.data.arrays import (
    csv_numbers,
    is_idx,
    npz_names,
    npz_texts,
    read_idx,
    read_npy,
    read_npz,
    readable,
)
from netsheet.data.class_folders import class_folders, parts_of
from netsheet.data.download import KNOWN, fetch
from netsheet.data.known_classes import KnownClasses
from netsheet.data.named_arrays import NamedArrays, beside, named_arrays
from netsheet.data.other_files import refuse_known
from netsheet.data.raw_set import Progress, RawSet
from netsheet.data.tables import Rows, all_numbers, columns_of, read_table
from netsheet.errors import FormatError, NetsheetError, UsageError

if TYPE_CHECKING:
    from netsheet.data.own.preparation import Preparation
    from netsheet.equations import Tensor

Array = npt.NDArray[Any]

# A CIFAR-10 record: a label, then 32x32 pixels of red, of green and of blue.
CIFAR_RECORD, CIFAR_SHAPE, CIFAR_TEST = 3073, (3, 32, 32), "test_batch.bin"
CIFAR_TRAIN = [f"data_batch_{n}.bin" for n in range(1, 6)]
TABLES = (".csv", ".tsv", ".data", ".txt")
CLASS_NAMES = "class_names"  # the array of an .npz that says what the classes are called
NAMES = "names"  # and the one that says where each sample came from, that of a part as x is named
PREPARATION = "preparation"  # and the text that says what was done to the pictures
SETS = (("t10k", "the test set"), ("test", "the test set"), ("train", "the training set"))


def raw_set(
    spec: str | Path,
    tensor: Tensor,
    known: KnownClasses,
    label: str | None,
    limit: int | None = None,
    progress: Progress | None = None,
    part: str | None = None,
    form: Preparation | None = None,
    usual: str = "test",
) -> RawSet:
    """What ``spec`` holds (:func:`netsheet.data.datasets.read_dataset` says what that may be).

    ``part`` is ``train`` or ``test`` where a source has both; without it the ``usual`` one is
    taken. ``known``: of the classes that labels name. ``form``: how pictures in folders are
    prepared.

    Raises:
        NetsheetError: there is no such source, or no such part of it.
    """
    path = Path(spec)
    if path.is_dir():
        if any(is_idx(item) for item in sorted(path.iterdir()) if item.is_file()):
            return _idx_folder(path, part, usual)
        stems = [item.stem for item in sorted(path.glob("*.npy"))]
        arrays = named_arrays(stems, part=part, usual=usual)
        if arrays is not None:
            return known.numbered(_npy_files(path, arrays), str(path))
        if named_arrays(stems) is not None:
            raise NetsheetError(f"{path}: has no x_{part}.npy; it has {', '.join(stems)}.")
        return class_folders(path, tensor, known, limit, progress, part, form, usual)
    name = str(spec).lower().replace("-", "_")
    if not path.exists() and name in KNOWN:
        return _known(name, progress, part or usual)
    if not path.exists():
        raise NetsheetError(
            f"{spec}: no such file or folder, and not one of the data sets {', '.join(KNOWN)}."
        )
    if path.suffix.lower() == ".npz":
        return known.numbered(_npz(path, part, usual), str(path))
    if part is not None:
        raise NetsheetError(f"{path}: is one set, which has no {part} set of its own.")
    if path.suffix.lower() == ".npy":
        return known.numbered(_npy_files(path.parent, beside(path)), str(path))
    if path.name.lower().removesuffix(".gz").endswith(TABLES):
        return _csv(path, tensor, known, label)
    if is_idx(path):
        return _idx_pair(path, path.name)
    refuse_known(path)
    raise UsageError(
        f"{path}: not a data set that netsheet reads; give a folder of IDX files or of one folder "
        "of pictures for each class, an .npz, a .npy (its labels beside it), a .csv, or one of "
        f"{', '.join(KNOWN)}."
    )


def parts_in(spec: str | Path) -> list[str]:
    """The parts ``train`` and ``test`` that a source has both of; else none."""
    path = Path(spec)
    both = ["train", "test"]
    if path.is_dir():
        if parts_of(path):
            return [part for part in both if part in parts_of(path)]
        names = [item.name.lower() for item in sorted(path.iterdir()) if item.is_file()]
        if any(is_idx(item) for item in sorted(path.iterdir()) if item.is_file()):
            starts = {"train": ("train",), "test": ("t10k", "test")}
            found = [part for part in both if any(n.startswith(starts[part]) for n in names)]
            return found if len(found) > 1 else []
        stems = [item.stem for item in sorted(path.glob("*.npy"))]
    elif path.suffix.lower() == ".npz" and path.is_file():
        stems = npz_names(path)
    else:
        known = str(spec).lower().replace("-", "_") in KNOWN and not path.exists()
        return both if known else []
    return both if all(named_arrays(stems, part=part) for part in both) else []


def _idx_folder(folder: Path, part: str | None, usual: str = "test") -> RawSet:
    """The test set of a folder of IDX files, else its training set; or the part asked for."""
    files = [item for item in sorted(folder.iterdir()) if item.is_file() and is_idx(item)]
    images = [item for item in files if "label" not in item.name.lower()]
    for prefix, what in sorted(SETS, key=lambda one: usual not in one[1]):
        if part is not None and part not in what:
            continue
        for item in images:
            if item.name.lower().startswith(prefix):
                return _idx_pair(item, f"{folder.name}, {what}")
    if part is not None:
        names = ", ".join(item.name for item in files)
        raise NetsheetError(f"{folder}: has no {part} set; it has {names}.")
    if len(images) == 1:
        return _idx_pair(images[0], folder.name)
    names = ", ".join(item.name for item in files)
    raise NetsheetError(
        f"{folder}: which of its IDX files are the samples? It has {names}; "
        "name them t10k-images... and t10k-labels..., or give the file itself."
    )


def _idx_pair(images: Path, note: str) -> RawSet:
    """An IDX file of samples with the file of labels beside it, gzip or not."""
    stem = images.name.removesuffix(".gz").replace("images", "labels")
    stem = stem.replace("idx3", "idx1").replace("idx4", "idx1").replace("idx2", "idx1")
    beside = [images.with_name(stem), images.with_name(f"{stem}.gz")]
    labels = next((p for p in beside if p != images and p.is_file()), None)
    return RawSet(
        read_idx(images), None if labels is None else read_idx(labels), note, pictures=True
    )


def _npz(path: Path, part: str | None, usual: str) -> RawSet:
    """Samples, labels and weights under any of the usual names, those of a test set first."""
    names = npz_names(path)
    found = named_arrays(names, part=part, usual=usual)
    if found is None:
        known = ", ".join(names) or "none"
        expected = f"x_{part} and y_{part}" if part else "x and y, or x_test and y_test"
        raise NetsheetError(f"{path}: has the arrays {known}; samples are expected as {expected}.")
    made = _of_names(found, read_npz(path, found.all, texts=found.y), f"{path.name}, {found}")
    classes = npz_texts(path, CLASS_NAMES) if CLASS_NAMES in names else None
    end = found.x[1:] if found.x[:1] in "xX" else ""
    called = npz_texts(path, NAMES + end) if NAMES + end in names else []
    if len(called) not in (0, len(made.x)):
        raise FormatError(f"{path}: has {len(made.x)} samples, but {len(called)} names.")
    kept = npz_texts(path, PREPARATION) if PREPARATION in names else [""]
    return replace(made, class_names=classes, names=called, preparation=kept[0])


def _npy_files(folder: Path, found: NamedArrays) -> RawSet:
    """Samples in a .npy file, with the files of labels and weights beside it."""
    arrays = {name: read_npy(folder / f"{name}.npy", texts=name == found.y) for name in found.all}
    return _of_names(found, arrays, ", ".join(f"{name}.npy" for name in found.all))


def _of_names(found: NamedArrays, arrays: dict[str, Array], note: str) -> RawSet:
    for name in found.all:
        if not arrays[name].ndim:
            raise FormatError(f"{note}: {name} is a single number, not one for each sample.")
    y = None if found.y is None else arrays[found.y]
    weights = None if found.weights is None else arrays[found.weights]
    return RawSet(arrays[found.x], y, note, weights=weights)


def _csv(path: Path, tensor: Tensor, known: KnownClasses, label: str | None) -> RawSet:
    """A sample a row; which column is its label is found out (:mod:`netsheet.data.tables`)."""
    table = read_table(readable(path))
    width, size = len(table.rows[0]), tensor.size if None not in tensor.shape else None
    for number, row in enumerate(table.rows, table.first):
        if len(row) != width:
            raise FormatError(f"{path}: row {number} has {len(row)} cells, the first has {width}.")
    columns = columns_of(table, size, known.count, label)
    values = [[row[n] for n in columns.values] for row in table.rows]
    if columns.pixels:
        values = [row[0].split() for row in values]
    if not values[0]:
        raise NetsheetError(f"{path}: its rows have a label, but no values.")
    x = csv_numbers(path, values, bool(table.heading))
    note = f"{path.name}, {columns.why}"
    lacking = int((~np.isfinite(x)).sum())
    if lacking:
        note += f"; {lacking:,} values are missing or infinite"
    if not columns.labels:
        return RawSet(x, None, note, pictures=columns.pixels)
    if len(columns.labels) > 1:
        y = csv_numbers(path, [[row[n] for n in columns.labels] for row in table.rows], True)
        return RawSet(x, y.astype(np.float64), note)
    labels = _labels(table, columns.labels[0])
    made = RawSet(x, labels, note, pictures=columns.pixels)
    return made if labels.dtype.kind == "f" else known.numbered(made, str(path))


def _labels(table: Rows, column: int) -> Array:
    """One column as numbers, or as names of classes.

    Raises:
        FormatError: a label is missing, or is a word where others are numbers.
    """
    labels = [row[column].strip() for row in table.rows]
    numbers = [all_numbers([label]) and label.lower() != "nan" for label in labels]
    for number, (label, is_number) in enumerate(zip(labels, numbers, strict=True)):
        if label.lower() in ("", "nan") or (any(numbers) and not is_number):
            raise FormatError(
                f"{table.path}: row {number + table.first}: {label!r} is no label, as others are "
                "numbers or names: leave the row out, or say what it is."
            )
    return np.array(labels, np.float64) if all(numbers) else np.array(labels)


def _known(name: str, progress: Progress | None, part: str) -> RawSet:
    folder = fetch(name, progress, part)
    if name == "cifar10":
        found = _cifar10(folder / KNOWN[name].files[0].name, part)
    else:
        found = _idx_folder(folder, part)
    return replace(found, class_names=list(KNOWN[name].classes), pictures=True)


def _cifar10(archive: Path, part: str) -> RawSet:
    """The test batch of the binary archive, or its five batches to train with."""
    import tarfile

    wanted = [CIFAR_TEST] if part == "test" else CIFAR_TRAIN
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = Path(member.name).name
                if member.isfile() and name in wanted:
                    file = tar.extractfile(member)
                    found[name] = file.read(CIFAR_RECORD * 10_000 + 1) if file else b""
                if len(found) == len(wanted):
                    break
    except (OSError, EOFError, tarfile.TarError) as error:
        raise FormatError(f"{archive}: damaged: {error}; delete it to fetch it again.") from error
    for name in wanted:
        if name not in found:
            raise FormatError(f"{archive}: has no {name}.")
        if not found[name] or len(found[name]) % CIFAR_RECORD:
            raise FormatError(f"{archive}: {name} is damaged: {len(found[name]):,} bytes.")
    data = b"".join(found[name] for name in wanted)
    records = np.frombuffer(data, np.uint8).reshape(-1, CIFAR_RECORD)
    x = records[:, 1:].reshape(-1, *CIFAR_SHAPE).transpose(0, 2, 3, 1)
    what = "the test set" if part == "test" else "the training set"
    return RawSet(x, records[:, 0], f"cifar10, {what}")
