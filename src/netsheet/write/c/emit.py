"""The C files of a library: header, code, constants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.network import Network
from netsheet.write.c.functions import helper_text, helpers_of
from netsheet.write.c.names import Identifiers, comment, identifier, library_name, number, string
from netsheet.write.c.places import natural, same_layout
from netsheet.write.c.program import Program, build
from netsheet.write.c.row_functions import kernel_text
from netsheet.write.c.text import Constants, Lines, Unit
from netsheet.write.float_text import row_texts

PER_LINE = 8  # numbers


@dataclass(eq=False)
class Library:
    """A model as two programs over shared constants: the fast one, and the one that shows all."""

    model: Network
    name: str
    fast: Program
    traced: Program
    constants: Constants
    inputs: list[str]  # C parameter names
    outputs: list[str]

    @property
    def upper(self) -> str:
        """The prefix of macros."""
        return self.name.upper()


def library(model: Network, name: str = "net", fast: bool = True, traced: bool = True) -> Library:
    """Plan both programs for a model whose layers are all computed.

    ``fast`` False uses the general printer only; ``traced`` False leaves out the second program.
    """
    library_name(name)
    constants = Constants(name)
    names = Identifiers()
    inputs = _parameters(names, "input", model.inputs)
    outputs = _parameters(names, "output", model.outputs)
    equations = model.equations()

    def program(kept: Sequence[Tensor]) -> Program:
        return build(
            model.inputs, model.outputs, equations, kept, Unit(name), constants,
            (inputs, outputs), fast,
        )  # fmt: skip

    quick = program(())
    constants.tracing = True
    shown = program(list(model.tensors().values())) if traced else quick
    return Library(model, name, quick, shown, constants, inputs, outputs)


def _parameters(names: Identifiers, word: str, tensors: Sequence[Tensor]) -> list[str]:
    if len(tensors) == 1:
        return [word]
    return [names.fresh(f"{word}_{identifier(tensor.name).lower()}") for tensor in tensors]


def signature(lib: Library, suffix: str, last: str = "") -> str:
    """The head of ``net_run`` or of a function with one more parameter."""
    parts = [f"const float {name}[{size_macro(lib, name)}]" for name in lib.inputs]
    parts += [f"float {name}[{size_macro(lib, name)}]" for name in lib.outputs]
    return f"int {lib.name}_{suffix}({', '.join(parts + ([last] if last else [])) or 'void'})"


def size_macro(lib: Library, parameter: str) -> str:
    """The macro of the number of floats of an input or output."""
    return f"{lib.upper}_{parameter.upper()}_SIZE"


def classes(model: Network) -> int | None:
    """The number of classes, where the output is a row of numbers and not the input again."""
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 1 or model.outputs[0].size < 2:
        return None
    same = [tensor for tensor in model.inputs if tensor.size == model.outputs[0].size]
    return None if same else model.outputs[0].size


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
    if lib.traced is not lib.fast:
        lines += [
            "/* To see inside: compile with this, and write the function at the end. */",
            f"/* #define {upper}_TRACE */",
            "",
        ]
    for names, tensors in ((lib.inputs, model.inputs), (lib.outputs, model.outputs)):
        for parameter, tensor in zip(names, tensors, strict=True):
            axes = " x ".join(f"{n} {a}" for n, a in zip(tensor.shape, tensor.axes, strict=True))
            lines.append(f"/* {comment(tensor.name)}: {comment(axes) or 'one number'} */")
            lines.append(f"#define {size_macro(lib, parameter)} {max(tensor.size, 1)}")
    count = classes(model)
    lines += [f"#define {upper}_CLASSES {count}"] if count else []
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
    if lib.traced is not lib.fast:
        lines += [
            f"#ifdef {upper}_TRACE",
            "/* To be written by you: is given every layer's values, in the model's own order. */",
            f"void {lib.name}_trace("
            "const char *layer, int axes, const int *shape, const float *values);",
            "#endif",
            "",
        ]
    lines += ["#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {upper}_H */"]
    return "\n".join(lines) + "\n"


def _arena_macro(lib: Library) -> list[str]:
    define = f"#define {lib.upper}_ARENA_SIZE"
    plain = f"{define} {max(arena_floats(lib, traced=False), 1)}"
    if lib.traced is lib.fast:
        return [plain]
    shown = f"{define} {max(arena_floats(lib, traced=True), 1)}"
    return [f"#ifdef {lib.upper}_TRACE", shown, "#else", plain, "#endif"]


def arena_floats(lib: Library, traced: bool) -> int:
    """Floats of RAM for activations."""
    return lib.traced.arena + _scratch(lib) if traced else lib.fast.arena


def _scratch(lib: Library) -> int:
    """Floats that a traced build needs to bring a tensor into the model's own order."""
    sizes = [t.size for t in lib.traced.done_at if _moved(lib.traced, t)]
    return max(sizes, default=0)


def _moved(program: Program, tensor: Tensor) -> bool:
    return not same_layout(tensor.shape, program.layout(tensor), natural(tensor.shape))


