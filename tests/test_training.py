"""Training: steps against Keras's optimizers, resuming, and the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.engine.fitting import Plan, fit
from netsheet.engine.optimizers import OPTIMIZERS, SGD, Adam
from netsheet.engine.rounds import epochs
from netsheet.engine.training import Trainer
from netsheet.equations import FloatArray
from netsheet.errors import FormatError, InputWarning, NetsheetError, UnsupportedError, UsageError

KERAS_OPTIMIZERS = {
    "adam": lambda keras: keras.optimizers.Adam(0.01),
    "sgd": lambda keras: keras.optimizers.SGD(0.01),
    "momentum": lambda keras: keras.optimizers.SGD(0.01, momentum=0.9),
    "rmsprop": lambda keras: keras.optimizers.RMSprop(0.01),
}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_steps_are_keras_steps(name: str) -> None:
    keras = pytest.importorskip("keras")
    numbers = np.random.default_rng(5)
    start = numbers.normal(size=(4, 3)).astype(np.float32)
    variable, ours = keras.Variable(start.copy()), {"w": start.copy()}
    theirs, own = KERAS_OPTIMIZERS[name](keras), OPTIMIZERS[name](0.01)
    for _ in range(5):
        gradient = numbers.normal(size=(4, 3)).astype(np.float32)
        theirs.apply([gradient], [variable])
        own.step(ours, {"w": gradient})
        assert np.abs(ours["w"] - np.asarray(variable)).max() < 1e-6


def test_nesterov() -> None:
    keras = pytest.importorskip("keras")
    start = np.ones(3, np.float32)
    variable, ours = keras.Variable(start.copy()), {"w": start.copy()}
    theirs = keras.optimizers.SGD(0.1, momentum=0.8, nesterov=True)
    own = SGD(0.1, momentum=0.8, nesterov=True)
    for step in range(4):
        gradient = np.full(3, 1.0 + step, np.float32)
        theirs.apply([gradient], [variable])
        own.step(ours, {"w": gradient})
    assert np.abs(ours["w"] - np.asarray(variable)).max() < 1e-6


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, FloatArray, FloatArray]:
    """A small classifier of Keras's, and samples that can be learnt."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(3, 2, activation="tanh"), layers.Flatten(), layers.Dropout(0.0),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "categorical_crossentropy")
    path = tmp_path_factory.mktemp("training") / "small.h5"
    model.save(path)
    numbers = np.random.default_rng(0)
    labels = numbers.integers(0, 3, 90)
    x = numbers.normal(size=(90, 8, 8, 1)).astype(np.float32) / 3
    for sample, label in zip(x, labels, strict=True):
        sample[2 * label : 2 * label + 2] += 1
    return path, model, x, np.eye(3, dtype=np.float32)[labels]


def test_ten_steps_are_those_of_keras(small: Any) -> None:
    keras = pytest.importorskip("keras")
    path, _, x, y = small
    model = keras.models.load_model(path)
    model.compile(keras.optimizers.Adam(0.003), "categorical_crossentropy")
    trainer = Trainer(netsheet.load(path), "categorical_crossentropy", 16)
    optimizer = Adam(0.003)
    for step in range(10):
        own = slice(step * 8, step * 8 + (16 if step % 2 else 11))  # also shorter batches
        loss = model.train_on_batch(x[own], y[own])
        ours = trainer.step(x[own], y[own], np.ones(len(x[own]), np.float32), optimizer)
        assert ours.loss == pytest.approx(
            float(np.asarray(loss).reshape(-1)[0]), rel=1e-4, abs=1e-4
        )
    for (name, got), expected in zip(trainer.weights.items(), model.get_weights(), strict=True):
        assert got.shape == expected.shape, name
        assert np.abs(got - expected).max() < 1e-4, name


def test_weights_of_classes_count_as_in_keras(small: Any) -> None:
    keras = pytest.importorskip("keras")
    path, _, x, y = small
    model = keras.models.load_model(path)
    model.compile(keras.optimizers.SGD(0.05), "categorical_crossentropy")
    counts = np.where(y.argmax(-1) == 1, 4.0, 1.0).astype(np.float32)[:16]
    model.train_on_batch(x[:16], y[:16], sample_weight=counts)
    trainer = Trainer(netsheet.load(path), "categorical_crossentropy", 16)
    trainer.step(x[:16], y[:16], counts, SGD(0.05))
    for got, expected in zip(trainer.weights.values(), model.get_weights(), strict=True):
        assert np.abs(got - expected).max() < 1e-4


