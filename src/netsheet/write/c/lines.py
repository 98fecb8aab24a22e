"""Indented lines of C."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Lines:
    """Lines, and blocks in braces, at a depth."""

    def __init__(self, depth: int = 0) -> None:
        self.lines: list[str] = []
        self.depth = depth

    def add(self, line: str) -> None:
        """One line at the present depth."""
        self.lines.append("    " * self.depth + line if line else "")

    @contextlib.contextmanager
    def block(self, head: str) -> Iterator[None]:
        """``head {`` ... ``}`` around what is added meanwhile."""
        self.add(f"{head} {{" if head else "{")
        self.depth += 1
        yield
        self.depth -= 1
        self.add("}")

    def __str__(self) -> str:
        return "\n".join(self.lines)
