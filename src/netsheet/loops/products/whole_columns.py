"""The inputs of a row of pixels as columns of whole numbers: how they lie, and bringing them in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from netsheet.equations import WHOLE, Affine, Guard, Index, Position, Tensor, affine, substituted
from netsheet.loops.builder import FunctionBuilder
from netsheet.loops.ir import AllOf, Apply, If, Literal, Load, Store
from netsheet.loops.products.sums import without
from netsheet.loops.products.whole_sums import WholeSum
from netsheet.loops.values import Values

MOST_PIXELS = 4  # of a tile: by two channels they are eight sums, which thirteen registers hold
# Numbers of the columns that one part of a row of pixels needs: as many bytes as the input, but
# no fewer than the first and no more than the second.
FEWEST, MOST = 512, 2048


@dataclass(frozen=True, eq=False)
class InputColumns:
    """How the inputs of a row of pixels lie: ``size`` numbers in each of ``count`` columns.

    ``stride`` columns are between two pixels, ``apart`` between two taps; the input has ``gap``
    elements from one column to the next. ``pixels`` are done at a time. ``slide`` is how many rows
    of taps are new from one row of pixels to the next; 0 if all of them are.
    """

    size: int
    stride: int
    apart: int
    taps: int
    gap: int
    pixels: int
    slide: int

    @property
    def count(self) -> int:
        """InputColumns that the pixels of one part need."""
        return (self.pixels - 1) * self.stride + (self.taps - 1) * self.apart + 1


def moving(index: Index) -> Affine:
    """The index as a position; one of a single value has no loop, and is 0."""
    return affine(index) if index.size > 1 else affine(0)


@dataclass(eq=False)
class ColumnFilling:
    """Brings inputs into the columns."""

    sums: WholeSum
    columns: InputColumns
    rows: Tensor  # where the columns lie
    builder: FunctionBuilder
    parts: Index

    def fill(
        self, mapping: Mapping[Index, Position], slots: Mapping[Index, Position],
        over: Sequence[Index],
    ) -> None:  # fmt: skip
        """Some rows of taps: ``over`` runs over them.

        ``mapping`` says which rows of the input they are, ``slots`` where they lie in a column.
        """
        sums, columns, builder = self.sums, self.columns, self.builder
        column = Index("column", columns.count)
        along, tap = sums.along, sums.tap
        first = moving(self.parts) * (columns.pixels * columns.stride) + moving(column)
        gone = [i for i in (along, tap, *sums.unit) if i is not None]
        if sums.deep:
            gone += sums.channels
        x_at = substituted(without(sums.x_at, gone), mapping) + first * columns.gap
        item = Index("k", sums.units)
        slot = affine(0)
        for row in sums.rows:
            slot = slot * row.size + slots[row]
        values = Values(builder)
        with builder.loop(column):
            outside = self._column_guards(first)
            with builder.nested(*over):
                guards = [*outside, *self._row_guards(mapping)]
                test = values.condition(guards)
                to = moving(column) * columns.size + slot * sums.units + moving(item)
                rows = builder.buffers[self.rows]
                with builder.block() as inside, builder.loop(item):
                    value = Load(builder.buffers[sums.x], values.position(x_at + moving(item)))
                    given = Apply("add", (value, Literal(sums.zero, WHOLE)), WHOLE)
                    builder.add(Store(rows, values.position(to), given if sums.zero else value))
                with builder.block() as padding, builder.loop(item):
                    builder.add(Store(rows, values.position(to), Literal(0.0, WHOLE)))
                if isinstance(test, AllOf) and not test.tests:
                    for statement in inside:
                        builder.add(statement)
                else:
                    builder.add(If(test, tuple(inside), tuple(padding)))

    def _column_guards(self, first: Affine) -> list[Guard]:
        """Where a column lies inside of the input."""
        sums, columns = self.sums, self.columns
        guard = sums.guards.get(sums.tap) if sums.tap is not None else None
        if guard is None:
            pixels = sums.along.size if sums.along else 1
            last = (pixels - 1) * columns.stride + (columns.taps - 1) * columns.apart
            return [Guard(first, 0, last + 1)]
        step = guard.value.coefficient(sums.tap) // columns.apart  # type: ignore[arg-type]
        return [Guard(first * step + guard.value.const, guard.low, guard.high)]

    def _row_guards(self, mapping: Mapping[Index, Position]) -> list[Guard]:
        guards = [self.sums.guards.get(row) for row in self.sums.rows]
        return [
            replace(guard, value=substituted(guard.value, mapping)) for guard in guards if guard
        ]


def columns_of(sums: WholeSum) -> InputColumns | None:
    """How the inputs of a row of pixels lie, or None where pixels and taps do not go together."""
    along = sums.along
    far = sums.x_at.coefficient(along) if along is not None else 0
    between = sums.x_at.coefficient(sums.tap) if sums.tap is not None else 0
    if along is not None and far <= 0:
        return None
    gap = math.gcd(far, between) or 1
    stride, apart = (far // gap or 1), (between // gap or 1)
    taps = sums.tap.size if sums.tap is not None else 1
    if sums.deep and taps > 1 and apart > 1:
        return None
    size = math.prod(row.size for row in sums.rows) * sums.units
    pixels = along.size if along is not None else 1
    wide = pixels_of_a_tile(sums)
    most = min(max(sums.x.size // 2, FEWEST), MOST)
    room = (most // size - 1 - (taps - 1) * apart) // stride + 1
    whole = -(-pixels // wide) * wide
    part = min(max(room // wide * wide, wide), whole)
    parts = -(-whole // part)
    part = -(-whole // (parts * wide)) * wide  # parts of about one size
    return InputColumns(size, stride, apart, taps, gap, part, _slide(sums))


def pixels_of_a_tile(sums: WholeSum) -> int:
    """As many as make the fewest instructions of a row: some of the last tile are for nothing."""
    pixels = sums.along.size if sums.along is not None else 1
    return min(range(min(MOST_PIXELS, pixels), 0, -1), key=lambda n: -(-pixels // n) * (5 + 3 * n))


def _slide(sums: WholeSum) -> int:
    """How many rows of taps are new for each row of pixels, 0 if all of them are."""
    rows = sorted(sums.pixels[:-1], key=lambda i: -sums.equation.at[0].coefficient(i))
    if len(sums.rows) != 1 or not rows:
        return 0
    tap, outer = sums.rows[0], rows[-1]
    step, far = sums.x_at.coefficient(tap), sums.x_at.coefficient(outer)
    if far <= 0 or far % step or far // step >= tap.size:
        return 0
    guard = sums.guards.get(tap)
    if guard is not None:
        value = guard.value
        if value.coefficient(outer) != value.coefficient(tap) * (far // step):
            return 0
    return far // step


def read_ahead(sums: WholeSum, columns: InputColumns) -> bool:
    """True if outputs may be written over the inputs: all that is there has been brought in.

    Either a pixel's inputs lie where its outputs do, or rows of pixels follow each other and the
    rows of taps are ahead of them.
    """
    y_at = sums.equation.at[0]
    if sums.groups or y_at.const or not sums.pixels:
        return False
    if columns.taps == 1 and not sums.rows:
        width = math.prod(index.size for index in sums.channels)
        alike = all(sums.x_at.coefficient(i) == y_at.coefficient(i) for i in sums.pixels)
        nearest = min(y_at.coefficient(i) for i in sums.pixels)
        return alike and not sums.x_at.const and max(width, sums.units) <= nearest
    if not columns.slide or len(sums.pixels) != 2 or columns.pixels < sums.pixels[-1].size:
        return False
    tap, outer = sums.rows[0], sums.pixels[0]
    guard = sums.guards.get(tap)
    if guard is None or guard.low != 0 or guard.value.coefficient(tap) != 1:
        return False
    far, row = y_at.coefficient(outer), sums.x_at.coefficient(tap)
    if sums.x.size != row * guard.high:
        return False
    ahead = guard.value.const + tap.size  # rows that are there before the first pixels are done
    return all(
        far * (y + 1) <= row * (ahead + y * columns.slide) for y in (0, max(outer.size - 2, 0))
    )


def guards_fit(sums: WholeSum, columns: InputColumns, fixed: Sequence[Index]) -> bool:
    """True if guards say of columns and of rows whether they are inside, and of nothing else."""
    along = sums.along
    around = {*sums.pixels[:-1], *fixed}
    for tap, guard in sums.guards.items():
        value = guard.value
        if tap is sums.tap:
            if along is None or any(i not in (along, tap) for i in value.indices()):
                return False
            step, rest = divmod(value.coefficient(tap), columns.apart)
            if rest or value.coefficient(along) != step * columns.stride:
                return False
        elif tap not in sums.rows or any(i is not tap and i not in around for i in value.indices()):
            return False
    known = {*sums.pixels, *sums.groups, *sums.channels, *sums.unit, *sums.rows, *fixed}
    known |= {sums.tap} if sums.tap is not None else set()
    return all(a in known for at in (sums.x_at, sums.equation.at[0]) for _, a in at.terms)