def test_it_learns_and_the_same_seed_gives_the_same_network(small: Any) -> None:
    path, _, x, y = small
    plan = Plan(epochs=12, batch=16, rate=0.01, validation=0.2, seed=4)
    runs = [fit(Trainer(netsheet.load(path), "categorical_crossentropy", 16), x, y, plan)
            for _ in range(2)]  # fmt: skip
    assert runs[0].history[-1].held_out is not None
    assert (runs[0].history[runs[0].best_epoch - 1].held_out.accuracy or 0) > 0.9
    assert all((runs[0].best[name] == runs[1].best[name]).all() for name in runs[0].best)


def test_a_resumed_training_is_the_uninterrupted_one(small: Any, tmp_path: Path) -> None:
    path, _, x, y = small
    whole = fit(Trainer(netsheet.load(path), "categorical_crossentropy", 16), x, y,
                Plan(epochs=4, batch=16, rate=0.01))  # fmt: skip
    state = tmp_path / "state.npz"
    for rounds in (2, 4):
        trainer = Trainer(netsheet.load(path), "categorical_crossentropy", 16)
        parts = fit(trainer, x, y, Plan(epochs=rounds, batch=16, rate=0.01), state=state,
                    resume=rounds == 4)  # fmt: skip
    assert parts.history == whole.history
    assert all((parts.best[name] == whole.best[name]).all() for name in whole.best)
    trainer = Trainer(netsheet.load(path), "categorical_crossentropy", 16)
    with pytest.raises(UsageError, match="began with rate"):
        fit(trainer, x, y, Plan(epochs=4, batch=16, rate=0.1), state=state, resume=True)


