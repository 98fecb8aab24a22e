"""Operators that move values: reshaping, slicing, joining, padding, repeating, masking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Guard,
    Index,
    Lookup,
    Position,
    Tensor,
    affine,
    equation,
    indices_of,
    select,
    value,
)
from netsheet.errors import UnsupportedError
from netsheet.layers.base import broadcast
from netsheet.layers.shape import reshaped
from netsheet.layers.window import check_table
from netsheet.operators.base import Formula, OnnxNode, Shape, indices, pointwise


def _reshape_to(node: OnnxNode, shape: Sequence[int]) -> Formula:
    x = node.input(0)
    if math.prod(shape) != x.size:
        raise UnsupportedError(f"{node.op} of {x.shape} to {tuple(shape)} does not fit")
    return Formula([tuple(shape)], [node.dtype()], lambda out: [reshaped(x, out[0])])


def reshape(node: OnnxNode) -> Formula:
    """The same values, row by row; 0 keeps an axis (unless ``allowzero``), -1 is what is left."""
    x = node.input(0)
    wanted = node.integers(1) if node.opset >= 5 else [int(n) for n in node.attr("shape")]
    if not node.attr("allowzero", 0):
        wanted = [x.shape[axis] if n == 0 else n for axis, n in enumerate(wanted)]
    return _reshape_to(node, open_size(wanted, x.size))


def open_size(shape: Sequence[int], size: int) -> list[int]:
    """The shape with its -1, if there is one, worked out."""
    known = math.prod(n for n in shape if n != -1)
    return [size // max(known, 1) if n == -1 else n for n in shape]


def flatten(node: OnnxNode) -> Formula:
    """Two axes: those before ``axis``, and the others."""
    x = node.input(0)
    axis = int(node.attr("axis", 1))
    axis = axis + len(x.shape) if axis < 0 else axis
    return _reshape_to(node, [math.prod(x.shape[:axis]), math.prod(x.shape[axis:])])


def axes_given(node: OnnxNode, version: int, index: int = 1) -> list[int] | None:
    """The axes: an attribute before ``version`` of the operator set, an input from then on."""
    if node.opset < version:
        found = node.attr("axes")
        return None if found is None else [int(n) for n in found]
    return node.integers(index) if node.has(index) else None


def squeeze(node: OnnxNode) -> Formula:
    """Without the given axes of size 1 (all of them if none are given)."""
    shape = node.input(0).shape
    axes = axes_given(node, 13)
    if axes is None:
        axes = [axis for axis, size in enumerate(shape) if size == 1]
    gone = {axis % len(shape) for axis in axes}
    return _reshape_to(node, [size for axis, size in enumerate(shape) if axis not in gone])


def unsqueeze(node: OnnxNode) -> Formula:
    """With axes of size 1 at the given places of the result."""
    shape = list(node.input(0).shape)
    axes = axes_given(node, 13) or []
    rank = len(shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    return _reshape_to(node, shape)


def transpose(node: OnnxNode) -> Formula:
    """The axes in the order of ``perm``, or reversed."""
    x = node.input(0)
    perm = node.attr("perm") or list(range(len(x.shape)))[::-1]
    perm = [int(axis) for axis in perm]

    def element(at: tuple[Index, ...]) -> Expr:
        return x[tuple(at[perm.index(axis)] for axis in range(len(perm)))]

    return pointwise([x.shape[axis] for axis in perm], node.dtype(), element)


def expand(node: OnnxNode) -> Formula:
    """Repeated along axes of size 1, as in broadcasting."""
    x = node.input(0)
    shape = np.broadcast_shapes(x.shape, tuple(node.integers(1)))
    return pointwise(shape, node.dtype(), lambda at: broadcast(x, at))


def tile(node: OnnxNode) -> Formula:
    """The whole tensor several times along each axis."""
    x, repeats = node.input(0), node.integers(1)
    shape = [size * times for size, times in zip(x.shape, repeats, strict=True)]
    sizes = x.shape
    return pointwise(
        shape, node.dtype(), lambda at: x[tuple(i % n for i, n in zip(at, sizes, strict=True))]
    )


def slices(node: OnnxNode) -> Formula:
    """Every ``step``-th element from ``start`` up to ``end``, along some axes."""
    x = node.input(0)
    if node.opset < 10:
        starts, ends = list(node.attr("starts")), list(node.attr("ends"))
        axes, steps = node.attr("axes"), None
    else:
        starts, ends = node.integers(1), node.integers(2)
        axes = node.integers(3) if node.has(3) else None
        steps = node.integers(4) if node.has(4) else None
    axes = list(range(len(starts))) if axes is None else [int(axis) for axis in axes]
    steps = steps or [1] * len(starts)
    spans = [range(size) for size in x.shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        spans[axis] = range(x.shape[axis])[int(start) : _end(int(end), step) : int(step)]
    return pointwise(
        [len(span) for span in spans],
        node.dtype(),
        lambda at: x[tuple(i * s.step + s.start for i, s in zip(at, spans, strict=True))],
    )


def _end(end: int, step: int) -> int | None:
    """ONNX writes "to the very beginning" as a large negative end."""
    return None if step < 0 and end < -(2**30) else end


def concat(node: OnnxNode) -> Formula:
    """The inputs one behind the other along ``axis``."""
    inputs = [node.input(n) for n in range(len(node.inputs))]
    first = inputs[0].shape
    axis = node.axis(1, len(first))
    total = sum(tensor.shape[axis] for tensor in inputs)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        result, start = [], 0
        for tensor in inputs:
            at: list[Position] = list(indices_of(tensor))
            source = tuple(at)
            at[axis] = at[axis] + start
            if tensor.size:
                result.append(equation(outputs[0][tuple(at)], tensor[source]))
            start += tensor.shape[axis]
        return result

    shape = (*first[:axis], total, *first[axis + 1 :])
    return Formula([shape], [node.dtype()], write)


def split(node: OnnxNode) -> Formula:
    """Pieces of given or of equal lengths along ``axis``."""
    x = node.input(0)
    axis = node.axis(0, len(x.shape))
    lengths = node.attr("split")
    if node.opset >= 13 and node.has(1):
        lengths = node.integers(1)
    if lengths is None:
        size = -(-x.shape[axis] // node.outputs)
        lengths = [min(size, x.shape[axis] - n * size) for n in range(node.outputs)]
    lengths = [int(length) for length in lengths]

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        result, start = [], 0
        for y, length in zip(outputs, lengths, strict=True):
            at = indices_of(y)
            source: list[Position] = list(at)
            source[axis] = at[axis] + start
            result.append(equation(y[at], x[tuple(source)]))
            start += length
        return result

    shapes = [(*x.shape[:axis], length, *x.shape[axis + 1 :]) for length in lengths]
    return Formula(shapes, [node.dtype()] * len(shapes), write)


def _pads(node: OnnxNode, rank: int) -> list[tuple[int, int]]:
    if node.opset < 11:
        numbers, axes = [int(n) for n in node.attr("pads")], list(range(rank))
    else:
        numbers = node.integers(1)
        axes = [n % rank for n in node.integers(3)] if node.has(3) else list(range(rank))
    pads = [(0, 0)] * rank
    for n, axis in enumerate(axes):
        pads[axis] = (numbers[n], numbers[n + len(axes)])
    return pads


def pad(node: OnnxNode) -> Formula:
    """A border of a constant, of the mirrored, the nearest or the wrapped-around elements."""
    x = node.input(0)
    pads = _pads(node, len(x.shape))
    shape = [n + before + after for n, (before, after) in zip(x.shape, pads, strict=True)]
    mode = node.attr("mode", "constant")
    filling: Expr = value(float(node.attr("value", 0.0)))
    if node.opset >= 11 and node.has(2):
        number = node.input(2)
        filling = number[(0,) * len(number.shape)]

    def element(at: tuple[Index, ...]) -> Expr:
        places = [i - before for i, (before, _) in zip(at, pads, strict=True)]
        if mode == "constant":
            guards = [Guard(p, 0, n) for p, n in zip(places, x.shape, strict=True)]
            return select(guards, x[tuple(places)], filling)
        return x[tuple(_bordered(mode, i, b, n) for i, (b, _), n in zip(at, pads, x.shape,
                                                                       strict=True))]  # fmt: skip

    return pointwise(shape, node.dtype(), element)


def _bordered(mode: str, index: Index, before: int, size: int) -> Affine:
    """Which element of an axis of ``size`` the border shows at ``index``."""
    check_table(index.size)
    places = np.arange(index.size) - before
    if mode == "reflect":
        turn = max(2 * size - 2, 1)
        places = np.abs(places) % turn
        places = np.where(places < size, places, turn - places)
    elif mode == "symmetric":  # the edge itself is mirrored, too
        places = places % (2 * size)
        places = np.where(places < size, places, 2 * size - 1 - places)
    elif mode == "edge":
        places = np.clip(places, 0, size - 1)
    elif mode == "wrap":
        places = places % size
    else:
        raise UnsupportedError(f"Pad with mode {mode!r} is not computed")
    if (places == np.arange(index.size)).all():
        return affine(index)
    return affine(Lookup(tuple(int(n) for n in places), affine(index)))


def center_crop_pad(node: OnnxNode) -> Formula:
    """Cut or padded with zeros to a shape, evenly on both sides."""
    x, wanted = node.input(0), node.integers(1)
    axes = node.attr("axes") or list(range(len(x.shape)))
    shape = list(x.shape)
    starts = [0] * len(shape)
    for axis, size in zip(axes, wanted, strict=True):
        shape[axis] = size
        gap = x.shape[axis] - size
        starts[axis] = gap // 2 if gap > 0 else -(-gap // 2)

    def element(at: tuple[Index, ...]) -> Expr:
        places = [i + start for i, start in zip(at, starts, strict=True)]
        guards = [Guard(p, 0, n) for p, n in zip(places, x.shape, strict=True)]
        return select(guards, x[tuple(places)], 0)

    return pointwise(shape, node.dtype(), element)


def trilu(node: OnnxNode) -> Formula:
    """The upper or lower triangle of the last two axes, zeros elsewhere."""
    x = node.input(0)
    rows, columns = x.shape[-2:]
    k = node.integers(1)[0] if node.has(1) else 0
    upper = bool(node.attr("upper", 1))
    reach = rows + columns

    def element(at: tuple[Index, ...]) -> Expr:
        across = at[-1] - at[-2]
        guard = Guard(across, k, reach) if upper else Guard(across, -reach, k + 1)
        return select([guard], x[at], 0)

    return pointwise(x.shape, node.dtype(), element)


def eye_like(node: OnnxNode) -> Formula:
    """Ones along a diagonal."""
    from netsheet.operators.elementwise import type_name

    shape, k = node.input(0).shape, int(node.attr("k", 0))
    dtype = type_name(node.attr("dtype")) if node.attr("dtype") else node.dtype()
    return pointwise(shape, dtype, lambda at: select([Guard(at[1] - at[0], k, k + 1)], 1, 0))


def reverse_sequence(node: OnnxNode) -> Formula:
    """The first elements of each sequence backwards; their number is an input."""
    x, lengths = node.input(0), node.integers(1)
    batch, time = int(node.attr("batch_axis", 1)), int(node.attr("time_axis", 0))
    check_table(len(lengths) * x.shape[time])
    table = [
        length - 1 - step if step < length else step
        for length in lengths
        for step in range(x.shape[time])
    ]

    def element(at: tuple[Index, ...]) -> Expr:
        source: list[Position] = list(at)
        number = at[batch] * x.shape[time] + at[time]
        source[time] = affine(Lookup(tuple(table), number))
        return x[tuple(source)]

    return pointwise(x.shape, node.dtype(), element)


def dropout(node: OnnxNode) -> Formula:
    """The input itself: nothing is dropped when a network is used."""
    training = node.has(2) and bool(np.any(node.constant(2)))
    ratio = float(np.max(node.constant(1))) if training and node.has(1) else 0.5
    if (training and ratio) or (node.opset < 7 and not node.attr("is_test", 0)):
        raise UnsupportedError("Dropout in training is random")
    x = node.input(0)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        at = [indices(x.shape) for _ in outputs]
        result = [equation(outputs[0][at[0]], x[at[0]])]
        return result + [equation(y[i], 1) for y, i in zip(outputs[1:], at[1:], strict=True)]

    count = node.outputs
    return Formula([x.shape] * count, [node.dtype(), "bool"][:count], write)


def range_of(node: OnnxNode) -> Formula:
    """``start, start + step, ...`` up to ``limit``, which is not reached."""
    start, limit, step = (np.asarray(node.constant(n)).reshape(())[()] for n in range(3))
    if step == 0:
        raise UnsupportedError("Range with a step of 0")
    count = max(math.ceil((limit - start) / step), 0)
    from netsheet.equations import Number

    def element(at: tuple[Index, ...]) -> Expr:
        return Number(affine(at[0])) * float(step) + float(start)

    return pointwise((count,), node.dtype(), element)


def fixed(shape: Shape, dtype: str, number: float) -> Formula:
    """One number everywhere."""
    return pointwise(shape, dtype, lambda at: value(number))


ROWS: dict[str, Any] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Expand": expand,
    "Tile": tile,
    "Slice": slices,
    "Concat": concat,
    "Split": split,
    "Pad": pad,
    "CenterCropPad": center_crop_pad,
    "Trilu": trilu,
    "EyeLike": eye_like,
    "ReverseSequence": reverse_sequence,
    "Dropout": dropout,
    "Range": range_of,
}
