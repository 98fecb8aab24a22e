"""Operators of ``com.microsoft``: what ONNX Runtime's optimiser and quantiser write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from netsheet.equations import (
    Equation,
    Expr,
    Index,
    Position,
    Tensor,
    Value,
    call,
    equation,
    indices_of,
    reduce,
)
from netsheet.errors import UnsupportedError
from netsheet.layers.activation import GELU
from netsheet.layers.base import broadcast
from netsheet.operators.base import Formula, OnnxNode, Rule, indices, pointwise
from netsheet.operators.convolution import convolution_of_computed
from netsheet.operators.elementwise import broadcast_shape
from netsheet.operators.numbers import is_integer, limits
from netsheet.operators.products import product_reads, product_shape
from netsheet.operators.windows import spans_of


def saturated(x: Expr, dtype: str) -> Expr:
    """Rounded half to even, and kept within an integer type."""
    if not is_integer(dtype):
        raise UnsupportedError(f"values quantised to {dtype} are not computed")
    low, high = limits(dtype)
    return call("max", call("min", call("round", x), high), low)


def one(node: OnnxNode, index: int) -> Value:
    """A parameter that is one number; 0 where it is left out."""
    if not node.has(index):
        return 0
    tensor = node.input(index)
    if tensor.size != 1:
        raise UnsupportedError(f"{node.op}: input {index} of the shape {tensor.shape}")
    return tensor[(0,) * len(tensor.shape)]


def each(node: OnnxNode, index: int, column: Position) -> Value:
    """A parameter that is one number, or one for each column."""
    if not node.has(index) or node.input(index).size == 1:
        return one(node, index)
    tensor = node.input(index)
    if len(tensor.shape) != 1:
        raise UnsupportedError(f"{node.op}: input {index} of the shape {tensor.shape}")
    return tensor[column]


def real(node: OnnxNode, read: Expr, first: int) -> Expr:
    """A quantised value as a real one: its scale and zero point are two inputs."""
    return (read - one(node, first + 1)) * one(node, first)


def quantised(node: OnnxNode, value: Expr, first: int, dtype: str) -> Expr:
    """A real value quantised."""
    return saturated(call("round", value / one(node, first)) + one(node, first + 1), dtype)


def binary(function: Callable[[Expr, Expr], Expr]) -> Rule:
    """A function of two quantised tensors that broadcast."""

    def rule(node: OnnxNode) -> Formula:
        a, b = node.input(0), node.input(3)
        shape, dtype = broadcast_shape(node, [a, b]), node.dtype(0)

        def element(at: tuple[Index, ...]) -> Expr:
            first, second = real(node, broadcast(a, at), 1), real(node, broadcast(b, at), 4)
            return quantised(node, function(first, second), 6, dtype)

        return pointwise(shape, dtype, element)

    return rule


def unary(function: Callable[[OnnxNode, Expr], Expr]) -> Rule:
    """A function of each quantised element."""

    def rule(node: OnnxNode) -> Formula:
        x, dtype = node.input(0), node.dtype(0)

        def element(at: tuple[Index, ...]) -> Expr:
            return quantised(node, function(node, real(node, x[at], 1)), 3, dtype)

        return pointwise(x.shape, dtype, element)

    return rule


def _leaky(node: OnnxNode, x: Expr) -> Expr:
    return call("if", call("less", x, 0), x * float(node.attr("alpha", 0.01)), x)


def concat(node: OnnxNode) -> Formula:
    """Quantised tensors one behind the other, each brought to the result's scale."""
    parts = range(2, len(node.inputs), 3)
    tensors = [node.input(n) for n in parts]
    first, dtype = tensors[0].shape, node.dtype(2)
    axis = int(node.attr("axis")) % len(first)
    for tensor in tensors:
        if (*tensor.shape[:axis], *tensor.shape[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
            raise UnsupportedError(f"{node.op} of {first} and {tensor.shape} does not fit")

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        result, start = [], 0
        for n, tensor in zip(parts, tensors, strict=True):
            at: list[Position] = list(indices_of(tensor))
            source = tuple(at)
            at[axis] = at[axis] + start
            value = quantised(node, real(node, tensor[source], n + 1), 0, dtype)
            result.append(equation(outputs[0][tuple(at)], value))
            start += tensor.shape[axis]
        return result

    total = sum(tensor.shape[axis] for tensor in tensors)
    return Formula([(*first[:axis], total, *first[axis + 1 :])], [dtype], write)


def average_pool(node: OnnxNode) -> Formula:
    """The mean of each window of quantised values."""
    if node.attr("channels_last", 0) or node.attr("count_include_pad", 0):
        raise UnsupportedError(f"{node.op} with channels last or counted padding is not computed")
    x, dtype = node.input(0), node.dtype(0)
    spans = spans_of(node, x)

    def element(at: tuple[Index, ...]) -> Expr:
        taps = tuple(Index("uvwz"[n % 4], span.size) for n, span in enumerate(spans))
        triples = list(zip(spans, at[2:], taps, strict=True))
        source = x[(*at[:2], *(span.at(o, u) for span, o, u in triples))]
        mean = reduce("mean", taps, source, [span.guard(o, u) for span, o, u in triples])
        return quantised(node, real(node, mean, 1), 3, dtype)

    return pointwise((*x.shape[:2], *(span.out or 0 for span in spans)), dtype, element)


def global_average_pool(node: OnnxNode) -> Formula:
    """The mean of each channel of quantised values."""
    if node.attr("channels_last", 0):
        raise UnsupportedError(f"{node.op} with channels last is not computed")
    x, dtype = node.input(0), node.dtype(0)

    def element(at: tuple[Index, ...]) -> Expr:
        over = tuple(Index("uvwz"[n % 4], size) for n, size in enumerate(x.shape[2:]))
        mean = reduce("mean", over, x[(*at[:2], *over)])
        return quantised(node, real(node, mean, 1), 3, dtype)

    return pointwise((*x.shape[:2], *[1] * (len(x.shape) - 2)), dtype, element)


def _factors(node: OnnxNode, a: Tensor, b: Tensor) -> tuple[int, int, int]:
    """Rows, inner size and columns of a Gemm."""
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise UnsupportedError(f"{node.op} of {a.shape} and {b.shape} does not fit")
    rows, inner = a.shape[::-1] if node.attr("transA", 0) else a.shape
    across, columns = b.shape[::-1] if node.attr("transB", 0) else b.shape
    if inner != across:
        raise UnsupportedError(f"{node.op}: {inner} columns meet {across} rows")
    return rows, inner, columns


def quantised_gemm(node: OnnxNode) -> Formula:
    """QGemm: the product of quantised matrices plus an integer bias; quantised where so asked."""
    a, b = node.input(0), node.input(3)
    rows, inner, columns = _factors(node, a, b)
    k, alpha = Index("k", inner), float(node.attr("alpha", 1.0))
    dtype = node.dtype(8) if node.has(8) else "float32"

    def element(at: tuple[Index, ...]) -> Expr:
        i, j = at
        left = a[k, i] if node.attr("transA", 0) else a[i, k]
        right = b[j, k] if node.attr("transB", 0) else b[k, j]
        factor = (left - one(node, 2)) * (right - each(node, 5, j))
        total = reduce("sum", (k,), factor)
        if node.has(6):
            total = total + broadcast(node.input(6), at)
        result = total * (one(node, 1) * each(node, 4, j) * alpha)
        return quantised(node, result, 7, dtype) if node.has(7) else result

    return pointwise((rows, columns), dtype, element)


def integer_to_float(node: OnnxNode) -> Formula:
    """MatMulIntegerToFloat: quantised factors, the product in real numbers."""
    a, b = node.input(0), node.input(1)
    k = Index("k", a.shape[-1])

    def element(at: tuple[Index, ...]) -> Expr:
        left, right = product_reads(a, b, at, k)
        column = right[-1]
        factor = (a[left] - one(node, 4)) * (b[right] - each(node, 5, column))
        result = reduce("sum", (k,), factor) * (one(node, 2) * each(node, 3, column))
        return result + broadcast(node.input(6), at) if node.has(6) else result

    return pointwise(product_shape(a.shape, b.shape), "float32", element)


def dynamic_matmul(node: OnnxNode) -> Formula:
    """DynamicQuantizeMatMul: the first factor is quantised to uint8 by its own range."""
    a, b = node.input(0), node.input(1)
    k, shape = Index("k", a.shape[-1]), product_shape(a.shape, b.shape)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        low, high, scale, zero = (y.step(n, (), ()) for n in ("min", "max", "scale", "zero"))
        integer = y.step("quantised", a.axes, a.shape)
        at, to = indices(a.shape), indices(shape)
        origin = call("round", call("max", call("min", -low[()] / scale[()], 255), 0))
        whole = saturated(call("round", a[at] / scale[()]) + zero[()], "uint8")
        left, right = product_reads(integer, b, to, k)
        column = right[-1]
        factor = (integer[left] - zero[()]) * (b[right] - each(node, 3, column))
        result = reduce("sum", (k,), factor) * (scale[()] * each(node, 2, column))
        if node.has(4):
            result = result + broadcast(node.input(4), to)
        return [
            equation(low[()], call("min", reduce("min", at, a[at]), 0)),
            equation(high[()], call("max", reduce("max", at, a[at]), 0)),
            equation(scale[()], (high[()] - low[()]) / 255),
            equation(zero[()], origin),
            equation(integer[at], whole),
            equation(y[to], result),
        ]

    return Formula([shape], ["float32"], write)


def fused_matmul(node: OnnxNode) -> Formula:
    """A product of matrices, each transposed where so said, times a number."""
    if node.attr("transBatchA", 0) or node.attr("transBatchB", 0):
        raise UnsupportedError("FusedMatMul with a transposed batch is not computed")
    a, b = node.input(0), node.input(1)
    down, across = bool(node.attr("transA", 0)), bool(node.attr("transB", 0))
    down, across = down and len(a.shape) > 1, across and len(b.shape) > 1
    turned = [
        (*t.shape[:-2], t.shape[-1], t.shape[-2]) if flip else t.shape
        for t, flip in ((a, down), (b, across))
    ]
    shape = product_shape(*turned)
    k, alpha = Index("k", turned[0][-1]), float(node.attr("alpha", 1.0))
    plain = [Tensor("", t.axes, s) for t, s in zip((a, b), turned, strict=True)]

    def element(at: tuple[Index, ...]) -> Expr:
        left, right = product_reads(plain[0], plain[1], at, k)
        left = (*left[:-2], left[-1], left[-2]) if down else left
        right = (*right[:-2], right[-1], right[-2]) if across else right
        total = reduce("sum", (k,), a[left] * b[right])
        return total if alpha == 1 else total * alpha

    return pointwise(shape, node.dtype(), element)


ACTIVATIONS: dict[str, Callable[[Expr, Sequence[float]], Expr]] = {
    "Relu": lambda x, p: call("max", x, 0),
    "Tanh": lambda x, p: call("tanh", x),
    "Sigmoid": lambda x, p: call("sigmoid", x),
    "LeakyRelu": lambda x, p: call("if", call("less", x, 0), x * p[0], x),
    "Clip": lambda x, p: call("min", call("max", x, p[0]), p[1]),
    "HardSigmoid": lambda x, p: call("max", 0, call("min", 1, x * p[0] + p[1])),
}


def fused_convolution(node: OnnxNode) -> Formula:
    """A convolution, what is added to it, and an activation."""
    kind = str(node.attr("activation", ""))
    if kind not in ACTIVATIONS:
        raise UnsupportedError(f"FusedConv with the activation {kind!r} is not computed")
    inner = convolution_of_computed(node)
    parameters = [float(n) for n in node.attr("activation_params") or []]

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        linear = y.like("pre")
        at = indices(y.shape)
        value: Expr = linear[at]
        if node.has(3):
            value = value + node.input(3)[at]
        return [
            *inner.write([linear]),
            equation(y[at], ACTIVATIONS[kind](value, parameters)),
        ]

    if node.has(3) and node.input(3).shape != tuple(inner.shapes[0]):
        raise UnsupportedError(f"FusedConv adds {node.input(3).shape} to {inner.shapes[0]}")
    return Formula(inner.shapes, inner.dtypes, write)


def fused_gemm(node: OnnxNode) -> Formula:
    """A Gemm and an activation."""
    from netsheet.operators.products import gemm

    kind = str(node.attr("activation", ""))
    if kind not in ACTIVATIONS:
        raise UnsupportedError(f"FusedGemm with the activation {kind!r} is not computed")
    _factors(node, node.input(0), node.input(1))
    inner = gemm(replace(node, op="Gemm"))
    parameters = [float(node.attr(n)) for n in ("activation_alpha", "activation_beta")
                  if node.attr(n) is not None]  # fmt: skip

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        linear, at = y.like("pre"), indices(y.shape)
        return [
            *inner.write([linear]),
            equation(y[at], ACTIVATIONS[kind](linear[at], parameters)),
        ]

    return Formula(inner.shapes, inner.dtypes, write)


def gelu(approximate: bool) -> Rule:
    """GELU of the input, and of a bias where there is one."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        made = GELU(approximate=approximate)
        if node.has(1) and node.input(1).shape != x.shape[-1:]:
            raise UnsupportedError(f"{node.op}: a bias of {node.input(1).shape} for {x.shape}")

        def element(at: tuple[Index, ...]) -> Expr:
            return made.formula(x[at] + node.input(1)[at[-1]] if node.has(1) else x[at])

        return pointwise(x.shape, node.dtype(), element)

    return rule


def quick_gelu(node: OnnxNode) -> Formula:
    """``x * sigmoid(alpha x)``."""
    x, alpha = node.input(0), float(node.attr("alpha", 1.702))
    return pointwise(x.shape, node.dtype(), lambda at: x[at] * call("sigmoid", x[at] * alpha))


ROWS: dict[str, Any] = {
    "QLinearAdd": binary(lambda a, b: a + b),
    "QLinearMul": binary(lambda a, b: a * b),
    "QLinearSigmoid": unary(lambda node, x: call("sigmoid", x)),
    "QLinearLeakyRelu": unary(_leaky),
    "QLinearConcat": concat,
    "QLinearAveragePool": average_pool,
    "QLinearGlobalAveragePool": global_average_pool,
    "QGemm": quantised_gemm,
    "MatMulIntegerToFloat": integer_to_float,
    "DynamicQuantizeMatMul": dynamic_matmul,
    "FusedMatMul": fused_matmul,
    "TransposeMatMul": fused_matmul,
    "FusedConv": fused_convolution,
    "FusedGemm": fused_gemm,
    "BiasGelu": gelu(False),
    "FastGelu": gelu(True),
    "QuickGelu": quick_gelu,
}
