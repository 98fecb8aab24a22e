"""Array operations of Functional graphs as rules over whole tensors, batch axis included.

The rules have the form of ONNX's operators, and share their machinery: axes count as the framework
counts them, from the batch on, and :class:`ArrayOperation` takes the batch away again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netsheet.equations import (
    Equation,
    Expr,
    Guard,
    Index,
    Number,
    Position,
    Tensor,
    Value,
    affine,
    call,
    equation,
    reduce,
    select,
    value,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Signature, default_axes
from netsheet.layers.base import Along, broadcast
from netsheet.operators.base import Formula, OnnxNode, Operator, Rule, indices, pointwise
from netsheet.operators.reduction import reduction


@dataclass(eq=False, kw_only=True)
class ArrayOperation(Operator):
    """A rule applied to whole tensors; axes are named as Keras orders them."""

    op: str = ""
    opset: int = 13  # the form in which operators that rules are made of take their attributes

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        same = {tensor.shape: tensor.axes for tensor in inputs}
        return [
            Signature(same.get(tuple(n or 0 for n in shape), default_axes(len(shape))), shape)
            for _, shape in super().infer(inputs)
        ]


def inner(axis: int, rank: int) -> int:
    """An axis counted from the batch; UnsupportedError for the batch itself."""
    if not -rank <= axis < rank or axis % rank == 0:
        raise UnsupportedError("it works along the batch axis")
    return axis % rank


def reduced(
    op: str,
    axes: Sequence[int],
    keepdims: bool,
    before: Callable[[Expr], Expr] = lambda x: x,
    after: Callable[[Expr], Expr] = lambda x: x,
) -> Rule:
    """``after(op over axes of before(x))``."""
    rule = reduction(op, before, after)

    def reducing(node: OnnxNode) -> Formula:
        rank = len(node.input(0).shape)
        chosen = [inner(axis, rank) for axis in axes]
        attributes = {"axes": chosen, "keepdims": int(keepdims)}
        return rule(OnnxNode("Reduce", 13, attributes, node.inputs, node.dtypes))

    return reducing


def variance(axes: Sequence[int], keepdims: bool, root: bool) -> Rule:
    """The mean squared distance from the mean along axes, or its square root."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        along = Along(x, [inner(axis, len(x.shape)) for axis in axes], "var")
        shape = tuple(
            1 if axis in along.axes else n
            for axis, n in enumerate(x.shape)
            if keepdims or axis not in along.axes
        )

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            y = outputs[0]
            kept = tuple(x.axes[axis] for axis in along.kept)
            mean = y.step("mean", kept, tuple(x.shape[axis] for axis in along.kept))
            gap = x[along.at] - mean[along.rest]
            total = reduce("mean", along.over, gap * gap)
            at: tuple[Position, ...] = along.rest
            if keepdims:
                at = tuple(0 if axis in along.axes else i for axis, i in enumerate(along.at))
            return [
                equation(mean[along.rest], reduce("mean", along.over, x[along.at])),
                equation(y[at], call("sqrt", total) if root else total),
            ]

        return Formula([shape], [node.dtype()], write)

    return rule


def selected(axis: int, places: Sequence[int] | None, source: Callable[[int], list[int]]) -> Rule:
    """Elements of an axis in another order or number: those that ``source(size)`` lists."""
    from netsheet.equations import Lookup

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        number = inner(axis, len(x.shape))
        size = x.shape[number]
        table = list(places) if places is not None else source(size)
        if not table or not all(-size <= n < size for n in table):
            raise UnsupportedError(f"it reads outside an axis of {size}")
        table = [n % size for n in table]
        shape = (*x.shape[:number], len(table), *x.shape[number + 1 :])

        def element(at: tuple[Index, ...]) -> Expr:
            place: list[Position] = list(at)
            place[number] = affine(Lookup(tuple(table), affine(at[number])))
            return x[tuple(place)]

        return pointwise(shape, node.dtype(), element)

    return rule


