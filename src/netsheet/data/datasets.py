"""Many samples with their labels: from folders, arrays, CSV, or by name."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.data.arrays import (
    csv_numbers,
    is_idx,
    npz_names,
    read_idx,
    read_npy,
    read_npz,
    readable,
)
from netsheet.data.download import KNOWN, fetch
from netsheet.data.fit import picture, shaped_batch, taken, text
from netsheet.data.ground import warn_of_inversion
from netsheet.data.images import SUFFIXES
from netsheet.data.inputs import InputValue, Sample, quantised_text
from netsheet.data.named_arrays import NamedArrays, beside, named_arrays
from netsheet.data.scaling import Scaling, decided
from netsheet.data.tables import columns_of, read_table, text_of
from netsheet.errors import FormatError, NetsheetError, UnsupportedError, UsageError
from netsheet.network import Network

if TYPE_CHECKING:
    from netsheet.equations import Tensor

Array = npt.NDArray[Any]
Progress = Callable[[int, int], None]

# A CIFAR-10 record: a label, then 32x32 pixels of red, of green and of blue.
CIFAR_RECORD, CIFAR_SHAPE, CIFAR_TEST = 3073, (3, 32, 32), "test_batch.bin"
SETS = (("t10k", "the test set"), ("test", "the test set"), ("train", "the training set"))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with a batch axis, and their labels.

    ``x`` are scaled: float32, or whole numbers for a quantised input. ``y`` are classes
    (integers), one-hot rows or targets, None where the source has none. ``raw`` are the values
    before ``scaling``. ``names`` say where each sample came from.
    """

    name: str
    x: Array
    y: Array | None
    class_names: list[str] | None = None
    note: str = ""
    names: Sequence[str] = field(default_factory=list)
    raw: Array | None = None
    scaling: Scaling | None = None
    sample_weight: Array | None = None  # of each sample in the loss, where the source has them

    def __len__(self) -> int:
        return len(self.x)

    def label(self, number: int) -> int | None:
        """The class of a sample; None where the labels are no classes."""
        if self.y is None:
            return None
        y = np.squeeze(self.y[number])
        if y.ndim == 0 and float(y).is_integer():
            return int(y)
        one_hot = y.ndim == 1 and np.isin(y, (0, 1)).all() and y.sum() == 1
        return int(y.argmax()) if one_hot else None

    def sample(self, number: int, inputs: Sequence[Tensor]) -> Sample:
        """One sample alone, as :func:`netsheet.data.inputs.read_input` gives it.

        Raises:
            UsageError: there is no such sample.
        """
        if not 0 <= number < len(self):
            raise UsageError(f"{self.name}: has the samples 0 .. {len(self) - 1}, not {number}.")
        raw = None if self.raw is None else self.raw[number]
        value = InputValue(self.x[number], raw, self.scaling)
        name = self.names[number] if self.names else f"{self.name}#{number}"
        return Sample(name, {inputs[0].name: value}, self.label(number), self.note)


@dataclass(frozen=True, eq=False)
class _Found:
    """What a source holds, before it is fitted to the network."""

    x: Array
    y: Array | None
    note: str
    class_names: list[str] | None = None
    names: Sequence[str] = ()
    weights: Array | None = None  # of the samples in a loss
    pictures: bool = False  # pixels, whatever the network's input looks like


