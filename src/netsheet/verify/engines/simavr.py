"""AVR firmware in libsimavr, by a small program that is compiled on this computer."""

from __future__ import annotations

import subprocess
from pathlib import Path

from netsheet.errors import NetsheetError
from netsheet.verify.engines.boards import Board
from netsheet.verify.engines.c_harness import PACKAGE, compile_c
from netsheet.verify.engines.c_host import compiler
from netsheet.verify.engines.counts import COUNTS
from netsheet.write.c.template import template

# Variables in all of the 64 KB that addresses of 16 bits reach; code in the 256 KB that there are.
LINK = (
    "-Wl,--defsym=__DATA_REGION_LENGTH__=0xFE00", "-Wl,--defsym=__stack=0xFFFF",
    "-Wl,--defsym=__TEXT_REGION_LENGTH__=0x40000",
)  # fmt: skip


def runner(board: Board, folder: Path) -> list[str]:
    """The command that runs board.elf in ``folder``, counts and writes what it says.

    Raises:
        NetsheetError: the program that does so cannot be compiled.
    """
    (folder / "avr_runner.c").write_text(template("avr_runner.c", PACKAGE), "utf-8")
    try:
        compile_c(
            [compiler(), "-O2", "-o", "avr_runner", "avr_runner.c", "-lsimavr", "-lelf", "-lm"],
            folder,
        )
    except NetsheetError:
        raise NetsheetError(
            f"the board {board.name} needs simavr's library as well: install libsimavr-dev and "
            "libelf-dev (Debian and Ubuntu: apt install libsimavr-dev libelf-dev)."
        ) from None
    done = subprocess.run(
        [board.tools.program("nm"), "board.elf"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    symbols = {words[2]: words[0] for words in map(str.split, done.stdout.splitlines())
               if len(words) == 3}  # fmt: skip
    end = symbols.get("_end", "0")
    return ["./avr_runner", *board.machine, "board.elf", end, "in.bin", "out.bin", COUNTS]
