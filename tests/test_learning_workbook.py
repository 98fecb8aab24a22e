"""Workbooks that learn: recalculated by spreadsheet engines, against Keras and ONNX Runtime."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from excel_models import recalculated, workbook_engine
from netsheet.cli import demo_learn
from netsheet.data.inputs import InputValue, Sample, read_input
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UnsupportedError, UsageError
from netsheet.model import Model
from netsheet.verify import verify
from netsheet.verify.engines.workbook import read_map
from netsheet.verify.xlsx import XlsxFile, edit
from netsheet.write.excel import Learning, to_excel
from netsheet.write.excel.cell_map import place_from, steps_text
from netsheet.write.excel.placement import AxisOffsets, Placement
from netsheet.write.xlsx.cells import cell_name
from test_gradients import _keras_gradients, attention_network, small_networks

RATE = 0.25
KINDS = ("dense", "deep", "convolution", "groups", "transposed", "normalised", "lstm", "gru",
         "attention")  # fmt: skip


def keras_network(name: str) -> tuple[Any, str]:
    """A small network of real Keras with weights of some size, and its loss."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(7)
    attention = (attention_network, "mean_squared_error")
    model, loss = (
        (attention[0](keras), attention[1]) if name == "attention" else small_networks(keras)[name]
    )
    numbers = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(numbers.normal(size=variable.shape) / 2)
    return model, loss


def trained_weights(model: Model) -> list[Any]:
    return [w for layer in model.layers.values() for w in layer.weights.values()
            if not w.label.startswith("moving_")]  # fmt: skip


def loss_of(model: Any, x: FloatArray, y: FloatArray, loss: str) -> float:
    import keras

    function = getattr(keras.losses, loss)
    return float(np.mean(np.asarray(function(y, model(x, training=False)))))


def cell_of(workbook: Path, name: str) -> tuple[str, str]:
    row = read_map(workbook)[name]
    return row.sheet, cell_name(row.place.row, row.place.col)


@pytest.mark.parametrize("name", KINDS)
def test_keras_gradients_and_step(name: str, tmp_path: Path) -> None:
    """Every gradient and new weight is Keras's; so is the loss after, also at another rate."""
    model, loss = keras_network(name)
    model.save(tmp_path / "net.keras")
    opened = netsheet.load(tmp_path / "net.keras")
    numbers = np.random.default_rng(5)
    x = numbers.normal(size=(1, *model.input_shape[1:])).astype(np.float32)
    y = numbers.random(size=(1, *model.output_shape[1:])).astype(np.float32)
    if "crossentropy" in loss:
        y = (y == y.max(-1, keepdims=True)).astype(np.float32)
    book = tmp_path / "learn.xlsx"
    sample = Sample("x", {opened.inputs[0].name: InputValue(x[0])})
    to_excel(opened, book, [sample], learn=Learning(loss, RATE, target=y[0]))
    values, notes = recalculated(book, read_map(book), "ironcalc")
    assert not notes
    expected = _keras_gradients(model, x, y, loss)
    close(values[f"{opened.inputs[0].name}/grad"], expected.pop("x")[0])
    for weight, gradient in zip(trained_weights(opened), expected.values(), strict=True):
        found = values.get(f"{weight.name}/grad", np.zeros(weight.shape))
        close(found, gradient)
        if gradient.any():
            close(values[f"{weight.name}/new"], weight.values - RATE * gradient)
    assert values["loss"] == pytest.approx(loss_of(model, x, y, loss), rel=1e-5, abs=1e-6)
    for rate in (RATE, 0.01):
        moved = tmp_path / f"{rate}.xlsx"
        edit(book, moved, {cell_of(book, "rate"): rate})
        after, _ = recalculated(moved, read_map(moved), "ironcalc")
        stepped = stepped_loss(model, list(expected.values()), rate, x, y, loss)
        assert after["loss (after)"] == pytest.approx(stepped, rel=1e-4, abs=1e-5)


