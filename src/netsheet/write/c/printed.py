"""A program's C: its functions, and the tables, helpers and declarations around them."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from netsheet.loops.ir import Buffer, PositionTable, Program
from netsheet.loops.pipeline import LoopedNetwork
from netsheet.write.c.constants import declarations
from netsheet.write.c.library import Library
from netsheet.write.c.names import TYPES
from netsheet.write.c.notes import note
from netsheet.write.c.print import CPrinter
from netsheet.write.c.row_functions import geometry_text, row_function_text
from netsheet.write.c.spelling import helper_text, helpers_of
from netsheet.write.c.weights_file import WeightsFile
from netsheet.write.c.whole_tiles import tile_text


@dataclass(frozen=True, eq=False)
class PrintedProgram:
    """A program's C, and the names in it."""

    network: LoopedNetwork
    printer: CPrinter
    body: str

    @property
    def words(self) -> set[str]:
        return set(re.findall(r"\w+", self.body))

    @property
    def helpers(self) -> set[str]:
        return helpers_of(self.printer.helpers)


def printed(lib: Library, network: LoopedNetwork, run: str) -> PrintedProgram:
    """The functions of a program, and behind them ``run``, which calls them."""
    printer = CPrinter(lib.name)
    functions = [
        note(computation.equations) + printer.function(function)
        for function, computation in zip(
            network.program.functions, network.computations, strict=True
        )
    ]
    rows = geometry_text(printer.geometries, printer.row_functions, lib.name)
    parts = [rows] if rows else []
    body = "\n".join([*parts, *functions, run])
    return PrintedProgram(network, printer, body)


def printed_text(lib: Library, program: PrintedProgram, helpers: Set[str]) -> list[str]:
    """A program behind the tables and helpers that it needs."""
    return [
        *(_table(lib, table) for table in program.network.program.tables),
        helper_text(helpers, lib.name),
        row_function_text(program.printer.row_functions, lib.name, lib.weights == "text"),
        tile_text(program.printer.tiles, lib.name),
        program.body,
    ]


def declared(lib: Library, words: Set[str], first: bool) -> list[str]:
    """How the code gets at the constants among these words."""
    if lib.weights != "binary":
        return declarations(lib.name, lib.constants, words)
    at = [f"extern const unsigned char *{lib.name}_weights_at;", ""] if first else []
    return at + WeightsFile(lib.name, lib.constants).declarations(words)


def _table(lib: Library, table: PositionTable) -> str:
    values = ", ".join(map(str, table.values))
    name = f"{lib.name}_{table.name}[{len(table.values)}]"
    return f"static const {lib.upper}_FLASH int {name} = {{{values}}};\n"


class GivenBuffers:
    """The C expressions of the first elements of buffers, in the function that runs it all.

    ``given`` has those of the program's own inputs and outputs, in order; the others lie in an
    arena of ``word``.
    """

    def __init__(self, program: Program, given: Sequence[str], word: str) -> None:
        buffers = (*program.inputs, *program.outputs)
        self._given = dict(zip(buffers, given, strict=True))
        self._word = word

    def of(self, buffer: Buffer) -> str:
        """A parameter of ``net_run``, or a place in the arena."""
        if buffer in self._given:
            return self._given[buffer]
        place, kind = f"arena + {buffer.start}", TYPES[buffer.dtype]
        return place if kind == self._word else f"({kind} *)({place})"
