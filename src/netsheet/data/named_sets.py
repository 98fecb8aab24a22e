"""Labelled samples of networks with several inputs or outputs: an array for each, by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from netsheet.data.arrays import npz_names, read_npy, read_npz
from netsheet.data.datasets import Dataset, read_dataset
from netsheet.data.fit import shaped_batch, taken, text
from netsheet.data.ground import warn_of_inversion
from netsheet.data.named_arrays import WEIGHTS, named_arrays
from netsheet.data.raw_set import Progress, as_labels
from netsheet.data.scaling import Scaling, decided
from netsheet.equations import Tensor
from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.network import Network

Array = npt.NDArray[Any]
TARGETS = ("y", "Y", "labels", "label", "targets", "target")  # of a single output


@dataclass(frozen=True, eq=False)
class NamedSet:
    """Samples with a batch axis for each input, targets for outputs, both by name."""

    x: Mapping[str, Array]
    y: Mapping[str, Array] | None
    note: str
    sample_weight: Array | Mapping[str, Array] | None = None


def labelled_set(
    spec: str,
    network: Network,
    scaling: Scaling | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    label: str | None = None,
) -> Dataset | NamedSet:
    """The samples that ``spec`` names, with their targets.

    A network of one input and output takes any data set (:func:`read_dataset`), another an .npz, or
    a folder of .npy files, with an array for each of them. ``scaling`` is for inputs that are
    pictures.

    Raises:
        NetsheetError: no such source, an input without an array, arrays that do not fit.
    """
    if len(network.inputs) == 1 and len(network.outputs) == 1:
        return read_dataset(spec, network, scaling, limit, progress, label)
    path = Path(spec)
    names = _names(path)
    single = named_arrays(names)
    by_name = {tensor.name: tensor.name for tensor in network.inputs if tensor.name in names}
    if len(network.inputs) == 1 and not by_name and single is not None:
        by_name = {network.inputs[0].name: single.x}
    missing = [tensor.name for tensor in network.inputs if tensor.name not in by_name]
    if missing:
        raise UsageError(
            f"{spec}: the network takes {_listed(network.inputs)} and gives "
            f"{_listed(network.outputs)}: give an .npz with an array of each name; this has "
            f"{', '.join(names) or 'none'}."
        )
    targets = _targets(network, [name for name in names if name not in by_name.values()])
    weights = [name for name in WEIGHTS if name in names][:1]
    arrays = _read(path, [*by_name.values(), *targets.values(), *weights])
    _check_lengths(spec, arrays)
    notes, x = [], {}
    for tensor in network.inputs:
        found = arrays[by_name[tensor.name]]
        asked = scaling if {"height", "width"} <= set(tensor.axes) else None
        used = asked or decided(network, tensor, found)
        raw = shaped_batch(found[:limit], tensor, f"{spec}, array {by_name[tensor.name]!r}")
        warn_of_inversion(network, tensor, raw, path.name, asked)
        x[tensor.name] = taken(raw, used, tensor)
        notes.append(f"{tensor.name} {text(x[tensor.name].shape[1:])} {used}")
    y = {output: as_labels(arrays[name][:limit]) for output, name in targets.items()}
    count = len(next(iter(x.values())))
    compared = f"; compared with {', '.join(targets.values())}" if targets else ""
    return NamedSet(
        x, y or None, f"{path.name}: {count:,} samples: {'; '.join(notes)}{compared}",
        arrays[weights[0]][:limit] if weights else None,
    )  # fmt: skip


def _targets(network: Network, names: Sequence[str]) -> dict[str, str]:
    """For each output the array that it is compared with: of its name, or ``y_`` before it."""
    found = {}
    usual = TARGETS if len(network.outputs) == 1 else ()
    for tensor in network.outputs:
        wanted = (tensor.name, f"y_{tensor.name}", f"{tensor.name}_true", *usual)
        name = next((one for one in wanted if one in names), None)
        if name is not None:
            found[tensor.name] = name
    return found


def _names(path: Path) -> list[str]:
    if path.is_dir():
        return [item.stem for item in sorted(path.glob("*.npy"))]
    if not path.exists():
        raise NetsheetError(f"{path}: no such file.")
    return npz_names(path) if path.suffix.lower() == ".npz" else []


def _read(path: Path, names: Sequence[str]) -> dict[str, Array]:
    if path.is_dir():
        return {name: read_npy(path / f"{name}.npy") for name in names}
    return read_npz(path, names)


def _check_lengths(spec: str, arrays: Mapping[str, Array]) -> None:
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise FormatError(f"{spec}: its arrays have different numbers of samples: {said}.")


def _listed(tensors: Sequence[Tensor]) -> str:
    return ", ".join(tensor.name for tensor in tensors)
