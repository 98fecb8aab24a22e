"""Generated C on an emulated Cortex-M4F: a board that knows nothing of this computer."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netsheet
from netsheet.data.inputs import read_input
from netsheet.data.probe import probe
from netsheet.equations import Weight
from netsheet.errors import NetsheetError, UnsupportedError, UsageError
from netsheet.layers.dense import Dense
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef
from netsheet.verify import verify
from netsheet.verify.engines.boards import BOARDS, Board
from netsheet.verify.engines.c_board import (
    firmware,
    measure_board,
    run_firmware,
    run_on_board,
)
from netsheet.verify.engines.c_harness import WARNINGS, compile_c
from netsheet.verify.engines.counts import counted
from netsheet.verify.engines.cycle_tables import CORTEX_M0, IBEX
from netsheet.verify.engines.cycle_tables import CORTEX_M4 as M4_CYCLES
from netsheet.write.c import to_c
from netsheet.write.c.library import library

BOARD = "qemu-cortex-m4"
SAMPLE = Path(netsheet.__file__).parent / "data" / "sample"

pytestmark = pytest.mark.skipif(
    not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
    reason="there is no cross compiler or no emulator (tools/install-system.sh)",
)


SAY = """#include "board.h"
#include <string.h>

int net_test(void);
void net_say(const char *line);

void net_say(const char *line)
{
    put(line, (unsigned)strlen(line));
    put("\\n", 1);
}

int main(void)
{
    return net_test();
}
"""


def one_dense(inputs: int, units: int) -> Model:
    values = np.random.default_rng(1).normal(size=(inputs, units)).astype(np.float32)
    layer = Dense(name="d", units=units, use_bias=False)
    layer.weights["kernel"] = Weight(
        "d/kernel", ("in", "out"), values.shape, None, "kernel", values
    )
    return Model(
        "one", [LayerCall("d", layer, (ValueRef("x"),))], [Source("x", (inputs,))], [ValueRef("d")]
    )


def test_every_layer_of_the_sample() -> None:
    model = netsheet.load(SAMPLE / "digits.h5")
    digits = [read_input(SAMPLE / f"digit{n}.png", model.inputs) for n in (5, 3)]
    verdict = verify(model, "c", digits, board=BOARD)
    assert verdict.ok, verdict.first_failure
    assert "Cortex-M4F" in verdict.engine
    assert "instructions an inference" in verdict.notes[0]
    assert [row.layer for row in verdict.layers][: len(model.tensors())] == list(model.tensors())


@pytest.mark.parametrize("file", ["my_model.h5", "my_model_channels_last.h5"])
def test_every_layer_of_the_published_network(seed: Path, file: str) -> None:
    model = netsheet.load(seed / file)
    verdict = verify(model, "c", [read_input(seed / "digit5.png", model.inputs)], board=BOARD)
    assert verdict.ok, verdict.first_failure


def test_the_test_program_tells_on_the_board(tmp_path: Path) -> None:
    """As a user runs it there: lines of text, every layer, a verdict."""
    model = netsheet.load(SAMPLE / "digits.h5")
    to_c(model, tmp_path, sample=read_input(SAMPLE / "digit5.png", model.inputs))
    (tmp_path / "main.c").write_text(SAY)
    sources = ["main.c", "net_test.c", "net.c", "net_weights.c"]
    firmware(tmp_path, sources, ["-O2", "-DNET_TRACE", "-DNET_SAY=net_say"])
    lines = run_firmware(tmp_path, b"").decode().splitlines()
    assert [line.split()[0] for line in lines[1:5]] == list(model.tensors())
    assert all(line.endswith(" ok") for line in lines[1:5])
    assert lines[-2:] == ["class 5, reference 5", "all agrees with the reference"]


@pytest.mark.slow
@pytest.mark.parametrize("file", ["ad01.h5", "pretrainedResnet.h5", "str_ww_ref_model.h5"])
def test_every_layer_of_larger_networks(shared: Path, file: str) -> None:
    model = netsheet.load(shared / "models" / file)
    verdict = verify(model, "c", [probe(model)], board=BOARD)
    assert verdict.ok, verdict.first_failure


@pytest.mark.slow
def test_weights_that_do_not_fit_into_flash() -> None:
    """4.2 MB of weights lie in the board's other memory."""
    model = one_dense(1050, 1000)
    verdict = verify(model, "c", [probe(model)], board=BOARD)
    assert verdict.ok, verdict.first_failure