def read_dataset(
    spec: str | Path,
    inputs: Network | Sequence[Tensor],
    scaling: Scaling | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    label: str | None = None,
) -> Dataset:
    """The samples that ``spec`` names, in the shape of the network's input.

    ``spec`` is a folder of IDX files (the test set, where it has one), a folder with a folder of
    pictures for each class, an .npz with x and y (and sample_weight), x.npy with y.npy beside it,
    or a folder of both, a CSV of one sample a row (its label in the
    column that ``label`` names, or that is found out), or ``mnist``, ``fashion_mnist`` or
    ``cifar10``. How values are scaled is decided from the network and from all samples, whatever
    ``limit`` is, unless ``scaling`` says (:mod:`netsheet.data.scaling`).

    Raises:
        NetsheetError: nothing of that, or samples of another shape than the input's.
    """
    network = inputs if isinstance(inputs, Network) else None
    tensors = inputs.inputs if isinstance(inputs, Network) else inputs
    if len(tensors) != 1:
        raise UnsupportedError(
            f"{spec}: the network has {len(tensors)} inputs; a data set gives one. "
            "Call evaluate() of the Python API with an array for each."
        )
    if limit is not None and limit < 1:
        raise UsageError(f"the number of samples must be at least 1, not {limit}.")
    found = _found(spec, tensors[0], _classes(network), label, limit, progress)
    name = str(spec)
    if found.y is not None and len(found.y) != len(found.x):
        raise FormatError(f"{spec}: has {len(found.x)} samples, but {len(found.y)} labels.")
    if found.weights is not None and len(found.weights) != len(found.x):
        raise FormatError(
            f"{spec}: has {len(found.x)} samples, but {len(found.weights)} sample weights."
        )
    used = scaling or decided(network, tensors[0], found.x, found.pictures)
    raw = shaped_batch(found.x[:limit], tensors[0], name)
    warn_of_inversion(network, tensors[0], raw, Path(name).name, scaling, found.pictures)
    x = taken(raw, used, tensors[0])
    y, alike = _targets(found, limit, used)
    how = ", ".join(filter(None, (str(used), quantised_text(tensors[0]))))
    note = f"{found.note}: {len(x):,} samples {text(x.shape[1:])}, {how}{alike}"
    return Dataset(
        Path(name).name, x, y, found.class_names, note, found.names[:limit],
        raw if used.changes else None, used,
        None if found.weights is None else found.weights[:limit],
    )  # fmt: skip


def _classes(network: Network | None) -> int | None:
    """How many classes the network tells apart, 2 for one output; None where that is unknown."""
    if network is None or len(network.outputs) != 1 or not network.outputs[0].shape:
        return None
    size: int | None = network.outputs[0].shape[-1]
    return 2 if size == 1 else size


def _targets(found: _Found, limit: int | None, used: Scaling) -> tuple[Array | None, str]:
    """Labels; pictures that are compared with pictures are scaled as those."""
    if found.y is None:
        return None, ""
    y = found.y[:limit]
    if used.changes and found.y.shape == found.x.shape and found.y.dtype == found.x.dtype:
        values = y.astype(np.float64)
        values = 255 - values if used.invert else values
        if len(used.mean) == len(used.std) == 1:
            y = ((values * used.scale - used.mean[0]) / used.std[0]).astype(np.float32)
            return y, "; the targets, of the same shape, alike"
    return _labels(y), ""


def _found(
    spec: str | Path,
    tensor: Tensor,
    classes: int | None,
    label: str | None,
    limit: int | None,
    progress: Progress | None,
) -> _Found:
    path = Path(spec)
    if path.is_dir():
        if any(is_idx(item) for item in sorted(path.iterdir()) if item.is_file()):
            return _idx_folder(path)
        arrays = named_arrays([item.stem for item in sorted(path.glob("*.npy"))])
        if arrays is not None:
            return _npy_files(path, arrays)
        return _class_folders(path, tensor, classes, limit, progress)
    name = str(spec).lower().replace("-", "_")
    if not path.exists() and name in KNOWN:
        return _known(name, progress)
    if not path.exists():
        raise NetsheetError(
            f"{spec}: no such file or folder, and not one of the data sets {', '.join(KNOWN)}."
        )
    if path.suffix.lower() == ".npz":
        return _npz(path)
    if path.suffix.lower() == ".npy":
        return _npy_files(path.parent, beside(path))
    if path.suffix.lower() in (".csv", ".tsv", ".data", ".txt"):
        return _csv(path, tensor, classes, label)
    if is_idx(path):
        return _idx_pair(path, path.name)
    raise UsageError(
        f"{path}: not a data set that netsheet reads; give a folder of IDX files or of one folder "
        "of pictures for each class, an .npz, a .npy (its labels beside it), a .csv, or one of "
        f"{', '.join(KNOWN)}."
    )


