"""Tables as programs of other countries write them: encodings, separators, numbers, gaps."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from netsheet.data.known_classes import KnownClasses
from netsheet.data.sources import raw_set
from netsheet.equations import Tensor
from netsheet.errors import NetsheetError

X = np.array([[5.1, 3.5, 1.4], [6.2, 2.9, 4.3], [7.1, 3.0, 5.9], [4.9, 3.1, 1.5]])
Y = np.array([0, 1, 2, 0])
JAPANESE = ["セトサ", "バーシ カラー", "ヴァージニカ"]  # in the order of their letters
THOUSANDS = X * [1000, 1, 1]
INPUT = Tensor("x", ("channel",), (3,))


def written(
    labels: Any = Y, values: Any = X, mark: str = ",", decimal: str = ".", heading: str = "abcy"
) -> str:
    rows = [[str(v).replace(".", decimal) for v in row] for row in values.tolist()]
    lines = [mark.join([*row, str(label)]) for row, label in zip(rows, labels, strict=True)]
    return "\n".join([mark.join(heading), *lines][0 if heading else 1 :]) + "\n"


def read(path: Path, data: str | bytes, name: str = "t.csv") -> Any:
    (path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return raw_set(path / name, INPUT, KnownClasses(3), None)


def one_hot(front: bool) -> str:
    rows = [[*np.eye(3, dtype=int)[y], *x] for x, y in zip(X, Y, strict=True)]
    rows = rows if front else [[*row[3:], *row[:3]] for row in rows]
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def grouped(mark: str) -> str:
    """Thousands as they are written in Germany (1.234,5) with ``;``, in England with a comma."""
    lines = []
    for row, label in zip(THOUSANDS, Y, strict=True):
        cells = [f"{value:,.1f}" for value in row]
        if mark == ";":
            cells = [cell.translate(str.maketrans(",.", ".,")) for cell in cells]
        lines.append(mark.join([*(f'"{cell}"' for cell in cells), str(label)]))
    return "\n".join(lines) + "\n"


NAMES = [JAPANESE[y] for y in Y]
TABLES: dict[str, tuple[str | bytes, Any]] = {
    "UTF-16, little end first, no mark": (written(NAMES).encode("utf-16-le"), X),
    "UTF-16, big end first, no mark": (written(NAMES).encode("utf-16-be"), X),
    "UTF-16 with its mark": (written(NAMES).encode("utf-16"), X),
    "numbers in UTF-16": (written().encode("utf-16-le"), X),
    "EUC-JP": (written(NAMES).encode("euc-jp"), X),
    "cp932": (written(NAMES).encode("cp932"), X),
    "Windows in the West": (written(["a", "größe", "über", "a"]).encode("cp1252"), X),
    "gzip": (gzip.compress(written().encode()), X),
    "decimal comma, no heading": (written(mark=";", decimal=",", heading=""), X),
    "decimal comma between tabs": (written(mark="\t", decimal=","), X),
    "decimal comma in quotes": (
        "".join('"{}","{}","{}",{}\n'.format(*(str(v).replace(".", ",") for v in (*row, y)))
                for row, y in zip(X.tolist(), Y.tolist(), strict=True)), X),
    "bars": (written(mark="|"), X),
    "a separator at the end": (written().replace("\n", ",\n"), X),
    "and none behind the heading": (written().replace("\n", ",\n").replace("y,", "y", 1), X),
    "Excel's hint": ("sep=;\n" + written(mark=";"), X),
    "thousands in England": (grouped(","), THOUSANDS),
    "thousands in Germany": (grouped(";"), THOUSANDS),
    "thousands, and points": (
        '"5,100",3.5,1.4,0\n"6,200",2.9,4.3,1\n"7,100",3.0,5.9,2\n"4,900",3.1,1.5,0\n', THOUSANDS),
    "spaces behind separators": (written(NAMES).replace(",", ", "), X),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_a_table_as_others_write_it(case: str, tmp_path: Path) -> None:
    data, values = TABLES[case]
    found = read(tmp_path, data, "t.csv.gz" if case == "gzip" else "t.csv")
    np.testing.assert_allclose(found.x, values)
    assert found.y.tolist() == Y.tolist()
    if found.class_names:
        assert found.class_names in (JAPANESE, ["a", "größe", "über"])


@pytest.mark.parametrize("front", [True, False])
def test_rows_with_a_one_in_front_or_behind(front: bool, tmp_path: Path) -> None:
    found = read(tmp_path, one_hot(front))
    np.testing.assert_allclose(found.x, X)
    assert found.y.tolist() == np.eye(3)[Y].tolist()
    assert ("first" if front else "last") + " 3 columns, one-hot" in found.note


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "a label that is missing": ("1,2,3,0\n4,5,6,\n7,8,9,2\n", "row 2: '' is no label"),
    "a missing name": ("a,b,c,y\n1,2,3,cat\n4,5,6,\n", "row 3: '' is no label"),
    "a label that is unknown": ("1,2,3,0\n4,5,6,?\n7,8,9,2\n", "row 2: '?' is no label"),
    "a label that is no number": (
        "a,b,c,y\n1,2,3,0\n4,5,6,nan\n7,8,9,2\n",
        "row 3: 'nan' is no label",
    ),
    "a missing value": ("a,b,c,y\n1,,3,0\n4,5,6,1\n", "row 2: a value is missing ('')"),
    "a value not available": ("a,b,c,y\n1,2,3,0\n4,N/A,6,1\n", "row 3: a value is missing ('N/A')"),
    "thousands or decimals": ('a,b,c,y\n"1,234",2,3,0\n"5,678",3,4,1\n', "thousands or dec"),
    "a workbook": (b"PK\x03\x04" + bytes(40), "a file of another program"),
    "zero bytes": (b"a,b,c,y\n1,2,3,0\0\n", "zero bytes"),
    "a gzip that is cut off": (gzip.compress(written().encode())[:-12], "cut off"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_table_leaves_open_is_said(case: str, tmp_path: Path) -> None:
    data, said = REFUSED[case]
    with pytest.raises(NetsheetError) as error:
        read(tmp_path, data, "t.csv.gz" if "gzip" in case else "t.csv")
    assert said in str(error.value)


@pytest.mark.parametrize(("x", "y", "said"), [
    ("arr_0", "arr_1", "arr_0, arr_1"), ("image", "label", "image, label"),
    ("inputs", "outputs", "inputs, outputs"), ("x_val", "y_val", "the validation set"),
    ("X_valid", "y_valid", "the validation set"), ("val_images", "val_labels", "validation"),
])  # fmt: skip
def test_names_of_arrays(x: str, y: str, said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", **{x: X, y: Y})
    found = raw_set(tmp_path / "t.npz", INPUT, KnownClasses(3), None)
    assert np.array_equal(found.x, X) and np.array_equal(found.y, Y) and said in found.note


def test_more_arrays_without_names_are_not_guessed(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X, Y, X, Y)
    with pytest.raises(NetsheetError, match="arr_0, arr_1, arr_2, arr_3; samples are expected"):
        raw_set(tmp_path / "t.npz", INPUT, KnownClasses(3), None)


def test_a_class_without_pictures_is_said(tmp_path: Path) -> None:
    for name in ("cat", "dog", "owl"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / ("a.png" if name != "dog" else "a"), "png")
    pixels = Tensor("x", ("height", "width", "channel"), (4, 4, 1))
    found = raw_set(tmp_path, pixels, KnownClasses(3), None)
    assert found.y.tolist() == [0, 2] and "there are no pictures in dog" in found.note


def test_values_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, "a,b,c,y\n1,nan,3,0\n4,inf,6,1\n")
    assert "2 values are missing or infinite" in found.note


@pytest.mark.parametrize(("name", "said"), [
    ("a.pkl", "may hold code"), ("a.mat", "loadmat"), ("a.parquet", "as CSV"), ("a.zip", "unpack"),
    ("a.XLSX", "as CSV"), ("a.h5", "h5py"), ("a.tfrecord", "tf.data"), ("a.xyz", "not a data set"),
])  # fmt: skip
def test_files_of_other_programs(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(NetsheetError) as error:
        read(tmp_path, b"\x80\x04something", name)
    assert said in str(error.value)
