"""The members of a .keras file: read by their exact names from the zip, never unpacked."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from netsheet.errors import FormatError, NetsheetError, UnsupportedError
from netsheet.read.limits import MAX_DIRECTORY, MAX_JSON, Budget, parse_json

_BLOCK = 1 << 20
_END = 22  # bytes of the record that ends a zip
_END_64 = 56 + 20  # and of those that stand before it in a large one


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The archive, its directory checked; a damaged one is a FormatError, whenever that shows."""
    try:
        with path.open("rb") as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                yield Archive(file, archive, Budget(path.stat().st_size))
    except NetsheetError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        reason = str(error).strip() or type(error).__name__
        raise FormatError(f"the zip is damaged ({reason}). Copy or download it again.") from None


class Archive:
    """A zip whose member names are plain and unique."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, budget: Budget) -> None:
        self.budget = budget
        self._file = file
        self._archive = archive
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            name = info.orig_filename
            if name.startswith("/") or ".." in name.split("/") or set(name) & set("\\:\0"):
                raise FormatError(f"the member {name!r} has a path that leads out of the file")
            if name in self._members:
                raise FormatError(f"the member {name!r} occurs twice")
            self._members[name] = info
        self._members = _without_folder(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def text(self, name: str) -> str:
        """A member that is a short text; what is no UTF-8 in it is replaced."""
        info = self._member(name)
        if info.file_size > MAX_JSON:
            raise FormatError(f"{name} is {info.file_size:,} bytes long; {MAX_JSON:,} are allowed")
        return self._read(info).decode("utf-8", "replace")

    def json(self, name: str) -> Mapping[str, Any]:
        """A member that is a JSON object."""
        info = self._member(name)
        if info.file_size > MAX_JSON:
            raise FormatError(f"{name} is {info.file_size:,} bytes long; {MAX_JSON:,} are allowed")
        return parse_json(self._read(info), name)

    def stream(self, name: str) -> IO[bytes]:
        """A member as a file: in place if it is stored as it is (Keras does so), else in memory."""
        info = self._member(name)
        if info.compress_type != zipfile.ZIP_STORED:
            return io.BytesIO(self._read(info))
        with self._archive.open(info) as member:  # reading to the end compares the checksum
            while member.read(_BLOCK):
                pass
        self._file.seek(info.header_offset + 26)
        name_length, extra_length = struct.unpack("<HH", self._file.read(4))
        start = info.header_offset + 30 + name_length + extra_length
        return io.BufferedReader(_Window(self._file, start, info.file_size))

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise FormatError(f"it has no member {name!r}, so it is no whole .keras file")
        info = self._members[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnsupportedError(
                f"{name} is packed by a rare method. Pack it again as plain zip."
            )
        return info

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        self.budget.take(info.file_size, info.filename)
        with self._archive.open(info) as member:
            return member.read(info.file_size)


def _without_folder(members: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The members of a zip that was made of a folder, as if the folder had not been there."""
    if _CONFIG in members:
        return members
    folders = [name.removesuffix(_CONFIG) for name in members if name.endswith(f"/{_CONFIG}")]
    folders = [name for name in folders if not name.startswith("__MACOSX")]
    if len(folders) != 1:
        return members
    (folder,) = folders
    return {
        name.removeprefix(folder): info
        for name, info in members.items()
        if name.startswith(folder) and name != folder
    }


_CONFIG = "config.json"


class _Window(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_CUR: self._at, os.SEEK_END: self._size}.get(whence, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        room = memoryview(buffer)[: max(self._size - self._at, 0)]
        count = int(self._file.readinto(room))  # type: ignore[attr-defined]
        self._at += count
        return count


def _check_directory(file: IO[bytes]) -> None:
    """Refuses a directory of very many members before zipfile makes an object of each.

    Its size stands in the end record, and in the 64-bit one before it (APPNOTE 4.3.14 to 4.3.16).
    """
    start = max(file.seek(0, os.SEEK_END) - (1 << 16) - _END - _END_64, 0)
    file.seek(start)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + _END:
        raise FormatError("the zip is cut off: its end is missing. Copy or download it again.")
    (claimed,) = struct.unpack_from("<L", tail, end + 12)
    if end >= _END_64 and tail.startswith(b"PK\x06\x06", end - _END_64):
        (claimed,) = struct.unpack_from("<Q", tail, end - _END_64 + 40)
    if claimed > MAX_DIRECTORY:
        raise FormatError(f"the zip's directory has {claimed:,} bytes, so it is no .keras file")
