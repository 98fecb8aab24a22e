"""A copy of a TensorFlow Lite file with other values in its stored tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.errors import FormatError
from netsheet.read.tflite.file import read_content


def write_tflite_copy(source: Path, changed: Mapping[str, npt.NDArray[Any]], target: Path) -> None:
    """The file again; ``changed`` has arrays by the number of their tensor in it.

    Each keeps the number of elements and the element type that it has in the file.

    Raises:
        FormatError: another number of elements, or the file is damaged.
    """
    import tflite

    content = source.read_bytes()
    stored = read_content(content)  # which checks every offset
    data = bytearray(content)
    model = tflite.Model.GetRootAs(data, 0)
    for number, values in changed.items():
        tensor = stored.tensors[int(number)]
        if tensor.values is None or tensor.values.size != np.size(values):
            raise FormatError(
                f"{source}: {np.size(values)} values do not replace those of {tensor.name!r}, "
                f"which has the shape {tensor.shape}."
            )
        buffer = model.Buffers(model.Subgraphs(0).Tensors(int(number)).Buffer())
        kind = np.dtype(tensor.dtype).newbyteorder("<")
        raw = np.asarray(values).astype(kind).reshape(-1).view(np.uint8)
        buffer.DataAsNumpy()[:] = raw  # a view into the copy
    target.write_bytes(bytes(data))
