"""Black on white for a network that knows white on black: one line, and silence elsewhere."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import netsheet
import warm_start
from netsheet.data import __file__ as data_room
from netsheet.data.arrays import read_idx
from netsheet.data.datasets import read_dataset
from netsheet.errors import InputWarning
from netsheet.model import Model

SAMPLE = Path(data_room).parent / "sample"
NETWORK = SAMPLE / "digits.h5"
IMAGES = SAMPLE / "digits" / "test-images-idx3-ubyte.gz"


@pytest.fixture(scope="module")
def network() -> Model:
    return netsheet.load(NETWORK)


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return read_idx(IMAGES)[..., None]


def said(read: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read()
    return [str(one.message) for one in caught if issubclass(one.category, InputWarning)]


def black_on_white(path: Path, picture: np.ndarray, mode: str = "L") -> Path:
    Image.fromarray(255 - picture[..., 0]).convert(mode).save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "1"])
def test_a_digit_on_white_paper_is_said(
    network: Model, digits: np.ndarray, tmp_path: Path, mode: str
) -> None:
    right = network.predict(digits).argmax(1)
    found = 0
    for number in range(20):
        path = black_on_white(tmp_path / f"{number}.png", digits[number], mode)
        lines = said(lambda path=path: netsheet.read_input(path, network))
        assert len(lines) <= 1
        if lines and mode != "1":  # of two colours the digit is coarser, and may be another
            assert f"class {right[number]} inverted" in lines[0]
        found += bool(lines)
    assert found >= 14  # a few are taken for the same digit either way


def test_the_published_digit_on_white_paper(seed: Path, tmp_path: Path) -> None:
    with Image.open(seed / "digit5.png") as digit:
        path = black_on_white(tmp_path / "5.png", np.asarray(digit.convert("L"))[..., None])
    published = netsheet.load(seed / "my_model.h5")
    (line,) = said(lambda: netsheet.read_input(path, published))
    assert "class 0 as it is, class 5 inverted" in line and "--invert" in line
    assert not said(lambda: netsheet.read_input(seed / "digit5.png", published))


def test_ordinary_pictures_are_passed_in_silence(
    network: Model, digits: np.ndarray, tmp_path: Path
) -> None:
    assert not said(lambda: network.predict(digits))
    assert not said(lambda: read_dataset(SAMPLE / "digits", network))
    photograph = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(photograph).save(tmp_path / "photo.png")
    white = np.full((28, 28), 255, np.uint8)
    Image.fromarray(white).save(tmp_path / "white.png")
    for path in (*SAMPLE.glob("*.png"), tmp_path / "photo.png", tmp_path / "white.png"):
        assert not said(lambda path=path: netsheet.read_input(path, network)), path


def test_every_way_to_read_pictures(network: Model, digits: np.ndarray, tmp_path: Path) -> None:
    inverted = 255 - digits
    number = next(n for n in range(20) if said(lambda n=n: network.predict(inverted[n : n + 1])))
    path = black_on_white(tmp_path / "one.png", digits[number])
    np.save(tmp_path / "one.npy", inverted[number])
    for name in (path, tmp_path / "one.npy"):
        assert said(lambda name=name: network.predict(str(name))), name
        assert said(lambda name=name: network.activations(name)), name
    y = read_idx(SAMPLE / "digits" / "test-labels-idx1-ubyte.gz")
    np.savez(tmp_path / "all.npz", x=inverted, y=y)
    (line,) = said(lambda: network.evaluate(str(tmp_path / "all.npz")))
    assert "mostly other classes" in line and "--invert" in line
    for digit in np.unique(y):
        (tmp_path / "folders" / str(digit)).mkdir(parents=True)
    for n in range(40):
        black_on_white(tmp_path / "folders" / str(y[n]) / f"{n}.png", digits[n])
    assert said(lambda: read_dataset(tmp_path / "folders", network))


def test_a_network_trained_on_black_on_white_decides_otherwise(
    digits: np.ndarray, tmp_path: Path
) -> None:
    """The same layers behind one that inverts: what is right for it is not warned of."""
    keras = pytest.importorskip("keras")
    inner = keras.models.load_model(NETWORK, compile=False)
    outer = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Rescaling(-1 / 255, offset=1.0), *inner.layers]
    )
    outer.save(tmp_path / "paper.keras")
    network = netsheet.load(tmp_path / "paper.keras")
    inverted = 255 - digits
    assert not said(lambda: network.predict(inverted))
    alone = sum(bool(said(lambda n=n: network.predict(inverted[n : n + 1])))
                for n in range(40))  # fmt: skip
    assert alone <= 3


def test_no_classes_no_word(tmp_path: Path, digits: np.ndarray) -> None:
    keras = pytest.importorskip("keras")
    made = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    made.save(tmp_path / "values.keras")
    network = netsheet.load(tmp_path / "values.keras")
    assert not said(lambda: network.predict(255 - digits))


@pytest.mark.parametrize("command", ["predict", "activations", "excel", "c", "page"])
def test_the_commands_say_it_in_one_line(
    command: str, network: Model, digits: np.ndarray, tmp_path: Path
) -> None:
    inverted = 255 - digits
    number = next(n for n in range(20) if said(lambda n=n: network.predict(inverted[n : n + 1])))
    path = black_on_white(tmp_path / "one.png", digits[number])
    output = {"excel": ["-o", "o.xlsx"], "c": ["-o", "o"], "page": ["-o", "o.html"]}
    for options, expected in (([], 1), (["--invert"], 0)):
        words = [command, NETWORK, "--input", path, *output.get(command, []), *options]
        done = warm_start.netsheet(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stderr.splitlines() if "--invert" in line]
        assert len(lines) == expected, done.stderr
        assert "Traceback" not in done.stderr
