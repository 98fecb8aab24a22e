"""A network whose names are made to break out of whatever they are written into."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import openpyxl
import pytest
from seeds import keras3, layer, sequential, whole_h5
from test_attacks import Worker

NAMES = [
    '*/ #error x /*', '"; system("touch X");//', "../../../escape", "/tmp/escape", "..\\escape",
    '=HYPERLINK("http://127.0.0.1","x")', "+1+1", "-2", "@SUM(A1)", "<script>alert(1)</script>",
    'a\n#include "x"\n', "a\\", "??/", "CON", "n" * 300, "%n%s%d", "${HOME}", "`touch X`",
    "]]>&amp;<!--", "\x1b[2J\x07", "'; DROP", "a:b|c?*[", "int", "main", "x[0]", "\u202eevil", "",
    " ", "d#1", "\\input{x}$", "A" * 40, "a" * 40, "\0nul", "\ufffe", "\u540d\u524d", "\U0001f600",
]  # fmt: skip

COMMANDS = [
    ["summary"], ["summary", "--json"], ["equations"], ["equations", "--latex"], ["weights"],
    ["csv", "-o", "w.csv"], ["csv", "-o", "t.csv", "--layout", "tidy"],
    ["csv", "-o", "parts.csv", "--layout", "parts.toml"],
    ["activations", "--input", "x.npy", "-o", "a.npz"],
    ["activations", "--input", "x.npy", "-o", "a.csv"],
    ["activations", "--input", "x.npy", "-o", "a.json"],
    ["activations", "--input", "x.npy", "-o", "a.png"],
    ["excel", "--input", "x.npy", "-o", "n.xlsx"],
    ["c", "--input", "x.npy", "-o", "code"],
    ["onnx", "-o", "n.onnx"],
]  # fmt: skip

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the worker is Linux's")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("a") / "b" / "c"
    folder.mkdir(parents=True)
    whole_h5(folder / "sound.h5")
    shutil.copy(folder / "sound.h5", folder / "sound.onnx")  # only imports are of interest
    np.save(folder / "sound.npy", np.zeros(3, "f4"))
    np.save(folder / "x.npy", np.ones(3, "f4"))
    (folder / "parts.toml").write_text('files = "layer"\n[[table]]\ndown = ["*"]\n')
    model = sequential(*(layer("Dense", n, units=3, activation="relu") for n in NAMES))
    model["config"]["name"] = NAMES[0]
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        for number in range(len(NAMES)):
            group = file.create_group("layers/dense" + (f"_{number}" if number else "") + "/vars")
            group["0"], group["1"] = np.full((3, 3), 0.25, "f4"), np.zeros(3, "f4")
    with zipfile.ZipFile(folder / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(keras3(model)))
        archive.writestr("model.weights.h5", held.getvalue())
    made = Worker(folder)
    yield made
    made.stop()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_names_stay_names(command: list[str], worker: Worker) -> None:
    folder = worker.folder
    around = {item for above in (folder.parent, folder.parent.parent) for item in above.iterdir()}
    did = worker.ask([command[0], "m.keras", *command[1:]])
    assert did["code"] == 0, did["err"][-1000:]
    if "--json" not in command:  # which is for programs
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", did["out"] + did["err"])
    own = re.compile(rf"os.mkdir|shutil.rmtree \('{folder}/.netsheet-")
    assert [event for event in did["events"] if not own.match(event)] == []
    assert around == {
        item for above in (folder.parent, folder.parent.parent) for item in above.iterdir()
    }
    assert not list(folder.rglob("X"))
    assert not Path("/tmp/escape").exists()
    if command[0] == "excel":
        check_workbook(folder / "n.xlsx")
    if command[0] == "c" and shutil.which("gcc"):
        sources = [str(path) for path in (folder / "code").rglob("*.c")]
        subprocess.run(
            ["gcc", "-std=c99", "-fsyntax-only", f"-I{folder / 'code'}", *sources], check=True
        )


def check_workbook(path: Path) -> None:
    """Another reader opens it, and no name has become a formula.

    The only links of the workbook's own are to its own cells, which begin with ``#``.
    """
    book = openpyxl.load_workbook(path)
    for sheet in book.worksheets:
        for row in sheet.iter_rows(max_row=200, max_col=40):
            for cell in row:
                if cell.data_type == "f":
                    assert not re.match('=HYPERLINK\\("(?!#)|=SUM.A1|[-+@]', str(cell.value))
