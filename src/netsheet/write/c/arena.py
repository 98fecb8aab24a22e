"""One arena for all activations: who may lie where, by lifetimes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations


@dataclass(eq=False)
class Buffer:
    """``size`` floats, needed from step ``first`` to step ``last``, both included."""

    size: int
    first: int
    last: int
    users: list[Hashable] = field(default_factory=list)
    offset: int = -1

    def meets(self, other: Buffer) -> bool:
        """True if both are needed at once."""
        return self.first <= other.last and other.first <= self.last


def merged(buffers: Mapping[Hashable, Buffer], pairs: Sequence[tuple[Hashable, Hashable]]) -> None:
    """Let the second user of each pair write over the first, which dies at that step.

    ``buffers`` then has the same buffer for both.
    """
    table = dict(buffers)
    for old, new in pairs:
        one, two = table[old], table[new]
        if one is two or one.size != two.size or one.last != two.first:
            continue
        one.last = two.last
        one.users += two.users
        for user in two.users:
            table[user] = one
    if isinstance(buffers, dict):
        buffers.update(table)


def plan(buffers: Sequence[Buffer]) -> int:
    """Give every buffer an offset; returns the size of the arena.

    Each buffer takes the lowest gap between those it meets. Among a few orders (largest first,
    first needed first, ...) the one with the smallest arena wins.
    """
    keys = (
        lambda b: (-b.size, b.first),
        lambda b: (b.first, -b.size),
        lambda b: (-b.size * (b.last - b.first + 1), b.first),
        lambda b: (-(b.last - b.first), -b.size),
    )
    orders = [sorted(buffers, key=key) for key in keys]
    if len(buffers) <= 6:
        orders += [list(order) for order in permutations(buffers)]
    best = min(orders, key=_place)
    return _place(best)


def _place(order: Sequence[Buffer]) -> int:
    placed: list[Buffer] = []
    for buffer in order:
        neighbours = sorted((b for b in placed if b.meets(buffer)), key=lambda b: b.offset)
        offset = 0
        for other in neighbours:
            if other.offset - offset >= buffer.size:
                break
            offset = max(offset, other.offset + other.size)
        buffer.offset = offset
        placed.append(buffer)
    return max((b.offset + b.size for b in order), default=0)
