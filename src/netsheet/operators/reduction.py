"""Operators that reduce, accumulate or rank along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netsheet.equations import (
    Equation,
    Expr,
    Guard,
    Index,
    Number,
    Tensor,
    affine,
    call,
    equation,
    reduce,
)
from netsheet.errors import UnsupportedError
from netsheet.layers.base import Along
from netsheet.operators.base import Formula, OnnxNode, Rule, Shape, indices, pointwise
from netsheet.operators.movement import axes_given

# From these versions on the axes of a reduction are an input.
AXES_INPUT = {"ReduceSum": 13}
AXES_INPUT_OTHERS = 18


def reduction(op: str, before: Callable[[Expr], Expr], after: Callable[[Expr], Expr]) -> Rule:
    """``after(op over the axes of before(x))``."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        axes = axes_given(node, AXES_INPUT.get(node.op, AXES_INPUT_OTHERS))
        rank, keep = len(x.shape), bool(node.attr("keepdims", 1))
        if not axes:
            if node.attr("noop_with_empty_axes", 0):
                return pointwise(x.shape, node.dtype(), lambda at: after(before(x[at])))
            axes = list(range(rank))
        gone = {axis % rank for axis in axes}
        if any(x.shape[axis] == 0 for axis in gone):
            raise UnsupportedError(f"{node.op} over no elements")
        if not keep:
            shape: Shape = tuple(n for axis, n in enumerate(x.shape) if axis not in gone)
        else:
            shape = tuple(1 if axis in gone else n for axis, n in enumerate(x.shape))

        def element(at: tuple[Index, ...]) -> Expr:
            over = {axis: Index("uvwz"[n % 4], x.shape[axis]) for n, axis in enumerate(gone)}
            rest = iter(at)
            places = []
            for axis in range(rank):
                if axis in over:
                    places.append(over[axis])
                    if keep:
                        next(rest)
                else:
                    places.append(next(rest))
            return after(reduce(op, tuple(over.values()), before(x[tuple(places)])))

        return pointwise(shape, node.dtype(), element)

    return rule


def _same(x: Expr) -> Expr:
    return x


def _square(x: Expr) -> Expr:
    return x * x


def log_sum_exp(node: OnnxNode) -> Formula:
    """``log(sum(exp(x)))``, without overflow: the largest value is taken out first."""
    most = reduction("max", _same, _same)(node)
    total = reduction("sum", _same, _same)(node)
    x = node.input(0)
    rank, keep = len(x.shape), bool(node.attr("keepdims", 1))
    axes = axes_given(node, AXES_INPUT_OTHERS)
    if not axes and node.attr("noop_with_empty_axes", 0):
        return total
    gone = sorted({axis % rank for axis in axes or range(rank)})

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        largest, summed, powers = y.like("max"), y.like("sum"), y.step("exp", x.axes, x.shape)
        at = indices(x.shape)
        small = tuple(
            0 if axis in gone else i for axis, i in enumerate(at) if keep or axis not in gone
        )
        result = indices(y.shape)
        return [
            *most.write([largest]),
            equation(powers[at], call("exp", x[at] - largest[small])),
            *_summed(powers, summed, gone, keep),
            equation(y[result], call("log", summed[result]) + largest[result]),
        ]

    return Formula(total.shapes, total.dtypes, write)


def _summed(x: Tensor, y: Tensor, gone: Sequence[int], keep: bool) -> list[Equation]:
    at = indices(x.shape)
    over = tuple(at[axis] for axis in gone)
    small = tuple(0 if axis in gone else i for axis, i in enumerate(at) if keep or axis not in gone)
    return [equation(y[small], reduce("sum", over, x[at]))]


def arg(greatest: bool) -> Rule:
    """The position of the largest or smallest element; of equal ones the first, or the last."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        axis = node.axis(0, len(x.shape))
        keep, last = bool(node.attr("keepdims", 1)), bool(node.attr("select_last_index", 0))
        size = x.shape[axis]
        op = "max" if greatest else "min"

        def write(outputs: Sequence[Tensor]) -> list[Equation]:
            y = outputs[0]
            along = Along(x, axis, node.op)
            best = y.step(op, tuple(x.axes[a] for a in along.kept),
                          tuple(x.shape[a] for a in along.kept))  # fmt: skip
            i = along.over[0]
            place = Number(affine(i))
            hit = call("equal", x[along.at], best[along.rest])
            found = call("if", hit, place, -1 if last else size)
            target = list(along.rest)
            positions = tuple(target[:axis]) + ((0,) if keep else ()) + tuple(target[axis:])
            return [
                equation(best[along.rest], reduce(op, along.over, x[along.at])),
                equation(y[positions], reduce("max" if last else "min", (i,), found)),
            ]

        shape = (*x.shape[:axis], *((1,) if keep else ()), *x.shape[axis + 1 :])
        return Formula([shape], ["int64"], write)

    return rule


def cumulative(op: str) -> Rule:
    """The sum or product of all elements up to each one along an axis."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        axis = node.integers(1)[0] % len(x.shape)
        reverse, exclusive = bool(node.attr("reverse", 0)), int(node.attr("exclusive", 0))
        size = x.shape[axis]

        def element(at: tuple[Index, ...]) -> Expr:
            j = Index("j", size)
            behind = j - at[axis] if reverse else at[axis] - j
            places = (*at[:axis], j, *at[axis + 1 :])
            return reduce(op, (j,), x[places], [Guard(behind, exclusive, size)])

        return pointwise(x.shape, node.dtype(), element)

    return rule


