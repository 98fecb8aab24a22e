"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: which values a resized map is made of.

Source: TensorFlow Lite, kernels/internal/reference/resize_bilinear.h: with whole numbers the
positions are multiples of 1/1024.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from netsheet.equations import Expr, Index, Lookup, affine, reduce
from netsheet.layer import Layer
from netsheet.layers.base import constant
from netsheet.layers.window import check_table
from netsheet.operators.base import Formula, OnnxNode, Rule, pointwise
from netsheet.read.tflite.operands import TfliteNode
from netsheet.read.tflite.operators import operator

ONE = 1 << 10  # parts of a position


def resizing(mode: str, kind: str) -> Callable[[TfliteNode], Layer]:
    """The row of one of the two operators."""

    def row(node: TfliteNode) -> Layer:
        options, shape = node.options(kind), node.input(0).shape
        high, wide = (int(n) for n in node.constant(1).reshape(-1))
        corners, half = bool(options.AlignCorners()), bool(options.HalfPixelCenters())
        if mode == "linear" and node.whole:
            return operator(node, "Resize", [0], rule=_by_parts(corners, half, high, wide))
        where, rounding = "asymmetric", "floor"
        if corners:
            where, rounding = "align_corners", "round_prefer_ceil"
        elif half:
            # floor((x + 1/2) * scale): the half pixel that ONNX takes off is back
            where, rounding = "half_pixel", "round_prefer_ceil"
        attributes = {
            "mode": mode, "coordinate_transformation_mode": where, "nearest_mode": rounding,
        }  # fmt: skip
        sizes = [shape[0], high, wide, shape[3]]
        return operator(node, "Resize", [0, None, None], attributes, {"sizes": sizes})

    return row


def _by_parts(corners: bool, half: bool, high: int, wide: int) -> Rule:
    """Bilinear in 1/1024 of a position: each value between two rows and two columns."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        _, height, width, channels = x.shape
        rows, columns = (
            _taps(corners, half, size, out) for size, out in ((height, high), (width, wide))
        )

        def element(at: tuple[Index, ...]) -> Expr:
            batch, y, column, channel = at
            u, v = Index("u", 2), Index("v", 2)
            value = x[
                batch,
                affine(Lookup(rows[0], y * 2 + u)),
                affine(Lookup(columns[0], column * 2 + v)),
                channel,
            ]
            down = constant(f"weights/{y.name}", rows[1])[y, u]
            across = constant(f"weights/{column.name}", columns[1])[column, v]
            return reduce("sum", (u, v), value * down * across)

        return pointwise((1, high, wide, channels), node.dtype(), element)

    return rule


def _taps(corners: bool, half: bool, size: int, out: int) -> tuple[tuple[int, ...], Any]:
    """Positions (two for each result) and their shares, which are multiples of 1/1024."""
    check_table(2 * out)
    step = (ONE * size + out // 2) // out
    if corners and out > 1:
        step = (ONE * (size - 1) + (out - 1) // 2) // (out - 1)
    places: list[int] = []
    shares = np.zeros((out, 2))
    for n in range(out):
        at = n * step + (step // 2 - ONE // 2 if half else 0)
        low = max(int(at / ONE), 0)
        top = min(int((at + ONE - 1) / ONE), size - 1)
        places += [low, top]
        shares[n] = (ONE - (at - ONE * low)) / ONE, (at - ONE * low) / ONE
    return tuple(places), shares
