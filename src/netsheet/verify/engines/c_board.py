"""C on an emulated board: compiled for it, linked bare metal, run, measured."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UnsupportedError
from netsheet.verify.engines.boards import BOARDS, Board
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
from netsheet.verify.engines.counts import COUNTS, InstructionCounts, counted, plugin
from netsheet.verify.engines.simavr import LINK, runner
from netsheet.write.c.library import Library, arena_floats
from netsheet.write.c.template import fill, template

SECTIONS = ("-ffunction-sections", "-fdata-sections")
TIME_LIMIT = 900  # seconds for the emulator
SPARE = 256 << 10  # of a large memory: for code, libraries, stack and the harness's own variables
SHARE = 16  # of a smaller one: this part of it
CORTEX_M4 = BOARDS["qemu-cortex-m4"]
STOPPED = {
    70: "a fault of the processor", 71: "a file", 72: "a full disk", OUTSIDE: OUTSIDE_TEXT,
    74: "the stack ran into the variables: the network needs more memory than the board has",
}  # fmt: skip


@dataclass(frozen=True)
class BoardFigures:
    """What one inference takes on the board, and the bytes of the object files.

    ``counts`` of a second call; ``stack`` is the most that a call had in use; ``arena`` is part of
    ``bss``.
    """

    counts: InstructionCounts
    text: int
    data: int
    bss: int
    stack: int
    arena: int

    @property
    def instructions(self) -> int:
        """Of a second call, to within some ten."""
        return self.counts.instructions

    @property
    def cycles(self) -> int | None:
        """The same in cycles; None where they are not known."""
        return self.counts.cycles

    def __str__(self) -> str:
        """In one line."""
        source = self.counts.source
        cycles = source if self.cycles is None else f"about {self.cycles:,} cycles ({source})"
        return (
            f"{self.instructions:,} instructions an inference, {self.text:,} bytes of text, "
            f"{self.data + self.bss:,} of RAM, {self.stack:,} of stack; {cycles}"
        )


def run_on_board(
    lib: Library,
    samples: Sequence[Sequence[FloatArray]],
    *,
    traced: bool = True,
    options: Sequence[str] = ("-O2",),
    board: Board = CORTEX_M4,
) -> list[Tensors]:
    """Compile for the board and run there; the tensors of one program for each sample.

    Raises:
        NetsheetError: a program is missing, refuses, or the board stopped.
        UnsupportedError: the network does not fit the board's memory.
    """
    _memory(lib, traced, board)
    with written(lib) as sources:
        return run_sources(sources, samples, traced, options, board)


def run_sources(
    sources: Sources,
    samples: Sequence[Sequence[FloatArray]],
    traced: bool,
    options: Sequence[str],
    board: Board = CORTEX_M4,
) -> list[Tensors]:
    """The same for files that are written already."""
    main = main_text(sources.lib, '#include "board.h"\n')
    _build(sources, main, traced, options, board)
    return tensors_of(
        run_firmware(sources.folder, input_bytes(sources.lib, samples), board), len(samples)
    )


def measure_board(
    lib: Library,
    *,
    opt: str = "-O2",
    trace: bool = False,
    sample: Sample | None = None,
    board: Board = CORTEX_M4,
) -> BoardFigures:
    """Count the instructions of an inference on the board, and measure its memory.

    Without ``sample`` the input is random numbers, the same every time.
    """
    from netsheet.data.probe import probe

    with written(lib) as sources:
        return measure_sources(sources, (sample or probe(lib.model)).arrays, trace, opt, board)


def measure_sources(
    sources: Sources,
    arrays: Sequence[FloatArray],
    traced: bool,
    opt: str,
    board: Board = CORTEX_M4,
) -> BoardFigures:
    """The same for files that are written already."""
    lib, folder = sources.lib, sources.folder
    weights = _build(sources, _counting(lib), traced, [opt], board)
    (stack,) = struct.unpack(
        "<I", run_firmware(folder, input_bytes(lib, [arrays]), board, count=True)
    )
    counts = counted(board, folder)
    done = subprocess.run(
        [board.tools.program("size"), f"{lib.name}.o", weights],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split()[:3] for line in done.stdout.splitlines()[1:]]
    text, data, bss = (sum(int(row[n]) for row in rows) for n in range(3))
    arena = 4 * arena_floats(lib, traced)
    used = stack if counts.stack is None else counts.stack
    return BoardFigures(counts, text, data, bss, used, arena)


def _counting(lib: Library) -> str:
    """A main() that runs the network twice, marks the second time and writes its stack."""
    inputs = [f"in{n}" for n in range(len(lib.model.inputs))]
    outputs = [f"out{n}" for n in range(len(lib.model.outputs))]
    fetching = [f"    if (!fetch({name}, sizeof {name}))\n        return 1;" for name in inputs]
    marks = {
        "buffers": buffers_text(lib),
        "fetching": "\n".join(fetching),
        "arguments": ", ".join([*inputs, *outputs]),
    }
    return fill(template("count.c", PACKAGE), lib.name, marks)


def _build(sources: Sources, main: str, traced: bool, options: Sequence[str], board: Board) -> str:
    """Firmware in the folder: board.elf, the object files beside it; returns that of weights."""
    board.require()
    memory = _memory(sources.lib, traced, board)
    sources.write("main.c", main)
    warnings = _warnings(board)
    command = [board.tools.program("gcc"), *board.cpu, *board.tools.link, *SECTIONS, *warnings]
    weights = sources.weights(command, traced)
    options = [*warnings, *options, *sources.define(traced)]
    firmware(sources.folder, [f"{sources.lib.name}.c", "main.c"], options, memory, [weights], board)
    return weights


def _warnings(board: Board) -> list[str]:
    """All warnings; an AVR's program memory needs a word that is GNU's."""
    return ["-std=gnu99" if w == "-std=c99" and board.simulated else w for w in WARNINGS]


def firmware(
    folder: Path,
    sources: Sequence[str],
    options: Sequence[str],
    memory: str = "",
    objects: Sequence[str] = (),
    board: Board = CORTEX_M4,
) -> None:
    """Compile sources in ``folder`` and link them with the board's start-up code: board.elf."""
    (folder / "memory.ld").write_text(memory or _memory_text(board), "utf-8")
    for own in (resources.files(PACKAGE) / "board").iterdir():
        if own.name in ("board.h", "board.ld", *board.start):
            (folder / own.name).write_bytes(own.read_bytes())
    compiler = [board.tools.program("gcc"), *board.cpu, *SECTIONS]
    link = [*board.tools.link]
    compile_c([*compiler, *link, *options, "-c", *sources], folder)
    compile_c([*compiler, *link, "-Wall", "-O2", "-c", *board.start], folder)
    parts = [f"{Path(source).stem}.o" for source in (*sources, *board.start)]
    script = LINK if board.simulated else ("-nostartfiles", "-T", "board.ld")
    compile_c(
        [*compiler, *link, *script, "-Wl,--gc-sections", "-o", "board.elf", *parts, *objects,
         "-lm"],
        folder,
    )  # fmt: skip


