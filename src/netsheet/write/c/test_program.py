"""``net_test.c``: the network on a stored input, compared with the stored reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.fidelity import BOUND
from netsheet.write.c.library import Library, classes, numbers, size_macro
from netsheet.write.c.names import base, comment, number, string
from netsheet.write.c.template import fill

# All layers' reference values together; of larger ones every n-th value is stored.
MAX_STORED = 1_000_000


@dataclass(frozen=True)
class Stored:
    """One layer's reference: every ``step``-th value in C order."""

    layer: str
    shape: tuple[int, ...]
    size: int
    step: int
    values: FloatArray


def stored(
    lib: Library, reference: Mapping[str, FloatArray], limit: int = MAX_STORED
) -> list[Stored]:
    """The reference of every layer, thinned out so that not much more than ``limit`` remains."""
    tensors = lib.model.tensors()
    total = sum(tensor.size for tensor in tensors.values())
    share = limit if total <= limit else max(limit // max(len(tensors), 1), 1)
    result = []
    for name, tensor in tensors.items():
        flat = np.asarray(reference[name], np.float32).reshape(-1)
        step = -(-flat.size // share) or 1
        result.append(Stored(name, tuple(tensor.shape), flat.size, step, flat[::step]))
    return result


def program_text(lib: Library, sample: Sample, reference: Mapping[str, FloatArray]) -> str:
    """The text of ``net_test.c``; ``reference`` has every layer by name, without batch axis."""
    model = lib.model
    layers = stored(lib, reference)
    outputs = [np.asarray(reference[t.name], np.float32).reshape(-1) for t in model.outputs]
    head = {"model": comment(model.name), "sample": comment(base(sample.name))}
    parts = [fill(_HEAD, lib.name, head)]
    for name, array in zip(lib.inputs, sample.arrays, strict=True):
        parts.append(_floats(f"given_{name}", size_macro(lib, name), array))
    for name, values in zip(lib.outputs, outputs, strict=True):
        parts.append(_floats(f"expected_{name}", size_macro(lib, name), values))
        parts.append(f"static float {name}[{size_macro(lib, name)}];\n")
    parts += [f"#ifdef {lib.upper}_TRACE"]
    for count, layer in enumerate(layers):
        kept = f", every {_ordinal(layer.step)} value" if layer.step > 1 else ""
        parts.append(f"/* {comment(layer.layer)}{kept} */")
        parts.append(_floats(f"reference{count}", str(layer.values.size), layer.values))
    rows = [
        f"    {{{string(layer.layer)}, {layer.size}, {layer.step}, reference{count}, 0}}"
        for count, layer in enumerate(layers)
    ]
    parts += [fill(_LAYERS, lib.name, {"rows": ",\n".join(rows)})]
    parts += [f"#endif /* {lib.upper}_TRACE */", ""]
    parts += [fill(_TOOLS, lib.name, {"bound": number(BOUND)}), fill(_TRACE, lib.name), _main(lib)]
    return "\n".join(parts)


def _ordinal(step: int) -> str:
    return {2: "second", 3: "third"}.get(step, f"{step}th")


def _floats(name: str, size: str, values: FloatArray) -> str:
    return f"static const float {name}[{size}] = {{\n{numbers(values)}\n}};\n"


def _main(lib: Library) -> str:
    arguments = ", ".join([*(f"given_{name}" for name in lib.inputs), *lib.outputs])
    checks = []
    for name, tensor in zip(lib.outputs, lib.model.outputs, strict=True):
        size = size_macro(lib, name)
        checks.append(f"    wrong += !compared({string(tensor.name)}, {name}, {size}, 1,")
        checks.append(f"        expected_{name});")
    if classes(lib.model):
        checks.append(fill(_CLASS, lib.name, {"out": lib.outputs[0]}))
    return fill(_MAIN, lib.name, {"arguments": arguments, "checks": "\n".join(checks)})


_HEAD = """/* @model: runs on @sample and compares with the reference.
 *
 * Here:          cc -o @lib_test @lib_test.c @lib.c @lib_weights.c -lm && ./@lib_test
 * Every layer:   the same with -D@LIB_TRACE: tells at which layer a machine departs.
 * On a board:    define @LIB_SAY as the name of a function that shows a line, and call @lib_test().
 */
#include "@lib.h"
#include <math.h>
#include <string.h>

#if defined ARDUINO && !defined @LIB_SAY
#define @LIB_SAY @lib_say
#endif

#ifdef @LIB_SAY
void @LIB_SAY(const char *line);
#else
#include <stdio.h>
static void @lib_say(const char *line)
{
    puts(line);
}
#define @LIB_SAY @lib_say
#define @LIB_HAS_MAIN
#endif

/* 0 if all is as it should be. */
int @lib_test(void);
"""

_LAYERS = """static struct {
    const char *layer;
    int size, step;
    const float *reference;
    int seen;
} layers[] = {
@rows
};
"""

_TOOLS = """static char line[96];
static unsigned filled;

/* Adds a text to the line, and blanks up to a width. */
static void add_text(const char *what, unsigned width)
{
    const unsigned end = filled + width;
    while (*what != '\\0' && filled < 94)
        line[filled++] = *what++;
    while (filled < end && filled < 94)
        line[filled++] = ' ';
    line[filled] = '\\0';
}

static void end_line(void)
{
    line[filled] = '\\0';
    @LIB_SAY(line);
    filled = 0;
}

/* A layer's name in 40 columns, cut between letters of UTF-8. */
static void add_name(const char *name)
{
    add_text(name, 40);
    if (filled > 40)
        for (filled = 40; filled > 0 && ((unsigned char)line[filled] & 0xC0) == 0x80; filled--)
            ;
    add_text(" ", 1);
}

static void add_whole(int value, unsigned width)
{
    char digits[12];
    int at = 11;
    digits[at] = '\\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    add_text(digits + at, width);
}

/* A number that is not negative, as 1.2e-07: printf may lack floats on a small machine. */
static void add_number(float value, unsigned width)
{
    char digits[9] = "0.0e+00";
    int power = 0, tenths;
    if (!(value <= 3.4e38f)) {
        add_text("not a number", width);
        return;
    }
    if (value > 0.0f) {
        while (value >= 9.95f) {
            value /= 10.0f;
            power++;
        }
        while (value < 0.995f && power > -38) {
            value *= 10.0f;
            power--;
        }
        tenths = (int)(value * 10.0f + 0.5f);
        digits[0] = (char)('0' + tenths / 10 % 10);
        digits[2] = (char)('0' + tenths % 10);
        digits[4] = power < 0 ? '-' : '+';
        power = power < 0 ? -power : power;
        digits[5] = (char)('0' + power / 10);
        digits[6] = (char)('0' + power % 10);
    }
    add_text(digits, width);
}

/* Shows how far every step-th value is from the reference; 1 if that is within the bound. */
static int compared(const char *name, const float *values, int size, int step,
    const float *reference)
{
    float worst = 0.0f, largest = 1.0f;
    int good;
    for (int i = 0; i < size; i += step) {
        const float is = values[i], should = *reference++;
        if (!(is == should || (isnan(is) && isnan(should)))) {
            const float off = fabsf(is - should);
            worst = off > worst || isnan(off) ? (isnan(off) ? INFINITY : off) : worst;
            if (!isinf(should) && fabsf(should) > largest)
                largest = fabsf(should);
        } else if (!isinf(is) && fabsf(is) > largest)
            largest = fabsf(is);
    }
    good = worst <= @bound * largest;
    add_name(name);
    add_whole(size, 10);
    add_number(worst, 13);
    add_text(good ? "ok" : "DEPARTS", 0);
    end_line();
    return good;
}
"""

_TRACE = """#ifdef @LIB_TRACE
static int departed, first = -1;

void @lib_trace(const char *layer, int axes, const int *shape, const float *values)
{
    const int count = (int)(sizeof layers / sizeof *layers);
    int size = 1;
    for (int i = 0; i < axes; i++)
        size *= shape[i];
    for (int n = 0; n < count; n++)
        if (!layers[n].seen && strcmp(layer, layers[n].layer) == 0 && size == layers[n].size) {
            layers[n].seen = 1;
            if (!compared(layer, values, size, layers[n].step, layers[n].reference)) {
                departed++;
                first = first < 0 ? n : first;
            }
            return;
        }
}
#endif /* @LIB_TRACE */
"""

_CLASS = """    {
        int is = 0, should = 0;
        for (int i = 1; i < @LIB_CLASSES; i++) {
            is = @out[i] > @out[is] ? i : is;
            should = expected_@out[i] > expected_@out[should] ? i : should;
        }
        add_text("class ", 0);
        add_whole(is, 0);
        add_text(", reference ", 0);
        add_whole(should, 0);
        end_line();
    }"""

_MAIN = """int @lib_test(void)
{
    int wrong = 0;
    add_text("layer", 41);
    add_text("values", 10);
    add_text("deviation", 13);
    add_text("verdict", 0);
    end_line();
#ifdef @LIB_TRACE
    departed = 0;
    first = -1;
    for (int n = 0; n < (int)(sizeof layers / sizeof *layers); n++)
        layers[n].seen = 0;
#endif
    if (@lib_run(@arguments) != 0)
        return 1;
#ifdef @LIB_TRACE
    wrong = departed;
    for (int n = 0; n < (int)(sizeof layers / sizeof *layers); n++)
        if (!layers[n].seen) {
            add_text("never computed: ", 0);
            add_text(layers[n].layer, 0);
            end_line();
            wrong++;
        }
    add_text("outputs:", 0);
    end_line();
#endif
@checks
#ifdef @LIB_TRACE
    if (first >= 0) {
        add_text("the first departure is at ", 0);
        add_text(layers[first].layer, 0);
        end_line();
    }
#endif
    add_text(wrong ? "DEPARTS from the reference" : "all agrees with the reference", 0);
    end_line();
    return wrong != 0;
}

#ifdef @LIB_HAS_MAIN
int main(void)
{
    return @lib_test();
}
#endif
"""
