"""The published network as a workbook, recalculated by programs that know nothing of it."""

from __future__ import annotations

import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import netsheet
from excel_models import picture, recalculated, workbook_engine
from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.equations.evaluation import evaluate
from netsheet.fidelity import judge
from netsheet.model import Model
from netsheet.verify import verify
from netsheet.verify.engines.workbook import CellRange, read_map
from netsheet.verify.spoil import WRONG, spoil
from netsheet.verify.xlsx import edit
from netsheet.write.excel import to_excel
from netsheet.write.excel.stored_numbers import as_stored

openpyxl = pytest.importorskip("openpyxl")
ENGINES = ["ironcalc", "libreoffice"]


def installed(engine: str) -> str:
    if engine == "libreoffice" and not shutil.which("soffice"):
        pytest.skip("LibreOffice is not installed")
    if engine == "ironcalc":
        pytest.importorskip("ironcalc")
    return engine


@pytest.fixture(scope="module")
def model(seed: Path) -> Model:
    return netsheet.load(seed / "my_model.h5")


@pytest.fixture(scope="module")
def digit(seed: Path) -> FloatArray:
    return np.load(seed / "digit5.npy")


@pytest.fixture(scope="module")
def book(model: Model, digit: FloatArray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("book") / "net.xlsx"
    to_excel(model, target, [picture(digit)])
    return target


@pytest.mark.parametrize("engine", ENGINES)
def test_published_numbers(model: Model, digit: FloatArray, book: Path, engine: str) -> None:
    verdict = verify(model, "excel", [picture(digit)], xlsx=book, engine=installed(engine))
    assert verdict.ok, verdict.first_failure
    assert [row.layer for row in verdict.layers] == ["input_1", *model.tensors()]
    values, notes = recalculated(book, read_map(book), engine)
    assert not notes
    np.testing.assert_allclose(values["dense1"][[0, 5]], [-13.94474, 17.507172], rtol=3e-7)
    assert values["activation_7"][5] == pytest.approx(0.98673105, abs=5e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_cell_equals_double_arithmetic(
    model: Model, digit: FloatArray, book: Path, engine: str
) -> None:
    given = {
        weight: as_stored(weight.values)
        for layer in model.layers.values()
        for weight in layer.weights.values()
    }
    given[model.inputs[0]] = digit.reshape(1, 28, 28) / 255.0
    expected = {t.name: a for t, a in evaluate(model.equations(), given).items()}
    values, _ = recalculated(book, read_map(book), installed(engine))
    for name, array in expected.items():
        np.testing.assert_allclose(values[name], array, rtol=1e-12, atol=1e-300, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_changed_pixel(
    model: Model, digit: FloatArray, book: Path, tmp_path: Path, engine: str
) -> None:
    raw = read_map(book)["input_1/raw"].place
    rows, cols = raw.grid()
    name = openpyxl.utils.get_column_letter(int(cols[0, 9, 14]) + 1) + str(int(rows[0, 9, 14]) + 1)
    changed = digit.copy()
    changed[9, 14] = 7
    edit(book, tmp_path / "changed.xlsx", {(raw.sheet, name): 7.0})
    verdict = verify(
        model, "excel", [picture(changed)], xlsx=tmp_path / "changed.xlsx", engine=installed(engine)
    )
    assert verdict.ok, verdict.first_failure
    assert not verify(model, "excel", [picture(digit)], xlsx=tmp_path / "changed.xlsx").ok


def test_changed_weight(seed: Path, digit: FloatArray, book: Path, tmp_path: Path) -> None:
    kernel = read_map(book)["conv2/kernel"].place
    rows, cols = kernel.grid()
    at = (1, 2, 3, 0)
    name = openpyxl.utils.get_column_letter(int(cols[at]) + 1) + str(int(rows[at]) + 1)
    edit(book, tmp_path / "changed.xlsx", {(kernel.sheet, name): 2.5})
    other = netsheet.load(seed / "my_model.h5")
    layer = other.layers["conv2"]
    values = layer.weights["kernel"].values.copy()
    values[at] = 2.5
    layer.weights["kernel"] = replace(layer.weights["kernel"], values=values)
    verdict = verify(other, "excel", [picture(digit)], xlsx=tmp_path / "changed.xlsx")
    assert verdict.ok, verdict.first_failure


@pytest.mark.slow
def test_changed_weight_equals_real_keras(
    seed: Path, digit: FloatArray, book: Path, tmp_path: Path
) -> None:
    keras = pytest.importorskip("tf_keras")
    real = keras.models.load_model(seed / "my_model_channels_last.h5", compile=False)
    kernel = read_map(book)["conv2/kernel"].place
    rows, cols = kernel.grid()
    at = (1, 2, 3, 0)
    name = openpyxl.utils.get_column_letter(int(cols[at]) + 1) + str(int(rows[at]) + 1)
    edit(book, tmp_path / "changed.xlsx", {(kernel.sheet, name): 2.5})
    weights = real.get_layer("conv2").get_weights()
    weights[0][at] = 2.5
    real.get_layer("conv2").set_weights(weights)
    x = (digit / 255).astype(np.float32).reshape(1, 28, 28, 1)
    values, _ = recalculated(tmp_path / "changed.xlsx", read_map(book), "ironcalc")
    verdict = judge("output", values["activation_7"], real.predict(x, verbose=0)[0])
    assert verdict.ok, verdict


def test_spoiled_caches_are_noticed_and_recalculated(book: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled.xlsx"
    assert spoil(book, spoiled) > 6000
    row = read_map(book)["dense1"]
    sheet = openpyxl.load_workbook(spoiled, data_only=True)[row.sheet]
    cells = [
        sheet.cell(int(r) + 1, int(c) + 1).value for r, c in zip(*row.place.grid(), strict=True)
    ]
    assert cells == [WRONG] * 10
    values, _ = recalculated(spoiled, read_map(spoiled), "ironcalc")
    assert values["dense1"][5] == pytest.approx(17.507172, rel=1e-6)


@pytest.mark.parametrize(
    ("layer", "old", "new"), [("maxpool1", "MAX(", "MIN("), ("activation_4", "TANH(", "SINH(")]
)
def test_one_wrong_formula_is_noticed(
    model: Model, digit: FloatArray, book: Path, tmp_path: Path, layer: str, old: str, new: str
) -> None:
    row = read_map(book)[layer]
    rows, cols = row.place.grid()
    cell = openpyxl.utils.get_column_letter(int(cols[0, 6, 6]) + 1) + str(int(rows[0, 6, 6]) + 1)
    member = f"xl/worksheets/sheet{openpyxl.load_workbook(book).sheetnames.index(layer) + 1}.xml"
    wrong = tmp_path / "wrong.xlsx"
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(wrong, "w") as target:
        for name in source.namelist():
            data = source.read(name).decode()
            if name == member:
                data, count = re.subn(
                    rf'(<c r="{cell}"[^>]*><f>){re.escape(old)}', rf"\g<1>{new}", data
                )
                assert count == 1
            target.writestr(name, data)
    verdict = verify(model, "excel", [picture(digit)], xlsx=wrong)
    assert not verdict.ok
    assert verdict.first_failure is not None and verdict.first_failure.layer == layer


def test_missing_layer_fails(model: Model, digit: FloatArray, book: Path, tmp_path: Path) -> None:
    cell = next(
        c.coordinate
        for row in openpyxl.load_workbook(book)["Map"].iter_rows(max_col=1)
        for c in row
        if c.value == "maxpool2"
    )
    edit(book, tmp_path / "less.xlsx", {("Map", cell): "elsewhere"})
    verdict = verify(model, "excel", [picture(digit)], xlsx=tmp_path / "less.xlsx")
    assert not verdict.ok
    assert [row.layer for row in verdict.layers if not row.ok] == ["maxpool2"]
    assert verdict.first_failure is not None and verdict.first_failure.note == "missing"


@pytest.mark.parametrize(
    "engine", [e if e == "ironcalc" else pytest.param(e, marks=pytest.mark.slow) for e in ENGINES]
)
def test_drop_down_selects_the_sample(
    model: Model, digit: FloatArray, tmp_path: Path, engine: str
) -> None:
    samples = [picture(digit), picture(255 - digit, "negative", 1), picture(digit.T, "turned", 2)]
    book = tmp_path / "three.xlsx"
    to_excel(model, book, samples)
    sheet = openpyxl.load_workbook(book)["Overview"]
    (choice,) = [
        str(v.sqref) for v in sheet.data_validations.dataValidation if "Samples" in v.formula1
    ]
    edit(book, tmp_path / "third.xlsx", {("Overview", choice): "turned"})
    values, _ = recalculated(tmp_path / "third.xlsx", read_map(book), installed(engine))
    reference = model.activations(digit.T.reshape(1, 1, 28, 28).astype(np.float32) / 255)
    for key, array in reference.items():
        assert judge(key, values[key], array[0]).ok, key
    verdict = verify(model, "excel", samples, xlsx=book, engine=engine)
    assert verdict.ok, verdict.first_failure


def check_sheet(book: Path, engine: str) -> tuple[FloatArray, FloatArray]:
    """Tolerances and deviations that the Check sheet comes to in an engine."""
    found = workbook_engine(engine).ranges(
        book, [CellRange("Check", 6, 3, 11, 1), CellRange("Check", 6, 4, 11, 1)]
    )
    assert not np.isnan(found).any()
    return found[0], found[1]


@pytest.mark.parametrize("engine", ENGINES)
def test_check_sheet_judges(book: Path, tmp_path: Path, engine: str) -> None:
    tolerance, deviation = check_sheet(book, installed(engine))
    assert (deviation > 0).all() and (deviation <= tolerance).all()
    kernel = read_map(book)["conv3/bias"].place
    name = openpyxl.utils.get_column_letter(kernel.col + 1) + str(kernel.row + 1)
    edit(book, tmp_path / "changed.xlsx", {(kernel.sheet, name): 9.0})
    tolerance, deviation = check_sheet(tmp_path / "changed.xlsx", engine)
    assert (deviation[:6] <= tolerance[:6]).all()
    assert (deviation[6:] > tolerance[6:]).any()


def test_cached_values_are_the_recalculated_ones(book: Path) -> None:
    located = read_map(book)
    values, _ = recalculated(book, located, "ironcalc")
    cached = openpyxl.load_workbook(book, data_only=True)
    for name, array in values.items():
        rows, cols = located[name].place.grid()
        sheet = cached[located[name].sheet]
        stored = [
            sheet.cell(int(r) + 1, int(c) + 1).value
            for r, c in zip(rows.ravel(), cols.ravel(), strict=True)
        ]
        # eight digits: what viewers that do not calculate show
        np.testing.assert_allclose(np.array(stored, float), array.ravel(), rtol=5.1e-8)


def formulas(book: Path) -> list[str]:
    with zipfile.ZipFile(book) as archive:
        return [
            formula
            for member in archive.namelist()
            if member.startswith("xl/worksheets/sheet")
            for formula in re.findall(r"<f[^>]*>([^<]+)</f>", archive.read(member).decode())
        ]


def test_only_functions_that_every_spreadsheet_has(book: Path) -> None:
    used = {
        name
        for formula in formulas(book)
        for name in re.findall(r"(?:_xlfn\.)?([A-Z.]+)\(", formula)
    }
    assert used <= {
        "SUMPRODUCT", "SUM", "MAX", "MIN", "AVERAGE", "TANH", "EXP", "ABS", "IF", "COUNTIF",
        "INDEX", "MATCH", "CHOOSE", "AND", "INT", "MOD", "ADDRESS", "HYPERLINK", "TEXT", "IFERROR",
        "FORMULATEXT",  # behind IFERROR: Excel 2010 does not have it
    }  # fmt: skip
    assert "SUMPRODUCT(Input!" in next(f for f in formulas(book) if f.startswith("SUMPRODUCT"))


def test_shared_formulas_stay_inside_their_sheet(book: Path) -> None:
    with zipfile.ZipFile(book) as archive:
        for member in archive.namelist():
            shared = re.findall(r'<f t="shared"[^>]*>([^<]+)</f>', archive.read(member).decode())
            assert not [formula for formula in shared if "!" in formula]


def test_weights_are_stored_as_their_shortest_text(model: Model, book: Path) -> None:
    sheet = openpyxl.load_workbook(book)["conv1"]
    weight = model.layers["conv1"].weights["kernel"].values
    rows, cols = read_map(book)["conv1/kernel"].place.grid()
    with zipfile.ZipFile(book) as archive:
        data = archive.read("xl/worksheets/sheet5.xml").decode()
    first = sheet.cell(int(rows[0, 0, 0, 0]) + 1, int(cols[0, 0, 0, 0]) + 1)
    text = re.search(rf'<c r="{first.coordinate}"[^>]*><v>([^<]+)</v>', data)
    assert text is not None and text[1] == str(np.float32(weight[0, 0, 0, 0]))


def test_japanese_labels(model: Model, digit: FloatArray, tmp_path: Path) -> None:
    book = tmp_path / "ja.xlsx"
    sample: Sample = picture(digit)
    to_excel(model, book, [sample], lang="ja", class_names=[f"数字{n}" for n in range(10)])
    names = openpyxl.load_workbook(book).sheetnames
    assert names[:4] == ["概要", "しくみ", "全体の流れ", "入力"] and names[-3:] == [
        "検証",
        "基準値",
        "セル対応表",
    ]
    assert verify(model, "excel", [sample], xlsx=book).ok
    assert not [formula for formula in formulas(book) if "数字" in formula]
