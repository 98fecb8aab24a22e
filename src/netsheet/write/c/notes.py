"""What a generated function computes, as mathematics, in a comment above it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from netsheet.equations import Equation
from netsheet.write.c.names import comment
from netsheet.write.mathematics import text

WIDTH, LINES = 94, 6


def note(equations: Sequence[Equation]) -> str:
    """Equations as a comment; long ones are cut."""
    lines: list[str] = []
    for eq in equations:
        wrapped = textwrap.wrap(comment(text(eq), WIDTH * LINES), WIDTH, subsequent_indent="    ")
        lines += wrapped
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], "..."]
    return "/* " + "\n * ".join(lines) + " */\n" if lines else ""
