"""Register tiles: which row function each sum of products has, weighed against code size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.loops.builder import ProgramNames
from netsheet.loops.computations import Computation, ElementLoops, TimeLoop
from netsheet.loops.products.pooled_sums import PooledSums
from netsheet.loops.products.row_function import WORTH, RowFunction, RowGeometry
from netsheet.loops.products.sums import ChannelBlocks, SumOfProducts
from netsheet.loops.storage.constants import Constants

REGISTERS = 24  # sums in a tile, so that 32 registers hold them and what they are made of
MOST_PIXELS, MOST_DEEP = 6, 3
SMALL = 100  # a layer of less than one in so many multiplications may be slow


@dataclass(eq=False)
class _Sharing:
    """The layers that one row function serves."""

    deep: bool
    spaced: bool
    size: int
    members: list[SumOfProducts]

    @property
    def macs(self) -> int:
        return sum(total.macs for total in self.members)

    def edges(self, pixels: int) -> bool:
        """True if single pixels occur."""
        for total in self.members:
            row, added = total.row, total.adds
            inside = row.right - row.left
            if inside < row.pixels or inside < pixels or (added and inside % pixels):
                return True
        return False

    def function(self, pixels: int) -> RowFunction:
        """The row function with tiles of so many pixels."""
        clamps = 2 if any(total.ceiling < np.inf for total in self.members) else (
            int(any(total.floor > -np.inf for total in self.members)))  # fmt: skip
        return RowFunction(
            self.size,
            pixels,
            self.deep,
            self.spaced,
            any(total.dilated for total in self.members),
            self.edges(pixels),
            any(total.adds for total in self.members),
            clamps,
            any(part.blocks > 1 for total in self.members for part in total.blocks
                if part.size == self.size) or self.size % 4 == 0,
        )  # fmt: skip

    def small(self, macs: int) -> list[SumOfProducts]:
        """Layers with little of all ``macs`` that the row function is not worth having for."""
        small = [total for total in self.members if total.macs * SMALL < macs]
        if sum(total.macs for total in small) * SMALL > 3 * macs:
            return []
        rest = [total for total in self.members if total not in small]
        if not rest:
            return small if self.macs * SMALL < macs else []
        others = _Sharing(self.deep, self.spaced, self.size, rest)
        if any(others.edges(pixels) for pixels in self.choices[1:]):
            return []  # the row function is there for the others, with single pixels
        return [total for total in small if total.row.pixels < 2]

    @property
    def choices(self) -> range:
        """Pixels that a tile may have."""
        most = min(REGISTERS // self.size, MOST_DEEP if self.deep else MOST_PIXELS)
        return range(1, max(most, 1) + 1)


def choose_row_functions(
    computations: Sequence[Computation], names: ProgramNames, constants: Constants
) -> list[Computation]:
    """Give every sum its row functions, and pack its weights for them.

    Layers that are small among the others get loops of their own, without a row function.
    """
    result = list(computations)
    every = list(_sums(result))
    for total in every:
        total.blocks = split(total.products.channels, total.products.deep)
    macs = sum(total.macs for total in every)
    weights = sum(total.products.size for total in every)
    for sharing in _sharings(every):
        for total in sharing.small(macs):
            if total.guard is None and not total.spaced and not total.outer_taps:
                total.blocks = [ChannelBlocks(0, total.products.channels, 1, shared=False)]
            elif total in result:
                plain = ElementLoops(total.products.equation, total.fixed)
                result[result.index(total)] = plain
    every = list(_sums(result))
    sharings = _sharings([total for total in every if not total.has_own_loops])
    dear = sum(min(_cost(sharing, n) for n in sharing.choices) for sharing in sharings)
    for sharing in sharings:

        def worth(pixels: int, sharing: _Sharing = sharing) -> float:
            # a percent of the instructions for a percent of the code and weights
            code = _bytes(sharing.function(pixels))
            return _cost(sharing, pixels) / dear + code / (4 * weights + 2000)

        function = sharing.function(min(sharing.choices, key=worth))
        for total in sharing.members:
            for part in total.blocks:
                if part.size == sharing.size:
                    part.function = function
    for total in every:
        total.pack(names, constants)
    return result


def _sharings(every: Sequence[SumOfProducts]) -> list[_Sharing]:
    found: dict[tuple[bool, bool, int], _Sharing] = {}
    for total in every:
        for part in total.blocks:
            key = total.products.deep, total.spaced, part.size
            found.setdefault(key, _Sharing(*key, [])).members.append(total)
    return list(found.values())


def _sums(computations: Sequence[Computation]) -> Iterator[SumOfProducts]:
    for total in computations:
        if isinstance(total, SumOfProducts):
            yield total
        elif isinstance(total, PooledSums):
            yield total.sums
        elif isinstance(total, TimeLoop):
            yield from _sums(total.members)


def split(channels: int, deep: bool) -> list[ChannelBlocks]:
    """Channels in equal blocks, and what is left over in a smaller one."""
    if channels % 4 == 0:
        size = 8 if channels % 8 == 0 and not deep else 4
        return [ChannelBlocks(0, size, channels // size)]
    most = 4 if deep else 8
    if channels <= 7 and channels <= most:
        return [ChannelBlocks(0, channels, 1)]

    def dear(size: int) -> float:
        pixels = max(REGISTERS // size, 1)
        return (size + pixels + size * pixels + 2) / pixels

    def total(size: int) -> float:
        rest = channels % size
        return channels // size * dear(size) + (dear(rest) + 1 if rest else 0)

    size = min(range(3, most + 1), key=total)
    whole = channels // size
    parts = [ChannelBlocks(0, size, whole)]
    if channels % size:
        parts.append(ChannelBlocks(whole * size, channels % size, 1))
    return parts


def _walk(row: RowGeometry, pixels: int, added: bool, edges: bool) -> tuple[int, int]:
    """How many tiles and single pixels a row function makes of a row."""
    inside = row.right - row.left
    tiles, rest = divmod(inside, pixels)
    if rest and inside >= pixels and not added and (not edges or rest >= WORTH[pixels]):
        tiles, rest = tiles + 1, 0
    return tiles, rest + row.pixels - inside


def _cost(sharing: _Sharing, pixels: int) -> float:
    """Instructions of all rows of some layers on a processor that does one thing at a time."""
    cost, size, deep, edges = 0.0, sharing.size, sharing.deep, sharing.edges(pixels)
    for total in sharing.members:
        row = total.row
        tiles, singles = _walk(row, pixels, total.adds, edges)
        loads = pixels * size if deep else pixels
        inner = row.run * (loads + size + pixels * size + 2 + (pixels if deep else 0))
        inner += row.taps * (pixels + 6) if total.spaced else 0
        tile = total.rows * (inner + 8 + pixels) + 3 * pixels * size + 22
        single = total.rows * (row.run * ((size if deep else 1) + 2 * size + 2) + 9) + 3 * size + 26
        rows = np.prod([index.size for index in total.outer], dtype=float)
        blocks = sum(part.blocks for part in total.blocks if part.size == size)
        cost += total.planes * rows * blocks * (tiles * tile + singles * single)
    return float(cost)


def _bytes(function: RowFunction) -> int:
    """About how much code a row function is."""
    tiles = [function.pixels] + [1] * (function.edges and function.pixels > 1)
    return sum(
        4
        * (
            count * function.channels * (3 + 3 * function.clamps + 2 * function.added)
            + function.channels
        )
        + 100
        for count in tiles
    )
