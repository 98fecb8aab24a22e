"""What layers do in training only: one step with given noise against Keras 3 and Keras 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.engine.optimizers import SGD
from netsheet.engine.prepared import prepared
from netsheet.engine.training import Trainer
from netsheet.equations import FloatArray
from netsheet.errors import UnsupportedError, UsageError

Make = Callable[[Any], Any]
BATCH = 6

# Each is applied between two layers of weights, to the shape that is given.
NOISE: dict[str, tuple[tuple[int, ...], Make]] = {
    "Dropout": ((5,), lambda layers: layers.Dropout(0.4)),
    "Dropout of nothing": ((5,), lambda layers: layers.Dropout(0.0)),
    "Dropout, noise_shape": ((4, 3), lambda layers: layers.Dropout(0.4, noise_shape=(None, 1, 3))),
    "Dropout, one for all": ((4, 3), lambda layers: layers.Dropout(0.4, noise_shape=(1, 4, 3))),
    "SpatialDropout1D": ((4, 3), lambda layers: layers.SpatialDropout1D(0.4)),
    "SpatialDropout2D": ((4, 3, 2), lambda layers: layers.SpatialDropout2D(0.4)),
    "SpatialDropout3D": ((2, 4, 3, 2), lambda layers: layers.SpatialDropout3D(0.4)),
    "GaussianDropout": ((5,), lambda layers: layers.GaussianDropout(0.3)),
    "GaussianNoise": ((4, 3), lambda layers: layers.GaussianNoise(0.7)),
    "AlphaDropout": ((4, 3), lambda layers: layers.AlphaDropout(0.3)),
    "Dropout in time": ((4, 3), lambda layers: layers.TimeDistributed(layers.Dropout(0.4))),
    "LSTM": ((4, 3), lambda layers: layers.LSTM(3, dropout=0.4, return_sequences=True)),
    "GRU": ((4, 3), lambda layers: layers.GRU(3, dropout=0.4)),
    "slow LSTM": ((4, 3), lambda layers: layers.LSTM(3, dropout=0.4, activation="relu")),
    "SimpleRNN": ((4, 3), lambda layers: layers.SimpleRNN(3, dropout=0.4, go_backwards=True)),
    "RNN": ((4, 3), lambda layers: layers.RNN(layers.LSTMCell(3, dropout=0.4))),
    "Bidirectional": ((4, 3), lambda layers: layers.Bidirectional(layers.LSTM(2, dropout=0.4))),
    "MultiHeadAttention": ((4, 3), lambda layers: attending(layers)),
    "LSTM of states": ((4, 3), lambda layers: layers.LSTM(3, recurrent_dropout=0.4)),
    "LSTM of both": (
        (4, 3), lambda layers: layers.LSTM(5, dropout=0.3, recurrent_dropout=0.4,
                                           return_sequences=True)),
    "GRU of both": (
        (4, 3), lambda layers: layers.GRU(5, dropout=0.3, recurrent_dropout=0.4)),
    "GRU of states, reset before": (
        (4, 3), lambda layers: layers.GRU(5, recurrent_dropout=0.4, reset_after=False,
                                          go_backwards=True)),
    "SimpleRNN of both": (
        (4, 3), lambda layers: layers.SimpleRNN(5, dropout=0.3, recurrent_dropout=0.4)),
    "RNN of states": (
        (4, 3), lambda layers: layers.RNN(layers.GRUCell(5, recurrent_dropout=0.4))),
    "Bidirectional of both": (
        (4, 3), lambda layers: layers.Bidirectional(
            layers.LSTM(2, dropout=0.3, recurrent_dropout=0.4, return_sequences=True))),
}  # fmt: skip

GATES = {"LSTM": 4, "GRU": 3, "RNN": 4, "Bidirectional": 4, "slow LSTM": 4}

NORMALISING: dict[str, tuple[tuple[int, ...], Make]] = {
    "vectors": ((5,), lambda layers: layers.BatchNormalization()),
    "sequences": ((4, 3), lambda layers: layers.BatchNormalization(momentum=0.7)),
    "maps": ((4, 3, 2), lambda layers: layers.BatchNormalization(epsilon=1e-2)),
    "volumes": ((2, 4, 3, 2), lambda layers: layers.BatchNormalization()),
    "another axis": ((4, 3), lambda layers: layers.BatchNormalization(axis=1)),
    "without gamma": ((5,), lambda layers: layers.BatchNormalization(scale=False)),
    "without beta": ((4, 3, 2), lambda layers: layers.BatchNormalization(center=False)),
    "frozen": ((4, 3, 2), lambda layers: layers.BatchNormalization(trainable=False)),
}  # fmt: skip


def network(keras: Any, shape: tuple[int, ...], make: Make) -> Any:
    layers = keras.layers
    keras.utils.set_random_seed(7)
    x = keras.Input(shape)
    before = layers.Dense(shape[-1], activation="tanh", name="before")(x)
    changed = make(layers)(before)
    out = layers.Dense(2, activation="softmax", name="after")(layers.Flatten()(changed))
    model = keras.Model(x, out)
    for variable in model.weights:  # away from the ones and zeros that they begin with
        values = np.random.default_rng(len(variable.name)).normal(size=variable.shape)
        variable.assign(np.abs(values) + 0.5 if "moving_variance" in variable.name else values)
    return model


def samples(shape: tuple[int, ...], count: int = BATCH) -> tuple[FloatArray, FloatArray]:
    numbers = np.random.default_rng(1)
    x = numbers.normal(size=(count, *shape)).astype(np.float32)
    return x, np.eye(2, dtype=np.float32)[numbers.integers(0, 2, count)]


def attending(layers: Any) -> Any:
    attention = layers.MultiHeadAttention(2, 3, dropout=0.4)
    return lambda x: attention(x, x)


class Given:
    """Numbers that Keras is to take in place of those that it would draw, in order."""

    def __init__(self, numbers: list[FloatArray], shared: bool = False) -> None:
        self.shared = shared  # by all samples
        self.numbers = [np.asarray(array, np.float32) for array in numbers]

    def times(self, inputs: Any, *rest: Any, **more: Any) -> Any:
        first = self.numbers.pop(0)
        if first.ndim == len(inputs.shape) or self.shared:
            return inputs * first
        if first.shape[0] < inputs.shape[0]:  # all steps of all samples, in one row
            return inputs * first.reshape(-1, *first.shape[2:])
        if first.shape[1] > 1:  # one step after the other
            self.numbers.insert(0, first[:, 1:])
        return inputs * first[:, 0]

    def itself(self, *rest: Any, **more: Any) -> Any:
        import tensorflow as tf

        return tf.constant(self.numbers.pop(0))


def given(monkeypatch: pytest.MonkeyPatch, keras: Any, found: Given) -> None:
    if keras.__name__ == "keras":
        from keras.src import backend, ops

        monkeypatch.setattr(backend.random, "dropout", found.times)
        monkeypatch.setattr(backend.random, "normal", found.itself)
        monkeypatch.setattr(ops.random, "uniform", found.itself)
    else:
        from tf_keras.src.backend import RandomGenerator

        def dropout(own: Any, inputs: Any, rate: float, *rest: Any, **more: Any) -> Any:
            return found.times(inputs)

        monkeypatch.setattr(RandomGenerator, "dropout", dropout)
        monkeypatch.setattr(RandomGenerator, "random_normal", lambda own, *a, **k: found.itself())
        monkeypatch.setattr(RandomGenerator, "random_uniform", lambda own, *a, **k: found.itself())


def same_step(
    keras: Any,
    model: Any,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int = BATCH,
    gates: int = 1,
) -> None:
    """One step of plain descent, by Keras and here, with one and the same noise."""
    model.save(path)
    shape = tuple(model.inputs[0].shape[1:])
    x, y = samples(shape, count)
    trainer = Trainer(netsheet.load(path), "categorical_crossentropy", BATCH)
    noise = trainer.drawn(np.random.default_rng(3))
    part = [array if each.shared else array[:count]
            for each, array in zip(trainer.noise, noise.values(), strict=True)]  # fmt: skip
    found = Given(part, any(each.shared for each in trainer.noise))
    if keras.__name__ == "tf_keras":  # it draws for every gate, and uses the first
        found.numbers = [one for one in found.numbers for _ in range(gates)]
    given(monkeypatch, keras, found)
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", run_eagerly=True)
    loss = model.train_on_batch(x, y)
    assert not found.numbers, "Keras draws less"
    ours = trainer.step(x, y, np.ones(count, np.float32), SGD(0.1), noise)
    assert ours.loss == pytest.approx(float(np.asarray(loss).reshape(-1)[0]), abs=1e-5)
    stored = netsheet.load(path)
    weights = [w for layer in stored.layers.values() for w in layer.weights.values()]
    now = {w.name: trainer.weights.get(w.name, w.values) for w in weights}
    assert len(now) == len(model.weights)
    reference = netsheet.load(path_of_changed(model, path))
    for layer in reference.layers.values():
        for weight in layer.weights.values():
            assert np.abs(now[weight.name] - weight.values).max() < 1e-6, weight.name


def path_of_changed(model: Any, path: Path) -> Path:
    changed = path.with_name(f"changed{path.suffix}")
    model.save(changed)
    return changed


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", NOISE)
def test_noise(name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip(package)
    model = network(keras, *NOISE[name])
    same_step(keras, model, tmp_path / "m.keras", monkeypatch, gates=GATES.get(name, 1))


@pytest.mark.parametrize("activation, gates", [("tanh", 4), ("relu", 1)])
def test_gates_that_keras_2_computes_one_by_one(
    activation: str, gates: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each drops inputs of its own, but not in the fast kernels, which know of no such thing."""
    keras = pytest.importorskip("tf_keras")
    model = network(keras, (4, 3), lambda layers: layers.LSTM(
        5, dropout=0.4, implementation=1, activation=activation))  # fmt: skip
    same_step(keras, model, tmp_path / "m.keras", monkeypatch, gates=gates)


