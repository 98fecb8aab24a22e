"""C on this computer: compile it, run it, and take what it shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache

from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError
from netsheet.verify.engines.c_harness import (
    OUTSIDE,
    OUTSIDE_TEXT,
    WARNINGS,
    Sources,
    Tensors,
    compile_c,
    input_bytes,
    main_text,
    tensors_of,
    written,
)
from netsheet.write.c.library import Library

SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


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


@cache
def native_options() -> tuple[str, ...]:
    """The option that compiles for all that this computer has; none where it is not known."""
    option = "-march=native"
    with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
        done = subprocess.run(
            [compiler(), option, "-x", "c", "-c", "-o", f"{folder}/empty.o", os.devnull],
            capture_output=True, check=False,
        )  # fmt: skip
    return (option,) if done.returncode == 0 else ()


def version(command: str) -> str:
    """The first line of what a compiler says of itself."""
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or [command])[0].strip()


def run_sources(
    sources: Sources,
    samples: Sequence[Sequence[FloatArray]],
    traced: bool,
    options: Sequence[str],
) -> list[Tensors]:
    """Compile and run one program on this computer; its tensors for each sample."""
    lib = sources.lib
    sources.write("main.c", main_text(lib))
    weights = sources.weights([compiler(), *WARNINGS], traced)
    compile_c(
        [compiler(), *options, *sources.define(traced), "-o", "run", "main.c", f"{lib.name}.c",
         weights, "-lm"],
        sources.folder,
    )  # fmt: skip
    done = subprocess.run(
        [str(sources.folder / "run")],
        input=input_bytes(lib, samples),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace")[:2000]
        said = OUTSIDE_TEXT if done.returncode == OUTSIDE else said
        raise NetsheetError(f"the compiled network failed ({done.returncode}): {said}")
    return tensors_of(done.stdout, len(samples))


def run_library(
    lib: Library,
    samples: Sequence[Sequence[FloatArray]],
    *,
    traced: bool = True,
    options: Sequence[str] = ("-O1",),
) -> list[Tensors]:
    """Write, compile and run one program of a library; its tensors for each sample."""
    with written(lib) as sources:
        return run_sources(sources, samples, traced, options)