def _idx_folder(folder: Path) -> _Found:
    """The test set of a folder of IDX files, else its training set."""
    files = [item for item in sorted(folder.iterdir()) if item.is_file() and is_idx(item)]
    images = [item for item in files if "label" not in item.name.lower()]
    for prefix, what in SETS:
        for item in images:
            if item.name.lower().startswith(prefix):
                return _idx_pair(item, f"{folder.name}, {what}")
    if len(images) == 1:
        return _idx_pair(images[0], folder.name)
    names = ", ".join(item.name for item in files)
    raise NetsheetError(
        f"{folder}: which of its IDX files are the samples? It has {names}; "
        "name them t10k-images... and t10k-labels..., or give the file itself."
    )


def _idx_pair(images: Path, note: str) -> _Found:
    """An IDX file of samples with the file of labels beside it, gzip or not."""
    stem = images.name.removesuffix(".gz").replace("images", "labels")
    stem = stem.replace("idx3", "idx1").replace("idx4", "idx1").replace("idx2", "idx1")
    beside = [images.with_name(stem), images.with_name(f"{stem}.gz")]
    labels = next((p for p in beside if p != images and p.is_file()), None)
    return _Found(
        read_idx(images), None if labels is None else read_idx(labels), note, pictures=True
    )


def _npz(path: Path) -> _Found:
    """Samples, labels and weights under any of the usual names, those of a test set first."""
    names = npz_names(path)
    found = named_arrays(names)
    if found is None:
        raise NetsheetError(
            f"{path}: has the arrays {', '.join(names) or 'none'}; samples are expected as x and "
            "y, or x_test and y_test."
        )
    return _of_names(found, read_npz(path, found.all), f"{path.name}, {found}")


def _npy_files(folder: Path, found: NamedArrays) -> _Found:
    """Samples in a .npy file, with the files of labels and weights beside it."""
    arrays = {name: read_npy(folder / f"{name}.npy") for name in found.all}
    return _of_names(found, arrays, ", ".join(f"{name}.npy" for name in found.all))


def _of_names(found: NamedArrays, arrays: dict[str, Array], note: str) -> _Found:
    y = None if found.y is None else arrays[found.y]
    weights = None if found.weights is None else arrays[found.weights]
    return _Found(arrays[found.x], y, note, weights=weights)


def _csv(path: Path, tensor: Tensor, classes: int | None, label: str | None) -> _Found:
    """A sample a row; which column is its label is found out (:mod:`netsheet.data.tables`)."""
    table = read_table(readable(path))
    width, size = len(table.rows[0]), tensor.size if None not in tensor.shape else None
    for number, row in enumerate(table.rows, 2 if table.heading else 1):
        if len(row) != width:
            raise FormatError(f"{path}: row {number} has {len(row)} cells, the first has {width}.")
    columns = columns_of(table, size, classes, label)
    values = [[row[n] for n in columns.values] for row in table.rows]
    if columns.pixels:
        values = [row[0].split() for row in values]
    if not values[0]:
        raise NetsheetError(f"{path}: its rows have a label, but no values.")
    x = csv_numbers(path, values, bool(table.heading))
    note = f"{path.name}, {columns.why}"
    if not columns.labels:
        return _Found(x, None, note, pictures=columns.pixels)
    if len(columns.labels) > 1:
        y = csv_numbers(path, [[row[n] for n in columns.labels] for row in table.rows], True)
        return _Found(x, y.astype(np.float64), note)
    labels = [row[columns.labels[0]].strip() for row in table.rows]
    try:
        return _Found(x, np.array(labels, np.float64), note, pictures=columns.pixels)
    except ValueError:  # names of classes
        names = sorted(set(labels))
        y = np.array([names.index(one) for one in labels])
        return _Found(x, y, f"{note}: {', '.join(names[:10])}", names, pictures=columns.pixels)


