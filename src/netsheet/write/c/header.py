"""``net.h``: sizes, where things lie, and the functions that a user calls."""

from __future__ import annotations

from netsheet.equations import Tensor
from netsheet.write.c.learning_code import learning_header
from netsheet.write.c.library import (
    Library,
    arena_floats,
    arena_parameter,
    has_whole_numbers,
    signature,
    size_macro,
    word_type,
)
from netsheet.write.c.names import comment, number, string
from netsheet.write.c.template import fill, template
from netsheet.write.c.weights_file import WeightsFile


def header(lib: Library, file: WeightsFile | None = None) -> str:
    """``net.h``; ``file`` holds the weights where the code does not."""
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
    lines += ["", file.header().rstrip()] if file else []
    lines += ["", fill(template("places.h"), lib.name).rstrip()]
    if word_type(lib) != "float":
        lines += ["", fill(template("word.h"), lib.name).rstrip()]
        lines += ["", "/* Words that the activations take: one static array, or the caller's. */"]
    else:
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
        signature(lib, "run_arena", arena_parameter(lib)) + ";",
        "",
    ]
    if file:
        lines += [fill(template("weights_functions.h"), lib.name).rstrip(), ""]
    lines += _further_functions(lib)
    lines += [] if lib.learning is None else learning_header(lib, lib.learning)
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
            lines += _scale(lib, parameter, tensor)
    return lines


def _scale(lib: Library, parameter: str, tensor: Tensor) -> list[str]:
    """What the whole numbers of an input or output stand for."""
    known = tensor.quantisation
    if known is None:
        return []
    name = f"{lib.upper}_{parameter.upper()}"
    return [
        "/* Whole numbers: they mean (q - zero point) * scale; a real x becomes the nearest to",
        " * x / scale + zero point, held in the type's range. */",
        f"#define {name}_SCALE {number(known.step)}",
        f"#define {name}_ZERO_POINT ({known.zero_point})",
    ]


def _arena_macro(lib: Library) -> list[str]:
    define = f"#define {lib.upper}_ARENA_SIZE"
    plain = f"{define} {max(arena_floats(lib, traced=False), 1)}"
    if lib.traced is lib.fast:
        return [plain]
    shown = f"{define} {max(arena_floats(lib, traced=True), 1)}"
    return [f"#ifdef {lib.upper}_TRACE", shown, "#else", plain, "#endif"]
