"""Generated C for small machines: 16 bit integers, constants in program memory, chosen places."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet
from netsheet.data.inputs import read_input
from netsheet.data.probe import probe
from netsheet.errors import NetsheetError
from netsheet.loops.reach import reach
from netsheet.verify import verify
from netsheet.verify.engines.boards import BOARDS
from netsheet.write.c.library import library

SAMPLE = Path(netsheet.__file__).parent / "data" / "sample"
AVR = "simavr-atmega2560"
AVR_GCC = ["avr-gcc", "-mmcu=atmega2560", "-std=gnu99", "-Wall", "-Wextra", "-pedantic", "-Werror"]


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def avr() -> str:
    try:
        BOARDS[AVR].require()
    except NetsheetError as error:
        pytest.skip(str(error))
    return AVR


def saved(path: Path, nodes: list[onnx.NodeProto], size: int, **stored: object) -> Path:
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in stored.items()],
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(proto, path)
    return path


@pytest.mark.parametrize("file", ["my_model.h5", "my_model_channels_last.h5"])
def test_the_published_network_on_an_avr(file: str, seed: Path, avr: str) -> None:
    """Every layer on a machine of 8 bits whose int has 16."""
    model = netsheet.load(seed / file)
    verdict = verify(model, "c", [read_input(seed / "digit5.png", model.inputs)], board=avr)
    assert verdict.ok, verdict.first_failure
    assert "instructions an inference" in verdict.notes[0]


def test_no_constant_of_an_avr_lies_in_ram(tmp_path: Path) -> None:
    needs("avr-gcc")
    model = netsheet.load(SAMPLE / "digits.h5")
    model.to_c(tmp_path)
    objects = ["net.o", "net_weights.o"]
    done = run([*AVR_GCC, "-O2", "-c", "net.c", "net_weights.c", "net_test.c"], tmp_path)
    assert done.returncode == 0, done.stderr
    lines = run(["avr-size", *objects], tmp_path).stdout.splitlines()[1:]
    code, constants = (list(map(int, line.split()[:3])) for line in lines)
    report = model.to_c(tmp_path)
    assert constants == [report.flash, 0, 0]
    assert code[1:] == [0, report.arena]


def test_functions_that_the_library_of_avr_lacks(tmp_path: Path, avr: str) -> None:
    """Against ONNX Runtime: halves are rounded to even, small arguments stay exact."""
    nodes = [
        helper.make_node("Round", ["x"], ["rounded"]),
        helper.make_node("Erf", ["x"], ["error"]),
        helper.make_node("Asinh", ["x"], ["asinh"]),
        helper.make_node("Abs", ["x"], ["positive"]),
        helper.make_node("Add", ["positive", "one"], ["from_one"]),
        helper.make_node("Acosh", ["from_one"], ["acosh"]),
        helper.make_node("Mul", ["x", "less"], ["inside"]),
        helper.make_node("Atanh", ["inside"], ["atanh"]),
        helper.make_node("Sum", ["rounded", "error", "asinh", "acosh", "atanh"], ["y"]),
    ]
    special = [0.5, 1.5, 2.5, -0.5, -1.5, 0.0, 1e-5, -1e-3, 0.05, 0.09, 0.11, -0.1]
    x = np.concatenate([np.linspace(-4.5, 4.5, 38), special]).astype(np.float32)
    path = saved(tmp_path / "f.onnx", nodes, x.size, one=1, less=0.2)
    np.save(tmp_path / "x.npy", x[None])
    model = netsheet.load(path)
    verdict = verify(model, "c", [read_input(tmp_path / "x.npy", model.inputs)], board=avr)
    assert verdict.ok, verdict.first_failure


def one_product(path: Path, inputs: int, outputs: int) -> Path:
    random = np.random.default_rng(3)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    return saved(path, nodes, inputs, w=random.normal(size=(inputs, outputs)))


def test_what_is_too_large_for_an_avr_is_refused_by_the_compiler(tmp_path: Path) -> None:
    needs("avr-gcc")
    netsheet.load(one_product(tmp_path / "a.onnx", 100, 90)).to_c(tmp_path / "a")
    done = run([*AVR_GCC, "-c", "net.c"], tmp_path / "a")
    assert "an array of weights has 36000 bytes" in done.stderr
    nodes = [helper.make_node("MatMul", ["x", "w0"], ["h0"])]
    nodes += [helper.make_node("MatMul", [f"h{n}", f"w{n + 1}"], [f"h{n + 1}"]) for n in range(2)]
    nodes.append(helper.make_node("Identity", ["h2"], ["y"]))
    random = np.random.default_rng(4)
    weights = {f"w{n}": random.normal(size=(80, 80)) for n in range(3)}
    netsheet.load(saved(tmp_path / "b.onnx", nodes, 80, **weights)).to_c(tmp_path / "b")
    done = run([*AVR_GCC, "-c", "net.c"], tmp_path / "b")
    assert "define NET_FAR" in done.stderr
    done = run([*AVR_GCC, "-DNET_FAR", "-c", "net.c", "net_weights.c"], tmp_path / "b")
    assert done.returncode == 0, done.stderr


def test_an_int_that_is_too_short_is_refused(tmp_path: Path) -> None:
    """An input of 40,000 values: no position of it fits into 16 bits."""
    needs("avr-gcc")
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    netsheet.load(saved(tmp_path / "r.onnx", nodes, 40_000)).to_c(tmp_path / "net")
    done = run([*AVR_GCC, "-c", "net.c"], tmp_path / "net")
    assert "this network counts up to 40000" in done.stderr


@pytest.mark.parametrize("file", ["my_model.h5", "my_model_channels_last.h5"])
def test_positions_reach_no_further_than_what_is_said(file: str, seed: Path) -> None:
    """The largest buffer bounds what a network counts to, within its sizes."""
    lib = library(netsheet.load(seed / file))
    most = max(buffer.size for f in lib.traced.program.functions for buffer in f.buffers)
    assert most <= reach(lib.traced.program) <= 4 * most
    assert reach(lib.fast.program) < 32767


PLACES = """#define NET_WEIGHTS __attribute__((section(".far_flash")))
#define NET_ARENA __attribute__((section(".psram")))
#define NET_CODE __attribute__((section(".fast_code")))
"""


def test_weights_arena_and_code_lie_where_a_header_says(tmp_path: Path) -> None:
    needs("arm-none-eabi-gcc")
    report = netsheet.load(SAMPLE / "digits.h5").to_c(tmp_path)
    (tmp_path / "places.h").write_text(PLACES)
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2", "-Wall", "-Werror", "-c"]
    done = run([*command, '-DNET_PLACES="places.h"', "net.c", "net_weights.c"], tmp_path)
    assert done.returncode == 0, done.stderr
    sizes = {}
    for name in ("net.o", "net_weights.o"):
        for line in run(["arm-none-eabi-size", "-A", name], tmp_path).stdout.splitlines():
            words = line.split()
            if len(words) == 3 and words[0].startswith("."):
                sizes[name, words[0]] = int(words[1])
    assert sizes["net_weights.o", ".far_flash"] == report.flash
    assert sizes["net.o", ".psram"] == report.arena
    assert sizes["net.o", ".fast_code"] > 1000 and not sizes["net.o", ".text"]


def test_the_flash_of_an_esp8266(tmp_path: Path) -> None:
    needs("xtensa-lx106-elf-gcc")
    report = netsheet.load(SAMPLE / "digits.h5").to_c(tmp_path)
    command = ["xtensa-lx106-elf-gcc", "-mlongcalls", "-O2", "-Wall", "-Wextra", "-Werror", "-c"]
    done = run([*command, "-DESP8266", "net.c", "net_weights.c"], tmp_path)
    assert done.returncode == 0, done.stderr
    table = run(["xtensa-lx106-elf-size", "-A", "net_weights.o"], tmp_path).stdout
    sizes = {line.split()[0]: int(line.split()[1]) for line in table.splitlines()[2:] if line}
    assert sizes[".irom.text.net"] == report.flash
    assert not sizes.get(".rodata")


@pytest.mark.parametrize(
    "machine", [*(pytest.param(m, marks=pytest.mark.slow) for m in ("z80", "stm8")), "mcs51"]
)
def test_small_device_c_compiles(machine: str, tmp_path: Path) -> None:
    needs("sdcc")
    netsheet.load(SAMPLE / "digits.h5").to_c(tmp_path)
    for file in ("net.c", "net_weights.c"):
        done = run(["sdcc", f"-m{machine}", "--std-c99", "-c", file], tmp_path)
        assert done.returncode == 0, done.stderr
        assert "warning" not in done.stderr


def test_probe_of_a_network_with_one_product_on_an_avr(tmp_path: Path, avr: str) -> None:
    model = netsheet.load(one_product(tmp_path / "p.onnx", 60, 40))
    verdict = verify(model, "c", [probe(model)], board=avr)
    assert verdict.ok, verdict.first_failure