@pytest.mark.parametrize("count", [BATCH, 4])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", NORMALISING)
def test_batch_normalisation(
    name: str, package: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras = pytest.importorskip(package)
    model = network(keras, *NORMALISING[name])
    same_step(keras, model, tmp_path / "m.h5", monkeypatch, count)


REFUSED: dict[str, tuple[tuple[int, ...], Make]] = {
    "LSTM": ((4, 3), lambda layers: layers.LSTM(3, recurrent_dropout=1.0)),
    "ConvLSTM1D": (
        (4, 3, 2), lambda layers: layers.ConvLSTM1D(2, 2, dropout=0.4)),
    "BatchNormalization in time": (
        (4, 3), lambda layers: layers.TimeDistributed(layers.BatchNormalization())),
    "RandomContrast": ((4, 3, 2), lambda layers: layers.RandomContrast(0.2)),
    "SpectralNormalization": (
        (4, 3), lambda layers: layers.SpectralNormalization(layers.Dense(3))),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_by_name(name: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    shape, make = REFUSED[name]
    network(keras, shape, make).save(path := tmp_path / "m.keras")
    loaded = netsheet.load(path)
    key = list(loaded.layers)[1]
    with pytest.raises(UnsupportedError, match=f"layer '{key}'.*--still {key}"):
        Trainer(loaded, "categorical_crossentropy", BATCH)
    x, y = samples(shape)
    still = Trainer(prepared(loaded, still=[key]), "categorical_crossentropy", BATCH)
    assert np.isfinite(still.measure(x, y).loss)
    assert still.step(x, y, np.ones(BATCH, np.float32), SGD(0.1)).loss == pytest.approx(
        still_loss(loaded, x, y), rel=1e-5
    )
    with pytest.raises(UsageError, match="--still: there is no layer 'nothing'"):
        prepared(loaded, still=["nothing"])


def still_loss(network: Any, x: FloatArray, y: FloatArray) -> float:
    """The crossentropy of what the network predicts."""
    p = np.clip(np.asarray(network.predict(x), float), 1e-7, 1)
    return float(-(y * np.log(p)).sum(-1).mean())


def test_called_twice_and_inside_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statistics follow every call, one after the other."""
    for package in ("keras", "tf_keras"):
        keras = pytest.importorskip(package)
        inside = keras.Sequential(
            [keras.Input((3,)), keras.layers.BatchNormalization(momentum=0.6)], name="inside"
        )
        model = network(keras, (3,), lambda layers, inside=inside: lambda x: inside(inside(x) * 2))
        same_step(keras, model, tmp_path / f"{package}.keras", monkeypatch, 5)


def test_steps_that_a_mask_leaves_out_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    x = keras.Input((5, 2))
    hidden = layers.Dense(3, name="before")(layers.Masking()(x))
    hidden = layers.BatchNormalization()(hidden)
    model = keras.Model(x, layers.LSTM(2, activation="softmax")(hidden))
    path = tmp_path / "m.keras"
    model.save(path)
    values, y = samples((5, 2))
    values[1, 3:], values[4, 1:] = 0, 0
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    trainer = Trainer(netsheet.load(path), "mean_squared_error", BATCH)
    ours = trainer.step(values, y, np.ones(BATCH, np.float32), SGD(0.1))
    assert ours.loss == pytest.approx(float(model.train_on_batch(values, y)), abs=1e-6)
    changed = netsheet.load(path_of_changed(model, path))
    for layer in changed.layers.values():
        for weight in layer.weights.values():
            assert np.abs(trainer.weights[weight.name] - weight.values).max() < 1e-6, weight.name


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_layers_called_with_training_false(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras 2 obeys it while it trains; Keras 3 does not."""
    keras = pytest.importorskip(package)

    def make(layers: Any) -> Any:
        own = keras.Input((3,))
        inner = keras.Model(own, layers.BatchNormalization(momentum=0.5)(own), name="inner")
        return lambda x: inner(x, training=False)

    path = tmp_path / "m.h5"
    same_step(keras, network(keras, (3,), make), path, monkeypatch)
    found = [la for la in netsheet.load(path).layers.values() if la.statistics]
    assert [la.otherwise_in_training for la in found] == [package == "keras"]


def penalised(keras: Any) -> Any:
    """Penalties on weights, outputs, and of a frozen layer."""
    r, layers = keras.regularizers, keras.layers
    x = keras.Input((4, 3))
    first = layers.Dense(3, kernel_regularizer=r.L1L2(0.01, 0.02), bias_regularizer="l2")(x)
    second = layers.LSTM(3, recurrent_regularizer=r.L1(0.03), activity_regularizer=r.L2(0.1))(first)
    third = layers.ActivityRegularization(l1=0.01)(second)
    frozen = layers.Dense(2, kernel_regularizer="l1", trainable=False)(third)
    return keras.Model(x, layers.Softmax()(frozen))


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_penalties(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip(package)
    same_step(keras, penalised(keras), tmp_path / "m.keras", monkeypatch, 5)


PICTURES: dict[str, tuple[Make, str]] = {
    "translation": (lambda layers: layers.RandomTranslation(0.3, (-0.2, 0.4)), "down right"),
    "translation, wrapped": (
        lambda layers: layers.RandomTranslation(0.9, 0.9, fill_mode="wrap"), "down right"),
    "translation, nearest": (
        lambda layers: layers.RandomTranslation(0.9, 0.9, fill_mode="nearest"), "down right"),
    "translation, constant": (
        lambda layers: layers.RandomTranslation(
            0.5, 0.5, fill_mode="constant", fill_value=0.7), "down right"),
    "translation of whole pixels": (
        lambda layers: layers.RandomTranslation(0.5, 0.5, interpolation="nearest"), "down right"),
    "rotation": (lambda layers: layers.RandomRotation(0.4), "turn"),
    "rotation, constant": (lambda layers: layers.RandomRotation(0.4, "constant"), "turn"),
    "flip": (lambda layers: layers.RandomFlip(), "flip"),
    "mirror": (lambda layers: layers.RandomFlip("horizontal"), "flip"),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_changed_as_keras_does(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same numbers drawn, the layer gives what Keras's gives."""
    keras = pytest.importorskip("keras")
    from keras.src import backend

    make, kind = PICTURES[name]
    layer = make(keras.layers)
    model = keras.Sequential([keras.Input((7, 9, 2)), layer, keras.layers.Flatten(),
                              keras.layers.Dense(2)])  # fmt: skip
    model.save(path := tmp_path / "m.keras")
    loaded = netsheet.load(path)
    ours: Any = next(iter(loaded.layers.values()))
    x = np.random.default_rng(2).random((BATCH, 7, 9, 2)).astype(np.float32)
    drawn = ours.drawn(np.random.default_rng(5), BATCH)
    if kind == "turn":
        given = [drawn[:, 0] * 360]  # in degrees
    elif kind == "flip":
        given = [np.where(drawn[:, 1] > 0, 0.2, 0.8).reshape(-1, 1, 1, 1)]
    else:
        given = [drawn[:, n : n + 1] for n in (0, 1)]
    queue = [backend.convert_to_tensor(array.astype(np.float32)) for array in given]
    monkeypatch.setattr(backend.random, "uniform", lambda *a, **k: queue.pop(0))
    expected = np.asarray(layer(x, training=True))
    plan = ours.plan(drawn, 7, 9)
    numbers = plan[:, :2].astype(int)
    each = np.arange(BATCH)[:, None, None, None]
    found = (plan[:, 2, ..., None] * x[each, numbers[:, 0], numbers[:, 1]]).sum(1)
    if ours.fill_mode == "constant":
        found += ours.fill_value * (1 - plan[:, 2].sum(1))[..., None]
    assert np.abs(found - expected).max() < 1e-4

    y = np.eye(2, dtype=np.float32)[np.arange(BATCH) % 2]
    trainer = Trainer(loaded, "mean_squared_error", BATCH)
    (asked,) = trainer.noise
    got = trainer.step(x, y, np.ones(BATCH, np.float32), SGD(0.0), {asked.tensor.name: plan})
    p = np.asarray(model.layers[-1](expected.reshape(BATCH, -1)))
    assert got.loss == pytest.approx(float(np.square(p - y).mean()), rel=1e-4)


def test_pictures_augmented_by_options() -> None:
    from netsheet.engine.augmenting import augmentations
    from netsheet.equations import Tensor

    picture = Tensor("x", ("height", "width", "channel"), (28, 14, 1))
    shift, turn, mirror, flip = augmentations("shift=2,turn=9,mirror,flip", picture)
    numbers = np.random.default_rng(0)
    places = shift.places(shift.drawn(numbers, 50), 28, 14)
    moved = places - np.mgrid[:28, :14]
    assert 1.8 < np.abs(moved[:, 0]).max() <= 2 and 1.8 < np.abs(moved[:, 1]).max() <= 2
    assert np.abs(turn.drawn(numbers, 50)).max() <= 9 / 360
    assert not mirror.drawn(numbers, 50)[:, 0].any() and not flip.drawn(numbers, 50)[:, 1].any()
    assert augmentations("", picture) == []
    for wrong in ("spin=3", "shift", "shift=-1", "turn=x"):
        with pytest.raises(UsageError, match="--augment"):
            augmentations(wrong, picture)


def constrained(keras: Any) -> Any:
    """Weights that every constraint changes after a step."""
    c, layers = keras.constraints, keras.layers
    x = keras.Input((4, 3))
    first = layers.Dense(3, kernel_constraint=c.MaxNorm(0.5), bias_constraint="non_neg")(x)
    second = layers.LSTM(3, recurrent_constraint=c.MinMaxNorm(0.2, 0.4, 0.7, axis=1))(first)
    third = layers.Dense(4, kernel_constraint=c.UnitNorm(axis=0))(second)
    return keras.Model(x, layers.Dense(2, activation="softmax")(third))


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_constraints(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip(package)
    same_step(keras, constrained(keras), tmp_path / "m.keras", monkeypatch)
