"""Arrays of floats as C text, piece by piece: a network's weights may take a gigabyte."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import orjson

from netsheet.equations import FloatArray
from netsheet.write.c.names import number, whole_number

PER_LINE = 8  # numbers
# Of large arrays, which nobody reads line by line; C promises lines of 4095 characters.
LARGE, PER_LONG_LINE = 1 << 16, 240
LINES = 256  # that are converted at a time


def number_pieces(values: FloatArray) -> Iterator[bytes]:
    """Constants, several to a line, that read back exactly."""
    whole = np.asarray(values).dtype.kind in "iu"
    flat = np.ascontiguousarray(values, None if whole else np.float32).reshape(-1)
    width = PER_LINE if flat.size < LARGE else PER_LONG_LINE
    for start in range(0, flat.size, width * LINES):
        part = flat[start : start + width * LINES]
        line = _wholes if whole else _digits if np.isfinite(part).all() else _names
        lines = [line(part[at : at + width]) for at in range(0, part.size, width)]
        yield (b",\n    " if start else b"\n    ") + b",\n    ".join(lines)


def _digits(values: FloatArray) -> bytes:
    """The shortest digits that read back to the same float32: ``0.25f, 1e-5f``."""
    text = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    return text[1:-1].replace(b",", b"f, ") + b"f"


def _wholes(values: FloatArray) -> bytes:
    """Whole numbers, which are C constants as they are but for the smallest."""
    return ", ".join(map(whole_number, values.tolist())).encode()


def _names(values: FloatArray) -> bytes:
    """The same where some are infinite or no numbers."""
    return ", ".join(map(number, values.tolist())).encode()


def numbers(values: FloatArray) -> str:
    """The same as one text, without the line's end before it."""
    return b"".join(number_pieces(values)).decode()[1:]
