"""C on an emulated Cortex-M4F: Arm's MPS2 board (AN386) under qemu, bare metal, semihosting."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UnsupportedError
from netsheet.verify.engines.c_harness import (
    OUTSIDE,
    OUTSIDE_TEXT,
    PACKAGE,
    WARNINGS,
    Sources,
    Tensors,
    buffers_text,
    compile_c,
    input_bytes,
    main_text,
    tensors_of,
    written,
)
from netsheet.write.c.library import Library, arena_floats
from netsheet.write.c.template import fill, template

GCC, SIZE, QEMU = "arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"
MACHINE = "mps2-an386"
CPU = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
SECTIONS = ("-ffunction-sections", "-fdata-sections")
INSTRUCTIONS_PER_TICK = 40  # 1 ns each by -icount shift=0, and a timer of 25 MHz
TIME_LIMIT = 900  # seconds for the emulator

CODE = SRAM = 4 << 20
PSRAM = 16 << 20
SPARE = 256 << 10  # for code, libraries, stack and the harness's own variables


@dataclass(frozen=True)
class BoardFigures:
    """What one inference takes on the board, and the bytes of the object files.

    ``instructions`` of a second call, to within some tens; ``stack`` is the most that a call had
    in use; ``arena`` is part of ``bss``.
    """

    instructions: int
    text: int
    data: int
    bss: int
    stack: int
    arena: int

    def __str__(self) -> str:
        """In one line."""
        return (
            f"{self.instructions:,} instructions an inference, {self.text:,} bytes of text, "
            f"{self.data + self.bss:,} of RAM, {self.stack:,} of stack"
        )


def emulator() -> str:
    """The emulator's name for a verdict."""
    _tools()
    done = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=False)
    number = (done.stdout.split("version ")[-1].split() or ["?"])[0]
    return f"qemu {number}, {MACHINE} (Cortex-M4F)"


def run_on_board(
    lib: Library,
    samples: Sequence[Sequence[FloatArray]],
    *,
    traced: bool = True,
    options: Sequence[str] = ("-O2",),
) -> list[Tensors]:
    """Compile for the board and run there; the tensors of one program for each sample.

    Raises:
        NetsheetError: a program is missing, refuses, or the board stopped.
        UnsupportedError: the network does not fit the board's memory.
    """
    _memory(lib, traced)
    with written(lib) as sources:
        return run_sources(sources, samples, traced, options)


def run_sources(
    sources: Sources,
    samples: Sequence[Sequence[FloatArray]],
    traced: bool,
    options: Sequence[str],
) -> list[Tensors]:
    """The same for files that are written already."""
    main = main_text(sources.lib, '#include "board.h"\n')
    _build(sources, main, traced, options)
    return tensors_of(run_firmware(sources.folder, input_bytes(samples)), len(samples))


def measure_board(
    lib: Library, *, opt: str = "-O2", trace: bool = False, sample: Sample | None = None
) -> BoardFigures:
    """Count the instructions of an inference on the board, and measure its memory.

    Without ``sample`` the input is random numbers, the same every time.
    """
    from netsheet.data.probe import probe

    with written(lib) as sources:
        return measure_sources(sources, (sample or probe(lib.model)).arrays, trace, opt)


def measure_sources(
    sources: Sources, arrays: Sequence[FloatArray], traced: bool, opt: str
) -> BoardFigures:
    """The same for files that are written already."""
    lib = sources.lib
    weights = _build(sources, _counting(lib), traced, [opt])
    ticks, stack = struct.unpack("<II", run_firmware(sources.folder, input_bytes([arrays])))
    done = subprocess.run(
        [SIZE, f"{lib.name}.o", weights],
        cwd=sources.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split()[:3] for line in done.stdout.splitlines()[1:]]
    text, data, bss = (sum(int(row[n]) for row in rows) for n in range(3))
    arena = 4 * arena_floats(lib, traced)
    return BoardFigures(ticks * INSTRUCTIONS_PER_TICK, text, data, bss, stack, arena)


def _counting(lib: Library) -> str:
    """A main() that runs the network twice and writes the ticks and the stack of the second."""
    inputs = [f"in{n}" for n in range(len(lib.model.inputs))]
    outputs = [f"out{n}" for n in range(len(lib.model.outputs))]
    fetching = [f"    if (!fetch({name}, sizeof {name}))\n        return 1;" for name in inputs]
    marks = {
        "buffers": buffers_text(lib),
        "fetching": "\n".join(fetching),
        "arguments": ", ".join([*inputs, *outputs]),
    }
    return fill(template("count.c", PACKAGE), lib.name, marks)


