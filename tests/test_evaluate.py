"""Evaluation of random networks against ``model.evaluate`` of Keras 3 and tf_keras."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import netsheet

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

FEATURES, STEPS, TOKENS, CLASSES = 5, 3, 7, 4

# kind: (units, activations, how targets are made, losses, metrics)
KINDS: dict[str, tuple[int, list[str | None], str, list[Any], list[Any]]] = {
    "classes": (
        CLASSES, ["softmax", "softmax layer", "softmax activation", "softmax dropout"], "classes",
        ["sparse_categorical_crossentropy", ("SparseCategoricalCrossentropy", {"ignore_class": 2})],
        ["accuracy", "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
         "sparse_top_k_categorical_accuracy",
         ("SparseTopKCategoricalAccuracy", {"k": 2}),
         ("MeanIoU", {"num_classes": CLASSES, "sparse_y_pred": False})],
    ),
    "class logits": (
        CLASSES, [None], "classes", [("SparseCategoricalCrossentropy", {"from_logits": True})],
        ["acc", ("SparseCategoricalCrossentropy", {"from_logits": True, "name": "ce"})],
    ),
    "one-hot": (
        CLASSES, ["softmax", "softmax layer", "softmax dropout"], "one-hot",
        ["categorical_crossentropy", ("CategoricalCrossentropy", {"label_smoothing": 0.2}),
         ("CategoricalFocalCrossentropy", {"gamma": 1.5, "label_smoothing": 0.1}), "kl_divergence",
         "categorical_hinge", "mse", "cosine_similarity"],
        ["accuracy", "AUC", ("AUC", {"curve": "PR", "name": "pr"}),
         ("AUC", {"multi_label": True, "name": "each"}), ("Precision", {"top_k": 2}),
         ("Recall", {"class_id": 1}), ("TopKCategoricalAccuracy", {"k": 3}),
         ("F1Score", {"average": "macro"}), "categorical_crossentropy", "CosineSimilarity",
         "hinge"],
    ),
    "one-hot logits": (
        CLASSES, [None], "one-hot", [("CategoricalCrossentropy", {"from_logits": True})],
        ["accuracy", "mae"],
    ),
    "multi-label": (
        CLASSES, ["sigmoid", "sigmoid activation", "sigmoid dropout"], "bits",
        ["binary_crossentropy", ("BinaryCrossentropy", {"label_smoothing": 0.1}),
         ("BinaryFocalCrossentropy", {"apply_class_balancing": True}), "poisson"],
        ["binary_accuracy", "accuracy", "AUC", "Precision", "Recall", "TruePositives",
         ("FBetaScore", {"beta": 2.0, "threshold": 0.4, "average": "micro"}),
         ("BinaryIoU", {"threshold": 0.3})],
    ),
    "binary": (
        1, ["sigmoid", "sigmoid activation", "sigmoid dropout"], "bits",
        ["binary_crossentropy", ("BinaryFocalCrossentropy", {"gamma": 1.0}), "mse", "hinge"],
        ["accuracy", ("BinaryAccuracy", {"threshold": 0.3}), "AUC", "Precision", "Recall",
         ("Precision", {"thresholds": [0.2, 0.7], "name": "several"}), "FalseNegatives",
         ("SensitivityAtSpecificity", {"specificity": 0.5}),
         ("PrecisionAtRecall", {"recall": 0.5}), "binary_crossentropy"],
    ),
    "binary logits": (
        1, [None], "bits", [("BinaryCrossentropy", {"from_logits": True}), "squared_hinge"],
        [("BinaryAccuracy", {"threshold": 0.0, "name": "accuracy"}),
         ("AUC", {"from_logits": True, "name": "auc"})],
    ),
    "values": (
        2, [None, "tanh"], "values",
        ["mse", "mae", "mape", ("Huber", {}), "log_cosh", "cosine_similarity",
         ("MeanSquaredError", {"reduction": "sum"})],
        ["mae", "mse", "RootMeanSquaredError", "R2Score", "mape", "cosine_similarity",
         "MeanSquaredLogarithmicError"],
    ),
}  # fmt: skip
REGULARIZED = [None, "l2", ("L1", 0.02), ("L1L2", (0.01, 0.03)), ("OrthogonalRegularizer", 0.1)]


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def keras(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


def made(module: Any, what: Any) -> Any:
    """A loss or metric: its name, or its class with arguments."""
    if isinstance(what, tuple):
        return getattr(module, what[0])(**what[1])
    return getattr(module, what)() if what[0].isupper() else what


def regularizer(keras: Any, what: Any) -> Any:
    if not isinstance(what, tuple):
        return what
    arguments = what[1] if isinstance(what[1], tuple) else (what[1],)
    return getattr(keras.regularizers, what[0])(*arguments)


def output_layer(
    keras: Any, x: Any, units: int, activation: str | None, name: str, reg: Any
) -> Any:
    """A Dense with its activation in it, behind it, or with a Dropout behind that."""
    layers = keras.layers
    inside, _, rest = (activation or "").partition(" ")
    own = None if rest in ("layer", "activation") else inside or None
    last = {"layer": lambda: layers.Softmax(name=name),
            "activation": lambda: layers.Activation(inside, name=name),
            "dropout": lambda: layers.Dropout(0.5, name=name)}.get(rest)  # fmt: skip
    wide = keras.initializers.RandomNormal(0, 3)
    dense = layers.Dense(
        units, own, kernel_regularizer=reg, kernel_initializer=wide,
        name=f"{name}_dense" if last else name,
    )  # fmt: skip
    return last()(dense(x)) if last else dense(x)


def targets(random: Any, how: str, shape: tuple[int, ...]) -> Any:
    if how == "classes":
        return random.integers(0, shape[-1], shape[:-1]).astype("int32")
    if how == "one-hot":
        return np.eye(shape[-1], dtype="float32")[random.integers(0, shape[-1], shape[:-1])]
    if how == "bits":
        return random.integers(0, 2, shape).astype("float32")
    return random.normal(size=shape).astype("float32")


def _name(metric: Any) -> str:
    """What two metrics must not share."""
    name = metric[1].get("name", metric[0]) if isinstance(metric, tuple) else metric
    return str(name).lower().replace("_", "")


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """A network's last layers, what it is compiled with, and how many samples there are."""
    steps = draw(st.sampled_from(["", "", "masked", "unmasked"]))
    outputs = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        kind = draw(st.sampled_from(list(KINDS)))
        _, activations, _, losses, metrics = KINDS[kind]
        if steps == "masked":  # there Keras's Softmax layer fails
            activations = [one for one in activations if one != "softmax layer"]
        outputs.append(
            {
                "kind": kind,
                "activation": draw(st.sampled_from(activations)),
                "loss": draw(st.sampled_from(losses)),
                "metrics": draw(st.lists(st.sampled_from(metrics), max_size=3, unique_by=_name)),
                "weighted": draw(st.booleans()),
                "weight": draw(st.sampled_from([1.0, 0.25])),
            }
        )
    return {
        "outputs": outputs,
        "steps": steps,
        "kernel": draw(st.sampled_from(REGULARIZED)),
        "activity": draw(st.sampled_from([None, None, ("L2", 0.01)])),
        "trainable": draw(st.booleans()),
        "samples": draw(st.sampled_from([7, 32, 45, 70])),
        "sample_weight": draw(st.booleans()),
        "suffix": draw(st.sampled_from([".h5", ".keras"])),
        "seed": draw(st.integers(0, 1000)),
    }


