"""Sums of products in equations: convolutions and matrix products, whatever layer they are from.

    y[pixel, channel] = E(A[channel] * sum(taps) x[pixel, taps] * w[taps, channel] + B[channel])

Found in the equation alone: which index moves through what, how many elements at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    FloatArray,
    Guard,
    Index,
    Position,
    Read,
    Reduce,
    Tensor,
    Transform,
    affine,
    factors,
    free_indices,
    replaced,
    substituted,
    walk,
)
from netsheet.loops.passes.fold_constants import constant_values
from netsheet.loops.products.epilogue import constant, ending, without_units
from netsheet.loops.products.guarded_sums import guarded_sums, product
from netsheet.loops.storage.addresses import Layout, Memory, flattened


@dataclass(eq=False)
class ProductPattern:
    """An equation that is a sum of products, taken apart; addresses count floats.

    ``unit`` are the summed indices that walk through adjacent floats of ``x``, outermost first;
    ``tap`` is the next one, which may be guarded along a row of pixels, and ``rows`` the others.
    ``deep``: the channels of ``x`` and ``y`` are the same (depthwise).
    """

    equation: Equation
    x: Tensor
    x_at: Affine
    y_at: Affine
    pixels: list[Index]  # move through x and y, not through the weights; the innermost last
    channel: Index | None
    groups: list[Index]  # move through x, y and the weights
    unit: list[Index]
    tap: Index | None
    rows: list[Index]
    guards: dict[Index, Guard]  # by tap
    product: Expr  # of the constants
    axes: list[Index]  # groups, channels, rows, taps, units: what ``product`` varies with
    scale: FloatArray  # (groups, channels), float64
    bias: FloatArray  # (groups, channels), float64
    added: Tensor | None  # of which the same element is added
    epilogue: Expr | None  # over the finished sum, as a read of the target
    deep: bool = False
    when: Sequence[Guard] = ()  # where one fails the sum is nothing

    @property
    def size(self) -> int:
        """Number of weights."""
        return _size(self.axes)

    def weights(self) -> FloatArray:
        """(groups, channels, rows, taps and units), scaled; made anew each time."""
        values = constant_values(self.product, self.axes)
        values = values.reshape(*self.scale.shape, _size(self.rows), -1)
        return values if (self.scale == 1).all() else values * self.scale[..., None, None]

    @property
    def channels(self) -> int:
        """Outputs of one pixel (of one group)."""
        return self.channel.size if self.channel else 1


def recognised(eq: Equation, layout: Layout, fixed: Sequence[Index] = ()) -> ProductPattern | None:
    """The parts of an equation that is a sum of products, or None."""
    eq = guarded_sums(eq)
    sums = [node for node in walk(eq.value) if isinstance(node, Reduce)]
    if len({id(node) for node in sums}) != 1 or sums[0].op != "sum":
        return None
    total = sums[0]
    parts = _factors(total)
    if parts is None:
        return None
    read, constants = parts
    low = flattened(eq, layout)
    low_total = next(node for node in walk(low.value) if isinstance(node, Reduce))
    low_read = next(
        node
        for node in factors(low_total.body)
        if isinstance(node, Read) and _source(node) is read.tensor
    )
    if not linear(low_read.at[0]) or not linear(low.at[0]):
        return None
    backward = [i for i in total.over if low_read.at[0].coefficient(i) < 0]
    if backward:
        return recognised(_reversed(eq, total, backward), layout, fixed)
    found_roles = roles(eq, low_read.at[0], low.at[0], constants, total, fixed)
    tests = taps_of(low_total)
    if found_roles is None or tests is None:
        return None
    guards, when = tests
    pixels, channels, groups, deep = found_roles
    places = split(low_read.at[0], total, guards, pixels, deep)
    if places is None:
        return None
    unit, tap, rows = places
    summed = [*rows, *([tap] if tap else []), *unit]
    outer = [*groups, *channels]
    found = ending(eq, total, outer, layout)
    if found is None:
        return None
    scale, bias, added, epilogue = found
    weights = without_units(product(constants))
    shape = (_size(groups), _size(channels))
    scale, bias = scale.reshape(shape), bias.reshape(shape)
    channel, y_at = channels[0] if channels else None, low.at[0]
    if len(channels) > 1:
        channel = Index(channels[-1].name, shape[1])
        left = tuple((c, a) for c, a in y_at.terms if a not in channels)
        y_at = Affine(left, y_at.const) + channel
    return ProductPattern(
        eq, read.tensor, low_read.at[0], y_at, pixels, channel, groups, unit, tap, rows,
        guards, weights, [*outer, *summed], scale, bias, added, epilogue, deep, when,
    )  # fmt: skip


def _reversed(eq: Equation, total: Reduce, backward: Sequence[Index]) -> Equation:
    """The same sum with some indices counted from the other end."""
    fresh = {index: Index(index.name, index.size) for index in backward}
    mapping: dict[Index, Position] = {i: affine(i.size - 1) - fresh[i] for i in backward}
    over = tuple(fresh.get(index, index) for index in total.over)
    rewriter = Transform(position=lambda at: substituted(at, mapping))
    turned = Reduce(total.op, over, rewriter(total.body), rewriter.guards(total.where))
    return replace(eq, value=replaced(eq.value, total, turned))


def _source(node: Read) -> Tensor | None:
    return node.tensor.source if isinstance(node.tensor, Memory) else node.tensor


def _size(indices: Sequence[Index]) -> int:
    return math.prod(index.size for index in indices)


def _factors(total: Reduce) -> tuple[Read, list[Expr]] | None:
    """The only factor that is no constant, and the constants."""
    parts = factors(total.body)
    variable = [part for part in parts if not constant(part)]
    constants = [part for part in parts if constant(part)]
    if len(variable) != 1 or not constants or not isinstance(variable[0], Read):
        return None
    return variable[0], constants


def linear(at: Affine) -> bool:
    """True for a position of indices alone."""
    return all(isinstance(atom, Index) for _, atom in at.terms)


def roles(
    eq: Equation,
    x_at: Affine,
    y_at: Affine,
    constants: Sequence[Expr],
    total: Reduce,
    fixed: Sequence[Index],
) -> tuple[list[Index], list[Index], list[Index], bool] | None:
    """Pixels, channels, groups; True if the channels of x and y are the same."""
    weighted = {index for part in constants for index in free_indices(part)}
    if weighted & set(fixed):
        return None
    guarded = {index for guard in total.where for index in guard.value.indices()}
    pixels, channels, groups = [], [], []
    for index in eq.indices:
        if index.size == 1 or index in fixed:
            continue
        moves = x_at.coefficient(index) != 0 or index in guarded
        if index not in weighted:
            pixels.append(index)
        elif moves:
            groups.append(index)
        else:
            channels.append(index)
    pixels.sort(key=lambda index: -abs(y_at.coefficient(index)))
    deep = (
        not channels
        and bool(groups)
        and all(at.coefficient(groups[-1]) == 1 for at in (x_at, y_at))
    )
    if deep:
        channels = [groups.pop()]
    channels.sort(key=lambda index: -y_at.coefficient(index))
    step = 1
    for channel in reversed(channels):
        if y_at.coefficient(channel) != step:
            return None
        step *= channel.size
    return pixels, channels, groups, deep


def taps_of(total: Reduce) -> tuple[dict[Index, Guard], list[Guard]] | None:
    """The guard of each summed index, and those of none; None if one is of another form."""
    found: dict[Index, Guard] = {}
    others: list[Guard] = []
    for guard in total.where:
        if not linear(guard.value):
            return None
        taps = [index for index in guard.value.indices() if index in total.over]
        if not taps:
            others.append(guard)
            continue
        if len(taps) != 1 or taps[0] in found or len(guard.value.terms) > 2:
            return None
        if guard.value.coefficient(taps[0]) <= 0:
            return None
        found[taps[0]] = guard
    return found, others


def split(
    x_at: Affine,
    total: Reduce,
    guards: dict[Index, Guard],
    pixels: Sequence[Index],
    deep: bool,
) -> tuple[list[Index], Index | None, list[Index]] | None:
    """Units, tap and rows of :class:`ProductPattern` (largest step first)."""
    left = [index for index in total.over if index.size > 1]
    left.sort(key=lambda index: -x_at.coefficient(index))
    if any(x_at.coefficient(index) <= 0 for index in left):
        return None
    along = pixels[-1] if pixels else None
    unit: list[Index] = []
    step = 1
    while not deep and left and left[-1] not in guards and x_at.coefficient(left[-1]) == step:
        unit.insert(0, left.pop())
        step *= unit[0].size
    moving = [i for i in left if along and i in guards and guards[i].value.coefficient(along)]
    if len(moving) > 1:
        return None  # the taps that count would differ from pixel to pixel of a row
    tap = None
    if moving:
        tap = moving[0]
    elif left and (deep or len(left) > 1 or not unit) and left[-1] not in guards:
        tap = left[-1]
    if tap is not None:
        left.remove(tap)
    return unit, tap, left
