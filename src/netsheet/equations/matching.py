"""Which element of a tensor an equation fills: its indices from a position."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netsheet.equations import Affine, Equation, Index, Position


def mixed_radix(at: Affine, size: int) -> bool:
    """True if ``at`` runs over 0 .. size - 1, each once, as its indices run."""
    if at.const or any(not isinstance(atom, Index) for _, atom in at.terms):
        return False
    expected = 1
    for factor, atom in sorted(at.terms, key=lambda term: term[0]):
        assert isinstance(atom, Index)
        if factor != expected:
            return False
        expected *= atom.size
    return expected == size


def matched(eq: Equation, at: Sequence[Affine]) -> dict[Index, Position] | None:
    """The values of the equation's indices for which it fills the element ``at``."""
    mapping: dict[Index, Position] = {}
    for own, place in zip(eq.at, at, strict=True):
        index = own.single()
        if index is not None:
            if index in mapping and mapping[index] != place:
                return None
            mapping[index] = place
        elif not own.terms:
            continue  # the only place there is
        elif not _parts(own, place, mapping):
            return None
    return mapping if all(index in mapping for index in eq.indices) else None


def _parts(own: Affine, place: Affine, mapping: dict[Index, Position]) -> bool:
    """Match ``6 a + b`` against ``6 p + q`` where q stays below 6."""
    if not mixed_radix(own, math.prod(i.size for i in own.indices())):
        return False
    rest = place
    for factor, atom in sorted(own.terms, key=lambda term: -term[0]):
        assert isinstance(atom, Index)
        part = rest // factor if factor > 1 else rest
        if any(not isinstance(a, Index) for _, a in part.terms):
            return False
        mapping[atom] = part
        rest = rest - part * factor
    return not rest.terms and rest.const == 0