def _class_folders(
    folder: Path,
    tensor: Tensor,
    outputs: int | None,
    limit: int | None,
    progress: Progress | None,
) -> _Found:
    """Pictures in one folder for each class, at any depth, the classes in the order of their names.

    As Keras's ``image_dataset_from_directory``, names that begin with a dot are passed by.
    """
    numbers = _folder_numbers(folder, outputs)
    classes = list(numbers)
    files = [
        (item, numbers[name])
        for name in classes
        for item in sorted((folder / name).rglob("*"))
        if item.suffix.lower() in SUFFIXES and not _hidden(item.relative_to(folder))
    ]
    if not files:
        raise NetsheetError(
            f"{folder}: has neither IDX files nor folders of pictures, one for each class."
        )
    if limit is not None and limit < len(files):  # of every class
        chosen = np.linspace(0, len(files) - 1, limit).round().astype(int)
        files = [files[i] for i in chosen]
    pixels: list[Array] = []
    for done, (item, _) in enumerate(files, 1):
        pixels.append(picture(item, tensor)[0])
        if pixels[-1].shape != pixels[0].shape:
            raise NetsheetError(
                f"{item}: is {text(pixels[-1].shape)}, the first picture {text(pixels[0].shape)}; "
                "this network takes any size, but all of one data set must have the same."
            )
        if progress is not None:
            progress(done, len(files))
    y = np.array([number for _, number in files])
    names = [str(item.relative_to(folder)) for item, _ in files]
    note = f"{folder.name}, {len(classes)} classes"
    return _Found(np.stack(pixels), y, note, classes, names, pictures=True)


def _hidden(path: Path) -> bool:
    """True for what programs leave behind: ``.ipynb_checkpoints``, ``__MACOSX``, ``._a.png``."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _folder_numbers(folder: Path, outputs: int | None) -> dict[str, int]:
    """The folders' names with their classes: in the order of labels.txt, of numbers or of names."""
    names = sorted(
        item.name for item in folder.iterdir() if item.is_dir() and not _hidden(Path(item.name))
    )
    listed = folder / "labels.txt"
    if listed.is_file():
        order = [re.sub(r"^\d+[ :,]\s*", "", line.strip()) for line in text_of(listed).splitlines()]
        order = [name for name in order if name]
        missing = [name for name in names if name not in order]
        if missing:
            raise NetsheetError(f"{listed}: does not list the folder {missing[0]!r}.")
        return {name: order.index(name) for name in order if name in names}
    if outputs is None or len(names) in (outputs, 0):
        return {name: number for number, name in enumerate(names)}
    if all(name.isdecimal() and int(name) < outputs for name in names):
        return {name: int(name) for name in names}
    raise NetsheetError(
        f"{folder}: has {len(names)} folders of classes ({', '.join(names[:8])}), but the network "
        f"tells {outputs} apart: which are they? List all classes in their order in {listed}."
    )


def _known(name: str, progress: Progress | None) -> _Found:
    folder = fetch(name, progress)
    found = _cifar10(folder / KNOWN[name].files[0].name) if name == "cifar10" else None
    found = found or _idx_folder(folder)
    return _Found(found.x, found.y, found.note, list(KNOWN[name].classes), pictures=True)


def _cifar10(archive: Path) -> _Found:
    """The test batch of the binary archive."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.isfile() and Path(member.name).name == CIFAR_TEST:
                    file = tar.extractfile(member)
                    data = file.read(CIFAR_RECORD * 10_000 + 1) if file else b""
                    break
            else:
                raise FormatError(f"{archive}: has no {CIFAR_TEST}.")
    except (OSError, EOFError, tarfile.TarError) as error:
        raise FormatError(f"{archive}: damaged: {error}; delete it to fetch it again.") from error
    if not data or len(data) % CIFAR_RECORD:
        raise FormatError(f"{archive}: {CIFAR_TEST} is damaged: {len(data):,} bytes.")
    records = np.frombuffer(data, np.uint8).reshape(-1, CIFAR_RECORD)
    x = records[:, 1:].reshape(-1, *CIFAR_SHAPE).transpose(0, 2, 3, 1)
    return _Found(x, records[:, 0], "cifar10, the test set")


def _labels(y: Array) -> Array:
    """Whole numbers as int64, a column as a row; everything else as float32."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    whole = y.dtype.kind in "iub" or (y.ndim == 1 and y.size and bool((y == np.round(y)).all()))
    return y.astype(np.int64 if whole and y.ndim == 1 else np.float32)
