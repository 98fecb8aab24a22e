"""Sums of products and their pooling in one: only the rows of a window exist at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netsheet.equations import Affine, Equation, Index, Read, Tensor, reads, substituted, walk
from netsheet.loops.builder import FunctionBuilder
from netsheet.loops.computations import Computation
from netsheet.loops.ir import (
    INT,
    Greatest,
    Integer,
    Least,
    Let,
    Load,
    Pointer,
    Store,
    Variable,
    plus,
    times,
)
from netsheet.loops.products.pooling import WindowAxis, WindowMaximum, edge_distances
from netsheet.loops.products.sums import SumOfProducts
from netsheet.loops.storage.addresses import Layout, flattened
from netsheet.loops.values import Values


@dataclass(eq=False)
class PooledSums(Computation):
    """For each row of windows: the sums of its rows into ``line``, then their maxima."""

    sums: SumOfProducts
    pool: WindowMaximum
    line: Tensor

    def __post_init__(self) -> None:
        self.reads = list(self.sums.reads)
        self.writes = list(self.pool.writes)
        self.scratch = [self.line]

    @property
    def equations(self) -> list[Equation]:
        return [*self.sums.equations, *self.pool.equations]

    def lower(self, builder: FunctionBuilder, layout: Layout) -> None:
        pool, row = self.pool, self.sums.outer[0]
        axis = self._axis(row)
        assert axis.index is not None
        start = substituted(axis.at, {axis.tap: 0})
        low, high = start.bounds()
        line = builder.buffers[self.line]
        with builder.loop(axis.index):
            first = builder.let("first", Values(builder).position(start), INT)
            k = Variable(builder.fresh("k"))
            begin: Integer = Greatest(times(first, -1), 0) if low < 0 else 0
            end: Integer = axis.tap.size
            if high + axis.tap.size > axis.size:
                end = Least(axis.tap.size, plus(axis.size, times(first, -1)))
            with builder.counting(k, begin, end):
                builder.add(Let(builder.index(row).name, INT, plus(first, k)))
                self._lower_row(builder, layout, Pointer("", line, times(k, axis.pitch)))
            offsets = edge_distances(builder, axis, first, (low, high))
            target = flattened(pool.equation, layout)
            loops = [i for i in target.indices if i is not axis.index]
            loops.sort(key=lambda index: -abs(target.at[0].coefficient(index)))
            pool.lower_loops(builder, layout, loops, {axis.tap: offsets}, line)

    def _axis(self, row: Index) -> WindowAxis:
        """The pool's axis that runs over the sums' rows."""
        pitch = self.sums.products.y_at.coefficient(row)
        return next(axis for axis in self.pool.axes if axis.index is not None and (
            axis.pitch == pitch))  # fmt: skip

    def _lower_row(self, builder: FunctionBuilder, layout: Layout, line: Pointer) -> None:
        """One row of sums, finished."""
        sums = self.sums
        y_at = sums.products.y_at
        terms = tuple((c, a) for c, a in y_at.terms if a is not sums.outer[0])
        y_at = Affine(terms, y_at.const)
        sums.lower_row(builder, line, y_at)
        if sums.epilogue is None:
            return
        flat = flattened(replace(sums.products.equation, value=sums.epilogue), layout)
        channel = [sums.products.channel] if sums.products.channel else []
        along = [sums.along] if sums.along else []
        values = Values(builder, flat.value)
        with builder.nested(*along, *channel):
            place = values.position(y_at)
            value = builder.let("v", Load(line, place))
            for node in walk(flat.value):
                if isinstance(node, Read):
                    values.know(node, value)
            builder.add(Store(line, place, values.value(flat.value)))


def pooled_sums(sums: SumOfProducts, pool: WindowMaximum) -> PooledSums | None:
    """Both in one, or None where the rows of a window would be computed twice."""
    p = sums.products
    target = p.equation.target
    if (
        len(sums.outer) != 1
        or sums.outer_taps
        or p.groups
        or sums.fixed
        or pool.fixed
        or p.added is not None
    ):
        return None
    if sums.epilogue is not None and any(r.tensor is not target for r in reads(sums.epilogue)):
        return None
    row = sums.outer[0]
    pitch = p.y_at.coefficient(row)
    axes = [axis for axis in pool.axes if axis.pitch == pitch and axis.size == row.size]
    if len(axes) != 1 or axes[0].index is None:
        return None
    axis = axes[0]
    assert axis.index is not None
    if axis.at.coefficient(axis.index) < axis.tap.size or axis.at.coefficient(axis.tap) != 1:
        return None
    if sums.along is None or pitch != p.y_at.coefficient(sums.along) * sums.along.size:
        return None
    line = Tensor(f"{target.name}/rows", ("address",), (axis.tap.size * pitch,))
    return PooledSums(sums, pool, line)
