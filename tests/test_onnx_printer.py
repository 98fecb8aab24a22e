"""The ONNX printer against the plain evaluator, and against each layer's own ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime
import pytest

from netsheet.equations import (
    FUNCTIONS,
    Equation,
    FloatArray,
    Gather,
    Guard,
    Index,
    Lookup,
    Number,
    Tensor,
    Weight,
    affine,
    call,
    equation,
    indices_of,
    reduce,
    select,
)
from netsheet.equations.evaluation import evaluate
from netsheet.layer import Layer
from netsheet.layers.base import constant
from netsheet.layers.conv import Conv1D, Conv2D, DepthwiseConv2D, SeparableConv2D
from netsheet.layers.conv_transpose import Conv2DTranspose
from netsheet.layers.dense import Dense
from netsheet.write.onnx.builder import Builder
from netsheet.write.onnx.functions import SPELLED

BATCH = 3


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor(name, tuple(f"axis{i}" for i in range(len(shape))), shape)


def weight(name: str, values: FloatArray) -> Weight:
    axes = tuple(f"axis{i}" for i in range(values.ndim))
    return Weight(name, axes, values.shape, label=name, values=values)


def run(
    graph: Builder, outputs: Sequence[Tensor], given: dict[str, FloatArray]
) -> list[FloatArray]:
    import onnx
    import onnxruntime

    model = graph.finish("test", outputs)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, given)  # type: ignore[no-any-return]


def check(
    equations: list[Equation], x: Tensor, y: Tensor, low: float = -2, high: float = 2
) -> None:
    """The printed equations give, sample by sample, what the evaluator gives."""
    rng = np.random.default_rng(5)
    batch = rng.uniform(low, high, (BATCH, *x.shape)).astype(np.float32)
    graph = Builder([x], [y.name])
    graph.define(y, graph.print(equations, {}, [y])[0], 0)
    (got,) = run(graph, [y], {x.name: batch})
    expected = np.stack([evaluate(equations, {x: sample})[y] for sample in batch])
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-6)


def test_every_function_has_a_spelling() -> None:
    assert set(FUNCTIONS) == SPELLED


ARGUMENTS = {"isnan": 1, "isinf": 1, "not": 1, "if": 3} | dict.fromkeys(
    ["add", "sub", "mul", "div", "max", "min", "pow", "mod", "fmod", "less", "less_equal",
     "equal", "and", "or", "xor"], 2)  # fmt: skip
DOMAINS = {"log": (0.1, 3), "sqrt": (0, 3), "pow": (0.1, 2), "asin": (-1, 1), "acos": (-1, 1),
           "atanh": (-0.9, 0.9), "acosh": (1.1, 3)}  # fmt: skip


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_function(function: str) -> None:
    count = ARGUMENTS.get(function, 1)
    x, y = tensor("x", count, 40), tensor("y", 40)
    (i,) = indices_of(y)
    args = [x[n, i] for n in range(count)]
    if function in ("equal", "less_equal", "and", "or", "xor", "not", "if"):
        args[0] = call("round", args[0])
        args[-1] = call("round", args[-1])
    check([equation(y[i], call(function, *args))], x, y, *DOMAINS.get(function, (-2, 2)))


def _diagonal(x: Tensor, y: Tensor) -> list[Equation]:
    i, j = Index("i", 4), Index("j", 3)
    return [equation(y[i], reduce("sum", (j,), x[i, i, j]))]


def _transposed(x: Tensor, y: Tensor) -> list[Equation]:
    a, b, c = indices_of(x)
    return [equation(y[c, a, b], x[a, b, c] * 2 + Number(affine(b * 3 + 1)))]


def _flattened(x: Tensor, y: Tensor) -> list[Equation]:
    k = Index("k", 48)
    return [equation(y[k], x[k // 12, k // 3 % 4, k % 3])]


def _flattened_differently(x: Tensor, y: Tensor) -> list[Equation]:
    k = Index("k", 48)
    return [equation(y[k], x[k % 4, k // 4 % 4, k // 16])]


def _unflattened(x: Tensor, y: Tensor) -> list[Equation]:
    a, b, c = indices_of(y)
    return [equation(y[a, b, c], x[a * 12 + b * 3 + c])]


def _strided(x: Tensor, y: Tensor) -> list[Equation]:
    a, b, c = indices_of(y)
    return [equation(y[a, b, c], x[3 - a, b * 2, c])]


def _window(op: str) -> Callable[[Tensor, Tensor], list[Equation]]:
    def made(x: Tensor, y: Tensor) -> list[Equation]:
        a, b, c = indices_of(y)
        u, v = Index("u", 3), Index("v", 2)
        places = [a * 2 + u - 1, b + v - 1]
        guards = [Guard(places[0], 0, 4), Guard(places[1], 0, 4)]
        return [equation(y[a, b, c], reduce(op, (u, v), x[places[0], places[1], c], guards))]

    return made


def _repeated_product(x: Tensor, y: Tensor) -> list[Equation]:
    i, u, v = Index("i", 5), Index("u", 3), Index("v", 2)
    body = reduce("prod", (u, v), x[i])
    return [equation(y[i], body + reduce("sum", (u, v), x[i]) + reduce("mean", (u,), x[i]))]


def _pieces(x: Tensor, y: Tensor) -> list[Equation]:
    i, j = Index("i", 3), Index("j", 2)
    return [
        equation(y[i * 2 + 1], x[i]),
        equation(y[0], reduce("max", (j,), x[j + 3])),
        equation(y[j * 2 + 2], y[j * 2 + 1] + 1),
    ]


def _lookup(x: Tensor, y: Tensor) -> list[Equation]:
    i = Index("i", 6)
    return [equation(y[i], x[affine(Lookup((0, 0, 2, 1, 4, 3), affine(i)))])]


def _selected(x: Tensor, y: Tensor) -> list[Equation]:
    i = Index("i", 7)
    return [equation(y[i], select([Guard(i - 1, 0, 5)], x[i - 1], -1))]


def _computed_from_weight(x: Tensor, y: Tensor) -> list[Equation]:
    table = weight("table", np.arange(20.0).reshape(5, 4))
    i, j = Index("i", 6), Index("j", 4)
    place = affine(Gather(call("abs", x[i]), 5))
    return [equation(y[i, j], table[place, j])]


def _computed_from_input(x: Tensor, y: Tensor) -> list[Equation]:
    i = Index("i", 6)
    place = affine(Gather(call("abs", x[i]), 5))
    return [equation(y[i], select([Guard(place, 1, 4)], x[5 - place], Number(place + i)))]


def _constant(x: Tensor, y: Tensor) -> list[Equation]:
    a, b = indices_of(y)
    return [equation(y[a, b], Number(affine(b)))]


def _recurrence(x: Tensor, y: Tensor) -> list[Equation]:
    t, i, j = Index("t", 120), Index("i", 3), Index("j", 3)
    kernel = weight("kernel", np.array([[0.1, -0.4, 0.2], [0.3, 0.2, -0.1], [-0.2, 0.5, 0.1]]))
    gate = y.like("gate")
    before = reduce("sum", (j,), y[t - 1, j] * kernel[j, i])
    start = select([Guard(t - 1, 0, 120)], before, 0)
    return [
        equation(gate[t, i], call("tanh", x[t, i] + start), t),
        equation(
            y[t, i], gate[t, i] * 0.5 + select([Guard(affine(t), 1, 120)], y[t - 1, i], 1) * 0.5, t
        ),
    ]


def _backwards(x: Tensor, y: Tensor) -> list[Equation]:
    t, i = Index("t", 5), Index("i", 3)
    start = select([Guard(affine(t), 1, 5)], y[5 - t, i], 0)
    return [equation(y[4 - t, i], x[4 - t, i] + start, t)]


CASES: dict[
    str, tuple[Callable[[Tensor, Tensor], list[Equation]], tuple[int, ...], tuple[int, ...]]
]
CASES = {
    "diagonal": (_diagonal, (4, 4, 3), (4,)),
    "transposed": (_transposed, (4, 2, 3), (3, 4, 2)),
    "flattened": (_flattened, (4, 4, 3), (48,)),
    "flattened differently": (_flattened_differently, (4, 4, 3), (48,)),
    "unflattened": (_unflattened, (48,), (4, 4, 3)),
    "strided": (_strided, (4, 5, 2), (4, 3, 2)),
    "window sum": (_window("sum"), (4, 4, 2), (2, 5, 2)),
    "window max": (_window("max"), (4, 4, 2), (2, 5, 2)),
    "window mean": (_window("mean"), (4, 4, 2), (2, 5, 2)),
    "window min": (_window("min"), (4, 4, 2), (2, 5, 2)),
    "window product": (_window("prod"), (4, 4, 2), (2, 5, 2)),
    "repeated": (_repeated_product, (5,), (5,)),
    "pieces": (_pieces, (5,), (7,)),
    "lookup": (_lookup, (5,), (6,)),
    "selected": (_selected, (5,), (7,)),
    "computed position in a weight": (_computed_from_weight, (6,), (6, 4)),
    "computed position in an input": (_computed_from_input, (6,), (6,)),
    "constant": (_constant, (2,), (2, 3)),
    "recurrence": (_recurrence, (120, 3), (120, 3)),
    "backwards": (_backwards, (5, 3), (5, 3)),
}


@pytest.mark.parametrize("case", CASES)
def test_equations(case: str) -> None:
    make, shape, result = CASES[case]
    x, y = tensor("x", *shape), tensor("y", *result)
    check(make(x, y), x, y)


def _made(layer: Layer, shapes: dict[str, tuple[int, ...]]) -> Layer:
    rng = np.random.default_rng(1)
    for label, axes in layer.weight_axes().items():
        values = rng.normal(size=shapes[label]).astype(np.float32)
        layer.weights[label] = Weight(
            f"{layer.name}/{label}", axes, values.shape, label=label, values=values
        )
    return layer


WINDOW = {"kernel_size": (3, 2), "strides": (2, 1), "dilation_rate": (1, 1), "padding": "same"}
LAYERS: dict[str, tuple[Layer, tuple[str, ...], tuple[int, ...]]] = {
    "conv": (
        _made(Conv2D(name="c", filters=4, **WINDOW), {"kernel": (3, 2, 3, 4), "bias": (4,)}),
        ("height", "width", "channel"),
        (5, 4, 3),
    ),
    "grouped channels_first": (
        _made(
            Conv2D(name="c", filters=4, groups=2, data_format="channels_first", **WINDOW),
            {"kernel": (3, 2, 2, 4), "bias": (4,)},
        ),
        ("channel", "height", "width"),
        (4, 5, 6),
    ),
    "causal": (
        _made(
            Conv1D(
                name="c", filters=2, kernel_size=(3,), strides=(1,), dilation_rate=(2,),
                padding="causal",
            ),
            {"kernel": (3, 2, 2), "bias": (2,)},
        ),
        ("time", "channel"),
        (6, 2),
    ),
    "depthwise": (
        _made(
            DepthwiseConv2D(name="c", depth_multiplier=2, **WINDOW),
            {"depthwise_kernel": (3, 2, 3, 2), "bias": (6,)},
        ),
        ("height", "width", "channel"),
        (5, 4, 3),
    ),
    "separable": (
        _made(
            SeparableConv2D(name="c", filters=4, **WINDOW),
            {"depthwise_kernel": (3, 2, 3, 1), "pointwise_kernel": (1, 1, 3, 4), "bias": (4,)},
        ),
        ("height", "width", "channel"),
        (5, 4, 3),
    ),
    "transposed": (
        _made(
            Conv2DTranspose(
                name="c", filters=2, kernel_size=(3, 3), strides=(2, 2), dilation_rate=(1, 1),
                padding="same",
            ),
            {"kernel": (3, 3, 2, 3), "bias": (2,)},
        ),
        ("height", "width", "channel"),
        (3, 4, 3),
    ),
    "dense": (
        _made(Dense(name="d", units=4), {"kernel": (3, 4), "bias": (4,)}),
        ("time", "channel"),
        (5, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYERS)
def test_layer_by_equations_and_by_operators(case: str) -> None:
    layer, axes, shape = LAYERS[case]
    x = Tensor("x", axes, shape)
    (signature,) = layer.infer([x])
    y = Tensor("y", signature.axes, tuple(size or 0 for size in signature.shape))
    z = Tensor("z", y.axes, y.shape)
    batch = np.random.default_rng(2).normal(size=(BATCH, *shape)).astype(np.float32)
    equations = layer.equations([x], [y])
    graph = Builder([x], ["y", "z"])
    graph.define(y, graph.print(equations, {}, [y])[0], 0)
    since = graph.position
    graph.define(z, layer.onnx(graph, ["x"], [x], [z])[0], since)
    printed, native = run(graph, [y, z], {"x": batch})
    expected = np.stack([evaluate(equations, {x: sample})[y] for sample in batch])
    np.testing.assert_allclose(printed, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(native, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride, pad, backwards", [(1, 0, False), (2, 1, False), (1, 2, True)])
def test_sums_over_windows_are_convolutions(stride: int, pad: int, backwards: bool) -> None:
    """Printed from equations alone, whichever way round the kernel is read."""
    x, y = Tensor("x", ("height", "channel"), (7, 2)), Tensor("y", ("height", "channel"), (3, 4))
    kernel = constant("kernel", np.random.default_rng(1).normal(size=(3, 2, 4)))
    p, o = indices_of(y)
    u, i = Index("u", 3), Index("i", 2)
    place = p * stride + (2 - u if backwards else u) - pad
    total = reduce("sum", [u, i], x[place, i] * kernel[u, i, o], [Guard(place, 0, 7)])
    graph = Builder([x], ["y"])
    (name,) = graph.print([equation(y[p, o], total)], {x: "x"}, [y])
    graph.define(y, name, 0)
    proto = graph.finish("windows", [y])
    assert [node.op_type for node in proto.graph.node].count("Conv") == 1
    given = np.random.default_rng(2).normal(size=(5, 7, 2)).astype(np.float32)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (got,) = session.run(None, {"x": given})
    expected = [evaluate([equation(y[p, o], total)], {x: sample})[y] for sample in given]
    assert np.abs(got - np.stack(expected)).max() < 1e-5


@pytest.mark.parametrize(
    "taps, stride, dilation, pad", [(2, 2, 1, 0), (3, 1, 1, 1), (3, 2, 1, 2), (2, 3, -1, 0)]
)
def test_largest_values_of_windows_are_pooled(
    taps: int, stride: int, dilation: int, pad: int
) -> None:
    """Printed from equations alone, where all values are known as numbers."""
    x, y = Tensor("x", ("height", "channel"), (9, 2)), Tensor("y", ("height", "channel"), (3, 2))
    p, c = indices_of(y)
    u = Index("u", taps)
    place = p * stride + u * dilation - pad + (1 if dilation < 0 else 0)
    largest = equation(y[p, c], reduce("max", [u], x[place, c], [Guard(place, 0, 9)]))
    given = np.random.default_rng(2).normal(size=(5, 9, 2)).astype(np.float32)
    for finite in (frozenset([x]), frozenset[Tensor]()):
        graph = Builder([x], ["y"])
        graph.finite = finite
        graph.define(y, graph.print([largest], {}, [y])[0], 0)
        kinds = [node.op_type for node in graph.finish("windows", [y]).graph.node]
        assert kinds.count("MaxPool") == len(finite) and ("Max" in kinds) != bool(finite)
        if not finite:
            given[0] = -np.inf
            given[1, :4] = np.inf
        (got,) = run(graph, [y], {"x": given})
        assert (got == np.stack([evaluate([largest], {x: sample})[y] for sample in given])).all()


@pytest.mark.parametrize("size, place", [(3, (2, 1, -2)), (1, (1, 2, -1))])
def test_windows_may_have_no_largest_value(size: int, place: tuple[int, int, int]) -> None:
    """MaxPool cannot say so: where a window may be empty, the maximum is printed."""
    x, y = Tensor("x", ("height",), (size,)), Tensor("y", ("height",), (size,))
    (p,) = indices_of(y)
    u = Index("u", 2)
    stride, dilation, start = place
    at = p * stride + u * dilation + start
    largest = equation(y[p], reduce("max", [u], x[at], [Guard(at, 0, size)]))
    graph = Builder([x], ["y"])
    graph.finite = frozenset([x])
    graph.define(y, graph.print([largest], {}, [y])[0], 0)
    (got,) = run(graph, [y], {"x": np.arange(1, size + 1, dtype=np.float32)[np.newaxis]})
    assert got[0].tolist() == [-np.inf, 2.0, 3.0][:size]


def test_values_known_as_numbers_are_picked_by_a_product() -> None:
    x, y = Tensor("x", ("height", "width"), (2, 5)), Tensor("y", ("height", "width"), (2, 9))
    r, p = indices_of(y)
    repeated = equation(y[r, p], x[r, p // 2])
    given = np.random.default_rng(2).normal(size=(3, 2, 5)).astype(np.float32)
    results = []
    for finite in (frozenset(), frozenset([x])):
        graph = Builder([x], ["y"])
        graph.finite = finite
        graph.define(y, graph.print([repeated], {}, [y])[0], 0)
        kinds = {node.op_type for node in graph.finish("picked", [y]).graph.node}
        assert ("MatMul" in kinds) == bool(finite) and ("Gather" in kinds) != bool(finite)
        results.append(run(graph, [y], {"x": given})[0])
    assert (results[0] == results[1]).all()
    assert (results[0] == given[:, :, np.arange(9) // 2]).all()


@pytest.mark.parametrize("taps", [(5, 4), (2, 2)])
def test_few_large_windows_are_one_product(taps: tuple[int, int]) -> None:
    """As in the gradient of a kernel, whose batch is an axis of the equations."""
    image = Tensor("image", ("batch", "height", "width", "channel"), (3, 6, 5, 2))
    maps = Tensor("maps", ("batch", "height", "width", "channel"), (3, *taps, 4))
    sizes = tuple(n - tap + 1 for n, tap in zip(image.shape[1:3], taps, strict=True))
    y = Tensor("y", ("height", "width", "channel", "filter"), (*sizes, 2, 4))
    p, q, c, o = indices_of(y)
    n, u, v = Index("n", 3), Index("u", taps[0]), Index("v", taps[1])
    total = reduce("sum", [n, u, v], image[n, p + u, q + v, c] * maps[n, u, v, o])
    graph = Builder([image, maps], ["y"], single=True)
    graph.define(y, graph.print([equation(y[p, q, c, o], total)], {}, [y])[0], 0)
    kinds = [node.op_type for node in graph.finish("windows", [y]).graph.node]
    few = sizes[0] * sizes[1] < taps[0] * taps[1]
    assert (kinds.count("MatMul"), kinds.count("Conv")) == ((1, 0) if few else (0, 1))
    rng = np.random.default_rng(3)
    given = {t: rng.normal(size=t.shape).astype(np.float32) for t in (image, maps)}
    (got,) = run(graph, [y], {tensor.name: array[np.newaxis] for tensor, array in given.items()})
    expected = evaluate([equation(y[p, q, c, o], total)], given)[y]
    np.testing.assert_allclose(got[0], expected, rtol=1e-5, atol=1e-5)


def _scattered_to_rows(x: Tensor, y: Tensor) -> list[Equation]:
    """Of a look-up's gradient: the rows of the points; some lie outside."""
    row, c = indices_of(y)
    p = Index("p", x.shape[0])
    place = affine(Gather(call("abs", x[p, 0] * 2), 5)) * 2
    return [equation(y[row, c], reduce("sum", (p,), x[p, c], [Guard(place - row - 1, 0, 1)]))]


