"""The constants of a program: packed kernels, biases, whole weights, each stored once."""

from __future__ import annotations

import hashlib

import numpy as np

from netsheet.equations import FloatArray
from netsheet.loops.ir import FLOAT, Buffer
from netsheet.loops.names import Identifiers, identifier


class Constants:
    """Constant buffers by name, shared by the programs of one network."""

    def __init__(self) -> None:
        self.buffers: dict[str, Buffer] = {}
        self.traced: set[str] = set()  # needed only by the program that shows every layer
        self.tracing = False
        self._by_content: dict[tuple[str, int, bytes], Buffer] = {}
        self._names = Identifiers()

    def add(self, name: str, values: FloatArray, note: str, dtype: str = FLOAT) -> Buffer:
        """The buffer of these numbers, in C order; equal arrays are stored once."""
        with np.errstate(over="ignore"):
            flat = np.ascontiguousarray(values, dtype).reshape(-1)
        content = dtype, flat.size, hashlib.sha256(flat.data).digest()
        if content not in self._by_content:
            chosen = self._names.fresh(f"w_{identifier(name)}")
            self._by_content[content] = self.buffers[chosen] = Buffer(
                chosen, flat.size, dtype, "constant", values=flat, note=note
            )
            if self.tracing:
                self.traced.add(chosen)
        return self._by_content[content]

    @property
    def size(self) -> int:
        """Bytes of the constants, those left out that only the second program needs."""
        kept = [buffer for name, buffer in self.buffers.items() if name not in self.traced]
        return sum(np.dtype(buffer.dtype).itemsize * buffer.size for buffer in kept)
