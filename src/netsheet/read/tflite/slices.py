"""Parts of tensors: slices, pieces and unpacked axes of TensorFlow Lite."""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import (
    Equation,
    Expr,
    Index,
    Lookup,
    Position,
    Tensor,
    affine,
    equation,
    indices_of,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.window import check_table
from netsheet.operators.base import Formula, OnnxNode, Rule, pointwise
from netsheet.read.tflite.operands import TfliteNode
from netsheet.read.tflite.operators import inner_axis, operator


def splitting(node: TfliteNode) -> Layer:
    """SPLIT (axis first) and SPLIT_V (lengths, then the axis)."""
    at, source = (0, 1) if node.op == "SPLIT" else (2, 0)
    axis = inner_axis(int(node.constant(at).reshape(-1)[0]), len(node.input(source).shape), node)
    lengths = [tensor.shape[axis] for tensor in node.outputs]
    return operator(node, "Split", [source], {"axis": axis}, {"split": lengths})


def slicing(node: TfliteNode) -> Layer:
    """SLICE: a first element and a size for each axis; -1 is all that is left."""
    begin, sizes = (node.constant(n).reshape(-1).astype(int).tolist() for n in (1, 2))
    shape = node.input(0).shape
    ends = [n if s == -1 else b + s for b, s, n in zip(begin, sizes, shape, strict=True)]
    spans = [range(1), *(range(b, e) for b, e in zip(begin[1:], ends[1:], strict=True))]
    return operator(node, "Slice", [0], rule=_picked(spans, ()))


def strided_slicing(node: TfliteNode) -> Layer:
    """STRIDED_SLICE as NumPy's ``x[begin:end:step]``; an axis of one element may vanish."""
    options = node.options("StridedSliceOptions")
    gone = options.ShrinkAxisMask()
    if options.EllipsisMask() or options.NewAxisMask() or gone & 1:
        raise UnsupportedError(f"{node.op} with new axes, an ellipsis or the batch is not computed")
    begin, end, steps = (node.constant(n).reshape(-1).astype(int).tolist() for n in (1, 2, 3))
    spans = [range(1)]
    for axis, size in enumerate(node.input(0).shape):
        if axis == 0:
            continue
        if axis >= len(begin):
            spans.append(range(size))
        elif gone >> axis & 1:
            first = begin[axis] % size
            spans.append(range(first, first + 1))
        else:
            first = None if options.BeginMask() >> axis & 1 else begin[axis]
            last = None if options.EndMask() >> axis & 1 else end[axis]
            spans.append(range(size)[first : last : steps[axis]])
    shrunk = [axis for axis in range(len(spans)) if gone >> axis & 1]
    return operator(node, "Slice", [0], rule=_picked(spans, shrunk))


def _picked(spans: Sequence[range], gone: Sequence[int]) -> Rule:
    """Some positions of each axis; axes in ``gone`` have one, and vanish."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        for span, size in zip(spans, x.shape, strict=True):
            if not span or not (0 <= span[0] < size and 0 <= span[-1] < size):
                raise UnsupportedError(f"{node.op} takes nothing, or what is outside of {x.shape}")

        def element(at: tuple[Index, ...]) -> Expr:
            rest = iter(at)
            places: list[Position] = [
                span.start if axis in gone else next(rest) * span.step + span.start
                for axis, span in enumerate(spans)
            ]
            return x[tuple(places)]

        shape = [len(span) for axis, span in enumerate(spans) if axis not in gone]
        return pointwise(shape, node.dtype(), element)

    return rule


def reversal(node: TfliteNode) -> Layer:
    """REVERSE_V2 along stored axes."""
    shape = node.input(0).shape
    axes = {inner_axis(int(n), len(shape), node) for n in node.constant(1).reshape(-1)}
    spans = [
        range(size - 1, -1, -1) if axis in axes else range(max(size, 1))
        for axis, size in enumerate(shape)
    ]
    return operator(node, "Slice", [0], rule=_picked(spans, ()))


def gathering(node: TfliteNode) -> Layer:
    """GATHER of stored positions along one axis."""
    shape = node.input(0).shape
    axis = inner_axis(node.options("GatherOptions").Axis(), len(shape), node)
    places = node.constant(1)
    check_table(places.size)
    if places.ndim != 1 or places.size < 1 or places.min() < 0 or places.max() >= shape[axis]:
        raise UnsupportedError(f"{node.op} of the positions {places.tolist()} is not computed")
    table = tuple(int(n) for n in places)

    def rule(stored: OnnxNode) -> Formula:
        x = stored.input(0)

        def element(at: tuple[Index, ...]) -> Expr:
            found: list[Position] = list(at)
            found[axis] = affine(Lookup(table, affine(at[axis])))
            return x[tuple(found)]

        return pointwise((*x.shape[:axis], len(table), *x.shape[axis + 1 :]), "float32", element)

    return operator(node, "Gather", [0], rule=rule)


def unpacking(node: TfliteNode) -> Layer:
    """UNPACK: one output for each position of an axis, which vanishes."""
    shape = node.input(0).shape
    axis = inner_axis(node.options("UnpackOptions").Axis(), len(shape), node)
    if len(node.outputs) != shape[axis]:
        raise UnsupportedError(f"{node.op} of {shape} into {len(node.outputs)} tensors")

    def rule(stored: OnnxNode) -> Formula:
        parts = [
            _picked([range(k, k + 1) if n == axis else range(size) for n, size in enumerate(shape)],
                    [axis])(stored)
            for k in range(shape[axis])
        ]  # fmt: skip
        shapes = [part.shapes[0] for part in parts]
        return Formula(
            shapes, [stored.dtype()] * len(parts),
            lambda outputs: [
                eq for part, y in zip(parts, outputs, strict=True) for eq in part.write([y])
            ],
        )  # fmt: skip

    return operator(node, "Split", [0], rule=rule)


def packing(node: TfliteNode) -> Layer:
    """PACK: the operands beside each other along a new axis."""
    rank = len(node.outputs[0].shape)
    axis = inner_axis(node.options("PackOptions").Axis(), rank, node)

    def rule(stored: OnnxNode) -> Formula:
        parts = [stored.input(n) for n in range(len(stored.inputs))]
        shape = (*parts[0].shape[:axis], len(parts), *parts[0].shape[axis:])
        if any(part.shape != parts[0].shape for part in parts):
            raise UnsupportedError(f"{node.op} of different shapes")

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            found = []
            for number, part in enumerate(parts):
                at: list[Position] = list(indices_of(part))
                target = (*at[:axis], number, *at[axis:])
                found.append(equation(outputs[0][target], part[tuple(at)]))
            return found

        return Formula([shape], [stored.dtype()], write)

    return operator(node, "Concat", rule=rule)
