"""Which inputs are scaled by 1/255 and which are not, from the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import netsheet
from netsheet.data.datasets import read_dataset
from test_cli import output

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def activation(model: Any, array: np.ndarray[Any, Any], folder: Path) -> Any:
    """The last layer's output as the command writes it for a file of whole numbers."""
    model.save(folder / "m.keras")
    np.save(folder / "x.npy", array)
    from test_cli import run

    run("activations", folder / "m.keras", "-i", folder / "x.npy", "-o", folder / "a.npz")
    with np.load(folder / "a.npz") as found:
        return found[found.files[-1]]


def test_tokens_are_never_scaled(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(9, 3)])
    tokens = np.array([1, 8, 0, 3])
    found = activation(model, tokens, tmp_path)
    assert found == pytest.approx(np.asarray(model(tokens[None])))


@pytest.mark.parametrize("factor", [1 / 127.5, 2.0])
def test_pixels_are_left_to_a_network_that_scales_them(
    keras: Any, tmp_path: Path, factor: float
) -> None:
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Rescaling(factor)])
    pixels = np.full((2, 2, 1), 255)
    found = activation(model, pixels, tmp_path)
    assert found == pytest.approx(np.full((1, 2, 2, 1), 2.0), rel=1e-6)


def test_pixels_are_scaled_otherwise(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    found = activation(model, np.full((2, 2, 1), 51), tmp_path)
    assert found == pytest.approx(np.full((1, 4), 0.2))
    assert output("summary", tmp_path / "m.keras")["total_params"] == 0


def _first_layers(keras: Any) -> dict[str, list[Any]]:
    """What networks begin with that take pixels of 0 .. 255 as they are."""
    layers = keras.layers
    moved = layers.BatchNormalization(
        moving_mean_initializer=keras.initializers.Constant(120.0),
        moving_variance_initializer=keras.initializers.Constant(3600.0),
    )
    return {
        "augmentation": [
            layers.RandomFlip(),
            layers.RandomRotation(0.1),
            layers.Rescaling(1 / 255),
        ],
        "resizing": [layers.Resizing(4, 4), layers.Rescaling(1 / 127.5, offset=-1)],
        "padding": [layers.ZeroPadding2D(1), layers.Rescaling(1 / 255)],
        "statistics": [moved],
        "normalization": [layers.Normalization(mean=[100.0, 110.0, 120.0], variance=[3000.0] * 3)],
        "nested": [keras.Sequential([layers.RandomFlip(), layers.Rescaling(1 / 255)])],
    }


@pytest.mark.parametrize(
    "kind", ["augmentation", "resizing", "padding", "statistics", "normalization", "nested"]
)
def test_pixels_are_left_to_what_scales_them_anywhere_in_front(
    keras: Any, tmp_path: Path, kind: str
) -> None:
    front = _first_layers(keras)[kind]
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), *front, keras.layers.Conv2D(2, 3), keras.layers.Flatten()]
    )
    pixels = np.random.default_rng(1).integers(0, 256, (6, 6, 3), np.uint8)
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", pixels)
    ours = netsheet.load(tmp_path / "m.keras")
    wanted = np.asarray(model(pixels[None].astype("float32"), training=False))
    for given in (pixels[None], tmp_path / "x.npy"):
        assert ours.predict(given) == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert "scales pixels itself" in netsheet.read_input(tmp_path / "x.npy", ours).note


def test_operations_that_scale(keras: Any, tmp_path: Path) -> None:
    """As ``preprocess_input`` writes them into a graph: x / 127.5 - 1, or a mean taken away."""
    pixels = np.random.default_rng(2).integers(0, 256, (4, 4, 3), np.uint8)
    for scaled in (lambda x: x / 127.5 - 1.0, lambda x: x - np.array([104.0, 117.0, 124.0], "f4")):
        x = keras.Input((4, 4, 3))
        model = keras.Model(x, keras.layers.Conv2D(1, 4)(scaled(x)))
        found = activation(model, pixels, tmp_path)
        wanted = np.asarray(model(pixels[None].astype("float32")))
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_statistics_of_scaled_pixels_say_nothing(keras: Any, tmp_path: Path) -> None:
    small = keras.initializers.Constant(0.13)
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.BatchNormalization(moving_mean_initializer=small)]
    )
    found = activation(model, np.full((2, 2, 1), 51), tmp_path)
    assert found == pytest.approx(np.asarray(model(np.full((1, 2, 2, 1), 0.2))), rel=1e-5)


