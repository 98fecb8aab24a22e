"""Numbers as the shortest text that reads back to the same value, many at once.

The text is the one that Python's ``repr`` would give: ``0.25``, ``3.0``, ``1e-05``, ``1e+16``; an
exponent appears below 1e-4 and from 1e16 on. orjson finds the shortest digits of a whole array;
numbers outside 1e-4 .. 1e7, whose notation differs between its releases, get theirs here.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Text = TypeVar("Text", bytes, bytearray)

PLAIN_FROM, PLAIN_TO = 1e-4, 1e7
EXPONENT_FROM = 16
WIDE = 512  # numbers in a row, from which on rows are made one by one
_FEED, _CUT = b"\n\0"


def row_texts(
    table: Array, separator: str = ",", newline: str = "\r\n", rows_each: int | None = None
) -> list[bytes]:
    """The rows of a 2-D table (not empty) as text, ``rows_each`` of them in each item.

    All rows make one item where ``rows_each`` is None. ``newline``, CR LF or LF, stands between
    the rows of an item, not at its end.
    """
    table = _plain(table)
    rows_each = rows_each or len(table)
    if table.shape[1] >= WIDE:
        rows = [_separated(_json(row)[1:-1], separator) for row in table]
        return [
            newline.encode().join(rows[at : at + rows_each])
            for at in range(0, len(rows), rows_each)
        ]
    text = bytearray(_json(table.ravel())[1:-1])  # 1.0,2.0,3.0,4.0
    letters = np.frombuffer(text, np.uint8)
    ends = _places(text, b",")[table.shape[1] - 1 :: table.shape[1]]
    letters[ends] = _FEED
    letters[ends[rows_each - 1 :: rows_each]] = _CUT
    text = _separated(text, separator)
    if newline != "\n":
        text = text.replace(b"\n", newline.encode())
    return bytes(text).split(b"\0") if rows_each < len(table) else [bytes(text)]


def _separated(text: Text, separator: str) -> Text:
    return text if separator == "," else text.replace(b",", separator.encode())


def _plain(table: Array) -> Array:
    """The table in a dtype that orjson takes, contiguous."""
    kind, size = table.dtype.kind, table.dtype.itemsize
    if kind in "iu" or (kind == "f" and size in (4, 8)):
        native = table.dtype.newbyteorder("=")
    else:  # bool, float16, bfloat16: every value is a float32 too
        native = np.dtype(np.uint8) if kind == "b" else np.dtype(np.float32)
    return np.ascontiguousarray(table, dtype=native)


def _json(table: Array) -> bytes:
    """``[1.0,2.0,...]``, every number in its final text."""
    import orjson

    if table.dtype.kind != "f":
        return orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY)
    size = np.abs(table)
    with np.errstate(invalid="ignore"):
        odd = ~((size >= PLAIN_FROM) & (size < PLAIN_TO)) & (table != 0)
    if not odd.any():
        return orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY)
    table = table.copy()
    texts = [number_text(number).encode() for number in _shortest(table[odd])]
    table[odd] = np.nan  # written as null, which nothing else is
    text = orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY)
    parts: list[bytes] = []
    at = 0
    for place, number in zip(_places(text, b"n"), texts, strict=True):
        parts += (text[at:place], number)
        at = place + len(b"null")
    return b"".join([*parts, text[at:]])


def _places(text: bytes | bytearray, letter: bytes) -> npt.NDArray[np.intp]:
    """Where a letter stands (faster by far than split or replace)."""
    return np.flatnonzero(np.frombuffer(text, np.uint8) == ord(letter))


def _shortest(numbers: Array) -> list[str]:
    """The shortest digits of each number, in any notation; nan, inf and -inf by name."""
    import orjson

    texts = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode().split(",")
    for place in np.flatnonzero(~np.isfinite(numbers)):
        texts[place] = str(float(numbers[place]))
    return texts


def number_text(digits: str) -> str:
    """The number that ``digits`` spells, in the notation that Python's ``repr`` would choose."""
    if digits[-1] in "nf":  # nan, inf
        return digits
    sign = "-" if digits[0] == "-" else ""
    mantissa, _, power = digits.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(power or 0)
    significant = whole + fraction
    stripped = significant.lstrip("0")
    point -= len(significant) - len(stripped)
    stripped = stripped.rstrip("0")
    if -4 < point <= EXPONENT_FROM:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{stripped}"
        padded = stripped.ljust(point, "0")
        return f"{sign}{padded[:point]}.{padded[point:] or '0'}"
    tail = f".{stripped[1:]}" if len(stripped) > 1 else ""
    return f"{sign}{stripped[0]}{tail}e{point - 1:+03d}"
