"""Commands in pipes: JSON, standard output, quiet."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import netsheet
from netsheet.data import __file__ as data_room

SAMPLE = Path(data_room).parent / "sample"
NETWORK, PICTURE = SAMPLE / "digits.h5", SAMPLE / "digit5.png"


def run(*words: object, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "netsheet", *map(str, words)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_csv_goes_to_standard_output_byte_by_byte(tmp_path: Path) -> None:
    run("csv", NETWORK, "-o", tmp_path / "w.csv")
    done = run("csv", NETWORK, "-o", "-")
    assert done.stdout == (tmp_path / "w.csv").read_bytes() and not done.stderr


def test_onnx_and_workbooks_do_so_too() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    done = run("onnx", NETWORK, "-o", "-")
    session = onnxruntime.InferenceSession(done.stdout, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).random((1, 28, 28, 1), np.float32)
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found, netsheet.load(NETWORK).predict(x), atol=1e-6)
    book = run("excel", NETWORK, "-i", PICTURE, "-o", "-", "--quiet")
    assert not book.stderr
    assert "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(book.stdout)).namelist()


def test_json_says_what_was_written(tmp_path: Path) -> None:
    target = tmp_path / "w.csv"
    assert json.loads(run("csv", NETWORK, "-o", target, "--json").stdout) == {
        "files": [str(target)]
    }
    found = json.loads(run("onnx", NETWORK, "-o", tmp_path / "n.onnx", "--json").stdout)
    assert found["size"] == (tmp_path / "n.onnx").stat().st_size
    book = tmp_path / "n.xlsx"
    found = json.loads(run("excel", NETWORK, "-i", PICTURE, "-o", book, "--json").stdout)
    assert found["path"] == str(book) and found["size"] == book.stat().st_size
    assert found["formulas"] > 1_000
    page = tmp_path / "n.html"
    found = json.loads(run("page", NETWORK, "-i", PICTURE, "-o", page, "--json").stdout)
    assert found == {"path": str(page), "layers": 4, "size": page.stat().st_size}


def test_quiet_stands_anywhere_and_leaves_results() -> None:
    for words in (["--quiet", "predict", NETWORK, "-i", PICTURE],
                  ["predict", NETWORK, "--quiet", "-i", PICTURE]):  # fmt: skip
        done = run(*words)
        assert done.stdout.startswith(b"5  ") and not done.stderr
    assert b"--quiet" in run("--help").stdout
    assert b"no such file" in run("--quiet", "summary", "missing.h5", code=2).stderr


def test_two_things_do_not_share_standard_output() -> None:
    assert b"choose one" in run("csv", NETWORK, "-o", "-", "--json", code=2).stderr
    done = run("activations", NETWORK, "-i", PICTURE, "-o", "-", "--layout", "files", code=2)
    assert b"several files" in done.stderr and not done.stdout
    table = run("activations", NETWORK, "-i", PICTURE, "-o", "-").stdout
    assert table.startswith(b"layer,sample,index,value\r\nconv,0,0 0 0,")


def test_a_page_goes_to_standard_output() -> None:
    done = run("page", NETWORK, "-i", PICTURE, "-o", "-", "--quiet")
    assert done.stdout.lstrip().lower().startswith(b"<!doctype html") and not done.stderr
    assert b"choose one" in run("page", NETWORK, "-o", "-", "--json", code=2).stderr
    assert b"name one" in run("page", NETWORK, "-o", "-", "--open", code=2).stderr


def test_gradients_are_json_as_equations_are() -> None:
    found = json.loads(run("equations", NETWORK, "conv", "--gradients", "--json").stdout)
    assert "conv/kernel/grad" in found and all(
        set(eq) == {"text", "latex", "where"} for equations in found.values() for eq in equations
    )
    text = run("equations", NETWORK, "conv", "--gradients").stdout.decode()
    for equations in found.values():
        for eq in equations:
            assert eq["text"] in text


@pytest.mark.parametrize("words", [["summary", NETWORK], ["csv", NETWORK, "-o", "-"]])
def test_a_full_disk_behind_standard_output(words: list[object]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("a device that is always full is Linux's")
    command = [sys.executable, "-m", "netsheet", *map(str, words)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "No space left on device" in done.stderr or "disk is full" in done.stderr


def test_gradients_are_of_the_loss_of_the_file(tmp_path: Path) -> None:
    """A square's slope is twice the difference; without a loss in the file the guess is said."""
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="line")])
    model.save(tmp_path / "plain.keras")
    model.compile(loss="mse")
    model.save(tmp_path / "compiled.keras")
    shown = run("equations", tmp_path / "compiled.keras", "line", "--gradients").stdout
    assert b"line[c] - target[c]" in shown, shown
    done = run("equations", tmp_path / "plain.keras", "line", "--gradients")
    assert b"names no loss that is known here: categorical_crossentropy" in done.stderr
