"""Odd but legal files as Keras 2 and 3 write them: what opens computes what Keras computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet

Build = Callable[[Any, Any], Any]


def names_of_the_file_itself(K: Any, L: Any) -> Any:
    x = inputs = K.Input((6,), name="input")
    for name in ("model_weights", "layers", "metrics", "kernel", "optimizer_weights"):
        x = L.Dense(4, activation="relu", name=name)(x)
    return K.Model(inputs, x)


def names_of_other_letters(K: Any, L: Any) -> Any:
    x = inputs = K.Input((6,), name="入力")
    for name in ("層 1", "デンス", "😀", "a-b.c", "é"):
        x = L.Dense(3, name=name)(x)
    return K.Model(inputs, x, name="モデル")


def names_with_slashes(K: Any, L: Any) -> Any:
    x = inputs = K.Input((6,), name="in")
    for name in ("a/b/c", "a/b", "a/b/c/kernel"):
        x = L.Dense(4, name=name)(x)
    return K.Model(inputs, x)


def input_alone(K: Any, L: Any) -> Any:
    inputs = K.Input((5,))
    return K.Model(inputs, inputs)


def one_layer(K: Any, L: Any) -> Any:
    return K.Sequential([K.Input((5,)), L.Dense(1)])


def without_weights(K: Any, L: Any) -> Any:
    return K.Sequential([K.Input((5,)), L.Activation("softmax")])


def built_later(K: Any, L: Any) -> Any:
    model = K.Sequential([L.Dense(3), L.Dense(2)])
    model.build((None, 4))
    return model


def nested_names_alike(K: Any, L: Any) -> Any:
    inner = K.Sequential([K.Input((5,)), L.Dense(4, name="d1"), L.Dense(3, name="d2")], name="a")
    model = K.Sequential([inner, L.Dense(2, name="d1")])
    model.build((None, 5))
    return model


def three_deep(K: Any, L: Any) -> Any:
    a, b, c = (K.Input((5,)) for _ in range(3))
    inner = K.Model(a, L.BatchNormalization(name="d")(a), name="inner")
    middle = K.Model(b, L.Dense(3, name="e")(inner(b)), name="middle")
    return K.Model(c, L.Dense(2, name="f")(middle(c)))


def twin(K: Any, L: Any) -> Any:
    a, left, right = (K.Input((5,)) for _ in range(3))
    half = K.Model(a, L.BatchNormalization()(L.Dense(4, activation="relu")(a)), name="half")
    return K.Model([left, right], L.Dense(1)(L.Subtract()([half(left), half(right)])))


def several_outputs(K: Any, L: Any) -> Any:
    inputs = K.Input((3,))
    x = L.Dense(4)(inputs)
    return K.Model(inputs, [x, L.Dense(2)(x), x, inputs])


def frozen_inside(K: Any, L: Any) -> Any:
    a, b = K.Input((5,)), K.Input((5,))
    first = L.Dense(4, name="first")
    last = L.Dense(3, name="last")
    inner = K.Model(a, last(L.BatchNormalization(name="norm")(first(a))), name="inner")
    first.trainable = False
    return K.Model(b, L.Dense(2)(inner(b)))


def model_over_time(K: Any, L: Any) -> Any:
    """The inner layers' folders come by the alphabet, their weights in two groups."""
    a, b = K.Input((5,)), K.Input((4, 5))
    inner = K.Model(a, L.BatchNormalization()(L.Dense(4)(L.BatchNormalization()(a))))
    return K.Model(b, L.LSTM(3)(L.TimeDistributed(inner)(b)))


def stacked_cells(K: Any, L: Any) -> Any:
    inputs = K.Input((4, 5))
    return K.Model(inputs, L.RNN([L.LSTMCell(3), L.GRUCell(2), L.LSTMCell(2)])(inputs))


def twelve_alike(K: Any, L: Any) -> Any:
    """By the alphabet dense_10 comes before dense_2."""
    return K.Sequential([K.Input((5,)), *(L.Dense(3, activation="tanh") for _ in range(12))])


def half_precision(K: Any, L: Any) -> Any:
    return K.Sequential([K.Input((5,)), L.Dense(3, dtype="float16"), L.Dense(2, dtype="bfloat16")])


def double_precision(K: Any, L: Any) -> Any:
    return K.Sequential([K.Input((5,)), L.Dense(3, dtype="float64"), L.Dense(2, dtype="float64")])


