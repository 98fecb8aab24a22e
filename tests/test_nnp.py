"""SONY's Neural Network Console: its files, and its functions against what NumPy says of them."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.data.inputs import read_input
from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.model import Model
from netsheet.verify import verify
from nnp_files import NnpFile, hdf5, wire

Array = np.ndarray[Any, np.dtype[Any]]


def random(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


# --------------------------------------------------------------------------- lenet


@pytest.fixture
def files(shared: Path) -> Path:
    return shared / "models" / "nnp"


@pytest.mark.parametrize(
    ("file", "architecture"),
    [
        ("lenet.nnp", None),
        ("lenet_nncstyle.nnp", None),
        ("lenet.nntxt", None),
        ("lenet_param.h5", "lenet.nntxt"),
        ("lenet_param.protobuf", "lenet.nntxt"),
    ],
)
def test_lenet_as_nnabla_computes_it(file: str, architecture: str | None, files: Path) -> None:
    model = netsheet.load(
        files / file, architecture=None if architecture is None else files / architecture
    )
    known = np.load(files / "lenet_io.npz")
    found = model.activations(known["x"].astype(np.float32))["Softmax"]
    np.testing.assert_allclose(found, known["y"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("target", "options"),
    [("c", {}), ("c", {"board": "qemu-cortex-m4"}), ("onnx", {}), ("page", {"engine": "node"}),
     ("excel", {})],
    ids=["c", "board", "onnx", "page", "excel"],
)  # fmt: skip
def test_lenet_in_every_target(
    target: str, options: dict[str, Any], files: Path, tmp_path: Path
) -> None:
    if "board" in options and shutil.which("qemu-system-arm") is None:
        pytest.skip("there is no emulator")
    if "engine" in options and shutil.which("node") is None:
        pytest.skip("there is no Node")
    model = netsheet.load(files / "lenet.nnp")
    np.save(tmp_path / "x.npy", np.load(files / "lenet_io.npz")["x"].astype(np.float32))
    sample = read_input(tmp_path / "x.npy", model.inputs)
    verdict = verify(model, target, [sample], **options)
    assert verdict.ok, verdict.first_failure


# --------------------------------------------------------------------------- functions

Case = tuple[str, str, dict[str, Any], dict[str, Array], Sequence[Array], Callable[..., Any]]


def sliding(x: Array, kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int],
            ceil: bool) -> list[list[list[tuple[Array, int]]]]:  # fmt: skip
    """The values inside each window of (C, H, W), and how many padded positions it covers."""
    _, height, width = x.shape
    counts = []
    for n, k, s, p in zip((height, width), kernel, stride, pad, strict=True):
        counts.append(math.ceil((n + 2 * p) / s) if ceil else (n + 2 * p - k) // s + 1)
    rows = []
    for i in range(counts[0]):
        row = []
        for j in range(counts[1]):
            top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
            bottom = min(top + kernel[0], height + pad[0])
            right = min(left + kernel[1], width + pad[1])
            covered = (bottom - top) * (right - left)
            part = x[:, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
            row.append((part, covered))
        rows.append(row)
    return rows


def pooled(x: Array, given: Mapping[str, Any], one: Callable[[Array, int], Array]) -> Array:
    rows = sliding(x, given["kernel"], given["stride"], given["pad"], not given["ignore_border"])
    return np.stack([np.stack([one(*w) for w in row], -1) for row in rows], -2)


def convolved(x: Array, w: Array, b: Array | None, given: Mapping[str, Any], groups: int) -> Array:
    (p, q), (s, t), (d, e) = given["pad"], given["stride"], given["dilation"]
    x = np.pad(x, ((0, 0), (p, p), (q, q)))
    outs, inner, height, width = w.shape
    rows = (x.shape[1] - d * (height - 1) - 1) // s + 1
    columns = (x.shape[2] - e * (width - 1) - 1) // t + 1
    y = np.zeros((outs, rows, columns))
    for o in range(outs):
        first = o // (outs // groups) * inner
        for i in range(rows):
            for j in range(columns):
                part = x[first : first + inner, i * s :, j * t :]
                part = part[:, : d * (height - 1) + 1 : d, : e * (width - 1) + 1 : e]
                y[o, i, j] = (part * w[o]).sum() + (0 if b is None else b[o])
    return y


def transposed(x: Array, w: Array, b: Array, given: Mapping[str, Any], groups: int) -> Array:
    (p, q), (s, t), (d, e) = given["pad"], given["stride"], given["dilation"]
    extra = given.get("output_padding", (0, 0))
    inner = x.shape[0] // groups
    outer, height, width = w.shape[1:]
    full = np.zeros((
        outer * groups, (x.shape[1] - 1) * s + d * (height - 1) + 1 + extra[0],
        (x.shape[2] - 1) * t + e * (width - 1) + 1 + extra[1],
    ))  # fmt: skip
    for c in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                for u in range(height):
                    for v in range(width):
                        for o in range(outer):
                            at = c // inner * outer + o, i * s + u * d, j * t + v * e
                            full[at] += x[c, i, j] * w[c, o, u, v]
    return full[:, p : full.shape[1] - p, q : full.shape[2] - q] + b[:, None, None]


CONV = {"base_axis": 1, "pad": (1, 2), "stride": (2, 1), "dilation": (1, 2), "group": 1}
DECONV = {"base_axis": 1, "pad": (1, 0), "stride": (2, 3), "dilation": (1, 1), "group": 1}
POOL = {"kernel": (3, 2), "stride": (2, 2), "ignore_border": True, "pad": (1, 0)}
IMAGE = random(4, 7, 6)
W = {"w": random(6, 4, 3, 2), "b": random(6)}

CASES: list[Case] = [
    ("Convolution", "convolution_param", CONV, W, [IMAGE],
     lambda x: convolved(x, W["w"], W["b"], CONV, 1)),
    ("Convolution", "convolution_param", {**CONV, "group": 2},
     {"w": W["w"][:, :2], "b": W["b"]}, [IMAGE],
     lambda x: convolved(x, W["w"][:, :2], W["b"], CONV, 2)),
    ("Convolution", "convolution_param", {**CONV, "channel_last": True},
     {"w": np.moveaxis(W["w"], 1, -1)}, [np.moveaxis(IMAGE, 0, -1)],
     lambda x: np.moveaxis(convolved(np.moveaxis(x, -1, 0), W["w"], None, CONV, 1), 0, -1)),
    ("DepthwiseConvolution", "depthwise_convolution_param", {**CONV, "multiplier": 2},
     {"w": random(8, 3, 2), "b": random(8)}, [IMAGE],
     lambda x: convolved(x, random(8, 3, 2)[:, None], random(8), CONV, 4)),
    ("Deconvolution", "deconvolution_param", DECONV, {"w": random(4, 5, 3, 4), "b": random(5)},
     [random(4, 4, 3)],
     lambda x: transposed(x, random(4, 5, 3, 4), random(5), DECONV, 1)),
    ("Deconvolution", "deconvolution_param",
     {**DECONV, "group": 2, "output_padding": (1, 2)},
     {"w": random(4, 3, 3, 4), "b": random(6)}, [random(4, 4, 3)],
     lambda x: transposed(
         x, random(4, 3, 3, 4), random(6), {**DECONV, "output_padding": (1, 2)}, 2)),
    ("Affine", "affine_param", {"base_axis": 1}, {"w": random(168, 5), "b": random(5)}, [IMAGE],
     lambda x: x.reshape(-1) @ random(168, 5) + random(5)),
    ("Affine", "affine_param", {"base_axis": 2}, {"w": random(42, 3)}, [IMAGE],
     lambda x: x.reshape(4, 42) @ random(42, 3)),
    ("Affine", "affine_param", {"base_axis": 1}, {"w": random(168, 2, 3), "b": random(2, 3)},
     [IMAGE],
     lambda x: np.tensordot(x.reshape(-1), random(168, 2, 3), 1) + random(2, 3)),
    ("MaxPooling", "max_pooling_param", POOL, {}, [IMAGE],
     lambda x: pooled(x, POOL, lambda part, _: part.max((1, 2)))),
    ("MaxPooling", "max_pooling_param", {**POOL, "ignore_border": False, "pad": (0, 0)}, {},
     [IMAGE], lambda x: pooled(x, {**POOL, "ignore_border": False, "pad": (0, 0)},
                               lambda part, _: part.max((1, 2)))),
    ("AveragePooling", "average_pooling_param", {**POOL, "including_pad": True}, {}, [IMAGE],
     lambda x: pooled(x, POOL, lambda part, covered: part.sum((1, 2)) / covered)),
    ("AveragePooling", "average_pooling_param", POOL, {}, [IMAGE],
     lambda x: pooled(x, POOL, lambda part, _: part.mean((1, 2)))),
    ("AveragePooling", "average_pooling_param",
     {**POOL, "ignore_border": False, "pad": (0, 0), "including_pad": True}, {}, [IMAGE],
     lambda x: pooled(x, {**POOL, "ignore_border": False, "pad": (0, 0)},
                      lambda part, covered: part.sum((1, 2)) / covered)),
    ("SumPooling", "sum_pooling_param", POOL, {}, [IMAGE],
     lambda x: pooled(x, POOL, lambda part, _: part.sum((1, 2)))),
    ("GlobalAveragePooling", "global_average_pooling_param", {}, {}, [IMAGE],
     lambda x: x.mean((1, 2), keepdims=True)),
    ("Unpooling", "unpooling_param", {"kernel": (2, 3)}, {}, [IMAGE],
     lambda x: x.repeat(2, 1).repeat(3, 2)),
    ("BatchNormalization", "batch_normalization_param", {"axes": [1], "eps": 0.01},
     {"beta": random(1, 4, 1, 1), "gamma": random(4, 1, 1, 1).reshape(1, 4, 1, 1),
      "mean": random(1, 1, 4, 1).reshape(1, 4, 1, 1), "var": np.abs(random(1, 1, 1, 4)) .reshape(
          1, 4, 1, 1)}, [IMAGE],
     lambda x: (x - random(1, 1, 4, 1).reshape(4, 1, 1))
     / np.sqrt(np.abs(random(1, 1, 1, 4)).reshape(4, 1, 1) + 0.01)
     * random(4, 1, 1, 1).reshape(4, 1, 1) + random(1, 4, 1, 1).reshape(4, 1, 1)),
    ("LeakyReLU", "leaky_relu_param", {"alpha": 0.1}, {}, [IMAGE],
     lambda x: np.where(x > 0, x, 0.1 * x)),
    ("PReLU", "prelu_param", {"base_axis": 1}, {"slope": random(4)}, [IMAGE],
     lambda x: np.where(x > 0, x, random(4)[:, None, None] * x)),
    ("ELU", "elu_param", {"alpha": 0.7}, {}, [IMAGE],
     lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    ("SELU", "selu_param", {"scale": 1.05070098735548, "alpha": 1.673263242354377}, {}, [IMAGE],
     lambda x: 1.05070098735548 * np.where(x > 0, x, 1.673263242354377 * np.expm1(x))),
    ("CReLU", "crelu_param", {"axis": 1}, {}, [IMAGE],
     lambda x: np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)])),
    ("Swish", "swish_param", {}, {}, [IMAGE], lambda x: x / (1 + np.exp(-x))),
    ("Tanh", "tanh_param", {}, {}, [IMAGE], np.tanh),
    ("Sigmoid", "sigmoid_param", {}, {}, [IMAGE], lambda x: 1 / (1 + np.exp(-x))),
    ("HardSigmoid", "hard_sigmoid_param", {}, {}, [IMAGE],
     lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    ("SoftPlus", "softplus_param", {"beta": 1.0}, {}, [IMAGE], lambda x: np.log1p(np.exp(x))),
    ("Softmax", "softmax_param", {"axis": 1}, {}, [IMAGE],
     lambda x: np.exp(x) / np.exp(x).sum(0)),
    ("Softmax", "softmax_param", {"axis": 3}, {}, [IMAGE],
     lambda x: np.exp(x) / np.exp(x).sum(2, keepdims=True)),
    ("LogSoftmax", "log_softmax_param", {"axis": 1}, {}, [IMAGE],
     lambda x: x - np.log(np.exp(x).sum(0))),
    ("Reshape", "reshape_param", {"shape": (-1, 6, 28)}, {}, [IMAGE],
     lambda x: x.reshape(6, 28)),
    ("Transpose", "transpose_param", {"axes": [0, 3, 1, 2]}, {}, [IMAGE],
     lambda x: x.transpose(2, 0, 1)),
    ("Concatenate", "concatenate_param", {"axis": 2}, {}, [IMAGE, random(4, 2, 6)],
     lambda x, y: np.concatenate([x, y], 1)),
    ("Stack", "stack_param", {"axis": 1}, {}, [IMAGE, IMAGE * 2, IMAGE - 1],
     lambda *x: np.stack(x, 0)),
    ("Split", "split_param", {"axis": 1}, {}, [IMAGE], lambda x: list(x)),
    ("Slice", "slice_param", {"start": [0, 1, 5], "stop": [4, 6, 0], "step": [1, 2, -1]}, {},
     [IMAGE], lambda x: x[0:4, 1:6:2, 5:0:-1]),
    ("Slice", "slice_param", {"start": [1], "stop": [4], "step": [1]}, {}, [IMAGE],
     lambda x: x[:, :, 1:4]),
    ("Pad", "pad_param", {"pad_width": [1, 0, 2, 3], "mode": "constant", "constant_value": 1.5},
     {}, [IMAGE], lambda x: np.pad(x, ((0, 0), (1, 0), (2, 3)), constant_values=1.5)),
    ("Pad", "pad_param", {"pad_width": [2, 1], "mode": "reflect"}, {}, [IMAGE],
     lambda x: np.pad(x, ((0, 0), (0, 0), (2, 1)), "reflect")),
    ("Pad", "pad_param", {"pad_width": [2, 1], "mode": "repeat"}, {}, [IMAGE],
     lambda x: np.pad(x, ((0, 0), (0, 0), (2, 1)), "edge")),
    ("Flip", "flip_param", {"axes": [3]}, {}, [IMAGE], lambda x: x[:, :, ::-1]),
    ("Broadcast", "broadcast_param", {"shape": (-1, 4, 7, 6)}, {}, [random(4, 1, 6)],
     lambda x: np.broadcast_to(x, (4, 7, 6))),
    ("Dropout", "dropout_param", {"p": 0.5}, {}, [IMAGE], lambda x: x),
    ("Add2", "add2_param", {}, {}, [IMAGE, IMAGE * 3], lambda x, y: x + y),
    ("Add2", "add2_param", {}, {}, [IMAGE, random(4, 1, 1)], lambda x, y: x + y),
    ("Sub2", "sub2_param", {}, {}, [IMAGE, IMAGE * 3], lambda x, y: x - y),
    ("Mul2", "mul2_param", {}, {"w": random(1, 4, 1, 1)}, [IMAGE],
     lambda x: x * random(1, 4, 1, 1)[0]),
    ("Div2", "div2_param", {}, {}, [IMAGE, np.abs(IMAGE) + 1], lambda x, y: x / y),
    ("Maximum2", "maximum2_param", {}, {}, [IMAGE, -IMAGE], np.maximum),
    ("AddN", "add_n_param", {}, {}, [IMAGE, -2 * IMAGE, IMAGE * IMAGE],
     lambda x, y, z: x + y + z),
    ("AddScalar", "add_scalar_param", {"val": -1.25}, {}, [IMAGE], lambda x: x - 1.25),
    ("MulScalar", "mul_scalar_param", {"val": 0.25}, {}, [IMAGE], lambda x: 0.25 * x),
    ("RSubScalar", "r_sub_scalar_param", {"val": 2.0}, {}, [IMAGE], lambda x: 2 - x),
    ("RDivScalar", "r_div_scalar_param", {"val": 2.0}, {}, [np.abs(IMAGE) + 1], lambda x: 2 / x),
    ("PowScalar", "pow_scalar_param", {"val": 2.0}, {}, [IMAGE], lambda x: x * x),
    ("MaximumScalar", "maximum_scalar_param", {"val": 0.5}, {}, [IMAGE],
     lambda x: np.maximum(x, 0.5)),
    ("Sum", "sum_param", {"axes": [1, 3]}, {}, [IMAGE], lambda x: x.sum((0, 2))),
    ("Mean", "mean_param", {"axes": [2], "keep_dims": True}, {}, [IMAGE],
     lambda x: x.mean(1, keepdims=True)),
    ("Max", "max_param", {"axes": [1]}, {}, [IMAGE], lambda x: x.max(0)),
    ("Min", "min_param", {"axes": [-1]}, {}, [IMAGE], lambda x: x.min(-1)),
    ("Exp", "exp_param", {}, {}, [IMAGE], np.exp),
    ("Abs", "abs_param", {}, {}, [IMAGE], np.abs),
]  # fmt: skip


def network_of(case: Case) -> tuple[NnpFile, list[Array]]:
    kind, param, given, arrays, inputs, oracle = case
    wanted = oracle(*[x.astype(np.float64) for x in inputs])
    wanted = wanted if isinstance(wanted, list) else [np.asarray(wanted)]
    names = [f"x{n}" for n in range(len(inputs))]
    file = NnpFile(dict(zip(names, (x.shape for x in inputs), strict=True)))
    file.arrays = {f"scope/{name}": array for name, array in arrays.items()}
    file.function(kind, [*names, *file.arrays], [y.shape for y in wanted], given, param)
    return file, wanted


def computed(model: Model, case: Case) -> list[Array]:
    batch = [x[None] for x in case[4]]
    found = model.activations(batch[0] if len(batch) == 1 else batch)
    return [np.asarray(found[t.name])[0] for t in model.outputs]


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n][0]}-{n}")
def test_a_function_is_what_numpy_says(number: int, tmp_path: Path) -> None:
    case = CASES[number]
    file, wanted = network_of(case)
    form = "protobuf" if number % 2 else "h5"
    model = netsheet.load(file.save(tmp_path / "net.nnp", form))
    assert [node.refusal for node in model.nodes] == [None]
    for found, should in zip(computed(model, case), wanted, strict=True):
        assert found.shape == should.shape
        np.testing.assert_allclose(found, should, rtol=0, atol=1e-5 * max(1, abs(should).max()))


@pytest.mark.parametrize(
    "kinds",
    [("Convolution", "MaxPooling", "Affine"), ("Deconvolution", "SumPooling", "Stack", "Slice")],
    ids=lambda kinds: kinds[0],
)
def test_functions_in_c_and_onnx(kinds: Sequence[str], tmp_path: Path) -> None:
    from netsheet.data.probe import probe

    for case in CASES:
        if case[0] in kinds:
            file, _ = network_of(case)
            model = netsheet.load(file.save(tmp_path / "net.nnp"))
            for target in ("c", "onnx"):
                verdict = verify(model, target, [probe(model)])
                assert verdict.ok, (case[0], target, verdict.first_failure)


# --------------------------------------------------------------------------- files


def chain() -> NnpFile:
    """An affine function, a ReLU, an affine function."""
    file = NnpFile({"x": (6,)})
    file.arrays = {"a/affine/W": random(6, 4), "a/affine/b": random(4), "c/affine/W": random(4, 2)}
    given = {"base_axis": 1}
    (h,) = file.function("Affine", ["x", "a/affine/W", "a/affine/b"], [(4,)], given)
    (r,) = file.function("ReLU", [h], [(4,)])
    file.function("Affine", [r, "c/affine/W"], [(2,)], given)
    return file


@pytest.mark.parametrize("beside", ["parameter.h5", "parameters.protobuf", "net_param.h5"])
def test_parameters_beside_a_text(beside: str, tmp_path: Path) -> None:
    file = chain()
    (tmp_path / "net.nntxt").write_text(file.text())
    if beside.endswith("h5"):
        hdf5(tmp_path / beside, file.arrays)
    else:
        (tmp_path / beside).write_bytes(wire(file.arrays))
    model = netsheet.load(tmp_path / "net.nntxt")
    x = random(3, 6)
    hidden = np.maximum(x @ file.arrays["a/affine/W"] + file.arrays["a/affine/b"], 0)
    found = model.activations(x)[model.outputs[0].name]
    np.testing.assert_allclose(found, hidden @ file.arrays["c/affine/W"], rtol=0, atol=1e-5)
    assert any(beside in note for note in model.notes)


def test_a_text_without_parameters_opens_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "net.nntxt").write_text(chain().text())
    model = netsheet.load(tmp_path / "net.nntxt")
    assert "a/affine/W" in model.nodes[0].refusal
    assert "Affine" in str(model.summary())


def test_other_functions_are_refused_by_name_and_the_file_opens(tmp_path: Path) -> None:
    file = chain()
    file.function("LSTM", file.outputs, [(2,)], {})
    model = netsheet.load(file.save(tmp_path / "net.nnp"))
    assert "the function LSTM is not computed" in model.nodes[-1].refusal
    assert len(model.activations(random(1, 6))) == 3


def test_training_statistics_are_refused(tmp_path: Path) -> None:
    file = NnpFile({"x": (4, 2, 2)})
    names = ("beta", "gamma", "mean", "var")
    file.arrays = {name: random(1, 4, 1, 1) for name in names}
    given = {"axes": [1], "eps": 1e-5, "batch_stat": True}
    file.function("BatchNormalization", ["x", *names], [(4, 2, 2)], given)
    model = netsheet.load(file.save(tmp_path / "net.nnp"))
    assert "batch_stat" in model.nodes[0].refusal


def test_the_network_that_the_executor_runs(tmp_path: Path) -> None:
    """The Console writes one for training and one for inference."""
    text = chain().text()
    training = text.partition("executor")[0].replace('"main"', '"training"', 1)
    (tmp_path / "net.nntxt").write_text(training.replace("ReLU", "Tanh") + text)
    (tmp_path / "parameter.protobuf").write_bytes(wire(chain().arrays))
    model = netsheet.load(tmp_path / "net.nntxt")
    assert [node.layer.type for node in model.nodes] == ["Affine", "ReLU", "Affine"]


def changed(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[: len(text) // 2], "its end is missing"),
        (changed('name: "main"', 'name: "main" }'), "is no protobuf text"),
        (changed("dim: 4", "dim: four"), "holds no whole numbers"),
        (changed('input: "x"', 'input: "nowhere"'), "no variable 'nowhere'"),
        (changed('output: "y1_0"', 'output: "y0_0"'), "filled twice"),
        (changed("dim: 6 dim: 4", "dim: 4 dim: 6"), "its stored values"),
        (changed('name: "y0_0" type: "Buffer" shape { dim: -1 dim: 4 }',
                 'name: "y0_0" type: "Buffer" shape { dim: -1 dim: 5 }'), "contradict"),
        (changed('network_name: "main"', 'network_name: "other"'), "'other', which is missing"),
        (changed('output_variable { variable_name: "y2_0" }',
                 'output_variable { variable_name: "z" }'), "nothing computes its output"),
        (lambda text: "network {" * 100, "nested too deeply"),
    ],
)  # fmt: skip
def test_broken_texts_are_refused(change: Callable[[str], str], words: str, tmp_path: Path) -> None:
    text = change(chain().text())
    (tmp_path / "net.nntxt").write_text(text)
    (tmp_path / "parameter.protobuf").write_bytes(wire(chain().arrays))
    with pytest.raises(FormatError, match=words):
        netsheet.load(tmp_path / "net.nntxt")


def test_a_circle_is_refused(tmp_path: Path) -> None:
    file = chain()
    text = file.text().replace('input: "x"', 'input: "y2_0"', 1)
    (tmp_path / "net.nntxt").write_text(text)
    (tmp_path / "parameter.protobuf").write_bytes(wire(file.arrays))
    model = netsheet.load(tmp_path / "net.nntxt")
    assert "y2_0" in model.nodes[0].refusal


def test_parameters_alone(tmp_path: Path) -> None:
    (tmp_path / "parameter.protobuf").write_bytes(wire(chain().arrays))
    with pytest.raises(UsageError, match=r"give the network's \.nntxt"):
        netsheet.load(tmp_path / "parameter.protobuf")


def test_what_no_one_wrote_is_no_nnp(tmp_path: Path) -> None:
    (tmp_path / "a.nntxt").write_text("hello world\n")
    with pytest.raises(NetsheetError):
        netsheet.load(tmp_path / "a.nntxt")