@pytest.mark.parametrize("damage", ["text", "half", "pickled", "other", "list"])
def test_a_damaged_state_is_a_sentence(damage: str, small: Any, tmp_path: Path) -> None:
    path, _, x, y = small
    state, plan = tmp_path / "state.npz", Plan(epochs=1, batch=16)
    trainer = Trainer(netsheet.load(path), "categorical_crossentropy", 16)
    fit(trainer, x, y, plan, state=state)
    whole = state.read_bytes()
    if damage in ("text", "half"):
        state.write_bytes(b"x" if damage == "text" else whole[: len(whole) // 2])
    else:
        about: Any = {"pickled": np.array([{}], object), "other": '{"a": 1}', "list": "[1]"}[damage]
        np.savez(state, about=about)
    with pytest.raises(FormatError, match=r"is no state of a training, or damaged\. Train without"):
        fit(trainer, x, y, plan, state=state, resume=True)


@pytest.mark.parametrize("weight, said", [
    (np.nan, "sample 3 is nan"), (-1.0, "sample 3 is -1"), (0.0, "all samples are 0"),
])  # fmt: skip
def test_weights_of_samples_that_are_none(weight: float, said: str, small: Any) -> None:
    path, _, x, y = small
    counts = np.zeros(len(x), np.float32)
    counts[3] = weight
    trainer = Trainer(netsheet.load(path), "categorical_crossentropy", 16)
    with pytest.raises(NetsheetError, match=said):
        fit(trainer, x, y, Plan(epochs=1, batch=16), sample_weights=counts)


def test_a_training_that_diverges_says_where(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "line.keras")
    trainer = Trainer(netsheet.load(tmp_path / "line.keras"), "mean_squared_error", 8)
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    with pytest.raises(NetsheetError, match=r"epoch \d+: the training diverges\. Try a smaller"):
        list(epochs(trainer, SGD(50.0), x, x[:, :1], rounds=40, seed=0))


@pytest.mark.parametrize("validation", [0.25, 0.0])
def test_the_last_step_is_looked_at_too(validation: float, tmp_path: Path) -> None:
    """No step after it says that its weights are no numbers."""
    keras = pytest.importorskip("keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "line.keras")
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    plan = Plan(epochs=1, batch=64, rate=3e38, optimizer="sgd", validation=validation)
    trainer = Trainer(netsheet.load(tmp_path / "line.keras"), "mean_squared_error", 64)
    with pytest.raises(NetsheetError, match="at step 1 of epoch 1: the training diverges"):
        fit(trainer, x, 1000 * x[:, :1], plan)


@pytest.mark.parametrize("validation", [0.25, 0.0])
def test_a_training_that_makes_it_worse_says_so(
    small: Any, validation: float, recwarn: pytest.WarningsRecorder, tmp_path: Path
) -> None:
    """A rate that is far too great, short of numbers that overflow; a fitting one is silent."""
    path, _, x, y = small
    plan = Plan(epochs=2, batch=16, rate=0.01, validation=validation)
    fit(Trainer(netsheet.load(path), "categorical_crossentropy", 16), x, y, plan)
    assert not [w for w in recwarn if issubclass(w.category, InputWarning)]
    plan, state = replace(plan, rate=100.0), tmp_path / "state.npz"
    y = np.roll(y, 1, axis=0)  # labels of other samples, so that no luck helps
    trainer = Trainer(netsheet.load(path), "categorical_crossentropy", 16)
    with pytest.warns(InputWarning, match=r"no epoch made .* smaller rate \(--rate 10\)"):
        found = fit(trainer, x, y, plan, state=state)
    order = np.random.default_rng(plan.seed).permutation(len(x))
    held = order[: round(len(x) * validation)]
    if validation:  # Keras, of the network as it was
        theirs = small[1].evaluate(x[held], y[held], verbose=0)
        assert found.start == pytest.approx(theirs, rel=1e-4)
    trainer = Trainer(netsheet.load(path), "categorical_crossentropy", 16)
    with pytest.warns(InputWarning, match="no epoch made"):  # the start is known when resumed
        again = fit(trainer, x, y, replace(plan, epochs=3), state=state, resume=True)
    assert again.start == found.start


@pytest.mark.parametrize("loss, expected", [
    ("mse", "mean_squared_error"),
    ("BinaryCrossentropy(from_logits=True)", "binary_crossentropy_from_logits"),
    ("log_cosh", "log_cosh"), ("BinaryFocalCrossentropy(gamma=3)", None), ("ctc", None),
    (None, None),
])  # fmt: skip
def test_the_loss_of_the_file_is_never_guessed(
    loss: str | None, expected: str | None, tmp_path: Path
) -> None:
    from netsheet.engine.gradients import stored_loss

    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    if loss == "BinaryCrossentropy(from_logits=True)":
        model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    elif loss == "BinaryFocalCrossentropy(gamma=3)":
        model.compile("sgd", keras.losses.BinaryFocalCrossentropy(gamma=3.0))
    elif loss is not None:
        model.compile("sgd", loss)
    model.save(tmp_path / "net.h5")
    network = netsheet.load(tmp_path / "net.h5")
    if expected is None:
        with pytest.raises(UsageError, match="say --loss"):
            stored_loss(network)
    else:
        assert stored_loss(network) == expected


def test_targets_that_are_no_probabilities_are_refused(small: Any) -> None:
    path, _, x, y = small
    trainer = Trainer(netsheet.load(path), "categorical_crossentropy", 16)
    with pytest.raises(NetsheetError, match="targets run from 0 to 2"):
        fit(trainer, x, 2 * y, Plan(epochs=1))


def test_weights_that_only_lead_to_steps_are_named(tmp_path: Path) -> None:
    """Keras leaves them as they are, too: there is no gradient for them."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((3,)), layers.Dense(3, name="before"),
        layers.Discretization(bin_boundaries=[-0.5, 0.5]), layers.Embedding(3, 2),
        layers.Flatten(), layers.Dense(2, name="behind"),
    ])  # fmt: skip
    model.save(tmp_path / "steps.keras")
    trainer = Trainer(netsheet.load(tmp_path / "steps.keras"), "mse", 4)
    assert trainer.untouched == ["before/kernel", "before/bias"]
    assert "behind/kernel" in trainer.learnt and "before/kernel" not in trainer.weights
    only = keras.Sequential(model.layers[:2])
    only.save(tmp_path / "only.keras")
    with pytest.raises(UnsupportedError, match="has no weight that can learn"):
        Trainer(netsheet.load(tmp_path / "only.keras"), "mse", 4)


def test_an_output_that_is_given_twice(tmp_path: Path) -> None:
    """Each has a loss of its own, as in Keras; an output without an axis is refused."""
    keras = pytest.importorskip("keras")
    x = keras.Input((3,))
    y = keras.layers.Dense(2, name="only")(x)
    keras.Model(x, [y, y]).save(tmp_path / "twice.keras")
    trainer = Trainer(netsheet.load(tmp_path / "twice.keras"), "mse", 4)
    values, target = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
    found = trainer.measure(values, [target, target])
    own = float(np.square(np.asarray(netsheet.load(tmp_path / "twice.keras").predict(values)[0])
                          ).mean())  # fmt: skip
    assert found.loss == pytest.approx(2 * own, rel=1e-5)
    keras.Model(x, keras.ops.sum(y, axis=-1)).save(tmp_path / "number.keras")
    with pytest.raises(UnsupportedError, match="a number without an axis"):
        Trainer(netsheet.load(tmp_path / "number.keras"), "mse", 4)
