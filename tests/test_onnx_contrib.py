"""Operators of com.microsoft and ai.onnx.ml, and casts: against the file in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet
from netsheet.data.inputs import InputValue, Sample
from netsheet.errors import UnsupportedError
from netsheet.verify import verify
from netsheet.write.c import to_c
from netsheet.write.onnx import to_onnx

MS, ML = "com.microsoft", "ai.onnx.ml"
RNG = np.random.default_rng(5)


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape).astype(np.float32)


def u8(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.integers(0, 255, shape).astype(np.uint8)


def s8(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.integers(-127, 127, shape).astype(np.int8)


def scale(value: float) -> np.ndarray[Any, Any]:
    return np.array(value, np.float32)


def zero(value: int, dtype: Any = np.uint8) -> np.ndarray[Any, Any]:
    return np.array(value, dtype)


def file(folder: Path, nodes: list[Any], shape: list[Any], stored: dict[str, Any],
         outputs: dict[str, int], kind: int = TensorProto.FLOAT) -> Path:  # fmt: skip
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, t, None) for name, t in outputs.items()],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in stored.items()],
    )  # fmt: skip
    sets = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1), helper.make_opsetid(ML, 3)]
    model = helper.make_model(graph, opset_imports=sets)
    model.ir_version = 8
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


Q = ["sx", "zx"]
S = {"sx": scale(0.02), "zx": zero(120), "sw": scale(0.01), "zw": zero(3, np.int8),
     "sy": scale(0.0307), "zy": zero(110), "sb": scale(0.0153), "zb": zero(100)}  # fmt: skip

# Behind a QuantizeLinear of x to q; the result y is dequantised again.
QUANTISED: dict[str, tuple[list[str], dict[str, Any], dict[str, Any], list[int]]] = {
    "QLinearAdd": (["q", *Q, "b", "sb", "zb", "sy", "zy"], {"b": u8(6)}, {}, [2, 6]),
    "QLinearMul": (["q", *Q, "b", "sb", "zb", "sy", "zy"], {"b": u8(2, 6)}, {}, [2, 6]),
    "QLinearSigmoid": (["q", *Q, "sy", "zy"], {}, {}, [2, 6]),
    "QLinearLeakyRelu": (["q", *Q, "sy", "zy"], {}, {"alpha": 0.2}, [2, 6]),
    "QLinearConcat": (
        ["sy", "zy", "q", *Q, "b", "sb", "zb"],
        {"b": u8(1, 3)},
        {"axis": 1},
        [1, 6],
    ),
    "QLinearAveragePool": (
        ["q", *Q, "sy", "zy"],
        {},
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        [1, 2, 4, 6],
    ),
    "QLinearGlobalAveragePool": (["q", *Q, "sy", "zy"], {}, {}, [1, 2, 4, 4]),
    "QGemm": (
        ["q", *Q, "w", "sw", "zw", "c", "sy", "zy"],
        {"w": s8(3, 6), "c": np.array([5, -90, 700], np.int32)},
        {"transB": 1},
        [2, 6],
    ),
}


def agrees(path: Path, values: np.ndarray[Any, Any], folder: Path) -> Any:
    """Equations, C and ONNX against the file itself, where ONNX Runtime takes it."""
    model = netsheet.load(path, batch_axis=None)
    assert not [node.refusal for node in model.nodes if node.refusal]
    sample = Sample("x", {"x": InputValue(values.astype(np.float32))})
    for target in ("onnx", "c"):
        verdict = verify(model, target, [sample])
        assert verdict.ok, (target, verdict.first_failure)
        assert verdict.reference.startswith("the file itself"), verdict.reference
    return model


@pytest.mark.parametrize("op", QUANTISED)
def test_quantised_operators(op: str, tmp_path: Path) -> None:
    inputs, stored, attributes, shape = QUANTISED[op]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *Q], ["q"], name="quantise"),
        helper.make_node(op, inputs, ["r"], name="node", domain=MS, **attributes),
        helper.make_node("DequantizeLinear", ["r", "sy", "zy"], ["y"], name="real"),
    ]
    named = {name for node in nodes for name in node.input}
    stored = {**{n: a for n, a in S.items() if n in named}, **stored}
    path = file(tmp_path, nodes, shape, stored, {"y": TensorProto.FLOAT})
    agrees(path, f32(*shape), tmp_path)


FUSED: dict[str, tuple[list[str], dict[str, Any], dict[str, Any], list[int]]] = {
    "FusedMatMul": (["x", "w"], {"w": f32(5, 4)}, {"transB": 1, "alpha": 0.5}, [3, 4]),
    "FusedGemm": (["x", "w", "c"], {"w": f32(4, 5), "c": f32(5)}, {"activation": "Relu"}, [3, 4]),
    "FusedConv": (
        ["x", "w", "c"],
        {"w": f32(2, 3, 3, 3), "c": f32(2)},
        {"activation": "Relu"},
        [1, 3, 5, 5],
    ),
    "Gelu": (["x"], {}, {}, [3, 4]),
    "BiasGelu": (["x", "c"], {"c": f32(4)}, {}, [3, 4]),
    "FastGelu": (["x", "c"], {"c": f32(4)}, {}, [3, 4]),
    "QuickGelu": (["x"], {}, {"alpha": 1.5}, [3, 4]),
    "DynamicQuantizeMatMul": (
        ["x", "w", "sw", "zw"],
        {"w": s8(4, 5), "sw": scale(0.01), "zw": zero(2, np.int8)},
        {},
        [3, 4],
    ),
}


@pytest.mark.parametrize("op", FUSED)
def test_fused_operators(op: str, tmp_path: Path) -> None:
    inputs, stored, attributes, shape = FUSED[op]
    nodes = [helper.make_node(op, inputs, ["y"], name="node", domain=MS, **attributes)]
    path = file(tmp_path, nodes, shape, stored, {"y": TensorProto.FLOAT})
    agrees(path, f32(*shape), tmp_path)


# Each with as many of its inputs, then with as many of its outputs, as exporters give.
NORMS: dict[str, tuple[str, list[str], dict[str, Any], dict[str, Any], list[str]]] = {
    "skip": ("SkipLayerNormalization", ["x", "s", "g", "b"],
             {"s": f32(1, 3, 4), "g": f32(4), "b": f32(4)}, {"epsilon": 1e-5}, ["y"]),
    "skip and bias": ("SkipLayerNormalization", ["x", "s", "g", "", "c"],
                      {"s": f32(1, 3, 4), "g": f32(4), "c": f32(4)}, {}, ["y"]),
    "skip and its sum": ("SkipLayerNormalization", ["x", "s", "g", "b", "c"],
                         {"s": f32(1, 3, 4), "g": f32(4), "b": f32(4), "c": f32(4)},
                         {}, ["y", "", "", "sum"]),
    "skip that repeats": ("SkipLayerNormalization", ["x", "s", "g", "b"],
                          {"s": f32(3, 4), "g": f32(4), "b": f32(4)}, {}, ["y"]),
    "skip rms": ("SkipSimplifiedLayerNormalization", ["x", "s", "g", "c"],
                 {"s": f32(1, 3, 4), "g": f32(4), "c": f32(4)}, {}, ["y", "", "", "sum"]),
    "skip rms without bias": ("SkipSimplifiedLayerNormalization", ["x", "s", "g"],
                              {"s": f32(1, 3, 4), "g": f32(4)}, {"epsilon": 1e-3}, ["y"]),
    "rms": ("SimplifiedLayerNormalization", ["x", "g"], {"g": f32(4)}, {"epsilon": 1e-3}, ["y"]),
    "rms over two axes": ("SimplifiedLayerNormalization", ["x", "g"], {"g": f32(3, 4)},
                          {"axis": 1}, ["y"]),
}  # fmt: skip


@pytest.mark.parametrize("name", NORMS)
def test_fused_normalisations(name: str, tmp_path: Path) -> None:
    op, inputs, stored, attributes, outputs = NORMS[name]
    domain = "" if op.startswith("Simplified") else MS
    nodes = [helper.make_node(op, inputs, outputs, name="node", domain=domain, **attributes)]
    given = {result: TensorProto.FLOAT for result in outputs if result}
    agrees(file(tmp_path, nodes, [1, 3, 4], stored, given), f32(1, 3, 4), tmp_path)


@pytest.mark.parametrize(("opset", "axis"), [(13, -1), (13, 1), (12, 1)])
@pytest.mark.parametrize("signed", [False, True])
def test_a_quantised_softmax(opset: int, axis: int, signed: bool, tmp_path: Path) -> None:
    kind = np.int8 if signed else np.uint8
    stored = {"sx": scale(0.02), "zx": zero(5, kind), "sy": scale(1 / 256),
              "zy": zero(-128 if signed else 0, kind)}  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *Q], ["q"], name="quantise"),
        helper.make_node("QLinearSoftmax", ["q", *Q, "sy", "zy"], ["r"], name="node", domain=MS,
                         axis=axis, opset=opset),
        helper.make_node("DequantizeLinear", ["r", "sy", "zy"], ["y"], name="real"),
    ]  # fmt: skip
    path = file(tmp_path, nodes, [2, 3, 5], stored, {"y": TensorProto.FLOAT})
    agrees(path, f32(2, 3, 5), tmp_path)


def test_an_integer_product_becomes_real(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="quantise"),
        helper.make_node("MatMulIntegerToFloat", ["q", "w", "s", "sw", "z", "zw", "c"], ["y"],
                         name="node", domain=MS),
    ]  # fmt: skip
    stored = {"w": s8(4, 5), "sw": scale(0.01), "zw": zero(2, np.int8), "c": f32(5)}
    path = file(tmp_path, nodes, [3, 4], stored, {"y": TensorProto.FLOAT})
    agrees(path, f32(3, 4), tmp_path)


CLASSIC: dict[str, dict[str, Any]] = {
    "Scaler": {"offset": [1.0, -2.0, 0.5, 3.0], "scale": [0.5, 2.0, 1.0, -1.0]},
    "Normalizer": {"norm": "L2"},
    "Imputer": {"imputed_value_floats": [9.0, 8.0, 7.0, 6.0], "replaced_value_float": 0.0},
    "LinearRegressor": {"coefficients": [float(n) for n in range(-4, 4)],
                        "intercepts": [0.5, -0.5], "targets": 2},
}  # fmt: skip


@pytest.mark.parametrize(
    ("op", "change"),
    [
        *[(op, {}) for op in CLASSIC],
        ("Normalizer", {"norm": "L1"}),
        ("Normalizer", {"norm": "MAX"}),
        ("Scaler", {"offset": [1.0], "scale": [2.0]}),
        ("Imputer", {"replaced_value_float": float("nan")}),
    ],
)
def test_classical_operators(op: str, change: dict[str, Any], tmp_path: Path) -> None:
    attributes = {**CLASSIC[op], **change}
    nodes = [helper.make_node(op, ["x"], ["y"], name="node", domain=ML, **attributes)]
    path = file(tmp_path, nodes, [3, 4], {}, {"y": TensorProto.FLOAT})
    values = np.abs(f32(3, 4)) if change.get("norm") == "MAX" else f32(3, 4)
    values[1] = 0
    model = netsheet.load(path)
    assert not [node.refusal for node in model.nodes if node.refusal]
    verdict = verify(model, "onnx", [Sample("x", {"x": InputValue(values)})])
    assert verdict.ok, verdict.first_failure
    assert verdict.reference.startswith("the file itself")


@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_a_linear_classifier(texts: bool, pair: bool, transform: str, tmp_path: Path) -> None:
    rows, names = (1, ["no", "yes"]) if pair else (3, ["a", "b", "c"])
    if pair and transform == "SOFTMAX":
        pytest.skip("a softmax of one score is refused")
    labels = (
        {"classlabels_strings": names} if texts else {"classlabels_ints": [4, 7, 9][: len(names)]}
    )
    nodes = [
        helper.make_node(
            "LinearClassifier", ["x"], ["label", "scores"], name="node", domain=ML,
            coefficients=f32(rows * 4).tolist(), intercepts=f32(rows).tolist(),
            post_transform=transform, multi_class=1, **labels,
        ),
        helper.make_node("ZipMap", ["scores"], ["maps"], name="maps", domain=ML, **(
            {"classlabels_strings": names} if texts
            else {"classlabels_int64s": [4, 7, 9][: len(names)]})),
    ]  # fmt: skip
    outputs = {"label": TensorProto.STRING if texts else TensorProto.INT64,
               "scores": TensorProto.FLOAT}  # fmt: skip
    path = file(tmp_path, nodes, ["N", 4], {}, outputs)
    model = netsheet.load(path)
    assert not [node.refusal for node in model.nodes if node.refusal]
    assert model.class_names == (names if texts else ["4", "7", "9"][: len(names)])
    import onnxruntime

    x = f32(6, 4)
    wanted = onnxruntime.InferenceSession(path).run(["label", "scores"], {"x": x})
    label, scores = model.predict(x)
    expected = [names.index(text) for text in wanted[0]] if texts else wanted[0]
    np.testing.assert_array_equal(np.reshape(label, -1), expected)
    np.testing.assert_allclose(np.reshape(scores, wanted[1].shape), wanted[1], atol=1e-6)


FOREST = {
    "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [1, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [0.5, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
    "class_treeids": [0, 0, 0, 0], "class_nodeids": [1, 1, 2, 2], "class_ids": [0, 1, 0, 1],
    "class_weights": [0.9, 0.1, 0.2, 0.8], "classlabels_strings": ["no", "yes"],
}  # fmt: skip
MACHINE = {
    "kernel_type": "RBF", "kernel_params": [0.5, 0.0, 3.0], "coefficients": [1.0, -1.0],
    "support_vectors": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], "vectors_per_class": [1, 1],
    "rho": [0.1], "classlabels_strings": ["no", "yes"], "prob_a": [-1.0], "prob_b": [0.0],
}  # fmt: skip


@pytest.mark.parametrize(
    ("op", "attributes", "said"),
    [("TreeEnsembleClassifier", FOREST, "decision trees are not computed"),
     ("SVMClassifier", MACHINE, "kernel machines are not computed")],
)  # fmt: skip
def test_what_is_no_network_is_refused_and_the_scaler_before_it_kept(
    op: str, attributes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("Scaler", ["x"], ["s"], name="scaler", domain=ML,
                         offset=[1.0], scale=[2.0]),
        helper.make_node(op, ["s"], ["label", "scores"], name="trees", domain=ML, **attributes),
        helper.make_node("ZipMap", ["scores"], ["maps"], name="maps", domain=ML,
                         classlabels_strings=["no", "yes"]),
    ]  # fmt: skip
    outputs = {"label": TensorProto.STRING, "scores": TensorProto.FLOAT}
    path = file(tmp_path, nodes, ["N", 4], {}, outputs)
    import onnxruntime

    x = f32(3, 4)
    onnxruntime.InferenceSession(path).run(None, {"x": x})  # a file that others compute
    model = netsheet.load(path)
    assert model.node("trees").refusal is not None
    assert said in str(model.node("trees").refusal)
    np.testing.assert_allclose(model.activations(x)["scaler"], (x - 1) * 2, rtol=1e-6)
    with pytest.raises(UnsupportedError, match=said):
        model.predict(x)
    with pytest.raises(UnsupportedError, match="--until scaler"):
        to_c(model, tmp_path / "out")


def test_class_names_reach_c_and_predictions(tmp_path: Path) -> None:
    labels = ["cat", "dog", "owl"]
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["g"], name="dense"),
        helper.make_node("Softmax", ["g"], ["p"], name="softmax"),
        helper.make_node("ZipMap", ["p"], ["maps"], name="maps", domain=ML,
                         classlabels_strings=labels),
    ]  # fmt: skip
    path = file(tmp_path, nodes, ["N", 4], {"w": f32(4, 3)}, {"p": TensorProto.FLOAT})
    model = netsheet.load(path)
    assert model.class_names == labels
    model.to_c(tmp_path / "code")
    header = (tmp_path / "code" / "net.h").read_text()
    assert [header.count(f'"{label}"') for label in labels] == [1, 1, 1]


def test_text_labels_become_places(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["p"], name="dense"),
        helper.make_node("ArgMax", ["p"], ["i"], name="best", axis=1),
        helper.make_node("ArrayFeatureExtractor", ["names", "i"], ["t"], name="look", domain=ML),
        helper.make_node("Reshape", ["t", "flat"], ["label"], name="flat"),
    ]
    stored = {"w": f32(4, 3), "names": np.array(["cat", "dog", "owl"], object),
              "flat": np.array([-1])}  # fmt: skip
    path = file(tmp_path, nodes, ["N", 4], stored,
                {"label": TensorProto.STRING, "p": TensorProto.FLOAT})  # fmt: skip
    model = netsheet.load(path)
    x = f32(5, 4)
    place, _ = model.predict(x)
    np.testing.assert_array_equal(np.reshape(place, -1), (x @ stored["w"]).argmax(1))
    assert model.class_names == ["cat", "dog", "owl"]
    assert verify(model, "c", [Sample("x", {"x": InputValue(x[0])})]).ok


def test_numbered_labels_of_a_pipeline_keep_the_batch(tmp_path: Path) -> None:
    """As scikit-learn's exporter writes it: an axis without a name, labels looked up by number."""
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["g"], name="dense"),
        helper.make_node("Softmax", ["g"], ["p"], name="softmax"),
        helper.make_node("ArgMax", ["p"], ["i"], name="best", axis=1),
        helper.make_node("ArrayFeatureExtractor", ["classes", "i"], ["t"], name="look", domain=ML),
        helper.make_node("Reshape", ["t", "flat"], ["label"], name="flat"),
    ]
    stored = {"w": f32(4, 3), "classes": np.array([7, 11, 5], np.int64), "flat": np.array([-1])}
    path = file(tmp_path, nodes, [None, 4], stored,
                {"label": TensorProto.INT64, "p": TensorProto.FLOAT})  # fmt: skip
    model = netsheet.load(path)
    assert model.inputs[0].shape == (4,)
    x = f32(6, 4)
    label, _ = model.predict(x)
    wanted = ort.InferenceSession(path).run(["label"], {"x": x})[0]
    np.testing.assert_array_equal(np.reshape(label, -1), wanted)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4), (2, 2)])
