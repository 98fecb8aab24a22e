"""What the eye meets in a workbook: digits, tokens, headings, print, nothing cut off."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest

import netsheet
from netsheet.data import __file__ as data_room
from netsheet.data.inputs import InputValue, Sample
from netsheet.write.excel.looks import all_digits

SAMPLE = Path(data_room).parent / "sample"
NETWORK, PICTURE = SAMPLE / "digits.h5", SAMPLE / "digit5.png"
keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("view") / "digits.xlsx"
    netsheet.load(NETWORK).to_excel(path, str(PICTURE))
    return path


def part(book: Path, name: str) -> str:
    with zipfile.ZipFile(book) as package:
        return package.read(name).decode()


def test_one_cell_switches_every_sheet_to_all_digits(book: Path) -> None:
    found = openpyxl.load_workbook(book)
    place = found.defined_names["digits"].attr_text
    assert re.fullmatch(r"'?Overview'?!\$B\$\d+(:\$B\$\d+)?", place)
    cell = found["Overview"][place.rpartition("!")[2].replace("$", "").partition(":")[0]]
    assert cell.value == 4
    (choice,) = [v for v in found["Overview"].data_validations.dataValidation
                 if cell.coordinate in v.sqref]  # fmt: skip
    assert choice.formula1 == '"4,8"'
    for sheet, values in (("conv", "kernel"), ("digit", "bias"), ("Overview", "probability")):
        rules = [
            (area, rule)
            for area in found[sheet].conditional_formatting
            for rule in area.rules
            if rule.formula == ["digits=8"]
        ]
        assert rules, (sheet, values)
        for _, rule in rules:
            assert re.fullmatch("0[.]0+", rule.dxf.numFmt.formatCode)


@pytest.mark.parametrize("largest", [0.5, 1.0, 9.99, 42.0, 31415.0, 0.0004, 3e8, np.nan, np.inf])
def test_all_digits_are_eight_significant_ones(largest: float) -> None:
    code = all_digits(largest)
    if "E" in code:
        assert code == "0.0000000E+00"
    else:  # digits before the point and those behind it
        assert len(str(int(largest))) + len(code.partition(".")[2]) == 8


def test_pages_are_headed_by_sheet_without_rows_repeated(book: Path) -> None:
    assert "Print_Titles" not in part(book, "xl/workbook.xml")
    for number in (1, 4):
        text = part(book, f"xl/worksheets/sheet{number}.xml")
        assert "<oddHeader>&amp;L&amp;F&amp;C&amp;A&amp;R&amp;P / &amp;N</oddHeader>" in text
        assert 'fitToPage="1"' in text


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    words = keras.Input((5,), dtype="int32", name="words")
    y = keras.layers.Embedding(12, 3, name="embedding")(words)
    y = keras.layers.LSTM(2, name="lstm")(y)
    keras.Model(words, keras.layers.Dense(2, activation="softmax")(y)).save(folder / "t.keras")
    model = netsheet.load(folder / "t.keras")
    value = InputValue(np.array([3, 11, 0, 7, 2], np.float32), None, None)
    model.to_excel(folder / "t.xlsx", [Sample("a sentence", {"words": value})])
    return folder / "t.xlsx"


def test_tokens_are_whole_numbers_without_colours(tokens: Path) -> None:
    found = openpyxl.load_workbook(tokens)
    for name in ("Input", "Overview"):
        sheet = found[name]
        cells = [cell for row in sheet.iter_rows() for cell in row if cell.number_format == "0"]
        shown = [cell for cell in cells if cell.alignment.shrinkToFit]
        assert len(shown) == 5, name
        scales = [area for area in sheet.conditional_formatting
                  for rule in area.rules if rule.type == "colorScale"]  # fmt: skip
        assert not [a for a in scales if any(c.coordinate in a.sqref for c in shown)], name
    headings = [str(cell.value) for row in found["Input"].iter_rows() for cell in row]
    assert any("token numbers: 5" in text for text in headings)


def test_a_layer_is_said_to_apply_what_it_does_to_values_not_to_positions(tokens: Path) -> None:
    found = openpyxl.load_workbook(tokens)
    kinds = {row[0].value: row[1].value for row in found["Overview"].iter_rows(min_row=22)}
    assert kinds["embedding"] == "Embedding" and kinds["lstm"] == "LSTM (sigmoid, tanh)"


def test_headings_say_which_axis_runs_down(tokens: Path) -> None:
    found = openpyxl.load_workbook(tokens)
    lstm = [str(cell.value) for row in found["lstm"].iter_rows() for cell in row]
    assert any("→ in 3 × ↓ out 8" in text for text in lstm)
    (dense,) = [sheet for sheet in found.worksheets if sheet.title.startswith("dense")]
    texts = [str(cell.value) for row in dense.iter_rows() for cell in row]
    assert any("→ in 2 × ↓ out 2" in text for text in texts)
