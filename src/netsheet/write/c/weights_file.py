"""Weights as a file of their own: for a flash partition, an SD card, an update over the air.

``net_weights.bin`` is little-endian: 32 bytes of head, then every array, each from a multiple of
4 bytes on, first those of ``net_run``, then what only the traced program needs. The head: the
letters ``NSW1``, a key of the code that reads it, the CRC-32 (as zip files have it) of the arrays
of ``net_run``, that of all arrays, their bytes likewise, and zeros.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np

from netsheet.loops.ir import Buffer
from netsheet.loops.storage.constants import Constants
from netsheet.write.c.names import TYPES
from netsheet.write.c.template import fill, template

HEAD = 32
WORD = 4


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """The constants of a library as one file; ``key`` belongs to the code that reads it."""

    library: str
    constants: Constants
    key: int = 0

    def _ordered(self) -> list[Buffer]:
        traced = self.constants.traced
        buffers = self.constants.buffers
        return [
            *(one for name, one in buffers.items() if name not in traced),
            *(one for name, one in buffers.items() if name in traced),
        ]

    def _arrays(self) -> Iterator[bytes]:
        for buffer in self._ordered():
            assert buffer.values is not None
            data = buffer.values.astype(np.dtype(buffer.dtype).newbyteorder("<")).tobytes()
            yield data + bytes(-len(data) % WORD)

    def sizes(self) -> tuple[int, int]:
        """Bytes of the file as ``net_run`` needs it, and of all of it."""
        padded = [(b.name, b.bytes + -b.bytes % WORD) for b in self._ordered()]
        plain = sum(size for name, size in padded if name not in self.constants.traced)
        return HEAD + plain, HEAD + sum(size for _, size in padded)

    def pieces(self) -> Iterator[bytes]:
        """The file."""
        plain, whole = (size - HEAD for size in self.sizes())
        sums, check, done = [0, 0], 0, 0
        for data in self._arrays():
            if done == plain:
                sums[0] = check
            check, done = zlib.crc32(data, check), done + len(data)
        sums = [check if done == plain else sums[0], check]
        yield struct.pack("<4s5I8x", b"NSW1", self.key, *sums, plain, whole)
        yield from self._arrays()

    def declarations(self, words: Set[str]) -> list[str]:
        """How ``net.c`` finds the constants among these words."""
        lines, at = [], HEAD
        for buffer in self._ordered():
            name = f"{self.library}_{buffer.name}"
            place = f"(const void *)({self.library}_weights_at + {at})"
            if name in words:
                lines.append(f"#define {name} ((const {TYPES[buffer.dtype]} *){place})")
            at += buffer.bytes + -buffer.bytes % WORD
        return [*lines, ""] if lines else []

    def header(self) -> str:
        """What ``net.h`` says of it."""
        plain, whole = self.sizes()
        marks = {"plain": str(plain), "whole": str(whole), "key": f"0x{self.key:08x}u"}
        return fill(template("weights_file.h"), self.library, marks)

    def loader(self) -> str:
        """``net_weights.c``: the check of the file."""
        return fill(template("weights_file.c"), self.library)