def network(keras: Any, case: dict[str, Any]) -> Any:
    """The network of a case, compiled."""
    layers = keras.layers
    kernel, activity = regularizer(keras, case["kernel"]), regularizer(keras, case["activity"])
    if case["steps"]:
        x = inputs = keras.Input((STEPS,), name="tokens")
        x = layers.Embedding(
            TOKENS, FEATURES, mask_zero=case["steps"] == "masked", embeddings_regularizer="l2"
        )(x)
        x = layers.LSTM(
            6, return_sequences=True, recurrent_regularizer=kernel, activity_regularizer=activity
        )(x)
    else:
        x = inputs = keras.Input((FEATURES,), name="values")
        x = layers.Dense(
            6, "tanh", kernel_regularizer=kernel, bias_regularizer="l2",
            bias_initializer="ones", activity_regularizer=activity, trainable=case["trainable"],
        )(x)  # fmt: skip
        x = layers.BatchNormalization(gamma_regularizer="l1", trainable=case["trainable"])(x)
    outs = [
        output_layer(
            keras, x, KINDS[out["kind"]][0], out["activation"], f"out{n}",
            None if case["steps"] else kernel,
        )
        for n, out in enumerate(case["outputs"])
    ]  # fmt: skip
    model = keras.Model(inputs, outs if len(outs) > 1 else outs[0])
    compile_it(keras, model, case)
    return model


def compile_it(keras: Any, model: Any, case: dict[str, Any]) -> None:
    each = {
        f"out{n}": (
            made(keras.losses, out["loss"]), out["weight"],
            [made(keras.metrics, metric) for metric in out["metrics"] if _fits(metric, case)],
            ["mae"] if out["weighted"] and KINDS[out["kind"]][2] != "classes" else [],
        )
        for n, out in enumerate(case["outputs"])
    }  # fmt: skip
    parts: list[Any] = [{name: part[i] for name, part in each.items()} for i in range(4)]
    if len(each) == 1:
        parts = [part["out0"] for part in parts]
    loss, weights, metrics, weighted = parts
    model.compile(
        "sgd", loss, metrics=metrics, weighted_metrics=weighted,
        loss_weights=weights if len(each) > 1 else None,
    )  # fmt: skip


def _fits(metric: Any, case: dict[str, Any]) -> bool:
    """Not every metric of Keras takes steps, a mask or weights."""
    name = metric[0] if isinstance(metric, tuple) else metric
    multi = isinstance(metric, tuple) and metric[1].get("multi_label")
    if name in ("accuracy", "acc") and case["steps"]:  # tf_keras chooses the wrong one there
        return False
    only_flat = ("F1Score", "FBetaScore", "R2Score", "MeanIoU", "BinaryIoU", "Precision", "Recall")
    return not (case["steps"] and (name in only_flat or multi))