def stepped_loss(
    model: Any, gradients: list[FloatArray], rate: float, x: FloatArray, y: FloatArray, loss: str
) -> float:
    """The loss of Keras's network behind one step of plain gradient descent."""
    before = [np.asarray(variable) for variable in model.trainable_variables]
    for variable, old, gradient in zip(model.trainable_variables, before, gradients, strict=True):
        variable.assign(old - rate * gradient)
    result = loss_of(model, x, y, loss)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        variable.assign(old)
    return result


def close(found: FloatArray, expected: FloatArray) -> None:
    assert found.shape == expected.shape
    largest = max(float(np.abs(expected).max()), 1e-3)
    assert np.abs(found - expected).max() < 1e-4 * largest


# --------------------------------------------------------------------------- the published network


@pytest.fixture(scope="module")
def seed(shared: Path) -> tuple[Model, Sample]:
    model = netsheet.load(shared / "seed" / "my_model.h5")
    return model, replace(read_input(shared / "seed" / "digit5.png", model), label=5)


@pytest.fixture(scope="module")
def seed_book(seed: tuple[Model, Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("learn") / "seed.xlsx"
    to_excel(seed[0], path, [seed[1]], learn=Learning("categorical_crossentropy", 0.1))
    return path


@pytest.mark.parametrize("engine", ["ironcalc", "libreoffice"])
def test_published_network_is_proved(
    engine: str, seed: tuple[Model, Sample], seed_book: Path
) -> None:
    if workbook_engine(engine).absent():
        pytest.skip(f"{engine} is not here")
    verdict = verify(seed[0], "excel", [seed[1]], xlsx=seed_book, engine=engine)
    assert verdict.ok
    proved = {row.layer for row in verdict.layers}
    learning = {"loss", "loss (after)", "conv1/grad", "maxpool1/grad", "input_1/grad",
                "conv2/kernel/grad", "dense1/bias/new", "conv3 (after)"}  # fmt: skip
    assert learning <= proved
    assert "ONNX Runtime" in verdict.reference


def test_wrong_gradient_is_found(seed: tuple[Model, Sample], seed_book: Path) -> None:
    """A workbook in which one gradient cell holds a number instead of its formula."""
    row = read_map(seed_book)["conv2/kernel/grad"]
    wrong = seed_book.with_name("wrong.xlsx")
    edit(seed_book, wrong, {(row.sheet, cell_name(row.place.row, row.place.col)): 1.0})
    verdict = verify(seed[0], "excel", [seed[1]], xlsx=wrong)
    failing = {row.layer for row in verdict.layers if not row.ok}
    assert {"conv2/kernel/grad", "conv2/kernel/new"} <= failing
    assert "conv3/kernel/grad" not in failing


def test_any_weight_can_be_measured(seed_book: Path, tmp_path: Path) -> None:
    """The drop-downs choose a weight; the network with it moved confirms its gradient."""
    located = read_map(seed_book)
    rows = XlsxFile(seed_book).rows("Learn")
    names = [row[0] for row in rows if row and row[0] in ("conv2/kernel", "dense1/bias")]
    assert names == ["conv2/kernel", "dense1/bias"]
    for name, at in (("conv2/kernel", (1, 2, 3, 1)), ("dense1/bias", (5,))):
        moved = tmp_path / "moved.xlsx"
        changes: dict[tuple[str, str], float | str] = {("Learn", cell_name(13, 1)): name}
        changes |= {("Learn", cell_name(15, 1 + axis)): n for axis, n in enumerate(at)}
        edit(seed_book, moved, changes)
        values, _ = recalculated(moved, located, "ironcalc")
        gradient = values[f"{name}/grad"][at]
        assert values["slope/adjoint"] == pytest.approx(gradient, abs=1e-12)
        assert values["slope/measured"] == pytest.approx(gradient, abs=1e-7)
        assert abs(gradient) > 1e-4


def test_more_steps_lower_the_loss(seed: tuple[Model, Sample], tmp_path: Path) -> None:
    book = tmp_path / "steps.xlsx"
    to_excel(seed[0], book, [seed[1]], learn=Learning("categorical_crossentropy", 0.1, 3))
    values, notes = recalculated(book, read_map(book), "ironcalc")
    assert not notes
    losses = values["learn/loss"]
    assert losses.shape == (4,) and (np.diff(losses) < 0).all()
    assert losses[2] == values["loss (step 3)"] and losses[3] == values["loss (after)"]
    assert verify(seed[0], "excel", [seed[1]], xlsx=book).ok


def test_chosen_sample_is_learnt_from(seed: tuple[Model, Sample], tmp_path: Path) -> None:
    """With several samples the drop-down chooses the input and its class."""
    other = replace(
        seed[1], name="upside down", label=2,
        inputs={k: InputValue(v.values[:, ::-1].copy()) for k, v in seed[1].inputs.items()},
    )  # fmt: skip
    plain = replace(seed[1], inputs={k: InputValue(v.values) for k, v in seed[1].inputs.items()})
    book = tmp_path / "two.xlsx"
    to_excel(seed[0], book, [plain, other], learn=Learning("categorical_crossentropy"))
    verdict = verify(seed[0], "excel", [plain, other], xlsx=book)
    assert verdict.ok and any(row.layer == "conv1/kernel/new" for row in verdict.layers)


# --------------------------------------------------------------------------- refusals


def test_what_is_missing_is_asked_for(seed: tuple[Model, Sample], tmp_path: Path) -> None:
    model, sample = seed
    target = tmp_path / "x.xlsx"
    for learn, given, said in (
        (Learning("categorical_crossentropy"), replace(sample, label=None), "--true-class 5"),
        (Learning("categorical_crossentropy"), replace(sample, label=10), "none of the 10 classes"),
        (Learning("anger"), sample, "there is no loss 'anger'"),
        (Learning("mean_squared_error", own_input=True), sample, "not that of the one input"),
        (Learning("mean_squared_error", target=np.zeros(3)), sample, r"shape \(3,\)"),
        (Learning("categorical_crossentropy", target=np.full(10, 2.0)), sample,
         "--target: categorical_crossentropy compares with probabilities, 0 to 1, not with 2;"),
        (Learning("mse", target=np.full(10, np.nan)), sample, "values that are no numbers"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            to_excel(model, target, [given], learn=learn)
    with pytest.raises(UsageError, match="at least 1"):
        Learning(steps=0)
    for rate in (0.0, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="more than 0"):
            Learning(rate=rate)
    assert not target.exists()


def test_a_single_output_is_taught_what_its_loss_takes(tmp_path: Path) -> None:
    """A sigmoid's class is 0 or 1; a number of any size needs another loss."""
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy")
    model.save(tmp_path / "net.keras")
    ours = netsheet.load(tmp_path / "net.keras")
    sample = Sample("x", {ours.inputs[0].name: InputValue(np.ones(2, np.float32))}, 2)
    with pytest.raises(UsageError, match=r"x: binary_crossentropy compares .* not with 2"):
        to_excel(ours, tmp_path / "x.xlsx", [sample], learn=Learning())
    to_excel(ours, tmp_path / "x.xlsx", [sample], learn=Learning("mse"))


def test_too_many_steps_are_refused_with_numbers(
    seed: tuple[Model, Sample], tmp_path: Path
) -> None:
    with pytest.raises(NetsheetError, match=r"1000 steps of 14,\d+ cells.*at most --steps 5\d\d"):
        to_excel(seed[0], tmp_path / "x.xlsx", [seed[1]],
                 learn=Learning("categorical_crossentropy", steps=1000))  # fmt: skip


def test_states_are_refused(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = [keras.Input(batch_shape=(1, 3, 2)), keras.layers.LSTM(2, stateful=True)]
    keras.Sequential(layers).save(tmp_path / "net.keras")
    model = netsheet.load(tmp_path / "net.keras")
    sample = Sample("x", {model.inputs[0].name: InputValue(np.zeros((3, 2), np.float32))}, 1)
    with pytest.raises(UnsupportedError, match="keeps states"):
        to_excel(model, tmp_path / "x.xlsx", [sample], learn=Learning("mean_squared_error"))


# --------------------------------------------------------------------------- XOR, to teach with


def test_xor_in_twenty_steps_as_keras_takes_them(tmp_path: Path) -> None:
    """The demonstration's losses, weights and answers are those of twenty steps in Keras."""
    keras = pytest.importorskip("keras")
    demo_learn.run(tmp_path)
    values, notes = recalculated(tmp_path / "xor.xlsx", read_map(tmp_path / "xor.xlsx"), "ironcalc")
    assert not notes
    model = keras.models.load_model(tmp_path / "xor.h5")
    model.compile(keras.optimizers.SGD(demo_learn.RATE), "binary_crossentropy")
    x, y = demo_learn.QUESTIONS, demo_learn.ANSWERS
    losses = [loss_of(model, x, y, "binary_crossentropy")]
    for _ in range(demo_learn.STEPS):
        model.train_on_batch(x, y)
        losses.append(loss_of(model, x, y, "binary_crossentropy"))
    np.testing.assert_allclose(values["learn/loss"], losses, rtol=1e-4)
    answers = np.asarray(model(x)).ravel()
    np.testing.assert_allclose(values["learn/xor"][-1], answers, rtol=1e-4)
    assert ((answers > 0.5) == y.ravel()).all() and losses[-1] < losses[0] / 4
    for weight, label in zip(model.weights[:2], ("kernel", "bias"), strict=True):
        found = values[f"learn/hidden/{label}"][-1]
        np.testing.assert_allclose(found, np.asarray(weight).ravel(), rtol=1e-4)


def test_words_that_came_in_get_their_gradients(tmp_path: Path) -> None:
    """Which rows of an embedding have an adjoint depends on the input: a condition in the cells."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(2)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((4,)), layers.Embedding(6, 3), layers.GRU(2, reset_after=False),
        layers.Dense(2, "softmax"),
    ])  # fmt: skip
    model.save(tmp_path / "net.keras")
    opened = netsheet.load(tmp_path / "net.keras")
    x, y = np.array([[1, 3, 3, 5]], np.float32), np.array([[0, 1]], np.float32)
    sample = Sample("x", {opened.inputs[0].name: InputValue(x[0])}, 1)
    book = tmp_path / "words.xlsx"
    to_excel(opened, book, [sample], learn=Learning("categorical_crossentropy"))
    assert verify(opened, "excel", [sample], xlsx=book).ok
    values, notes = recalculated(book, read_map(book), "ironcalc")
    assert not notes
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.categorical_crossentropy(y, model(x)))
    variables = [variable.value for variable in model.trainable_variables]
    for weight, slope in zip(trained_weights(opened), tape.gradient(loss, variables), strict=True):
        close(values[f"{weight.name}/grad"], np.asarray(tf.convert_to_tensor(slope)))


def test_a_turned_kernel_is_found_by_the_map() -> None:
    """An axis that begins at its end reads back from the Map as it was written."""
    back, one, away = np.arange(3)[::-1], np.array([4]), np.array([2, 0, 4])
    axes = (AxisOffsets(back, 0 * back), AxisOffsets(one, 0 * one), AxisOffsets(0 * away, away))
    place = Placement(axes, "kernels", sheet="s", row=7, col=3)
    steps = steps_text(place, ("height", "in", "width"))
    again = place_from("s", str(place.area), (3, 1, 3), steps)
    for found, expected in zip(again.grid(), place.grid(), strict=True):
        assert (found == expected).all()


@pytest.mark.parametrize("language, number, nothing", [
    ("en", "the number of terms that count", "values of ."),
    ("ja", "数に入る項の個数", "各値は、 の"),
])  # fmt: skip
def test_sentences_name_what_is_there(
    language: str, number: str, nothing: str, seed: tuple[Model, Sample], tmp_path: Path
) -> None:
    """A mean's number of terms is made of no tensor."""
    book = tmp_path / "x.xlsx"
    to_excel(seed[0], book, [seed[1]], learn=Learning("mean_squared_error"), lang=language)
    with zipfile.ZipFile(book) as archive:
        texts = "".join(archive.read(name).decode("utf-8") for name in archive.namelist())
    assert number in texts
    assert nothing not in texts
