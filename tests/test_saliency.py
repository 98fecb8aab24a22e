"""The gradient of a class for the input, and Grad-CAM, against Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
import warm_start
from netsheet.equations import FloatArray
from netsheet.errors import UnsupportedError, UsageError

LABEL = 2


def _network(keras: Any) -> Any:
    """Two convolutions, a pooling and a softmax: the score is what that gets."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    return keras.Sequential([
        keras.Input((12, 10, 2)), layers.Conv2D(3, 3, activation="relu", name="first"),
        layers.Conv2D(4, 3, padding="same", activation="tanh", name="last"),
        layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(5, activation="softmax"),
    ])  # fmt: skip


def _expected(model: Any, x: FloatArray, layer: str) -> tuple[FloatArray, FloatArray]:
    """By tf.GradientTape, the last layer's activation taken off (as Keras's own example does)."""
    import tensorflow as tf

    model.layers[-1].activation = None
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = given
        for each in model.layers:
            value = each(value)
            if each.name == layer:
                maps = value
        score = tf.reduce_sum(value[:, LABEL])
    of_input, of_maps = tape.gradient(score, [given, maps])
    weights = of_maps.numpy().mean(axis=(1, 2), keepdims=True)
    return of_input.numpy(), np.maximum((maps.numpy() * weights).sum(-1), 0)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Any, Any, Path, FloatArray]:
    pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    model = _network(keras)
    model.save(tmp_path / "net.keras")
    x = np.random.default_rng(2).normal(size=(3, 12, 10, 2)).astype(np.float32)
    return keras, model, tmp_path / "net.keras", x


@pytest.mark.parametrize("layer", ["first", "last", None])
def test_keras(saved: tuple[Any, Any, Path, FloatArray], layer: str | None) -> None:
    _, model, path, x = saved
    got = netsheet.load(path).saliency(x, LABEL, layer)
    expected = _expected(model, x, layer or "last")
    for ours, theirs in zip((got["saliency"], got["grad_cam"]), expected, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(theirs).max() > 0
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_refused(saved: tuple[Any, Any, Path, FloatArray]) -> None:
    keras, _, path, x = saved
    model = netsheet.load(path)
    with pytest.raises(UsageError, match="no class 5"):
        model.saliency(x, 5)
    with pytest.raises(UsageError, match="no layer 'third'"):
        model.saliency(x, 1, "third")
    with pytest.raises(UsageError, match="has no feature maps"):
        model.saliency(x, 1, list(model.layers)[-1])
    pictures = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3)])
    pictures.save(path)
    with pytest.raises(UnsupportedError, match="saliency is of one class"):
        netsheet.load(path).saliency(np.zeros((1, 4, 4, 1), np.float32), 0)


def _run(*arguments: str) -> str:
    done = warm_start.netsheet(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_command_line(saved: tuple[Any, Any, Path, FloatArray]) -> None:
    _, _, path, x = saved
    expected = netsheet.load(path).saliency(x[:1], LABEL)
    np.save(path.with_name("x.npy"), x[:1])
    asked = ["activations", str(path), "--input", str(path.with_name("x.npy"))]
    asked += ["--saliency", str(LABEL)]
    _run(*asked, "-o", str(path.with_name("out.npz")))
    with np.load(path.with_name("out.npz")) as written:
        for name, values in expected.items():
            assert np.array_equal(written[name], values)
    assert set(json.loads(_run(*asked, "--json"))) == {"saliency", "grad_cam"}
    _run(*asked, "-o", str(path.with_name("out.png")))
    assert path.with_name("out.png").read_bytes().startswith(b"\x89PNG")


def test_drawn_over_the_picture(tmp_path: Path) -> None:
    """Where nothing hangs on a pixel, the picture is seen; where most does, the colour alone."""
    from netsheet.equations import Tensor
    from netsheet.write.pictures.draw import VALUES, ground_of, laid_over

    picture = np.zeros((3, 2, 1), np.float32)
    picture[0] = 1
    ground = ground_of(Tensor("x", ("height", "width", "channel"), (3, 2, 1)), picture)
    assert ground is not None and ground.tolist() == [[255, 255], [0, 0], [0, 0]]
    values = np.array([[0, 4], [0, -4], [2, 0]], np.float32)
    drawn = laid_over(values, ground, -4.0, 4.0)
    assert drawn[0, 0].tolist() == [255] * 3 and drawn[1, 0].tolist() == [0] * 3
    assert tuple(drawn[0, 1]) == VALUES[1] and tuple(drawn[1, 1]) == VALUES[0]
    assert np.abs(drawn[2, 0] - np.array(VALUES[1]) / 2).max() <= 1
    assert laid_over(values[:1, :1], ground, -4.0, 4.0).shape == (3, 2, 3)
    assert ground_of(Tensor("x", ("time",), (3,)), np.zeros(3, np.float32)) is None


def test_tokens_have_no_slope(tmp_path: Path) -> None:
    """Zeros for every token would read as if none of them mattered."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.Sequential([
        keras.Input((6,), dtype="int32"), layers.Embedding(9, 4, mask_zero=True), layers.GRU(3),
        layers.Dense(2, activation="softmax"),
    ]).save(tmp_path / "words.keras")  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"class 1 has no slope .*\(tokens\)"):
        netsheet.load(tmp_path / "words.keras").saliency(np.array([[1, 2, 3, 4, 0, 0]]), 1)


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
def test_a_single_output(activation: str, tmp_path: Path) -> None:
    """A sigmoid gives the share of class 1; of class 0 the opposite is true."""
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(2)
    model = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(3, activation="tanh"),
        keras.layers.Dense(1, activation=activation),
    ])  # fmt: skip
    model.save(tmp_path / "net.keras")
    ours = netsheet.load(tmp_path / "net.keras")
    x = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        y = model(given)
        score = tf.math.log(y / (1 - y)) if activation == "sigmoid" else y
    expected = tape.gradient(score, given).numpy()
    first = ours.saliency(x, 0)["saliency"]
    if activation == "linear":
        assert np.abs(first - expected).max() < 1e-4 * np.abs(expected).max()
        with pytest.raises(UsageError, match="no class 1"):
            ours.saliency(x, 1)
        return
    assert np.abs(first + expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(ours.saliency(x, 1)["saliency"] - expected).max() < 1e-4 * np.abs(expected).max()
    with pytest.raises(UsageError, match="no class 2"):
        ours.saliency(x, 2)
