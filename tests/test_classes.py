"""Whether a network tells classes apart: decided once, for every target alike."""

from __future__ import annotations

from pathlib import Path

import pytest

import netsheet
from excel_models import random_samples, single
from netsheet.layer import Layer
from netsheet.layers.dense import Dense
from netsheet.write.excel import to_excel

openpyxl = pytest.importorskip("openpyxl")


@pytest.mark.parametrize(
    ("file", "count"),
    [("seed/my_model.h5", 10), ("models/pretrainedResnet.h5", 10), ("models/ad01.h5", None),
     ("models/str_ww_ref_model.h5", 3), ("corpus/open/k2_cnn_dilated.h5", 2),
     ("corpus/open/k2_lstm_stack.h5", None)],
)  # fmt: skip
def test_classes_of_real_files(shared: Path, file: str, count: int | None) -> None:
    if not (shared / file).is_file():
        pytest.skip(f"no {file} here")
    assert netsheet.load(shared / file).classes == count


def dense(activation: Layer | None = None) -> Dense:
    return Dense(units=3, activation=activation)


def texts(book: Path) -> set[object]:
    sheet = openpyxl.load_workbook(book)["Overview"]
    return {cell.value for row in sheet.iter_rows() for cell in row}


def test_a_regression_predicts_no_class(tmp_path: Path) -> None:
    model = single(dense(), (4,), {"in": 4, "out": 3})
    assert model.classes is None
    to_excel(model, tmp_path / "plain.xlsx", random_samples(model))
    assert not {"Predicted class", "Class", "Probability"} & texts(tmp_path / "plain.xlsx")
    model = single(dense(), (4,), {"in": 4, "out": 3})
    model.training_config = {"loss": {"class_name": "SparseCategoricalCrossentropy"}}
    assert model.classes == 3
    to_excel(model, tmp_path / "loss.xlsx", random_samples(model))
    assert {"Predicted class", "Class"} <= texts(tmp_path / "loss.xlsx")
