"""What cannot be written is refused with the reason and the next step; nothing half stays."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

import netsheet
from excel_models import random_samples, single
from netsheet.data.inputs import InputValue, Sample
from netsheet.errors import FormatError, NetsheetError, UnsupportedError, UsageError
from netsheet.layers.activation import Tanh
from netsheet.layers.dense import Dense
from netsheet.layers.opaque import Opaque
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef
from netsheet.verify import verify
from netsheet.verify.engines.workbook import read_map
from netsheet.write.excel import network_book, to_excel
from netsheet.write.xlsx import Book


@pytest.fixture
def model() -> Model:
    return single(Dense(units=3), (4,), {"in": 4, "out": 3})


def test_wrong_size_names_both_shapes(model: Model, tmp_path: Path) -> None:
    sample = Sample("photo", {"input": InputValue(np.zeros(5, np.float32))})
    with pytest.raises(UsageError, match=r"'photo'.*\(4,\), not \(5,\)"):
        to_excel(model, tmp_path / "x.xlsx", [sample])
    assert not list(tmp_path.iterdir())


def test_needs_a_sample(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one sample"):
        to_excel(model, tmp_path / "x.xlsx", [])


@pytest.mark.parametrize("option", [{"lang": "fr"}, {"arrangement": "diagonal"}])
def test_unknown_options(model: Model, tmp_path: Path, option: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="choose one of"):
        to_excel(model, tmp_path / "x.xlsx", random_samples(model), **option)


def test_layer_without_equations_offers_until(tmp_path: Path) -> None:
    calls = [
        LayerCall("first", Tanh(name="first"), (ValueRef("input"),)),
        LayerCall(
            "odd", Opaque(name="odd", type_name="Lambda", reason="it is code"), (ValueRef("first"),)
        ),
    ]
    model = Model("two", calls, [Source("input", (4,))], [ValueRef("odd")])
    samples = random_samples(model)
    with pytest.raises(UnsupportedError, match=r"'odd' \(Lambda\).*it is code.*--until first"):
        to_excel(model, tmp_path / "x.xlsx", samples)
    to_excel(model, tmp_path / "x.xlsx", samples, until="first")
    assert "first" in read_map(tmp_path / "x.xlsx")


def test_model_without_layers_is_refused(tmp_path: Path) -> None:
    model = Model("weights", [], [], [])
    with pytest.raises(UnsupportedError, match="there is no network, only weights"):
        to_excel(model, tmp_path / "x.xlsx", [Sample("a", {})])


def test_too_many_cells_are_refused_before_writing(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_book, "MAX_CELLS", 20)
    with pytest.raises(NetsheetError, match=r"3 formulas and 22 numbers.*MB.*--until layer"):
        to_excel(model, tmp_path / "x.xlsx", random_samples(model))
    assert not list(tmp_path.iterdir())


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    model = single(Tanh(), (1_200_000,), {})
    with pytest.raises(NetsheetError, match=r"1,200,\d+ rows.*1,048,576 rows"):
        to_excel(model, tmp_path / "x.xlsx", random_samples(model))


def test_full_disk_leaves_nothing(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Book) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Book, "close", full)
    (tmp_path / "x.xlsx").write_text("old")
    with pytest.raises(NetsheetError, match="disk is full"):
        to_excel(model, tmp_path / "x.xlsx", random_samples(model))
    assert [path.name for path in tmp_path.iterdir()] == ["x.xlsx"]
    assert (tmp_path / "x.xlsx").read_text() == "old"


def test_open_in_excel(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(self: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", held)
    with pytest.raises(NetsheetError, match="close it in other programs"):
        to_excel(model, tmp_path / "x.xlsx", random_samples(model))
    assert not list(tmp_path.iterdir())


def test_no_workbook(model: Model, tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"not a zip")
    with pytest.raises(FormatError, match="no workbook"):
        verify(model, "excel", random_samples(model), xlsx=tmp_path / "x.xlsx")


def test_progress_counts_to_the_end(model: Model, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    to_excel(
        model,
        tmp_path / "x.xlsx",
        random_samples(model),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (25, 25)


def test_a_stranger_s_workbook_has_no_map(seed: Path) -> None:
    model = netsheet.load(seed / "my_model.h5")
    with pytest.raises(FormatError, match="no sheet lists its tensors"):
        verify(model, "excel", random_samples(model), xlsx=seed / "keras_cnn_published.xlsx")
