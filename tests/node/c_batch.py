"""Many small networks compiled as one C program: each its own code, one compiler run for all."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cases import REFUSED, WRONG, Outcome, Prepared, judged

from netsheet.errors import NetsheetError, UnsupportedError
from netsheet.verify.engines.c_host import SANITIZE, WARNINGS, compile_c, compiler
from netsheet.write.c.folder import put
from netsheet.write.c.library import Library, library
from netsheet.write.c.sources import files

OPTIONS = (*WARNINGS, "-O0")
TIME_LIMIT = 20  # seconds

Arrays = list[np.ndarray[Any, Any]]


def through_c(batch: Sequence[Prepared], sanitize: bool = False) -> list[Outcome]:
    """The cases by generated C on this computer; warnings of the compiler count as wrong.

    Where the common program fails, its halves are tried, so that one case cannot hide others.
    """
    planned: list[tuple[int, Prepared, Library]] = []
    outcomes: dict[int, Outcome] = {}
    for number, prepared in enumerate(batch):
        try:
            lib = library(prepared.model, f"n{number}", traced=False)
            planned.append((number, prepared, lib))
        except UnsupportedError as error:
            outcomes[number] = prepared.outcome(REFUSED, str(error))
        except Exception as error:  # a crash is no answer
            outcomes[number] = prepared.outcome(WRONG, f"{type(error).__name__}: {error}")
    _fill(planned, outcomes, sanitize)
    return [outcomes[number] for number in range(len(batch))]


def _fill(
    planned: Sequence[tuple[int, Prepared, Library]],
    outcomes: dict[int, Outcome],
    sanitize: bool,
) -> None:
    if not planned:
        return
    try:
        results = _run([(lib, prepared) for _, prepared, lib in planned], sanitize)
    except (NetsheetError, OSError, ValueError, subprocess.TimeoutExpired) as error:
        if len(planned) == 1:
            number, prepared, _ = planned[0]
            outcomes[number] = prepared.outcome(WRONG, " ".join(str(error).split())[:300])
            return
        half = len(planned) // 2
        _fill(planned[:half], outcomes, sanitize)
        _fill(planned[half:], outcomes, sanitize)
        return
    for (number, prepared, _), result in zip(planned, results, strict=True):
        outcomes[number] = judged(prepared, result)


def _run(cases: Sequence[tuple[Library, Prepared]], sanitize: bool) -> list[list[Arrays]]:
    """The outputs of every case: by case, by set of inputs, by output."""
    with tempfile.TemporaryDirectory(prefix="netsheet-nodes-") as name:
        folder = Path(name)
        parts = []
        for lib, _ in cases:
            for file, text in files(lib).items():
                put(folder / file, text)
                parts += [f'#include "{file}"'] if file.endswith(".c") else []
        mains = [_caller(lib, prepared) for lib, prepared in cases]
        calls = "\n".join(f"    call_{lib.name}();" for lib, _ in cases)
        source = "\n".join(
            [
                "#include <stdio.h>",
                *parts,
                *mains,
                f"int main(void)\n{{\n{calls}\n    return 0;\n}}",
            ]
        )
        (folder / "main.c").write_text(source + "\n", encoding="utf-8")
        options = [*OPTIONS, *(SANITIZE if sanitize else ())]
        compile_c([compiler(), *options, "-o", "run", "main.c", "-lm"], folder)
        flat = [
            inputs[tensor.name].astype("<f4").tobytes()
            for lib, prepared in cases
            for inputs in prepared.inputs
            for tensor in lib.model.inputs
        ]
        done = subprocess.run(
            [str(folder / "run")], input=b"".join(flat), capture_output=True, check=False,
            timeout=TIME_LIMIT,
        )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        raise NetsheetError(f"the compiled network failed ({done.returncode}): {said[:2000]}")
    values = iter(_split(cases, np.frombuffer(done.stdout, "<f4")))
    return [[next(values) for _ in prepared.inputs] for _, prepared in cases]


def _split(cases: Sequence[tuple[Library, Prepared]], data: np.ndarray[Any, Any]) -> list[Arrays]:
    found, at = [], 0
    for lib, prepared in cases:
        for _ in prepared.inputs:
            arrays = []
            for tensor in lib.model.outputs:
                arrays.append(data[at : at + tensor.size].reshape(tensor.shape))
                at += tensor.size
            found.append(arrays)
    if at != data.size:
        raise ValueError(f"{data.size} values came back, not {at}")
    return found


def _caller(lib: Library, prepared: Prepared) -> str:
    """A function that reads the inputs of each set, and writes the outputs."""
    declared, before, after, names = [], [], [], []
    for n, tensor in enumerate(lib.model.inputs):
        names.append(f"{lib.name}_in{n}")
        declared.append(f"static float {names[-1]}[{max(tensor.size, 1)}];")
        before.append(f"        if (fread({names[-1]}, sizeof {names[-1]}, 1, stdin) != 1) return;")
    for n, tensor in enumerate(lib.model.outputs):
        names.append(f"{lib.name}_out{n}")
        declared.append(f"static float {names[-1]}[{max(tensor.size, 1)}];")
        after.append(f"        fwrite({names[-1]}, sizeof {names[-1]}, 1, stdout);")
    lines = [
        *declared,
        f"static void call_{lib.name}(void)\n{{",
        f"    for (int run = 0; run < {len(prepared.inputs)}; run++) {{",
        *before,
        f"        if ({lib.name}_run({', '.join(names)}) != 0) return;",
        *after,
        "    }\n}",
    ]
    return "\n".join(lines)
