"""Resize: every output element as a weighted sum of input elements, axis by axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsheet.equations import Expr, FloatArray, Index, Lookup, Position, affine, call, reduce
from netsheet.errors import UnsupportedError
from netsheet.layers.base import constant
from netsheet.layers.window import check_table
from netsheet.operators.base import Formula, OnnxNode, pointwise


@dataclass(frozen=True)
class Taps:
    """Which input elements an axis' output elements are made of, and with what weights.

    Both arrays are (outputs, taps); ``outside`` marks outputs that lie beyond the input.
    """

    places: FloatArray
    weights: FloatArray
    outside: FloatArray


@dataclass(frozen=True)
class Axis:
    """One axis: sizes, scale, and the region of interest in units of the input's length."""

    size: int
    out: int
    scale: float
    start: float = 0.0
    end: float = 1.0


def _coordinates(mode: str, axis: Axis) -> FloatArray:
    """Where each output element lies in the input."""
    x, length = np.arange(axis.out, dtype=float), axis.scale * axis.size
    if mode == "half_pixel":
        return (x + 0.5) / axis.scale - 0.5
    if mode == "pytorch_half_pixel":
        return (x + 0.5) / axis.scale - 0.5 if length > 1 else np.full(axis.out, -0.5)
    if mode == "half_pixel_symmetric":
        offset = axis.size / 2 * (1 - axis.out / length)
        return offset + (x + 0.5) / axis.scale - 0.5
    if mode == "asymmetric":
        return x / axis.scale
    if mode == "align_corners":
        return x * (axis.size - 1) / (length - 1) if length != 1 else x * 0
    if mode == "tf_half_pixel_for_nn":
        return (x + 0.5) / axis.scale
    if mode == "tf_crop_and_resize":
        room = (axis.end - axis.start) * (axis.size - 1)
        first = axis.start * (axis.size - 1)
        return first + (x * room / (length - 1) if length != 1 else x * 0 + room / 2)
    raise UnsupportedError(f"Resize with the coordinates {mode!r} is not computed")


def _cubic(x: FloatArray, a: float) -> FloatArray:
    """Keys' cubic convolution kernel."""
    x = np.abs(x)
    near: FloatArray = ((a + 2) * x - (a + 3)) * x * x + 1
    far: FloatArray = ((x - 5) * x + 8) * x * a - 4 * a
    return np.asarray(np.where(x <= 1, near, np.where(x < 2, far, 0.0)))


def _linear(x: FloatArray) -> FloatArray:
    return np.asarray(np.clip(1 - np.abs(x), 0, None))


def _nearest(node: OnnxNode, x: FloatArray, size: int) -> FloatArray:
    mode = node.attr("nearest_mode", "round_prefer_floor" if node.opset >= 11 else "floor")
    # a coordinate that is an integer but for the last digits is that integer
    x = np.where(np.abs(x - np.round(x)) < 1e-9, np.round(x), x)
    rounded = {
        "round_prefer_floor": np.ceil(x - 0.5),
        "round_prefer_ceil": np.floor(x + 0.5),
        "floor": np.floor(x),
        "ceil": np.ceil(x),
    }
    if mode not in rounded:
        raise UnsupportedError(f"Resize with nearest_mode {mode!r} is not computed")
    return np.clip(rounded[mode], 0, size - 1)[:, np.newaxis].astype(np.int64)


def taps_of(node: OnnxNode, axis: Axis) -> Taps:
    """The taps of one axis."""
    check_table(axis.out)
    mode = node.attr("mode", "nearest")
    coordinates = node.attr("coordinate_transformation_mode")
    if coordinates is None:
        coordinates = "half_pixel" if node.opset >= 11 else "asymmetric"
    x = _coordinates(coordinates, axis)
    outside = np.zeros(axis.out, bool)
    if coordinates == "tf_crop_and_resize":
        outside = (x < 0) | (x > axis.size - 1)
    if mode == "nearest":
        places = _nearest(node, x, axis.size)
        return Taps(places, np.ones(places.shape), outside)
    shrink = min(axis.scale, 1.0) if node.attr("antialias", 0) else 1.0
    reach = (2 if mode == "cubic" else 1) / shrink
    before = math.ceil(reach) - 1
    check_table(math.ceil(axis.out * reach))
    whole = np.floor(x)
    places = whole[:, np.newaxis] + np.arange(-before - (shrink < 1), math.ceil(reach) + 1)
    distance = (places - x[:, np.newaxis]) * shrink
    if mode == "cubic":
        weights = _cubic(distance, float(node.attr("cubic_coeff_a", -0.75)))
    elif mode in ("linear", "bilinear"):
        weights = _linear(distance)
    else:
        raise UnsupportedError(f"Resize with the mode {mode!r} is not computed")
    if node.attr("exclude_outside", 0):
        weights = np.where((places >= 0) & (places < axis.size), weights, 0.0)
    if shrink < 1 or node.attr("exclude_outside", 0):
        weights = weights / weights.sum(1, keepdims=True)
    used = np.abs(weights).max(0) > 0
    places = np.clip(places, 0, axis.size - 1).astype(np.int64)
    return Taps(places[:, used], weights[:, used], outside)


