"""Stored numbers as a workbook holds them: the shortest text of a float32, read as a double."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.equations import FloatArray


def as_stored(values: npt.NDArray[Any]) -> FloatArray:
    """The doubles whose texts are the shortest that name these values: 0.1 for float32 0.1.

    A weight then reads as it does in the CSV, and formulas compute with exactly that number.
    """
    if values.dtype.kind != "f" or values.dtype.itemsize >= 8:
        return np.asarray(values, float)
    narrow = np.asarray(values, np.float32)
    texts = narrow.ravel().astype("U")
    return texts.astype(float).reshape(narrow.shape)
