"""Weights in a file beside the C, checked before they are used; the licence in every file."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

import netsheet
from netsheet.cli import main
from netsheet.data.inputs import read_input
from netsheet.errors import UsageError
from netsheet.model import Model
from netsheet.verify.engines.c_harness import WARNINGS
from netsheet.verify.engines.c_host import SANITIZE, compiler

SAMPLE = Path(netsheet.__file__).parent / "data" / "sample"
SOURCES = ["net_test.c", "net.c", "net_weights.c"]


@pytest.fixture
def digits() -> Model:
    return netsheet.load(SAMPLE / "digits.h5")


def built(folder: Path, *options: str) -> Path:
    command = [compiler(), *WARNINGS, "-O1", *SANITIZE, *options, "-o", "run", *SOURCES, "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "run"


def said(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [folder / "run", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert "runtime error" not in done.stderr and "Sanitizer" not in done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("trace", [[], ["-DNET_TRACE"]], ids=["plain", "traced"])
def test_a_network_with_its_weights_in_a_file(
    trace: list[str], digits: Model, tmp_path: Path
) -> None:
    digit = read_input(SAMPLE / "digit5.png", digits.inputs)
    report = digits.to_c(tmp_path, sample=digit, weights="binary")
    assert tmp_path / "net_weights.bin" in report.files
    built(tmp_path, *trace)
    code, text = said(tmp_path)
    assert (code, text.splitlines()[-1]) == (0, "all agrees with the reference")
    data = (tmp_path / "net_weights.bin").read_bytes()
    plain = int.from_bytes(data[16:20], "little")
    assert report.flash <= plain < report.flash + 64
    assert int.from_bytes(data[8:12], "little") == zlib.crc32(data[32 : 32 + plain])


def test_the_file_has_the_numbers_of_the_text(seed: Path, tmp_path: Path) -> None:
    """Read by NumPy, the arrays are those of net_weights.c."""
    model = netsheet.load(seed / "my_model.h5")
    model.to_c(tmp_path / "file", weights="binary")
    model.to_c(tmp_path / "text")
    text = (tmp_path / "text" / "net_weights.c").read_text()
    data = (tmp_path / "file" / "net_weights.bin").read_bytes()[32:]
    numbers = [
        np.float32(word.strip().rstrip("f"))
        for array in text.split("= {")[1:]
        for word in array.split("}")[0].replace("\n", " ").split(",")
    ]
    np.testing.assert_array_equal(np.frombuffer(data, "<f4"), np.array(numbers, np.float32))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], "too short"),
        (lambda data: b"", "too short"),
        (lambda data: b"NSW2" + data[4:], "no file of weights"),
        (lambda data: data[:4] + b"\0\0\0\0" + data[8:], "other code"),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "checksum"),
        (lambda data: data[:8] + bytes([data[8] ^ 1]) + data[9:], "checksum"),
    ],
    ids=["cut", "empty", "letters", "key", "a bit", "the checksum"],
)
def test_a_spoiled_file_is_refused(change, words: str, digits: Model, tmp_path: Path) -> None:
    digits.to_c(tmp_path, weights="binary")
    data = (tmp_path / "net_weights.bin").read_bytes()
    plain = 32 + int.from_bytes(data[16:20], "little")
    (tmp_path / "spoiled.bin").write_bytes(change(data[:plain]))
    built(tmp_path)
    assert said(tmp_path)[0] == 0
    code, text = said(tmp_path, "spoiled.bin")
    assert code == 1 and words in text
    assert said(tmp_path, "nowhere.bin")[0] == 1


def test_the_file_of_another_network_is_refused(digits: Model, seed: Path, tmp_path: Path) -> None:
    digits.to_c(tmp_path / "one", weights="binary")
    netsheet.load(seed / "my_model.h5").to_c(tmp_path / "two", weights="binary")
    built(tmp_path / "one")
    other = (tmp_path / "two" / "net_weights.bin").read_bytes()
    (tmp_path / "one" / "other.bin").write_bytes(other + bytes(100_000))
    assert said(tmp_path / "one", "other.bin")[1].endswith("belongs to other code\n")


def test_new_weights_for_the_same_code(digits: Model, tmp_path: Path) -> None:
    """A network that was trained on keeps its code: the new file alone is taken."""
    digits.to_c(tmp_path / "old", weights="binary")
    shutil.copy(SAMPLE / "digits.h5", tmp_path)
    with h5py.File(tmp_path / "digits.h5", "r+") as file:

        def grown(_: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                item[...] = item[...] * np.float32(1.5)

        file["model_weights"].visititems(grown)
    netsheet.load(tmp_path / "digits.h5").to_c(tmp_path / "new", weights="binary")
    code = [(tmp_path / folder / "net.c").read_text() for folder in ("old", "new")]
    assert code[0] == code[1]
    built(tmp_path / "new")
    assert said(tmp_path / "new")[0] == 0
    code_, text = said(tmp_path / "new", "../old/net_weights.bin")
    assert code_ == 1 and "DEPARTS" in text


MISUSED = """#include "net.h"
#include <stdio.h>
static char memory[NET_WEIGHTS_SIZE + 8];
static float x[NET_INPUT_SIZE], y[NET_OUTPUT_SIZE];
int main(void)
{
    FILE *file = fopen("net_weights.bin", "rb");
    printf("%d ", net_run(x, y));
    fread(memory + 1, 1, NET_WEIGHTS_SIZE, file);
    printf("%d ", net_use_weights(memory + 1, NET_WEIGHTS_SIZE));
    printf("%d ", net_use_weights(0, NET_WEIGHTS_SIZE));
    printf("%d", net_run(x, y));
    return 0;
}
"""


def test_without_weights_nothing_is_computed(digits: Model, tmp_path: Path) -> None:
    digits.to_c(tmp_path, weights="binary")
    (tmp_path / "use.c").write_text("#define _Alignas(x)\n" + MISUSED)
    sources = ["use.c", "net.c", "net_weights.c"]
    command = [compiler(), "-O1", "-w", "-o", "use", *sources, "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    text = subprocess.run(
        [tmp_path / "use"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert text == "2 6 2 2"


def test_a_licence_stands_in_every_file(digits: Model, tmp_path: Path) -> None:
    for target in ("plain", "arduino", "platformio", "esp-idf"):
        digits.to_c(tmp_path / target, target=target, licence="Apache-2.0 OR MIT")
        for file in (tmp_path / target).rglob("*.[chi]*"):
            if file.suffix in (".c", ".h", ".cpp", ".ino"):
                first = file.read_text().splitlines()[0]
                assert first == "/* SPDX-License-Identifier: Apache-2.0 OR MIT */", file
    properties = (tmp_path / "arduino" / "library.properties").read_text()
    assert "\nlicense=Apache-2.0 OR MIT\n" in properties
    described = json.loads((tmp_path / "platformio" / "library.json").read_text())
    assert described["license"] == "Apache-2.0 OR MIT"
    digits.to_c(tmp_path / "own", licence="(c) 2026 Somebody, all rights reserved")
    first = (tmp_path / "own" / "net.h").read_text().splitlines()[0]
    assert first == "/* Licence: (c) 2026 Somebody, all rights reserved */"
    digits.to_c(tmp_path / "none")
    assert "icen" not in (tmp_path / "none" / "net.h").read_text()


def test_wrong_requests(digits: Model, tmp_path: Path) -> None:
    for licence in ("two\nlines", "ends */ here", "x" * 300):
        with pytest.raises(UsageError, match="a licence is one line"):
            digits.to_c(tmp_path / "net", licence=licence)
    with pytest.raises(UsageError, match="weights are text or binary"):
        digits.to_c(tmp_path / "net", weights="hex")
    with pytest.raises(UsageError, match="go with the target plain"):
        digits.to_c(tmp_path / "net", weights="binary", target="arduino")
    assert not (tmp_path / "net").exists()


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["c", str(SAMPLE / "digits.h5"), "-o", str(tmp_path / "net"), "--weights", "binary"]
    monkeypatch.setattr("sys.argv", ["netsheet", *words, "--licence", "MIT", "--quiet"])
    with contextlib.suppress(SystemExit):
        main()
    assert (tmp_path / "net" / "net_weights.bin").read_bytes()[:4] == b"NSW1"
    assert (tmp_path / "net" / "net.c").read_text().startswith("/* SPDX-License-Identifier: MIT */")


def test_a_folder_with_a_japanese_readme_is_written_again(digits: Model, tmp_path: Path) -> None:
    digits.to_c(tmp_path / "net", lang="ja")
    digits.to_c(tmp_path / "net", lang="en")
    assert "written by netsheet" in (tmp_path / "net" / "README.md").read_text()