def _sizes(node: OnnxNode, shape: Sequence[int]) -> list[Axis]:
    """Every axis with its new size, from scales or sizes."""
    rank = len(shape)
    axes = [int(n) % rank for n in node.attr("axes") or range(rank)]
    result = [Axis(n, n, 1.0) for n in shape]
    given = 1 if node.opset < 11 or node.op == "Upsample" else 2
    for number in {given, 3}:
        if node.has(number) and node.input(number).size and len(node.input(number).shape) != 1:
            raise UnsupportedError(
                f"Resize takes a list of scales or sizes, not {node.input(number).shape}"
            )
    scales: list[float] = []
    if node.op == "Upsample" and node.opset < 9:
        scales = [float(n) for n in node.attr("scales")]
    elif node.has(given) and node.input(given).size:
        scales = [float(n) for n in np.asarray(node.constant(given)).reshape(-1)]
    region = [0.0] * len(axes) + [1.0] * len(axes)
    crop = node.attr("coordinate_transformation_mode") == "tf_crop_and_resize"
    if crop and node.has(1) and node.input(1).size:
        region = [float(n) for n in np.asarray(node.constant(1)).reshape(-1)]
    if scales:
        outs = [math.floor(shape[a] * s + 1e-9) for a, s in zip(axes, scales, strict=True)]
    else:
        outs = node.integers(3)
        scales = [n / shape[a] for a, n in zip(axes, outs, strict=True)]
        policy = node.attr("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            common = min(scales) if policy == "not_larger" else max(scales)
            scales = [common] * len(axes)
            outs = [int(common * shape[a] + 0.5) for a in axes]
    for n, axis in enumerate(axes):
        start, end = region[n], region[len(axes) + n]
        result[axis] = Axis(shape[axis], outs[n], scales[n], start, end)
    return result


def resize(node: OnnxNode) -> Formula:
    """Nearest, linear or cubic interpolation along some axes."""
    x = node.input(0)
    axes = _sizes(node, x.shape)
    taps = [taps_of(node, a) if (a.out, a.start, a.end) != (a.size, 0.0, 1.0) else None
            for a in axes]  # fmt: skip
    filling = float(node.attr("extrapolation_value", 0.0))

    def element(at: tuple[Index, ...]) -> Expr:
        places: list[Position] = []
        over: list[Index] = []
        factors: list[Expr] = []
        for n, (index, tap) in enumerate(zip(at, taps, strict=True)):
            if tap is None:
                places.append(index)
                continue
            count = tap.places.shape[1]
            table = tuple(int(p) for p in tap.places.reshape(-1))
            if count == 1:
                places.append(affine(Lookup(table, affine(index))))
                continue
            k = Index("uvwz"[n % 4], count)
            over.append(k)
            places.append(affine(Lookup(table, index * count + k)))
            factors.append(constant(f"weights/{index.name}", tap.weights)[index, k])
        result: Expr = x[tuple(places)]
        for factor in factors:
            result = result * factor
        result = reduce("sum", over, result)
        for index, tap in zip(at, taps, strict=True):
            if tap is not None and tap.outside.any():
                mark = constant(f"outside/{index.name}", tap.outside.astype(float))
                result = call("if", mark[index], filling, result)
        return result

    return pointwise([axis.out for axis in axes], node.dtype(), element)


ROWS: dict[str, Any] = {"Resize": resize, "Upsample": resize}
