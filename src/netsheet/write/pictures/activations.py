"""Layers' outputs for an input as files: .npz, .csv, .json, .png."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.equations.entry import meaning
from netsheet.errors import UsageError, choices
from netsheet.files import atomic
from netsheet.write.float_text import row_texts
from netsheet.write.pictures.draw import (
    Block,
    ground_of,
    input_block,
    value_block,
    write_blocks,
)
from netsheet.write.pictures.fonts import warn_of
from netsheet.write.pictures.planes import planes_of

KINDS = (".npz", ".csv", ".json", ".png")
CSV_LAYOUTS = ("tidy", "planes", "files")


def write_activations(
    target: str | Path,
    values: Mapping[str, FloatArray],
    tensors: Mapping[str, Tensor],
    *,
    inputs: Mapping[str, FloatArray] | None = None,
    samples: Sequence[str] = (),
    labels: Sequence[str] = (),
    layout: str = "tidy",
    lang: str = "en",
    over: bool = False,
) -> list[Path]:
    """Writes arrays (batch axis in front) by layer key; the target's ending says the format.

    CSV is ``tidy``, one value a row (``layer, sample, index, value``, the index as ``0 3 2``; of
    whole numbers ``real`` as well, what they stand for); or
    ``planes``, a block with a heading for each channel as the workbook's sheets have it; or
    ``files``, such planes in one file a layer, ``<target>-<layer>.csv``. JSON holds axes, shape and
    nested values. PNG shows every sample as heat maps, the ``inputs`` (by name, among ``tensors``)
    first. ``samples`` names the samples, ``labels`` the values of vectors as long as it; ``lang``
    is the language of what a picture says. ``over``: maps of places are drawn over the one input,
    if that is a picture.

    Returns:
        The files written.

    Raises:
        UsageError: an unknown ending or layout.
    """
    target = Path(target)
    kind = target.suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"{target}: activations are written as {', '.join(KINDS)}.")
    if layout not in CSV_LAYOUTS:
        raise UsageError(f"there is no layout {layout!r}{choices(layout, CSV_LAYOUTS)}")
    if layout != "tidy" and kind != ".csv":
        raise UsageError(f"{target}: the layout {layout} is for .csv.")
    if kind == ".png":
        warn_of(labels)
        _png(target, values, tensors, inputs or {}, samples, labels, lang, over)
        return [target]
    if layout == "files":
        return [_layer_file(target, key, array, tensors[key]) for key, array in values.items()]
    with atomic(target) as place:
        if kind == ".npz":
            with place.open("wb") as file:
                # stored as they are: to compress them takes longer than to compute them
                np.savez(file, **values)  # type: ignore[arg-type]
        elif kind == ".json":
            place.write_text(_json(values, tensors), "utf-8")
        else:
            with place.open("w", newline="", encoding="utf-8") as text:
                if layout == "planes":
                    for key, array in values.items():
                        _write_planes(text, key, array, tensors[key])
                else:
                    _write_tidy(text, values, tensors)
    return [target]


def _png(
    target: Path, values: Mapping[str, FloatArray], tensors: Mapping[str, Tensor],
    inputs: Mapping[str, FloatArray], samples: Sequence[str], labels: Sequence[str], lang: str,
    over: bool,
) -> None:  # fmt: skip
    count = len(next(iter(values.values()))) if values else 0
    names = list(samples) if len(samples) == count else [f"sample {n}" for n in range(count)]
    sections = {
        f"{name} (sample {number + 1} of {count})" if count > 1 else name: [
            *(
                input_block(f"{key} {array.shape[1:]}", tensors[key], array[number])
                for key, array in inputs.items()
            ),
            *(
                _drawn_over(
                    value_block(f"{key} {array.shape[1:]}", tensors[key], array[number], labels),
                    tensors[key],
                    {key: (tensors[key], one[number]) for key, one in inputs.items()}
                    if over
                    else {},
                )
                for key, array in values.items()
            ),
        ]
        for number, name in enumerate(names)
    }
    write_blocks(target, sections, lang)


def _drawn_over(
    block: Block, tensor: Tensor, inputs: Mapping[str, tuple[Tensor, FloatArray]]
) -> Block:
    """The block over the only input, where both have places in a picture."""
    if len(inputs) != 1 or not {"height", "width"} <= set(tensor.axes):
        return block
    (given,) = inputs.values()
    return replace(block, ground=ground_of(*given))


def _layer_file(target: Path, key: str, array: FloatArray, tensor: Tensor) -> Path:
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in key)
    path = target.with_name(f"{target.stem}-{safe}{target.suffix}")
    with atomic(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        _write_planes(file, key, array, tensor)
    return path


def _write_planes(file: TextIO, key: str, array: FloatArray, tensor: Tensor) -> None:
    """A heading and rows for each plane of each sample, an empty line behind each."""
    writer = csv.writer(file)
    for sample, one in enumerate(array):
        for name, plane in planes_of(tensor, one):
            writer.writerow([part for part in (key, f"sample {sample}", name) if part])
            if plane.size:
                file.write(row_texts(plane)[0].decode("ascii") + "\r\n")
            file.write("\r\n")


def _json(values: Mapping[str, FloatArray], tensors: Mapping[str, Tensor]) -> str:
    """``{"conv": {"axes": [...], "shape": [...], "values": [...]}}``; shortest float32 texts."""
    import orjson

    found = {
        key: {
            "axes": ["batch", *tensors[key].axes],
            "shape": list(array.shape),
            **_scale(tensors[key]),
            "values": np.ascontiguousarray(array),
        }
        for key, array in values.items()
    }
    return orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY).decode("utf-8")


def _scale(tensor: Tensor) -> dict[str, object]:
    """What whole numbers stand for: ``(value - zero_point) * scale``."""
    known = tensor.quantisation
    if known is None:
        return {}
    return {"dtype": tensor.dtype, "scale": known.step, "zero_point": known.zero_point}


def _write_tidy(
    file: TextIO, values: Mapping[str, FloatArray], tensors: Mapping[str, Tensor]
) -> None:
    writer = csv.writer(file)
    whole = any(tensors[key].quantisation is not None for key in values)
    writer.writerow(["layer", "sample", "index", "value", *(["real"] if whole else [])])
    for key, array in values.items():
        for sample, one in enumerate(array):
            columns = [one, meaning(tensors[key], one)] if whole else [one]
            texts = [
                row_texts(column.reshape(-1, 1), rows_each=1) if one.size else []
                for column in columns
            ]
            indices: Iterable[tuple[int, ...]] = np.ndindex(one.shape)
            for index, *cells in zip(indices, *texts, strict=True):
                row = (text.decode("ascii") for text in cells)
                writer.writerow([key, sample, " ".join(map(str, index)), *row])
