"""What a generated function computes, as mathematics, in a comment above it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from netsheet.equations import Equation
from netsheet.write.c.names import comment
from netsheet.write.c.pool import Pool, Pooled
from netsheet.write.c.steps import Loops, Recurrence, Step
from netsheet.write.c.sums import Sums
from netsheet.write.mathematics import text

WIDTH, LINES = 94, 6


def note(step: Step) -> str:
    """The equations of a step as a comment; long ones are cut."""
    lines = []
    for eq in _equations(step):
        wrapped = textwrap.wrap(comment(text(eq), WIDTH * LINES), WIDTH, subsequent_indent="    ")
        lines += wrapped
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], "..."]
    return "/* " + "\n * ".join(lines) + " */\n" if lines else ""


def _equations(step: Step) -> Iterator[Equation]:
    if isinstance(step, Recurrence):
        for inner in step.steps:
            yield from _equations(inner)
    elif isinstance(step, (Loops, Pool)):
        yield step.equation
    elif isinstance(step, Sums):
        yield step.products.equation
    elif isinstance(step, Pooled):
        yield step.sums.products.equation
        yield step.pool.equation
