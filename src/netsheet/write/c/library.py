"""The C files of a library: header, code, constants."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netsheet.equations import Tensor
from netsheet.loops.ir import FLOAT, Buffer, PositionTable, Program
from netsheet.loops.names import Identifiers, identifier
from netsheet.loops.pipeline import LoopedNetwork, looped
from netsheet.loops.reach import reach
from netsheet.loops.storage.addresses import natural, same_layout
from netsheet.loops.storage.constants import Constants
from netsheet.network import Network
from netsheet.write.c.constants import declarations, weights
from netsheet.write.c.folder import Content, Pieces
from netsheet.write.c.lines import Lines
from netsheet.write.c.names import TYPES, comment, library_name, string
from netsheet.write.c.notes import note
from netsheet.write.c.portable import lacking, size_checks
from netsheet.write.c.print import CPrinter
from netsheet.write.c.row_functions import geometry_text, row_function_text
from netsheet.write.c.spelling import helper_text, helpers_of
from netsheet.write.c.template import fill, template


@dataclass(eq=False)
class Library:
    """A model as two programs over shared constants: the fast one, and the one that shows all."""

    model: Network
    name: str
    fast: LoopedNetwork
    traced: LoopedNetwork
    constants: Constants
    inputs: list[str]  # C parameter names
    outputs: list[str]
    class_names: tuple[str, ...] = ()

    @property
    def upper(self) -> str:
        """The prefix of macros."""
        return self.name.upper()


def library(model: Network, name: str = "net", fast: bool = True, traced: bool = True) -> Library:
    """Plan both programs for a model whose layers are all computed.

    ``fast`` False uses the general printer only; ``traced`` False leaves out the second program.
    """
    library_name(name)
    constants = Constants()
    names = Identifiers()
    inputs = _parameters(names, "input", [tensor.name for tensor in model.inputs])
    outputs = _parameters(names, "output", [name for name, _ in model.named_outputs()])
    explicit = model.explicit
    equations = explicit.equations()

    def program(kept: Sequence[Tensor]) -> LoopedNetwork:
        return looped(
            explicit.inputs, explicit.outputs, equations,
            kept=kept, constants=constants, fast=fast,
        )  # fmt: skip

    quick = program(())
    constants.tracing = True
    shown = program(list(explicit.tensors().values())) if traced else quick
    return Library(model, name, quick, shown, constants, inputs, outputs)


def _parameters(names: Identifiers, word: str, labels: Sequence[str]) -> list[str]:
    if len(labels) == 1:
        return [word]
    return [names.fresh(f"{word}_{identifier(label).lower()}") for label in labels]


def signature(lib: Library, suffix: str, last: str = "") -> str:
    """The head of ``net_run`` or of a function with one more parameter."""
    given = zip(lib.inputs, lib.model.inputs, strict=True)
    results = zip(lib.outputs, lib.model.outputs, strict=True)
    parts = [f"const {c_type(t)} {name}[{size_macro(lib, name)}]" for name, t in given]
    parts += [f"{c_type(t)} {name}[{size_macro(lib, name)}]" for name, t in results]
    return f"int {lib.name}_{suffix}({', '.join(parts + ([last] if last else [])) or 'void'})"


def c_type(tensor: Tensor) -> str:
    """The C type of a tensor's values."""
    return TYPES[tensor.dtype]


def has_whole_numbers(lib: Library) -> bool:
    """True if it computes with others than floats, which need <stdint.h>."""
    buffers = [
        buffer
        for network in (lib.fast, lib.traced)
        for function in network.program.functions
        for buffer in function.buffers
    ]
    return any(b.dtype != FLOAT for b in (*buffers, *lib.constants.buffers.values()))


def size_macro(lib: Library, parameter: str) -> str:
    """The macro of the number of floats of an input or output."""
    return f"{lib.upper}_{parameter.upper()}_SIZE"


