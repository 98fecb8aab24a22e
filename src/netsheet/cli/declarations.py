"""What commands say of their arguments and options, without the library that explains them.

``Annotated[int, Option("--top", help="...")]`` in a command's signature is read by
:mod:`~netsheet.cli.plain` and, for help and for mistakes, becomes typer's own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Argument:
    """A word that has its place; ``metavar`` is what help calls it."""

    help: str
    metavar: str | None = None


class Option:
    """A word that follows its name, or for a bool the name alone; ``min`` is its least number."""

    def __init__(self, *names: str, help: str, min: int | None = None) -> None:
        self.names, self.help, self.min = names, help, min
