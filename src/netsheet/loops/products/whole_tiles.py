"""Sums of products of whole numbers as computations: register tiles over rows of inputs.

The inputs that a row of pixels needs are brought into ``rows`` first, as int16 with the zero point
taken off and zeros for padding: column by column, all rows of taps of a column side by side. So the
inputs of a pixel are one run of adjacent numbers, and no product asks whether it is inside. From
one row of pixels to the next the columns slide: each input is brought in once.

A sum of a single pixel that runs through adjacent inputs needs no such rows.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from netsheet.equations import (
    FLOAT,
    WHOLE,
    Affine,
    Equation,
    Index,
    Position,
    Tensor,
    Weight,
    reads,
)
from netsheet.loops.builder import FunctionBuilder
from netsheet.loops.computations import Computation, ordered_reads
from netsheet.loops.ir import (
    INT,
    Buffer,
    FloorDivide,
    Integer,
    Least,
    Let,
    Load,
    Modulo,
    Pointer,
    Store,
    Tile,
    Variable,
    plus,
    times,
)
from netsheet.loops.products.sums import without
from netsheet.loops.products.tile_shape import TileShape, even
from netsheet.loops.products.whole_columns import (
    ColumnFilling,
    InputColumns,
    columns_of,
    guards_fit,
    moving,
    pixels_of_a_tile,
    read_ahead,
)
from netsheet.loops.products.whole_sums import WholeSum, whole_sum
from netsheet.loops.storage.addresses import Layout, Memory
from netsheet.loops.storage.constants import Constants
from netsheet.loops.values import Values


@dataclass(frozen=True, eq=False)
class Place:
    """Where results go: memory, and the address in it in terms of the indices."""

    memory: Buffer | Pointer
    at: Affine


@dataclass(eq=False)
class WholeProducts(Computation):
    """A sum of products of whole numbers by tiles, each finished while its sums are at hand."""

    source: Equation
    sums: WholeSum
    shape: TileShape
    columns: InputColumns | None  # None where inputs are read as they lie
    weights: Buffer
    start: Buffer
    fixed: Sequence[Index] = ()
    scratch: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reads = ordered_reads([self.source])
        self.writes = [self.source.target]
        if self.columns is not None:
            columns, shape = self.columns, self.shape
            last = (columns.pixels - shape.pixels) * shape.step
            last += even(self.sums.units) - shape.channels if self.sums.deep else 0
            # pairs of taps or inputs may have an unused number behind the last column
            size = max(columns.count * columns.size, last + shape.reach)
            name = f"{self.source.target.name}/rows"
            self.scratch = [Tensor(name, ("address",), (size,), dtype="int16")]

    @property
    def equations(self) -> list[Equation]:
        return [self.source]

    def reused(self, layout: Layout) -> list[Tensor]:
        """What is read only where the same element is written, behind the sum; or ahead of it."""
        eq = self.sums.equation
        found: dict[Tensor, set[Affine]] = {}
        for node in reads(eq.value):
            assert isinstance(node.tensor, Memory) and node.tensor.source is not None
            found.setdefault(node.tensor.source, set()).add(node.at[0])
        behind = found.pop(self.sums.x) == {self.sums.x_at} and self._input_is_read_ahead
        reused = [
            tensor
            for tensor, at in found.items()
            if at == {eq.at[0]} and not isinstance(tensor, Weight)
        ]
        return [*reused, self.sums.x] if behind else reused

    @property
    def _input_is_read_ahead(self) -> bool:
        """True if no output is written over an input that is still to be brought in."""
        return self.columns is not None and read_ahead(self.sums, self.columns)

    # ------------------------------------------------------------------ lowering

    def lower(self, builder: FunctionBuilder, layout: Layout) -> None:
        sums = self.sums
        own = Place(builder.buffers[self.source.target], sums.equation.at[0])
        if self.columns is None:
            with builder.nested(*sums.groups):
                self._lower_blocks(builder, own, 1)
            return
        parts = self.parts
        rows = sorted(sums.pixels[:-1], key=lambda i: -sums.equation.at[0].coefficient(i))
        with builder.nested(*sums.groups, parts):
            if self.columns.slide:
                with builder.nested(*rows[:-1]):
                    self.lower_first(builder, parts, rows[-1])
                    with builder.loop(rows[-1]):
                        self.lower_row(builder, parts, own)
            else:
                with builder.nested(*rows):
                    over = [Index(row.name, row.size) for row in sums.rows]
                    mapping: dict[Index, Position] = {
                        row: moving(index) for row, index in zip(sums.rows, over, strict=True)
                    }
                    self._filling(builder, parts).fill(mapping, mapping, over)
                    self._lower_pixels(builder, parts, own)

    @property
    def parts(self) -> Index:
        """The parts of a row of pixels."""
        pixels = self.columns.pixels if self.columns is not None else 1
        return Index("part", -(-self._pixels // pixels))

    def _filling(self, builder: FunctionBuilder, parts: Index) -> ColumnFilling:
        assert self.columns is not None
        return ColumnFilling(self.sums, self.columns, self.scratch[0], builder, parts)

    @property
    def _pixels(self) -> int:
        return self.sums.along.size if self.sums.along else 1

    def lower_first(self, builder: FunctionBuilder, parts: Index, outer: Index) -> None:
        """The rows of taps that are there before the first row of pixels, one place too low."""
        assert self.columns is not None
        tap, slide = self.sums.rows[0], self.columns.slide
        early = Index(tap.name, tap.size - slide)
        at = moving(early)
        filling = self._filling(builder, parts)
        filling.fill({tap: at, outer: 0}, {tap: at + slide}, [early])

    def lower_row(self, builder: FunctionBuilder, parts: Index, to: Place) -> None:
        """A row of pixels: columns slide, new rows of taps come in. Rows come in their order."""
        assert self.columns is not None
        columns, tap, units = self.columns, self.sums.rows[0], self.sums.units
        kept = tap.size - columns.slide
        rows = builder.buffers[self.scratch[0]]
        column, item = Index("column", columns.count), Index("k", kept * units)
        values = Values(builder)
        with builder.nested(column, item):
            at = values.position(moving(column) * columns.size + moving(item))
            builder.add(Store(rows, at, Load(rows, plus(at, columns.slide * units))))
        late = Index(tap.name, columns.slide)
        slot = moving(late) + kept
        self._filling(builder, parts).fill({tap: slot}, {tap: slot}, [late])
        self._lower_pixels(builder, parts, to)

    def _lower_pixels(self, builder: FunctionBuilder, parts: Index, to: Place) -> None:
        """The tiles of a part of a row of pixels."""
        assert self.columns is not None
        wide = self.shape.pixels
        tiles = Index("tile", self.columns.pixels // wide)
        rest = self._pixels % self.columns.pixels
        count: Integer | None = None
        if rest and parts.size == 1:
            count = -(-rest // wide)
        elif rest and rest <= self.columns.pixels - wide:
            more = wide - 1 if self._pixels % wide else 0  # pixels for nothing in the last tile
            left = plus(self._pixels + more, times(builder.index(parts), -self.columns.pixels))
            count = Least(tiles.size, FloorDivide(left, wide, True))
        values = Values(builder)
        with builder.loop(tiles, 0, count) if count else builder.loop(tiles):
            first = moving(parts) * self.columns.pixels + moving(tiles) * wide
            x = moving(tiles) * (wide * self.shape.step)
            self._lower_blocks(builder, to, wide, values.position(first), values.position(x))

    def _lower_blocks(
        self, builder: FunctionBuilder, to: Place, wide: int, first: Integer = 0, x: Integer = 0
    ) -> None:
        """All channels of a tile's pixels."""
        sums, shape = self.sums, self.shape
        channels = math.prod(index.size for index in sums.channels)
        blocks = Index("block", -(-channels // shape.channels))
        group = Affine((), 0)
        for index in sums.groups:
            group = group * index.size + index
        values = Values(builder)
        with builder.loop(blocks):
            number = group * blocks.size + moving(blocks)
            source: Pointer
            if self.columns is None:
                at = without(sums.x_at, sums.unit)
                source = Pointer("", builder.buffers[sums.x], values.position(at))
            else:
                rows = builder.buffers[self.scratch[0]]
                deep = times(builder.index(blocks), shape.channels) if blocks.size > 1 else 0
                source = Pointer("", rows, plus(x, deep) if sums.deep else x)
            local = Buffer(builder.fresh("sums"), shape.pixels * shape.channels, WHOLE, "local")
            weights = Pointer("", self.weights, values.position(number * shape.block))
            start = Pointer("", self.start, values.position(number * shape.channels))
            builder.add(Tile(shape, local, sums.limit, source, weights, start))
            self._finish(builder, to, wide, first, blocks, local)

    def _finish(
        self,
        builder: FunctionBuilder,
        to: Place,
        wide: int,
        first: Integer,
        blocks: Index,
        local: Buffer,
    ) -> None:
        """What is left to do of each sum of a tile: what channels share, then pixel by pixel."""
        sums, size = self.sums, self.shape.channels
        channels = math.prod(index.size for index in sums.channels)
        pixel, lane = Variable(builder.fresh("p")), Variable(builder.fresh("lane"))
        block = times(builder.index(blocks), size) if blocks.size > 1 else 0
        last: Integer = min(size, channels)
        if channels > size and channels % size:
            last = Least(size, plus(channels, times(block, -1)))
        end: Integer = wide
        if self._pixels % wide:
            end = Least(wide, plus(self._pixels, times(first, -1)))
        with builder.counting(lane, 0, last):
            self._name_channels(builder, plus(block, lane))
            pixels = builder.counting(pixel, 0, end) if wide > 1 else contextlib.nullcontext()
            with pixels:
                place = pixel if wide > 1 else 0
                if sums.along is not None:
                    name = builder.index(sums.along).name
                    builder.add(Let(name, INT, plus(first, place)))
                values = Values(builder, sums.equation.value)
                values.know(sums.total, Load(local, plus(times(place, size), lane)))
                dtype = FLOAT if self.source.target.dtype == FLOAT else WHOLE
                value = values.value(sums.equation.value, dtype)
                builder.add(Store(to.memory, values.position(to.at), value))

    def _name_channels(self, builder: FunctionBuilder, number: Integer) -> None:
        """The indices of a channel from its number."""
        channels = self.sums.channels
        step = math.prod(index.size for index in channels)
        for n, index in enumerate(channels):
            step //= index.size
            place = number if step == 1 else FloorDivide(number, step, True)
            if n > 0:
                place = Modulo(place, index.size, True)
            builder.add(Let(builder.index(index).name, INT, place))


def whole_products(
    eq: Equation, layout: Layout, fixed: Sequence[Index], constants: Constants
) -> WholeProducts | None:
    """The equation by tiles, or None where it is no such sum."""
    sums = whole_sum(eq, layout, fixed)
    if sums is None:
        return None
    plain = not sums.pixels and not sums.deep and sums.tap is None and not sums.rows
    if plain and sums.x.dtype == "int8":
        shape, columns = TileShape("quads", 1, sums.units), None
        values, start = sums.weights, sums.folded
    else:
        found = columns_of(sums)
        if found is None or not guards_fit(sums, found, fixed):
            return None
        columns, start = found, sums.start
        shape = _shape(sums, columns)
        values = sums.weights
        if shape.kind == "deep" or shape.taps == 1:
            groups, channels = values.shape[:2]
            values = values.reshape(groups, channels, shape.taps, shape.run)
    name = eq.target.name
    note = f"{name}: {sums.note}, as [group, block, {_order(shape.kind)}]"
    w = constants.add(f"{name}_w", shape.packed(values), note, "int8")
    b = constants.add(f"{name}_b", shape.starts(start), f"{name}: what its sums start with", WHOLE)
    return WholeProducts(eq, sums, shape, columns, w, b, fixed)


def _order(kind: str) -> str:
    """How a tile's weights lie, for people."""
    return {
        "pairs": "tap and inputs by twos, 2 inputs, 2 channels",
        "deep": "taps by twos, 2 channels, 2 taps",
        "quads": "inputs by fours, 4 channels, 4 inputs",
    }[kind]


def _shape(sums: WholeSum, columns: InputColumns) -> TileShape:
    wide = pixels_of_a_tile(sums)
    step = columns.stride * columns.size
    if sums.deep:
        taps = columns.taps * math.prod(row.size for row in sums.rows)
        return TileShape("deep", wide, 1, step, taps, sums.units)
    if columns.apart == 1:
        return TileShape("pairs", wide, columns.taps * columns.size, step)
    return TileShape("pairs", wide, columns.size, step, columns.taps, columns.apart * columns.size)
