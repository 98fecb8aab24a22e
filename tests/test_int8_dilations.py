"""Dilated convolutions as TensorFlow's converter writes them: spread over samples and gathered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet as ns
from netsheet.data.probe import probe
from netsheet.read.tflite.dilations import with_dilations
from netsheet.read.tflite.file import read_content

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
L = keras.layers

NETWORKS: dict[str, Any] = {
    "same": lambda: [L.Input((13, 11, 2)),
                     L.Conv2D(6, 3, dilation_rate=2, padding="same", activation="sigmoid"),
                     L.AveragePooling2D(3, 2, padding="same")],
    "valid": lambda: [L.Input((13, 11, 2)), L.Conv2D(6, 3, dilation_rate=(2, 3))],
    "separable": lambda: [L.Input((12, 11, 2)),
                          L.SeparableConv2D(4, 3, dilation_rate=2, padding="same")],
    "depthwise": lambda: [L.Input((9, 12, 3)),
                          L.DepthwiseConv2D(3, dilation_rate=3, padding="same")],
    "sequence": lambda: [L.Input((20, 3)),
                         L.Conv1D(4, 3, dilation_rate=2, padding="causal", activation="relu"),
                         L.Conv1D(4, 3, dilation_rate=4, padding="same")],
}  # fmt: skip


def converted(name: str, path: Path) -> None:
    random = np.random.default_rng(6)
    network = keras.Sequential(NETWORKS[name]())
    for weight in network.weights:
        weight.assign(random.uniform(-0.7, 0.7, weight.shape))
    shape = (1, *network.input_shape[1:])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [random.normal(0, 1, shape).astype(np.float32)] for _ in range(20)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())


@pytest.mark.parametrize("name", NETWORKS)
def test_as_tensorflows_reference_kernels_compute_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    converted(name, path)
    spread = [op.name for op in read_content(path.read_bytes()).operators]
    assert "SPACE_TO_BATCH_ND" in spread
    model = ns.load(path)
    assert not any(node.refusal for node in model.nodes)
    resolver = tf.lite.experimental.OpResolverType.BUILTIN_REF
    interpreter = tf.lite.Interpreter(
        str(path), experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    random, compared = np.random.default_rng(1), 0
    for _ in range(3):
        x = random.integers(-128, 128, (1, *model.inputs[0].shape)).astype(np.int8)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        found = model.activations(x)
        for key, number in model.original.numbers.items():
            if key in found:
                wanted = interpreter.get_tensor(number)
                assert np.array_equal(found[key].ravel(), wanted.ravel()), key
                compared += wanted.size
    assert compared > 100


def test_sizes_that_are_not_those_of_the_file_are_no_reference(tmp_path: Path) -> None:
    """TensorFlow Lite Micro takes the sizes from the file, where the batch was left open."""
    pytest.importorskip("tflite_micro")
    converted("same", tmp_path / "net.tflite")
    model = ns.load(tmp_path / "net.tflite")
    verdict = model.verify("c", [probe(model)])
    assert verdict.ok, verdict.first_failure
    assert "TensorFlow Lite Micro computes something else" in verdict.reference
    assert model.verify("excel", [probe(model)]).ok


@pytest.mark.parametrize(
    ("which", "values"), [(1, [2, 3]), (2, [[0, 2], [0, 1]]), (2, [[9, 1]] * 2)]
)
def test_other_groups_stay_as_they_are(which: int, values: Any, tmp_path: Path) -> None:
    """Another block behind the convolution than before it, or cuts that give another size."""
    converted("same", tmp_path / "net.tflite")
    model = read_content((tmp_path / "net.tflite").read_bytes())
    last = next(op for op in model.operators if op.name == "BATCH_TO_SPACE_ND")
    count = len(model.tensors)
    other = replace(
        model.tensors[last.inputs[which]], number=count, values=np.array(values, np.int32)
    )
    inputs = tuple(count if n == which else number for n, number in enumerate(last.inputs))
    changed = replace(
        model, tensors=[*model.tensors, other],
        operators=[replace(op, inputs=inputs) if op is last else op for op in model.operators],
    )  # fmt: skip
    assert "SPACE_TO_BATCH_ND" not in [op.name for op in with_dilations(model).operators]
    assert "SPACE_TO_BATCH_ND" in [op.name for op in with_dilations(changed).operators]
