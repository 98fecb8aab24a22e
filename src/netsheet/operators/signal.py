"""Operators of signal processing: Fourier transforms and window functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from netsheet.equations import Expr, Guard, Index, Number, Value, affine, call, reduce, select
from netsheet.errors import UnsupportedError
from netsheet.layers.base import constant
from netsheet.layers.window import LARGEST_MATRIX, check_table
from netsheet.operators.base import Formula, OnnxNode, pointwise
from netsheet.operators.elementwise import type_name


def dft(node: OnnxNode) -> Formula:
    """The discrete Fourier transform; the last axis is the real and the imaginary part."""
    x = node.input(0)
    rank, shape = len(x.shape), x.shape
    if node.opset >= 20:
        axis = node.integers(2)[0] % rank if node.has(2) else rank - 2
    else:
        axis = int(node.attr("axis", 1)) % rank
    inverse, half = bool(node.attr("inverse", 0)), bool(node.attr("onesided", 0))
    if inverse and half:
        raise UnsupportedError("DFT, inverse and one-sided, is not computed")
    length = node.integers(1)[0] if node.has(1) else shape[axis]
    out = length // 2 + 1 if half else length
    used = min(length, shape[axis])
    check_table(out * used, LARGEST_MATRIX)
    angles = np.arange(out)[:, None] * np.arange(used) % length * (2 * math.pi / length)
    scale = 1 / length if inverse else 1.0
    cos = constant("cosines", np.cos(angles) * scale)
    sin = constant("sines", np.sin(angles) * (scale if inverse else -scale))

    def element(at: tuple[Index, ...]) -> Expr:
        n, f, part = Index("n", used), at[axis], affine(at[-1])
        lead, tail = at[:axis], at[axis + 1 : -1]

        def total(component: int, table: Any) -> Expr:
            return reduce("sum", (n,), x[(*lead, n, *tail, component)] * table[f, n])

        real, imaginary = total(0, cos), total(0, sin)
        if shape[-1] == 2:
            real, imaginary = real - total(1, sin), imaginary + total(1, cos)
        return select([Guard(part, 0, 1)], real, imaginary)

    return pointwise((*shape[:axis], out, *shape[axis + 1 : -1], 2), node.dtype(), element)


def window_function(coefficients: tuple[float, ...]) -> Any:
    """A sum of cosines over a given number of points."""

    def rule(node: OnnxNode) -> Formula:
        size = node.integers(0)[0]
        points = size if node.attr("periodic", 1) else size - 1
        dtype = type_name(node.attr("output_datatype", 1))

        def element(at: tuple[Index, ...]) -> Expr:
            angle = Number(affine(at[0])) * (2 * math.pi / points)
            total: Value = coefficients[0]
            for n, coefficient in enumerate(coefficients[1:], 1):
                total = total + call("cos", angle * n) * coefficient
            assert isinstance(total, Expr)
            return total

        return pointwise((size,), dtype, element)

    return rule


ROWS: dict[str, Any] = {
    "DFT": dft,
    "HannWindow": window_function((0.5, -0.5)),
    "HammingWindow": window_function((25 / 46, -21 / 46)),
    "BlackmanWindow": window_function((0.42, -0.5, 0.08)),
}
