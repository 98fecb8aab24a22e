"""CSV as a spreadsheet program of a country with a decimal comma takes it."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netsheet
from netsheet.data import __file__ as data_room
from netsheet.errors import FormatError, UsageError
from netsheet.write.csv import writer
from netsheet.write.csv.layout import layout_names
from netsheet.write.csv.read_back import import_csv
from netsheet.write.csv.writer import too_long, write_csv

NETWORK = Path(data_room).parent / "sample" / "digits.h5"


@pytest.mark.parametrize("layout", layout_names())
def test_a_decimal_comma_changes_numbers_and_separators_only(tmp_path: Path, layout: str) -> None:
    model = netsheet.load(NETWORK)
    for decimal in ("point", "comma"):
        write_csv(model, tmp_path / f"{decimal}.csv", layout=layout, decimal=decimal)
    rows = {}
    for decimal, separator in (("point", ","), ("comma", ";")):
        with (tmp_path / f"{decimal}.csv").open(newline="", encoding="utf-8") as file:
            rows[decimal] = list(csv.reader(file, delimiter=separator))
    assert len(rows["point"]) == len(rows["comma"]) > 10
    numbers = 0
    for one, other in zip(rows["point"], rows["comma"], strict=True):
        for cell, changed in zip(one, other, strict=True):
            numbers += "." in cell
            assert changed == cell.replace(".", ",")
    assert numbers > 1_500


def test_it_comes_back(tmp_path: Path) -> None:
    model = netsheet.load(NETWORK)
    write_csv(model, tmp_path / "w.csv", decimal="comma", bom=True)
    text = (tmp_path / "w.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    found = import_csv(model, tmp_path / "w.csv", decimal="comma")
    for layer in model.layers.values():
        for weight in layer.weights.values():
            np.testing.assert_array_equal(found[weight.name], weight.values)
    with pytest.raises(FormatError):
        import_csv(model, tmp_path / "w.csv")
    with pytest.raises(UsageError, match="point and comma"):
        write_csv(model, tmp_path / "w.csv", decimal=";")


def test_files_longer_than_a_sheet_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model = netsheet.load(NETWORK)
    assert too_long(model, "tidy") == []
    monkeypatch.setattr(writer, "MOST_ROWS", 1_000)
    assert too_long(model, "tidy") == [1_554]
    assert too_long(model, "blocks") == []


def test_the_command(tmp_path: Path) -> None:
    target = tmp_path / "w.csv"
    command = ["csv", str(NETWORK), "-o", str(target), "--bom", "--decimal", "comma"]
    done = subprocess.run(
        [sys.executable, "-m", "netsheet", *command], capture_output=True, text=True, check=True
    )
    assert "warning" not in done.stderr
    assert target.read_bytes().startswith(b"\xef\xbb\xbf") and b";0," in target.read_bytes()