def tiled(repeats: Sequence[int]) -> Rule:
    """The whole tensor several times along each axis."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        if len(repeats) != len(x.shape):
            raise UnsupportedError("it adds axes")
        sizes = x.shape

        def element(at: tuple[Index, ...]) -> Expr:
            return x[tuple(i % n for i, n in zip(at, sizes, strict=True))]

        shape = [n * times for n, times in zip(sizes, repeats, strict=True)]
        return pointwise(shape, node.dtype(), element)

    return rule


def permuted(order: Callable[[int], list[int]]) -> Rule:
    """The axes in another order: ``order(rank)`` lists them."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        axes = order(len(x.shape))
        if axes[0] != 0:
            raise UnsupportedError("it moves the batch axis")

        def element(at: tuple[Index, ...]) -> Expr:
            return x[tuple(at[axes.index(axis)] for axis in range(len(axes)))]

        return pointwise([x.shape[axis] for axis in axes], node.dtype(), element)

    return rule


def expanded(wanted: Sequence[int | None]) -> Rule:
    """Repeated along axes of size 1 to a shape; the batch and None stay as they are."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        missing = len(wanted) - len(x.shape)
        if missing:
            raise UnsupportedError("it adds axes")
        pairs = zip(wanted[1:], x.shape[1:], strict=True)
        shape = [x.shape[0], *(n if w in (None, -1) else int(w or 0) for w, n in pairs)]
        return pointwise(shape, node.dtype(), lambda at: broadcast(x, at))

    return rule


def split(axis: int, lengths: Sequence[int] | int, cuts: bool = False) -> Rule:
    """Pieces along an axis: so many equal ones, of given lengths, or between ``cuts``."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        number = inner(axis, len(x.shape))
        size = x.shape[number]
        parts = _lengths(size, lengths, cuts)

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            result, start = [], 0
            for y, length in zip(outputs, parts, strict=True):
                at = indices(y.shape)
                place: list[Position] = list(at)
                place[number] = at[number] + start
                result.append(equation(y[at], x[tuple(place)]))
                start += length
            return result

        shapes = [(*x.shape[:number], n, *x.shape[number + 1 :]) for n in parts]
        return Formula(shapes, [node.dtype()] * len(parts), write)

    return rule


