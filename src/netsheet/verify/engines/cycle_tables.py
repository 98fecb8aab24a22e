"""Cycles of instructions, as the makers of processors publish them.

An estimate: memories without wait states, no stalls but those that the tables name. Where a table
gives a range the most usual value is taken, which the comments say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class CycleTable:
    """``rules``: patterns of an instruction's name with the cycles that the first match takes.

    A negative number of cycles is of an instruction for several registers: minus it, and one for
    each register. ``taken`` is what a branch takes more where it is taken.
    """

    source: str
    rules: tuple[tuple[str, int], ...]
    taken: int

    def cycles(self, name: str, operands: str) -> int:
        """Of one instruction that is not a taken branch, by its name and operands in assembly."""
        found = _matched(self.rules, name)
        return found if found >= 0 else -found + _registers(operands)


@lru_cache(maxsize=4096)
def _matched(rules: tuple[tuple[str, int], ...], name: str) -> int:
    for pattern, cycles in rules:
        if re.fullmatch(pattern, name):
            return cycles
    return 1


def _registers(operands: str) -> int:
    """How many registers stand in ``{r4-r7, lr}``."""
    inside = re.search(r"\{(.*?)\}", operands)
    count = 0
    for part in inside[1].split(",") if inside else []:
        ends = [int(number) for number in re.findall(r"\d+", part)]
        count += ends[1] - ends[0] + 1 if "-" in part and len(ends) == 2 else 1
    return count


@dataclass(frozen=True)
class Instruction:
    """One line of a disassembly: where it lies, its name and its operands."""

    address: int
    name: str
    operands: str


def disassembled(text: str) -> Mapping[int, Instruction]:
    """What ``objdump -d`` prints, by address."""
    found = {}
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) >= 3 and parts[0].strip().endswith(":"):
            name, _, rest = parts[2].partition(" ")
            operands = " ".join([rest, *parts[3:]]).split(";")[0].strip()
            address = int(parts[0].strip()[:-1], 16)
            found[address] = Instruction(address, name.split(".")[0], operands)
    return found


_LOADS = r"(ldr|str)(|b|h|sb|sh|t|ex)(|eq|ne|cs|cc|mi|pl|hi|ls|ge|lt|gt|le)"
_MULTIPLE = r"(ldm|stm|push|pop|vldm|vstm|vpush|vpop)\w*"

CORTEX_M0 = CycleTable(
    "Cortex-M0 Technical Reference Manual, table 3-1, multiplier of one cycle",
    ((_LOADS, 2), (_MULTIPLE, -1), ("bl", 2)),
    taken=2,
)
# P, the refill of the pipeline, is 1 to 3 cycles: 2; a quotient takes 2 to 12: 12.
CORTEX_M3 = CycleTable(
    "Cortex-M3 Technical Reference Manual, table 18-1",
    ((r"(ldrd|strd)\w*", 3), (_LOADS, 2), (_MULTIPLE, -1), (r"(mla|mls)\w*", 2),
     (r"[us]mull\w*", 4), (r"[us]mlal\w*", 5), (r"[us]div\w*", 12)),
    taken=2,
)  # fmt: skip
CORTEX_M4 = CycleTable(
    "Cortex-M4 Technical Reference Manual, tables 3-1 and 7-1",
    ((r"(ldrd|strd)\w*", 3), (_LOADS, 2), (r"(vldr|vstr)\w*", 2), (_MULTIPLE, -1),
     (r"(vmla|vmls|vnmla|vnmls|vfma|vfms|vfnma|vfnms)\w*", 3), (r"(vdiv|vsqrt)\w*", 14),
     (r"[us]div\w*", 12)),
    taken=2,
)  # fmt: skip
# A core of two stages, the closest to small RISC-V cores that publishes its cycles; one of a
# product such as the ESP32-C3 may differ.
IBEX = CycleTable(
    "lowRISC Ibex reference guide, multiplier of one cycle",
    ((r"(c\.)?(l[bhw]u?|s[bhw]|lwsp|swsp)", 2), (r"mulh\w*", 2), (r"(div|rem)u?", 37)),
    taken=1,
)
