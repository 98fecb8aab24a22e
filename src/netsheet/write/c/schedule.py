"""Which step computes which equation, and with which tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from netsheet.equations import Equation, Index, Tensor
from netsheet.write.c.kernels import WORTH, Kernel, Row
from netsheet.write.c.pattern import recognised, two_sums
from netsheet.write.c.places import Layout
from netsheet.write.c.pool import Pool, Pooled, pooled, pooling
from netsheet.write.c.prepare import prepared
from netsheet.write.c.simplify import read_by
from netsheet.write.c.steps import Loops, Recurrence, Step, groups
from netsheet.write.c.sums import Part, Sums
from netsheet.write.c.text import Constants, Unit

REGISTERS = 24  # sums in a tile, so that 32 registers hold them and what they are made of
MOST_PIXELS, MOST_DEEP = 6, 3
SMALL = 100  # a layer of less than one in so many multiplications may be slow


def scheduled(
    equations: Sequence[Equation],
    layout: Layout,
    held: AbstractSet[Tensor],
    constants: Constants,
    unit: Unit,
    fast: bool,
) -> list[Step]:
    """Steps in the order of the equations; ``fast`` False gives plain loops only."""
    result: list[Step] = []
    for time, members in groups(equations):
        fixed = () if time is None else (time,)
        steps = [step for eq in members for step in _steps(eq, layout, fixed, fast)]
        result += steps if time is None else [Recurrence(time, steps)]
    if fast:
        result = _row_by_row(result, equations, layout, held)
        _tile(result, unit, constants)
    return result


def _steps(eq: Equation, layout: Layout, fixed: Sequence[Index], fast: bool) -> list[Step]:
    if not fast:
        return [Loops(eq, fixed)]
    step = _sum(eq, layout, fixed)
    if step is not None:
        return [step]
    pool = pooling(eq, layout, fixed)
    if pool is not None:
        return [pool]
    both = [_sum(part, layout, fixed) for part in two_sums(eq)]
    found = [step for step in both if step is not None]
    return [*found] if len(found) == 2 else [Loops(eq, fixed)]


def _sum(eq: Equation, layout: Layout, fixed: Sequence[Index]) -> Sums | None:
    products = recognised(eq, layout, fixed)
    return prepared(products, fixed) if products is not None else None


def _row_by_row(
    steps: list[Step], equations: Sequence[Equation], layout: Layout, held: AbstractSet[Tensor]
) -> list[Step]:
    """Sums that only a pooling reads, in one step with it."""
    result = list(steps)
    for pool in steps:
        if not isinstance(pool, Pool) or pool.x in held:
            continue
        users = [eq for eq in equations if pool.x in read_by(eq)]
        makers = [s for s in result if pool.x in s.writes]
        if len(users) != 1 or len(makers) != 1 or not isinstance(makers[0], Sums):
            continue
        products = recognised(makers[0].products.equation, layout)
        apart = prepared(products, (), whole=False) if products is not None else None
        both = pooled(apart, pool) if apart is not None else None
        if both is not None:
            result[result.index(pool)] = both
            result.remove(makers[0])
    return result


# --------------------------------------------------------------------------- tiles


@dataclass(eq=False)
class _Class:
    """The layers that one row function serves."""

    deep: bool
    spaced: bool
    size: int
    members: list[Sums]

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.members)

    def edges(self, pixels: int) -> bool:
        """True if single pixels occur."""
        for step in self.members:
            row, added = step.row, step.adds
            inside = row.right - row.left
            if inside < row.pixels or inside < pixels or (added and inside % pixels):
                return True
        return False

    def kernel(self, pixels: int) -> Kernel:
        """The row function with tiles of so many pixels."""
        clamps = 2 if any(step.ceiling < np.inf for step in self.members) else (
            int(any(step.floor > -np.inf for step in self.members)))  # fmt: skip
        return Kernel(
            self.size,
            pixels,
            self.deep,
            self.spaced,
            any(step.dilated for step in self.members),
            self.edges(pixels),
            any(step.adds for step in self.members),
            clamps,
            any(part.blocks > 1 for step in self.members for part in step.parts
                if part.size == self.size) or self.size % 4 == 0,
        )  # fmt: skip

    @property
    def choices(self) -> range:
        """Pixels that a tile may have."""
        most = min(REGISTERS // self.size, MOST_DEEP if self.deep else MOST_PIXELS)
        return range(1, max(most, 1) + 1)


def _tile(steps: list[Step], unit: Unit, constants: Constants) -> None:
    """Give every sum its row functions; layers that are small for themselves get plain loops."""
    every = list(_sums(steps))
    for step in every:
        step.parts = split(step.products.channels, step.products.deep)
    total = sum(step.macs for step in every)
    weights = sum(step.products.weights.size for step in every)
    for cls in _classes(every):
        small = [step for step in cls.members if step.macs * SMALL < total]
        if sum(step.macs for step in small) * SMALL > 3 * total:
            small = []
        rest = [step for step in cls.members if step not in small]
        if not rest:
            small = small if cls.macs * SMALL < total else []
        elif not any(
            _Class(cls.deep, cls.spaced, cls.size, rest).edges(n) for n in cls.choices[1:]
        ):
            small = [step for step in small if step.row.pixels < 2]
        else:
            small = []
        for step in small:
            if step.guard is None and not step.spaced and not step.outer_taps:
                step.parts = [Part(0, step.products.channels, 1, shared=False)]
            elif step in steps:
                steps[steps.index(step)] = Loops(step.products.equation, step.fixed)
    every = list(_sums(steps))
    classes = _classes([step for step in every if not step.plain])
    dear = sum(min(_cost(cls, n) for n in cls.choices) for cls in classes)
    for cls in classes:

        def worth(pixels: int, cls: _Class = cls) -> float:
            # a percent of the instructions for a percent of the code and weights
            return _cost(cls, pixels) / dear + _bytes(cls.kernel(pixels)) / (4 * weights + 2000)

        kernel = cls.kernel(min(cls.choices, key=worth))
        for step in cls.members:
            for part in step.parts:
                if part.size == cls.size:
                    part.kernel = kernel
    for step in every:
        step.pack(unit, constants)


def _classes(every: Sequence[Sums]) -> list[_Class]:
    found: dict[tuple[bool, bool, int], _Class] = {}
    for step in every:
        for part in step.parts:
            key = step.products.deep, step.spaced, part.size
            found.setdefault(key, _Class(*key, [])).members.append(step)
    return list(found.values())


def _sums(steps: Sequence[Step]) -> Iterator[Sums]:
    for step in steps:
        if isinstance(step, Sums):
            yield step
        elif isinstance(step, Pooled):
            yield step.sums
        elif isinstance(step, Recurrence):
            yield from _sums(step.steps)


def split(channels: int, deep: bool) -> list[Part]:
    """Channels in equal blocks, and what is left over in a smaller one."""
    if channels % 4 == 0:
        size = 8 if channels % 8 == 0 and not deep else 4
        return [Part(0, size, channels // size)]
    most = 4 if deep else 8
    if channels <= 7 and channels <= most:
        return [Part(0, channels, 1)]

    def dear(size: int) -> float:
        pixels = max(REGISTERS // size, 1)
        return (size + pixels + size * pixels + 2) / pixels

    def total(size: int) -> float:
        rest = channels % size
        return channels // size * dear(size) + (dear(rest) + 1 if rest else 0)

    size = min(range(3, most + 1), key=total)
    whole = channels // size
    parts = [Part(0, size, whole)]
    if channels % size:
        parts.append(Part(whole * size, channels % size, 1))
    return parts


def _walk(row: Row, pixels: int, added: bool, edges: bool) -> tuple[int, int]:
    """How many tiles and single pixels a row function makes of a row."""
    inside = row.right - row.left
    tiles, rest = divmod(inside, pixels)
    if rest and inside >= pixels and not added and (not edges or rest >= WORTH[pixels]):
        tiles, rest = tiles + 1, 0
    return tiles, rest + row.pixels - inside


def _cost(cls: _Class, pixels: int) -> float:
    """Instructions of all rows of some layers on a processor that does one thing at a time."""
    total, size, deep, edges = 0.0, cls.size, cls.deep, cls.edges(pixels)
    for step in cls.members:
        row = step.row
        tiles, singles = _walk(row, pixels, step.adds, edges)
        loads = pixels * size if deep else pixels
        inner = row.run * (loads + size + pixels * size + 2 + (pixels if deep else 0))
        inner += row.taps * (pixels + 6) if step.spaced else 0
        tile = step.rows * (inner + 8 + pixels) + 3 * pixels * size + 22
        single = step.rows * (row.run * ((size if deep else 1) + 2 * size + 2) + 9) + 3 * size + 26
        rows = np.prod([index.size for index in step.outer], dtype=float)
        blocks = sum(part.blocks for part in step.parts if part.size == size)
        total += step.planes * rows * blocks * (tiles * tile + singles * single)
    return float(total)


def _bytes(kernel: Kernel) -> int:
    """About how much code a row function is."""
    tiles = [kernel.pixels] + [1] * (kernel.edges and kernel.pixels > 1)
    return sum(
        4 * (count * kernel.channels * (3 + 3 * kernel.clamps + 2 * kernel.added) + kernel.channels)
        + 100
        for count in tiles
    )
