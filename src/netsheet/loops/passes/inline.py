"""Inline: an element-by-element equation is computed where its only user reads it."""

from __future__ import annotations

import math
from dataclasses import replace

from netsheet.equations import (
    WHOLE,
    Affine,
    Equation,
    Expr,
    Number,
    Read,
    Reduce,
    Select,
    affine,
    children,
    on_reads,
    reads,
    substitute,
    transform,
    walk,
)
from netsheet.equations.matching import matched, mixed_radix

# An expression of more nodes is not made longer: what a function computes at once stays readable,
# and the passes behind stay linear in the network's size.
MOST_NODES = 256


def inlined(eq: Equation, user: Equation) -> Equation | None:
    """``user`` with the value of ``eq`` in place of its target; None where that costs more.

    Every element has to be read exactly once, and by no reduction.
    """
    found = [node for node in _outside_reductions(user.value) if node.tensor is eq.target]
    every = [node for node in reads(user.value) if node.tensor is eq.target]
    if not found or len(every) > len(found):
        return None
    if len({node.at for node in found}) > 1:
        return None
    nodes = list(walk(eq.value)), list(walk(user.value))
    if any(isinstance(node, Reduce) for node in nodes[1]) and _narrowing(eq):
        return None
    if all(any(isinstance(node, Reduce) for node in part) for part in nodes):
        return None
    if sum(map(len, nodes)) > MOST_NODES:
        return None
    mapping = matched(eq, found[0].at)
    if mapping is None or not _once_each(found[0], user):
        return None
    if eq.time is not None and mapping[eq.time] != affine(eq.time):
        return None
    value = substitute(eq.value, mapping)
    inline = on_reads(lambda node: value if node.tensor is eq.target else node)
    return replace(user, value=transform(user.value, inline))


def _narrowing(eq: Equation) -> bool:
    """True if it makes bytes of sums of 32 bits: those would have to be stored in its place.

    Behind another sum it could not be computed together with its own one.
    """
    if eq.target.dtype not in ("int8", "uint8"):
        return False
    read = {node.tensor for node in reads(eq.value)}
    return any(one.dtype == WHOLE and one.size == eq.target.size for one in read)


def _outside_reductions(expr: Expr) -> list[Read]:
    """Reads that are made once for each element."""
    found: dict[int, Expr] = {}
    stack = [expr]
    while stack:
        node = stack.pop()
        if id(node) in found or isinstance(node, (Reduce, Select, Number)):
            continue
        found[id(node)] = node
        if not isinstance(node, Read):
            stack.extend(reversed(children(node)))
    return [node for node in found.values() if isinstance(node, Read)]


def _once_each(read: Read, user: Equation) -> bool:
    """True if different elements of the target read different elements."""
    seen = {index for place in read.at for index in place.indices()}
    if any(index not in seen and index.size > 1 for index in user.indices):
        return False
    points = math.prod(index.size for index in user.indices)
    return points <= read.tensor.size and all(
        place.single() is not None or not place.terms or _radix(place) for place in read.at
    )


def _radix(place: Affine) -> bool:
    return mixed_radix(place, math.prod(index.size for index in place.indices()))