def _scattered_backwards(x: Tensor, y: Tensor) -> list[Equation]:
    """The row counts down, some points do not count, and each has an inner sum."""
    row, c = indices_of(y)
    p, k = Index("p", x.shape[0]), Index("k", 2)
    place = affine(Gather(call("abs", x[p, 0] * 2), 5))
    where = [Guard(place + row, 3, 4), Guard(p + 0, 1, 6)]
    return [equation(y[row, c], reduce("sum", (p, k), x[p, c] * x[p, k], where))]


def _scattered_by_column(x: Tensor, y: Tensor) -> list[Equation]:
    """Every column has rows of its own."""
    row, c = indices_of(y)
    p = Index("p", x.shape[0])
    place = affine(Gather(call("abs", x[p, c] * 2), 5))
    return [equation(y[row, c], reduce("sum", (p,), x[p, 0], [Guard(row - place, 0, 1)]))]


@pytest.mark.parametrize("make", [
    _scattered_to_rows, _scattered_backwards, _scattered_by_column
])  # fmt: skip
def test_sums_by_computed_rows_are_scattered(
    make: Callable[[Tensor, Tensor], list[Equation]],
) -> None:
    """Not compared row by row, which takes rows times points values."""
    x, y = tensor("x", 7, 3), tensor("y", 4, 3)
    check(make(x, y), x, y)
    graph = Builder([x], ["y"])
    graph.define(y, graph.print(make(x, y), {}, [y])[0], 0)
    kinds = {node.op_type for node in graph.finish("scattered", [y]).graph.node}
    assert "ScatterElements" in kinds
