"""Workbooks of quantised networks, calculated by others: every whole number is the right one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pytest

import netsheet as ns
from excel_models import recalculated, workbook_engine
from netsheet.data.datasets import read_dataset
from netsheet.data.inputs import InputValue, Sample
from netsheet.equations import FLOAT
from netsheet.verify.engines.workbook import CellRange, read_map
from netsheet.write.excel import to_excel
from netsheet.write.excel.spreadsheet_functions import FORMS
from tflite_checks import samples
from whole_functions import FUNCTIONS, pairs, right

SEED = "models/tflite/made/seed_int8.tflite"
ENGINES = ("ironcalc", "libreoffice")
MADE = ("op_concat", "op_dense_softmax", "op_dw", "op_elu", "op_leaky", "op_pad", "op_pools",
        "op_sub", "op_tanh", "seed", "seed_int8_pt")  # fmt: skip
LARGE = (
    "made/seed_int8",
    "ad01_int8",
    "str_ww_ref_model",
    "kws_ref_model",
    "pretrainedResnet_quant",
)


def skip_without(engine: str) -> None:
    if engine == "libreoffice" and not shutil.which("soffice"):
        pytest.skip("LibreOffice is not installed")


def whole_samples(model: ns.Model, count: int = 3) -> list[Sample]:
    """Random whole numbers over everything that the inputs hold."""
    names = [tensor.name for tensor in model.inputs]
    return [
        Sample(f"sample {n}", {key: InputValue(x) for key, x in zip(names, one, strict=True)})
        for n, one in enumerate(samples(model, count))
    ]


# --------------------------------------------------------------------------- formulas


def calculated(folder: Path, engine: str, formulas: list[str], columns: list[list[float]]) -> list:
    """One row for each formula: its operands in A and B, the formula in C."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row, (formula, numbers) in enumerate(zip(formulas, columns, strict=True), 1):
        for column, number in enumerate(numbers, 1):
            sheet.cell(row, column, number)
        sheet.cell(row, 3, "=" + formula.format(f"A{row}", f"B{row}"))
    book.save(folder / "f.xlsx")
    area = CellRange(sheet.title, 0, 2, len(formulas), 1)
    (found,) = workbook_engine(engine).ranges(folder / "f.xlsx", [area])
    return found[:, 0].tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_whole_functions_are_exact_in_cells(engine: str, tmp_path: Path) -> None:
    skip_without(engine)
    formulas, operands, wanted = [], [], []
    for function in FUNCTIONS:
        for pair in pairs(function):
            formulas.append(FORMS[function].template)
            operands.append(list(map(float, pair)))
            wanted.append(right(function, *pair))
    assert calculated(tmp_path, engine, formulas, operands) == wanted


@pytest.mark.parametrize("engine", ENGINES)
def test_reals_become_the_nearest_whole_numbers_in_cells(engine: str, tmp_path: Path) -> None:
    """As of float32: halves away from zero, and what is a half only after rounding to float32."""
    skip_without(engine)
    random = np.random.default_rng(3)
    numbers = [0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997, 0.49999998, 0.499999999, 126.5, -127.5,
               127.49999, 3e9, -3e9, *(random.standard_normal(200) * 100),
               *(np.arange(-100, 100) + 0.5)]  # fmt: skip
    wanted = []
    for number in numbers:
        single = float(np.float32(number))
        away = np.floor(abs(single) + 0.5) * np.sign(single)
        wanted.append(min(max(away, -(2**31)), 2**31 - 1))
    formulas = [FORMS["whole"].template] * len(numbers)
    assert calculated(tmp_path, engine, formulas, [[float(n)] for n in numbers]) == wanted


# --------------------------------------------------------------------------- networks


def check(model: ns.Model, given: list[Sample], engine: str = "ironcalc") -> None:
    """Every value as TensorFlow Lite Micro finds it in the file."""
    verdict = model.verify("excel", given, engine=engine)
    assert "TensorFlow Lite Micro" in verdict.reference
    assert verdict.ok, verdict.first_failure
    tensors = {tensor.name: tensor for tensor in (*model.tensors().values(), *model.inputs)}
    whole = [layer for layer in verdict.layers if tensors[layer.layer].dtype != FLOAT]
    assert whole
    assert all(layer.max_abs == 0 for layer in whole)
    assert {layer.layer for layer in verdict.layers} >= set(model.tensors())


@pytest.mark.parametrize("engine", ENGINES)
def test_the_seed(shared: Path, engine: str) -> None:
    skip_without(engine)
    pytest.importorskip("tflite_micro")
    model = ns.load(shared / SEED)
    check(model, [ns.read_input(shared / "seed/digit5.png", model)], engine)
    if engine == "ironcalc":
        check(model, whole_samples(model), engine)


