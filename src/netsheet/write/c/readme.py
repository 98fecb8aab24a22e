"""The README beside generated C."""

from __future__ import annotations

from netsheet.data.inputs import Sample, Scaling
from netsheet.equations import Tensor
from netsheet.layers.embedding import Embedding
from netsheet.write.c.library import Library, classes, signature, size_macro
from netsheet.write.c.report import CReport
from netsheet.write.c.template import fill


def readme(lib: Library, target: str, sample: Sample, report: CReport) -> str:
    """Markdown: figures, how to call it, how to test it."""
    marks = {
        "title": _inline(lib.model.name),
        "file": _inline(lib.model.path.name or "a model"),
        "table": "\n".join(_table(report)),
        "totals": "\n".join(report.totals()),
        "run": signature(lib, "run"),
        "arguments": ", ".join([*lib.inputs, *lib.outputs]),
        "buffers": "\n".join(
            f"static float {name}[{size_macro(lib, name)}];" for name in lib.inputs + lib.outputs
        ),
        "tensors": "\n".join(_tensors(lib, sample)),
        "sources": fill(SOURCES[target], lib.name),
        "use": fill(USE[target], lib.name).strip(),
        "sample": _inline(sample.note or sample.name),
        "classes": _classes(lib),
    }
    return fill(TEXT, lib.name, marks)


def _table(report: CReport) -> list[str]:
    rows = [
        "| layer | type | output | weights, bytes | RAM, bytes | MACs |",
        "|---|---|---|---:|---:|---:|",
    ]
    rows += [
        f"| {_inline(layer.layer)} | {_inline(layer.type)} | {' x '.join(map(str, layer.shape))} "
        f"| {layer.weights:,} | {'' if layer.ram is None else f'{layer.ram:,}'} "
        f"| {layer.macs:,} |"
        for layer in report.layers
    ]
    return rows


def _tensors(lib: Library, sample: Sample) -> list[str]:
    """What to give and what comes, one line each."""
    tokens = {
        node.inputs[0] for node in lib.model.nodes
        if isinstance(node.layer, Embedding) and node.inputs
    }  # fmt: skip
    lines = []
    for name, tensor in zip(lib.inputs, lib.model.inputs, strict=True):
        lines.append(_tensor(lib, name, tensor))
        if tensor in tokens:
            lines.append("  Whole numbers (tokens), given as floats.")
        scaling = sample.inputs[tensor.name].scaling
        if scaling is not None:
            lines.append(f"  Numbers as in training: {_scaled(scaling)}.")
    return lines + [
        _tensor(lib, name, tensor)
        for name, tensor in zip(lib.outputs, lib.model.outputs, strict=True)
    ]


def _scaled(scaling: Scaling) -> str:
    return f"the stored input's pixels were {scaling}; do the same with what a sensor gives"


def _tensor(lib: Library, name: str, tensor: Tensor) -> str:
    axes = " x ".join(f"{n} {a}" for n, a in zip(tensor.shape, tensor.axes, strict=True))
    order = ", last axis fastest" if len(tensor.shape) > 1 else ""
    return f"- `{name}` is {_inline(tensor.name)}: {axes or 'one number'}{order}."


def _classes(lib: Library) -> str:
    count = classes(lib.model)
    return f"\n`{lib.upper}_CLASSES` is {count}.\n" if count else ""


def _inline(text: str) -> str:
    """``text`` on one line, without what Markdown reads."""
    plain = "".join(ch if ch.isprintable() else " " for ch in text)
    return "".join(f"\\{ch}" if ch in "\\`*[]<>|" else ch for ch in plain)


TEXT = """# @title

A neural network in C99, written by netsheet from @file. It needs `math.h` and nothing else: no
malloc, no recursion, no state but one static array for activations. Weights are constants and stay
in flash.

```
@totals
```

@table

The weights of a layer are counted as the model has them; in flash they lie packed in the order in
which the code reads them, with batch normalisation folded in. RAM is what of the arena is in use
while a layer is computed; layers without a number are computed together with a later one.

## Call it

```c
#include "@lib.h"

@buffers

@lib_run(@arguments);
```

`@run`

@tensors
@classes
`@lib_run` keeps its activations in a static array of `@LIB_ARENA_SIZE` floats. `@lib_run_arena`
takes that array from you instead, so that several calls may run at once.

## Use it

@use

## Test it

`@lib_test.c` holds an input (@sample) and what every layer gives for it.

    cc -O2 -o test @sources -lm && ./test
    cc -O2 -D@LIB_TRACE -o test @sources -lm && ./test

The second command shows every layer's deviation from the reference, and where a machine departs
first; the exit status is 0 if all agrees. On a board define `@LIB_SAY` as the name of a function
that shows a line of text, and call `@lib_test()`.

## See inside

Compiled with `@LIB_TRACE` (or with the line in `@lib.h` uncommented) the network calls a function
of yours after every layer, with its name, shape and values in the model's own order. That build
takes more RAM; the figure is above.

---

日本語: netsheet が書き出した C99 のニューラルネットワークです。`@lib_run` に入力を渡すと
推論します。重みは定数でフラッシュに置かれ、RAM は上の表の arena だけを使います。
`@LIB_TRACE` を定義して `@lib_test.c` を動かすと、どの層で基準値から外れたかが分かります。
"""

SOURCES = {
    "plain": "@lib_test.c @lib.c @lib_weights.c",
    "arduino": "-Isrc examples/Test/@lib_test.c src/*.c",
    "esp-idf": "-Iinclude examples/classify/main/@lib_test.c *.c",
    "platformio": "-Isrc examples/Test/src/@lib_test.c src/*.c",
}

USE = {
    "plain": """
Add `@lib.c`, `@lib_weights.c` and `@lib.h` to your project. The compiler's `-O2` is right; `-Os` is
smaller. An `int` of 32 bits is needed.
""",
    "arduino": """
Copy this folder into the `libraries` folder of your sketches (or zip it and choose *Sketch >
Include Library > Add .ZIP Library*). Examples, under *File > Examples > @lib*:

- `Classify`: runs on the stored input and prints to Serial.
- `M5Stack`: shows the picture, the class and the numbers on the screen (library M5Unified).
- `Test`: compares with the stored reference; the test program is `examples/Test/@lib_test.c`.

Boards with 32-bit processors (ESP32, SAMD, RP2040, nRF52, STM32); not AVR.
""",
    "esp-idf": """
Copy this folder into the `components` folder of your project and add `@lib` to `REQUIRES`. A whole
project is in `examples/classify`: `idf.py set-target esp32 && idf.py build flash monitor`; with
`idf.py -D@LIB_TRACE=1 build` it shows every layer. The test program is
`examples/classify/main/@lib_test.c`.
""",
    "platformio": """
Copy this folder into the `lib` folder of your project, or name it in `lib_deps` as
`symlink://path/to/this/folder`. Projects that run as they are lie in `examples`: `Classify` (prints
to Serial), `M5Stack` (screen), `Test` (compares with the stored reference:
`examples/Test/src/@lib_test.c`).
""",
}
