"""One arena for all activations: who may lie where, by lifetimes."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from itertools import permutations

from netsheet.equations import FLOAT, WHOLE
from netsheet.loops.storage.lifetimes import Lifetime


def place(lifetimes: Sequence[Lifetime]) -> int:
    """Give everything that lives an offset; returns the size of the arena.

    Each takes the lowest gap between those that live at the same time. Among a few orders (largest
    first, first needed first, ...) the one with the smallest arena wins.
    """
    keys = (
        lambda b: (-b.size, b.first),
        lambda b: (b.first, -b.size),
        lambda b: (-b.size * (b.last - b.first + 1), b.first),
        lambda b: (-(b.last - b.first), -b.size),
    )
    orders = [sorted(lifetimes, key=key) for key in keys]
    if len(lifetimes) <= 6:
        orders += [list(order) for order in permutations(lifetimes)]
    best = min(orders, key=_in_order)
    return _in_order(best)


def _in_order(order: Sequence[Lifetime]) -> int:
    by_offset: list[tuple[int, int, Lifetime]] = []  # what is placed, the lowest first
    starting: dict[int, list[tuple[int, int, Lifetime]]] = {}  # the same by first computation
    mixed = {FLOAT, WHOLE} <= {life.kind for life in order}
    longest = max((life.last - life.first for life in order), default=0)
    most = 0
    for number, life in enumerate(order):
        # what lives meanwhile: few where lifetimes are short, or found among all that is placed
        begin = life.first - longest
        near: Sequence[tuple[int, int, Lifetime]] = by_offset
        if life.last - begin < 64 and not mixed:
            near = sorted(one for n in range(begin, life.last + 1) for one in starting.get(n, ()))
        offset = 0
        for start, _, other in near:
            if not life.meets(other):
                continue
            if start - offset >= life.size:
                break
            offset = max(offset, start + other.size)
        life.offset = offset
        most = max(most, offset + life.size)
        placed = offset, number, life
        insort(by_offset, placed)
        starting.setdefault(life.first, []).append(placed)
    return most
