"""``net_learn.c``: a step of gradient descent on the device; what the header says of it."""

from __future__ import annotations

from netsheet.engine.lesson import CLASS, NUMBER, OWN_INPUT, VALUES
from netsheet.loops.reach import reach
from netsheet.write.c.learning import DeviceLearning, described
from netsheet.write.c.library import Library, size_macro
from netsheet.write.c.lines import Lines
from netsheet.write.c.names import comment
from netsheet.write.c.portable import lacking, size_checks
from netsheet.write.c.printed import GivenBuffers, declared, printed, printed_text

ASKED = {
    CLASS: "the number of the true class",
    NUMBER: "what the output should be",
    VALUES: "what the output should be",
}


# What the README says of the parameter that tells it, in English and Japanese.
TOLD = {
    CLASS: ("`true_class` is the number of the class that the sample shows.",
            "`true_class` はサンプルの正解クラスの番号です。"),
    NUMBER: ("`wanted` is what the output should be.", "`wanted` は出力の正しい値です。"),
    VALUES: ("`wanted` is what the output should be, value for value.",
             "`wanted` は出力の正しい値を並べた配列です。"),
    OWN_INPUT: ("It should give its own input.", "入力そのものを出すように学習します。"),
}  # fmt: skip


def further_source(lib: Library) -> str:
    """The file besides those of every library, as a compiler's command names it."""
    return "" if lib.learning is None else f" {lib.name}_learn.c"


def learning_marks(lib: Library, learning: DeviceLearning, lang: str) -> dict[str, str]:
    """What the README says of learning."""
    names = [*lib.inputs, *([_answer_name(learning)] if learning.asked in ASKED else [])]
    layers = dict.fromkeys(a.weight.name.rpartition("/")[0] for a in learning.arrays)
    return {
        "layers": ", ".join(f"`{comment(layer)}`" for layer in layers),
        "loss": f"`{comment(learning.lesson.asked)}`",
        "call": f"{lib.name}_learn({', '.join([*names, '0.01f', '&loss'])})",
        "about": TOLD[learning.asked][lang == "ja"],
        "arrays": "\n".join(
            f"float {a.name}[{max(a.weight.size, 1)}]; /* {described(a)} */"
            for a in learning.arrays
        ),
    }


def learning_code(lib: Library, learning: DeviceLearning) -> str:
    """The step: forward, loss, adjoints, new weights over the old ones."""
    program = printed(lib, learning.step, _step(lib, learning))
    sizes = [buffer.bytes for buffer in lib.constants.buffers.values()]
    loss = comment(learning.lesson.loss_name)
    parts = [
        f"/* {comment(lib.model.name)}: a step of gradient descent ({loss}); written by netsheet.",
        f" * Link it only where the network learns: {lib.name}.c runs without it. */",
        f'#include "{lib.name}.h"',
        "#include <limits.h>",
        "#include <math.h>",
        "",
        *size_checks(lib.name, sizes, reach(learning.step.program)),
        "",
        *declared(lib, program.words, False),
        lacking(program.words, lib.name),
        *printed_text(lib, program, program.helpers),
    ]
    return "\n".join(parts).rstrip() + "\n"


def learning_header(lib: Library, learning: DeviceLearning) -> list[str]:
    """Declarations: the weights in RAM, and the functions."""
    upper, arena = lib.upper, max(learning.step.program.arena, 1)
    answer = (
        f" * {_answer_name(learning)}: {ASKED[learning.asked]};"
        if learning.asked in ASKED
        else " *"
    )
    return [
        "/* Weights that learn, in RAM: read and store them where they should outlive a reset. */",
        *(
            f"extern float {a.name}[{max(a.weight.size, 1)} {upper}_SPARE]; /* {described(a)} */"
            for a in learning.arrays
        ),
        "",
        f"/* A step of gradient descent on one sample: {comment(learning.lesson.loss_name)}.",
        answer + " rate: how far the weights move; loss: that before the step.",
        " * Returns 0, or 1 where the loss is no number (the weights are then of no use). */",
        f"#define {upper}_LEARN_ARENA_SIZE {arena}",
        _signature(lib, learning, "learn") + ";",
        _signature(lib, learning, "learn_arena") + ";",
        "",
    ]


def _answer_name(learning: DeviceLearning) -> str:
    return {CLASS: "true_class", NUMBER: "wanted", VALUES: "wanted"}[learning.asked]


def _signature(lib: Library, learning: DeviceLearning, suffix: str) -> str:
    given = zip(lib.inputs, lib.model.inputs, strict=True)
    parts = [f"const float {name}[{size_macro(lib, name)}]" for name, _ in given]
    if learning.asked == VALUES:
        parts.append(f"const float wanted[{size_macro(lib, lib.outputs[0])}]")
    elif learning.asked in ASKED:
        parts.append(f"{'int' if learning.asked == CLASS else 'float'} {_answer_name(learning)}")
    parts += ["float rate", "float *loss"]
    parts += [f"float arena[{lib.upper}_LEARN_ARENA_SIZE]"] * suffix.endswith("arena")
    return f"int {lib.name}_{suffix}({', '.join(parts)})"


def _step(lib: Library, learning: DeviceLearning) -> str:
    """The functions of the header."""
    lines, program = Lines(), learning.step.program
    new = [a.name if a.inside else f"new_{a.name}" for a in learning.arrays]
    answer = [] if learning.asked not in ASKED else [
        "wanted" if learning.asked == VALUES else "&answer"]  # fmt: skip
    arguments = GivenBuffers(
        program,
        [*lib.inputs, *answer, "&rate", *(a.name for a in learning.arrays), "loss", *new],
        "float",
    )
    for array in learning.arrays:
        if not array.inside:
            lines.add(f"static float new_{array.name}[{max(array.weight.size, 1)}];")
    lines.add(f"{lib.upper}_CODE " + _signature(lib, learning, "learn_arena"))
    with lines.block(""):
        if answer == ["&answer"]:
            lines.add(f"const float answer = (float){_answer_name(learning)};")
        if not program.arena:
            lines.add("(void)arena;")
        used = {buffer for function in program.functions for buffer in function.buffers}
        for buffer in program.inputs:
            if buffer not in used:
                lines.add(f"(void){arguments.of(buffer)};")
        for function in program.functions:
            given = ", ".join(arguments.of(buffer) for buffer in function.buffers)
            lines.add(f"{lib.name}_{function.name}({given});")
        for array in learning.arrays:
            if not array.inside:
                with lines.block(f"for (int i = 0; i < {array.weight.size}; i++)"):
                    lines.add(f"{array.name}[i] = new_{array.name}[i];")
        lines.add("return isnan(*loss) || isinf(*loss);")
    lines.add("")
    lines.add(f"{lib.upper}_CODE " + _signature(lib, learning, "learn"))
    with lines.block(""):
        lines.add(f"static float arena[{lib.upper}_LEARN_ARENA_SIZE] {lib.upper}_ARENA;")
        names = [*lib.inputs, *([_answer_name(learning)] if learning.asked in ASKED else [])]
        lines.add(f"return {lib.name}_learn_arena({', '.join([*names, 'rate', 'loss', 'arena'])});")
    return str(lines) + "\n"