def _tools() -> None:
    needed = {GCC: "gcc-arm-none-eabi libnewlib-arm-none-eabi", SIZE: "binutils-arm-none-eabi",
              QEMU: "qemu-system-arm"}  # fmt: skip
    missing = [program for program in needed if shutil.which(program) is None]
    if not missing:
        done = subprocess.run(
            [GCC, "-print-file-name=libm.a"], capture_output=True, text=True, check=False
        )
        if not Path(done.stdout.strip()).is_absolute():  # a compiler without a C library
            needed["newlib"] = "libnewlib-arm-none-eabi"
            missing = ["newlib"]
    if missing:
        raise NetsheetError(
            f"the board needs {', '.join(missing)}: install them (Debian and Ubuntu: "
            f"apt install {' '.join(needed[program] for program in missing)})."
        )


def _build(sources: Sources, main: str, traced: bool, options: Sequence[str]) -> str:
    """Firmware in the folder: board.elf, the object files beside it; returns that of weights."""
    _tools()
    memory = _memory(sources.lib, traced)
    sources.write("main.c", main)
    weights = sources.weights([GCC, *CPU, *SECTIONS, *WARNINGS], traced)
    options = [*WARNINGS, *options, *sources.define(traced)]
    firmware(sources.folder, [f"{sources.lib.name}.c", "main.c"], options, memory, [weights])
    return weights


def firmware(
    folder: Path,
    sources: Sequence[str],
    options: Sequence[str],
    memory: str = 'REGION_ALIAS("WEIGHTS", CODE)\nREGION_ALIAS("VARIABLES", SRAM)\n',
    objects: Sequence[str] = (),
) -> None:
    """Compile sources in ``folder`` and link them with the board's start-up code: board.elf."""
    (folder / "memory.ld").write_text(memory, "utf-8")
    for own in (resources.files("netsheet.verify.engines") / "board").iterdir():
        if own.name.endswith((".c", ".h", ".ld")):
            (folder / own.name).write_bytes(own.read_bytes())
    compile_c([GCC, *CPU, *SECTIONS, *options, "-c", *sources], folder)
    compile_c([GCC, *CPU, *SECTIONS, "-Wall", "-O2", "-c", "board.c"], folder)
    parts = [f"{Path(source).stem}.o" for source in (*sources, "board.c")]
    compile_c(
        [GCC, *CPU, "-nostartfiles", "--specs=nosys.specs", "-Wl,--gc-sections", "-T", "board.ld",
         "-o", "board.elf", *parts, *objects, "-lm"],
        folder,
    )  # fmt: skip


def _memory(lib: Library, traced: bool) -> str:
    """Which memory the weights and the variables take.

    Raises:
        UnsupportedError: there is not enough.
    """
    weights = sum(
        4 * buffer.size
        for name, buffer in lib.constants.buffers.items()
        if traced or name not in lib.constants.traced
    )
    model = lib.model
    edges = sum(t.size for t in (*model.inputs, *model.outputs))
    variables = 4 * (arena_floats(lib, traced) + 2 * edges)
    far = [size for size, memory in ((weights, CODE), (variables, SRAM)) if size > memory - SPARE]
    if sum(far) > PSRAM - SPARE:
        raise UnsupportedError(
            f"the board is too small: weights of {weights:,} bytes and activations of "
            f"{variables:,}; it has {CODE:,} for code, {SRAM:,} and {PSRAM:,} of RAM. "
            "Verify a part (until) or on this computer."
        )
    return (
        f'REGION_ALIAS("WEIGHTS", {"PSRAM" if weights > CODE - SPARE else "CODE"})\n'
        f'REGION_ALIAS("VARIABLES", {"PSRAM" if variables > SRAM - SPARE else "SRAM"})\n'
    )


def run_firmware(folder: Path, given: bytes) -> bytes:
    """What board.elf in ``folder`` writes for an input."""
    (folder / "in.bin").write_bytes(given)
    result = folder / "out.bin"
    result.unlink(missing_ok=True)
    command = [
        QEMU, "-M", MACHINE, "-nographic", "-monitor", "none", "-serial", "none",
        "-icount", "shift=0", "-semihosting-config", "enable=on,target=native",
        "-kernel", "board.elf",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=TIME_LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NetsheetError(
            f"the emulated board took more than {TIME_LIMIT} s and was stopped"
        ) from None
    if done.returncode or not result.is_file():
        what = {70: "a fault of the processor", 71: "a file", 72: "a full disk"}
        what[OUTSIDE] = OUTSIDE_TEXT
        said = what.get(done.returncode, done.stderr.strip()[:500] or str(done.returncode))
        raise NetsheetError(f"the emulated board stopped: {said}")
    return result.read_bytes()
