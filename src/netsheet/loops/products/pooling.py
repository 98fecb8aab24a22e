"""Maxima over small windows, all taps written out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from netsheet.equations import (
    FLOAT,
    WHOLE,
    Affine,
    Equation,
    Index,
    Read,
    Reduce,
    Tensor,
    reads,
    replaced,
    substituted,
    walk,
)
from netsheet.loops.builder import FunctionBuilder
from netsheet.loops.computations import Computation, ordered_reads
from netsheet.loops.ir import (
    INT,
    Buffer,
    Comparison,
    Conditional,
    Greatest,
    Integer,
    Least,
    Load,
    Pointer,
    Store,
    Variable,
    plus,
    times,
)
from netsheet.loops.storage.addresses import Layout, flattened
from netsheet.loops.values import Values

MOST_TAPS = 16

Offsets = Mapping[Index, Sequence[Integer]]  # by tap index: the distance of each of its taps


@dataclass(eq=False)
class WindowAxis:
    """Taps along one axis of the input: tap t of output i lies at i * stride + t * apart - before,
    of ``size``, each ``pitch`` elements from the one before it."""

    tap: Index
    index: Index | None
    at: Affine
    size: int
    pitch: int


@dataclass(eq=False)
class WindowMaximum(Computation):
    """A maximum over windows; in place of taps outside, those at the edge count twice."""

    equation: Equation
    x: Tensor
    axes: list[WindowAxis]
    rest: Affine  # the address in x without the axes
    fixed: Sequence[Index] = ()
    scratch: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reads = ordered_reads([self.equation])
        self.writes = [self.equation.target]

    @property
    def equations(self) -> list[Equation]:
        return [self.equation]

    def lower(self, builder: FunctionBuilder, layout: Layout) -> None:
        flat = flattened(self.equation, layout)
        inner = [index for index in flat.indices if index not in self.fixed]
        inner.sort(key=lambda index: -abs(flat.at[0].coefficient(index)))
        self.lower_loops(builder, layout, inner, {}, builder.buffers[self.x])

    def lower_loops(
        self,
        builder: FunctionBuilder,
        layout: Layout,
        loops: Sequence[Index],
        offsets: Offsets,
        x: Buffer | Pointer,
    ) -> None:
        """The loops over output indices; ``offsets`` of taps whose index is already a variable."""
        values = Values(builder)
        for axis in [axis for axis in self.axes if axis.tap not in offsets]:
            if axis.index is None or axis.index not in loops:
                offsets = {**offsets, axis.tap: _offsets(builder, values, axis)}
        outer = [i for i in loops if self._moves(i)] if len(loops) > 1 else []
        if loops and len(outer) < len(loops) - 1:
            outer = list(loops[:-1])
        if outer and loops[0] in outer and len(loops) > 1:
            with builder.loop(loops[0]):
                self.lower_loops(builder, layout, loops[1:], offsets, x)
            return
        self._lower_element(builder, layout, loops, offsets, x)

    def _moves(self, index: Index) -> bool:
        return any(axis.index is index for axis in self.axes)

    def _lower_element(
        self,
        builder: FunctionBuilder,
        layout: Layout,
        loops: Sequence[Index],
        offsets: Offsets,
        x: Buffer | Pointer,
    ) -> None:
        """The innermost loops, with the taps of one element."""
        late = [axis for axis in self.axes if axis.tap not in offsets]
        total = next(node for node in walk(self.equation.value) if isinstance(node, Reduce))
        own = Read(self.equation.target, self.equation.at)
        finish = replaced(self.equation.value, total, own)
        flat = flattened(replace(self.equation, value=finish), layout)
        taps: list[tuple[Buffer | Pointer, Integer]] = []
        values = Values(builder, flat.value)
        if not late:
            for offset in self._distances(offsets):
                taps.append((builder.pointer("a", x, offset), 0))
        with builder.nested(*loops):
            if late:
                for axis in late:
                    offsets = {**offsets, axis.tap: _offsets(builder, values, axis)}
                taps = [(x, offset) for offset in self._distances(offsets)]
            rest = values.position(self.rest)
            loads = [Load(source, plus(shift, rest)) for source, shift in taps]
            dtype = FLOAT if self.equation.target.dtype == FLOAT else WHOLE
            most = builder.let("most", loads[0], dtype, mutable=True)
            for load in loads[1:]:
                builder.accumulate("max", most, builder.let("v", load, dtype))
            for node in walk(flat.value):
                if isinstance(node, Read):
                    values.know(node, most)
            place = values.position(flat.at[0])
            target = builder.buffers[self.equation.target]
            builder.add(Store(target, place, values.value(flat.value, dtype)))

    def _distances(self, offsets: Offsets) -> list[Integer]:
        """From the first element to every tap of a window."""
        sums: list[Integer] = [0]
        for axis in self.axes:
            sums = [plus(left, right) for left in sums for right in offsets[axis.tap]]
        return sums


def _offsets(builder: FunctionBuilder, values: Values, axis: WindowAxis) -> list[Integer]:
    """The distance of each tap along one axis, those outside moved to the edge."""
    found: list[Integer] = []
    for tap in range(axis.tap.size):
        at = substituted(axis.at, {axis.tap: tap})
        low, high = at.bounds()
        place = values.position(at)
        if high >= axis.size:
            place = Least(place, axis.size - 1)
        if low < 0:
            place = Greatest(place, 0)
        if at.terms:
            name = f"{builder.index(axis.tap).name}{tap}"
            found.append(builder.let(name, times(place, axis.pitch), INT))
        else:
            found.append(times(place, axis.pitch))
    return found


def window_maximum(
    eq: Equation, layout: Layout, fixed: Sequence[Index] = ()
) -> WindowMaximum | None:
    """An equation that takes maxima over small windows, or None."""
    sums = [node for node in walk(eq.value) if isinstance(node, Reduce)]
    found = list(reads(eq.value))
    if len(sums) != 1 or sums[0].op != "max" or len(found) != 1 or found[0] is not sums[0].body:
        return None
    total, read = sums[0], found[0]
    if math.prod(index.size for index in total.over) > MOST_TAPS or eq.time is not None:
        return None
    units = {i: 0 for i in (*eq.indices, *total.over) if i.size == 1}
    axes, rest = [], Affine((), 0)
    guards = {substituted(guard.value, units): guard for guard in total.where}
    for place, size, pitch in zip(read.at, read.tensor.shape, layout(read.tensor), strict=True):
        at = substituted(place, units)
        if any(not isinstance(atom, Index) for _, atom in at.terms):
            return None
        taps = [i for i in at.indices() if i in total.over]
        if not taps:
            rest = rest + at * pitch
            continue
        others = [i for i in at.indices() if i not in total.over]
        guard = guards.pop(at, None)
        low, high = at.bounds()
        if len(taps) > 1 or len(others) > 1 or at.coefficient(taps[0]) < 1:
            return None
        if guard is None and (low < 0 or high >= size):
            return None
        if guard is not None and not _reaches_inside(at, taps[0], size, guard.low, guard.high):
            return None
        axes.append(WindowAxis(taps[0], others[0] if others else None, at, size, pitch))
    if guards or not axes or any(axis.index is None for axis in axes):
        return None
    return WindowMaximum(eq, read.tensor, axes, rest, fixed)


def _reaches_inside(at: Affine, tap: Index, size: int, low: int, high: int) -> bool:
    """True if every window has a tap inside, so that its taps outside may be those at the edge."""
    rest = at - tap * at.coefficient(tap)
    first, last = rest.bounds()
    whole = low == 0 and high == size and at.coefficient(tap) == 1
    return whole and first + tap.size - 1 >= 0 and last < size


def edge_distances(
    builder: FunctionBuilder, axis: WindowAxis, first: Variable, bounds: tuple[int, int]
) -> list[Integer]:
    """The distance of each tap from the first row of its window, ``bounds`` of that row's position.

    Taps outside are those at the edge.
    """
    low, high = bounds
    found: list[Integer] = []
    for tap in range(axis.tap.size):
        if high + tap < axis.size and low + tap >= 0:
            found.append(tap * axis.pitch)
            continue
        place: Integer = tap
        if high + tap >= axis.size:
            inside = Comparison(plus(first, tap), "<", axis.size)
            place = Conditional(inside, tap, plus(axis.size - 1, times(first, -1)))
        if low + tap < 0:
            place = Conditional(Comparison(plus(first, tap), ">", 0), place, times(first, -1))
        name = f"{builder.index(axis.tap).name}{tap}"
        found.append(builder.let(name, times(place, axis.pitch), INT))
    return found