def code(lib: Library) -> str:
    """``net.c``: the network, and between #ifdefs the program that shows every layer."""
    shown = lib.traced is not lib.fast
    programs = [lib.fast, lib.traced] if shown else [lib.fast]
    bodies = [
        "\n".join([*program.functions, _run(lib, program, program is not lib.fast)])
        for program in programs
    ]
    words = [set(re.findall(r"\w+", body)) for body in bodies]
    helpers = [helpers_of(program.unit.helpers) for program in programs]
    common = set.intersection(*helpers)
    parts = [
        f"/* {comment(lib.model.name)}: the network; written by netsheet. */",
        f'#include "{lib.name}.h"',
        "#include <limits.h>",
        "#include <math.h>",
        "",
        "#if INT_MAX < 2147483647",
        '#error "an int of 32 bits is needed"',
        "#endif",
        "",
        *_declared(lib, set.intersection(*words)),
        helper_text(common, lib.name),
    ]
    for program, body, used, needed in zip(programs, bodies, words, helpers, strict=True):
        if shown and program is lib.fast:
            parts += [f"#ifndef {lib.upper}_TRACE", ""]
        elif shown:
            parts += [f"#else /* {lib.upper}_TRACE: each layer for itself, and shown */", ""]
        parts += [
            *_declared(lib, used - set.intersection(*words)),
            *(_table(name, values) for values, name in program.unit.tables.items()),
            helper_text(needed - common, lib.name),
            kernel_text(program.unit.kernels, lib.name),
            body,
        ]
    parts += [f"#endif /* {lib.upper}_TRACE */"] if shown else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _declared(lib: Library, words: AbstractSet[str]) -> list[str]:
    """The constants among these words."""
    found = [
        f"extern const float {name}[{values.size}];"
        for name, values in lib.constants.arrays.items()
        if name in words
    ]
    return [*found, ""] if found else []


def _table(name: str, values: Sequence[int]) -> str:
    return f"static const int {name}[{len(values)}] = {{{', '.join(map(str, values))}}};\n"


def _run(lib: Library, program: Program, traced: bool) -> str:
    """The functions of the header."""
    lines = Lines()
    upper = lib.upper
    lines.add(signature(lib, "run_arena", f"float arena[{upper}_ARENA_SIZE]"))
    with lines.block(""):
        if not arena_floats(lib, traced):
            lines.add("(void)arena;")
        used = set(re.findall(r"\w+", "\n".join(program.calls)))
        for name in lib.inputs:
            if name not in used:
                lines.add(f"(void){name};")
        for number_, call in enumerate(program.calls):
            lines.add(call)
            if traced:
                for tensor in [t for t, at in program.done_at.items() if at == number_]:
                    _trace(lib, program, tensor, lines)
        lines.add("return 0;")
    lines.add("")
    lines.add(signature(lib, "run"))
    with lines.block(""):
        lines.add(f"static float arena[{upper}_ARENA_SIZE];")
        arguments = ", ".join([*lib.inputs, *lib.outputs, "arena"])
        lines.add(f"return {lib.name}_run_arena({arguments});")
    return str(lines) + "\n"


def _trace(lib: Library, program: Program, tensor: Tensor, lines: Lines) -> None:
    """Hand one tensor to the callback, in the framework's own order."""
    pointer = program.pointer(tensor)
    with lines.block(""):
        shape = ", ".join(map(str, tensor.shape)) or "1"
        lines.add(f"static const int shape[] = {{{shape}}};")
        if _moved(program, tensor):
            lines.add(f"float *at = arena + {program.arena};")
            names = [f"i{axis}" for axis in range(len(tensor.shape))]
            depth = lines.depth
            for name, size in zip(names, tensor.shape, strict=True):
                lines.add(f"for (int {name} = 0; {name} < {size}; {name}++)")
                lines.depth += 1
            strides = program.layout(tensor)
            place = " + ".join(f"{n} * {s}" for n, s in zip(names, strides, strict=True))
            lines.add(f"*at++ = ({pointer})[{place}];")
            lines.depth = depth
            pointer = f"arena + {program.arena}"
        arguments = f"{string(tensor.name)}, {len(tensor.shape)}, shape, {pointer}"
        lines.add(f"{lib.name}_trace({arguments});")


def weights(lib: Library) -> str:
    """``net_weights.c``: constant data, which a linker leaves in flash."""
    parts = [
        f"/* {comment(lib.model.name)}: weights, in the order in which {lib.name}.c reads them. */",
        f'#include "{lib.name}.h"',
        "#include <math.h>",
        "",
    ]
    plain = [name for name in lib.constants.arrays if name not in lib.constants.traced]
    traced = [name for name in lib.constants.arrays if name in lib.constants.traced]
    parts += [array_text(lib, name) for name in plain]
    if traced:
        parts.append(f"#ifdef {lib.upper}_TRACE")
        parts += [array_text(lib, name) for name in traced]
        parts.append(f"#endif /* {lib.upper}_TRACE */")
    return "\n".join(parts) + "\n"


def array_text(lib: Library, name: str) -> str:
    """One array's declaration and definition."""
    values = lib.constants.arrays[name]
    return (
        f"/* {comment(lib.constants.notes[name])} */\n"
        f"extern const float {name}[{values.size}];\n"
        f"const float {name}[{values.size}] = {{\n{numbers(values)}\n}};\n"
    )


def numbers(values: FloatArray) -> str:
    """Float constants, several to a line, that read back exactly."""
    flat = np.asarray(values, np.float32).reshape(-1)
    whole = len(flat) - len(flat) % PER_LINE
    if not np.isfinite(flat).all():
        whole = 0
    rows = []
    if whole:
        (text,) = row_texts(flat[:whole].reshape(-1, PER_LINE), newline="\n")
        rows = [text.decode().replace(",", "f, ").replace("\n", "f,\n    ") + "f"]
    texts = [number(value) for value in flat[whole:].tolist()]
    rows += [", ".join(texts[n : n + PER_LINE]) for n in range(0, len(texts), PER_LINE)]
    return "    " + ",\n    ".join(rows)


def files(lib: Library) -> dict[str, str]:
    """The C files by name."""
    return {
        f"{lib.name}.h": header(lib),
        f"{lib.name}.c": code(lib),
        f"{lib.name}_weights.c": weights(lib),
    }
