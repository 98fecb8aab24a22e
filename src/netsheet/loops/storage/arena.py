"""One arena for all activations: who may lie where, by lifetimes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

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
    # by computation: what is placed already and lives then, as (offset, end)
    placed: dict[int, list[tuple[int, int]]] = {}
    most = 0
    for life in order:
        taken: set[tuple[int, int]] = set()
        for number in range(life.first, life.last + 1):
            taken.update(placed.get(number, ()))
        offset = 0
        for start, end in sorted(taken):
            if start - offset >= life.size:
                break
            offset = max(offset, end)
        life.offset = offset
        most = max(most, offset + life.size)
        for number in range(life.first, life.last + 1):
            placed.setdefault(number, []).append((offset, offset + life.size))
    return most
