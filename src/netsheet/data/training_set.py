"""Samples to train with: arrays for each input, and what each output should give."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.data.arrays import npz_names, read_npz
from netsheet.data.datasets import Dataset, read_dataset, split_name
from netsheet.data.fit import shaped_batch, taken
from netsheet.data.known_classes import KnownClasses
from netsheet.data.named_arrays import WEIGHTS
from netsheet.data.scaling import Scaling, decided
from netsheet.data.sources import raw_set
from netsheet.engine.goals import targets
from netsheet.equations import Tensor
from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.layer import default_axes
from netsheet.network import Network

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Scaled samples by the names of inputs, targets by the names of outputs.

    ``sample_weight`` says how much each sample counts in the loss, where the source does.
    """

    name: str
    x: dict[str, Array]
    y: dict[str, Array]
    note: str
    sample_weight: Array | None = None
    class_names: Sequence[str] = ()
    preparation: str = ""  # of its pictures, as text

    @property
    def taught(self) -> dict[str, Any]:
        """What a network is to know of its data: its classes' names, how pictures are prepared."""
        found: dict[str, Any] = {"class_names": list(self.class_names)} if self.class_names else {}
        return {**found, "preparation": json.loads(self.preparation)} if self.preparation else found

    def __len__(self) -> int:
        return len(next(iter(self.x.values())))


def new_training_set(
    spec: str, tensor: Tensor, scaling: Scaling | None = None, label: str | None = None
) -> tuple[TrainingSet, int]:
    """Samples for a network that is yet to be made, its targets by the name ``label``.

    Returns:
        The samples, with rows of zeros and a one as targets, and how many classes there are.

    Raises:
        NetsheetError: there are no labels, or they are no classes, or all of one.
    """
    samples = read_dataset(spec, [tensor], scaling, label=label, usual="train")
    if samples.y is None:
        raise NetsheetError(no_labels(samples.name))
    y = np.asarray(samples.y).reshape(len(samples), -1)
    if y.shape[1] == 1:
        if not np.equal(np.mod(y, 1), 0).all() or y.min() < 0:
            raise NetsheetError(f"{samples.name}: the labels are no classes (0, 1, 2, ...).")
        count = len(samples.class_names or ()) or int(y.max()) + 1
        if count < 2 or len(np.unique(y)) < 2:
            raise NetsheetError(f"{samples.name}: all samples are of one class: nothing to learn.")
        y = targets(y[:, 0], (count,), samples.name)
    note = _note(samples, spec)
    made = TrainingSet(
        samples.name, {tensor.name: samples.x}, {"": y.astype(np.float32)}, note,
        samples.sample_weight, samples.class_names or (), samples.preparation,
    )  # fmt: skip
    return made, y.shape[1]


def read_training_set(
    spec: str, network: Network, scaling: Scaling | None = None, label: str | None = None
) -> TrainingSet:
    """Samples for a network that is there.

    Of a network with one input and one output any data set; of one with several an .npz with an
    array for each, by the names of inputs and outputs. An autoencoder may learn its own input.

    Raises:
        NetsheetError: labels are missing or do not fit.
    """
    if len(network.inputs) > 1 or len(network.outputs) > 1:
        return _by_names(Path(spec), network, scaling)
    samples = read_dataset(spec, network, scaling, label=label, usual="train")
    (tensor,), (output,) = network.inputs, network.outputs
    if samples.y is None:
        raise NetsheetError(no_labels(samples.name))
    y = targets(samples.y, bound(network, [samples.x])[0].shape, samples.name)
    note = _note(samples, spec)
    names = samples.class_names or ()
    return TrainingSet(
        samples.name, {tensor.name: samples.x}, {output.name: y}, note, samples.sample_weight,
        names if len(names) == y.shape[-1] else (), samples.preparation,
    )  # fmt: skip


def _note(samples: Dataset, spec: str) -> str:
    """What there is, and what is better than to stretch pictures of another size."""
    note = f"{samples.name}: {len(samples):,} samples; {samples.note}"
    if not samples.resized:
        return note
    advice = (
        f"netsheet data {quote(spec)} -o set.npz makes a set of them first, cut to what is "
        "written, cropped or padded; the network then prepares every picture alike."
    )
    return f"{note}\n{advice}"


def no_labels(name: str) -> str:
    """What to say of samples without labels."""
    return (
        f"{name}: has no labels to train with; give y beside x, a column of labels, or pictures in "
        "a folder for each class."
    )


def shape_of_pictures(spec: str) -> tuple[int, int, int] | None:
    """Height, width and channels of the pictures in an .npz; None where it has none."""
    where, part, _ = split_name(spec)
    if Path(where).suffix.lower() != ".npz" or not Path(where).is_file():
        return None
    open_sizes: Any = (None, None, None)
    tensor = Tensor("input_1", default_axes(3), open_sizes)
    shape = raw_set(where, tensor, KnownClasses(), None, part=part, usual="train").x.shape[1:]
    whole = (*shape, 1) if len(shape) == 2 else shape
    return whole if len(whole) == 3 and whole[-1] in (1, 3) else None


def bound(network: Network, arrays: Sequence[Array]) -> list[Tensor]:
    """The outputs of a network for inputs of these sizes."""
    if network.bound:
        return network.outputs
    return network.bind([array.shape[1:] for array in arrays]).outputs


def _by_names(path: Path, network: Network, scaling: Scaling | None) -> TrainingSet:
    wanted = [tensor.name for tensor in (*network.inputs, *network.outputs)]
    if path.suffix.lower() != ".npz" or not path.is_file():
        raise UsageError(
            f"{path}: the network has {len(network.inputs)} inputs and {len(network.outputs)} "
            f"outputs: give an .npz with an array for each, by name: {', '.join(wanted)}."
        )
    names = npz_names(path)
    missing = [name for name in wanted if name not in names]
    if missing:
        raise FormatError(
            f"{path}: has no array {missing[0]!r}, but {', '.join(names)}; needed are "
            f"{', '.join(wanted)}."
        )
    weight = next((name for name in WEIGHTS if name in names and name not in wanted), None)
    arrays = read_npz(path, [*wanted, *([weight] if weight else [])])
    counts = {len(array) for array in arrays.values() if array.ndim}
    if len(counts) != 1 or any(not array.ndim for array in arrays.values()):
        sizes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise FormatError(f"{path}: its arrays have different numbers of samples: {sizes}.")
    x, said = {}, []
    for tensor in network.inputs:
        used = scaling or decided(network, tensor, arrays[tensor.name], False)
        x[tensor.name] = taken(shaped_batch(arrays[tensor.name], tensor, str(path)), used, tensor)
        said.append(f"{tensor.name} {used}")
    outputs = bound(network, list(x.values()))
    y = {
        output.name: targets(arrays[output.name], output.shape, f"{path}, {output.name}")
        for output in outputs
    }
    note = f"{path.name}: {counts.pop():,} samples; {'; '.join(said)}"
    return TrainingSet(path.name, x, y, note, arrays.get(weight or ""))
