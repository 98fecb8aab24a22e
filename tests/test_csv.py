"""Weights as CSV and back: against the published file, the csv module, NumPy, pandas and h5py."""

from __future__ import annotations

import csv
import io
import itertools
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import netsheet
from netsheet.equations import Weight
from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.layer import Layer
from netsheet.write import float_text
from netsheet.write.csv import writer as csv_writer
from netsheet.write.csv.copy_model import by_dataset, write_copy
from netsheet.write.csv.layout import layout_names, load_layout, parse_layout
from netsheet.write.csv.read_back import import_csv
from netsheet.write.csv.writer import write_csv
from netsheet.write.float_text import row_texts


@dataclass
class Network:
    """As much of a model as a layout needs."""

    name: str
    layers: dict[str, Layer]
    nodes: list[Any] = field(default_factory=list)


def network(*layers: tuple[str, dict[str, tuple[tuple[str, ...], tuple[int, ...]]]]) -> Network:
    """Layers with random weights, given by their axes and shapes."""
    random = np.random.default_rng(1)
    made = {}
    for name, weights in layers:
        stored = {
            label: Weight(
                f"{name}/{label}",
                axes,
                shape,
                label=label,
                values=random.standard_normal(shape).astype(np.float32),
            )
            for label, (axes, shape) in weights.items()
        }
        made[name] = Layer(name=name, type_name="Conv2D", weights=stored)
    return Network("made", made)


CONV = ("height", "width", "in", "out")


@pytest.fixture
def small() -> Network:
    return network(
        ("a", {"kernel": (CONV, (3, 2, 2, 4)), "bias": (("out",), (4,))}),
        ("b", {"kernel": (("in", "out"), (5, 3)), "scale": ((), ())}),
    )


# ------------------------------------------------------------------ the text of a number


def text_of(values: np.ndarray) -> list[str]:
    return row_texts(values.reshape(1, -1), newline="\n")[0].decode().split(",")


