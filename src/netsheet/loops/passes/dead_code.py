"""Eliminate dead code: equations that no kept tensor depends on."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from netsheet.equations import Equation, Tensor
from netsheet.loops.passes.readers import read_by


def without_dead_code(equations: Sequence[Equation], kept: AbstractSet[Tensor]) -> list[Equation]:
    """The equations that the kept tensors need."""
    writers: dict[Tensor, list[Equation]] = {}
    for eq in equations:
        writers.setdefault(eq.target, []).append(eq)
    wanted, pending = set(kept), list(kept)
    while pending:
        for eq in writers.get(pending.pop(), ()):
            new = read_by(eq) - wanted
            wanted |= new
            pending += new
    return [eq for eq in equations if eq.target in wanted]
