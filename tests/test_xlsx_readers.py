"""Workbooks read by others: calamine, exceljs and SheetJS find every number that is in the file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.utils import get_column_letter

import netsheet
from netsheet.data import __file__ as data_room
from netsheet.data.inputs import read_input
from netsheet.data.probe import probe
from netsheet.write.excel import to_excel

SAMPLE = Path(data_room).parent / "sample"
SCRIPT = Path(__file__).parent / "xlsx_readers.js"
PACKAGES = {"exceljs": "exceljs@4", "xlsx": "xlsx@0.18"}
FILES = ("models/str_ww_ref_model.h5", "corpus/open/k3_attention_block.keras",
         "corpus/open/k3_lstm_stack.keras", "corpus/open/k3_embedding.keras",
         "models/tflite/made/seed_int8.tflite")  # fmt: skip

pytestmark = pytest.mark.slow

Cells = dict[tuple[str, str], float]


def numbers(book: Path) -> Cells:
    """The numbers as the file has them, of formulas the stored results."""
    found = openpyxl.load_workbook(book, data_only=True)
    return {
        (sheet.title, cell.coordinate): float(cell.value)
        for sheet in found.worksheets
        for row in sheet.iter_rows()
        for cell in row
        if isinstance(cell.value, (int, float))
    }


@pytest.fixture(scope="module", params=["digits", *FILES])
def book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("read") / "net.xlsx"
    if request.param == "digits":
        model = netsheet.load(SAMPLE / "digits.h5")
        to_excel(model, path, [read_input(SAMPLE / "digit5.png", model)], lang="ja")
    else:
        shared: Path = request.getfixturevalue("shared")
        model = netsheet.load(shared / request.param)
        to_excel(model, path, [probe(model, seed) for seed in range(2)])
    return path


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    done = subprocess.run(
        ["npm", "install", "--prefix", str(folder), *PACKAGES.values()], capture_output=True
    )
    if done.returncode:
        pytest.skip("npm cannot install exceljs and xlsx")
    return folder


def same(expected: Cells, found: Cells) -> None:
    assert len(expected) > 1_000
    assert set(expected) <= set(found), sorted(set(expected) - set(found))[:5]
    ours = np.array([expected[key] for key in expected])
    theirs = np.array([found[key] for key in expected])
    np.testing.assert_array_equal(ours, theirs)


def test_calamine_reads_every_number(book: Path) -> None:
    calamine = pytest.importorskip("python_calamine")
    workbook = calamine.CalamineWorkbook.from_path(str(book))
    found = {
        (name, f"{get_column_letter(column + 1)}{row + 1}"): float(value)
        for name in workbook.sheet_names
        for row, line in enumerate(
            workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
        )
        for column, value in enumerate(line)
        if isinstance(value, (int, float))
    }
    same(numbers(book), found)


@pytest.mark.parametrize("reader", PACKAGES)
def test_readers_of_javascript_do_so_too(book: Path, modules: Path, reader: str) -> None:
    command = ["node", str(SCRIPT), reader, str(book)]
    environment = {**os.environ, "NODE_PATH": str(modules / "node_modules")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    sheets = json.loads(done.stdout)
    assert list(sheets) == openpyxl.load_workbook(book, read_only=True).sheetnames
    found = {
        (sheet, address): float(value)
        for sheet, cells in sheets.items()
        for address, value in cells.items()
        if isinstance(value, (int, float))
    }
    same(numbers(book), found)
