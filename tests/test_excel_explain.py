"""The Explain sheet: whatever is picked, what it shows adds up to the layer's own cell."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from excel_models import corpus, picture, with_reference_input, workbook_engine
from netsheet.data.inputs import Sample
from netsheet.data.probe import probe
from netsheet.errors import NetsheetError
from netsheet.model import Model
from netsheet.verify.engines.workbook import CellRange
from netsheet.verify.xlsx import edit
from netsheet.write.excel import to_excel
from netsheet.write.excel.placement import cell_name
from netsheet.write.excel.terms_sheet import (
    ADDRESS,
    LIST_ROW,
    NAME,
    OWN,
    REAL,
    RESULTS,
    ROW,
    SIZES,
)

openpyxl = pytest.importorskip("openpyxl")
PICKS = 6
LAYER_ROW, FIRST_PICK = 3, 3  # on the Explain sheet, from 0
KINDS = (
    "k2_lstm_stack", "k3_attention_block", "k2_conv_transpose", "k2_embedding", "k3_grouped",
    "k2_residual_merge", "k3_gru_both", "k2_mlp_norm", "k2_resample", "k3_sep", "k2_slash",
)  # fmt: skip


def entries(book: Path) -> list[tuple[int, str, list[int]]]:
    """Row, name and sizes of every tensor that can be picked."""
    sheet = openpyxl.load_workbook(book)["Terms"]
    found = []
    for row in range(LIST_ROW, sheet.max_row):
        if sheet.cell(row + 1, ADDRESS + 1).value is None:
            break
        sizes = [sheet.cell(row + 1, SIZES + axis + 1).value for axis in range(5)]
        found.append((row, sheet.cell(row + 1, NAME + 1).value, [n for n in sizes if n]))
    return found


class Recalculated:
    """A workbook in IronCalc, in which cells are changed one after the other."""

    def __init__(self, book: Path) -> None:
        ironcalc = pytest.importorskip("ironcalc")
        names = openpyxl.load_workbook(book, read_only=True).sheetnames
        self.model: Any = ironcalc.load_from_xlsx(str(book), "en", "UTC", "en")
        self.explain, self.terms = names.index("Explain"), names.index("Terms")

    def pick(self, name: str, at: list[int]) -> None:
        self.model.set_user_input(self.explain, LAYER_ROW + 1, 1, name)
        for axis, position in enumerate(at):
            self.model.set_user_input(
                self.explain, LAYER_ROW + 1, FIRST_PICK + axis + 1, str(position)
            )
        self.model.evaluate()

    def cell(self, row: int, column: int) -> Any:
        return self.model.get_cell_value(self.terms, row + 1, column + 1)

    def last_stage(self) -> float:
        row = int(self.cell(*ROW)) - 1
        shown = [n for n in range(16) if self.cell(row + 1, RESULTS + n) not in (None, "")]
        return float(self.cell(row, RESULTS + shown[-1]))


def check_picks(book: Path, count: int) -> int:
    found = entries(book)
    engine = Recalculated(book)
    choose = random.Random(book.name)
    for row, name, sizes in choose.sample(found, min(count, len(found))):
        at = [choose.randrange(size) for size in sizes]
        engine.pick(name, at)
        own, last = engine.cell(row, OWN), engine.last_stage()
        assert last == pytest.approx(own, rel=1e-9, abs=1e-12), (name, at)
    return len(found)


@pytest.fixture(scope="module")
def seed_book(seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("explain") / "net.xlsx"
    to_excel(netsheet.load(seed / "my_model.h5"), target, [picture(np.load(seed / "digit5.npy"))])
    return target


def test_every_layer_of_the_published_network(seed_book: Path) -> None:
    for _ in range(3):
        assert check_picks(seed_book, 100) == 14


@pytest.mark.parametrize("name", ["seed_int8", "op_sub_int8", "op_pools_int8", "op_dw_int8"])
def test_whole_numbers(shared: Path, tmp_path: Path, name: str) -> None:
    """Each step of a rounding is right, exactly, and the real value stands beside the whole one."""
    model = netsheet.load(shared / f"models/tflite/made/{name}.tflite")
    book = tmp_path / "net.xlsx"
    to_excel(model, book, [probe(model)])
    check_picks(book, 40)
    engine = Recalculated(book)
    tensors = model.tensors()
    for row, tensor, sizes in entries(book):
        if tensor not in tensors:
            continue
        engine.pick(tensor, [size // 3 for size in sizes])
        own = engine.cell(row, OWN)
        assert engine.last_stage() == own == int(own), tensor
        real = tensors[tensor].quantisation.real(np.asarray(own))
        assert engine.cell(row, REAL) == pytest.approx(float(real), rel=1e-12), tensor


@pytest.mark.parametrize("kind", KINDS)
def test_picks_in_many_kinds_of_layers(shared: Path, tmp_path: Path, kind: str) -> None:
    pair = next((pair for pair in corpus(shared) if pair[0].stem == kind), None)
    if pair is None:
        pytest.skip(f"the corpus has no {kind}")
    model, sample = with_reference_input(*pair)
    to_excel(model, tmp_path / f"{kind}.xlsx", [sample])
    check_picks(tmp_path / f"{kind}.xlsx", 12)


@pytest.mark.slow
def test_picks_in_all_corpora(shared: Path, tmp_path: Path) -> None:
    checked = 0
    for number, pair in enumerate(corpus(shared)):
        model, sample = with_reference_input(*pair)
        book = tmp_path / f"{number}.xlsx"
        try:
            to_excel(model, book, [sample])
        except NetsheetError:
            continue  # a layer that is not computed
        if "Explain" in openpyxl.load_workbook(book, read_only=True).sheetnames:
            checked += check_picks(book, 4) > 0
        book.unlink()
    assert checked > 100


def test_libreoffice_shows_the_same(seed_book: Path, tmp_path: Path) -> None:
    if not shutil.which("soffice"):
        pytest.skip("LibreOffice is not installed")
    row, name, sizes = next(entry for entry in entries(seed_book) if entry[1] == "conv2")
    at = [size - 2 for size in sizes]
    changes: dict[tuple[str, str], float | str] = {
        ("Explain", cell_name(LAYER_ROW, FIRST_PICK + axis)): float(position)
        for axis, position in enumerate(at)
    }
    changes["Explain", cell_name(LAYER_ROW, 0)] = name
    edit(seed_book, tmp_path / "picked.xlsx", changes)
    engine = Recalculated(seed_book)
    engine.pick(name, at)
    top = int(engine.cell(*ROW)) - 1
    areas = [CellRange("Terms", row, OWN, 1, 1), CellRange("Terms", top, RESULTS, 1, 2)]
    own, stages = workbook_engine("libreoffice").ranges(tmp_path / "picked.xlsx", areas)
    assert stages[0, 1] == pytest.approx(own[0, 0], rel=1e-12)
    assert own[0, 0] == pytest.approx(engine.cell(row, OWN), rel=1e-12)


def test_positions_beyond_a_layer_are_its_last_ones(seed_book: Path) -> None:
    engine = Recalculated(seed_book)
    row = next(row for row, name, _ in entries(seed_book) if name == "conv2")
    engine.pick("conv2", [99, 99, 99])
    beyond = engine.cell(row, OWN)
    engine.pick("conv2", [2, 10, 10])
    assert engine.cell(row, OWN) == beyond


def test_a_sample_name_with_wildcards_is_found(seed: Path, tmp_path: Path) -> None:
    model: Model = netsheet.load(seed / "my_model.h5")
    digit = np.load(seed / "digit5.npy")
    samples: list[Sample] = [picture(digit, "a~1.png"), picture(255 - digit, "A~1.png")]
    to_excel(model, tmp_path / "two.xlsx", samples)
    sheet = openpyxl.load_workbook(tmp_path / "two.xlsx")["Samples"]
    names = [cell.value for row in sheet.iter_rows(min_col=2, max_col=2) for cell in row]
    assert not [name for name in names if name and "~" in name]
    assert len({name.casefold() for name in names if name}) == len([n for n in names if n])


def test_a_mean_over_a_whole_map_leaves_the_cells_of_every_layer_large(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(2, 3, padding="same"),
            keras.layers.AveragePooling2D(8),
        ]
    )
    net.save(tmp_path / "net.keras")
    pixels = np.random.default_rng(0).normal(size=(8, 8, 1)).astype(np.float32)
    book = tmp_path / "net.xlsx"
    netsheet.load(tmp_path / "net.keras").to_excel(book, pixels)
    sheet = openpyxl.load_workbook(book)["Explain"]
    assert sheet.column_dimensions["A"].width > 11  # four numbers side by side, not eight
    check_picks(book, 4)  # the mean's 64 values, on pages of sixteen


def test_sums_of_one_value_are_told_apart(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    net = keras.Sequential([keras.Input((3, 2)), keras.layers.SimpleRNN(2)])
    net.save(tmp_path / "net.keras")
    book = tmp_path / "net.xlsx"
    netsheet.load(tmp_path / "net.keras").to_excel(book, np.ones((3, 2), np.float32))
    words = [cell.value for row in openpyxl.load_workbook(book)["Terms"].rows for cell in row]
    named = [word for word in words if isinstance(word, str) and word.startswith("sum")]
    together = next(word for word in named if "+" in word and "sum 2" in word)
    assert "sum" in named and "sum 2" in named, together
