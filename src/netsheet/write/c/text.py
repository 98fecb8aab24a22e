"""C text under construction: lines, blocks and names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np

from netsheet.equations import FloatArray, Index, Tensor
from netsheet.write.c.kernels import Kernel, Row
from netsheet.write.c.names import Identifiers, identifier


class Lines:
    """Indented lines of C."""

    def __init__(self, depth: int = 0) -> None:
        self.lines: list[str] = []
        self.depth = depth

    def add(self, line: str) -> None:
        """One line at the present depth."""
        self.lines.append("    " * self.depth + line if line else "")

    @contextlib.contextmanager
    def block(self, head: str) -> Iterator[None]:
        """``head {`` ... ``}`` around what is added meanwhile."""
        self.add(f"{head} {{" if head else "{")
        self.depth += 1
        yield
        self.depth -= 1
        self.add("}")

    def __str__(self) -> str:
        return "\n".join(self.lines)


class Unit:
    """What the functions of one file share: helpers, tables, constants and their names."""

    def __init__(self, library: str) -> None:
        self.library = library
        self.helpers: set[str] = set()
        self.kernels: set[Kernel] = set()
        self.rows: dict[Row, str] = {}
        self.tables: dict[tuple[int, ...], str] = {}
        self.names = Identifiers()

    def helper(self, name: str) -> str:
        """The C name of a helper, which is then written."""
        self.helpers.add(name)
        return f"{self.library}_{name}"

    def row(self, row: Row, name: str) -> str:
        """The name of the constant that describes rows of pixels."""
        if row not in self.rows:
            self.rows[row] = self.names.fresh(f"{self.library}_layer_{identifier(name)}_row")
        return self.rows[row]

    def table(self, values: tuple[int, ...]) -> str:
        """The name of a constant array of positions."""
        if values not in self.tables:
            self.tables[values] = f"{self.library}_table{len(self.tables)}"
        return self.tables[values]


class Scope:
    """Names inside one C function: indices, variables, and pointers to tensors."""

    def __init__(self, unit: Unit, pointers: Mapping[Tensor, str]) -> None:
        self.unit = unit
        self.pointers = pointers
        self.lines = Lines(1)
        self._indices: dict[Index, str] = {}
        self._names = Identifiers()
        for name in pointers.values():
            self._names.fresh(name)

    def fresh(self, wanted: str) -> str:
        """A variable name that is free in the function."""
        return self._names.fresh(wanted)

    def index(self, index: Index) -> str:
        """The loop variable of an index."""
        if index not in self._indices:
            letter = identifier(index.name).lower()
            self._indices[index] = self.fresh(letter if letter != "layer" else "n")
        return self._indices[index]

    @contextlib.contextmanager
    def loop(self, index: Index, low: str = "0", high: str | None = None) -> Iterator[None]:
        """A loop over the values of ``index``; none where it has one value only."""
        if index.size == 1 and low == "0" and high is None:
            yield
            return
        name = self.index(index)
        end = str(index.size) if high is None else high
        with self.lines.block(f"for (int {name} = {low}; {name} < {end}; {name}++)"):
            yield


def sum_text(parts: list[tuple[int, str]], const: int) -> str:
    """``2 * y + u - 1`` from factors and terms."""
    text = ""
    for factor, term in sorted(parts, key=lambda part: part[0] < 0):
        times = term if abs(factor) == 1 else f"{abs(factor)} * {term}"
        if text:
            text += f" - {times}" if factor < 0 else f" + {times}"
        else:
            text = f"-{times}" if factor < 0 else times
    if const or not text:
        text += (f" + {const}" if const > 0 else f" - {-const}") if text else str(const)
    return text


class Constants:
    """The arrays of ``net_weights.c``: packed kernels, biases, whole weights."""

    def __init__(self, library: str) -> None:
        self.library = library
        self.arrays: dict[str, FloatArray] = {}
        self.notes: dict[str, str] = {}
        self.traced: set[str] = set()  # needed by the traced code only
        self.tracing = False
        self._by_content: dict[bytes, str] = {}
        self._names = Identifiers()

    def add(self, name: str, values: FloatArray, note: str) -> str:
        """The C name of these numbers (as float32); equal arrays are stored once."""
        with np.errstate(over="ignore"):
            flat = np.ascontiguousarray(values, np.float32).reshape(-1)
        content = flat.tobytes()
        if content not in self._by_content:
            chosen = self._names.fresh(f"{self.library}_w_{identifier(name)}")
            self._by_content[content] = chosen
            self.arrays[chosen], self.notes[chosen] = flat, note
            if self.tracing:
                self.traced.add(chosen)
        return self._by_content[content]

    @property
    def size(self) -> int:
        """Bytes of flash without tracing."""
        return sum(4 * a.size for name, a in self.arrays.items() if name not in self.traced)
