"""A main() around a generated network, for this computer or a board: floats in, tensors out."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from netsheet.equations import FLOAT, FloatArray, Tensor
from netsheet.errors import NetsheetError
from netsheet.write.c.folder import put
from netsheet.write.c.library import Library, c_type, word_type
from netsheet.write.c.sources import files
from netsheet.write.c.template import fill, template

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-std=c99", "-pedantic", "-Werror")

Tensors = list[tuple[str, FloatArray]]

OUTSIDE = 73  # exit status of a network that writes beside its arena
OUTSIDE_TEXT = "it wrote outside its arena"

PACKAGE = "netsheet.verify.engines"


def main_text(lib: Library, system: str | None = None) -> str:
    """A main() that runs the network on every input and writes its tensors.

    Outputs are named by number (``#0``). ``system`` defines fetch(), which is 0 at the end of the
    input, and put(); None for this computer's.
    """
    model = lib.model
    inputs = [f"in{n}" for n in range(len(model.inputs))]
    outputs = [f"out{n}" for n in range(len(model.outputs))]
    reading = " && ".join(f"fetch({name}, sizeof {name})" for name in inputs) or "runs == 0"
    shows = [
        _showing(n, name, tensor)
        for n, (name, tensor) in enumerate(zip(outputs, model.outputs, strict=True))
    ]
    clears = [f"memset({name}, 0xFF, sizeof {name});" for name in outputs]
    marks = {
        "system": template("host.c", PACKAGE) if system is None else system,
        "buffers": buffers_text(lib) + _shown_text(lib),
        "reading": reading,
        "reset": _reset(lib),
        "clearing": "\n        ".join(clears),
        "arguments": ", ".join([*inputs, *outputs, "arena"]),
        "word": word_type(lib),
        "outside": str(OUTSIDE),
        "showing": "\n        ".join(shows),
    }
    return fill(template("main.c", PACKAGE), lib.name, marks)


def _reset(lib: Library) -> str:
    """States go on from run to run, unless a call of the network takes several samples."""
    if not lib.model.states:
        return ""
    first = "if (runs == 0)\n            " if (lib.model.batch_size or 1) == 1 else ""
    return f"{first}{lib.name}_reset();"


def buffers_text(lib: Library) -> str:
    """The arrays in0, in1, ... and out0, ... of a main()."""
    model = lib.model
    sizes = [f"static {c_type(t)} in{n}[{max(t.size, 1)}];" for n, t in enumerate(model.inputs)]
    sizes += [f"static {c_type(t)} out{n}[{max(t.size, 1)}];" for n, t in enumerate(model.outputs)]
    return "\n".join(sizes)


def _shown_text(lib: Library) -> str:
    """Arrays for outputs of whole numbers, shown as floats."""
    whole = [(n, t) for n, t in enumerate(lib.model.outputs) if t.dtype != FLOAT]
    return "".join(f"\nstatic float shown{n}[{max(t.size, 1)}];" for n, t in whole)


def _showing(number: int, name: str, tensor: Tensor) -> str:
    """Statements that write an output, as floats."""
    size = max(tensor.size, 1)
    if tensor.dtype == FLOAT:
        return f'show("#{number}", {size}, {name});'
    copy = f"for (int i = 0; i < {size}; i++) shown{number}[i] = (float){name}[i];"
    return f'{copy}\n        show("#{number}", {size}, shown{number});'


class Sources:
    """A library's files in a folder; its constants are compiled once for each program."""

    def __init__(self, lib: Library, folder: Path) -> None:
        self.lib = lib
        self.folder = folder
        self._weights: dict[tuple[str, ...], str] = {}
        for file, text in files(lib).items():
            put(folder / file, text)

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


def input_bytes(lib: Library, samples: Sequence[Sequence[FloatArray]]) -> bytes:
    """What fetch() reads: the inputs of all samples, each of its tensor's dtype."""
    kinds = [np.dtype(tensor.dtype).newbyteorder("<") for tensor in lib.model.inputs]
    return b"".join(
        np.asarray(array, kind).tobytes()
        for sample in samples
        for array, kind in zip(sample, kinds, strict=True)
    )


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
    """Run a compiler, whose temporary files go with the folder, however it ends.

    Raises:
        NetsheetError: with what it said, where it fails.
    """
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "TMPDIR": str(folder)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).splitlines()[:20])
        raise NetsheetError(f"{command[0]} refuses the generated C:\n{said}")
