"""What flows into a network: one sample, its values before scaling, and what was done to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from netsheet.data.fit import picture, scaled, shaped, text
from netsheet.data.ground import warn_of_inversion
from netsheet.data.images import SUFFIXES
from netsheet.data.own.preparation import trained_form
from netsheet.data.scaling import Scaling, decided, whole_inputs
from netsheet.data.tables import numbers_at_once, read_table
from netsheet.engine.table_rows import check_table_rows
from netsheet.equations.entry import entered
from netsheet.errors import NetsheetError, UsageError
from netsheet.network import Network

if TYPE_CHECKING:
    from netsheet.equations import Tensor

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class InputValue:
    """The values of one input tensor, of its dtype and shape (no batch axis).

    ``raw`` are what they were made from, where ``scaling`` changed anything.
    """

    values: Array
    raw: Array | None = None
    scaling: Scaling | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """One value for each input tensor, by its name, in the order of the model's inputs."""

    name: str
    inputs: dict[str, InputValue]
    label: int | None = None
    note: str = ""

    @property
    def arrays(self) -> list[Array]:
        """The values in the order of the model's inputs, without batch axis."""
        return [value.values for value in self.inputs.values()]

    def _repr_html_(self) -> str:
        from html import escape

        from netsheet.tables import html_heat

        parts = [f"<b>{escape(self.name)}</b> {escape(self.note)}"]
        if self.label is not None:
            parts.append(f"<div>label {self.label}</div>")
        for name, value in self.inputs.items():
            values = value.values
            sides = sorted(np.argsort(values.shape, kind="stable")[-2:])  # its two longest axes
            moved = np.moveaxis(values, sides, range(-len(sides), 0))
            plane = moved.reshape(-1, *moved.shape[-2:])[0] if values.ndim > 1 else moved[None]
            heat = html_heat(plane, (59, 130, 246), (31, 41, 55))
            parts.append(f"<div>{escape(name)} {values.shape}</div>{heat}")
        return "".join(parts)


def read_input(
    spec: str | Path, inputs: Network | Sequence[Tensor], scaling: Scaling | None = None
) -> Sample:
    """One sample for a network (or for its ``inputs`` alone) from a file.

    ``spec`` is a picture, a .npy, .npz or .csv file or an IDX file, gzip or not. ``#3`` behind the
    name takes the fourth sample of an array that has a batch axis; an .npz may have one array for
    each input, by name or in order. How values are scaled is decided from the network and from all
    values of the file (:mod:`netsheet.data.scaling`), unless ``scaling`` says; the note says it.

    Raises:
        NetsheetError: no such file, or values of another shape than the input's.
        FormatError: the file is damaged, or refused.
        UsageError: the index is not in the file, or the scaling does not fit the channels.
    """
    network = inputs if isinstance(inputs, Network) else None
    tensors = inputs.inputs if isinstance(inputs, Network) else inputs
    path, index = split_spec(spec)
    suffix = path.suffix.lower()
    done, is_picture = "", suffix in SUFFIXES
    arrays: list[Array]
    whole: list[Array]  # all samples of the file, which decide the scaling
    if is_picture:
        tensor = _single(tensors, path)
        pixels, done = picture(_existing(path), tensor, trained_form(network))
        arrays = whole = [pixels]
    elif suffix == ".npz":
        arrays, whole = _npz(path, tensors, index)
    else:
        everything = _array(_existing(path))
        array = _picked(everything, _single(tensors, path), index, path)
        if index is None:
            _refuse_several(array, tensors[0], path)
        arrays, whole = [shaped(array, tensors[0], str(path))], [everything]
        is_picture = is_idx(path)
    values = {
        tensor.name: input_value(
            array, tensor, scaling or decided(network, tensor, all_of_it, is_picture), network
        )
        for tensor, array, all_of_it in zip(tensors, arrays, whole, strict=True)
    }
    if network is not None:
        check_table_rows(network, {name: value.values[None] for name, value in values.items()})
    if len(tensors) == 1:
        warn_of_inversion(network, tensors[0], arrays[0][None], path.name, scaling, is_picture)
    parts = [done] if done else [text(array.shape) for array in arrays]
    how = dict.fromkeys(str(value.scaling or Scaling()) for value in values.values())
    how |= {told: None for tensor in tensors if (told := quantised_text(tensor))}
    note = f"{path.name}: {', '.join([*parts, *how])}"
    name = path.name if index is None else f"{path.name}#{index}"
    return Sample(name, values, _label(path, index), note)