def test_columns_at_places_of_any_axes(shape: tuple[int, ...], tmp_path: Path) -> None:
    nodes = [helper.make_node("ArrayFeatureExtractor", ["x", "i"], ["y"], name="y", domain=ML)]
    stored = {"i": np.array([2, 0, 4, 1]).reshape(shape)}
    path = file(tmp_path, nodes, [3, 5], stored, {"y": TensorProto.FLOAT})
    agrees(path, f32(3, 5), tmp_path)


def test_shapes_that_are_cast(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], name="shape"),
        helper.make_node("Cast", ["s"], ["c"], name="narrow", to=TensorProto.INT32),
        helper.make_node("Cast", ["c"], ["d"], name="wide", to=TensorProto.INT64),
        helper.make_node("Reshape", ["x", "d"], ["r"], name="same"),
        helper.make_node("ArgMax", ["r"], ["i"], name="best", axis=1),
        helper.make_node("Cast", ["i"], ["y"], name="label", to=TensorProto.INT32),
    ]
    path = file(tmp_path, nodes, [2, 4], {}, {"y": TensorProto.INT32})
    agrees(path, f32(2, 4), tmp_path)


def test_a_graph_without_inputs_is_one_sentence(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["w"], ["y"], name="relu")], "net", [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
        [numpy_helper.from_array(f32(3), "w")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "net.onnx")
    loaded = netsheet.load(tmp_path / "net.onnx")
    with pytest.raises(UnsupportedError, match="has no input; its outputs are constants"):
        to_c(loaded, tmp_path / "out")
    with pytest.raises(UnsupportedError, match="has no input"):
        to_onnx(loaded, tmp_path / "again.onnx")
    with pytest.raises(UnsupportedError, match="has no input"):
        verify(loaded, "c", [Sample("x", {})])
