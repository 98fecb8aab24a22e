"""The emulated boards: a processor, its compiler, its memory and who emulates it.

A row of :data:`BOARDS` is all that a board is. C files of its start and the linker's script lie in
the folder ``board``.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netsheet.errors import NetsheetError, UsageError
from netsheet.verify.engines.cycle_tables import CORTEX_M0, CORTEX_M3, CORTEX_M4, IBEX, CycleTable


@dataclass(frozen=True)
class Region:
    """A range of addresses; sizes in bytes."""

    origin: int
    size: int

    def __str__(self) -> str:
        """As a linker's script has it."""
        return f"ORIGIN = {self.origin:#x}, LENGTH = {self.size:#x}"


@dataclass(frozen=True)
class Toolchain:
    """A cross compiler: its programs begin with ``prefix``; ``packages`` are Debian's."""

    prefix: str
    packages: tuple[str, ...]
    library: str  # a file of its C library that has to be there
    libraries: str  # the package of it
    link: tuple[str, ...]

    def program(self, name: str) -> str:
        """``gcc``, ``size``, ``nm`` or ``objdump``."""
        return f"{self.prefix}-{name}"

    def missing(self) -> list[str]:
        """What is not installed, with the packages in brackets."""
        absent = [self.program(n) for n in ("gcc", "size") if not shutil.which(self.program(n))]
        if absent:
            return [f"{' and '.join(absent)} ({' '.join((*self.packages, self.libraries))})"]
        command = [self.program("gcc"), *self.link, f"-print-file-name={self.library}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if Path(done.stdout.strip()).is_absolute():
            return []
        return [f"a C library for {self.program('gcc')} ({self.libraries})"]


@dataclass(frozen=True)
class Board:
    """A processor that somebody emulates.

    ``machine`` are the emulator's arguments; ``start`` the C files of the folder ``board`` that a
    program begins with; ``far`` a memory for what the others have no room for. ``loaded``: the
    emulator fills variables itself. ``cycles`` is the table by which cycles are estimated; None
    where ``no_cycles`` says why there are none, or the emulator counts them.
    """

    name: str
    title: str
    tools: Toolchain
    cpu: tuple[str, ...]
    emulator: str
    package: str  # of the emulator
    machine: tuple[str, ...]
    start: tuple[str, ...]
    code: Region
    ram: Region
    far: Region | None = None
    loaded: bool = False
    cycles: CycleTable | None = None
    no_cycles: str = ""

    @property
    def simulated(self) -> bool:
        """True if libsimavr runs it, False for QEMU."""
        return self.emulator == "simavr"

    def require(self) -> None:
        """Raises NetsheetError that names the programs that are not installed, with packages."""
        missing = self.tools.missing()
        if not shutil.which(self.emulator):
            missing.append(f"{self.emulator} ({self.package})")
        if missing:
            raise NetsheetError(
                f"the board {self.name} needs {', '.join(missing)}: install what stands in "
                f"brackets (Debian and Ubuntu: apt install {self._packages()})."
            )

    def _packages(self) -> str:
        return " ".join((*self.tools.packages, self.tools.libraries, self.package))

    def version(self) -> str:
        """The emulator's name and version, and the board's."""
        done = subprocess.run(
            [self.emulator, "--version"], capture_output=True, text=True, check=False
        )
        number = (done.stdout.split("version ")[-1].split() or ["?"])[0]
        name = "simavr" if self.simulated else f"qemu {number}"
        return f"{name}, {self.title}"


_ARM = Toolchain(
    "arm-none-eabi", ("gcc-arm-none-eabi",), "libm.a", "libnewlib-arm-none-eabi",
    ("--specs=nosys.specs",),
)  # fmt: skip
_RISCV = Toolchain(
    "riscv64-unknown-elf", ("gcc-riscv64-unknown-elf",), "picolibc.specs",
    "picolibc-riscv64-unknown-elf", ("--specs=picolibc.specs",),
)  # fmt: skip
_LX106 = Toolchain(
    "xtensa-lx106-elf", ("gcc-xtensa-lx106",), "libm.a", "picolibc-xtensa-lx106-elf", ()
)
_AVR = Toolchain("avr", ("gcc-avr", "binutils-avr"), "libm.a", "avr-libc", ("-mmcu=atmega2560",))

_CORTEX = ("cortex_m.c", "host_files.c", "marks.c")
_MPS2 = (
    Region(0x0, 4 << 20),
    Region(0x20000000, 4 << 20),
    Region(0x21000000, 16 << 20),
)


def _cortex(
    core: str, title: str, machine: str, cpu: tuple[str, ...], memories: tuple[Region, ...],
    cycles: CycleTable | None, no_cycles: str = "",
) -> Board:  # fmt: skip
    code, ram, far = memories
    return Board(
        f"qemu-cortex-{core}", title, _ARM, (f"-mcpu=cortex-{core}", "-mthumb", *cpu),
        "qemu-system-arm", "qemu-system-arm", ("-M", machine), _CORTEX, code, ram, far,
        cycles=cycles, no_cycles=no_cycles,
    )  # fmt: skip


BOARDS: Mapping[str, Board] = {
    board.name: board
    for board in (
        _cortex(
            "m0", "mps2-an385 with code for a Cortex-M0", "mps2-an385", (), _MPS2, CORTEX_M0,
        ),
        _cortex("m3", "mps2-an385 (Cortex-M3)", "mps2-an385", (), _MPS2, CORTEX_M3),
        _cortex(
            "m4", "mps2-an386 (Cortex-M4F)", "mps2-an386",
            ("-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"), _MPS2, CORTEX_M4,
        ),
        _cortex(
            "m33", "mps2-an505 (Cortex-M33)", "mps2-an505",
            ("-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
            (Region(0x10000000, 4 << 20), Region(0x38000000, 4 << 20),
             Region(0x80000000, 16 << 20)),
            None, "Arm publishes no table of cycles for a Cortex-M33",
        ),
        _cortex(
            "m55", "mps3-an547 (Cortex-M55 with Helium)", "mps3-an547", ("-mfloat-abi=hard",),
            (Region(0x0, 512 << 10), Region(0x31000000, 4 << 20), Region(0x70000000, 64 << 20)),
            None, "Arm publishes no table of cycles for a Cortex-M55",
        ),
        Board(
            "qemu-riscv32", "virt (RISC-V, rv32imc as an ESP32-C3)", _RISCV,
            ("-march=rv32imc", "-mabi=ilp32"), "qemu-system-riscv32", "qemu-system-misc",
            ("-M", "virt", "-cpu", "rv32", "-bios", "none"),
            ("riscv.c", "host_files.c", "marks.c"),
            Region(0x80000000, 32 << 20), Region(0x82000000, 32 << 20), loaded=True, cycles=IBEX,
        ),
        Board(
            "qemu-lx106", "sim (LX106, as an ESP8266)", _LX106, ("-mlongcalls",),
            "qemu-system-xtensa", "qemu-system-misc",
            ("-M", "sim", "-cpu", "lx106", "-m", "32M"), ("lx106.c", "host_files.c", "marks.c"),
            Region(0x50000000, 32 << 20), Region(0x60000000, 16 << 20), loaded=True,
            no_cycles="float functions stand in for those of the ROM; nobody publishes cycles",
        ),
        Board(
            "simavr-atmega2560", "ATmega2560 with 64 KB of memory", _AVR, (),
            "simavr", "simavr libsimavr-dev libelf-dev", ("atmega2560",), ("avr.c",),
            Region(0x0, 256 << 10), Region(0x200, 0xFE00),
        ),
    )
}  # fmt: skip


def board_of(name: str) -> Board:
    """The row of the table; UsageError where there is none."""
    if name not in BOARDS:
        raise UsageError(f"there is no board {name!r}; boards are {', '.join(BOARDS)}.")
    return BOARDS[name]
