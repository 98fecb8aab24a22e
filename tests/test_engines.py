"""Each engine recalculates by itself, and what is wrong in a workbook shows in its verdict."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from excel_models import random_samples, recalculated, single, workbook_engine
from netsheet.cli import main
from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.layers.activation import Tanh
from netsheet.layers.conv import Conv1D
from netsheet.layers.dense import Dense
from netsheet.model import Model
from netsheet.verify import TARGETS, verify
from netsheet.verify.engines import libreoffice
from netsheet.verify.engines.ironcalc import IronCalc
from netsheet.verify.engines.workbook import CellRange, read_map
from netsheet.verify.spoil import WRONG, spoil
from netsheet.verify.xlsx import edit
from netsheet.write.excel import to_excel
from netsheet.write.excel.placement import cell_name

ENGINES = tuple(TARGETS["excel"].engines)


def installed(engine: str) -> str:
    if engine == "libreoffice":
        there = bool(shutil.which("soffice") or shutil.which("libreoffice"))
    else:
        there = importlib.util.find_spec(engine) is not None
    if not there:
        pytest.skip(f"{engine} is not installed")
    return engine


@pytest.fixture(scope="module")
def model() -> Model:
    return single(Dense(units=3, activation=Tanh(name="tanh")), (4,), {"in": 4, "out": 3})


@pytest.fixture(scope="module")
def book(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("book") / "net.xlsx"
    to_excel(model, target, random_samples(model))
    return target


def changed_formula(book: Path, target: Path, change: Callable[[str], str]) -> None:
    """A copy in which the first formula of the layer is another; its cached value stays."""
    member = f"xl/worksheets/sheet{list(sheet_names(book)).index('layer') + 1}.xml"
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            text = source.read(name).decode()
            if name == member:
                first = re.search(r"<f[^>]*>([^<]+)</f>", text)
                assert first is not None
                start, end = first.span(1)
                text = text[:start] + change(first[1]) + text[end:]
            copy.writestr(name, text)


def sheet_names(book: Path) -> Iterable[str]:
    with zipfile.ZipFile(book) as archive:
        return re.findall(r'<sheet name="([^"]+)"', archive.read("xl/workbook.xml").decode())


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_agrees(model: Model, book: Path, engine: str) -> None:
    verdict = verify(model, "excel", random_samples(model), xlsx=book, engine=installed(engine))
    assert verdict.ok, verdict.first_failure
    assert verdict.engine == engine
    assert [row.layer for row in verdict.layers] == ["input", "layer"]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_engine_reads_the_cache(book: Path, tmp_path: Path, engine: str) -> None:
    spoiled = tmp_path / "spoiled.xlsx"
    assert spoil(book, spoiled) > 3
    place = read_map(book)["layer"].place
    with zipfile.ZipFile(spoiled) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist() if "sheet" in name]
    assert repr(WRONG) in "".join(texts)
    values, notes = recalculated(spoiled, read_map(spoiled), installed(engine))
    assert not notes
    original, _ = recalculated(book, read_map(book), engine)
    np.testing.assert_array_equal(values["layer"], original["layer"])
    assert np.abs(values["layer"]).max() < 100
    assert place.height * place.width >= 3


def test_an_engine_that_hands_out_cached_values_is_noticed(
    model: Model, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openpyxl = pytest.importorskip("openpyxl")

    def lazy(workbook: Path) -> Callable[[CellRange], Iterable[Any]]:
        cached = openpyxl.load_workbook(workbook, data_only=True)

        def lookup(area: CellRange) -> Iterable[Any]:
            for row in range(area.row, area.row + area.rows):
                for column in range(area.column, area.column + area.columns):
                    yield cached[area.sheet].cell(row + 1, column + 1).value

        return lookup

    monkeypatch.setattr(IronCalc, "calculated", lambda self, workbook: lazy(workbook))
    verdict = verify(model, "excel", random_samples(model), xlsx=book)
    assert not verdict.ok
    assert verdict.first_failure is not None and verdict.first_failure.layer == "layer"


BREACHES: dict[str, tuple[Callable[[str], str], str]] = {
    "another sum": (lambda formula: f"{formula}+0.1", ""),
    "an error": (lambda formula: "1/0", "1 cells hold no number, first layer!"),
    "an unknown function": (lambda formula: "IF(TRUE,NOSUCHFUNCTION(1),0)", "hold no number"),
}


@pytest.mark.parametrize(
    ("engine", "breach"),
    [
        # each start of LibreOffice takes seconds
        pytest.param(
            engine,
            breach,
            marks=[pytest.mark.slow] if engine == "libreoffice" and n else [],
        )
        for engine in ENGINES
        for n, breach in enumerate(BREACHES)
    ],
)
def test_a_wrong_formula_is_noticed(
    model: Model, book: Path, tmp_path: Path, engine: str, breach: str
) -> None:
    wrong, note = BREACHES[breach]
    changed_formula(book, tmp_path / "wrong.xlsx", wrong)
    verdict = verify(
        model,
        "excel",
        random_samples(model),
        xlsx=tmp_path / "wrong.xlsx",
        engine=installed(engine),
    )
    assert not verdict.ok
    failed = verdict.first_failure
    assert failed is not None and failed.layer == "layer" and note in failed.note


@pytest.mark.parametrize("engine", ENGINES)
def test_a_changed_weight_changes_the_result(
    model: Model, book: Path, tmp_path: Path, engine: str
) -> None:
    bias = read_map(book)["layer/bias"].place
    cell = cell_name(bias.row, bias.col)
    edit(book, tmp_path / "changed.xlsx", {(bias.sheet, cell): 50.0})
    values, _ = recalculated(tmp_path / "changed.xlsx", read_map(book), installed(engine))
    original, _ = recalculated(book, read_map(book), engine)
    old = float(model.layers["layer"].weights["bias"].values[0])
    before = original["layer/pre"][0] if "layer/pre" in original else original["layer"][0]
    after = values["layer/pre"][0] if "layer/pre" in values else values["layer"][0]
    assert after == pytest.approx(before + 50 - old, rel=1e-6)


def test_a_dilated_kernel_of_one_row(tmp_path: Path) -> None:
    layer = Conv1D(
        filters=8, groups=8, kernel_size=(3,), strides=(1,), dilation_rate=(2,),
        padding=((2, 2),), data_format="channels_first", use_bias=True,
    )  # fmt: skip
    model = single(layer, (8, 12), {"out": 8, "in": 1, "width": 3})
    for arrangement in ("planes", "interleaved"):
        verdict = verify(
            model,
            "excel",
            random_samples(model),
            engine=installed("ironcalc"),
            arrangement=arrangement,
        )
        assert verdict.ok, verdict.first_failure


# ---------------------------------------------------------------------- engines that are missing


@pytest.mark.parametrize(
    ("engine", "advice"),
    [
        ("ironcalc", "pip install 'netsheet[verify]'"),
        ("formualizer", "pip install formualizer"),
        ("libreoffice", "apt install libreoffice-calc"),
    ],
)
def test_a_missing_engine_is_one_line(
    seed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    engine: str,
    advice: str,
) -> None:
    monkeypatch.setitem(sys.modules, engine, None)  # importing it fails
    monkeypatch.setattr(shutil, "which", lambda name: None)
    arguments = ["verify", str(seed / "my_model.h5"), "--target", "excel", "--engine", engine]
    monkeypatch.setattr(sys, "argv", ["netsheet", *arguments, "--input", str(seed / "digit5.png")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f"netsheet: the engine {engine} is not installed: ")
    assert advice in last


def test_an_unknown_engine_names_those_there_are(book: Path) -> None:
    with pytest.raises(UsageError, match="engines are ironcalc, libreoffice, formualizer"):
        workbook_engine("abacus")


def test_libreoffice_that_never_ends(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("libreoffice")
    monkeypatch.setattr(libreoffice, "TIME_LIMIT", 0.05)
    with pytest.raises(NetsheetError, match=r"took more than 0\.05 s"):
        workbook_engine("libreoffice").ranges(book, [])


def test_libreoffice_that_writes_nothing(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "soffice"
    program.write_text("#!/bin/sh\necho 'source file could not be loaded' >&2\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    with pytest.raises(NetsheetError, match="could not open the workbook: source file could not"):
        workbook_engine("libreoffice").ranges(book, [])


def test_a_file_that_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "no.xlsx"
    path.write_bytes(b"PK but no zip")
    with pytest.raises(FormatError, match="is no workbook that can be read"):
        workbook_engine("ironcalc").ranges(path, [])


def test_the_command_fails_where_a_layer_does(
    seed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    installed("ironcalc")
    book = tmp_path / "net.xlsx"
    common = [str(seed / "my_model.h5"), "--input", str(seed / "digit5.png")]

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["netsheet", *arguments])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    assert run("excel", *common, "-o", str(book)) == 0
    kernel = read_map(book)["conv2/kernel"].place
    edit(book, tmp_path / "bad.xlsx", {(kernel.sheet, cell_name(kernel.row, kernel.col)): 3.0})
    capsys.readouterr()
    assert run("verify", *common, "--target", "excel", "--xlsx", str(tmp_path / "bad.xlsx"),
               "--json") == 1  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    first = next(row for row in found["layers"] if not row["ok"])
    assert first["layer"] == "conv2" and first["max_abs"] > 1e-3
