"""Collapse loops: adjacent loops that walk through memory as one become one."""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Index,
    Number,
    Read,
    Reduce,
    Select,
    affine,
    substitute,
    substituted,
    walk,
)


def collapsed(eq: Equation, fixed: Sequence[Index] = ()) -> Equation:
    """The equation over memory with as few loops as do the same; ``fixed`` ones stay."""
    addresses = [eq.at[0], *(node.at[0] for node in walk(eq.value) if isinstance(node, Read))]
    elsewhere = {
        index
        for node in walk(eq.value)
        for place in _other_positions(node)
        for index in place.indices()
    }
    elsewhere |= {i for at in addresses for _, a in at.terms if not isinstance(a, Index)
                  for i in affine(a).indices()}  # fmt: skip
    free = [i for i in eq.indices if i not in elsewhere and i not in fixed and i is not eq.time]
    for outer in free:
        for inner in free:
            if outer is not inner and all(
                at.coefficient(outer) == at.coefficient(inner) * inner.size for at in addresses
            ):
                merged = Index(inner.name, outer.size * inner.size)
                mapping = {outer: affine(0), inner: affine(merged)}
                rest = tuple(i for i in eq.indices if i not in (outer, inner))
                place = substituted(eq.at[0], mapping)
                value = substitute(eq.value, mapping)
                joined = Equation(eq.target, (place,), (*rest, merged), value, eq.time)
                return collapsed(joined, fixed)
    return eq


def _other_positions(node: Expr) -> Sequence[Affine]:
    if isinstance(node, Number):
        return (node.value,)
    if isinstance(node, (Reduce, Select)):
        return [guard.value for guard in node.where]
    return ()
