"""C that learns on the device: each step is Keras's, on this computer and on an emulated board."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.data.inputs import read_input
from netsheet.errors import UnsupportedError, UsageError
from netsheet.verify.engines.c_board import firmware, run_firmware
from netsheet.write.c import to_c
from netsheet.write.c.learning import CLearning
from netsheet.write.c.library import library
from test_c_board import SAMPLE, SAY

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
COMPILER = shutil.which("gcc") or shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
STRICT = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror",
          "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]  # fmt: skip


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def picture(k: Any) -> Any:
    return [k.Input((9, 8, 1)), k.layers.Conv2D(4, 3, strides=2, activation="relu", name="conv"),
            k.layers.Flatten(), k.layers.Dense(6, activation="tanh", name="hidden"),
            k.layers.Dense(3, activation="softmax", name="answer")]  # fmt: skip


def regression(k: Any) -> Any:
    return [k.Input((5, 2)), k.layers.GRU(4, name="memory"), k.layers.Dense(1, name="answer")]


def two_values(k: Any) -> Any:
    return [k.Input((6,)), k.layers.Dense(5, activation="gelu", name="hidden"),
            k.layers.Dense(2, name="answer")]  # fmt: skip


def again(k: Any) -> Any:
    return [k.Input((6,)), k.layers.Dense(3, activation="tanh"), k.layers.Dense(6, name="answer")]


CASES: dict[str, tuple[Callable[[Any], Any], str, tuple[str, ...], Any]] = {
    "last": (picture, "categorical_crossentropy", ("answer",), 2),
    "two dense": (picture, "categorical_crossentropy", ("hidden", "answer"), 1),
    "convolution": (picture, "sparse_categorical_crossentropy", ("conv",), 0),
    "number": (regression, "mean_squared_error", ("answer",), -1.5),
    "recurrent": (regression, "huber", ("memory", "answer"), 3.0),
    "values": (two_values, "mean_absolute_error", ("hidden", "answer"), [0.5, -2.0]),
    "itself": (again, "mean_squared_error", ("answer",), None),
}
MAIN = """#include "net.h"
#include <stdio.h>
static const float x[2][{size}] = {{{inputs}}};
int main(void)
{{
    float loss;
    for (int n = 0; n < 6; n++) {{
        if (net_learn(x[n % 2]{answer}, 0.05f, &loss))
            return 1;
        printf("%.9g\\n", (double)loss);
    }}
{prints}
    return 0;
}}
"""


def answered(answer: Any) -> str:
    if answer is None:
        return ""
    if isinstance(answer, list):
        return f", (const float[]){{{', '.join(f'{one}f' for one in answer)}}}"
    return f", {answer}f" if isinstance(answer, float) else f", {answer}"


@pytest.mark.parametrize("case", CASES)
def test_six_steps_are_keras_steps(case: str, keras: Any, tmp_path: Path) -> None:
    layers, loss, chosen, answer = CASES[case]
    keras.utils.set_random_seed(6)
    model = keras.Sequential(layers(keras))
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss=loss)
    model.save(tmp_path / "net.keras")
    for layer in model.layers:
        layer.trainable = layer.name in chosen
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss=loss)
    x = np.random.default_rng(2).normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    ours = netsheet.load(tmp_path / "net.keras")
    to_c(ours, tmp_path, learn=CLearning(chosen))
    arrays = library(ours, learn=CLearning(chosen)).ram
    prints = "\n".join(
        f'    for (int i = 0; i < {a.weight.size}; i++) printf("%.9g\\n", (double){a.name}[i]);'
        for a in arrays
    )
    rows = ", ".join(
        f"{{{', '.join(f'{v!r}f' for v in one.reshape(-1).astype(float).tolist())}}}" for one in x
    )
    text = MAIN.format(size=x[0].size, inputs=rows, answer=answered(answer), prints=prints)
    (tmp_path / "main.c").write_text(text)
    sources = ["net.c", "net_learn.c", "net_weights.c", "-lm"]
    for program in ("main", "net_test"):
        command = [str(COMPILER), *STRICT, "-o", program, f"{program}.c", *sources]
        built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
    said = subprocess.run(["./net_test"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "all agrees with the reference"
    assert len([line for line in said.stdout.splitlines() if line.endswith(" ok")]) == (
        2 + len(arrays)
    )
    done = subprocess.run(["./main"], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = [float(line) for line in done.stdout.split()]
    wanted = []
    for n in range(6):
        one = x[n % 2][None]
        y = one if answer is None else np.array([answer])
        if loss == "categorical_crossentropy":
            y = np.eye(3)[y]
        wanted.append(float(model.train_on_batch(one, y)))
        model.reset_metrics()
    assert found[:6] == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    at = 6
    for array in arrays:
        layer, label = array.weight.name.split("/")[0], array.weight.name.split("/")[-1]
        value = next(v for v in model.get_layer(layer).weights if v.path.endswith(f"/{label}"))
        size = array.weight.size
        np.testing.assert_allclose(found[at : at + size], value.numpy().reshape(-1), atol=2e-5)
        at += size
    assert at == len(found)


@pytest.mark.skipif(
    not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
    reason="there is no cross compiler or no emulator (tools/install-system.sh)",
)
def test_a_step_on_the_board(tmp_path: Path) -> None:
    model = netsheet.load(SAMPLE / "digits.h5")
    five = read_input(SAMPLE / "digit5.png", model.inputs)
    layer = next(one.name for one in reversed(list(model.layers.values())) if one.weights)
    report = to_c(model, tmp_path, sample=five, learn=CLearning((layer,)))
    weights = sum(4 * w.size for w in model.layers[layer].weights.values())
    assert report.learning is not None and report.learning[0] == weights
    assert f"weights that learn {weights:>12,} bytes of RAM" in str(report)
    (tmp_path / "main.c").write_text(SAY)
    sources = ["main.c", "net_test.c", "net.c", "net_learn.c", "net_weights.c"]
    firmware(tmp_path, sources, ["-O2", "-DNET_SAY=net_say"])
    lines = run_firmware(tmp_path, b"").decode().splitlines()
    assert [line.split()[0] for line in lines if line.endswith(" ok")][1:] == [
        "loss", f"{layer}/kernel", f"{layer}/bias",
    ]  # fmt: skip
    assert lines[-1] == "all agrees with the reference"


@pytest.mark.parametrize("target", ["arduino", "esp-idf", "platformio"])
def test_packages_hold_the_step_and_say_so(target: str, tmp_path: Path) -> None:
    model = netsheet.load(SAMPLE / "digits.h5")
    layer = next(one.name for one in reversed(list(model.layers.values())) if one.weights)
    to_c(model, tmp_path, target=target, learn=CLearning((layer,)), lang="ja")
    assert len(list(tmp_path.rglob("net_learn.c"))) == 1
    assert "net_learn(" in (tmp_path / "README.md").read_text("utf-8")
    assert "学習させる" in (tmp_path / "README.md").read_text("utf-8")
    if target == "esp-idf":
        assert '"net_learn.c"' in (tmp_path / "CMakeLists.txt").read_text()


def test_what_cannot_learn_is_refused(keras: Any, tmp_path: Path) -> None:
    model = netsheet.load(SAMPLE / "digits.h5")
    with pytest.raises(UsageError, match="no layer 'digt' that could learn; did you mean 'digit'"):
        to_c(model, tmp_path / "a", learn=CLearning(("digt",)))
    with pytest.raises(UsageError, match="flatten has no weights that could learn"):
        to_c(model, tmp_path / "a", learn=CLearning(("flatten",)))
    with pytest.raises(UsageError, match="leave out --weights binary"):
        to_c(model, tmp_path / "a", learn=CLearning(("digit",)), weights="binary")
    memory = [keras.Input((3, 2), batch_size=1), keras.layers.LSTM(2, stateful=True, name="m"),
              keras.layers.Dense(1, name="d")]  # fmt: skip
    keras.Sequential(memory).save(tmp_path / "s.keras")
    with pytest.raises(UnsupportedError, match="keeps states"):
        to_c(netsheet.load(tmp_path / "s.keras"), tmp_path / "a", learn=CLearning(("d",), "mse"))
    assert not (tmp_path / "a").exists()
