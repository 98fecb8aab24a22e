"""The C files of a library: header, code, constants."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

from netsheet.equations import Tensor
from netsheet.loops.ir import FLOAT
from netsheet.loops.pipeline import LoopedNetwork
from netsheet.loops.reach import reach
from netsheet.write.c.arrays import numbers
from netsheet.write.c.constants import weights
from netsheet.write.c.folder import Content, Pieces
from netsheet.write.c.header import header
from netsheet.write.c.learning import RamArray, described
from netsheet.write.c.learning_code import learning_code
from netsheet.write.c.library import (
    Library,
    arena_floats,
    arena_parameter,
    copied,
    signature,
    word_type,
)
from netsheet.write.c.lines import Lines
from netsheet.write.c.names import comment, string
from netsheet.write.c.portable import lacking, size_checks
from netsheet.write.c.printed import GivenBuffers, declared, printed, printed_text
from netsheet.write.c.spelling import helper_text
from netsheet.write.c.weights_file import WeightsFile


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
    programs = [printed(lib, lib.fast, _run(lib, lib.fast, False))]
    programs += [printed(lib, lib.traced, _run(lib, lib.traced, True))] if shown else []
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
        *declared(lib, common_words, True),
        lacking(set.union(*words), lib.name),
        helper_text(common, lib.name),
        *(ram_text(lib, array) for array in lib.ram),
    ]
    for program, used in zip(programs, words, strict=True):
        if shown and program is programs[0]:
            parts += [f"#ifndef {lib.upper}_TRACE", ""]
        elif shown:
            parts += [f"#else /* {lib.upper}_TRACE: each layer for itself, and shown */", ""]
        parts += [
            *declared(lib, used - common_words, False),
            *printed_text(lib, program, program.helpers - common),
        ]
    parts += [f"#endif /* {lib.upper}_TRACE */"] if shown else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def ram_text(lib: Library, array: RamArray) -> str:
    """A weight that learns: in RAM, at first as the file has it."""
    head = f"float {array.name}[{max(array.weight.size, 1)} {lib.upper}_SPARE]"
    return f"/* {described(array)} */\n{head} = {{\n{numbers(array.weight.values)}\n}};\n"


def _run(lib: Library, network: LoopedNetwork, traced: bool) -> str:
    """The functions of the header."""
    lines = Lines()
    upper = lib.upper
    program = network.program
    arguments = GivenBuffers(program, _given(lib), word_type(lib))
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


def _given(lib: Library) -> list[str]:
    """The names of inputs, states and weights in RAM, then of outputs and the next states."""
    states = [_state_arrays(lib, number_) for number_ in range(len(lib.model.states))]
    before, after = [pair[0] for pair in states], [pair[1] for pair in states]
    return [*lib.inputs, *before, *(array.name for array in lib.ram), *lib.outputs, *after]


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
    """Header, code, constants, and the step that learns; weights in pieces, made when read."""
    file = weights_file(lib)
    made: dict[str, Content] = {f"{lib.name}.h": header(lib, file), f"{lib.name}.c": code(lib)}
    if lib.learning is not None:
        made[f"{lib.name}_learn.c"] = learning_code(lib, lib.learning)
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
