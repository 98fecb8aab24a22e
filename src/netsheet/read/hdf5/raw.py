"""What the HDF5 library takes on trust, checked in the bytes of the file beforehand.

A global heap whose objects have no size makes the library loop for ever, and the length of a text
of variable length is allocated before it is compared with anything. Source: HDF5 File Format
Specification 3.0, sections III.E (global heap), IV.A.1 (object headers) and IV.A.2.m (attributes).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

from netsheet.errors import FormatError, UnsupportedError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\0\0\0"
_BLOCK = 1 << 20
_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10
_SHARED = 2  # a flag of a message that lies elsewhere
_MAX_BLOCKS = 1000
_TEXT = 16  # bytes of the reference to a text: its length, a heap's address, a number


def signature_at(stream: IO[bytes]) -> int | None:
    """Where the signature lies: at 0, or behind a user's own block of 512, 1024, ... bytes."""
    size, offset = stream.seek(0, os.SEEK_END), 0
    while offset < size:
        stream.seek(offset)
        if stream.read(len(SIGNATURE)) == SIGNATURE:
            return offset
        offset = max(2 * offset, 512)
    return None


class Raw:
    """An HDF5 file as bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._size = stream.seek(0, os.SEEK_END)
        base = signature_at(stream)
        if base is None:
            raise FormatError("it has no HDF5 signature")
        self._base = base
        head = self._read(0, 16)
        sizes = head[13:15] if head[8:9] < b"\x02" else head[9:11]
        if sizes != b"\x08\x08":
            raise UnsupportedError("its addresses do not have 8 bytes, which is not read")
        self._check_heaps()

    def _read(self, address: int, length: int) -> bytes:
        """Bytes at an address of the file; FormatError beyond its end."""
        at = self._base + address
        if at + length > self._size:
            raise FormatError("the file is damaged or cut off: a part of it lies behind its end")
        self._stream.seek(at)
        return self._stream.read(length)

    # ------------------------------------------------------------------ heaps

    def _check_heaps(self) -> None:
        at, kept = 0, b""
        self._stream.seek(0)
        while block := self._stream.read(_BLOCK):
            seen = kept + block
            found = seen.find(_HEAP)
            while found >= 0:
                self._check_heap(at - len(kept) + found - self._base)
                found = seen.find(_HEAP, found + 1)
            at += len(block)
            kept = seen[-len(_HEAP) + 1 :]
            self._stream.seek(at)

    def _check_heap(self, address: int) -> None:
        """Every object leads to the next one, and the last one to the heap's end."""
        (size,) = struct.unpack("<Q", self._read(address + 8, 8))
        size = min(size, self._size - self._base - address)
        data = self._read(address, size)
        at = 16
        while at + 16 <= size:
            number, length = struct.unpack_from("<H6xQ", data, at)
            step = length if number == 0 else 16 + (length + 7) // 8 * 8
            if step < 16 or at + step > size:
                raise FormatError("the file is damaged or cut off. Copy or download it again.")
            at += step

    # ------------------------------------------------------------------ attributes

    def text_lengths(self, address: int, name: str, count: int) -> list[int]:
        """The lengths of the texts in an attribute of the object whose header lies at ``address``.

        Raises:
            UnsupportedError: the attribute does not lie in the header.
        """
        wanted = name.encode("utf-8", "surrogateescape")
        for kind, flags, data in self._messages(address):
            if kind != _ATTRIBUTE:
                continue
            if flags & _SHARED:
                break
            own, values = _attribute(data)
            if own == wanted:
                if len(values) < count * _TEXT:
                    raise FormatError(f"the attribute {name!r} is damaged")
                return [struct.unpack_from("<L", values, _TEXT * n)[0] for n in range(count)]
        raise UnsupportedError(
            f"the attribute {name!r} is stored in a way that is not read. Rewrite the file with "
            "h5repack."
        )

    def _messages(self, address: int) -> Iterator[tuple[int, int, bytes]]:
        """Kind, flags and data of every message of an object header."""
        newer = self._read(address, 4) == b"OHDR"
        if newer:
            start, length, header = self._newer_header(address)
        else:
            (length,) = struct.unpack("<L", self._read(address + 8, 4))
            start, header = address + 16, 8
        blocks, seen = [(start, length)], 0
        while blocks and seen < _MAX_BLOCKS:
            data = self._read(*blocks.pop(0))
            seen += 1
            at = 0
            while at + header <= len(data):
                if newer:
                    kind, size, flags = struct.unpack_from("<BHB", data, at)
                else:
                    kind, size, flags = struct.unpack_from("<HHB", data, at)
                body = data[at + header : at + header + size]
                if kind == _CONTINUATION and len(body) >= 16:
                    place, length = struct.unpack_from("<QQ", body)
                    # a newer block has a signature in front and a checksum behind
                    blocks.append((place + 4, max(length - 8, 0)) if newer else (place, length))
                yield kind, flags, body
                at += header + size

    def _newer_header(self, address: int) -> tuple[int, int, int]:
        """Start and length of the messages, and the length of what is in front of each."""
        flags = self._read(address + 5, 1)[0]
        at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        length = int.from_bytes(self._read(at, width), "little")
        return at + width, length, 6 if flags & 4 else 4


def _attribute(data: bytes) -> tuple[bytes, bytes]:
    """Name and values of an attribute message."""
    if len(data) < 9:
        return b"", b""
    version, _, name, kind, space = struct.unpack_from("<BBHHH", data)
    at = 9 if version == 3 else 8
    own = data[at : at + name].rstrip(b"\0")
    sizes: tuple[int, ...] = name, kind, space
    if version == 1:
        sizes = tuple((size + 7) // 8 * 8 for size in sizes)
    return own, data[at + sum(sizes) :]