def mixed_precision(K: Any, L: Any) -> Any:
    return K.Sequential([K.Input((5,)), L.Dense(3, dtype="mixed_float16"), L.Dense(2)])


def open_sizes(K: Any, L: Any) -> Any:
    inputs = K.Input((None, None, 3))
    return K.Model(inputs, L.Dense(2)(L.GlobalMaxPooling2D()(L.Conv2D(3, 3)(inputs))))


BUILDS: list[Build] = [
    names_of_the_file_itself, names_of_other_letters, names_with_slashes, input_alone, one_layer,
    without_weights, built_later, nested_names_alike, three_deep, twin, several_outputs,
    frozen_inside, model_over_time, stacked_cells, twelve_alike, half_precision, double_precision,
    mixed_precision, open_sizes,
]  # fmt: skip
ROUGH = {half_precision: 2e-2, mixed_precision: 2e-2}
NOT_IN = {"tf_keras": {names_of_other_letters}, "keras": {names_with_slashes}}
CASES = [
    (library, build) for library in ("tf_keras", "keras") for build in BUILDS
    if build not in NOT_IN[library]
]  # fmt: skip


@pytest.mark.parametrize(
    ("library", "build"), CASES, ids=lambda part: part if isinstance(part, str) else part.__name__
)
def test_as_keras_computes_it(library: str, build: Build, tmp_path: Path) -> None:
    K = pytest.importorskip(library)
    model = build(K, K.layers)
    rng = np.random.default_rng(3)
    model.set_weights(
        [rng.uniform(0.1, 1, weight.shape).astype(weight.dtype) for weight in model.get_weights()]
    )
    x = [
        rng.standard_normal([2, *(size or 6 for size in tensor.shape[1:])]).astype("f4")
        for tensor in model.inputs
    ]
    expected = model(x if len(x) > 1 else x[0], training=False)
    expected = expected if isinstance(expected, (list, tuple)) else [expected]
    for suffix in (".h5", ".keras"):
        path = tmp_path / f"m{suffix}"
        model.save(path)
        made = netsheet.load(path)
        found = made.predict(x if len(x) > 1 else x[0])
        found = found if isinstance(found, list) else [found]
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            reference = np.asarray(theirs, "f4")
            bound = ROUGH.get(build, 1e-5) * max(1, abs(reference).max())
            np.testing.assert_allclose(ours, reference, atol=bound, rtol=0)
        assert sum(row.params for row in made.summary() if row.depth == 0) == sum(
            weight.size for weight in model.get_weights()
        )


@pytest.mark.parametrize("library", ["tf_keras", "keras"])
@pytest.mark.parametrize("build", [three_deep, twelve_alike, stacked_cells, half_precision])
def test_weights_alone(library: str, build: Build, tmp_path: Path) -> None:
    K = pytest.importorskip(library)
    model = build(K, K.layers)
    arrays = sorted(array.shape for array in model.get_weights())
    paths = [tmp_path / "m.weights.h5"]
    model.save_weights(paths[0])
    if library == "tf_keras":
        paths.append(tmp_path / "old.h5")
        model.save_weights(paths[1], save_format="h5")
    for path in paths:
        made = netsheet.load(path)
        found = [
            weight.shape for layer in made.layers.values() for weight in layer.weights.values()
        ]
        assert sorted(found) == arrays
        assert any("architecture is missing" in note for note in made.notes)


@pytest.mark.parametrize("library", ["tf_keras", "keras"])
def test_a_subclassed_model_shows_its_weights(library: str, tmp_path: Path) -> None:
    K = pytest.importorskip(library)

    class Own(K.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = K.layers.Dense(3), K.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.second(self.first(x))

    model = Own()
    model(np.zeros((1, 4), "f4"))
    model.save(tmp_path / "m.keras")
    made = netsheet.load(tmp_path / "m.keras")
    assert made.params == 4 * 3 + 3 + 3 * 2 + 2
    assert any("'Own' has no readable architecture" in note for note in made.notes)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_model_that_was_never_built(suffix: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    for model in (keras.Sequential(), keras.Sequential([keras.layers.Dense(3)])):
        path = tmp_path / f"m{suffix}"
        model.save(path)
        made = netsheet.load(path)
        assert made.params == 0
        assert any("never built" in note for note in made.notes)
