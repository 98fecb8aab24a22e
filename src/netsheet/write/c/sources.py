"""The C files of a library: header, code, constants."""

from __future__ import annotations

import re
import zlib
from collections.abc import Set
from dataclasses import dataclass, replace

from netsheet.equations import Tensor
from netsheet.loops.ir import FLOAT, Buffer, PositionTable, Program
from netsheet.loops.pipeline import LoopedNetwork
from netsheet.loops.reach import reach
from netsheet.write.c.constants import declarations, weights
from netsheet.write.c.folder import Content, Pieces
from netsheet.write.c.header import header
from netsheet.write.c.library import (
    Library,
    arena_floats,
    arena_parameter,
    copied,
    signature,
    word_type,
)
from netsheet.write.c.lines import Lines
from netsheet.write.c.names import TYPES, comment, string
from netsheet.write.c.notes import note
from netsheet.write.c.portable import lacking, size_checks
from netsheet.write.c.print import CPrinter
from netsheet.write.c.row_functions import geometry_text, row_function_text
from netsheet.write.c.spelling import helper_text, helpers_of
from netsheet.write.c.weights_file import WeightsFile
from netsheet.write.c.whole_tiles import tile_text


@dataclass(frozen=True, eq=False)
class _PrintedProgram:
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


def _printed(lib: Library, network: LoopedNetwork, traced: bool) -> _PrintedProgram:
    printer = CPrinter(lib.name)
    functions = [
        note(computation.equations) + printer.function(function)
        for function, computation in zip(
            network.program.functions, network.computations, strict=True
        )
    ]
    rows = geometry_text(printer.geometries, printer.row_functions, lib.name)
    parts = [rows] if rows else []
    body = "\n".join([*parts, *functions, _run(lib, network, traced)])
    return _PrintedProgram(network, printer, body)


def weights_file(lib: Library) -> WeightsFile | None:
    """The file that holds the constants, with the key of the code; None where C text does."""
    if lib.weights != "binary":
        return None
    file = WeightsFile(lib.name, lib.constants)
    lines = code(lib).partition("\n")[2]  # but for the model's name
    return replace(file, key=zlib.crc32(f"{file.sizes()}{lines}".encode()))


def code(lib: Library) -> str:
    """``net.c``: the network, and between #ifdefs the program that shows every layer."""
    shown = lib.traced is not lib.fast
    programs = [_printed(lib, lib.fast, False)]
    programs += [_printed(lib, lib.traced, True)] if shown else []
    words = [program.words for program in programs]
    common_words = set.intersection(*words)
    common = set.intersection(*(program.helpers for program in programs))
    sizes = [buffer.bytes for buffer in lib.constants.buffers.values()]
    most = max(reach(program.network.program) for program in programs)
    parts = [
        f"/* {comment(lib.model.name)}: the network; written by netsheet. */",
        f'#include "{lib.name}.h"',
        "#include <limits.h>",
        "#include <math.h>",
        "",
        *size_checks(lib.name, sizes, most),
        "",
        *_declared(lib, common_words, True),
        lacking(set.union(*words), lib.name),
        helper_text(common, lib.name),
    ]
    for program, used in zip(programs, words, strict=True):
        if shown and program is programs[0]:
            parts += [f"#ifndef {lib.upper}_TRACE", ""]
        elif shown:
            parts += [f"#else /* {lib.upper}_TRACE: each layer for itself, and shown */", ""]
        parts += [
            *_declared(lib, used - common_words, False),
            *(_table(lib, table) for table in program.network.program.tables),
            helper_text(program.helpers - common, lib.name),
            row_function_text(program.printer.row_functions, lib.name, lib.weights == "text"),
            tile_text(program.printer.tiles, lib.name),
            program.body,
        ]
    parts += [f"#endif /* {lib.upper}_TRACE */"] if shown else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _declared(lib: Library, words: Set[str], first: bool) -> list[str]:
    """How the code gets at the constants among these words."""
    if lib.weights != "binary":
        return declarations(lib.name, lib.constants, words)
    at = [f"extern const unsigned char *{lib.name}_weights_at;", ""] if first else []
    return at + WeightsFile(lib.name, lib.constants).declarations(words)


def _table(lib: Library, table: PositionTable) -> str:
    values = ", ".join(map(str, table.values))
    name = f"{lib.name}_{table.name}[{len(table.values)}]"
    return f"static const {lib.upper}_FLASH int {name} = {{{values}}};\n"