def _lengths(size: int, lengths: Sequence[int] | int, cuts: bool) -> list[int]:
    if isinstance(lengths, int):
        if lengths < 1 or size % lengths:
            raise UnsupportedError(f"it cuts {size} into {lengths} parts")
        return [size // lengths] * lengths
    if cuts:
        ends = [*(min(max(n % size if n < 0 else n, 0), size) for n in lengths), size]
        return [end - start for start, end in zip([0, *ends], ends, strict=False)]
    known = sum(n for n in lengths if n >= 0)
    return [size - known if n < 0 else n for n in lengths]


def unstacked(axis: int, number: int) -> Rule:
    """One element of an axis, without the axis."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        place = inner(axis, len(x.shape))
        count = x.shape[place] if number < 0 else number
        if count != x.shape[place]:
            raise UnsupportedError(f"it takes {x.shape[place]} apart into {count}")

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            result = []
            for n, y in enumerate(outputs):
                at = indices(y.shape)
                result.append(equation(y[at], x[(*at[:place], n, *at[place:])]))
            return result

        shape = (*x.shape[:place], *x.shape[place + 1 :])
        return Formula([shape] * count, [node.dtype()] * count, write)

    return rule


def stacked(axis: int) -> Rule:
    """Tensors of one shape beside each other along a new axis."""

    def rule(node: OnnxNode) -> Formula:
        shape = node.input(0).shape
        place = inner(axis, len(shape) + 1)
        count = len(node.inputs)
        if any(node.input(n).shape != shape for n in range(count)):
            raise UnsupportedError("it stacks tensors of different shapes")

        def element(at: tuple[Index, ...]) -> Expr:
            source = (*at[:place], *at[place + 1 :])
            result: Expr = node.input(count - 1)[source]
            for n in reversed(range(count - 1)):
                here = Guard(affine(at[place]), n, n + 1)
                result = select([here], node.input(n)[source], result)
            return result

        return pointwise((*shape[:place], count, *shape[place:]), node.dtype(), element)

    return rule


def blocks(size: int, to_depth: bool) -> Rule:
    """Blocks of pixels become channels, or channels become blocks of pixels (channels last)."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        count, height, width, channels = x.shape
        if to_depth:
            shape = (count, height // size, width // size, channels * size * size)
        else:
            shape = (count, height * size, width * size, channels // (size * size))

        def element(at: tuple[Index, ...]) -> Expr:
            n, y, z, c = at
            if to_depth:
                block = c // channels
                return x[n, y * size + block // size, z * size + block % size, c % channels]
            inside = y % size * size + z % size
            return x[n, y // size, z // size, inside * shape[3] + c]

        return pointwise(shape, node.dtype(), element)

    return rule


def padded(pads: Sequence[Sequence[int]], mode: str, filling: float) -> Rule:
    """A border of a constant, or of mirrored elements."""
    from netsheet.operators.movement import _bordered

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        if len(pads) != len(x.shape) or any(pads[0]):
            raise UnsupportedError("it pads the batch axis")
        shape = [n + before + after for n, (before, after) in zip(x.shape, pads, strict=True)]

        def element(at: tuple[Index, ...]) -> Expr:
            sizes = list(zip(at, pads, x.shape, strict=True))
            if mode != "constant":
                return x[tuple(_bordered(mode, i, b, n) if b or a else i for i, (b, a), n in sizes)]
            places = [i - before for i, (before, _), _ in sizes]
            guards = [
                Guard(place, 0, n)
                for place, (_, (b, a), n) in zip(places, sizes, strict=True)
                if b or a
            ]
            return select(guards, x[tuple(places)], filling)

        return pointwise(shape, node.dtype(), element)

    return rule


def one_hot(depth: int, axis: int, on: float, off: float) -> Rule:
    """``on`` at the position that each element says along a new axis, ``off`` elsewhere."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        place = inner(axis, len(x.shape) + 1)

        def element(at: tuple[Index, ...]) -> Expr:
            read = x[(*at[:place], *at[place + 1 :])]
            return call("if", call("equal", read, Number(affine(at[place]))), on, off)

        return pointwise((*x.shape[:place], depth, *x.shape[place:]), node.dtype(), element)

    return rule


def accumulated(op: str, axis: int, reverse: bool, exclusive: bool) -> Rule:
    """The sum or product of all elements up to each one along an axis."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        place = inner(axis, len(x.shape))
        size = x.shape[place]

        def element(at: tuple[Index, ...]) -> Expr:
            j = Index("j", size)
            behind = j - at[place] if reverse else at[place] - j
            source = (*at[:place], j, *at[place + 1 :])
            return reduce(op, (j,), x[source], [Guard(behind, int(exclusive), size)])

        return pointwise(x.shape, node.dtype(), element)

    return rule


def filled(number: Value) -> Rule:
    """One number in the shape of the input."""
    return lambda node: pointwise(node.input(0).shape, node.dtype(), lambda at: value(number))


def both_signs(axis: int) -> Rule:
    """CReLU: an axis with what is above 0, then with what is below, turned positive."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        place = inner(axis, len(x.shape))
        size = x.shape[place]

        def element(at: tuple[Index, ...]) -> Expr:
            source: list[Position] = [*at]
            source[place] = at[place] % size
            return call("max", x[tuple(source)] * (1 - 2 * Number(affine(at[place] // size))), 0)

        return pointwise((*x.shape[:place], 2 * size, *x.shape[place + 1 :]), node.dtype(), element)

    return rule


def gated(axis: int) -> Rule:
    """GLU: the first half of an axis times the sigmoid of the second."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        place = inner(axis, len(x.shape))
        half = x.shape[place] // 2
        if x.shape[place] != 2 * half:
            raise UnsupportedError(f"it halves an axis of {x.shape[place]}")

        def element(at: tuple[Index, ...]) -> Expr:
            other: list[Position] = list(at)
            other[place] = at[place] + half
            return x[at] * call("sigmoid", x[tuple(other)])

        return pointwise((*x.shape[:place], half, *x.shape[place + 1 :]), node.dtype(), element)

    return rule
