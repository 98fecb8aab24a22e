"""The report of an evaluation: against scikit-learn, Keras, and a spreadsheet program."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image

import netsheet
from netsheet.cli import language
from netsheet.cli.app import run
from netsheet.data import __file__ as data_room
from netsheet.engine.class_report import ClassReport, class_report
from netsheet.errors import NetsheetError, UsageError
from netsheet.write.evaluation import Shown, write_report
from netsheet.write.evaluation.folder import pictures_of
from ooxml import problems

SAMPLE = Path(data_room).parent / "sample"
metrics = pytest.importorskip("sklearn.metrics")


def made(seed: int, classes: int = 4, samples: int = 300) -> ClassReport:
    """Scores of a network that is often right; one class is never found, one never there."""
    random = np.random.default_rng(seed)
    true = random.integers(0, classes - 1, samples)
    scores = random.dirichlet(np.ones(classes), samples)
    scores[np.arange(samples), true] += random.uniform(0, 1.5, samples)
    scores[:, 0] = 0
    scores /= scores.sum(1, keepdims=True)
    names = [f"c<{n}>" for n in range(classes)]
    return ClassReport(names, true, scores.argmax(1), scores, True)


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_scikit_learns(seed: int) -> None:
    report = made(seed)
    labels = range(4)
    expected = metrics.confusion_matrix(report.true, report.found, labels=labels)
    assert np.array_equal(report.counts, expected)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        report.true, report.found, labels=labels, zero_division=np.nan
    )
    for own, theirs in ((report.precision, precision), (report.recall, recall),
                        (report.f1, f1), (report.support, support)):  # fmt: skip
        np.testing.assert_allclose(own, theirs, rtol=1e-12)
    assert report.accuracy == metrics.accuracy_score(report.true, report.found)


def test_calibration_is_scikit_learns() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    report = made(5)
    right = report.true == report.found
    share, certainty = calibration.calibration_curve(right, report.certainty, n_bins=10)
    used = [one for one in report.calibration if one.samples]
    np.testing.assert_allclose([one.accuracy for one in used], share)
    np.testing.assert_allclose([one.certainty for one in used], certainty)
    weights = np.array([one.samples for one in used]) / len(right)
    expected = (weights * np.abs(share - certainty)).sum()
    assert report.calibration_error == pytest.approx(expected)


def test_a_network_and_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsheet.cli.show.quiet", False)  # as another test may have left it
    keras = pytest.importorskip("keras")
    folder = tmp_path / "out" / "report"
    words = ["evaluate", str(SAMPLE / "digits.h5"), "--data", str(SAMPLE / "digits")]
    assert run([*words, "--report", str(folder)]) == 0
    said = capsys.readouterr()
    assert "accuracy  0.9750" in said.out
    assert f"open {folder / 'index.html'}" in said.err
    from netsheet.data.datasets import read_dataset

    data = read_dataset(SAMPLE / "digits", netsheet.load(SAMPLE / "digits.h5"))
    theirs = keras.models.load_model(SAMPLE / "digits.h5").predict(data.x, verbose=0)
    counts = metrics.confusion_matrix(data.y, theirs.argmax(1))
    table = rows(folder / "confusion.csv")
    assert [[int(cell) for cell in row[1:]] for row in table[1:]] == counts.tolist()
    told = metrics.classification_report(data.y, theirs.argmax(1), output_dict=True)
    for name, samples, precision, recall, f1 in rows(folder / "classes.csv")[1:]:
        one = told[name]
        numbers = [float(cell) for cell in (samples, precision, recall, f1)]
        wanted = [one["support"], one["precision"], one["recall"], one["f1-score"]]
        np.testing.assert_allclose(numbers, wanted, rtol=1e-8)
    wrong = rows(folder / "mistakes.csv")[1:]
    assert len(wrong) == 5
    certain = [float(row[3]) for row in wrong]
    assert certain == sorted(certain, reverse=True)
    for sample, true, found, score in wrong:
        number = int(sample.rpartition("#")[2])
        assert (data.y[number], theirs[number].argmax()) == (int(true), int(found))
        assert float(score) == pytest.approx(float(theirs[number].max()), abs=1e-5)
    page = (folder / "index.html").read_text("utf-8")
    assert "97.50%" in page and page.count("data:image/png;base64,") == 3
    assert not re.findall(r'(?:src|href)="(?!data:)', page)  # nothing beside it is needed
    for name in ("confusion", "calibration", "mistakes"):
        with Image.open(folder / f"{name}.png") as image:
            assert min(image.size) > 100


def test_the_workbook_computes_its_shares(tmp_path: Path) -> None:
    ironcalc = pytest.importorskip("ironcalc")
    report = made(2)
    write_report(tmp_path, report, Shown("made", [f"s{n}" for n in range(300)]))
    assert problems(tmp_path / "report.xlsx") == []
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    sheet = book["Confusion"]
    found = [[sheet.cell(4 + n, 2 + m).value for m in range(4)] for n in range(4)]
    assert found == report.counts.tolist()
    sheet["C5"].value += 7  # one count more: the shares follow
    book.save(tmp_path / "changed.xlsx")
    model = ironcalc.load_from_xlsx(str(tmp_path / "changed.xlsx"), "en", "UTC", "en")
    model.evaluate()
    counts = report.counts.copy()
    counts[1, 1] += 7
    shares = {
        7: np.diag(counts) / np.where(counts.sum(0), counts.sum(0), np.nan),
        8: np.diag(counts) / np.where(counts.sum(1), counts.sum(1), np.nan),
    }
    for column, expected in shares.items():
        for n, value in enumerate(expected):
            text = model.get_formatted_cell_value(0, 4 + n, column)
            assert text == ("" if np.isnan(value) else f"{value:.4f}"), (column, n)
    assert model.get_formatted_cell_value(0, 2, 2) == f"{np.diag(counts).sum() / counts.sum():.4f}"


def test_from_python(tmp_path: Path) -> None:
    report = netsheet.load(SAMPLE / "digits.h5").report(SAMPLE / "digits", tmp_path / "r", "ja")
    assert report.accuracy == 0.975
    assert "混同行列" in (tmp_path / "r" / "index.html").read_text("utf-8")
    assert "0.9750" in report._repr_html_()


def test_in_japanese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "chosen", "ja")
    report = made(1)
    pictures = np.zeros((300, 8, 8, 1), np.uint8)
    write_report(tmp_path, report, Shown("made", [f"s{n}" for n in range(300)], pictures), "ja")
    page = (tmp_path / "index.html").read_text("utf-8")
    for text in ("混同行列", "適合率", "再現率", "確信度の較正", '<html lang="ja">'):
        assert text in page
    assert "c&lt;1&gt;" in page and "c<1>" not in page  # names are no HTML
    words = re.sub(r"<style>.*?</style>|<[^>]*>|c&lt;\d&gt;|s\d+|made", " ", page, flags=re.DOTALL)
    assert set(re.findall("[A-Za-z]{3,}", words)) == set()
    assert openpyxl.load_workbook(tmp_path / "report.xlsx").sheetnames == ["混同行列", "間違い"]


def test_one_value_for_two_classes(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    model.save(tmp_path / "m.h5")
    x = np.random.default_rng(0).normal(size=(50, 3)).astype("f4")
    y = (x[:, 0] > 0).astype(int)
    report = class_report(netsheet.load(tmp_path / "m.h5"), x, y, ["no", "yes"])
    found = (model.predict(x, verbose=0)[:, 0] > 0.5).astype(int)
    assert np.array_equal(report.counts, metrics.confusion_matrix(y, found))
    assert report.names == ["no", "yes"]
    one_hot = class_report(netsheet.load(tmp_path / "m.h5"), x, np.eye(2)[y])
    assert np.array_equal(one_hot.counts, report.counts)


def test_what_has_no_report(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    for name, kind in (("mse", "linear"), ("many", "softmax")):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation=kind)])
        model.compile(loss="mse")
        model.save(tmp_path / f"{name}.h5")
    x = np.zeros((2, 3), "f4")
    with pytest.raises(UsageError, match="this network has no output that tells some"):
        class_report(netsheet.load(tmp_path / "mse.h5"), x, [0, 1])
    many = netsheet.load(tmp_path / "many.h5")
    with pytest.raises(NetsheetError, match=r"labels run from 0 to 4, but the network has the cl"):
        class_report(many, x, [0, 4])
    with pytest.raises(NetsheetError, match="these labels are none"):
        class_report(many, x, [0.5, 1])
    (tmp_path / "file").write_text("")
    with pytest.raises(NetsheetError, match=r"file: cannot be made: .*; name another folder"):
        write_report(tmp_path / "file", made(0), Shown("m", [""] * 300))


def test_samples_as_pictures() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (2, 3, 8, 9)).astype("f4")
    found = pictures_of(x)
    assert found is not None
    assert (found.shape, found.dtype, found.min(), found.max()) == ((2, 8, 9, 3), np.uint8, 0, 255)
    assert pictures_of(np.zeros((2, 784), np.uint8)).shape == (2, 28, 28, 1)  # type: ignore[union-attr]
    assert pictures_of(np.zeros((2, 5))) is None
    assert pictures_of(None) is None


def test_very_many_classes_are_drawn(tmp_path: Path) -> None:
    true = np.arange(300)
    scores = np.eye(300)
    report = ClassReport([f"n{n}" for n in true], true, true, scores, True)
    files = write_report(tmp_path, report, Shown("many", ["x"] * 300))
    assert "mistakes" not in {file.stem for file in files if file.suffix == ".png"}
    with Image.open(tmp_path / "confusion.png") as image:
        assert image.width < 2200
    sheet = openpyxl.load_workbook(tmp_path / "report.xlsx")["Confusion"]
    assert sheet["B2"].value.startswith("=SUMPRODUCT(")