def test_numbers_read_back_and_are_the_shortest() -> None:
    bits = np.random.default_rng(2).integers(0, 2**32, 50_000, np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    texts = text_of(values)
    assert np.array_equal(np.array([np.float32(t) for t in texts]), values)
    for text, value in zip(texts, values, strict=True):
        # NumPy's own shortest digits, in the notation of Python's repr
        assert text == repr(float(np.format_float_scientific(value, unique=True)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (-3.0, "-3.0"), (0.1, "0.1"),
        (1e-4, "0.0001"), (9.999999e-05, "9.999999e-05"), (1e-5, "1e-05"), (1e-45, "1e-45"),
        (1e7, "10000000.0"), (9.5e15, "9500000000000000.0"), (1e16, "1e+16"),
        (3.4028235e38, "3.4028235e+38"), (np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"),
    ],
)  # fmt: skip
def test_special_numbers(value: float, text: str) -> None:
    numbers = np.array([0.5, value, 0.25], np.float32)
    assert text_of(numbers) == ["0.5", text, "0.25"]


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4", "i1", "u4", "i8", "?"])
def test_other_dtypes_read_back(dtype: str) -> None:
    values = np.array([0, 1, 7, 100, 0.3], np.float64).astype(dtype)
    assert np.array_equal(np.array(text_of(values), float).astype(dtype), values)


@pytest.mark.parametrize("wide", [1, 512])
def test_rows_and_separators(monkeypatch: pytest.MonkeyPatch, wide: int) -> None:
    monkeypatch.setattr(float_text, "WIDE", wide)
    table = np.arange(12, dtype=np.int64).reshape(6, 2)
    assert row_texts(table, ";", "\n") == [b"0;1\n2;3\n4;5\n6;7\n8;9\n10;11"]
    assert row_texts(table, ",", "\r\n", 3) == [
        b"0,1\r\n2,3\r\n4,5",
        b"6,7\r\n8,9\r\n10,11",
    ]


# ------------------------------------------------------------------ layouts


def test_article_layout_is_the_published_file(seed: Path, tmp_path: Path) -> None:
    model = netsheet.load(seed / "my_model.h5")
    write_csv(model, tmp_path / "w.csv", layout="article", newline="lf")
    published = (seed / "weight_bias_published.csv").read_bytes()
    assert (tmp_path / "w.csv").read_bytes() == published
    write_csv(model, tmp_path / "w.csv", layout="article")
    assert (tmp_path / "w.csv").read_bytes() == published.replace(b"\n", b"\r\n")


def test_channels_last_network_has_the_same_article_weights(seed: Path, tmp_path: Path) -> None:
    """Its Dense rows lie in another order, which un-flattening names away."""
    model = netsheet.load(seed / "my_model_channels_last.h5")
    write_csv(model, tmp_path / "w.csv", layout="article", newline="lf")
    assert (tmp_path / "w.csv").read_bytes() == (seed / "weight_bias_published.csv").read_bytes()


def naive_blocks(model: Network) -> bytes:
    """The layout ``blocks`` by the csv module, one row after the other."""
    out = io.StringIO()
    writer = csv.writer(out)
    for layer in model.layers.values():
        for label, weight in layer.weights.items():
            values, axes = weight.channels_first, weight.channels_first_axes
            size = "x".join(map(str, values.shape)) or "1"
            writer.writerow([layer.name, label, size, " ".join(axes)])
            front = axes[:-2]
            for index in np.ndindex(values.shape[: len(front)]):
                if front:
                    places = [f"{a} {i}" for a, i in zip(front, index, strict=True)]
                    writer.writerow([])
                    writer.writerow([layer.name, label, *places])
                writer.writerows([[str(v) for v in row] for row in np.atleast_2d(values[index])])
            writer.writerow([])
    return out.getvalue().encode()


def naive_tidy(model: Network) -> bytes:
    """The layout ``tidy`` by the csv module."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["layer", "weight", "out", "in", "height", "width", "value"])
    for layer in model.layers.values():
        for label, weight in layer.weights.items():
            axes = weight.channels_first_axes
            for index, value in np.ndenumerate(weight.channels_first):
                at = dict(zip(axes, index, strict=True))
                places = [at.get(a, "") for a in ("out", "in", "height", "width")]
                writer.writerow([layer.name, label, *places, str(value)])
    return out.getvalue().encode()


@pytest.mark.parametrize(("layout", "naive"), [("blocks", naive_blocks), ("tidy", naive_tidy)])
@pytest.mark.parametrize(("text", "gather"), [(60_000, 1_000_000), (7, 20), (2, 3), (1, 1)])
def test_layouts_as_the_csv_module_writes_them(
    small: Network,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
    naive: Callable[[Network], bytes],
    text: int,
    gather: int,
) -> None:
    monkeypatch.setattr(csv_writer, "TEXT", text)
    monkeypatch.setattr(csv_writer, "GATHER", gather)
    write_csv(small, tmp_path / "w.csv", layout=layout)
    assert (tmp_path / "w.csv").read_bytes() == naive(small)


def test_matrix_has_units_across(small: Network, tmp_path: Path) -> None:
    write_csv(small, tmp_path / "w.csv", layout="matrix")
    rows = list(csv.reader((tmp_path / "w.csv").open(newline="")))
    assert rows[0] == ["a", "kernel", "2x3x2x4", "in height width out"]
    kernel = small.layers["a"].weights["kernel"].values
    wanted = kernel.transpose(2, 0, 1, 3).reshape(-1, 4)
    assert np.array_equal(np.array(rows[1:13], np.float32), wanted)


def test_tidy_in_pandas(seed: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    model = netsheet.load(seed / "my_model.h5")
    write_csv(model, tmp_path / "w.csv", layout="tidy")
    table = pandas.read_csv(tmp_path / "w.csv", dtype={"value": np.float32})
    assert len(table) == 650
    kernel = table[(table.layer == "conv2") & (table.weight == "kernel")]
    order = kernel.sort_values(["height", "width", "in", "out"]).value.to_numpy()
    stored = model.layers["conv2"].weights["kernel"].values
    assert np.array_equal(order.reshape(stored.shape), stored)


OWN = """
separator = ";"
files = "layer"
head = "{model}"
[[table]]
weights = "kernel"
before = ["weights of {layer} ({type})", ""]
blocks = "out"
block_before = "filter {out}"
down = ["in", "height"]
across = "width"
row = "{in}.{height}"
split = { axis = "in", every = 1, lines = "--" }
[[table]]
before = "{name}"
across = "*"
"""


def test_own_layout(tmp_path: Path) -> None:
    model = network(("x/y", {"kernel": (CONV, (2, 1, 2, 2)), "bias": (("out",), (2,))}))
    own = tmp_path / "own.toml"
    own.write_text(OWN)
    paths = write_csv(model, tmp_path / "w.csv", layout=own, newline="lf")
    assert paths == [tmp_path / "w-x_y.csv"]
    k = model.layers["x/y"].weights["kernel"].values
    b = model.layers["x/y"].weights["bias"].values
    expected = ["made", "weights of x/y (Conv2D)", ""]
    for out in range(2):
        expected.append(f"filter {out}")
        for i, y in itertools.product(range(2), range(2)):
            expected += ["--"] if (i, y) == (1, 0) else []
            expected.append(f"{i}.{y};{k[y, 0, i, out]!s}")
    expected += ["x/y/bias", f"{b[0]!s};{b[1]!s}", ""]
    assert paths[0].read_text() == "\n".join(expected)
    values = import_csv(model, tmp_path / "w.csv", layout=own)
    assert np.array_equal(values["x/y/kernel"], k)


def test_names_from_a_file_stay_cells_and_file_names(tmp_path: Path) -> None:
    """A name with separators, quotes, line ends or '..' breaks neither the CSV nor the folder."""
    names = ['a,"b"', "../../up", "CON/..", "two\nlines", "A,_b_"]
    model = network(*((name, {"bias": (("out",), (2,))}) for name in names))
    layout = parse_layout('files = "layer"\n[[table]]\nbefore="{layer}_x"\nacross="*"', "own")
    folder = tmp_path / "in"
    folder.mkdir()
    paths = write_csv(model, folder / "w.csv", layout=layout)
    assert len({str(path).lower() for path in paths}) == len(names)
    assert all(path.parent == folder for path in paths)
    assert next(csv.reader(paths[0].open(newline=""))) == ['a,"b"_x']
    assert len(import_csv(model, folder / "w.csv", layout=layout)) == len(names)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("colour = 1\n[[table]]", "unknown key 'colour'; allowed are decimal"),
        ("[[table]]\nfoo = 1", "table 1: unknown key 'foo'; allowed are across"),
        ('[[table]]\nbefore = "{lyer}"', "unknown field in '{lyer}'; allowed are {model}, {layer}"),
        ('[[table]]\nbefore = "{layer!r}"', "unknown field"),
        ('[[table]]\nbefore = "{out}"', "unknown field"),
        ('[[table]]\nrow = "x{places}"', "several cells"),
        ('[[table]]\nbefore = "{layer"', "write {{ for a brace"),
        ('[[table]]\nbefore = "a\\nb"', "make it two lines"),
        ('[[table]]\ndown = 3', "down must be a string or a list of strings"),
        ('[[table]]\nacross="out"\ndown="out"', "twice"),
        ('[[table]]\nsplit={axis="out",every=0}', "at least 1"),
        ('[[table]]\nsplit={axle="out"}', "unknown key 'axle'; allowed are axis, every, lines"),
        ('unflatten = "yes"\n[[table]]', "unflatten must be a boolean"),
        ('order = "last"\n[[table]]', "allowed are channels-first, original"),
        ('files = "two"\n[[table]]', "allowed are one, layer"),
        ('separator = ""\n[[table]]', "separator must be"),
        ('head = "x"', "has no [[table]]"),
        ("[[table", "not valid TOML"),
    ],
)  # fmt: skip
def test_wrong_layouts_are_explained(toml: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_layout(toml, "own.toml")
    assert says in str(caught.value)
    assert str(caught.value).startswith("own.toml")


def test_layouts_that_are_not_there(small: Network, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="article, blocks, matrix, tidy"):
        load_layout("artikel")
    narrow = parse_layout('[[table]]\nweights = "kernel"\nacross = "*"', "narrow.toml")
    with pytest.raises(FormatError, match=r"no \[\[table\]\] fits a/bias .* axes out;"):
        write_csv(small, tmp_path / "w.csv", layout=narrow)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="crlf, lf"):
        write_csv(small, tmp_path / "w.csv", newline="cr")


# ------------------------------------------------------------------ import


def models(shared: Path) -> list[Path]:
    folders = [shared / "seed", shared / "models", shared / "corpus" / "dialects"]
    return [
        path for f in folders for path in sorted(f.iterdir()) if path.suffix in (".h5", ".keras")
    ]


@pytest.mark.parametrize("layout", layout_names())
def test_every_model_comes_back(shared: Path, tmp_path: Path, layout: str) -> None:
    seen = 0
    for path in models(shared):
        try:
            model = netsheet.load(path)
        except NetsheetError:
            continue  # refused files have their own tests
        if model.params > 100_000:
            continue
        write_csv(model, tmp_path / "w.csv", layout=layout)
        values = import_csv(model, tmp_path / "w.csv", layout=layout)
        stored = {w.name: w.values for la in model.layers.values() for w in la.weights.values()}
        assert list(values) == list(stored)
        for name, array in stored.items():
            assert values[name].dtype == array.dtype
            assert values[name].tobytes() == np.ascontiguousarray(array).tobytes(), (path, name)
        seen += 1
    assert seen >= 5


@pytest.mark.parametrize("layout", layout_names())
def test_as_a_spreadsheet_saves_it(small: Network, tmp_path: Path, layout: str) -> None:
    """Rows padded to one width, everything quoted, a byte order mark, 1E-05 for 1e-05."""
    small.layers["a"].weights["bias"].values[1] = 1e-5
    write_csv(small, tmp_path / "w.csv", layout=layout)
    rows = list(csv.reader((tmp_path / "w.csv").open(newline="")))
    width = max(map(len, rows))
    with (tmp_path / "e.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for row in rows:
            cells = [cell.upper() if cell == "1e-05" else cell for cell in row]
            writer.writerow(cells + [""] * (width - len(row)))
    values = import_csv(small, tmp_path / "e.csv", layout=layout)
    for layer in small.layers.values():
        for weight in layer.weights.values():
            assert np.array_equal(values[weight.name], weight.values)


@pytest.mark.parametrize(
    ("layout", "line", "text", "says"),
    [
        ("article", 1, "conv1_wait", "line 1: 'conv1_wait' where the layout has 'conv1_weight'"),
        ("article", 3, "1,2,3", "line 3: has 3 numbers; conv1/kernel has 4 in row 2"),
        ("article", 3, "1,2,3,4,5", "line 3: has 5 numbers; conv1/kernel has 4"),
        ("article", 3, "1,2,3,x", "line 3: 'x' is not a number (conv1/kernel, row 2)"),
        ("article", 3, "1,,3,4", "line 3: '' is not a number"),
        ("article", 22, "", "line 22: a blank line where the layout has '###########'"),
        ("article", 212, "#\n7", "line 212: '#' where the layout has '###########'"),
        ("article", 212, "###########\n7", "line 213: '7' after the last weight"),
        ("article", 3, "1,2,3,1e39", "line 3: 1e+39 cannot be a value of conv1/kernel"),
        ("blocks", 9, "conv1,kernel,out 2,in 0", "where the layout has 'conv1,kernel,out 1,in 0'"),
        ("tidy", 5, "conv1,kernel,0,0,0,4,1", "line 5: 'conv1,kernel,0,0,0,4' where the layout"),
        ("matrix", 2, "1,2,3,4", "line 2: has 4 numbers; conv1/kernel has 5 in row 1"),
    ],
)  # fmt: skip
def test_wrong_lines_are_named(
    seed: Path, tmp_path: Path, layout: str, line: int, text: str, says: str
) -> None:
    model = netsheet.load(seed / "my_model.h5")
    path = tmp_path / "w.csv"
    write_csv(model, path, layout=layout, newline="lf")
    lines = path.read_text().split("\n")
    lines[line - 1] = text
    path.write_text("\n".join(lines))
    with pytest.raises(FormatError) as caught:
        import_csv(model, path, layout=layout)
    assert says in str(caught.value)


def test_a_csv_that_ends_early(seed: Path, tmp_path: Path) -> None:
    model = netsheet.load(seed / "my_model.h5")
    write_csv(model, tmp_path / "w.csv", layout="article")
    text = (tmp_path / "w.csv").read_text()
    (tmp_path / "w.csv").write_text("\n".join(text.splitlines()[:30]))
    with pytest.raises(FormatError, match="ends in conv2/kernel, before its row 5"):
        import_csv(model, tmp_path / "w.csv", layout="article")
    with pytest.raises(NetsheetError, match="no such file"):
        import_csv(model, tmp_path / "nothing.csv", layout="article")


# ------------------------------------------------------------------ copies of the model


def test_an_edited_csv_becomes_a_copy(seed: Path, tmp_path: Path) -> None:
    source = tmp_path / "net.h5"
    shutil.copyfile(seed / "my_model.h5", source)
    before = source.read_bytes()
    model = netsheet.load(source)
    write_csv(model, tmp_path / "w.csv", layout="article")
    edited = (tmp_path / "w.csv").read_text().replace("0.3024972", "0.5", 1)
    (tmp_path / "w.csv").write_text(edited)
    changed = by_dataset(model, import_csv(model, tmp_path / "w.csv", layout="article"))
    write_copy(model.path, changed, tmp_path / "new.h5")
    assert source.read_bytes() == before
    with h5py.File(source) as old, h5py.File(tmp_path / "new.h5") as new:
        different = []

        def compare(name: str, item: h5py.HLObject) -> None:
            assert dict(item.attrs).keys() == dict(new[name].attrs).keys()
            if isinstance(item, h5py.Dataset) and not np.array_equal(item[()], new[name][()]):
                different.append(name)

        old.visititems(compare)
        assert different == ["model_weights/conv1/conv1/kernel:0"]
        there = new[different[0]][()] != old[different[0]][()]
        assert there.sum() == 1
        assert new[different[0]][0, 0, 0, 0] == 0.5
    assert netsheet.load(tmp_path / "new.h5").training_config == model.training_config


def test_copy_of_a_keras_archive(shared: Path, tmp_path: Path) -> None:
    source = next(iter(sorted((shared / "corpus" / "open").glob("*.keras"))))
    model = netsheet.load(source)
    weight = next(w for la in model.layers.values() for w in la.weights.values())
    values = {weight.name: (weight.values * 2).astype(weight.values.dtype)}
    write_copy(source, by_dataset(model, values), tmp_path / "new.keras")
    again = netsheet.load(tmp_path / "new.keras")
    for layer in model.layers.values():
        for label, old in layer.weights.items():
            new = again.layers[layer.name].weights[label].values
            assert np.array_equal(new, old.values * 2 if old is weight else old.values)
    with zipfile.ZipFile(source) as old_zip, zipfile.ZipFile(tmp_path / "new.keras") as new_zip:
        assert old_zip.namelist() == new_zip.namelist()
        for name in old_zip.namelist():
            if name != "model.weights.h5":
                assert old_zip.read(name) == new_zip.read(name)


def test_bfloat16_is_rounded_to_nearest(tmp_path: Path) -> None:
    values = np.array([1.0, 1.0 + 2**-8, 1.0 + 3 * 2**-8, 3.14159, -2.7, np.nan], np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("w", data=np.zeros(6, np.uint16))
        stored.attrs["dtype"] = "bfloat16"
    write_copy(tmp_path / "a.h5", {"w": values}, tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5") as file:
        bits = file["w"][()].astype(np.uint32) << 16
    got = bits.view(np.float32)
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert np.array_equal(got, values.astype(ml_dtypes.bfloat16).astype(np.float32), equal_nan=True)


def test_copies_that_are_refused(seed: Path, tmp_path: Path) -> None:
    source = tmp_path / "net.h5"
    shutil.copyfile(seed / "my_model.h5", source)
    with h5py.File(source, "r+") as file:
        file["soft"] = h5py.SoftLink("/model_weights/conv1/conv1/bias:0")
        file["out"] = h5py.ExternalLink("other.h5", "/x")
    before = source.read_bytes()
    five = np.zeros(5, np.float32)
    for name in ("soft", "out", "nothing", "model_weights"):
        with pytest.raises(FormatError):
            write_copy(source, {name: five}, tmp_path / "new.h5")
    with pytest.raises(FormatError, match="5 values do not fit"):
        write_copy(source, {"model_weights/conv1/conv1/kernel:0": five}, tmp_path / "new.h5")
    with pytest.raises(NetsheetError, match="never changed"):
        write_copy(source, {}, source)
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["net.h5"]


def test_the_example_of_the_documentation(seed: Path, tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent / "docs" / "csv-layouts.md").read_text()
    toml = text.split("```toml\n")[1].split("```")[0]
    shown = text.split("```\n\nand gives")[1].split("```\n")[1].split("...\n")[0]
    model = netsheet.load(seed / "my_model.h5")
    layout = parse_layout(toml, "example")
    write_csv(model, tmp_path / "weights.csv", layout=layout, newline="lf")
    assert (tmp_path / "weights-conv1.csv").read_text().startswith(shown)
    assert len(import_csv(model, tmp_path / "weights.csv", layout=layout)) == 8
