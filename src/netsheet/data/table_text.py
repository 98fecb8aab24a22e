"""The text of a table: unpacked, decoded, its separator, and numbers as other countries write them.

A guess that could be wrong is none: what is not plain stays as it is, and is then no number.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from netsheet.errors import FormatError

SEPARATORS = (",", ";", "\t", "|")
LARGEST = 2**30  # bytes of an unpacked table
_GZIP, _MARKS = b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")
_OTHER_FILES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x89HDF", b"PAR1", b"%PDF", b"\x89PNG")
_NUMBER = re.compile(r"\s*[+-]?\d[\d.,]*(e[+-]?\d+)?\s*\Z", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?\Z", re.IGNORECASE)
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?\Z", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d+\Z")
_COMMA_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?\Z")  # 1,234.5
_POINT_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?\Z")  # 1.234,5
_EXCEL_HINT = re.compile(r"\s*\"?sep=(.)\"?\s*\r?\n", re.IGNORECASE)


def text_of(path: Path) -> str:
    """A text file, gzip or not: UTF-8, UTF-16, or as Windows writes in Japan (cp932) or the West.

    Raises:
        FormatError: it is no text.
    """
    try:
        data = path.read_bytes()
        data = _unpacked(path, data) if data[:2] == _GZIP else data
    except (OSError, zlib.error) as error:
        raise FormatError(f"{path}: cannot be read as CSV: {error}.") from error
    if data.startswith(_OTHER_FILES):
        raise FormatError(
            f"{path}: is no text, but a file of another program; save the table as CSV there."
        )
    if data[:2] in _MARKS:
        encodings = ["utf-16"]
    elif b"\0" in data:
        encodings = [_utf_16(data)] if len(data) % 2 == 0 else []
    else:
        encodings = ["utf-8-sig", "cp932", "euc_jp", "cp1252"]
    reason: Exception | None = None
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            reason = reason or error
            continue
        # Signs that Windows leaves to its users are no Japanese: the bytes mean something else.
        if "\0" not in text and not (encoding == "cp932" and re.search("[\ue000-\uf8ff]", text)):
            return text
    raise FormatError(f"{path}: cannot be read as CSV: {reason or 'it has zero bytes, no text'}.")


def _unpacked(path: Path, data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    text = unpacker.decompress(data, LARGEST)
    if unpacker.unconsumed_tail:
        raise FormatError(f"{path}: becomes more than {LARGEST // 2**20} MB of text; unpack it.")
    if not unpacker.eof:
        raise FormatError(f"{path}: is cut off. Copy or download it again.")
    return text


def _utf_16(data: bytes) -> str:
    """Of UTF-16 without its mark: separators and line ends have a zero byte behind or before."""
    return "utf-16-le" if data[1::2].count(0) >= data[::2].count(0) else "utf-16-be"


def separator_of(text: str) -> tuple[str, str]:
    """The separator of columns, and the text without the line by which Excel names it.

    It is what the first line has most of, the comma where it has none; but what leaves nothing
    except numbers with a decimal comma.
    """
    hint = _EXCEL_HINT.match(text)
    if hint is not None:
        return hint[1], text[hint.end() :]
    line = text.lstrip().split("\n", 1)[0][: 1 << 16]
    for mark in SEPARATORS[1:]:
        cells = [cell.strip(' "') for cell in line.strip().split(mark)]
        kinds = (_DECIMAL_COMMA, _POINT_GROUPS, _WHOLE)
        if len(cells) > 1 and all(any(kind.match(c) for kind in kinds) for c in cells):
            return mark, text
    return max(SEPARATORS, key=lambda mark: (line.count(mark), mark == ",")), text


def without_empty_end(rows: list[list[str]]) -> list[list[str]]:
    """Rows without the empty cell that a separator at the end of every line makes."""
    if not all(len(row) > 1 and not row[-1].strip() for row in rows[1:]):
        return rows
    if not rows[0][-1].strip():
        return [row[:-1] for row in rows]
    longer = all(len(row) == len(rows[0]) + 1 for row in rows[1:])  # the heading has none
    return [rows[0], *(row[:-1] for row in rows[1:])] if longer and len(rows) > 1 else rows


def plain_numbers(rows: list[list[str]], mark: str) -> list[list[str]]:
    """Numbers with a decimal point and without separators of thousands, where all agree.

    ``1.234,5`` anywhere says that commas are decimal, ``1,234.5`` that they are not, nor are they
    where other numbers have a point and every comma stands before three digits. Else they are,
    unless commas separate columns (``mark``), too, and it is not plain what these are.
    """
    numbers = [cell.strip() for row in rows for cell in row if _NUMBER.match(cell)]
    commas = [cell for cell in numbers if "," in cell]
    if not commas:
        return rows
    grouped = [cell for cell in commas if _COMMA_GROUPS.match(cell)]
    pointed = any(map(_DECIMAL_POINT.match, numbers))
    if any("." in cell and _POINT_GROUPS.match(cell) for cell in commas):
        rule = _european
    elif any("." in cell for cell in grouped) or (pointed and len(grouped) == len(commas)):
        rule = _without_groups
    elif mark == "," and (pointed or len(grouped) == len(commas)):
        return rows
    else:
        rule = _with_point
    return [[rule(cell) if _NUMBER.match(cell) else cell for cell in row] for row in rows]


def _european(cell: str) -> str:
    return _with_point(cell.replace(".", "") if _POINT_GROUPS.match(cell.strip()) else cell)


def _without_groups(cell: str) -> str:
    return cell.replace(",", "") if _COMMA_GROUPS.match(cell.strip()) else cell


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.match(cell.strip()) else cell
