"""Real numbers as small integers: ``x = (q - zero point) * scale``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Index,
    Position,
    Tensor,
    affine,
    call,
    equation,
    indices_of,
    reduce,
)
from netsheet.errors import UnsupportedError
from netsheet.operators.base import Formula, OnnxNode, pointwise
from netsheet.operators.elementwise import type_name
from netsheet.operators.numbers import check, is_float, is_integer, limits
from netsheet.operators.products import product_reads, product_shape


def _parameter(node: OnnxNode, index: int, at: Sequence[Index]) -> Expr | None:
    """Scale or zero point for an element: one for all, per position of an axis, or per block."""
    if not node.has(index):
        return None
    tensor = node.input(index)
    if tensor.shape in ((), (1,)):
        return tensor[(0,) * len(tensor.shape)]
    rank = len(at)
    axis = int(node.attr("axis", 1)) % rank
    if len(tensor.shape) == 1:
        return tensor[at[axis]]
    block = int(node.attr("block_size", 0))
    places: list[Position] = list(at)
    places[axis] = at[axis] // block if block else affine(at[axis])
    if len(tensor.shape) != rank:
        raise UnsupportedError(f"{node.op} with scales of the shape {tensor.shape}")
    return tensor[tuple(places)]


def _saturated(x: Expr, dtype: str, op: str) -> Expr:
    """Rounded (half to even) and kept within the type."""
    if not is_integer(check(dtype, op)):
        raise UnsupportedError(f"{op} to {dtype} is not computed")
    low, high = limits(dtype)
    return call("max", call("min", call("round", x), high), low)


def _plus(x: Expr, zero: Expr | None) -> Expr:
    return x if zero is None else x + zero


def quantize(node: OnnxNode) -> Formula:
    """``round(x / scale) + zero point``, saturated."""
    x = node.input(0)
    if node.has(2):
        dtype = node.dtype(2)
    else:
        dtype = type_name(node.attr("output_dtype")) if node.attr("output_dtype") else "uint8"
    check(dtype, node.op)

    def element(at: tuple[Index, ...]) -> Expr:
        scale, zero = _parameter(node, 1, at), _parameter(node, 2, at)
        assert scale is not None
        return _saturated(_plus(call("round", x[at] / scale), zero), dtype, node.op)

    return pointwise(x.shape, dtype, element)


def dequantize(node: OnnxNode) -> Formula:
    """``(q - zero point) * scale``."""
    x = node.input(0)
    check(node.dtype(0), node.op)

    def element(at: tuple[Index, ...]) -> Expr:
        scale, zero = _parameter(node, 1, at), _parameter(node, 2, at)
        assert scale is not None
        return (x[at] if zero is None else x[at] - zero) * scale

    dtype = node.dtype(1)
    if node.attr("output_dtype"):
        dtype = type_name(node.attr("output_dtype"))
    if not is_float(dtype):
        raise UnsupportedError(f"{node.op} to {dtype} is not computed")
    return pointwise(x.shape, dtype, element)


def dynamic_quantize(node: OnnxNode) -> Formula:
    """To uint8 by the range of the values themselves, which always contains 0."""
    x = node.input(0)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y, scale, zero = outputs
        at = indices_of(x)
        low, high = y.step("min", (), ()), y.step("max", (), ())
        width = high[()] - low[()]
        origin = call("round", call("max", call("min", -low[()] / scale[()], 255), 0))
        value = _saturated(call("round", x[at] / scale[()]) + zero[()], "uint8", node.op)
        return [
            equation(low[()], call("min", reduce("min", at, x[at]), 0)),
            equation(high[()], call("max", reduce("max", at, x[at]), 0)),
            equation(scale[()], width / 255),
            equation(zero[()], origin),
            equation(y[at], value),
        ]

    return Formula([x.shape, (), ()], ["uint8", "float32", "uint8"], write)


def _entry(node: OnnxNode, index: int, at: Position) -> Expr:
    """A parameter of one number, or one per row or column."""
    tensor = node.input(index)
    if tensor.size == 1:
        return tensor[(0,) * len(tensor.shape)]
    lead: list[Affine] = [affine(0)] * (len(tensor.shape) - 1)
    if len(tensor.shape) == 2 and tensor.shape[1] == 1:
        return tensor[at, 0]
    return tensor[(*lead, at)]


def qlinear_matmul(node: OnnxNode) -> Formula:
    """The matrix product of quantised values, quantised again."""
    a, b = node.input(0), node.input(3)
    k, dtype = Index("k", a.shape[-1]), node.dtype(7)

    def element(at: tuple[Index, ...]) -> Expr:
        left, right = product_reads(a, b, at, k)
        row, column = left[-2] if len(left) > 1 else 0, right[-1]
        first = a[left] - _entry(node, 2, row)
        second = b[right] - _entry(node, 5, column)
        scale = _entry(node, 1, row) * _entry(node, 4, column) / _entry(node, 6, row)
        total = call("round", reduce("sum", (k,), first * second) * scale)
        return _saturated(total + _entry(node, 7, row), dtype, node.op)

    return pointwise(product_shape(a.shape, b.shape), dtype, element)


ROWS: dict[str, Any] = {
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
    "QLinearMatMul": qlinear_matmul,
}