def _memory(lib: Library, traced: bool, board: Board) -> str:
    """Which memory the weights and the variables take.

    Raises:
        UnsupportedError: there is not enough.
    """
    weights = sum(
        buffer.size * 4
        for name, buffer in lib.constants.buffers.items()
        if traced or name not in lib.constants.traced
    )
    model = lib.model
    edges = sum(t.size for t in (*model.inputs, *model.outputs))
    variables = 4 * (arena_floats(lib, traced) + 2 * edges)
    needed = ((weights, board.code), (variables, board.ram))
    far = [size for size, memory in needed if size > _room(memory.size)]
    if sum(far) > (_room(board.far.size) if board.far else 0):
        more = f" and {board.far.size:,} of RAM" if board.far else " of RAM"
        raise UnsupportedError(
            f"the board {board.name} is too small: weights of {weights:,} bytes and activations "
            f"of {variables:,}; it has {board.code.size:,} for code, {board.ram.size:,}{more}. "
            "Verify a part (until) or on this computer."
        )
    places = ["FAR" if size > _room(memory.size) else "" for size, memory in needed]
    return _memory_text(board, places[0] or "CODE", places[1] or "SRAM")


def _room(size: int) -> int:
    """Bytes of a memory that a network may take."""
    return size - min(SPARE, size // SHARE)


def _memory_text(board: Board, weights: str = "CODE", variables: str = "SRAM") -> str:
    """memory.ld: the board's memories, and which of them weights and variables take."""
    memories = [("CODE (rx)", board.code), ("SRAM (rwx)", board.ram)]
    memories += [("FAR (rwx)", board.far)] if board.far else []
    lines = [f"    {name} : {memory}" for name, memory in memories]
    aliases = {"WEIGHTS": weights, "VARIABLES": variables,
               "LOADED": "SRAM" if board.loaded else "CODE"}  # fmt: skip
    lines = ["MEMORY", "{", *lines, "}"]
    lines += [f'REGION_ALIAS("{alias}", {memory})' for alias, memory in aliases.items()]
    return "\n".join(lines) + "\n"


def run_firmware(
    folder: Path, given: bytes, board: Board = CORTEX_M4, *, count: bool = False
) -> bytes:
    """What board.elf in ``folder`` writes for an input.

    ``count``: what lies between the marks is counted, see :mod:`netsheet.verify.engines.counts`.
    """
    (folder / "in.bin").write_bytes(given)
    result = folder / "out.bin"
    for old in (result, folder / COUNTS):
        old.unlink(missing_ok=True)
    if board.simulated:
        command = runner(board, folder)
    else:
        command = [
            board.emulator, *board.machine, "-nographic", "-monitor", "none", "-serial", "none",
            "-semihosting-config", "enable=on,target=native", "-kernel", "board.elf",
        ]  # fmt: skip
    counting = plugin(board, folder) if count and not board.simulated else []
    done = _emulated([*command, *counting], folder)
    if counting and done.returncode and not result.is_file():
        done = _emulated(command, folder)  # a QEMU that takes no plugins
    if done.returncode or not result.is_file():
        said = STOPPED.get(done.returncode, done.stderr.strip()[:500] or str(done.returncode))
        raise NetsheetError(f"the emulated board stopped: {said}")
    return result.read_bytes()


def _emulated(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=TIME_LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NetsheetError(
            f"the emulated board took more than {TIME_LIMIT} s and was stopped"
        ) from None
