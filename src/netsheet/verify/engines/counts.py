"""What an emulator counts between two marks: instructions, and cycles by a table."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from netsheet.errors import NetsheetError
from netsheet.verify.engines.boards import Board
from netsheet.verify.engines.c_harness import PACKAGE, compile_c
from netsheet.verify.engines.c_host import compiler
from netsheet.verify.engines.cycle_tables import disassembled
from netsheet.write.c.template import template

COUNTS = "counts.txt"


@dataclass(frozen=True)
class InstructionCounts:
    """Between the marks; ``cycles`` None where nobody knows them. ``source`` says whose they are.

    ``stack`` is None where the firmware measures it itself.
    """

    instructions: int
    cycles: int | None
    source: str
    stack: int | None = None


def plugin(board: Board, folder: Path) -> list[str]:
    """QEMU's arguments that have the firmware board.elf counted into :data:`COUNTS`.

    Raises:
        NetsheetError: there is no compiler for the plugin.
    """
    done = _said(board, folder, "nm", "board.elf")
    at = {words[2]: words[0] for words in map(str.split, done.splitlines()) if len(words) == 3}
    major = board.version().split("qemu ")[-1].split(".")[0]
    version = 2 if major.isdigit() and int(major) >= 9 else 1
    (folder / "count_plugin.c").write_text(template("count_plugin.c", PACKAGE), "utf-8")
    compile_c(
        [compiler(), "-shared", "-fPIC", "-O2", f"-DPLUGIN_VERSION={version}",
         "-o", "count.so", "count_plugin.c"],
        folder,
    )  # fmt: skip
    marks = f"start={at['board_count']},stop={at['board_counted']}"
    return ["-plugin", f"./count.so,{marks},to={COUNTS}"]


def counted(board: Board, folder: Path) -> InstructionCounts:
    """The counts that an emulator has left in the folder.

    Raises:
        NetsheetError: there are none.
    """
    try:
        text = (folder / COUNTS).read_text("ascii")
    except OSError:
        raise NetsheetError(
            f"{board.emulator} counts no instructions: it loads no plugins; another build does."
        ) from None
    lines = [line.split() for line in text.splitlines()]
    if board.simulated:
        instructions, cycles, stack = map(int, lines[0])
        return InstructionCounts(instructions, cycles, "as simavr counts them", stack)
    stretches = [(int(at, 16), int(n), int(runs), int(left)) for at, n, runs, left in lines]
    total = sum(n * runs for _, n, runs, _ in stretches)
    if board.cycles is None:
        return InstructionCounts(total, None, board.no_cycles)
    table = board.cycles
    code = disassembled(_said(board, folder, "objdump", "-d", "board.elf"))
    order = sorted(code)
    place = {address: n for n, address in enumerate(order)}
    costs = {at: table.cycles(one.name, one.operands) for at, one in code.items()}
    cycles = 0
    for start, n, runs, left in stretches:
        first = place[start]
        cycles += runs * sum(costs[at] for at in order[first : first + n]) + left * table.taken
    return InstructionCounts(total, cycles, table.source)


def _said(board: Board, folder: Path, tool: str, *arguments: str) -> str:
    return subprocess.run(
        [board.tools.program(tool), *arguments],
        cwd=folder, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
