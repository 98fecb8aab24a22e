"""Maxima over windows; and sums of products with their pooling, a few rows at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from netsheet.equations import Affine, Const, Equation, Index, Read, Reduce, Tensor, reads, walk
from netsheet.equations.positions import substituted
from netsheet.equations.transform import replaced
from netsheet.write.c.loops import Body, nested
from netsheet.write.c.places import Layout, lowered
from netsheet.write.c.steps import Step, ordered_reads
from netsheet.write.c.sums import Sums
from netsheet.write.c.text import Scope

MOST_TAPS = 16


@dataclass(eq=False)
class Axis:
    """Taps along one axis of the input: tap t of output i lies at i * stride + t * apart - before,
    of ``size``, each ``pitch`` floats from the one before it."""

    tap: Index
    index: Index | None
    place: Affine
    size: int
    pitch: int


@dataclass(eq=False)
class Pool(Step):
    """A maximum over windows, all taps written out; taps outside are those at the edge again."""

    equation: Equation
    x: Tensor
    axes: list[Axis]
    rest: Affine  # the address in x without the axes
    fixed: Sequence[Index] = ()
    scratch: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reads = ordered_reads([self.equation])
        self.writes = [self.equation.target]

    def print(self, scope: Scope, layout: Layout) -> None:
        low = lowered(self.equation, layout)
        inner = [index for index in low.indices if index not in self.fixed]
        inner.sort(key=lambda index: -abs(low.at[0].coefficient(index)))
        self.print_loops(scope, layout, inner, {}, scope.pointers[self.x])

    def print_loops(
        self,
        scope: Scope,
        layout: Layout,
        loops: Sequence[Index],
        offsets: dict[Index, list[str]],
        x: str,
    ) -> None:
        """The loops over output indices; ``offsets`` of taps whose index is already a variable."""
        body = Body(scope, Const(0.0))
        ready = [axis for axis in self.axes if axis.tap not in offsets]
        for axis in ready:
            if axis.index is None or axis.index not in loops:
                offsets = {**offsets, axis.tap: self._offsets(scope, body, axis)}
        outer = [i for i in loops if self._moves(i)] if len(loops) > 1 else []
        if loops and len(outer) < len(loops) - 1:
            outer = list(loops[:-1])
        if outer and loops[0] in outer and len(loops) > 1:
            with nested(scope, loops[:1]):
                self.print_loops(scope, layout, loops[1:], offsets, x)
            return
        self._print_inner(scope, layout, loops, offsets, x)

    def _moves(self, index: Index) -> bool:
        return any(axis.index is index for axis in self.axes)

    def _offsets(self, scope: Scope, body: Body, axis: Axis) -> list[str]:
        """A variable with the distance of each tap along one axis."""
        names = []
        for tap in range(axis.tap.size):
            at = substituted(axis.place, {axis.tap: tap})
            low, high = at.bounds()
            text = body.position(at * axis.pitch)
            if low >= 0 and high < axis.size and not at.terms:
                names.append(text)
                continue
            if low >= 0 and high < axis.size:
                name = scope.fresh(f"{scope.index(axis.tap)}{tap}")
                scope.lines.add(f"const int {name} = {text};")
                names.append(name)
                continue
            text = body.position(at)
            if low < 0 or high >= axis.size:
                text = f"({text})" if " " in text else text
            if high >= axis.size:
                text = f"({text} < {axis.size} ? {text} : {axis.size - 1})"
            if low < 0:
                text = f"({text} > 0 ? {text} : 0)"
            name = scope.fresh(f"{scope.index(axis.tap)}{tap}")
            text = f"({text})" if " " in text and not text.startswith("(") else text
            scope.lines.add(f"const int {name} = {text} * {axis.pitch};")
            names.append(name)
        return names

    def _print_inner(
        self,
        scope: Scope,
        layout: Layout,
        loops: Sequence[Index],
        offsets: dict[Index, list[str]],
        x: str,
    ) -> None:
        """The taps of one element."""
        late = [axis for axis in self.axes if axis.tap not in offsets]
        total = next(node for node in walk(self.equation.value) if isinstance(node, Reduce))
        own = Read(self.equation.target, self.equation.at)
        finish = replaced(self.equation.value, total, own)
        low = lowered(replace(self.equation, value=finish), layout)
        pointers: list[tuple[str, str]] = []
        body = Body(scope, low.value)
        sums = [""]
        for axis in self.axes:
            if axis in late:
                continue
            sums = _added(sums, offsets[axis.tap])
        if not late:
            for text in sums:
                name = scope.fresh("a")
                place = text
                scope.lines.add(f"const float *const {name} = {x} + ({place});" if place else
                                f"const float *const {name} = {x};")  # fmt: skip
                pointers.append((name, "0"))
        with nested(scope, loops):
            if late:
                for axis in late:
                    offsets = {**offsets, axis.tap: self._offsets(scope, body, axis)}
                sums = [""]
                for axis in self.axes:
                    sums = _added(sums, offsets[axis.tap])
                pointers = [(x, text) for text in sums]
            most = scope.fresh("most")
            rest = body.position(self.rest)
            for n, (pointer, shift) in enumerate(pointers):
                at = " + ".join(part for part in (shift, rest) if part != "0") or "0"
                if n == 0:
                    scope.lines.add(f"float {most} = {pointer}[{at}];")
                    continue
                value = scope.fresh("v")
                scope.lines.add(f"const float {value} = {pointer}[{at}];")
                scope.lines.add(f"{most} = {value} > {most} ? {value} : {most};")
            for node in walk(low.value):
                if isinstance(node, Read):
                    body.know(node, most)
            target = scope.pointers[self.equation.target]
            scope.lines.add(f"{target}[{body.position(low.at[0])}] = {body.value(low.value)};")


def _added(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """The sums of every two texts, without zeros."""
    return [
        " + ".join(part for part in (a, b) if part not in ("", "0")) for a in left for b in right
    ]


def pooling(eq: Equation, layout: Layout, fixed: Sequence[Index] = ()) -> Pool | None:
    """The parts of an equation that takes maxima over small windows, or None."""
    sums = [node for node in walk(eq.value) if isinstance(node, Reduce)]
    found = list(reads(eq.value))
    if len(sums) != 1 or sums[0].op != "max" or len(found) != 1 or found[0] is not sums[0].body:
        return None
    total, read = sums[0], found[0]
    if math.prod(index.size for index in total.over) > MOST_TAPS or eq.time is not None:
        return None
    units = {i: 0 for i in (*eq.indices, *total.over) if i.size == 1}
    strides = layout(read.tensor)
    axes, rest = [], Affine((), 0)
    guards = {substituted(guard.value, units): guard for guard in total.where}
    for place, size, pitch in zip(read.at, read.tensor.shape, strides, strict=True):
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
        if guard is not None and not _edges(at, taps[0], size, guard.low, guard.high):
            return None
        axes.append(Axis(taps[0], others[0] if others else None, at, size, pitch))
    if guards or not axes or any(axis.index is None for axis in axes):
        return None
    return Pool(eq, read.tensor, axes, rest, fixed)


def _edges(at: Affine, tap: Index, size: int, low: int, high: int) -> bool:
    """True if every window reaches inside, so that its taps outside may be those at the edge."""
    rest = at - tap * at.coefficient(tap)
    first, last = rest.bounds()
    whole = low == 0 and high == size and at.coefficient(tap) == 1
    return whole and first + tap.size - 1 >= 0 and last < size


# --------------------------------------------------------------------------- row by row


@dataclass(eq=False)
class Pooled(Step):
    """Sums of products of which only a window's rows exist at a time, then their maxima."""

    sums: Sums
    pool: Pool
    line: Tensor

    def __post_init__(self) -> None:
        self.reads = list(self.sums.reads)
        self.writes = list(self.pool.writes)
        self.scratch = [self.line]

    def print(self, scope: Scope, layout: Layout) -> None:
        sums, pool = self.sums, self.pool
        row = sums.outer[0]
        axis = next(axis for axis in pool.axes if axis.index is not None and axis.pitch == (
            sums.products.y_at.coefficient(row)))  # fmt: skip
        assert axis.index is not None
        body = Body(scope, Const(0.0))
        start = substituted(axis.place, {axis.tap: 0})
        x = scope.pointers[self.line]
        with nested(scope, [axis.index]):
            first = scope.fresh("first")
            scope.lines.add(f"const int {first} = {body.position(start)};")
            low, high = start.bounds()
            k = scope.fresh("k")
            begin = f"{first} < 0 ? -{first} : 0" if low < 0 else "0"
            end = str(axis.tap.size)
            if high + axis.tap.size > axis.size:
                end = f"{end} && {first} + {k} < {axis.size}"
            with scope.lines.block(f"for (int {k} = {begin}; {k} < {end}; {k}++)"):
                scope.lines.add(f"const int {scope.index(row)} = {first} + {k};")
                y_at = Affine(
                    tuple((c, a) for c, a in sums.products.y_at.terms if a is not row),
                    sums.products.y_at.const,
                )
                sums.print_row(scope, f"{x} + {k} * {axis.pitch}", y_at)
                if sums.epilogue is not None:
                    self._print_epilogue(scope, layout, f"({x} + {k} * {axis.pitch})", y_at)
            offsets = []
            for tap in range(axis.tap.size):
                text = str(tap)
                if high + tap < axis.size and low + tap >= 0:
                    offsets.append(str(tap * axis.pitch))
                    continue
                name = scope.fresh(f"{scope.index(axis.tap)}{tap}")
                if high + tap >= axis.size:
                    last = f"{axis.size - 1} - {first}"
                    text = f"({first} + {tap} < {axis.size} ? {tap} : {last})"
                if low + tap < 0:
                    text = f"({first} + {tap} > 0 ? {text} : -{first})"
                scope.lines.add(f"const int {name} = {text} * {axis.pitch};")
                offsets.append(name)
            target = lowered(pool.equation, layout)
            loops = [i for i in target.indices if i is not axis.index]
            loops.sort(key=lambda index: -abs(target.at[0].coefficient(index)))
            pool.print_loops(scope, layout, loops, {axis.tap: offsets}, x)

    def _print_epilogue(self, scope: Scope, layout: Layout, line: str, y_at: Affine) -> None:
        sums = self.sums
        assert sums.epilogue is not None
        low = lowered(replace(sums.products.equation, value=sums.epilogue), layout)
        channel = [sums.products.channel] if sums.products.channel else []
        along = [sums.along] if sums.along else []
        body = Body(scope, low.value)
        with nested(scope, [*along, *channel]):
            place = f"{line}[{body.position(y_at)}]"
            value = scope.fresh("v")
            scope.lines.add(f"const float {value} = {place};")
            for node in walk(low.value):
                if isinstance(node, Read):
                    body.know(node, value)
            scope.lines.add(f"{place} = {body.value(low.value)};")


def pooled(sums: Sums, pool: Pool) -> Pooled | None:
    """Both in one step, or None where the rows of a window would be computed twice."""
    p = sums.products
    target = p.equation.target
    if (
        len(sums.outer) != 1
        or sums.outer_taps
        or p.groups
        or sums.fixed
        or pool.fixed
        or p.added is target
    ):
        return None
    if sums.epilogue is not None and any(r.tensor is not target for r in reads(sums.epilogue)):
        return None
    row = sums.outer[0]
    pitch = p.y_at.coefficient(row)
    axes = [axis for axis in pool.axes if axis.pitch == pitch and axis.size == row.size]
    if len(axes) != 1 or axes[0].index is None or p.added is not None:
        return None
    axis = axes[0]
    assert axis.index is not None
    if axis.place.coefficient(axis.index) < axis.tap.size or axis.place.coefficient(axis.tap) != 1:
        return None
    if sums.along is None or pitch != p.y_at.coefficient(sums.along) * sums.along.size:
        return None
    line = Tensor(f"{target.name}/rows", ("address",), (axis.tap.size * pitch,))
    return Pooled(sums, pool, line)
