"""What the summary says beyond shapes, against what Keras says of the same network."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

import netsheet
from netsheet.layers import activation
from netsheet.tables import text_table

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A functional network with a skip, statistics and a frozen layer."""
    layers = keras.layers
    x = first = layers.Input((9, 9, 2), name="image")
    x = layers.Conv2D(2, 3, padding="same", activation="leaky_relu", name="a")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Add(name="skip")([x, first])
    x = layers.MaxPooling2D((3, 2), strides=(2, 1), name="pool")(x)
    x = layers.Reshape((-1, 2), name="steps")(x)
    x = layers.Bidirectional(layers.GRU(3), name="both")(x)
    out = layers.Dense(4, "softmax", name="out")(x)
    model = keras.Model(first, out)
    model.get_layer("both").trainable = False
    path = tmp_path_factory.mktemp("summary") / "residual.keras"
    model.save(path)
    return path


def test_trainable_parameters_are_those_of_keras(residual: Path) -> None:
    theirs = keras.models.load_model(residual)
    ours = netsheet.load(residual)
    counted = sum(int(w.numpy().size) for w in theirs.trainable_weights)
    assert ours.trainable_params == counted
    assert ours.params == theirs.count_params()
    for row in ours.summary():
        if row.name in ours.layers:
            weights = theirs.get_layer(row.name).trainable_weights
            assert row.trainable == sum(int(w.numpy().size) for w in weights), row.name


def test_connections_kernels_and_activations(residual: Path) -> None:
    rows = {row.name: row for row in netsheet.load(residual).summary()}
    assert rows["skip"].inputs == ("norm", "image")
    assert rows["a"].details == {
        "kernel_size": (3, 3), "strides": (1, 1), "padding": "same", "activation": "leaky_relu",
    }  # fmt: skip
    assert rows["pool"].details["pool_size"] == (3, 2)
    assert rows["pool"].details["strides"] == (2, 1)
    printed = _summary(residual)
    assert "from norm, image" in printed
    assert "3×3, strides 1×1, same, leaky_relu" in printed
    theirs = keras.models.load_model(residual)
    frozen = theirs.count_params() - sum(int(w.numpy().size) for w in theirs.trainable_weights)
    assert f"Non-trainable: {frozen:,}" in printed


@pytest.mark.parametrize(
    "name", ["relu", "relu6", "silu", "elu", "selu", "gelu", "celu", "leaky_relu", "log_softmax",
             "tanh", "hard_silu", "hard_sigmoid", "log_sigmoid", "soft_shrink", "tanh_shrink"]
)  # fmt: skip
def test_functions_have_keras_names(name: str) -> None:
    from netsheet.read.keras.activation import ACTIVATIONS

    assert ACTIVATIONS[name](3).function_name == name
    assert activation.Softmax().function_name == "softmax"


def _summary(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "netsheet", "summary", str(path)],
        capture_output=True, text=True, encoding="utf-8", check=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    return done.stdout


def test_a_table_fits_a_terminal_of_eighty_columns(residual: Path) -> None:
    parent, child = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    done = subprocess.Popen(
        [sys.executable, "-m", "netsheet", "summary", str(residual)],
        stdout=child, env={**environment, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    os.close(child)
    text = b""
    try:
        while part := os.read(parent, 4096):
            text += part
    except OSError:  # the other end is closed
        pass
    assert done.wait() == 0
    lines = text.decode().splitlines()
    assert len(lines) > 10 and max(map(len, lines)) <= 60


def test_long_names_fold_and_wide_letters_count_twice() -> None:
    rows = [
        ("x" * 50, "1,234", "a reason of some words that has to be folded"),
        ("層の名前", "5", ""),
    ]
    lines = text_table([("name", "left"), ("n", "right"), ("why", "left")], rows, width=44)
    assert all(len(line) <= 44 for line in lines)
    assert "".join(re.findall("x+", "\n".join(lines))) == "x" * 50
    wide = next(line for line in lines if "層" in line)
    assert wide.index("5") == next(line for line in lines if "1,234" in line).index("4") - 4
