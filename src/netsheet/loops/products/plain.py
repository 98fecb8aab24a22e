"""A kernel as plain loops: for targets without row functions, for the checker, and for people."""

from __future__ import annotations

import math

from netsheet.loops.ir import (
    WHOLE,
    Accumulate,
    Apply,
    Assign,
    Comparison,
    Conditional,
    EitherPointer,
    FloorDivide,
    For,
    Greatest,
    If,
    Integer,
    Kernel,
    Least,
    Let,
    Literal,
    Load,
    Modulo,
    Statement,
    Store,
    Tile,
    Variable,
    plus,
    times,
)
from netsheet.loops.products.row_function import RowGeometry
from netsheet.loops.products.tile_shape import TileShape, even

# Names inside a kernel's loops; ``k_`` keeps them apart from those around it.
PIXEL, BLOCK, CHANNEL, ROW, TAP, ITEM = (
    Variable(f"k_{name}") for name in ("pixel", "block", "channel", "row", "tap", "item")
)
TOTAL = Variable("k_sum", "float32")


def plain(kernel: Kernel) -> tuple[Statement, ...]:
    """The same computation: every pixel, block, channel; every row of taps, tap and input."""
    g, size = kernel.geometry, kernel.function.channels
    channel = plus(times(BLOCK, size), CHANNEL)
    to = plus(times(PIXEL, g.y_step), channel)
    statements: list[Statement] = [
        _started(kernel, channel),
        *_added(kernel, to),
        *_sums(kernel),
        *_clamps(g),
        Store(kernel.y, to, TOTAL),
    ]
    body: tuple[Statement, ...] = tuple(statements)
    for variable, count in ((CHANNEL, size), (BLOCK, g.blocks), (PIXEL, g.pixels)):
        body = (For(variable.name, 0, count, body),)
    return body


def _started(kernel: Kernel, channel: Integer) -> Let:
    bias = kernel.bias
    if isinstance(bias, EitherPointer):
        assert bias.then is not None and bias.otherwise is not None
        value: Conditional | Load = Conditional(
            bias.test, Load(bias.then, channel), Load(bias.otherwise, channel)
        )
    else:
        value = Load(bias, channel)
    return Let(TOTAL.name, TOTAL.dtype, value, mutable=True)


def _added(kernel: Kernel, to: Integer) -> list[Statement]:
    added = kernel.added
    if added is None:
        return []
    if not isinstance(added, EitherPointer):
        return [Accumulate("sum", TOTAL.name, Load(added, to))]
    bodies = [
        () if side is None else (Accumulate("sum", TOTAL.name, Load(side, to)),)
        for side in (added.then, added.otherwise)
    ]
    return [If(added.test, *bodies)]


def _sums(kernel: Kernel) -> list[Statement]:
    """The loops over rows of taps, those taps of a row that lie inside, and their inputs."""
    g, size = kernel.geometry, kernel.function.channels
    low, high = kernel.rows
    weight = plus(times(BLOCK, g.w_block), times(ROW, g.run * size), CHANNEL)
    at = plus(times(PIXEL, g.step), times(ROW, g.pitch), times(TAP, g.tap_step), -g.back)
    weight = plus(weight, times(TAP, g.unit * size), times(ITEM, size))
    deep = plus(times(BLOCK, size), CHANNEL) if kernel.function.deep else ITEM
    product = Apply("mul", (Load(kernel.x, plus(at, deep)), Load(kernel.weights, weight)))
    body: tuple[Statement, ...] = (Accumulate("sum", TOTAL.name, product),)
    if not kernel.function.deep:
        body = (For(ITEM.name, 0, g.unit, body),)
    else:
        body = (For(ITEM.name, 0, 1, body),)
    first, last = _taps_inside(g)
    taps: tuple[Statement, ...] = (For(TAP.name, first, last, body),)
    rows: Statement = For(ROW.name, low, high, taps)
    return [rows if kernel.when is None else If(kernel.when, (rows,))]


def _taps_inside(g: RowGeometry) -> tuple[Integer, Integer]:
    """The first tap of a pixel that lies inside, and the one behind the last."""
    if g.left == 0 and g.right == g.pixels:
        return 0, g.taps
    first = plus(times(PIXEL, g.stride), -g.before)
    if g.dilation == 1:
        return Greatest(times(first, -1), 0), Least(plus(g.size, times(first, -1)), g.taps)
    before = plus(g.dilation - 1, times(first, -1))
    behind = plus(g.size - 1, times(first, -1))
    return (
        Greatest(FloorDivide(before, g.dilation), 0),
        Least(plus(FloorDivide(behind, g.dilation), 1), g.taps),
    )


def _clamps(g: RowGeometry) -> list[Statement]:
    return [
        Assign(TOTAL.name, Conditional(Comparison(TOTAL, sign, bound), bound, TOTAL))
        for bound, sign in ((Literal(g.floor), "<"), (Literal(g.ceiling), ">"))
        if math.isfinite(bound.value)
    ]


def plain_tile(tile: Tile) -> tuple[Statement, ...]:
    """A tile's sums: every pixel, channel, tap and input. ``sums`` are declared around it."""
    shape = tile.shape
    total = Variable("k_total", WHOLE)
    deep = CHANNEL if shape.kind == "deep" else 0
    x = plus(times(PIXEL, shape.step), times(TAP, shape.tap_step), ITEM, deep)
    product = Apply("mul", (Load(tile.x, x), Load(tile.weights, _weight_of(shape))), WHOLE)
    adding: Statement = Accumulate("sum", total.name, product, WHOLE)
    for variable, count in ((ITEM, shape.run), (TAP, shape.taps)):
        adding = For(variable.name, 0, count, (adding,))
    body: tuple[Statement, ...] = (
        Let(total.name, WHOLE, Load(tile.start, CHANNEL), mutable=True),
        adding,
        Store(tile.sums, plus(times(PIXEL, shape.channels), CHANNEL), total),
    )
    for variable, count in ((CHANNEL, shape.channels), (PIXEL, shape.pixels)):
        body = (For(variable.name, 0, count, body),)
    return body


def _weight_of(shape: TileShape) -> Integer:
    """Where the weight of a tap, an input and a channel lies."""
    if shape.kind == "quads":
        whole = shape.run // 4 * 4
        four = (times(FloorDivide(ITEM, 4, True), 16), times(CHANNEL, 4), Modulo(ITEM, 4, True))
        rest = (times(ITEM, 4), CHANNEL)
        return Conditional(Comparison(ITEM, "<", whole), plus(*four), plus(*rest))
    index, other = (TAP, (times(CHANNEL, 2),)) if shape.kind == "deep" else (
        ITEM, (CHANNEL, times(TAP, 2 * even(shape.run))))  # fmt: skip
    within = Modulo(index, 2, True)
    pair = times(FloorDivide(index, 2, True), 4)
    return plus(pair, within if shape.kind == "deep" else times(within, 2), *other)
