"""A main() around a generated network, for this computer or a board: floats in, tensors out."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError
from netsheet.write.c.library import Library, files

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-std=c99", "-pedantic", "-Werror")

Tensors = list[tuple[str, FloatArray]]

OUTSIDE = 73  # exit status of a network that writes beside its arena
OUTSIDE_TEXT = "it wrote outside its arena"

# What a main() stands on: fetch() is 0 at the end of the input.
HOST = """#include <stdio.h>

static int fetch(void *to, unsigned size)
{
    return fread(to, size, 1, stdin) == 1;
}

static void put(const void *from, unsigned size)
{
    fwrite(from, 1, size, stdout);
}
"""


def main_text(lib: Library, traced: bool, system: str = HOST) -> str:
    """A main() that runs the network on every input and writes its tensors.

    Each tensor is the length of a name, the name, a count and the values; outputs are named by
    number (``#0``). ``system`` defines fetch() and put().
    """
    model = lib.model
    sizes = [f"static float in{n}[{max(t.size, 1)}];" for n, t in enumerate(model.inputs)]
    sizes += [f"static float out{n}[{max(t.size, 1)}];" for n, t in enumerate(model.outputs)]
    inputs = [f"in{n}" for n in range(len(model.inputs))]
    outputs = [f"out{n}" for n in range(len(model.outputs))]
    reading = " && ".join(f"fetch({name}, sizeof {name})" for name in inputs) or "runs == 0"
    showing = "\n        ".join(
        f'show("#{n}", (int)(sizeof {name} / sizeof(float)), {name});'
        for n, name in enumerate(outputs)
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
    names = ", ".join([*inputs, *outputs, "arena"])
    clear = "\n        ".join(f"memset({name}, 0xFF, sizeof {name});" for name in outputs)
    return f"""#include <string.h>
#include "{lib.name}.h"
{system}
{chr(10).join(sizes)}

enum {{ GUARD = 16, ARENA = {lib.upper}_ARENA_SIZE }};
static float space[GUARD + ARENA + GUARD];

static void show(const char *name, int count, const float *values)
{{
    const int length = (int)strlen(name);
    put(&length, sizeof length);
    put(name, (unsigned)length);
    put(&count, sizeof count);
    put(values, (unsigned)count * (unsigned)sizeof(float));
}}
{trace if traced else ""}
static int touched(const float *guard)
{{
    const unsigned char *bytes = (const unsigned char *)guard;
    for (unsigned i = 0; i < GUARD * sizeof *guard; i++)
        if (bytes[i] != 0xFF)
            return 1;
    return 0;
}}

int main(void)
{{
    float *const arena = space + GUARD;
    int runs = 0;
    while ({reading}) {{
        /* Nothing that was there before may count: all of it is NaN. */
        memset(space, 0xFF, sizeof space);
        {clear}
        if ({lib.name}_run_arena({names}) != 0)
            return 1;
        if (touched(space) || touched(arena + ARENA))
            return {OUTSIDE};
        {showing}
        runs++;
    }}
    return runs == 0;
}}
"""


class Sources:
    """A library's files in a folder; its constants are compiled once for each program."""

    def __init__(self, lib: Library, folder: Path) -> None:
        self.lib = lib
        self.folder = folder
        self._weights: dict[tuple[str, ...], str] = {}
        for file, text in files(lib).items():
            (folder / file).write_text(text, encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """One more file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def define(self, traced: bool) -> list[str]:
        """The compiler's option for one of the two programs."""
        return [f"-D{self.lib.upper}_TRACE"] if traced else []

    def weights(self, command: Sequence[str], traced: bool) -> str:
        """The object file of the constants, which take long to compile where they are many."""
        key = (*command, *self.define(traced))
        if key not in self._weights:
            name = f"{'traced' if traced else 'plain'}{len(self._weights)}_weights.o"
            compile_c([*key, "-c", f"{self.lib.name}_weights.c", "-o", name], self.folder)
            self._weights[key] = name
        return self._weights[key]


@contextlib.contextmanager
def written(lib: Library) -> Iterator[Sources]:
    """The library's files in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="netsheet-c-") as folder:
        yield Sources(lib, Path(folder))


def input_bytes(samples: Sequence[Sequence[FloatArray]]) -> bytes:
    """What fetch() reads: the inputs of all samples, as floats."""
    return b"".join(np.asarray(a, "<f4").tobytes() for sample in samples for a in sample)


def tensors_of(data: bytes, samples: int) -> list[Tensors]:
    """The tensors that a main() wrote, for each sample."""
    found: Tensors = []
    at = 0
    try:
        while at < len(data):
            (length,) = struct.unpack_from("<i", data, at)
            name = data[at + 4 : at + 4 + length].decode()
            at += 4 + length
            (count,) = struct.unpack_from("<i", data, at)
            found.append((name, np.frombuffer(data, "<f4", count, at + 4)))
            at += 4 + 4 * count
    except (struct.error, ValueError) as error:
        raise NetsheetError(f"the compiled network stopped in the middle: {error}") from error
    each, rest = divmod(len(found), max(samples, 1))
    if rest or (samples and not found):
        raise NetsheetError(
            f"the compiled network gave {len(found)} tensors for {samples} inputs: it stopped early"
        )
    return [found[n * each : (n + 1) * each] for n in range(samples)]


def compile_c(command: Sequence[str], folder: Path) -> None:
    """Run a compiler.

    Raises:
        NetsheetError: with what it said, where it fails.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).splitlines()[:20])
        raise NetsheetError(f"{command[0]} refuses the generated C:\n{said}")
