"""Layers' outputs for an input as files: .npz, .csv, .json, .png."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.errors import UsageError
from netsheet.files import atomic
from netsheet.write.pictures.draw import maps_of, write_maps

KINDS = (".npz", ".csv", ".json", ".png")


def write_activations(
    target: str | Path, values: Mapping[str, FloatArray], tensors: Mapping[str, Tensor]
) -> None:
    """Writes arrays (batch axis in front) by layer key; the target's ending says the format.

    CSV is one value a row (``layer, sample, index, value``, the index as ``0 3 2``), JSON holds
    axes, shape and nested values, PNG shows the first sample as heat maps.
    """
    target = Path(target)
    kind = target.suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"{target}: activations are written as {', '.join(KINDS)}.")
    if kind == ".png":
        write_maps(
            target,
            {
                f"{key} {array.shape[1:]}": maps_of(tensors[key], array[0])
                for key, array in values.items()
            },
        )
        return
    with atomic(target) as place:
        if kind == ".npz":
            with place.open("wb") as file:
                # not compressed: that takes many times as long as computing the values
                np.savez(file, **values)  # type: ignore[arg-type]
        elif kind == ".json":
            place.write_text(json.dumps(_json(values, tensors), ensure_ascii=False), "utf-8")
        else:
            _csv(place, values)


def _json(
    values: Mapping[str, FloatArray], tensors: Mapping[str, Tensor]
) -> dict[str, dict[str, object]]:
    return {
        key: {
            "axes": ["batch", *tensors[key].axes],
            "shape": list(array.shape),
            "values": array.tolist(),
        }
        for key, array in values.items()
    }


def _csv(place: Path, values: Mapping[str, FloatArray]) -> None:
    with place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["layer", "sample", "index", "value"])
        for key, array in values.items():
            for sample, one in enumerate(array):
                flat = one.reshape(-1)
                places = np.stack(np.unravel_index(np.arange(flat.size), one.shape or (1,)))
                for index, number in zip(places.T.tolist(), flat.tolist(), strict=True):
                    shown = " ".join(map(str, index)) if one.ndim else ""
                    text = repr(number) if flat.dtype != np.float32 else str(np.float32(number))
                    writer.writerow([key, sample, shown, text])
