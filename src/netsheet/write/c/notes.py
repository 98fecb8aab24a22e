"""What a generated function computes, as mathematics, in a comment above it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace

from netsheet.equations import Const, Equation, Expr, children, in_order, reads
from netsheet.equations.entry import scale_text
from netsheet.write.c.names import comment
from netsheet.write.mathematics import text

WIDTH, LINES = 94, 6
MOST_TERMS = 400  # of an expression that is spelled out, a part counted wherever it stands


def note(equations: Sequence[Equation]) -> str:
    """Equations as a comment; long ones are cut."""
    lines: list[str] = []
    for eq in equations:
        wrapped = textwrap.wrap(
            comment(_spelled(eq), WIDTH * LINES), WIDTH, subsequent_indent="    "
        )
        lines += wrapped
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], "..."]
    lines += _scales(equations)
    return "/* " + "\n * ".join(lines) + " */\n" if lines else ""


def _scales(equations: Sequence[Equation]) -> list[str]:
    """Which real numbers the whole ones that are computed stand for."""
    texts = {
        eq.target.name: scale_text(eq.target.dtype, eq.target.quantisation) for eq in equations
    }
    return [comment(f"{name} is {said}", WIDTH) for name, said in texts.items() if said]


def _spelled(eq: Equation) -> str:
    """The equation; of one that would be too long only what it reads."""
    if _terms(eq.value) <= MOST_TERMS:
        return text(eq)
    read = dict.fromkeys(read.tensor.name for read in reads(eq.value))
    left = text(replace(eq, value=Const(0.0))).rpartition(" = ")[0]
    return f"{left} = f({', '.join(read)})"


def _terms(expr: Expr) -> int:
    """How many nodes the expression has as a tree."""
    sizes: dict[int, int] = {}
    for node in reversed(in_order(expr)):
        sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children(node))
    return sizes[id(expr)]
