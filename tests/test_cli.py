"""Commands, run as a user runs them, against what was published for the seed network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import netsheet
from netsheet.data import __file__ as data_room


def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """``netsheet`` with these arguments; fails unless it exits with ``code``."""
    done = subprocess.run(
        [sys.executable, "-m", "netsheet", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def output(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def network(seed: Path) -> Path:
    return seed / "my_model.h5"


@pytest.fixture(scope="module")
def published(seed: Path) -> Any:
    return json.loads((seed / "published.json").read_text())


def test_summary_is_the_published_one(network: Path, published: Any) -> None:
    found = output("summary", network)
    keys = ("name", "type", "output_shape", "params")
    assert [{key: layer[key] for key in keys} for layer in found["layers"]] == published["summary"]
    assert found["total_params"] == published["total_params"] == 650
    assert found["total_macs"] == 67_901


def test_summary_fits_a_terminal(network: Path) -> None:
    lines = run("summary", network).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "Parameters: 650   Multiply-accumulates: 67,901"


def test_evaluate_gives_the_published_figures(network: Path, published: Any, shared: Path) -> None:
    found = output("evaluate", network, "--data", shared / "data" / "mnist")
    assert found["samples"] == 10_000
    assert found["accuracy"] == pytest.approx(published["evaluate"]["accuracy"], abs=1e-6)
    assert found["loss"] == pytest.approx(published["evaluate"]["loss"], rel=1e-5)


def test_weights_in_both_orders_of_axes(network: Path, tmp_path: Path) -> None:
    kernel = output("weights", network, "conv1", "--axes", "original")["conv1"]["kernel"]
    assert kernel["shape"] == [4, 4, 1, 5]
    turned = output("weights", network, "conv1", "--axes", "channels-first")["conv1"]["kernel"]
    assert turned["shape"] == [5, 1, 4, 4]
    expected = np.array(kernel["values"]).transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(turned["values"], expected)
    run("weights", network, "conv1", "--plot", tmp_path / "kernels.png")
    assert (tmp_path / "kernels.png").read_bytes().startswith(b"\x89PNG")


def test_a_layers_weights_are_planes_with_numbered_rows(network: Path) -> None:
    lines = run("weights", network, "conv1").stdout.splitlines()
    at = lines.index("out 3, in 0")
    kernel = np.array(output("weights", network, "conv1")["conv1"]["kernel"]["values"])
    assert lines[at + 1].split() == ["0", "1", "2", "3"]
    rows = [line.split() for line in lines[at + 2 : at + 6]]
    assert [row[0] for row in rows] == ["0", "1", "2", "3"]
    seen = np.array([row[1:] for row in rows], np.float32)
    np.testing.assert_array_equal(seen, kernel[:, :, 0, 3].astype(np.float32))


def test_gates_are_named_and_many_numbers_end_with_a_word(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    net = keras.Sequential([keras.Input((3, 2)), keras.layers.LSTM(120, name="memory")])
    net.save(tmp_path / "net.keras")
    printed = run("weights", tmp_path / "net.keras", "memory").stdout
    assert printed.count("i 0") == printed.count("o 119") == 3  # kernel, recurrent kernel, bias
    assert "... and 48,000 more numbers" in printed  # 120 x 480 in all, 20 rows of them shown


def test_an_order_of_names_is_taken_by_the_bias_too(network: Path) -> None:
    found = output("weights", network, "conv1", "--axes", "out,in,width,height")["conv1"]
    assert found["kernel"]["axes"] == ["out", "in", "width", "height"]
    assert found["bias"]["axes"] == ["out"]


def test_activations_are_the_published_ones(
    network: Path, published: Any, seed: Path, tmp_path: Path
) -> None:
    target = tmp_path / "acts.npz"
    run("activations", network, "--input", seed / "digit5.png", "-o", target)
    with zipfile.ZipFile(target) as archive:  # to compress takes longer than to compute
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_STORED}
    found = np.load(target)
    for name, values in published["activations_for_digit5"].items():
        expected = np.array(values, float)
        got = found[name].reshape(expected.shape)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize("kind", ["csv", "json", "png"])
def test_activations_in_other_formats(network: Path, seed: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / f"acts.{kind}"
    run("activations", network, "-i", seed / "digit5.png", "--layer", "conv3", "-o", target)
    if kind == "json":
        assert json.loads(target.read_text())["conv3"]["shape"] == [1, 3, 3, 3]
    elif kind == "csv":
        assert len(target.read_text().splitlines()) == 1 + 27
    else:
        assert target.read_bytes().startswith(b"\x89PNG")


def test_equations_name_real_sizes(network: Path) -> None:
    shown = run("equations", network, "conv1").stdout
    assert "sum(u, v, i) input_1[i, y + u, x + v] * kernel[u, v, i, c] + bias[c]" in shown
    assert "c = 0..4, y = 0..24, x = 0..24; u = 0..3, v = 0..3" in shown
    assert r"\sum_{u,v,i}" in run("equations", network, "conv1", "--latex").stdout


def test_csv_is_the_published_file(network: Path, seed: Path, tmp_path: Path) -> None:
    target = tmp_path / "weights.csv"
    run("csv", network, "-o", target, "--layout", "article", "--newline", "lf")
    assert target.read_bytes() == (seed / "weight_bias_published.csv").read_bytes()


def test_edited_csv_comes_back_as_a_model(network: Path, tmp_path: Path) -> None:
    table, copy = tmp_path / "tidy.csv", tmp_path / "new.h5"
    run("csv", network, "-o", table, "--layout", "tidy")
    text = table.read_bytes().decode()
    row = next(line for line in text.split("\r\n") if line.startswith("conv1,bias"))
    edited = row.rsplit(",", 1)[0] + ",0.125"
    table.write_bytes(text.replace(row, edited).encode())
    run("csv", network, "--import", table, "--layout", "tidy", "-o", copy)
    assert output("weights", copy, "conv1")["conv1"]["bias"]["values"][0] == 0.125
    assert output("weights", copy, "conv2") == output("weights", network, "conv2")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["summary", "missing.h5"], 2, "no such file"),
        (["weights", "NETWORK", "conv9"], 2, "layers are: conv1"),
        (["activations", "NETWORK"], 2, "--input"),
        (["verify", "NETWORK", "--target", "paper"], 2, "targets are excel"),
        (["activations", "NETWORK", "-i", "missing.png"], 1, "no such file"),
        (["csv", "NETWORK", "-o", "/no/such/folder/w.csv"], 1, "no folder"),
        (["evaluate", "NETWORK", "--data", "nowhere"], None, "nowhere"),
    ],
)
def test_mistakes_get_a_sentence(
    network: Path, arguments: list[str], code: int | None, words: str
) -> None:
    real = [str(network) if word == "NETWORK" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "netsheet", *real], capture_output=True, text=True, check=False
    )
    assert done.returncode in ((code,) if code is not None else (1, 2))
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_summary_import_nothing_heavy(network: Path) -> None:
    code = (
        "import sys, netsheet.cli.app, netsheet; m = netsheet.load(sys.argv[1]); m.summary();"
        "print([n for n in ('onnxruntime', 'onnx', 'PIL', 'ironcalc') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(network)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_is_read_is_not_overwritten(network: Path, seed: Path, tmp_path: Path) -> None:
    model, picture = tmp_path / "model.h5", tmp_path / "digit5.png"
    shutil.copy(network, model)
    shutil.copy(seed / "digit5.png", picture)
    before = model.read_bytes(), picture.read_bytes()
    for arguments in (
        ["csv", model, "-o", model],
        ["onnx", model, "-o", model],
        ["weights", model, "--plot", model],
        ["activations", model, "--input", picture, "-o", picture],
        ["activations", model, "--input", f"{picture}#0", "-o", picture],
    ):
        assert "would be overwritten" in run(*arguments, code=2).stderr
    edited = tmp_path / "edited.csv"
    run("csv", model, "-o", edited)
    run("csv", model, "--import", edited, "-o", edited, code=2)
    assert before == (model.read_bytes(), picture.read_bytes())


@pytest.fixture
def open_model(tmp_path: Path) -> Path:
    """A network of one convolution, with Japanese names, that takes pictures of any size."""
    names = {"input": "写真", "layer": "畳み込み😀"}
    layers = [
        {"class_name": "InputLayer", "config": {
            "name": names["input"], "batch_input_shape": [None, None, None, 1]}},
        {"class_name": "Conv2D", "config": {
            "name": names["layer"], "filters": 1, "kernel_size": [2, 2], "use_bias": False}},
    ]  # fmt: skip
    config = {"class_name": "Sequential", "config": {"name": "open", "layers": layers}}
    path = tmp_path / "open.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.15.0"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [name.encode() for name in names.values()]
        weights.create_group(names["input"]).attrs["weight_names"] = []
        layer = weights.create_group(names["layer"])
        layer.attrs["weight_names"] = [b"kernel:0"]
        layer["kernel:0"] = np.ones((2, 2, 1, 1), np.float32)
    return path


def test_open_sizes_come_from_inputs_of_one_size(open_model: Path, tmp_path: Path) -> None:
    small, large = tmp_path / "small.npy", tmp_path / "large.npy"
    np.save(small, np.ones((3, 4, 1), np.float32))
    np.save(large, np.ones((5, 4, 1), np.float32))
    assert "y = 0..1, x = 0..2" in run("equations", open_model, "-i", small).stdout
    for command in ("activations", "verify --target onnx", "verify --target c"):
        name, *rest = command.split()
        done = run(name, open_model, *rest, "-i", small, "-i", large, code=2)
        assert "give inputs of one size" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932", "utf-8"])
def test_names_in_an_output_without_their_letters(open_model: Path, encoding: str) -> None:
    def printed(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "netsheet", *map(str, arguments)],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode(encoding)

    layers = json.loads(printed("summary", open_model, "--json"))["layers"]
    assert [layer["name"] for layer in layers] == ["畳み込み😀"]
    for arguments in (["summary", open_model], ["weights", open_model]):
        assert "畳み込み".encode(encoding, "backslashreplace").decode(encoding) in printed(
            *arguments
        )


def test_classes_are_the_lines_of_a_file(network: Path, seed: Path, tmp_path: Path) -> None:
    import openpyxl

    names = ["hot dog", *"abcdefghi"]
    (tmp_path / "names.txt").write_text("\n".join(names), "utf-8")
    book, digit = tmp_path / "net.xlsx", seed / "digit5.png"
    run("excel", network, "-i", digit, "-o", book, "--classes", tmp_path / "names.txt")
    sheet = openpyxl.load_workbook(book)["Overview"]
    assert set(names) <= {str(cell.value) for row in sheet.iter_rows() for cell in row}
    done = run("excel", network, "-i", digit, "-o", book, "--classes", "none.txt", code=2)
    assert "none.txt" in done.stderr


@pytest.mark.parametrize("arguments", [["summary"], ["weights"], ["equations"]])
def test_a_reader_may_leave(network: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-u", "-m", "netsheet", *arguments, str(network)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_names_for_every_class(network: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.xlsx"
    done = run("excel", network, "--classes", "cat,dog", "-o", target, code=2)
    assert "2 names for 10 outputs" in done.stderr and not target.exists()


DIGITS = str(Path(data_room).parent / "sample" / "digits.h5")


@pytest.mark.parametrize("arguments, expected", [
    (["sumary", "x.h5"], "there is no command 'sumary'; did you mean 'summary'?"),
    (["excel", "x.h5"], "missing option '--output' / '-o'; see netsheet excel --help"),
    (["summary"], "missing argument 'MODEL'; see netsheet summary --help"),
    (["c", "x.h5", "--targt", "plain"], "no such option: --targt (did you mean --target?)"),
    (["explain", DIGITS, "conv", "3,4,0", "-i", "1.png", "-i", "2.png"], "one --input apart"),
])  # fmt: skip
def test_a_wrong_call_gets_one_line(arguments: list[str], expected: str) -> None:
    said = run(*arguments, code=2).stderr
    assert said.startswith("netsheet: ")
    assert said.count("\n") == 1
    assert expected in said


def test_a_file_alone_is_summed_up() -> None:
    sample = Path(netsheet.__file__).parent / "data/sample/digits.h5"
    assert run(sample).stdout == run("summary", sample).stdout
