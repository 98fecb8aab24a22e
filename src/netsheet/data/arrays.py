"""Arrays from files that nobody vouches for: IDX, .npy, .npz and .csv, sizes checked first."""

from __future__ import annotations

import gzip
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from netsheet.data.tables import all_numbers
from netsheet.errors import FormatError, NetsheetError

Array = npt.NDArray[Any]

# An array larger than this is refused; a file of a few kilobytes may claim any size.
LARGEST = 4 * 2**30

# What a compressed file may become: images become some 5 times as large, zeros 1,000 times.
FREE, EXPANSION = 2**27, 50

MISSING = ("", "na", "n/a", "#n/a", "?", "-", "null", "none", "nil", ".")  # as tables mark it

# What damaged archives and headers raise.
_DAMAGED = (
    OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_BAD_HEADER = (*_DAMAGED, TypeError, SyntaxError, MemoryError, TokenError)

# The third byte of an IDX file; the format is described at https://yann.lecun.com/exdb/mnist/
IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def readable(path: Path) -> Path:
    """``path``, if it is a file.

    Raises:
        NetsheetError: it is not.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise NetsheetError(f"{path}: {what}; name a file.")
    return path


def is_idx(path: Path) -> bool:
    """True for a file that begins as an IDX file does, gzip or not."""
    try:
        with _opened(path) as file:
            head = file.read(4)
    except _DAMAGED:
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in IDX_TYPES and head[3] > 0


def read_idx(path: Path) -> Array:
    """The array in an IDX file, gzip or not.

    Raises:
        FormatError: the header does not fit the length of the file.
    """
    try:
        with _opened(readable(path)) as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES:
                raise FormatError(f"{path}: not an IDX file (it does not begin as one).")
            sizes = file.read(4 * head[3])
            shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
            if len(shape) > 32:
                raise FormatError(f"{path}: says that its array has {len(shape)} axes.")
            dtype = np.dtype(IDX_TYPES[head[2]])
            length = _bytes(path, shape, dtype)
            _check_expansion(path, length, path.stat().st_size)
            data = file.read(length + 1)
    except _DAMAGED as error:
        raise FormatError(f"{path}: cannot be read: {error}.") from error
    if len(sizes) < 4 * head[3] or len(data) != length:
        found = "more" if len(data) > length else f"{len(data):,}"
        raise FormatError(
            f"{path}: damaged: its header says {shape}, which takes {length:,} bytes, "
            f"but it has {found}."
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def read_npy(path: Path, texts: bool = False) -> Array:
    """The array in a .npy file; objects (pickles) are refused, and so are ``texts`` if False."""
    try:
        with readable(path).open("rb") as file:
            return _npy(path, file, path.stat().st_size, "biufUS" if texts else "biuf")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error}.") from error


def read_npz(
    path: Path, wanted: Sequence[str] | None = None, texts: str | None = None
) -> dict[str, Array]:
    """The arrays in an .npz file by name, in their order; only those ``wanted``, where given.

    The one that ``texts`` names may hold texts in the place of numbers.
    """
    arrays: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(readable(path)) as archive:
            for item in archive.infolist():
                name = item.filename.removesuffix(".npy")
                if name == item.filename or (wanted is not None and name not in wanted):
                    continue
                _check_expansion(path, item.file_size, item.compress_size)
                with archive.open(item) as file:
                    member = cast("BinaryIO", file)
                    kinds = "biufUS" if name == texts else "biuf"
                    arrays[name] = _npy(Path(f"{path}/{name}"), member, item.file_size, kinds)
    except _DAMAGED as error:
        raise FormatError(f"{path}: not an .npz file, or damaged: {error}.") from error
    return arrays


def npz_names(path: Path) -> list[str]:
    """The names of the arrays in an .npz file, in their order."""
    try:
        with zipfile.ZipFile(readable(path)) as archive:
            return [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
    except _DAMAGED as error:
        raise FormatError(f"{path}: not an .npz file, or damaged: {error}.") from error


def npz_texts(path: Path, name: str) -> list[str]:
    """An array of texts in an .npz file, such as the names of classes."""
    try:
        with zipfile.ZipFile(readable(path)) as archive:
            item = archive.getinfo(f"{name}.npy")
            _check_expansion(path, item.file_size, item.compress_size)
            with archive.open(item) as file:
                place = Path(f"{path}/{name}")
                array = _npy(place, cast("BinaryIO", file), item.file_size, kinds="U")
    except _DAMAGED as error:
        raise FormatError(f"{path}: not an .npz file, or damaged: {error}.") from error
    return [str(text) for text in array.reshape(-1)]


def csv_numbers(path: Path, rows: Sequence[Sequence[str]], heading: bool) -> Array:
    """Rows of text as a table of numbers: int64 where all are whole, else float64."""
    width = len(rows[0])
    for number, row in enumerate(rows, 2 if heading else 1):
        if len(row) != width:
            raise FormatError(f"{path}: row {number} has {len(row)} cells, the first has {width}.")
        if not all_numbers(row):
            bad = next(cell for cell in row if not all_numbers([cell]))
            raise _no_number(path, number, bad)
    table = np.array(rows, dtype=object).astype(np.float64)
    marks = set("".join(cell for row in rows for cell in row).lower())
    whole = not marks & set(".einf") and bool((np.abs(table) < 2**53).all())
    return table.astype(np.int64) if whole else table


def _no_number(path: Path, number: int, cell: str) -> FormatError:
    """What to do about a cell that is no number."""
    if cell.strip().lower() in MISSING:
        return FormatError(
            f"{path}: row {number}: a value is missing ({cell!r}): fill it in, or leave the row "
            "out."
        )
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", cell.strip()):
        return FormatError(
            f"{path}: row {number}: {cell!r} may be thousands or decimals: write it without the "
            "comma, or with a point."
        )
    return FormatError(f"{path}: row {number}: {cell!r} is not a number.")


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return cast("BinaryIO", gzip.open(path, "rb")) if zipped else path.open("rb")


def _bytes(path: Path, shape: Sequence[int], dtype: np.dtype[Any]) -> int:
    """How many bytes such an array has; an array that is too large is refused."""
    length = math.prod(shape) * dtype.itemsize
    if length > LARGEST:
        raise FormatError(
            f"{path}: says that it holds an array {tuple(shape)}, {length / 2**30:.1f} GB; "
            f"more than {LARGEST // 2**30} GB is not read."
        )
    return length


def _check_expansion(path: Path, length: int, stored: int) -> None:
    if length > max(FREE, EXPANSION * stored):
        raise FormatError(
            f"{path}: {stored:,} bytes that become {length:,} are refused: made to exhaust the "
            "memory. If you trust it, store it without compression."
        )


def _npy(path: Path, file: BinaryIO, size: int, kinds: str = "biuf") -> Array:
    """The array in an open .npy file of ``size`` bytes."""
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(file)
        readers: dict[tuple[int, int], Callable[..., Any]] = {
            (1, 0): npy.read_array_header_1_0,
            (2, 0): npy.read_array_header_2_0,
        }
        if version not in readers:
            raise FormatError(f"{path}: .npy version {version} is not read.")
        shape, fortran, dtype = readers[version](file)
        if dtype.hasobject:
            raise FormatError(f"{path}: holds Python objects, which are never loaded.")
        length = _bytes(path, shape, dtype)
        if length > size:
            raise FormatError(f"{path}: damaged: says {shape}, but has only {size:,} bytes.")
        data = file.read(length)
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    except _BAD_HEADER as error:
        reason = str(error).partition("\n")[0]
        raise FormatError(f"{path}: not a .npy file, or damaged: {reason}.") from error
    if array.dtype.kind not in kinds:
        wanted = "texts" if kinds == "U" else "numbers"
        raise FormatError(f"{path}: holds {array.dtype}, not {wanted}.")
    return array