def _softmax_axes(node: OnnxNode) -> tuple[int, ...]:
    """Before version 13 all axes from ``axis`` on were one."""
    rank = len(node.input(0).shape)
    if node.opset >= 13:
        return (node.axis(-1, rank),)
    return tuple(range(node.axis(1, rank), rank))


def softmax(log: bool) -> Rule:
    """Softmax, or its logarithm."""
    from netsheet.layers.activation import LogSoftmax, Softmax

    def rule(node: OnnxNode) -> Formula:
        x, axes = node.input(0), _softmax_axes(node)
        layer = (LogSoftmax if log else Softmax)(name=node.op, axis=axes)
        return Formula([x.shape], [node.dtype()], lambda out: layer.equations([x], out))

    return rule


def hardmax(node: OnnxNode) -> Formula:
    """1 at the first of the largest elements, 0 elsewhere."""
    x, axes = node.input(0), _softmax_axes(node)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        along = Along(x, axes, node.op)
        best, first = along.step(y, "max"), along.step(y, "first")
        place = affine(0)
        for index in along.over:
            place = place * index.size + index
        hit = call("equal", x[along.at], best[along.rest])
        count = 1
        for index in along.over:
            count *= index.size
        found = call("if", hit, Number(place), count)
        return [
            equation(best[along.rest], reduce("max", along.over, x[along.at])),
            equation(first[along.rest], reduce("min", along.over, found)),
            equation(y[along.at], call("equal", Number(place), first[along.rest])),
        ]

    return Formula([x.shape], [node.dtype()], write)


def top_k(node: OnnxNode) -> Formula:
    """The largest or smallest elements along an axis, in order, and their positions.

    Each element's rank is the number of elements before it; equal ones keep their order.
    """
    x = node.input(0)
    axis = node.axis(-1, len(x.shape))
    k = node.integers(1)[0] if node.opset >= 10 else int(node.attr("k"))
    largest, size = bool(node.attr("largest", 1)), x.shape[axis]
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        rank = outputs[0].step("rank", x.axes, x.shape)
        at = indices(x.shape)
        j = Index("j", size)
        other = (*at[:axis], j, *at[axis + 1 :])
        ahead = call("less", x[at], x[other]) if largest else call("less", x[other], x[at])
        earlier = call("less", Number(affine(j)), Number(affine(at[axis])))
        equal = call("and", call("equal", x[at], x[other]), earlier)
        result = [equation(rank[at], reduce("sum", (j,), call("max", ahead, equal)))]
        for y, number in zip(outputs, (False, True), strict=False):
            to = indices(shape)
            source = (*to[:axis], j, *to[axis + 1 :])
            here = call("equal", rank[source], Number(affine(to[axis])))
            what: Expr = Number(affine(j)) if number else x[source]
            result.append(equation(y[to], reduce("sum", (j,), call("if", here, what, 0))))
        return result

    return Formula([shape, shape], [node.dtype(), "int64"], write)


ROWS: dict[str, Any] = {
    "ReduceSum": reduction("sum", _same, _same),
    "ReduceMean": reduction("mean", _same, _same),
    "ReduceMax": reduction("max", _same, _same),
    "ReduceMin": reduction("min", _same, _same),
    "ReduceProd": reduction("prod", _same, _same),
    "ReduceL1": reduction("sum", lambda x: call("abs", x), _same),
    "ReduceL2": reduction("sum", _square, lambda x: call("sqrt", x)),
    "ReduceSumSquare": reduction("sum", _square, _same),
    "ReduceLogSum": reduction("sum", _same, lambda x: call("log", x)),
    "ReduceLogSumExp": log_sum_exp,
    "ArgMax": arg(True),
    "ArgMin": arg(False),
    "CumSum": cumulative("sum"),
    "CumProd": cumulative("prod"),
    "Softmax": softmax(False),
    "LogSoftmax": softmax(True),
    "Hardmax": hardmax,
    "TopK": top_k,
}