def _run(lib: Library, network: LoopedNetwork, traced: bool) -> str:
    """The functions of the header."""
    lines = Lines()
    upper = lib.upper
    program = network.program
    arguments = _Arguments(lib, program)
    shown: dict[int, list[Tensor]] = {}
    for tensor, number_ in network.done_at.items() if traced else ():
        shown.setdefault(number_, []).append(tensor)
    for number_, state in enumerate(lib.model.states):
        before, after = _state_arrays(lib, number_)
        lines.add(f"/* {comment(state.before.name)}, and what follows it */")
        lines.add(f"static float {before}[{state.before.size}], {after}[{state.after.size}];")
    lines.add(f"{upper}_CODE " + signature(lib, "run_arena", arena_parameter(lib)))
    with lines.block(""):
        if lib.weights == "binary":
            lines.add(f"if (!{lib.name}_weights_at)")
            lines.add(f"    return {upper}_WEIGHTS_MISSING;")
        if not arena_floats(lib, traced):
            lines.add("(void)arena;")
        used = {buffer for function in program.functions for buffer in function.buffers}
        for buffer in program.inputs:
            if buffer not in used:
                lines.add(f"(void){arguments.of(buffer)};")
        for number_, function in enumerate(program.functions):
            given = ", ".join(arguments.of(buffer) for buffer in function.buffers)
            lines.add(f"{lib.name}_{function.name}({given});")
            for tensor in shown.get(number_, ()):
                pointer = arguments.of(network.buffers[tensor])
                _trace(lib, network, tensor, pointer, lines)
        for number_, state in enumerate(lib.model.states):
            before, after = _state_arrays(lib, number_)
            with lines.block(f"for (int i = 0; i < {state.before.size}; i++)"):
                lines.add(f"{before}[i] = {after}[i];")
        lines.add("return 0;")
    lines.add("")
    _reset(lib, lines)
    lines.add(f"{upper}_CODE " + signature(lib, "run"))
    with lines.block(""):
        lines.add(f"static {arena_parameter(lib)} {upper}_ARENA;")
        names = ", ".join([*lib.inputs, *lib.outputs, "arena"])
        lines.add(f"return {lib.name}_run_arena({names});")
    return str(lines) + "\n"


def _reset(lib: Library, lines: Lines) -> None:
    """The function that sets the states to zeros, where there are states."""
    if not lib.model.states:
        return
    lines.add(f"void {lib.name}_reset(void)")
    with lines.block(""):
        for number_, state in enumerate(lib.model.states):
            with lines.block(f"for (int i = 0; i < {state.before.size}; i++)"):
                lines.add(f"{_state_arrays(lib, number_)[0]}[i] = 0.0f;")
    lines.add("")


class _Arguments:
    """The C expressions of the first elements of buffers, in the function that runs it all."""

    def __init__(self, lib: Library, program: Program) -> None:
        buffers = (*program.inputs, *program.outputs)
        states = [_state_arrays(lib, number_) for number_ in range(len(lib.model.states))]
        before, after = [pair[0] for pair in states], [pair[1] for pair in states]
        names = [*lib.inputs, *before, *lib.outputs, *after]
        self._given = dict(zip(buffers, names, strict=True))
        self._word = word_type(lib)

    def of(self, buffer: Buffer) -> str:
        """A parameter of ``net_run``, or a place in the arena."""
        if buffer in self._given:
            return self._given[buffer]
        place, kind = f"arena + {buffer.start}", TYPES[buffer.dtype]
        return place if kind == self._word else f"({kind} *)({place})"


def _state_arrays(lib: Library, number_: int) -> tuple[str, str]:
    """The static arrays of a state, before and after a run."""
    return f"{lib.name}_state{number_}", f"{lib.name}_next{number_}"


def _trace(
    lib: Library, network: LoopedNetwork, tensor: Tensor, pointer: str, lines: Lines
) -> None:
    """Hand one tensor to the callback, in the framework's own order."""
    arena = network.program.arena
    with lines.block(""):
        shape = ", ".join(map(str, tensor.shape)) or "1"
        lines.add(f"static const int shape[] = {{{shape}}};")
        if copied(network, tensor):
            copy = (
                f"arena + {arena}" if word_type(lib) == "float" else f"(float *)(arena + {arena})"
            )
            lines.add(f"float *at = {copy};")
            names = [f"i{axis}" for axis in range(len(tensor.shape))]
            depth = lines.depth
            for name, size in zip(names, tensor.shape, strict=True):
                lines.add(f"for (int {name} = 0; {name} < {size}; {name}++)")
                lines.depth += 1
            strides = network.layout(tensor)
            place = " + ".join(f"{n} * {s}" for n, s in zip(names, strides, strict=True))
            number = f"({pointer})[{place or 0}]"
            lines.add(f"*at++ = {number if tensor.dtype == FLOAT else f'(float){number}'};")
            lines.depth = depth
            pointer = copy
        arguments = f"{string(tensor.name)}, {len(tensor.shape)}, shape, {pointer}"
        lines.add(f"{lib.name}_trace({arguments});")


def files(lib: Library) -> dict[str, Content]:
    """The C files by name; the weights in pieces, made when they are read."""
    file = weights_file(lib)
    made: dict[str, Content] = {f"{lib.name}.h": header(lib, file), f"{lib.name}.c": code(lib)}
    if file is not None:
        return {
            **made,
            f"{lib.name}_weights.c": file.loader(),
            f"{lib.name}_weights.bin": Pieces(file.pieces),
        }
    return {
        **made,
        f"{lib.name}_weights.c": Pieces(lambda: weights(lib.name, lib.model.name, lib.constants)),
    }
