"""A page that learns: its steps of gradient descent are Keras's, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.errors import NetsheetError, UnsupportedError, UsageError
from netsheet.write.page import page_html, to_page
from netsheet.write.page.learning import PageLearning

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
SCRIPT = Path(__file__).with_name("page_learning.js")
node = pytest.mark.skipif(not shutil.which("node"), reason="there is no node")


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def taught(page: Path, examples: list[Any], rate: float, steps: int) -> dict[str, Any]:
    """What the page's own code makes of examples (inputs and what is given), in Node."""
    lessons = page.with_suffix(".json")
    lessons.write_text(json.dumps({"rate": rate, "steps": steps, "examples": examples}))
    done = subprocess.run(
        ["node", str(SCRIPT), str(page), str(lessons)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def picture_classes(k: Any) -> Any:
    return [
        k.Input((9, 8, 1)),
        k.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        k.layers.MaxPooling2D(2),
        k.layers.Flatten(),
        k.layers.Dense(3, activation="softmax"),
    ]


def normalised_mean(k: Any) -> Any:
    """A sum over rows and columns with one number a channel: no loop of it can be jammed."""
    normal = k.layers.BatchNormalization(trainable=False)
    return [
        k.Input((8, 8, 2)),
        k.layers.Conv2D(8, 3),
        normal,
        k.layers.Activation("tanh"),
        k.layers.GlobalAveragePooling2D(),
        k.layers.Dense(2, activation="softmax"),
    ]


def tokens(k: Any) -> Any:
    return [
        k.Input((5,)),
        k.layers.Embedding(11, 4),
        k.layers.LSTM(3),
        k.layers.Dense(1, activation="sigmoid"),
    ]


def again(k: Any) -> Any:
    return [k.Input((6,)), k.layers.Dense(3, activation="tanh"), k.layers.Dense(6)]


def values(k: Any) -> Any:
    return [k.Input((4, 3)), k.layers.GRU(5), k.layers.Dense(2)]


CASES: dict[str, tuple[Callable[[Any], Any], str, str, Any]] = {
    "class": (picture_classes, "categorical_crossentropy", "class", 2),
    "normalised": (normalised_mean, "sparse_categorical_crossentropy", "class", 1),
    "number": (tokens, "binary_crossentropy", "number", 1),
    "input": (again, "mean_squared_error", "input", None),
    "values": (values, "huber", "values", [0.5, -2.0]),
}


@node
@pytest.mark.parametrize("case", CASES)
def test_steps_are_keras_steps(case: str, keras: Any, tmp_path: Path) -> None:
    layers, loss, asked, answer = CASES[case]
    keras.utils.set_random_seed(4)
    model = keras.Sequential(layers(keras))
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss=loss)
    model.save(tmp_path / "net.keras")
    random = np.random.default_rng(2)
    shape = (2, *model.input_shape[1:])
    x = random.normal(size=shape).astype(np.float32)
    if case == "number":
        x = random.integers(0, 11, shape).astype(np.float32)
    page = tmp_path / "net.html"
    to_page(netsheet.load(tmp_path / "net.keras"), page, learn=PageLearning())
    given = {"class": [answer], "number": [answer], "input": [], "values": answer}[asked]
    found = taught(page, [[[one.reshape(-1).tolist()], given] for one in x], 0.05, 3)
    wanted = []
    for _ in range(3):
        for one in x:
            y = {"class": np.array([answer]), "input": one[None]}.get(asked, np.array([given]))
            if loss == "categorical_crossentropy":
                y = np.eye(3)[y]
            wanted.append(float(model.train_on_batch(one[None], y)))
            model.reset_metrics()
    assert [float(one) for one in found["losses"]] == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    for layer in model.layers:
        for variable in layer.variables:
            if variable.dtype != "float32":
                continue
            name = next(n for n in found["weights"] if n.split("/")[0] == layer.name
                        and n.endswith(f"/{variable.path.rpartition('/')[2]}"))  # fmt: skip
            mine = np.array(found["weights"][name]).reshape(variable.shape)
            np.testing.assert_allclose(mine, variable.numpy(), atol=2e-5)
    assert found["restored"]


@node
def test_a_rate_that_diverges_leaves_the_weights(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential(again(keras))
    model.save(tmp_path / "net.keras")
    to_page(netsheet.load(tmp_path / "net.keras"), tmp_path / "net.html", learn=PageLearning("mse"))
    found = taught(tmp_path / "net.html", [[[[1e10] * 6], []]], 1e30, 2)
    assert found["losses"] == ["NaN", "NaN"]
    for variable in model.layers[0].weights:
        name = f"{model.layers[0].name}/{variable.name}"
        assert found["weights"][name] == variable.numpy().reshape(-1).tolist()


def test_what_cannot_learn_is_refused(keras: Any, tmp_path: Path, shared: Path) -> None:
    no_loss = keras.Sequential(again(keras))
    no_loss.save(tmp_path / "net.keras")
    model = netsheet.load(tmp_path / "net.keras")
    with pytest.raises(UsageError, match="loss"):
        page_html(model, learn=PageLearning())
    with pytest.raises(UsageError, match="no loss 'hing'"):
        page_html(model, learn=PageLearning("hing"))
    with pytest.raises(UsageError, match="--rate must be more than 0"):
        PageLearning(rate=0)
    whole = netsheet.load(next((shared / "models/tflite").rglob("*int8*.tflite")))
    with pytest.raises(UnsupportedError, match="whole numbers"):
        page_html(whole, learn=PageLearning("mse"))
    x = keras.Input((4,))
    keras.Model(x, [keras.layers.Dense(2)(x), keras.layers.Dense(2)(x)]).save(
        tmp_path / "two.keras"
    )
    with pytest.raises(NetsheetError, match="has 2 outputs: what learns"):
        page_html(netsheet.load(tmp_path / "two.keras"), learn=PageLearning("mse"))
