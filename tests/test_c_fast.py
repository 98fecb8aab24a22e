"""The fast schedule of the generated C: right for any shape, and as fast and small as promised."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import netsheet
from netsheet.equations import FloatArray, Tensor, Weight
from netsheet.layer import Layer
from netsheet.layers.activation import ELU, GELU, PReLU, ReLU, ReLU6, Sigmoid, SiLU, Tanh
from netsheet.layers.conv import Conv1D, Conv2D, Conv3D, DepthwiseConv1D, DepthwiseConv2D
from netsheet.layers.conv_transpose import Conv2DTranspose
from netsheet.layers.dense import Dense
from netsheet.layers.merge import Add, Multiply
from netsheet.layers.norm import BatchNormalization
from netsheet.layers.pool import AveragePooling2D, MaxPooling1D, MaxPooling2D
from netsheet.layers.shape import Flatten
from netsheet.layers.spatial import ZeroPadding2D
from netsheet.loops.ir import Kernel, Statement
from netsheet.loops.products import tiling
from netsheet.loops.products.pooled_sums import PooledSums
from netsheet.loops.products.sums import SumOfProducts
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef
from netsheet.verify.engines.c_board import measure_board
from netsheet.verify.engines.c_harness import WARNINGS
from netsheet.verify.engines.c_host import run_library
from netsheet.write.c.library import Library, library

pytestmark = pytest.mark.skipif(
    not (shutil.which("cc") or shutil.which("gcc")), reason="there is no C compiler"
)
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
PORTABLE = ["-DNET_PORTABLE"]
OPTIONS = [["-O2"], ["-O1", *PORTABLE, *SANITIZE], ["-O1", *SANITIZE]]


class Network:
    """A network that grows call by call, with random weights."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.sources: list[Source] = []
        self.calls: list[LayerCall] = []
        self.results: list[str] = []

    def input(self, *shape: int) -> str:
        name = f"input{len(self.sources)}"
        self.sources.append(Source(name, shape))
        return name

    def shape(self, key: str) -> tuple[int, ...]:
        return self._tensor(key).shape

    def _tensor(self, key: str) -> Tensor:
        model = Model("net", self.calls, self.sources, [ValueRef(key)])
        return model.outputs[0]

    def add(self, layer: Layer, *inputs: str) -> str:
        """The layer behind others; returns its name."""
        layer.name = f"n{len(self.calls)}_{type(layer).__name__.lower()}"
        shape = self.shape(inputs[0])
        channels = shape[0] if getattr(layer, "data_format", "") == "channels_first" else shape[-1]
        kernel = (*getattr(layer, "kernel_size", ()), 1)
        sizes = dict(zip(("depth", "height", "width")[4 - len(kernel) :], kernel, strict=False))
        if len(kernel) == 2:
            sizes = {"width": kernel[0], "time": kernel[0]}
        sizes["in"] = channels // getattr(layer, "groups", 1)
        sizes["multiplier"] = getattr(layer, "depth_multiplier", 1)
        sizes["out"] = getattr(layer, "filters", getattr(layer, "units", channels))
        if isinstance(layer, DepthwiseConv2D):
            sizes["out"] = channels * layer.depth_multiplier
        for label, axes in layer.weight_axes().items():
            shape = tuple(sizes.get(axis, channels) for axis in axes) or self.shape(inputs[0])
            fan = max(int(np.prod(shape)) // sizes["out"], 1)
            values = self.rng.normal(size=shape) / (fan**0.5 if "kernel" in label else 3)
            if label in ("gamma", "moving_variance"):
                values = 0.5 + abs(values)
            values = values.astype(np.float32)
            name = f"{layer.name}/{label}"
            layer.weights[label] = Weight(name, axes, values.shape, label=label, values=values)
        self.calls.append(LayerCall(layer.name, layer, tuple(ValueRef(key) for key in inputs)))
        return layer.name

    def model(self) -> Model:
        results = self.results or [self.calls[-1].key]
        return Model("net", self.calls, self.sources, [ValueRef(key) for key in results])


@pytest.fixture
def every_layer_tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No layer is too small for a row function."""
    monkeypatch.setattr(tiling, "SMALL", 1_000_000)


def deviations(
    lib: Library, options: Sequence[str], traced: bool = False
) -> list[tuple[str, float]]:
    """Outputs (all tensors) that depart from ONNX Runtime by more than the bound."""
    model = lib.model
    rng = np.random.default_rng(7)
    inputs = [rng.normal(size=t.shape).astype(np.float32) for t in model.inputs]
    batch = {t.name: a[np.newaxis] for t, a in zip(model.inputs, inputs, strict=True)}
    expected = model.activations(batch)
    (tensors,) = run_library(lib, [inputs], traced=traced, options=[*WARNINGS, *options])
    found: list[tuple[str, FloatArray]] = [
        (model.outputs[int(name[1:])].name if name.startswith("#") else name, values)
        for name, values in tensors
    ]
    assert len(found) >= len(model.outputs)
    wrong = []
    for name, values in found:
        right = expected[name].reshape(-1)
        error = float(np.abs(values - right).max())
        if not error <= 1e-5 * max(1.0, float(np.abs(right).max())):
            wrong.append((name, error))
    return wrong


def steps(lib: Library) -> list[str]:
    """The kinds of steps of the fast program, in order."""
    return [type(step).__name__ for step in lib.fast.computations]


# --------------------------------------------------------------------------- geometry

# kernel, stride, padding, channels in and out, height and width
CONVOLUTIONS = [
    ((3, 3), (1, 1), "same", 3, 16, 8, 8),
    ((3, 3), (2, 2), "same", 4, 8, 9, 9),
    ((3, 3), (2, 2), "same", 4, 8, 8, 8),
    ((5, 5), (1, 1), "same", 2, 5, 3, 4),
    ((7, 2), (3, 2), "same", 2, 4, 10, 7),
    ((1, 1), (1, 1), "valid", 6, 12, 5, 7),
    ((1, 1), (2, 2), "valid", 6, 7, 5, 7),
    ((4, 4), (1, 1), "valid", 1, 5, 12, 13),
    ((2, 3), (1, 1), "valid", 3, 9, 4, 3),
    ((2, 5), (1, 2), "same", 1, 1, 6, 11),
    ((3, 3), (1, 1), "same", 8, 11, 1, 9),
    ((3, 3), (1, 1), "same", 8, 13, 9, 1),
    ((3, 3), (1, 1), "valid", 5, 17, 6, 6),
    ((1, 9), (1, 1), "same", 3, 3, 2, 6),
    ((2, 2), (2, 2), "valid", 3, 10, 6, 6),
]


def plane(net: Network, case: int, channels_first: bool = False) -> str:
    kernel, stride, padding, into, out, height, width = CONVOLUTIONS[case]
    shape = (into, height, width) if channels_first else (height, width, into)
    return net.add(
        Conv2D(
            filters=out,
            kernel_size=kernel,
            strides=stride,
            dilation_rate=(1, 1),
            padding=padding,  # type: ignore[arg-type]
            data_format="channels_first" if channels_first else "channels_last",
        ),
        net.input(*shape),
    )


@pytest.mark.usefixtures("every_layer_tiled")
@pytest.mark.parametrize("options", OPTIONS)
def test_shapes_strides_and_edges(options: list[str]) -> None:
    net = Network(1)
    for case in range(len(CONVOLUTIONS)):
        key = plane(net, case, channels_first="-O2" in options)
        for layer in ([], [ReLU()], [Tanh()], [ReLU6()])[case % 4]:
            key = net.add(layer, key)
        net.results.append(key)
    lib = library(net.model(), traced=False)
    assert steps(lib).count("SumOfProducts") == len(CONVOLUTIONS)
    assert deviations(lib, options) == []


@pytest.mark.parametrize("case", range(0, len(CONVOLUTIONS), 2))
def test_a_convolution_for_itself(case: int) -> None:
    """With no more in its row function than it needs."""
    net = Network(case)
    plane(net, case)
    lib = library(net.model(), traced=False)
    assert "SumOfProducts" in steps(lib)
    assert deviations(lib, ["-O1", *SANITIZE]) == []
    assert deviations(lib, ["-O1", *PORTABLE, *SANITIZE]) == []


def conv(
    filters: int, kernel: Sequence[int] = (3, 3), padding: str = "same", **more: object
) -> Layer:
    """A Conv2D."""
    return Conv2D(
        filters=filters,
        kernel_size=tuple(kernel),
        padding=padding,  # type: ignore[arg-type]
        **{"strides": (1, 1), "dilation_rate": (1, 1), **more},  # type: ignore[arg-type]
    )


def deep(kernel: Sequence[int], multiplier: int = 1, **more: object) -> Layer:
    """A DepthwiseConv2D."""
    return DepthwiseConv2D(
        kernel_size=tuple(kernel),
        depth_multiplier=multiplier,
        **{"strides": (1, 1), "dilation_rate": (1, 1), "padding": "same", **more},  # type: ignore[arg-type]
    )


def transposed(filters: int, kernel: Sequence[int], strides: Sequence[int], padding: str) -> Layer:
    """A Conv2DTranspose."""
    return Conv2DTranspose(
        filters=filters,
        kernel_size=tuple(kernel),
        strides=tuple(strides),
        dilation_rate=(1, 1),
        padding=padding,  # type: ignore[arg-type]
    )


@pytest.mark.usefixtures("every_layer_tiled")
@pytest.mark.parametrize("options", OPTIONS)
def test_depthwise_grouped_dilated_and_other_ranks(options: list[str]) -> None:
    net = Network(2)
    one = {"strides": (1,), "dilation_rate": (1,)}
    parts: list[tuple[Layer, tuple[int, ...]]] = [
        (deep((3, 3)), (7, 9, 16)),
        (deep((3, 3), strides=(2, 2)), (8, 8, 20)),
        (deep((3, 3), strides=(2, 2), padding="valid"), (9, 9, 4)),
        (deep((5, 1), padding="valid"), (9, 1, 24)),
        (deep((1, 1)), (4, 5, 8)),
        (deep((3, 3)), (5, 5, 3)),
        (deep((2, 4)), (5, 6, 10)),
        (deep((3, 3), 2), (5, 6, 4)),
        (deep((3, 3), 4, padding="valid"), (5, 6, 3)),
        (deep((3, 3), dilation_rate=(2, 2)), (9, 9, 4)),
        (deep((6, 6), padding="valid"), (6, 6, 12)),
        (conv(8, groups=2), (6, 7, 4)),
        (conv(12, groups=4, padding="valid"), (6, 7, 8)),
        (conv(5, dilation_rate=(2, 2)), (9, 10, 3)),
        (conv(4, dilation_rate=(1, 3), padding="valid"), (6, 10, 3)),
        (Conv1D(filters=9, kernel_size=(3,), padding="same", **one), (11, 4)),
        (Conv1D(filters=8, kernel_size=(4,), padding="causal", **one), (9, 5)),
        (DepthwiseConv1D(kernel_size=(3,), padding="same", **one), (11, 8)),
        (
            Conv3D(
                filters=4, kernel_size=(2, 3, 3), strides=(1, 1, 1), dilation_rate=(1, 1, 1),
                padding="same",
            ),
            (3, 5, 6, 2),
        ),
        (
            Conv3D(
                filters=5, kernel_size=(3, 2, 3), strides=(2, 1, 2), dilation_rate=(1, 1, 1),
                padding="valid", activation=ReLU(),
            ),
            (5, 4, 6, 3),
        ),
        (deep((3, 3), dilation_rate=(2, 2), activation=ReLU()), (9, 9, 8)),
        (deep((3, 2), 2, dilation_rate=(1, 3)), (5, 9, 8)),
        (conv(16, groups=2, dilation_rate=(2, 1)), (6, 7, 8)),
        (conv(6, (2, 3), dilation_rate=(3, 2)), (7, 8, 3)),
        (conv(8, (3, 3), groups=8), (5, 6, 8)),
        (conv(6, (5, 5), groups=3, strides=(2, 2)), (9, 9, 12)),
        (transposed(8, (3, 3), (2, 2), "same"), (5, 6, 4)),
        (transposed(3, (2, 2), (2, 2), "valid"), (4, 5, 3)),
        (transposed(5, (4, 3), (1, 2), "same"), (4, 5, 6)),
        (transposed(4, (3, 3), (1, 1), "valid"), (4, 5, 2)),
        (Dense(units=10), (7,)),
        (Dense(units=24), (5, 9)),
        (Dense(units=1), (33,)),
        (Dense(units=7), (2, 3, 4)),
    ]  # fmt: skip
    for layer, shape in parts:
        net.results.append(net.add(layer, net.input(*shape)))
    lib = library(net.model(), traced=False)
    loops = [
        step.writes[0].name for step in lib.fast.computations if not isinstance(step, SumOfProducts)
    ]
    assert loops == []
    assert deviations(lib, options) == []


@pytest.mark.usefixtures("every_layer_tiled")
@pytest.mark.parametrize("options", OPTIONS)
def test_additions_clamps_and_pooling_in_one_step(options: list[str]) -> None:
    net = Network(3)

    def pool(size: int, stride: int, padding: str) -> Layer:
        return MaxPooling2D(pool_size=(size, size), strides=(stride, stride), padding=padding)  # type: ignore[arg-type]

    fused = [  # channels in and out, size, convolution, activation, pooling
        (1, 5, 28, conv(5, (4, 4), "valid"), None, pool(2, 2, "same")),
        (3, 8, 11, conv(8), ReLU(), pool(2, 2, "valid")),
        (2, 3, 10, conv(3), Tanh(), pool(3, 3, "same")),
        (2, 4, 9, conv(4), Sigmoid(), pool(2, 3, "same")),
        (2, 4, 13, conv(4, strides=(2, 2)), ReLU6(), pool(2, 2, "same")),
    ]
    for into, _, size, layer, activation, pooling in fused:
        key = net.add(layer, net.input(size, size + 1, into))
        if activation is not None:
            key = net.add(activation, key)
        net.results.append(net.add(Tanh(), net.add(pooling, key)))
    count = len(net.results)
    for pooling in (
        pool(3, 2, "same"),
        pool(3, 1, "same"),
        pool(5, 2, "valid"),
        pool(2, 1, "valid"),
    ):
        key = net.add(conv(4), net.input(9, 8, 3))
        net.results.append(net.add(pooling, key))
    net.results.append(
        net.add(AveragePooling2D(pool_size=(2, 2), strides=(2, 2)), net.input(6, 6, 3))
    )
    net.results.append(net.add(MaxPooling1D(pool_size=(2,), strides=(2,)), net.input(9, 3)))
    # residuals, in place and not, with batch normalisation
    for kernel, size, channels in (((3, 3), 8, 8), ((1, 1), 7, 12), ((3, 3), 5, 5)):
        start = net.add(conv(channels), net.input(size, size, 3))
        key = net.add(BatchNormalization(), net.add(conv(channels, kernel), start))
        key = net.add(ReLU(), net.add(Add(), start, key))
        again = net.add(Add(), net.add(conv(channels, kernel), key), key)
        net.results.append(net.add(Multiply(), again, key))
    start = net.add(conv(6), net.input(5, 6, 2))
    net.results.append(net.add(PReLU(), start))
    net.results.append(net.add(ELU(alpha=0.5), net.add(BatchNormalization(), start)))
    lib = library(net.model(), traced=False)
    assert steps(lib).count("PooledSums") == count
    assert deviations(lib, options) == []


@pytest.mark.parametrize("options", OPTIONS)
def test_padding_and_activations(options: list[str]) -> None:
    """Zeros around what a sum reads; an activation that uses its value twice."""
    net = Network(4)
    edges = ZeroPadding2D(padding=((1, 2), (0, 1)))
    key = net.add(edges, net.input(7, 8, 3))
    key = net.add(SiLU(), net.add(conv(8, (3, 3), "valid", strides=(2, 2)), key))
    net.results.append(key)
    padded = net.add(ZeroPadding2D(padding=((1, 1), (1, 1))), key)
    net.results.append(net.add(GELU(), net.add(deep((3, 3), padding="valid"), padded)))
    net.results.append(net.add(conv(4, (3, 3), "valid"), padded))
    padded = net.add(ZeroPadding2D(padding=((1, 1), (1, 1))), key)
    net.results.append(net.add(MaxPooling2D(pool_size=(3, 3), strides=(2, 2)), padded))
    lib = library(net.model(), traced=False)
    assert steps(lib).count("SumOfProducts") == 3
    assert not [f for f in lib.fast.program.functions if "_pad" in f.name]
    assert deviations(lib, options) == []


@pytest.mark.parametrize(
    ("file", "sums"),
    [("k2_lstm_stack.h5", 9), ("k2_gru_both.h5", 11), ("k3_attention_block.h5", 11)],
)
def test_recurrences_and_attention(shared: Path, file: str, sums: int) -> None:
    """A state before the first is zeros; heads and their values are channels."""
    lib = library(netsheet.load(shared / "corpus" / "open" / file), traced=False)
    every = [s for step in lib.fast.computations for s in getattr(step, "members", [step])]
    assert sum(isinstance(step, SumOfProducts) for step in every) == sums
    assert deviations(lib, ["-O1", *SANITIZE]) == []


def test_a_recurrence_keeps_one_step(shared: Path) -> None:
    """Gates and states of which nobody reads an older step take the memory of one."""
    path = shared / "corpus" / "open" / "k2_lstm_stack.h5"
    lib = library(netsheet.load(path), traced=False)
    kept = {t.name: b.size for t, b in lib.fast.buffers.items() if b.size < t.size}
    assert kept["lstm/pre"] == 20
    assert kept["lstm/cell"] == 5
    assert "lstm" not in kept  # the next layer reads every step
    assert kept["lstm_3/state"] == 3  # and here the last one is read at the end
    assert lib.fast.program.arena < 6 * 20


# --------------------------------------------------------------------------- any network


def grown(seed: int) -> Model:
    """Some random layers one behind the other."""
    net = Network(seed)
    rng = net.rng
    key = net.input(int(rng.integers(1, 17)), int(rng.integers(1, 17)), int(rng.integers(1, 9)))
    for _ in range(int(rng.integers(2, 7))):
        height, width, channels = net.shape(key)
        kernel = tuple(int(n) for n in rng.integers(1, 5, 2))
        stride = tuple(int(n) for n in rng.integers(1, 3, 2))
        fits = kernel[0] <= height and kernel[1] <= width
        padding = "valid" if fits and rng.random() < 0.4 else "same"
        more = {"strides": stride, "padding": padding}
        if rng.random() < 0.3 and padding == "same":
            more = {
                "dilation_rate": tuple(int(n) for n in rng.integers(1, 4, 2)),
                "padding": padding,
            }
        kind = rng.integers(0, 9)
        if kind < 3:
            groups = 2 if channels % 2 == 0 and kind == 2 else 1
            filters = groups * int(rng.integers(1, 20))
            key = net.add(conv(filters, kernel, groups=groups, **more), key)
        elif kind == 3:
            key = net.add(deep(kernel, int(rng.integers(1, 3)), **more), key)
        elif kind == 8 and height * width < 200:
            key = net.add(transposed(int(rng.integers(1, 9)), kernel, stride, padding), key)
        elif kind == 4:
            window = {"pool_size": kernel, "strides": stride, "padding": padding}
            key = net.add(MaxPooling2D(**window), key)
        elif kind == 5:
            key = net.add(Add(), key, net.add(conv(channels, (3, 3)), key))
        elif kind == 6:
            key = net.add(BatchNormalization(), key)
        key = net.add((ReLU, Tanh, ReLU6, Sigmoid)[rng.integers(0, 4)](), key)
    if rng.random() < 0.5:
        key = net.add(Dense(units=int(rng.integers(1, 12))), net.add(Flatten(), key))
    return net.model()


@pytest.mark.parametrize("seed", range(6))
def test_networks_of_random_layers(seed: int) -> None:
    lib = library(grown(seed), traced=False)
    options = ["-O1", *SANITIZE, *(PORTABLE if seed % 2 else [])]
    assert deviations(lib, options) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 60))
def test_more_networks_of_random_layers(seed: int) -> None:
    lib = library(grown(seed))
    for traced in (False, True):
        assert deviations(lib, ["-O1", *SANITIZE], traced) == []
    assert deviations(lib, ["-O2", *PORTABLE]) == []


# --------------------------------------------------------------------------- budgets


def test_the_published_network_is_fused(seed: Path) -> None:
    lib = library(netsheet.load(seed / "my_model.h5"))
    assert steps(lib)[:4] == ["PooledSums", "PooledSums", "SumOfProducts", "SumOfProducts"]
    assert isinstance(lib.fast.computations[0], PooledSums)
    assert isinstance(lib.fast.computations[2], SumOfProducts)
    assert lib.constants.size == 4 * lib.model.params
    # the first pooling's output, and two rows of the convolution before it
    assert lib.fast.program.arena == 13 * 13 * 5 + 2 * 25 * 5


@pytest.mark.parametrize(
    "file", ["seed/my_model.h5", "models/pretrainedResnet.h5", "models/str_ww_ref_model.h5"]
)
def test_the_same_network_from_onnx(shared: Path, tmp_path: Path, file: str) -> None:
    """Whatever its axes are called, and with channels first or last around every step."""
    keras = netsheet.load(shared / file)
    keras.to_onnx(tmp_path / "same.onnx")
    ours = library(keras, traced=False).fast
    other = library(netsheet.load(tmp_path / "same.onnx"), traced=False).fast
    assert other.program.arena == ours.program.arena
    functions = [[name for f in one.program.functions for name in row_functions(f.body)]
                 for one in (ours, other)]  # fmt: skip
    assert functions[0] == functions[1] != []
    kinds = [[type(step) for step in one.computations] for one in (ours, other)]
    assert kinds[0] == kinds[1]


def row_functions(body: Sequence[Statement]) -> list[str]:
    """The names of the row functions that statements call, in order."""
    found = []
    for node in body:
        if isinstance(node, Kernel):
            found.append(node.function.name)
        for inner in (getattr(node, part, ()) for part in ("body", "then", "otherwise")):
            found += row_functions(inner)
    return found


BOARD = pytest.mark.skipif(
    not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
    reason="there is no cross compiler or no emulator (tools/install-system.sh)",
)


@BOARD
@pytest.mark.parametrize("file", ["my_model.h5", "my_model_channels_last.h5"])
def test_budget_of_the_published_network(seed: Path, file: str) -> None:
    figures = measure_board(library(netsheet.load(seed / file), traced=False))
    assert figures.instructions <= 240_000
    assert figures.text <= 4_600
    assert figures.bss + figures.data <= 4_900
    small = measure_board(library(netsheet.load(seed / file), traced=False), opt="-Os")
    assert small.instructions <= 1.25 * figures.instructions


@BOARD
@pytest.mark.slow
def test_budget_of_a_residual_network(shared: Path) -> None:
    lib = library(netsheet.load(shared / "models" / "pretrainedResnet.h5"), traced=False)
    assert 4 * lib.fast.program.arena == 131_072
    figures = measure_board(lib)
    assert figures.instructions <= 24_000_000
    assert figures.text <= 320_000
    assert measure_board(lib, opt="-Os").instructions <= 1.25 * figures.instructions


@BOARD
@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "most"), [("ad01.h5", 800_000), ("str_ww_ref_model.h5", 1_800_000)]
)
def test_budget_of_other_networks(shared: Path, file: str, most: int) -> None:
    """Half or less of what other generators need: 1,622,000 and 5,960,000."""
    lib = library(netsheet.load(shared / "models" / file), traced=False)
    assert measure_board(lib).instructions <= most
