"""Values that follow from stored ones: how long they take, and those that need no equations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netsheet.equations import Equation, FloatArray, Reduce, factors, walk
from netsheet.errors import UnsupportedError
from netsheet.read.onnx.file import array_of

PRODUCT_SPEED = 64  # how much faster an element of a product of matrices is
STEP_COST = 10_000  # elements that take as long as one step of a recurrence


def work_of(equations: Sequence[Equation]) -> int:
    """How long it takes to evaluate them, in elements; a product of matrices is quick."""
    total = 0
    for eq in equations:
        points = math.prod(index.size for index in eq.indices)
        steps = STEP_COST * eq.time.size if eq.time is not None else 0
        total += max(points, steps)
        for node in walk(eq.value):
            if isinstance(node, Reduce):
                product = node.op == "sum" and len(factors(node.body)) > 1 and not node.where
                cost = points * math.prod(index.size for index in node.over)
                total += cost // PRODUCT_SPEED if product else cost
    return total


def moved(
    op: str, attributes: Mapping[str, Any], array: FloatArray | None, shape: Sequence[int]
) -> FloatArray | None:
    """A stored value in another shape or order of axes: nothing of it has to be evaluated."""
    if array is not None and op in ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"):
        return array.reshape(tuple(shape))
    if array is not None and op == "Transpose":
        return np.transpose(array, attributes.get("perm"))
    return None


def as_dtype(array: FloatArray, dtype: str) -> FloatArray:
    """Doubles as the element type; 2^63, which no int64 is, becomes the largest one."""
    if dtype == "int64":
        info = np.iinfo(np.int64)
        inside = np.clip(array, -(2.0**62), 2.0**62).astype(np.int64)
        return np.where(array > 2.0**62, info.max, np.where(array < -(2.0**62), info.min, inside))
    return array.astype(np.dtype(dtype)) if dtype != "bfloat16" else array.astype(np.float32)


def constant_value(attributes: Mapping[str, Any]) -> FloatArray:
    """What a Constant node holds, in whichever attribute."""
    for name, value in attributes.items():
        if name == "value":
            return array_of(value)
        if name in ("value_float", "value_floats"):
            return np.array(value, np.float32)
        if name in ("value_int", "value_ints"):
            return np.array(value, np.int64)
        if name in ("value_string", "value_strings"):
            return np.array(value, object)
    raise UnsupportedError("a Constant without a dense value is not computed")


def filled(attributes: Mapping[str, Any], shape: FloatArray) -> FloatArray:
    """ConstantOfShape: one value, 0 where none is said, everywhere."""
    value = attributes.get("value")
    filling = np.zeros(1, np.float32) if value is None else array_of(value)
    sizes = tuple(int(size) for size in shape)
    return np.full(sizes, filling.reshape(-1)[0], filling.dtype)


def is_tabled(op: str, attributes: Mapping[str, Any]) -> bool:
    """True for operators whose equations have a table with every position of an axis."""
    if op == "Pad":
        return bool(attributes.get("mode", "constant") != "constant")
    if op == "AveragePool":
        return bool(attributes.get("count_include_pad", 0))
    return op in ("DFT", "Resize", "ReverseSequence", "Upsample")
