"""Operators that read or write at computed positions."""

from __future__ import annotations

from typing import Any

from netsheet.equations import (
    Affine,
    Expr,
    Gather,
    Guard,
    Index,
    Number,
    Position,
    Value,
    affine,
    call,
    reduce,
    select,
    value,
)
from netsheet.errors import UnsupportedError
from netsheet.operators.base import Formula, OnnxNode, Shape, indices, pointwise


def counted(read: Expr, size: int) -> Expr:
    """An index counted from the front: negative ones count from the end."""
    return call("if", call("less", read, 0), read + size, read)


def place(read: Expr, size: int) -> Affine:
    """The position that a computed index means along an axis of ``size``."""
    return affine(Gather(counted(read, size), size))


def gather(node: OnnxNode) -> Formula:
    """Slices along ``axis`` at computed positions."""
    x, where = node.input(0), node.input(1)
    axis = node.axis(0, len(x.shape))
    count = len(where.shape)

    def element(at: tuple[Index, ...]) -> Expr:
        position = place(where[at[axis : axis + count]], x.shape[axis])
        return x[(*at[:axis], position, *at[axis + count :])]

    shape = (*x.shape[:axis], *where.shape, *x.shape[axis + 1 :])
    return pointwise(shape, node.dtype(), element)


def gather_elements(node: OnnxNode) -> Formula:
    """Each element at its own computed position along ``axis``."""
    x, where = node.input(0), node.input(1)
    axis = node.axis(0, len(x.shape))

    def element(at: tuple[Index, ...]) -> Expr:
        return x[(*at[:axis], place(where[at], x.shape[axis]), *at[axis + 1 :])]

    return pointwise(where.shape, node.dtype(), element)


def gather_nd(node: OnnxNode) -> Formula:
    """Slices at positions along several axes, given by the last axis of the indices."""
    x, where = node.input(0), node.input(1)
    batch = int(node.attr("batch_dims", 0))
    depth, lead = where.shape[-1], len(where.shape) - 1

    def element(at: tuple[Index, ...]) -> Expr:
        places = [place(where[(*at[:lead], n)], x.shape[batch + n]) for n in range(depth)]
        return x[(*at[:batch], *places, *at[lead:])]

    shape = (*where.shape[:-1], *x.shape[batch + depth :])
    return pointwise(shape, node.dtype(), element)


def one_hot(node: OnnxNode) -> Formula:
    """``on`` at the position that the index says, ``off`` elsewhere."""
    where, values = node.input(0), node.input(2)
    depth = node.integers(1)[0]
    axis = int(node.attr("axis", -1)) % (len(where.shape) + 1)

    def element(at: tuple[Index, ...]) -> Expr:
        index: Expr = where[(*at[:axis], *at[axis + 1 :])]
        hit = call("equal", call("mod", index, depth), Number(affine(at[axis])))
        inside = call("and", call("less", index, depth), call("less_equal", -depth, index))
        return call("if", call("and", hit, inside), values[1], values[0])

    shape = (*where.shape[:axis], depth, *where.shape[axis:])
    return pointwise(shape, node.dtype(2), element)


COMBINE = {"add": "sum", "mul": "prod", "max": "max", "min": "min"}


def _combined(how: str, hit: Expr, update: Expr, old: Expr, over: tuple[Index, ...]) -> Expr:
    """What is left of an element after all updates that hit it."""
    if how == "none":
        changed = reduce("sum", over, call("if", hit, update, 0))
        return call("if", reduce("max", over, hit), changed, old)
    if how not in COMBINE:
        raise UnsupportedError(f"a scatter with reduction {how!r} is not computed")
    if how == "add":
        return old + reduce("sum", over, call("if", hit, update, 0))
    if how == "mul":
        return old * reduce("prod", over, call("if", hit, update, 1))
    return call(how, old, reduce(COMBINE[how], over, call("if", hit, update, old)))


