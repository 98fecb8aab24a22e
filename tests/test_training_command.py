"""The command that trains: from nothing and on from a file, as users call it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netsheet
import warm_start


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return warm_start.netsheet("train", *arguments)


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of small pictures, as whole numbers."""
    numbers = np.random.default_rng(1)
    labels = np.arange(240) % 3
    x = numbers.integers(0, 60, (240, 16, 16), dtype=np.uint8)
    for sample, label in zip(x, labels, strict=True):
        sample[4 * label + 2 : 4 * label + 5] += 180
    path = tmp_path_factory.mktemp("data") / "stripes.npz"
    np.savez(path, x=x, y=labels)
    return path


@pytest.mark.parametrize("arch, suffix", [("lenet", ".h5"), ("mlp", ".keras"), ("mlp", ".h5")])
def test_from_nothing_to_a_file_that_keras_loads(
    arch: str, suffix: str, stripes: Path, tmp_path: Path
) -> None:
    """Both Kerases load it, with the optimizer, and predict what netsheet does."""
    target = tmp_path / f"net{suffix}"
    done = run("--data", str(stripes), "--arch", arch, "--size", "16x16x1", "--epochs", "8",
               "--rate", "0.01", "--optimizer", "rmsprop", "-o", str(target), "--json",
               "--curves", str(tmp_path / "curves.csv"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    best = max(epoch["held_out"]["accuracy"] for epoch in json.loads(done.stdout)["epochs"])
    assert best > 0.9
    stored = np.load(stripes)
    x = stored["x"][..., None].astype(np.float32) / 255
    ours = netsheet.load(target).predict(x)
    for package in ("keras", "tf_keras"):
        model = pytest.importorskip(package).models.load_model(target)
        predicted = np.asarray(model.predict(x, verbose=0))
        assert (predicted.argmax(-1) == stored["y"]).mean() > 0.9
        assert np.abs(ours - predicted).max() < 1e-5
        assert type(model.optimizer).__name__ == "RMSprop"
        assert float(np.asarray(model.optimizer.learning_rate)) == pytest.approx(0.01)
    assert len((tmp_path / "curves.csv").read_text().splitlines()) == 9
    assert target.with_name(f"net{suffix}.training.npz").exists()
    again = tmp_path / f"again{suffix}"
    run("--data", str(stripes), "--arch", arch, "--size", "16x16x1", "--epochs", "8",
        "--rate", "0.01", "--optimizer", "rmsprop", "-o", str(again))  # fmt: skip
    assert again.read_bytes() == target.read_bytes()


def test_inputs_that_are_too_small(stripes: Path, tmp_path: Path) -> None:
    done = run("--data", str(stripes), "--size", "16x16x1", "-o", str(tmp_path / "net.h5"))
    assert done.returncode == 2
    assert "too small" in done.stderr


def test_curves_as_a_picture(stripes: Path, tmp_path: Path) -> None:
    """Two panels with lines in two colours."""
    from PIL import Image

    done = run("--data", str(stripes), "--arch", "mlp", "--size", "16x16x1", "--epochs", "3",
               "-o", str(tmp_path / "net.h5"), "--curves", str(tmp_path / "c.png"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    image = Image.open(tmp_path / "c.png").convert("RGB")
    colours = {colour for _, colour in image.getcolors(1 << 20) or []}
    assert {(59, 130, 246), (249, 115, 22)} <= colours
    assert image.width > 900


def kept_running(arguments: list[str], lines: int) -> subprocess.Popen[str]:
    """The command, once it has said so many lines."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "netsheet", "train", *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_and_resumed_as_if_it_had_not_been(number: signal.Signals, tmp_path: Path) -> None:
    """With dropout and batch statistics: the same file, to the last bit."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.utils.set_random_seed(1)
    keras.Sequential([
        keras.Input((6,)), layers.Dense(16), layers.BatchNormalization(), layers.ReLU(),
        layers.Dropout(0.3), layers.Dense(3, activation="softmax"),
    ]).save(tmp_path / "start.keras")  # fmt: skip
    numbers = np.random.default_rng(3)
    x = numbers.normal(size=(1500, 6)).astype(np.float32)
    np.savez(tmp_path / "set.npz", x=x, y=x[:, :3].argmax(-1))
    usual = [
        "--data", str(tmp_path / "set.npz"), "--arch", str(tmp_path / "start.keras"),
        "--loss", "SparseCategoricalCrossentropy", "--epochs", "12", "--batch", "8",
    ]  # fmt: skip
    whole, parts = tmp_path / "whole.keras", tmp_path / "parts.keras"
    assert run(*usual, "-o", str(whole)).returncode == 0
    process = kept_running([*usual, "-o", str(parts)], 3)
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "ended early; --resume goes on" in errors, out
    assert parts.exists()
    done = run(*usual, "-o", str(parts), "--resume")
    assert done.returncode == 0, done.stderr
    assert weights_of(parts) == weights_of(whole)


def test_a_finished_training_goes_on_with_more_epochs(stripes: Path, tmp_path: Path) -> None:
    """As if it had been meant so from the start; anything else that changes is refused."""
    usual = ["--data", str(stripes), "--arch", "mlp", "--size", "16x16x1", "--rate", "0.01"]
    whole, parts = tmp_path / "whole.h5", tmp_path / "parts.h5"
    assert run(*usual, "--epochs", "6", "-o", str(whole), "--json").returncode == 0
    usual += ["-o", str(parts)]
    assert run(*usual, "--epochs", "3").returncode == 0
    done = run(*usual, "--epochs", "6", "--resume")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch   ") == 3
    assert parts.read_bytes() == whole.read_bytes()
    again = run(*usual, "--epochs", "6", "--resume")
    assert "all 6 epochs were behind it already; --resume --epochs 12" in again.stderr
    assert parts.read_bytes() == whole.read_bytes()
    stored = np.load(stripes)
    np.savez(tmp_path / "other.npz", x=stored["x"], y=np.roll(stored["y"], 1))
    for change, sentence in (
        (["--epochs", "4"], "6 epochs behind it, more than 4"),
        (["--loss", "mse"], "began with loss categorical_crossentropy, not mean_squared_error"),
        (["--augment", "shift=1"], "began without --augment shift=1"),
        (["--data", str(tmp_path / "other.npz")], "began with other samples"),
        (["--arch", str(whole)], "began with another network"),
    ):
        refused = run(*usual, "--resume", *([] if "--epochs" in change else ["--epochs", "9"]),
                      *change)  # fmt: skip
        assert (refused.returncode, sentence in refused.stderr) == (2, True), refused.stderr
    assert parts.read_bytes() == whole.read_bytes()


def test_patience_that_has_run_out_stays_so(stripes: Path, tmp_path: Path) -> None:
    """Resumed, it does not train an epoch that the uninterrupted run would not have had."""
    usual = ["--data", str(stripes), "--arch", "mlp", "--size", "16x16x1", "--rate", "0.5",
             "--epochs", "9", "-o", str(tmp_path / "net.h5"), "--json"]  # fmt: skip
    first = run(*usual, "--patience", "1")
    ended = json.loads(first.stdout)["epochs"]
    assert len(ended) < 9
    assert "no better loss for 1 epochs; --resume with a larger --patience" in first.stderr
    second = run(*usual, "--patience", "1", "--resume")
    assert json.loads(second.stdout)["epochs"] == ended
    third = run(*usual, "--patience", "9", "--resume")
    assert len(json.loads(third.stdout)["epochs"]) == 9


def weights_of(path: Path) -> dict[str, bytes]:
    return {
        weight.name: weight.values.tobytes()
        for layer in netsheet.load(path).layers.values()
        for weight in layer.weights.values()
    }


def test_several_inputs_and_outputs_by_name(tmp_path: Path) -> None:
    """Losses and their weights, labels by number; one epoch of plain descent as Keras makes it."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.utils.set_random_seed(1)
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    both = layers.Concatenate()([layers.Dense(5, activation="tanh")(left), right])
    model = keras.Model([left, right], [
        layers.Dense(3, activation="softmax", name="kind")(both),
        layers.Dense(1, name="size")(both),
    ])  # fmt: skip
    model.compile(
        keras.optimizers.SGD(0.05), ["sparse_categorical_crossentropy", "mse"],
        loss_weights=[1.0, 0.3],
    )  # fmt: skip
    model.save(start := tmp_path / "start.keras")
    numbers = np.random.default_rng(0)
    arrays = {"left": numbers.normal(size=(40, 4)).astype(np.float32),
              "right": numbers.normal(size=(40, 3)).astype(np.float32),
              "kind": numbers.integers(0, 3, 40), "size": numbers.normal(size=40)}  # fmt: skip
    np.savez(tmp_path / "set.npz", **arrays)
    target = tmp_path / "net.keras"
    done = run("--data", str(tmp_path / "set.npz"), "--arch", str(start), "--epochs", "1",
               "--batch", "40", "--validation", "0", "--optimizer", "sgd", "--rate", "0.05",
               "-o", str(target), "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    losses = model.train_on_batch([arrays["left"], arrays["right"]],
                                  [arrays["kind"], arrays["size"].astype(np.float32)])  # fmt: skip
    trained = json.loads(done.stdout)["epochs"][0]["trained"]
    assert trained["loss"] == pytest.approx(float(np.asarray(losses).reshape(-1)[0]), rel=1e-5)
    assert set(trained["losses"]) == {"kind", "size"}
    model.save(tmp_path / "theirs.keras")
    ours, theirs = netsheet.load(target), netsheet.load(tmp_path / "theirs.keras")
    for key, layer in theirs.layers.items():
        for label, weight in layer.weights.items():
            assert np.abs(ours.layers[key].weights[label].values - weight.values).max() < 1e-6
    del arrays["size"]
    np.savez(tmp_path / "less.npz", **arrays)
    wrong = run("--data", str(tmp_path / "less.npz"), "--arch", str(start), "-o", str(target))
    assert wrong.returncode == 1
    assert "has no array 'size'" in wrong.stderr


def test_a_column_of_labels(tmp_path: Path) -> None:
    """--label names the column; labels of a binary output are 0 and 1."""
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    model.save(tmp_path / "line.keras")
    numbers = np.random.default_rng(0)
    rows = numbers.normal(size=(200, 2))
    lines = [f"{int(a > b)},{a:.4f},{b:.4f}" for a, b in rows]
    (tmp_path / "table.csv").write_text("larger,a,b\n" + "\n".join(lines) + "\n")
    target = tmp_path / "net.keras"
    done = run("--data", str(tmp_path / "table.csv"), "--label", "larger", "--arch",
               str(tmp_path / "line.keras"), "--epochs", "20", "--rate", "0.1", "-o",
               str(target), "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"][-1]["held_out"]["accuracy"] > 0.9
    other = run("--data", str(tmp_path / "table.csv"), "--arch", str(tmp_path / "line.keras"),
                "-o", str(tmp_path / "net.h5"))  # fmt: skip
    assert other.returncode == 2
    assert "stays in its format" in other.stderr


def small(path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "categorical_crossentropy")
    model.save(path)


def test_a_network_is_continued_with_layers_that_stay(stripes: Path, tmp_path: Path) -> None:
    small(path := tmp_path / "small.h5")
    numbers = np.random.default_rng(0)
    data = tmp_path / "set.npz"
    np.savez(data, x=numbers.normal(size=(40, 8, 8, 1)), y=numbers.integers(0, 3, 40))
    target = tmp_path / "tuned.h5"
    first = next(iter(netsheet.load(path).layers))
    done = run("--data", str(data), "--arch", str(path), "--freeze", first, "--epochs", "2",
               "-o", str(target))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"frozen, their weights stay: {first}" in done.stderr
    before, after = netsheet.load(path), netsheet.load(target)
    for key, layer in before.layers.items():
        for label, weight in layer.weights.items():
            same = (after.layers[key].weights[label].values == weight.values).all()
            assert same == (key == first), (key, label)
    wrong = run("--data", str(data), "--arch", str(path), "--freeze", "nothing", "-o", "x.h5")
    assert wrong.returncode == 2
    assert "there is no layer 'nothing'" in wrong.stderr


@pytest.mark.parametrize("change, code, expected", [
    (["--epochs", "0"], 2, "at least 1"),
    (["--rate", "0"], 2, "a number more than 0, not 0"),
    (["--rate", "inf"], 2, "a number more than 0, not inf"),
    (["--rate", "1e38"], 1, "the training diverges. Try a smaller rate (--rate 1e+37)"),
    (["--seed", "-1"], 2, "--seed must be 0 or more"),
    (["--arch", "other.h5"], 1, "other.h5: no such file"),
    (["--curves", "c.svg"], 2, "curves are written as .csv or .png"),
    (["--curves", "nowhere/c.csv"], 1, "c.csv: there is no folder"),
    (["-o", "nowhere/net.h5"], 1, "net.h5: there is no folder"),
    (["--optimizer", "magic"], 2, "optimizers are"),
    (["--arch", "resnet"], 2, "there is no architecture 'resnet'"),
    (["--size", "16"], 2, "28x28x1"),
    (["--resume"], 1, "no training to go on with"),
    (["--loss", "magic"], 2, "losses are"),
])  # fmt: skip
def test_mistakes(
    change: list[str], code: int, expected: str, stripes: Path, tmp_path: Path
) -> None:
    done = run("--data", str(stripes), "--arch", "mlp", "--size", "16x16x1", "-o",
               str(tmp_path / "net.h5"), *change)  # fmt: skip
    assert done.returncode == code, done.stderr
    assert expected in done.stderr
    assert "epoch" not in done.stdout, "said before anything is learnt"
    assert "Warning" not in done.stderr
    assert not (tmp_path / "net.h5").exists()


def test_an_onnx_file_is_continued_as_such(tmp_path: Path) -> None:
    """Statistics of a batch normalisation are not learnt; it is refused, or stands still."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    numbers = np.random.default_rng(0)
    shapes = {"w": (3, 4), "g": (4,), "b": (4,), "m": (4,), "v": (4,), "u": (4, 2)}
    arrays = {k: np.abs(numbers.normal(size=s)).astype(np.float32) for k, s in shapes.items()}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["a"], name="first"),
            helper.make_node("BatchNormalization", ["a", "g", "b", "m", "v"], ["d"], name="norm"),
            helper.make_node("MatMul", ["d", "u"], ["e"], name="last"),
            helper.make_node("Softmax", ["e"], ["y"], name="out"),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "net.onnx")
    x = numbers.normal(size=(60, 3)).astype(np.float32)
    np.savez(tmp_path / "set.npz", x=x, y=(x[:, 0] > 0).astype(int))
    usual = ["--data", str(tmp_path / "set.npz"), "--arch", str(tmp_path / "net.onnx"), "--loss",
             "sparse_categorical_crossentropy", "-o", str(tmp_path / "out.onnx")]  # fmt: skip
    done = run(*usual)
    assert done.returncode == 1
    (key,) = re.findall(r"--still (\S+)", done.stderr)
    done = run(*usual, "--still", key, "--epochs", "2")
    assert done.returncode == 0, done.stderr
    after = {
        i.name: numpy_helper.to_array(i) for i in onnx.load(tmp_path / "out.onnx").graph.initializer
    }
    changed = {name for name, array in arrays.items() if not np.array_equal(array, after[name])}
    assert changed == {"w", "g", "b", "u"}


def _table(folder: Path, x: np.ndarray, y: np.ndarray) -> Path:
    np.savez(folder / "table.npz", x=x.astype(np.float32), y=y)
    return folder / "table.npz"


def test_what_is_no_number_is_no_divergence(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    model.save(tmp_path / "line.keras")
    usual = ["--arch", str(tmp_path / "line.keras"), "-o", str(tmp_path / "new.keras")]
    x = np.random.default_rng(0).normal(size=(40, 3))
    for place in ("x", "y"):
        values, labels = x.copy(), x[:, 0].copy()
        (values if place == "x" else labels)[[7, 9]] = np.nan if place == "x" else np.inf
        done = run("--data", str(_table(tmp_path, values, labels)), *usual)
        assert done.returncode == 1
        assert re.search(r"sample 7 has (nan|inf) for '.*', as have 2 of 40 samples", done.stderr)


@pytest.mark.parametrize("loss, said", [
    ("sparse_categorical_crossentropy", True), ("mse", False),
    ("categorical_crossentropy_from_logits", False),
])  # fmt: skip
def test_logits_taken_for_probabilities_are_said(loss: str, said: bool, tmp_path: Path) -> None:
    """Keras cuts them off without a word, and learns nothing."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)]).save(tmp_path / "logits.keras")
    x = np.random.default_rng(0).normal(size=(40, 3))
    done = run("--data", str(_table(tmp_path, x, x.argmax(-1))), "--epochs", "1", "--loss", loss,
               "--arch", str(tmp_path / "logits.keras"), "-o", str(tmp_path / "n.keras"),
               )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ("--loss categorical_crossentropy_from_logits is made for that" in done.stderr) == said