@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_numbers_of_a_table_stay(keras: Any, tmp_path: Path, dtype: str) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    row = np.array([6, 148, 72, 35]).astype(dtype)
    found = activation(model, row, tmp_path)
    assert found == pytest.approx(np.asarray(model(row[None].astype("float32"))), rel=1e-5)


def test_float_pixels_are_pixels(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    assert activation(model, np.full((2, 2, 1), 51.0), tmp_path) == pytest.approx(0.2)


def test_the_decision_does_not_depend_on_how_many_are_taken(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(1)])
    model.save(tmp_path / "m.keras")
    x = np.zeros((3, 64), int)
    x[0], x[2, 0] = 7, 900
    np.savez(tmp_path / "d.npz", x=x, y=np.zeros(3))
    losses = [
        output("evaluate", tmp_path / "m.keras", "--data", tmp_path / "d.npz", *limit)["samples"]
        for limit in ([], ["--limit", "1"])
    ]
    assert losses == [3, 1]
    one = read_dataset(tmp_path / "d.npz", netsheet.load(tmp_path / "m.keras"), limit=1)
    assert one.x.max() == 7
    assert "values from 0 to 900" in one.note


def test_fractions_for_an_input_of_an_integer_type_are_cut_off(keras: Any, tmp_path: Path) -> None:
    x = keras.Input((3,), dtype="int32")
    model = keras.Model(x, keras.layers.Flatten()(x))
    found = activation(model, np.array([0.5, 3.9, -0.5]), tmp_path)
    assert found.ravel().tolist() == [0, 3, 0]


def test_python_takes_pictures_as_the_command_line(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    pixels = np.random.default_rng(5).integers(0, 256, (4, 4), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    model.save(tmp_path / "m.keras")
    ours = netsheet.load(tmp_path / "m.keras")
    wanted = pixels.reshape(1, -1).astype("float32") / 255
    assert ours.predict(tmp_path / "p.png") == pytest.approx(wanted)
    (found,) = ours.activations(str(tmp_path / "p.png")).values()
    assert found == pytest.approx(wanted)
    assert ours.predict(pixels[None, ..., None]) == pytest.approx(wanted)  # uint8: as a picture
    assert ours.predict(pixels[None, ..., None].astype(float)) == pytest.approx(wanted * 255)
    assert "scaled by 1/255" in netsheet.read_input(tmp_path / "p.png", ours).note
    assert ours.to_excel(tmp_path / "net.xlsx", tmp_path / "p.png").formulas


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (1, 6, 5), (1, 6, 5, 1), (1, 1, 6, 5)])
def test_an_array_is_arranged_as_a_file_of_it_would_be(
    keras: Any, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    """One sample or several, with or without the axis of a single channel."""
    model = keras.Sequential([keras.Input((6, 5, 1)), keras.layers.Conv2D(2, 3)])
    model.save(tmp_path / "m.keras")
    x = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    net = netsheet.load(tmp_path / "m.keras")
    found = net.predict(x.reshape(shape))
    assert found == pytest.approx(np.asarray(model(x[None, ..., None])), abs=1e-6)
    pair = np.stack([x, -x])
    assert net.predict(pair)[:1] == pytest.approx(found, abs=1e-6)
    net.to_excel(tmp_path / "net.xlsx", x.reshape(shape))


def test_an_array_that_does_not_fit_is_refused_with_both_shapes(keras: Any, tmp_path: Path) -> None:
    keras.Sequential([keras.Input((6, 5, 1)), keras.layers.Conv2D(2, 3)]).save(tmp_path / "m.keras")
    net = netsheet.load(tmp_path / "m.keras")
    with pytest.raises(netsheet.NetsheetError, match=r"\(\?, 6, 5, 1\), not \(5, 6\)"):
        net.predict(np.zeros((5, 6)))