def scatter_elements(node: OnnxNode) -> Formula:
    """Updates written at computed positions along ``axis``, each in its own row."""
    x, where, updates = (node.input(n) for n in range(3))
    axis = node.axis(0, len(x.shape))
    how = node.attr("reduction", "none")

    def element(at: tuple[Index, ...]) -> Expr:
        j = Index("j", where.shape[axis])
        source = (*at[:axis], j, *at[axis + 1 :])
        inside = [
            Guard(affine(i), 0, n)
            for a, (i, n) in enumerate(zip(at, where.shape, strict=True))
            if a != axis
        ]
        index = counted(where[source], x.shape[axis])
        hit = call("equal", index, Number(affine(at[axis])))
        return select(inside, _combined(how, hit, updates[source], x[at], (j,)), x[at])

    return pointwise(x.shape, node.dtype(), element)


def scatter_nd(node: OnnxNode) -> Formula:
    """Slices written at positions along several axes, given by the last axis of the indices."""
    x, where, updates = (node.input(n) for n in range(3))
    depth, lead = where.shape[-1], where.shape[:-1]
    how = node.attr("reduction", "none")

    def element(at: tuple[Index, ...]) -> Expr:
        over = indices(lead, "jklmnopq")
        hit: Expr = value(1)
        for n in range(depth):
            index = counted(where[(*over, n)], x.shape[n])
            same = call("equal", index, Number(affine(at[n])))
            hit = same if n == 0 else call("and", hit, same)
        return _combined(how, hit, updates[(*over, *at[depth:])], x[at], over)

    return pointwise(x.shape, node.dtype(), element)


def tensor_scatter(node: OnnxNode) -> Formula:
    """A stretch of a cache replaced, from a computed position on."""
    cache, update = node.input(0), node.input(1)
    rank = len(cache.shape)
    axis = int(node.attr("axis", -2)) % rank
    size, length = cache.shape[axis], update.shape[axis]
    circular = node.attr("mode", "linear") == "circular"

    def element(at: tuple[Index, ...]) -> Expr:
        start: Value = node.input(2)[at[0]] if node.has(2) else 0
        step = Number(affine(at[axis])) - start
        step = call("mod", step, size) if circular else step
        inside = call("and", call("less_equal", 0, step), call("less", step, length))
        held = call("max", 0, call("min", step, length - 1))
        source: list[Position] = list(at)
        source[axis] = affine(Gather(held, length))
        return call("if", inside, update[tuple(source)], cache[at])

    return pointwise(cache.shape, node.dtype(), element)


def _unraveled(flat: Index, shape: Shape) -> tuple[Position, ...]:
    """The positions of the element that lies at ``flat``, the last axis fastest."""
    found: list[Position] = [0] * len(shape)
    left = affine(flat)
    several = [axis for axis, size in enumerate(shape) if size > 1]
    for axis in reversed(several):
        found[axis] = left if axis == several[0] else left % shape[axis]
        left = left if axis == several[0] else left // shape[axis]
    return tuple(found)


def array_feature_extractor(node: OnnxNode) -> Formula:
    """Columns at computed positions of the last axis, whatever axes the positions have."""
    x, where = node.input(0), node.input(1)
    lead: Shape = x.shape[:-1] if len(x.shape) > 1 else (1,)

    def element(at: tuple[Index, ...]) -> Expr:
        column = place(where[_unraveled(at[-1], where.shape)], x.shape[-1])
        return x[(*(at[:-1] if len(x.shape) > 1 else ()), column)]

    return pointwise((*lead, where.size), node.dtype(), element)


ROWS: dict[str, Any] = {
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "OneHot": one_hot,
    "ScatterElements": scatter_elements,
    "Scatter": scatter_elements,
    "ScatterND": scatter_nd,
    "TensorScatter": tensor_scatter,
    "ArrayFeatureExtractor": array_feature_extractor,
}
