"""A function of the loop IR under construction: statements, blocks, and distinct names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from netsheet.equations import Index, Tensor
from netsheet.loops.ir import (
    FLOAT,
    INT,
    Accumulate,
    Buffer,
    For,
    If,
    Integer,
    Let,
    Pointer,
    PositionTable,
    Scalar,
    Statement,
    Test,
    Variable,
)
from netsheet.loops.names import Identifiers, identifier
from netsheet.loops.products.row_function import RowGeometry


class ProgramNames:
    """What the functions of one program share: their names, and tables of positions."""

    def __init__(self) -> None:
        self.identifiers = Identifiers()
        self.geometries: dict[RowGeometry, str] = {}
        self.tables: dict[tuple[int, ...], PositionTable] = {}

    def function(self, name: str) -> str:
        """A name for the function that fills the tensor of that name."""
        return self.identifiers.fresh(f"layer_{identifier(name)}")

    def geometry(self, geometry: RowGeometry, name: str) -> str:
        """A name for how rows of pixels lie in the layer of that name; equal ones have the same."""
        if geometry not in self.geometries:
            self.geometries[geometry] = self.identifiers.fresh(f"layer_{identifier(name)}_row")
        return self.geometries[geometry]

    def table(self, values: tuple[int, ...]) -> PositionTable:
        """The table with these positions; equal ones are the same."""
        if values not in self.tables:
            self.tables[values] = PositionTable(f"table{len(self.tables)}", values)
        return self.tables[values]


class FunctionBuilder:
    """Collects the statements of one function.

    Args:
        buffers: where each tensor lies.
    """

    def __init__(self, program: ProgramNames, buffers: Mapping[Tensor, Buffer]) -> None:
        self.program = program
        self.buffers = buffers
        self._blocks: list[list[Statement]] = [[]]
        self._indices: dict[Index, Variable] = {}
        self._names = Identifiers()

    @property
    def body(self) -> tuple[Statement, ...]:
        """The statements so far."""
        return tuple(self._blocks[0])

    def add(self, statement: Statement) -> None:
        """One more statement in the present block."""
        self._blocks[-1].append(statement)

    def fresh(self, wanted: str) -> str:
        """A name that is free in the function."""
        return self._names.fresh(wanted)

    def let(
        self,
        name: str,
        value: Integer | Scalar | Test | None,
        dtype: str = FLOAT,
        mutable: bool = False,
    ) -> Variable:
        """A named value."""
        variable = Variable(self.fresh(name), dtype)
        self.add(Let(variable.name, dtype, value, mutable))
        return variable

    def accumulate(self, op: str, total: Variable, value: Integer | Scalar) -> None:
        """``total = total op value``."""
        self.add(Accumulate(op, total.name, value, total.dtype))

    def pointer(self, name: str, buffer: Buffer | Pointer, offset: Integer) -> Pointer:
        """A named place in a buffer."""
        made = Pointer(self.fresh(name), buffer, offset)
        self.add(made)
        return made

    def index(self, index: Index) -> Variable:
        """The loop variable of an index."""
        if index not in self._indices:
            letter = identifier(index.name).lower()
            self._indices[index] = Variable(self.fresh(letter if letter != "layer" else "n"), INT)
        return self._indices[index]

    # ------------------------------------------------------------------ blocks

    @contextlib.contextmanager
    def loop(self, index: Index, low: Integer = 0, high: Integer | None = None) -> Iterator[None]:
        """A loop over the values of ``index``; none where it has one value only."""
        if index.size == 1 and low == 0 and high is None:
            yield
            return
        with self.counting(self.index(index), low, index.size if high is None else high):
            yield

    @contextlib.contextmanager
    def counting(self, variable: Variable, low: Integer, high: Integer) -> Iterator[None]:
        """A loop with a variable of its own."""
        with self.block() as body:
            yield
        self.add(For(variable.name, low, high, tuple(body)))

    @contextlib.contextmanager
    def where(self, test: Test) -> Iterator[None]:
        """Statements that are executed where a test holds."""
        with self.block() as body:
            yield
        self.add(If(test, tuple(body)))

    @contextlib.contextmanager
    def nested(self, *indices: Index) -> Iterator[None]:
        """Loops over several indices, the first one outermost."""
        with contextlib.ExitStack() as loops:
            for index in indices:
                loops.enter_context(self.loop(index))
            yield

    @contextlib.contextmanager
    def block(self) -> Iterator[list[Statement]]:
        """Collects statements that the caller puts somewhere."""
        body: list[Statement] = []
        self._blocks.append(body)
        yield body
        self._blocks.pop()
