"""Readers: a file of any supported format as a Model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsheet.model import Model


def load(path: str | Path) -> Model:
    """The model in a file, by what the file holds and not by its name."""
    from netsheet.read.sniff import sniff

    path = Path(path)
    if sniff(path) == "onnx":
        from netsheet.read.onnx import load_onnx

        return load_onnx(path)
    from netsheet.read.keras import load_keras

    return load_keras(path)
