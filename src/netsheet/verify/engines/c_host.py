"""C on this computer or on an emulated board: compile it, run it, and compare every layer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.engine.run import engine
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UsageError
from netsheet.fidelity import LayerVerdict, Verdict, judge, worst
from netsheet.network import Network
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
from netsheet.write.c.library import Library, code, library
from netsheet.write.c.writable import writable

SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
BOARDS = ("qemu-cortex-m4",)
REFERENCE = "ONNX Runtime, float32"


def verify_c(
    model: Network,
    samples: Sequence[Sample],
    *,
    board: str | None = None,
    sanitize: bool = False,
    until: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Compile the model's C with all warnings as errors, run it, and compare every layer.

    Both programs are proved: the one that shows every layer, and ``net_run`` as users compile it.

    Args:
        board: None for this computer, or ``qemu-cortex-m4``.
        sanitize: on this computer, under the address and undefined-behaviour sanitizers.
        until: the last layer to write.

    Raises:
        UsageError: no sample, or an unknown board.
        UnsupportedError: a layer has no C.
        NetsheetError: a compiler or the emulator is missing, or refuses.
    """
    if not samples:
        raise UsageError("a verification needs at least one input.")
    if board is not None and board not in BOARDS:
        raise UsageError(f"there is no board {board!r}; boards are {', '.join(BOARDS)}.")
    if board is not None and sanitize:
        raise UsageError("sanitizers run on this computer only: leave out the board.")
    model = writable(model, until, [array.shape for array in samples[0].arrays])
    show = progress or (lambda done, total: None)
    show(0, 4)
    lib = library(model)
    show(1, 4)
    arrays = [sample.arrays for sample in samples]
    plain = f"{lib.name}_run"
    runs: dict[str, list[Tensors]] = {}  # what each program gave, for each sample
    notes: tuple[str, ...] = ()
    with written(lib) as sources:
        if board is None:
            options = [*WARNINGS, "-O1", *(SANITIZE if sanitize else ())]
            engine = version(compiler()) + (", sanitized" if sanitize else "")
            runs[f"{plain}, traced"] = run_sources(sources, arrays, True, options)
            show(2, 4)
            runs[plain] = run_sources(sources, arrays, False, options)
            portable = f"{lib.upper}_PORTABLE"
            if portable in code(lib):  # as a microcontroller without vectors has it
                options = [*options, f"-D{portable}"]
                runs[f"{plain}, portable"] = run_sources(sources, arrays, False, options)
        else:
            from netsheet.verify.engines import c_board

            engine = c_board.emulator()
            runs[f"{plain}, traced"] = c_board.run_sources(sources, arrays, True, ["-O2"])
            show(2, 4)
            runs[plain] = c_board.run_sources(sources, arrays, False, ["-O2"])
            figures = c_board.measure_sources(sources, samples[0].arrays, False, "-O2")
            notes = (f"{plain} at -O2: {figures}",)
    show(3, 4)
    rounds = [
        _judged(lib, sample, {run: results[n] for run, results in runs.items()})
        for n, sample in enumerate(samples)
    ]
    show(4, 4)
    layers = [worst(rows[0].layer, list(rows)) for rows in zip(*rounds, strict=True)]
    return Verdict("c", engine, REFERENCE, layers, notes)


def _judged(lib: Library, sample: Sample, runs: Mapping[str, Tensors]) -> list[LayerVerdict]:
    """One row for each layer of the traced program, the first, then the outputs of each."""
    model = lib.model
    batch = {t.name: a[np.newaxis] for t, a in zip(model.inputs, sample.arrays, strict=True)}
    reference = {**engine(model).activations(batch), **batch}
    rows = []
    outputs = [t.name for t in model.outputs]
    for run, results in {"": next(iter(runs.values())), **runs}.items():
        keys = outputs if run else list(model.tensors())
        found = dict(results)
        for number, key in enumerate(keys):
            got, expected = found.get(f"#{number}" if run else key), reference[key][0]
            same = got is not None and got.size == expected.size
            shaped = got.reshape(expected.shape) if got is not None and same else got
            rows.append(judge(f"{key} ({run})" if run else key, shaped, expected))
    return rows


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
    sources.write("main.c", main_text(lib, traced))
    weights = sources.weights([compiler(), *WARNINGS], traced)
    compile_c(
        [compiler(), *options, *sources.define(traced), "-o", "run", "main.c", f"{lib.name}.c",
         weights, "-lm"],
        sources.folder,
    )  # fmt: skip
    done = subprocess.run(
        [str(sources.folder / "run")],
        input=input_bytes(samples),
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
