"""Many samples with their labels: from folders, arrays, CSV, or by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.data.fit import shaped_batch, taken, text
from netsheet.data.ground import warn_of_inversion
from netsheet.data.inputs import InputValue, Sample, quantised_text
from netsheet.data.known_classes import KnownClasses
from netsheet.data.own.preparation import trained_form
from netsheet.data.raw_set import Progress, RawSet, as_labels
from netsheet.data.scaling import Scaling, decided
from netsheet.data.sources import raw_set
from netsheet.engine.table_rows import check_table_rows
from netsheet.errors import FormatError, UnsupportedError, UsageError
from netsheet.network import Network

if TYPE_CHECKING:
    from netsheet.equations import Tensor

Array = npt.NDArray[Any]


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
    preparation: str = ""  # what was done to its pictures when the set was made, as text
    resized: int = 0  # pictures that had another size than the network takes

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

    def only(self, number: int) -> Dataset:
        """The set of one of its samples.

        Raises:
            UsageError: there is no such sample.
        """
        self._check(number)
        one = slice(number, number + 1)
        every = list(self.names) or [f"{self.name}#{n}" for n in range(len(self))]
        parts = {
            name: None if value is None else value[one]
            for name, value in (("y", self.y), ("raw", self.raw), ("weight", self.sample_weight))
        }
        return replace(
            self, x=self.x[one], y=parts["y"], raw=parts["raw"], names=every[one],
            sample_weight=parts["weight"],
        )  # fmt: skip

    def _check(self, number: int) -> None:
        if not 0 <= number < len(self):
            raise UsageError(f"{self.name}: has the samples 0 .. {len(self) - 1}, not {number}.")

    def sample(self, number: int, inputs: Sequence[Tensor]) -> Sample:
        """One sample alone, as :func:`netsheet.data.inputs.read_input` gives it.

        Raises:
            UsageError: there is no such sample.
        """
        self._check(number)
        raw = None if self.raw is None else self.raw[number]
        value = InputValue(self.x[number], raw, self.scaling)
        name = self.names[number] if self.names else f"{self.name}#{number}"
        return Sample(name, {inputs[0].name: value}, self.label(number), self.note)


def read_dataset(
    spec: str | Path,
    inputs: Network | Sequence[Tensor],
    scaling: Scaling | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    label: str | None = None,
    part: str | None = None,
    usual: str = "test",
) -> Dataset:
    """The samples that ``spec`` names, in the shape of the network's input.

    ``spec`` is a folder of IDX files (the test set, where it has one), a folder with a folder of
    pictures for each class, an .npz with x and y (and sample_weight), x.npy with y.npy beside it,
    or a folder of both, a CSV of one sample a row (its label in the
    column that ``label`` names, or that is found out), or ``mnist``, ``fashion_mnist`` or
    ``cifar10``. Of a set that is split, ``part`` is ``train`` or ``test`` (else the ``usual``
    one is taken); ``mnist#train`` says so in the name, ``mnist#train:0`` takes one sample. How
    values are scaled is decided from the network and from all samples, whatever ``limit`` is,
    unless ``scaling`` says (:mod:`netsheet.data.scaling`). Pictures in folders are prepared as
    those that the network was trained with, where its file says how.

    Raises:
        NetsheetError: nothing of that, or samples of another shape than the input's.
    """
    network = inputs if isinstance(inputs, Network) else None
    tensors = inputs.inputs if isinstance(inputs, Network) else inputs
    if len(tensors) != 1:
        raise UnsupportedError(
            f"{spec}: the network has {len(tensors)} inputs; a data set gives one. "
            "netsheet evaluate takes an .npz with an array for each, by name."
        )
    if limit is not None and limit < 1:
        raise UsageError(f"the number of samples must be at least 1, not {limit}.")
    where, part, number = split_name(spec, part)
    limit = limit if number is None else None
    known = KnownClasses(
        class_total(network), () if network is None else network.class_names, usual == "train"
    )
    form = trained_form(network)
    found = raw_set(where, tensors[0], known, label, limit, progress, part, form, usual)
    name = str(where)
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
    if network is not None:
        check_table_rows(network, {tensors[0].name: x})
    y, alike = _targets(found, limit, used)
    how = ", ".join(filter(None, (str(used), quantised_text(tensors[0]))))
    note = f"{found.note}: {len(x):,} samples {text(x.shape[1:])}, {how}{alike}"
    dataset = Dataset(
        Path(name).name, x, y, found.class_names, note, found.names[:limit],
        raw if used.changes else None, used,
        None if found.weights is None else found.weights[:limit], found.preparation,
        found.resized,
    )  # fmt: skip
    return dataset if number is None else dataset.only(number)


_NAMED_PART = re.compile(r"(.+)#(?:(train|test|validation)(?::(\d+))?|(\d+))\Z")


def split_name(spec: str | Path, part: str | None = None) -> tuple[str, str | None, int | None]:
    """``mnist#train:0`` as the source, its part and the sample; a file of such a name is itself."""
    found = _NAMED_PART.match(str(spec))
    if found is None or Path(spec).exists():
        return str(spec), part, None
    source, named, inner, alone = found.groups()
    number = inner or alone
    return source, named or part, None if number is None else int(number)


def class_total(network: Network | None) -> int | None:
    """How many classes the network tells apart, 2 for one output; None where that is unknown."""
    if network is None or len(network.outputs) != 1 or not network.outputs[0].shape:
        return None
    size: int | None = network.outputs[0].shape[-1]
    return 2 if size == 1 else size


def _targets(found: RawSet, limit: int | None, used: Scaling) -> tuple[Array | None, str]:
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
    return as_labels(y), ""