def header(lib: Library) -> str:
    """``net.h``: sizes and the functions that a user calls."""
    model, upper = lib.model, lib.upper
    lines = [
        f"/* {comment(model.name)}: a neural network in C99, written by netsheet.",
        f" * From {comment(model.path.name)}, sha256 {comment(model.sha256)} */",
        f"#ifndef {upper}_H",
        f"#define {upper}_H",
        "",
    ]
    lines += ["#include <stdint.h>", ""] if has_whole_numbers(lib) else []
    if lib.traced is not lib.fast:
        lines += [
            "/* To see inside: compile with this, and write the function at the end. */",
            f"/* #define {upper}_TRACE */",
            "",
        ]
    lines += _sizes(lib)
    count = model.classes
    lines += [f"#define {upper}_CLASSES {count}"] if count else []
    if count and len(lib.class_names) == count:
        names = ", ".join(string(name) for name in lib.class_names)
        lines.append(f"#define {upper}_CLASS_NAMES {{{names}}}")
    lines += ["", fill(template("places.h"), lib.name).rstrip()]
    lines += ["", "/* Floats that the activations take: one static array, or the caller's. */"]
    lines += _arena_macro(lib)
    lines += [
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        "/* Computes the network; inputs and outputs in the model's own order, last axis fastest.",
        " * Returns 0. */",
        signature(lib, "run") + ";",
        "",
        "/* The same in the caller's memory, so that several calls may run at once. */",
        signature(lib, "run_arena", f"float arena[{upper}_ARENA_SIZE]") + ";",
        "",
    ]
    lines += _further_functions(lib)
    lines += ["#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {upper}_H */"]
    return "\n".join(lines) + "\n"


def _further_functions(lib: Library) -> list[str]:
    """Declarations of what only some networks have: a reset, and the callback that shows layers."""
    lines: list[str] = []
    if lib.model.states:
        lines += [
            "/* A stateful network: each run goes on from the state that the run before has left,",
            " * in static arrays that all callers share. This sets it to zeros, as at first. */",
            f"void {lib.name}_reset(void);",
            "",
        ]
    if lib.traced is not lib.fast:
        lines += [
            f"#ifdef {lib.upper}_TRACE",
            "/* To be written by you: is given every layer's values, in the model's own order. */",
            f"void {lib.name}_trace("
            "const char *layer, int axes, const int *shape, const float *values);",
            "#endif",
            "",
        ]
    return lines


def _sizes(lib: Library) -> list[str]:
    """What each input and output is, and how many floats."""
    lines: list[str] = []
    given = [(tensor.name, tensor) for tensor in lib.model.inputs]
    for names, tensors in ((lib.inputs, given), (lib.outputs, lib.model.named_outputs())):
        for parameter, (label, tensor) in zip(names, tensors, strict=True):
            axes = " x ".join(f"{n} {a}" for n, a in zip(tensor.shape, tensor.axes, strict=True))
            lines.append(f"/* {comment(label)}: {comment(axes) or 'one number'} */")
            lines.append(f"#define {size_macro(lib, parameter)} {max(tensor.size, 1)}")
    return lines


def _arena_macro(lib: Library) -> list[str]:
    define = f"#define {lib.upper}_ARENA_SIZE"
    plain = f"{define} {max(arena_floats(lib, traced=False), 1)}"
    if lib.traced is lib.fast:
        return [plain]
    shown = f"{define} {max(arena_floats(lib, traced=True), 1)}"
    return [f"#ifdef {lib.upper}_TRACE", shown, "#else", plain, "#endif"]


def arena_floats(lib: Library, traced: bool) -> int:
    """Floats of RAM for activations; whole numbers are packed into them."""
    return lib.traced.program.arena + _scratch(lib) if traced else lib.fast.program.arena


def _scratch(lib: Library) -> int:
    """Floats that a traced build needs to bring a tensor into the model's own order."""
    sizes = [t.size for t in lib.traced.done_at if _copied(lib.traced, t)]
    return max(sizes, default=0)


