"""The words of token numbers: read from lists, live beside the tokens of a workbook."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

import netsheet
from netsheet.data.vocabulary import read_vocabulary
from netsheet.errors import UsageError
from netsheet.verify import verify
from test_cli import run

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
WORDS = ["", "<start>", "the", "film", "was", "=1+1"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras = pytest.importorskip("keras")
    path = tmp_path_factory.mktemp("words") / "net.keras"
    keras.Sequential([keras.Input((4,), name="tokens"), keras.layers.Embedding(6, 2),
                      keras.layers.SimpleRNN(2)]).save(path)  # fmt: skip
    return path


@pytest.mark.parametrize(
    "name, text",
    [
        ("words.txt", "\n".join(WORDS) + "\n\n"),
        ("words.json", json.dumps(WORDS)),
        ("index.json", json.dumps({word: n for n, word in enumerate(WORDS) if word})),
    ],
)
def test_lists_of_words(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert read_vocabulary(tmp_path / name) == WORDS


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("words.txt", b"\xff\xfe\x00", "cannot be read as UTF-8"),
        ("words.txt", b"\n \n", "has no words"),
        ("words.json", b"[1, 2]", "give a list of words"),
        ("words.json", b'{"a": -1}', "give a list of words"),
        ("words.json", b'{"a": 99999999999}', "give a list of words"),
        ("words.json", b"[", "is no JSON"),
    ],
)
def test_what_is_no_list(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_vocabulary(tmp_path / name)


def test_each_tokens_word_stands_beside_it_and_follows_it(reader: Path, tmp_path: Path) -> None:
    engine = pytest.importorskip("ironcalc")
    np.save(tmp_path / "x.npy", np.array([1, 3, 0, 5]))
    (tmp_path / "words.txt").write_text("\n".join(WORDS), "utf-8")
    book = tmp_path / "net.xlsx"
    run("excel", reader, "-i", tmp_path / "x.npy", "-o", book,
        "--vocabulary", tmp_path / "words.txt")  # fmt: skip
    sheet = openpyxl.load_workbook(book)["Input"]
    row, column = next((c.row, c.column) for line in sheet.iter_rows() for c in line
                       if isinstance(c.value, str) and "INDEX(" in c.value)  # fmt: skip
    live = engine.load_from_xlsx(str(book), "en", "UTC", "en")
    live.evaluate()
    number = [str(one["name"]) for one in live.get_worksheets_properties()].index("Input")

    def shown() -> list[Any]:
        return [live.get_cell_value(number, row + n, column) for n in range(4)]

    assert shown() == ["<start>", "film", "", "=1+1"]
    live.set_user_input(number, row + 1, column - 1, "4")
    live.set_user_input(number, row + 2, column - 1, "77")
    live.evaluate()
    assert shown() == ["<start>", "was", "", "=1+1"]
    model = netsheet.load(reader)
    sample = netsheet.read_input(tmp_path / "x.npy", model)
    assert verify(model, "excel", [sample]).ok


def test_words_need_tokens(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "net.keras")
    model = netsheet.load(tmp_path / "net.keras")
    with pytest.raises(UsageError, match="reads no tokens"):
        model.to_excel(tmp_path / "n.xlsx", np.zeros((1, 2), np.float32), vocabulary=WORDS)
