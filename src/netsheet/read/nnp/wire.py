"""Parameters in protobuf's binary form, as NNabla writes them: parameter.protobuf.

The encoding: protobuf.dev/programming-guides/encoding. The numbers of the fields are NNabla's
(nnabla.proto): in the whole, parameters have the number 200; of a parameter, the name has 1, the
shape 20 (its sizes 1) and the values 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import FormatError
from netsheet.read.limits import MAX_NAME, Budget

PARAMETER, NAME, SHAPE, DATA, SIZES = 200, 1, 20, 100, 1
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


def parameters(data: bytes, budget: Budget) -> dict[str, FloatArray]:
    """The arrays by their names.

    Raises:
        FormatError: it is damaged, or an array has another number of values than its shape says.
    """
    found: dict[str, FloatArray] = {}
    for number, kind, value in _fields(memoryview(data)):
        if number == PARAMETER and kind == BYTES:
            budget.visit()
            name, array = _parameter(value, budget)
            if name in found:
                raise FormatError(f"parameter {name!r} occurs twice")
            found[name] = array
    return found


def _parameter(data: memoryview, budget: Budget) -> tuple[str, FloatArray]:
    name, sizes, parts = "", list[int](), list[FloatArray]()
    for number, kind, value in _fields(data):
        if number == NAME and kind == BYTES:
            if len(value) > MAX_NAME:
                raise FormatError(f"a name has {len(value):,} letters")
            name = bytes(value).decode("utf-8", "replace")
        elif number == SHAPE and kind == BYTES:
            sizes = _sizes(value)
        elif number == DATA and kind in (BYTES, FIXED32):
            if len(value) % 4:
                raise FormatError(f"parameter {name!r} is cut off")
            budget.take(len(value), name)
            parts.append(np.frombuffer(value, "<f4").astype(np.float32))
    values = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if any(size < 0 for size in sizes) or math.prod(sizes) != values.size:
        raise FormatError(
            f"parameter {name!r} has {values.size:,} values, its shape {tuple(sizes)} says "
            f"{math.prod(sizes):,}"
        )
    return name, values.reshape(sizes)


def _sizes(data: memoryview) -> list[int]:
    """The sizes of a shape, packed or one by one."""
    found = []
    for number, kind, value in _fields(data):
        if number == SIZES and kind == VARINT:
            found.append(int.from_bytes(value, "little"))
        elif number == SIZES and kind == BYTES:
            at = 0
            while at < len(value):
                size, at = _varint(value, at)
                found.append(size)
    return [size - (1 << 64) if size >= 1 << 63 else size for size in found]


def _fields(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Number, kind and bytes of each field; a whole number as 8 bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, kind, memoryview(value.to_bytes(8, "little"))
            continue
        if kind == BYTES:
            length, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise FormatError("it is no file of parameters, or damaged")
        if length > len(data) - at:
            raise FormatError("it is cut off")
        yield number, kind, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A whole number of 64 bits, and where it ends."""
    value = 0
    for n in range(_LONGEST_VARINT):
        if at + n >= len(data):
            raise FormatError("it is cut off")
        byte = data[at + n]
        value |= (byte & 127) << 7 * n
        if byte < 128:
            return value & (1 << 64) - 1, at + n + 1
    raise FormatError("it is no file of parameters, or damaged")
