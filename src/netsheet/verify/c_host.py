"""C on this computer: compile what was written, run it, and compare every layer."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from netsheet.errors import NetsheetError
from netsheet.expr import FloatArray, Tensor
from netsheet.model import Model
from netsheet.write.c.emit import Library, files, library

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-std=c99", "-pedantic", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]


def compiler() -> str:
    """The host's C compiler: $CC, cc, gcc or clang.

    Raises:
        NetsheetError: there is none.
    """
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return name
    raise NetsheetError(
        "no C compiler: install gcc or clang (Debian and Ubuntu: apt install gcc; "
        "macOS: xcode-select --install), or name one in the variable CC."
    )


def compile_c(command: Sequence[str], folder: Path) -> None:
    """Run a compiler.

    Raises:
        NetsheetError: with what it said, where it fails.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).splitlines()[:20])
        raise NetsheetError(f"{command[0]} refuses the generated C:\n{said}")


def harness(lib: Library, traced: bool) -> str:
    """A main() that reads inputs as floats from stdin and writes tensors to stdout.

    Each tensor is a name's length, the name, a count and the values; outputs are named by number.
    """
    model = lib.model
    sizes = [f"static float in{n}[{max(t.size, 1)}];" for n, t in enumerate(model.inputs)]
    sizes += [f"static float out{n}[{max(t.size, 1)}];" for n, t in enumerate(model.outputs)]
    count_in, count_out = len(model.inputs), len(model.outputs)
    arguments = ", ".join(
        [f"in{n}" for n in range(count_in)] + [f"out{n}" for n in range(count_out)]
    )
    reading = " || ".join(
        f"fread(in{n}, sizeof in{n}, 1, stdin) != 1" for n in range(count_in)
    ) or "runs++"  # fmt: skip
    showing = "\n        ".join(
        f'show("#{n}", (int)(sizeof out{n} / sizeof(float)), out{n});' for n in range(count_out)
    )
    trace = f"""
void {lib.name}_trace(const char *layer, int axes, const int *shape, const float *values)
{{
    int count = 1;
    for (int i = 0; i < axes; i++)
        count *= shape[i];
    show(layer, count, values);
}}
"""
    return f"""#include <stdio.h>
#include <string.h>
#include "{lib.name}.h"

{chr(10).join(sizes)}

static void show(const char *name, int count, const float *values)
{{
    const int length = (int)strlen(name);
    fwrite(&length, sizeof length, 1, stdout);
    fwrite(name, 1, (size_t)length, stdout);
    fwrite(&count, sizeof count, 1, stdout);
    fwrite(values, sizeof(float), (size_t)count, stdout);
}}
{trace if traced else ""}
int main(void)
{{
    int runs = 0;
    (void)runs;
    while (!({reading})) {{
        {lib.name}_run({arguments});
        {showing}
    }}
    return 0;
}}
"""


def parse(data: bytes) -> list[tuple[str, FloatArray]]:
    """The tensors that the harness wrote, in order."""
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<i", data, at)
        name = data[at + 4 : at + 4 + length].decode()
        at += 4 + length
        (count,) = struct.unpack_from("<i", data, at)
        found.append((name, np.frombuffer(data, "<f4", count, at + 4)))
        at += 4 + 4 * count
    return found


def run_library(
    lib: Library,
    samples: Sequence[Sequence[FloatArray]],
    *,
    traced: bool = True,
    options: Sequence[str] = ("-O1",),
) -> list[list[tuple[str, FloatArray]]]:
    """Compile and run one program of a library; its tensors for each sample."""
    with tempfile.TemporaryDirectory(prefix="netsheet-c-") as name:
        folder = Path(name)
        for file, text in files(lib).items():
            (folder / file).write_text(text, encoding="utf-8")
        (folder / "main.c").write_text(harness(lib, traced), encoding="utf-8")
        define = [f"-D{lib.upper}_TRACE"] if traced else []
        code = f"{lib.name}_trace.c" if traced else f"{lib.name}.c"
        compile_c(
            [compiler(), *options, *define, "-o", "run", "main.c", code,
             f"{lib.name}_weights.c", "-lm"],
            folder,
        )  # fmt: skip
        flat = [np.asarray(a, np.float32).tobytes() for sample in samples for a in sample]
        done = subprocess.run(
            [str(folder / "run")], input=b"".join(flat), capture_output=True, check=False
        )
        if done.returncode:
            raise NetsheetError(f"the compiled network failed: {done.stderr.decode()[:2000]}")
    tensors = parse(done.stdout)
    each = len(tensors) // max(len(samples), 1)
    return [tensors[n : n + each] for n in range(0, len(tensors), each)] if each else []


def run_host(model: Model, inputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """The model's outputs for one input, by a quick compilation of its C.

    Inputs by name, without batch axis; outputs by name in the model's own shape.
    """
    lib = library(model, traced=False)
    sample = [np.asarray(inputs[tensor.name], np.float32) for tensor in model.inputs]
    (tensors,) = run_library(lib, [sample], traced=False, options=["-O0"])
    return {
        tensor.name: values.reshape(tensor.shape)
        for tensor, (_, values) in zip(model.outputs, tensors, strict=True)
    }


def names_of(tensors: Sequence[Tensor]) -> list[str]:
    """The names of tensors."""
    return [tensor.name for tensor in tensors]