def _at_an_edge(predicted: Any, case: dict[str, Any]) -> bool:
    """An output that Keras sorts into one of 199 buckets, and that rounding may put into another.

    A last bit of float32 then is worth more than 1e-5 of an area under a curve.
    """
    arrays = predicted if isinstance(predicted, list) else [predicted]
    places = [array * 199 for array in arrays]
    near = any((np.abs(place - np.round(place)) < 2e-5).any() for place in places)
    return near and any("AUC" in str(out["metrics"]) for out in case["outputs"])


def _almost_one(predicted: Any, case: dict[str, Any]) -> bool:
    """Probabilities so near to 1 that of 1 minus them a last bit of float32 is much.

    Which bit it is, TensorFlow itself does not say: its fused kernels round otherwise than its
    sigmoid. Behind a Dropout, the logarithm is taken of the probability and not from logits.
    """
    arrays = predicted if isinstance(predicted, list) else [predicted]
    return any(
        out["activation"] == "sigmoid dropout"
        and "binary" in f"{out['loss']} {out['metrics']}".lower()
        and float(np.mean(2.0**-24 / np.maximum(1 - array.astype(float), 1e-7))) > 2e-6
        for array, out in zip(arrays, case["outputs"], strict=True)
    )


def check(keras: Any, case: dict[str, Any], folder: Path, compiled: bool = False) -> None:
    """``compiled``: as Keras evaluates for its users, which takes longer than to compute once."""
    keras.utils.set_random_seed(case["seed"])
    # without compiling, Keras counts what it is first called with in the losses of several outputs
    several = len(case["outputs"]) > 1
    pytest.importorskip("tensorflow").config.run_functions_eagerly(not (compiled or several))
    random = np.random.default_rng(case["seed"])
    model = network(keras, case)
    count = case["samples"]
    if case["steps"]:
        x = random.integers(0, TOKENS, (count, STEPS)).astype("float32")
        x[:, 0] = np.maximum(x[:, 0], 1)
    else:
        x = random.normal(size=(count, FEATURES)).astype("float32")
    lead = (count, STEPS) if case["steps"] else (count,)
    y = [
        targets(random, KINDS[out["kind"]][2], (*lead, KINDS[out["kind"]][0]))
        for out in case["outputs"]
    ]
    weights = None
    if case["sample_weight"] and not case["steps"]:
        weights = random.uniform(0.2, 2, count).astype("float32")
    path = folder / f"m{case['suffix']}"
    given = y if len(y) > 1 else y[0]
    per_output = weights
    if weights is not None and len(y) > 1:
        per_output = [weights] * len(y)
    predicted = model.predict(x, verbose=0)
    assume(not _at_an_edge(predicted, case) and not _almost_one(predicted, case))
    wanted = model.evaluate(x, given, sample_weight=per_output, verbose=0, return_dict=True)
    model.save(path)  # tf_keras takes another "accuracy" of several outputs once it has saved them
    result = netsheet.load(path).evaluate(x, given, sample_weight=weights)
    found = {"loss": result.loss, **result.metrics}
    assert set(found) == set(wanted), result.note
    for name, value in wanted.items():
        assert found[name] == pytest.approx(np.asarray(value).tolist(), rel=1e-5, abs=2e-6), name


QUIET = settings(
    deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@settings(QUIET, max_examples=8)
@given(case=cases())
def test_evaluate_is_what_keras_evaluates(keras: Any, tmp_path: Path, case: dict[str, Any]) -> None:
    check(keras, case, tmp_path)


@pytest.mark.slow
@settings(QUIET, max_examples=400)
@given(case=cases())
def test_many_evaluations(keras: Any, tmp_path: Path, case: dict[str, Any]) -> None:
    check(keras, case, tmp_path, compiled=True)


def test_classes_by_number_are_measured_as_their_rows(tmp_path: Path) -> None:
    """Precision of one class, stored with a categorical loss: labels as people have them."""
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    metrics = [keras.metrics.Precision(thresholds=0.3, class_id=1, name="one"),
               keras.metrics.Recall(name="all"), keras.metrics.AUC(name="auc")]  # fmt: skip
    model.compile(loss="categorical_crossentropy", metrics=metrics)
    random = np.random.default_rng(5)
    x, y = random.normal(size=(50, 4)).astype(np.float32), random.integers(0, 3, 50)
    wanted = model.evaluate(x, np.eye(3)[y], verbose=0, return_dict=True)
    model.save(tmp_path / "net.keras")
    found = netsheet.load(tmp_path / "net.keras").evaluate(x, y)
    assert found.loss == pytest.approx(wanted["loss"], rel=1e-5)
    for name in ("one", "all", "auc"):
        assert found.metrics[name] == pytest.approx(wanted[name], rel=1e-5)
