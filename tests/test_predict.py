"""What netsheet predict prints, against ONNX Runtime's outputs and the published class."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import warm_start
from netsheet.data import __file__ as data_room

SAMPLE = Path(data_room).parent / "sample"
NETWORK = SAMPLE / "digits.h5"


def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = warm_start.netsheet(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_picture_is_its_digit_with_bars() -> None:
    lines = run("predict", NETWORK, "-i", SAMPLE / "digit5.png").stdout.splitlines()
    name, share, percent = lines[0].split()
    assert (name, percent) == ("5", "%") and 50 < float(share) <= 100
    bars = [line.split() for line in lines[2:]]
    assert len(bars) == 5 and bars[0][:2] == ["5", share]
    shares = [float(bar[1]) for bar in bars]
    assert shares == sorted(shares, reverse=True)
    assert max(map(len, lines)) <= 80


def test_json_has_all_classes_and_they_are_keras_numbers() -> None:
    keras = pytest.importorskip("keras")
    pillow = pytest.importorskip("PIL.Image")
    (found,) = json.loads(run("predict", NETWORK, "-i", SAMPLE / "digit7.png", "--json").stdout)
    pixels = np.asarray(pillow.open(SAMPLE / "digit7.png").convert("L"), np.float32) / 255
    model = keras.models.load_model(NETWORK, compile=False)
    shape = model.inputs[0].shape[1:]
    try:
        expected = np.asarray(model(pixels.reshape(1, *shape)))[0]
    except Exception:
        pytest.skip("this Keras does not compute channels_first convolutions on a CPU")
    assert found["class"] == "7" and found["index"] == int(expected.argmax())
    by_index = sorted(found["classes"], key=lambda one: one["index"])
    np.testing.assert_allclose([one["probability"] for one in by_index], expected, atol=1e-5)


def test_several_inputs_are_a_table_with_names() -> None:
    names = "zero,one,two,three,four,five,six,seven,eight,nine"
    pictures = [f"--input={SAMPLE / f'digit{n}.png'}" for n in (0, 3, 5, 7)]
    out = run("predict", NETWORK, *pictures, "--classes", names).stdout
    for file, name in [("digit0", "zero"), ("digit3", "three"), ("digit5", "five")]:
        (line,) = [line for line in out.splitlines() if line.strip().startswith(file)]
        assert line.split()[1] == name
    labelled = run("predict", NETWORK, "--data", SAMPLE / "digits", "--samples", 20).stdout
    assert "label" in labelled and "of 20 as labelled." in labelled


def test_activations_end_with_the_prediction(tmp_path: Path) -> None:
    picture = SAMPLE / "digit5.png"
    last = run("activations", NETWORK, "-i", picture).stdout.splitlines()[-1]
    assert last.startswith("5  ") and last.endswith(" %")
    written = run("activations", NETWORK, "-i", picture, "-o", tmp_path / "a.npz")
    assert written.stderr.splitlines()[-1] == last


def test_usage_is_one_line() -> None:
    assert "--input" in run("predict", NETWORK, code=2).stderr
    said = run("predict", NETWORK, "-i", SAMPLE / "digit5.png", "--classes", "a,b", code=2).stderr
    assert "2 names for 10 outputs" in said


def written(path: Path, loss: Any = None) -> Path:
    """A file of one linear Dense, as Keras writes it."""
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, name="out")])
    if loss is not None:
        model.compile(loss=loss)
    model.save(path)
    return path


@pytest.mark.parametrize("loss", [None, "crossentropy"])
def test_a_regression_has_values_and_logits_no_percent(tmp_path: Path, loss: str | None) -> None:
    keras = pytest.importorskip("keras")
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    file = written(tmp_path / "m.h5", logits if loss else "mse")
    np.save(tmp_path / "x.npy", np.array([1, 2, 3, 4.5], np.float32))
    expected = keras.models.load_model(file, compile=False)(np.array([[1, 2, 3, 4.5]], np.float32))[
        0
    ]
    out = run("predict", file, "-i", tmp_path / "x.npy").stdout
    assert "%" not in out
    if loss is None:
        numbers = [float(line.split()[1]) for line in out.splitlines()[1:]]
        np.testing.assert_allclose(numbers, np.asarray(expected), rtol=1e-6)
    else:
        assert out.split()[0] == str(int(np.argmax(expected)))
    (found,) = json.loads(run("predict", file, "-i", tmp_path / "x.npy", "--json").stdout)
    np.testing.assert_allclose(found["outputs"]["out"], np.asarray(expected), rtol=1e-6)
    text = run("predict", file, "-i", tmp_path / "x.npy", "--json").stdout
    assert all(len(repr(value)) <= 13 for value in found["outputs"]["out"]), text


def test_the_column_of_labels_is_asked_for_everywhere(tmp_path: Path) -> None:
    rows = "\n".join(",".join(["0"] * 784 + [str(n)]) for n in (3, 7))
    (tmp_path / "d.csv").write_text(
        ",".join([*(f"p{n}" for n in range(784)), "digit"]) + f"\n{rows}\n"
    )
    for column in ("digit", "last"):
        done = run("predict", NETWORK, "--data", tmp_path / "d.csv", "--label", column)
        assert [line.split()[2] for line in done.stdout.splitlines() if "#" in line] == ["3", "7"]
    for command in ("predict", "activations", "evaluate"):
        wrong = run(command, NETWORK, "--data", tmp_path / "d.csv", "--label", "none", code=2)
        assert "none" in wrong.stderr and len(wrong.stderr.splitlines()) == 1