@pytest.mark.parametrize("name", MADE)
def test_networks_of_a_few_layers(shared: Path, name: str) -> None:
    pytest.importorskip("tflite_micro")
    file = name if name.endswith("_pt") else f"{name}_int8"
    model = ns.load(shared / f"models/tflite/made/{file}.tflite")
    check(model, whole_samples(model))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", LARGE)
def test_published_networks(shared: Path, name: str, engine: str) -> None:
    skip_without(engine)
    pytest.importorskip("tflite_micro")
    model = ns.load(shared / f"models/tflite/{name}.tflite")
    check(model, whole_samples(model), engine)


def test_samples_of_a_data_set_are_quantised(shared: Path) -> None:
    pytest.importorskip("tflite_micro")
    model = ns.load(shared / SEED)
    data = read_dataset(shared / "data/mnist", model, limit=3)
    assert "quantised to int8" in data.note
    check(model, [data.sample(n, model.inputs) for n in range(3)])


def test_a_spoiled_shift_is_found(shared: Path) -> None:
    """The proof can fail, and is never excused by float32's own rounding."""
    pytest.importorskip("tflite_micro")
    model = ns.load(shared / SEED)
    model.layers["conv2"].weights["shift"].values[1] += 1
    verdict = model.verify("excel", shared / "seed/digit5.png")
    assert verdict.outcome == "wrong"
    assert verdict.first_failure is not None
    assert verdict.first_failure.layer == "conv2"


@pytest.mark.parametrize("engine", ENGINES)
def test_real_values_stand_beside_the_whole_ones(shared: Path, tmp_path: Path, engine: str) -> None:
    skip_without(engine)
    model = ns.load(shared / SEED)
    sample = ns.read_input(shared / "seed/digit5.png", model)
    to_excel(model, tmp_path / "x.xlsx", [sample])
    located = read_map(tmp_path / "x.xlsx")
    assert located["conv1/real"].kind == "real"
    values, notes = recalculated(tmp_path / "x.xlsx", located, engine)
    assert not notes
    for name, tensor in model.tensors().items():
        real = tensor.quantisation.real(values[name])
        np.testing.assert_allclose(values[f"{name}/real"], real, rtol=1e-12, err_msg=name)
    pixels = np.load(shared / "seed/digit5.npy").reshape(28, 28, 1)
    np.testing.assert_allclose(values["input_2/real"], pixels / 255, rtol=1e-12)
    assert (values["input_2"] == pixels.astype(int) - 128).all()


def test_pixels_are_quantised_in_cells(shared: Path, tmp_path: Path) -> None:
    """Another pixel gives what TensorFlow Lite Micro finds for it, through all layers."""
    pytest.importorskip("tflite_micro")
    from netsheet.verify.engines.tflite import every_tensor
    from netsheet.verify.xlsx import edit
    from netsheet.write.xlsx.cells import cell_name

    model = ns.load(shared / SEED)
    sample = ns.read_input(shared / "seed/digit5.png", model)
    book, changed = tmp_path / "x.xlsx", tmp_path / "y.xlsx"
    to_excel(model, book, [sample])
    located = read_map(book)
    raw = located["input_2/raw"]
    row, column = raw.place.at((13, 13, 0))
    edit(book, changed, {(raw.sheet, cell_name(int(row), int(column))): 77})
    whole = sample.inputs["input_2"].values.copy()
    assert whole[13, 13, 0] != 77 - 128
    whole[13, 13, 0] = 77 - 128
    numbers = {key: n for key, n in model.original.numbers.items() if key in model.tensors()}
    (right_ones,) = every_tensor(model.original.content, [[whole]], sorted(numbers.values()))
    values, notes = recalculated(changed, located, "ironcalc")
    assert not notes
    for key, n in numbers.items():
        assert (values[key].ravel() == right_ones[n].ravel()).all(), key


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", ("times multiplier / 2^31 (rounded), divided by 2^shift (rounded), minus 30, "
             "kept between -128 and 127", "products of (input_2 + 128) and kernel")),
     ("ja", ("multiplier / 2^31 を掛けて丸め、2^shift で割って丸め、30 を引き、"
             "-128 から 127 の範囲に収めたもの", "(input_2 + 128) と kernel の積 16 個の総和"))],
)  # fmt: skip
def test_sentences_are_true_for_whole_numbers(
    shared: Path, tmp_path: Path, lang: str, words: tuple[str, str]
) -> None:
    model = ns.load(shared / SEED)
    assert model.node("conv1").outputs[0].quantisation.zero_point == -30
    to_excel(model, tmp_path / "x.xlsx", whole_samples(model, 1), lang=lang)
    book = openpyxl.load_workbook(tmp_path / "x.xlsx")
    said = "\n".join(str(row[0]) for row in book["conv1"].iter_rows(max_row=12, values_only=True))
    for sentence in words:
        assert sentence in said
    front = [cell.value for row in book.worksheets[0].iter_rows() for cell in row]
    assert "int8" in front
    assert not [text for text in front if "high_product" in str(text)]
