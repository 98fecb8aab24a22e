"""``netsheet excel`` spares a workbook that somebody edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsheet.cli.app import main
from netsheet.write.xlsx import unchanged

openpyxl = pytest.importorskip("openpyxl")


def excel(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr("sys.argv", ["netsheet", "excel", *args])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_an_edited_workbook_is_not_overwritten(
    seed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    book = tmp_path / "net.xlsx"
    args = [str(seed / "my_model.h5"), "-o", str(book), "--until", "conv1"]
    assert excel(monkeypatch, *args) == 0
    assert unchanged(book)
    assert excel(monkeypatch, *args) == 0  # as it was written: simply written again
    edited = openpyxl.load_workbook(book)
    edited["conv1"]["B9"] = 2.5
    edited.save(book)
    assert not unchanged(book)
    before = book.read_bytes()
    capsys.readouterr()
    assert excel(monkeypatch, *args) == 2
    assert "was edited since" in capsys.readouterr().err
    assert book.read_bytes() == before
    assert excel(monkeypatch, *args, "--force") == 0
    assert unchanged(book)
    book.write_text("not a workbook")
    assert excel(monkeypatch, *args) == 2
