"""Generated C of int8 networks on emulated boards, beside the float C of the same network.

    python bench/bench_int8.py [MODEL.tflite ...]

Without MODEL the networks that CMSIS-NN was measured on, with the same compiler and the same
emulators (-O2, second call; its flash is the network's arrays and the functions that it needs, its
RAM the arena). Cycles are by the tables that the boards name. Text is code and weights of the
object files, RAM their static RAM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import netsheet
from netsheet.equations import multiply_accumulates
from netsheet.verify.engines.boards import BOARDS
from netsheet.verify.engines.c_board import BoardFigures, measure_board
from netsheet.write.c.library import library

SHARED = Path(os.environ.get("NETSHEET_SHARED", Path(__file__).parents[2] / "shared"))
MODELS = SHARED / "models"
M4, M0, RISCV = "qemu-cortex-m4", "qemu-cortex-m0", "qemu-riscv32"


@dataclass(frozen=True)
class Case:
    """A network on boards; ``other``: what CMSIS-NN takes on each of them.

    That is thousands of instructions and, where measured, bytes of flash and of RAM.
    """

    name: str
    path: Path
    other: dict[str, tuple[int, ...]]
    real: Path | None = None  # the same network in float32


CASES = [
    Case("digits", MODELS / "tflite/made/seed_int8.tflite",
         {M4: (945, 18_447, 3_984), M0: (1_685,), RISCV: (1_047,)},
         MODELS / "tflite/made/seed_float.tflite"),
    Case("ResNet-8", MODELS / "tflite/pretrainedResnet_quant.tflite",
         {M4: (29_858, 101_256, 49_728), M0: (97_549,), RISCV: (65_382,)},
         MODELS / "pretrainedResnet.h5"),
    Case("keywords", MODELS / "tflite/kws_ref_model.tflite", {M4: (7_694, 50_892, 16_000)}),
    Case("autoencoder", MODELS / "tflite/ad01_int8.tflite", {M4: (580, 276_726, 768)},
         MODELS / "ad01.h5"),
    Case("wake words", MODELS / "tflite/str_ww_ref_model.tflite", {M4: (2_224, 77_096, 9_472)},
         MODELS / "str_ww_ref_model.h5"),
]  # fmt: skip
ROW = "{:14}{:16}{:>9}{:>9}{:>9}{:>8}{:>7}   {:>9}{:>9}{:>8}   {:>9}{:>9}{:>8}"


def cases(names: list[str]) -> Iterator[Case]:
    """Those that are asked for; others on the Cortex-M4."""
    if not names:
        yield from (case for case in CASES if case.path.exists())
    for name in names:
        known = [case for case in CASES if case.path.name == Path(name).name]
        yield from known or [Case(Path(name).stem, Path(name), {M4: ()})]


def thousands(number: int | None) -> str:
    return "" if number is None else f"{number / 1000:,.0f}"


def figures(found: BoardFigures | None) -> list[str]:
    """Thousands of instructions, text and RAM."""
    if found is None:
        return ["", "", ""]
    return [thousands(found.instructions), f"{found.text:,}", f"{found.bss + found.data:,}"]


def show(case: Case) -> None:
    """A line for each board."""
    model = netsheet.load(case.path)
    lib = library(model, traced=False)
    macs = multiply_accumulates(model.equations())
    for name, other in case.other.items():
        found = measure_board(lib, board=BOARDS[name])
        real = None
        if case.real is not None and case.real.exists() and (name == M4 or macs < 100_000):
            float_lib = library(netsheet.load(case.real), traced=False)
            real = measure_board(float_lib, board=BOARDS[name])
        instructions, text, ram = figures(found)
        theirs = [f"{number:,}" for number in other] + [""] * (3 - len(other))
        print(
            ROW.format(
                case.name, name.removeprefix("qemu-"), instructions, thousands(found.cycles), text,
                ram, found.stack, *figures(real), *theirs,
            ),
            flush=True,
        )  # fmt: skip


def main(names: list[str]) -> None:
    print(ROW.format("", "", "", "int8", "", "", "", "", "float", "", "", "CMSIS-NN", ""))
    head = ("kinstr", "text", "RAM")
    print(ROW.format("network", "board", head[0], "kcycles", *head[1:], "stack", *head, *head))
    for case in cases(names):
        show(case)


if __name__ == "__main__":
    main(sys.argv[1:])
