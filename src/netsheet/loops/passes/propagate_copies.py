"""Propagate copies: what reads a copy (a reshape, a transpose, a crop) reads its source instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Index,
    Position,
    Read,
    Reduce,
    Transform,
    on_reads,
    reads,
    substitute,
    substituted,
    transform,
)
from netsheet.equations.matching import matched, mixed_radix


def reading_source(eq: Equation, copy: Equation) -> Equation | None:
    """``eq`` with reads of ``copy``'s target replaced by reads of what is copied, or None."""
    assert isinstance(copy.value, Read)
    split: dict[Index, Affine] = {}  # indices of eq in terms of fresh ones
    for node in reads(eq.value):
        if node.tensor is not copy.target:
            continue
        for place, own in zip(node.at, copy.at, strict=True):
            if own.single() is None:
                index = place.single()
                if index is None or index is eq.time or not mixed_radix(own, index.size):
                    return None
                if index not in split:
                    fresh = {i: Index(i.name, i.size) for i in own.indices()}
                    split[index] = substituted(own, fresh)
    if split:
        eq = _with_split_indices(eq, split)
    failed = False

    def read(node: Read) -> Expr:
        nonlocal failed
        if node.tensor is not copy.target:
            return node
        mapping = matched(copy, node.at)
        if mapping is None:
            failed = True
            return node
        assert isinstance(copy.value, Read)
        return substitute(copy.value, mapping)

    result = replace(eq, value=transform(eq.value, on_reads(read)))
    return None if failed else result


def _with_split_indices(eq: Equation, split: dict[Index, Affine]) -> Equation:
    """The equation with one index run through by several, as ``6 a + b``."""
    mapping: dict[Index, Position] = dict(split)

    def spread(indices: Iterable[Index]) -> tuple[Index, ...]:
        return tuple(
            part
            for index in indices
            for part in (split[index].indices() if index in split else (index,))
        )

    def spread_sums(node: Expr) -> Expr | None:
        return replace(node, over=spread(node.over)) if isinstance(node, Reduce) else None

    rewriting = Transform(spread_sums, lambda at: substituted(at, mapping))
    return replace(rewriting.equation(eq), indices=spread(eq.indices))