def test_code_beyond_a_short_jump_is_reached() -> None:
    """A jump of RISC-V reaches 1 MB; these weights take more."""
    installed(BOARDS["qemu-riscv32"])
    model = one_dense(600, 500)
    verdict = verify(model, "c", [probe(model)], board="qemu-riscv32")
    assert verdict.ok, verdict.first_failure


def test_a_network_that_is_too_large_is_refused() -> None:
    model = one_dense(2100, 2100)
    with pytest.raises(UnsupportedError, match=r"weights of 17,6\d\d,\d00 bytes"):
        run_on_board(library(model), [probe(model).arrays])


@pytest.mark.parametrize(
    "processor",
    [
        ["-mcpu=cortex-m0", "-mthumb"],
        ["-mcpu=cortex-m3", "-mthumb"],
        ["-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-d16", "-mfloat-abi=hard"],
        ["-mcpu=cortex-m33", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
    ],
    ids=lambda options: options[0],
)
def test_other_processors_compile(processor: list[str], tmp_path: Path) -> None:
    """With and without floating point; no double is computed anywhere."""
    to_c(netsheet.load(SAMPLE / "digits.h5"), tmp_path)
    warnings = [*WARNINGS, "-Wdouble-promotion", "-Wshadow"]
    command = [
        "arm-none-eabi-gcc",
        *processor,
        *warnings,
        "-O2",
        "-c",
        "net.c",
        "net_weights.c",
        "net_test.c",
    ]
    for trace in ([], ["-DNET_TRACE"]):
        compile_c([*command, *trace, "-DNET_SAY=say"], tmp_path)
    names = subprocess.run(
        ["arm-none-eabi-nm", "-u", "net.o"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "__aeabi_d" not in names and "malloc" not in names


COUNTED = """#include "board.h"

int main(void)
{
    unsigned rounds = 500000;
    board_count();
#if defined __riscv || defined __XTENSA__
    __asm__ volatile("1: addi %0, %0, -1\\n\\tbnez %0, 1b" : "+r"(rounds));
#else
    __asm__ volatile(".syntax unified\\n1: subs %0, %0, #1\\n\\tbne 1b" : "+r"(rounds) : : "cc");
#endif
    board_counted();
    put("done", 4);
    return 0;
}
"""


def installed(board: Board) -> None:
    try:
        board.require()
    except NetsheetError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", [name for name in BOARDS if name.startswith("qemu")])
def test_a_loop_of_a_million_instructions(name: str, tmp_path: Path) -> None:
    """Two instructions, half a million times; the branch takes what its table says."""
    board = BOARDS[name]
    installed(board)
    (tmp_path / "main.c").write_text(COUNTED)
    firmware(tmp_path, ["main.c"], ["-O1"], board=board)
    assert run_firmware(tmp_path, b"", board, count=True) == b"done"
    counts = counted(board, tmp_path)
    assert abs(counts.instructions - 1_000_000) <= 20
    if board.cycles is None:
        assert counts.cycles is None and "publishes" in counts.source
    else:
        assert counts.cycles is not None
        assert abs(counts.cycles - (1_000_000 + 500_000 * board.cycles.taken)) <= 100


COUNTED_AVR = """#include "board.h"

int main(void)
{
    unsigned rounds;
    if (!fetch(&rounds, 2))
        return 1;
    board_count();
    __asm__ volatile("1: sbiw %0, 1\\n\\tbrne 1b" : "+w"(rounds));
    board_counted();
    put("done", 4);
    return 0;
}
"""


def test_an_avr_is_counted_by_its_simulator(tmp_path: Path) -> None:
    """sbiw takes 2 cycles, a taken brne 2: the data sheet's instruction table."""
    board = BOARDS["simavr-atmega2560"]
    installed(board)
    (tmp_path / "main.c").write_text(COUNTED_AVR)
    firmware(tmp_path, ["main.c"], ["-O1"], board=board)
    assert run_firmware(tmp_path, struct.pack("<H", 50_000), board, count=True) == b"done"
    counts = counted(board, tmp_path)
    assert abs(counts.instructions - 100_000) <= 20
    assert counts.cycles is not None and abs(counts.cycles - 200_000) <= 40


def test_tables_of_cycles() -> None:
    """Single instructions, read off the tables of the manuals."""
    assert M4_CYCLES.cycles("vmla", "s0, s1, s2") == 3
    assert M4_CYCLES.cycles("smlad", "r0, r1, r2, r3") == 1
    assert M4_CYCLES.cycles("ldrb", "r3, [r2, #1]") == 2
    assert M4_CYCLES.cycles("ldrd", "r2, r3, [sp]") == 3
    assert M4_CYCLES.cycles("push", "{r4, r5, r6, lr}") == 5
    assert M4_CYCLES.cycles("stmdb", "sp!, {r4-r9, lr}") == 8
    assert M4_CYCLES.cycles("vdiv", "s0, s1, s2") == 14
    assert CORTEX_M0.cycles("muls", "r0, r1") == 1
    assert CORTEX_M0.cycles("ldr", "r3, [pc, #20]") == 2
    assert IBEX.cycles("lw", "a0,0(a1)") == 2
    assert IBEX.cycles("divu", "a0,a0,a1") == 37


@pytest.mark.parametrize("name", [name for name in BOARDS if name != BOARD])
def test_a_small_network_on_every_board(name: str) -> None:
    """Every layer, and the figures, on processors without and with an FPU, of 8 and of 32 bits."""
    installed(BOARDS[name])
    model = one_dense(24, 7)
    verdict = verify(model, "c", [probe(model)], board=name)
    assert verdict.ok, verdict.first_failure
    assert BOARDS[name].title in verdict.engine
    assert "instructions an inference" in verdict.notes[0]


STACK = """#include "board.h"

__attribute__((noinline)) static void deep(void)
{
    volatile char used[@];
    for (unsigned i = 0; i < sizeof used; i++)
        used[i] = 1;
}

int main(void)
{
    unsigned used;
    board_paint();
    deep();
    used = board_used();
    put(&used, sizeof used);
    return 0;
}
"""


def test_the_stack_that_was_used(tmp_path: Path) -> None:
    found = []
    for size in (400, 4400):
        (tmp_path / "main.c").write_text(STACK.replace("@", str(size)))
        firmware(tmp_path, ["main.c"], ["-O1"])
        (used,) = struct.unpack("<I", run_firmware(tmp_path, b""))
        assert size <= used <= size + 128
        found.append(used)
    assert found[1] - found[0] == 4000


def test_figures_repeat_and_grow_with_the_work() -> None:
    small, large = library(one_dense(40, 30)), library(one_dense(80, 30))
    first = measure_board(small)
    assert measure_board(small) == first
    assert first.arena <= first.bss <= first.arena + 16
    assert first.text >= 4 * 40 * 30
    more = measure_board(large).instructions - first.instructions
    assert 40 * 30 <= more <= 40 * 30 * 20


def test_what_is_missing_or_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    model = one_dense(3, 2)
    with pytest.raises(UsageError, match="sanitizers run on this computer"):
        verify(model, "c", [probe(model)], board=BOARD, sanitize=True)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NetsheetError, match=r"apt install gcc-arm-none-eabi.*qemu-system-arm"):
        verify(model, "c", [probe(model)], board=BOARD)


def test_a_fault_is_reported(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(
        "int main(void) { return *(volatile int *)0xE0000000u + *(volatile int *)0xF0000000u; }"
    )
    firmware(tmp_path, ["main.c"], ["-O1"])
    with pytest.raises(NetsheetError, match="a fault of the processor"):
        run_firmware(tmp_path, b"")


@pytest.mark.parametrize("name", list(BOARDS))
def test_whole_numbers_on_every_board(name: str, shared: Path) -> None:
    """The int8 network of the digits: not one value differs, whatever the processor."""
    installed(BOARDS[name])
    model = netsheet.load(shared / "models" / "tflite" / "made" / "seed_int8.tflite")
    verdict = verify(model, "c", [probe(model)], board=name)
    assert verdict.ok, verdict.first_failure
    assert all(row.max_abs == 0 for row in verdict.layers)
