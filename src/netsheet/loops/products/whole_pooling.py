"""Sums of whole numbers and their pooling in one: only the rows of a window exist at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from netsheet.equations import Affine, Equation, Index, Tensor, Weight, reads, substituted
from netsheet.loops.builder import FunctionBuilder
from netsheet.loops.computations import Computation
from netsheet.loops.ir import (
    INT,
    Greatest,
    Integer,
    Least,
    Let,
    Pointer,
    Variable,
    plus,
    times,
)
from netsheet.loops.products.pooling import WindowAxis, WindowMaximum, edge_distances
from netsheet.loops.products.whole_tiles import Place, WholeProducts
from netsheet.loops.storage.addresses import Layout, Memory, flattened
from netsheet.loops.values import Values


@dataclass(eq=False)
class PooledWholeProducts(Computation):
    """For each row of windows: the sums of its rows into ``line``, finished, then their maxima."""

    products: WholeProducts
    pool: WindowMaximum
    axis: WindowAxis  # of the pool, which runs over the rows of sums
    row: Index  # of the sums
    line: Tensor
    scratch: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reads = list(self.products.reads)
        self.writes = list(self.pool.writes)
        self.scratch = [*self.products.scratch, self.line]

    @property
    def equations(self) -> list[Equation]:
        return [*self.products.equations, *self.pool.equations]

    def lower(self, builder: FunctionBuilder, layout: Layout) -> None:
        pool, axis, products = self.pool, self.axis, self.products
        assert axis.index is not None
        start = substituted(axis.at, {axis.tap: 0})
        low, high = start.bounds()
        line, parts = builder.buffers[self.line], products.parts
        y_at = products.sums.equation.at[0]
        left = Affine(tuple((c, a) for c, a in y_at.terms if a is not self.row), y_at.const)
        products.lower_first(builder, parts, self.row)
        with builder.loop(axis.index):
            first = builder.let("first", Values(builder).position(start), INT)
            k = Variable(builder.fresh("k"))
            begin: Integer = Greatest(times(first, -1), 0) if low < 0 else 0
            end: Integer = axis.tap.size
            if high + axis.tap.size > axis.size:
                end = Least(axis.tap.size, plus(axis.size, times(first, -1)))
            with builder.counting(k, begin, end):
                builder.add(Let(builder.index(self.row).name, INT, plus(first, k)))
                place = Place(Pointer("", line, times(k, axis.pitch)), left)
                products.lower_row(builder, parts, place)
            offsets = edge_distances(builder, axis, first, (low, high))
            target = flattened(pool.equation, layout)
            loops = [i for i in target.indices if i is not axis.index]
            loops.sort(key=lambda index: -abs(target.at[0].coefficient(index)))
            pool.lower_loops(builder, layout, loops, {axis.tap: offsets}, line)


def pooled_whole_products(
    products: WholeProducts, pool: WindowMaximum
) -> PooledWholeProducts | None:
    """Both in one, or None where rows would be computed twice, or not in their order."""
    sums = products.sums
    if (
        products.columns is None
        or not products.columns.slide
        or products.parts.size > 1
        or len(sums.pixels) != 2
        or sums.groups
        or products.fixed
        or pool.fixed
    ):
        return None
    sources = {read.tensor.source for read in reads(sums.equation.value)
               if isinstance(read.tensor, Memory)}  # fmt: skip
    if any(one is not sums.x and not isinstance(one, Weight) for one in sources):
        return None
    row, along = sums.pixels
    y_at = sums.equation.at[0]
    pitch = y_at.coefficient(row)
    axes = [axis for axis in pool.axes if axis.pitch == pitch and axis.size == row.size]
    if len(axes) != 1 or axes[0].index is None or y_at.const:
        return None
    (axis,) = axes
    assert axis.index is not None
    # every row once, from the first on: columns slide from one to the next
    if axis.at.coefficient(axis.index) != axis.tap.size or axis.at.coefficient(axis.tap) != 1:
        return None
    if axis.at.const > 0 or pitch != y_at.coefficient(along) * along.size:
        return None
    target = products.source.target
    name, size = f"{target.name}/line", axis.tap.size * pitch
    line = Tensor(name, ("address",), (size,), dtype=target.dtype)
    return PooledWholeProducts(products, pool, axis, row, line)