def input_value(
    array: Array, tensor: Tensor, scaling: Scaling, network: Network | None = None
) -> InputValue:
    """``array``, in the tensor's shape, scaled; raw values are kept where that changes them."""
    if network is not None and tensor.name in whole_inputs(network):
        array = np.trunc(array)  # an input of an integer type, as Keras casts to it
    raw = np.asarray(array, order="C")
    if not scaling.changes:
        return InputValue(np.asarray(entered(tensor, array), order="C"), None, scaling)
    real = scaled(raw, scaling, tensor)
    return InputValue(np.asarray(entered(tensor, real), order="C"), raw, scaling)


def quantised_text(tensor: Tensor) -> str:
    """How real numbers become the whole ones that an input takes; empty where it takes them."""
    known = tensor.quantisation
    if known is None:
        return ""
    return f"quantised to {tensor.dtype}: x / {known.step:g}{known.zero_point:+d}, rounded"


def split_spec(spec: str | Path) -> tuple[Path, int | None]:
    """``digits.gz#3`` as the path and the index; a file that has such a name is itself."""
    name, mark, number = str(spec).rpartition("#")
    if mark and number.isdecimal() and not Path(spec).exists():
        return Path(name), int(number)
    return Path(spec), None


def _existing(path: Path) -> Path:
    if not path.exists():
        raise NetsheetError(f"{path}: no such file.")
    return path


def _array(path: Path) -> Array:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_npy(path)
    if suffix == ".csv":
        table = numbers_at_once(readable(path))
        if table is None:
            cells = read_table(path)
            table = csv_numbers(path, cells.rows, cells.heading is not None)
        return table
    if is_idx(path):
        return read_idx(path)
    raise UsageError(
        f"{path}: not an input that netsheet reads; give a png, jpg, bmp or gif picture, "
        "a .npy, .npz or .csv file, or an IDX file."
    )


def _refuse_several(array: Array, tensor: Tensor, path: Path) -> None:
    """NetsheetError for an array of several samples, with both ways to name what is meant."""
    if array.ndim == 0 or len(array) < 2 or _fits(array, tensor) or not _fits(array[0], tensor):
        return
    raise NetsheetError(
        f"{path}: has the shape {text(array.shape)}; input {tensor.name!r} takes "
        f"{text(tensor.shape)}: name one of its {len(array)} samples ({path.name}#0), or take them "
        f"all with --data {path.name}."
    )


def _fits(array: Array, tensor: Tensor) -> bool:
    try:
        shaped(array, tensor, "")
    except NetsheetError:
        return False
    return True


def _picked(array: Array, tensor: Tensor, index: int | None, path: Path) -> Array:
    """The sample that the index asks for; of an array with a batch axis and no index, the first."""
    batched = array.ndim > len(tensor.shape) or (array.ndim and is_idx(path))
    if index is None:
        return array[0] if batched and is_idx(path) and len(array) else array
    if index >= (len(array) if array.ndim else 0):
        raise UsageError(f"{path}#{index}: the file has the samples 0 .. {len(array) - 1}.")
    picked: Array = array[index]
    return picked


def _npz(
    path: Path, inputs: Sequence[Tensor], index: int | None
) -> tuple[list[Array], list[Array]]:
    """The arrays for the inputs, by their names, else in order: one sample, and all of them."""
    names = npz_names(path)
    wanted = [tensor.name for tensor in inputs]
    if not set(wanted) <= set(names):
        if len(names) != len(inputs) and not (len(inputs) == 1 and "x" in names):
            raise NetsheetError(
                f"{path}: has the arrays {', '.join(names) or 'none'}; the network takes "
                f"{', '.join(wanted)}: name them so, or give as many in that order."
            )
        wanted = names if len(names) == len(inputs) else ["x"]
    arrays = read_npz(path, wanted)
    picked = [
        shaped(_picked(arrays[name], tensor, index, path), tensor, f"{path}, array {name!r}")
        for name, tensor in zip(wanted, inputs, strict=True)
    ]
    return picked, [arrays[name] for name in wanted]


def _single(inputs: Sequence[Tensor], path: Path) -> Tensor:
    if len(inputs) != 1:
        names = ", ".join(tensor.name for tensor in inputs)
        raise UsageError(
            f"{path}: the network has {len(inputs)} inputs ({names}); give an .npz with one array "
            "for each, by name or in that order."
        )
    return inputs[0]


def _label(path: Path, index: int | None) -> int | None:
    """The true class of an MNIST-like image, from the file of labels beside it."""
    beside = path.with_name(
        path.name.replace("images-idx3", "labels-idx1").replace("images.idx3", "labels.idx1")
    )
    if beside == path or not is_idx(beside):
        return None
    labels = read_idx(beside)
    number = index or 0
    return int(labels[number]) if labels.ndim == 1 and number < len(labels) else None
