"""Files whose batch was left open: sizes are worked out as they run, by TensorFlow Lite as here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet as ns
from netsheet.data.probe import probe
from netsheet.read.tflite.file import StoredOperator, read_content
from netsheet.read.tflite.sizes import WorkedOutSizes

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
L = keras.layers


def _upwards() -> Any:
    given = L.Input((6, 5, 3))
    x = L.Conv2D(4, 3, padding="same", activation="relu")(given)
    x = L.UpSampling2D((2, 3))(x)
    x = L.Concatenate()([L.ZeroPadding2D(1)(x), L.Conv2D(4, 1)(L.ZeroPadding2D(1)(x))])
    x = L.MaxPooling2D(2)(L.Cropping2D(((1, 0), (0, 2)))(x))
    return keras.Model(given, L.Dense(3)(L.Flatten()(x)))


def _rows() -> Any:
    """Dense layers along the last axis of a sequence: its steps are folded into the batch."""
    return keras.Sequential([
        L.Input((7, 4)), L.Dense(6, activation="relu"), L.Dense(5, activation="tanh"),
        L.Conv1D(4, 3), L.Dense(3, activation="softmax"),
    ])  # fmt: skip


def _maps() -> Any:
    return keras.Sequential([
        L.Input((4, 5, 3)), L.Dense(6), L.Permute((2, 1, 3)), L.Reshape((10, -1)),
        L.Dense(2, activation="sigmoid"),
    ])  # fmt: skip


NETWORKS: dict[str, Callable[[], Any]] = {"upwards": _upwards, "rows": _rows, "maps": _maps}


def converted(name: str, path: Path, whole: bool) -> None:
    random = np.random.default_rng(6)
    network = NETWORKS[name]()
    for weight in network.weights:
        weight.assign(random.uniform(-0.7, 0.7, weight.shape))
    shape = (1, *network.input_shape[1:])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if whole:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [random.normal(0, 1, shape).astype(np.float32)] for _ in range(20)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())


@pytest.mark.parametrize("whole", [False, True], ids=["float", "int8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_as_tensorflow_lite_computes_them(name: str, whole: bool, tmp_path: Path) -> None:
    """Real numbers within the bound; whole ones equal but for single steps.

    TensorFlow Lite's fast kernels, which alone know all operators, round otherwise now and then.
    """
    path = tmp_path / "net.tflite"
    converted(name, path, whole)
    assert "SHAPE" in [op.name for op in read_content(path.read_bytes()).operators]
    model = ns.load(path)
    assert not any(node.refusal for node in model.nodes)
    plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(str(path), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    random = np.random.default_rng(1)
    off = []
    for _ in range(3):
        x = random.standard_normal((1, *model.inputs[0].shape)).astype(np.float32)
        if whole:
            x = random.integers(-128, 128, x.shape).astype(np.int8)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        wanted = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        (tensor,) = model.outputs
        found = model.activations(x, [tensor.name])[tensor.name]
        assert found.shape == wanted.shape
        off.append(np.abs(found.astype(float) - wanted))
    worst = max(float(one.max()) for one in off)
    assert worst <= (1 if whole else 1e-5)
    assert not whole or np.mean([(one > 0).mean() for one in off]) < 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_every_target_agrees_with_the_equations(name: str, tmp_path: Path) -> None:
    converted(name, tmp_path / "net.tflite", whole=True)
    model = ns.load(tmp_path / "net.tflite")
    for target in ("c", "excel", "onnx"):
        verdict = model.verify(target, [probe(model)])
        assert verdict.ok, (target, verdict.first_failure)
        assert "sizes open" in verdict.reference  # TensorFlow Lite Micro trusts the file's


def test_sizes_of_a_hostile_file_cost_nothing() -> None:
    """Lists that double from operator to operator, and operators that read each other."""
    doubled = [StoredOperator("CONCATENATION", "", (n, n), (n + 1,), None) for n in range(60)]
    start = {0: np.zeros(2, np.int32)}
    assert WorkedOutSizes(doubled, lambda n: None, start.get).of(60) is None
    sums = [StoredOperator("ADD", "", (n, n), (n + 1,), None) for n in range(20)]
    found = WorkedOutSizes(sums, lambda n: None, {0: np.ones(1, np.int64)}.get).of(20)
    assert found is not None and found.tolist() == [2**20]
    circle = [StoredOperator("ADD", "", (1, 1), (0,), None),
              StoredOperator("ADD", "", (0, 0), (1,), None),
              StoredOperator("SHAPE", "", (3,), (2,), None),
              StoredOperator("RESHAPE", "", (3, 2), (3,), None)]  # fmt: skip
    sizes = WorkedOutSizes(circle, lambda n: None, lambda n: None)
    assert sizes.of(0) is None and sizes.of(2) is None