def _copied(program: LoopedNetwork, tensor: Tensor) -> bool:
    """True if the callback gets a copy: in another order, or of whole numbers as floats."""
    return tensor.dtype != FLOAT or not same_layout(
        tensor.shape, program.layout(tensor), natural(tensor.shape)
    )


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
        *declarations(lib.name, lib.constants, common_words),
        lacking(set.union(*words), lib.name),
        helper_text(common, lib.name),
    ]
    for program, used in zip(programs, words, strict=True):
        if shown and program is programs[0]:
            parts += [f"#ifndef {lib.upper}_TRACE", ""]
        elif shown:
            parts += [f"#else /* {lib.upper}_TRACE: each layer for itself, and shown */", ""]
        parts += [
            *declarations(lib.name, lib.constants, used - common_words),
            *(_table(lib, table) for table in program.network.program.tables),
            helper_text(program.helpers - common, lib.name),
            row_function_text(program.printer.row_functions, lib.name),
            program.body,
        ]
    parts += [f"#endif /* {lib.upper}_TRACE */"] if shown else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _table(lib: Library, table: PositionTable) -> str:
    values = ", ".join(map(str, table.values))
    name = f"{lib.name}_{table.name}[{len(table.values)}]"
    return f"static const {lib.upper}_FLASH int {name} = {{{values}}};\n"


def _run(lib: Library, network: LoopedNetwork, traced: bool) -> str:
    """The functions of the header."""
    lines = Lines()
    upper = lib.upper
    program = network.program
    arguments = _arguments(lib, program)
    shown: dict[int, list[Tensor]] = {}
    for tensor, number_ in network.done_at.items() if traced else ():
        shown.setdefault(number_, []).append(tensor)
    for number_, state in enumerate(lib.model.states):
        before, after = _state_arrays(lib, number_)
        lines.add(f"/* {comment(state.before.name)}, and what follows it */")
        lines.add(f"static float {before}[{state.before.size}], {after}[{state.after.size}];")
    lines.add(f"{upper}_CODE " + signature(lib, "run_arena", f"float arena[{upper}_ARENA_SIZE]"))
    with lines.block(""):
        if not arena_floats(lib, traced):
            lines.add("(void)arena;")
        used = {buffer for function in program.functions for buffer in function.buffers}
        for buffer in program.inputs:
            if buffer not in used:
                lines.add(f"(void){arguments[buffer]};")
        for number_, function in enumerate(program.functions):
            given = ", ".join(_argument(arguments, buffer) for buffer in function.buffers)
            lines.add(f"{lib.name}_{function.name}({given});")
            for tensor in shown.get(number_, ()):
                pointer = _argument(arguments, network.buffers[tensor])
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
        lines.add(f"static float arena[{upper}_ARENA_SIZE] {upper}_ARENA;")
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


def _arguments(lib: Library, program: Program) -> dict[Buffer, str]:
    """The parameters of ``net_run`` for the buffers that callers give."""
    buffers = (*program.inputs, *program.outputs)
    states = [_state_arrays(lib, number_) for number_ in range(len(lib.model.states))]
    before, after = [pair[0] for pair in states], [pair[1] for pair in states]
    return dict(zip(buffers, [*lib.inputs, *before, *lib.outputs, *after], strict=True))


def _state_arrays(lib: Library, number_: int) -> tuple[str, str]:
    """The static arrays of a state, before and after a run."""
    return f"{lib.name}_state{number_}", f"{lib.name}_next{number_}"


def _argument(arguments: Mapping[Buffer, str], buffer: Buffer) -> str:
    """The C expression of a buffer's first element, in the function that runs it all."""
    if buffer in arguments:
        return arguments[buffer]
    place = f"arena + {buffer.start}"
    return place if buffer.dtype == FLOAT else f"({TYPES[buffer.dtype]} *)({place})"


def _trace(
    lib: Library, network: LoopedNetwork, tensor: Tensor, pointer: str, lines: Lines
) -> None:
    """Hand one tensor to the callback, in the framework's own order."""
    arena = network.program.arena
    with lines.block(""):
        shape = ", ".join(map(str, tensor.shape)) or "1"
        lines.add(f"static const int shape[] = {{{shape}}};")
        if _copied(network, tensor):
            lines.add(f"float *at = arena + {arena};")
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
            pointer = f"arena + {arena}"
        arguments = f"{string(tensor.name)}, {len(tensor.shape)}, shape, {pointer}"
        lines.add(f"{lib.name}_trace({arguments});")


def files(lib: Library) -> dict[str, Content]:
    """The C files by name; the weights in pieces, made when they are read."""
    return {
        f"{lib.name}.h": header(lib),
        f"{lib.name}.c": code(lib),
        f"{lib.name}_weights.c": Pieces(lambda: weights(lib.name, lib.model.name, lib.constants)),
    }
