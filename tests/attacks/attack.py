"""What an attack is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = "EXECUTED"  # a file of this name appears where code from a model file has run
OUTSIDE = "outside"  # what the files point to: nothing may open it
MODEL = "sound.h5"  # a sound network of three inputs, for attacks by what is fed to it


@dataclass(frozen=True)
class Attack:
    """A file, and a pattern that the one line about it (or the refusal of a layer) matches.

    ``command`` is what netsheet is asked to do; ``{}`` stands for the file.
    """

    name: str
    make: Callable[[Path], None]
    expected: str
    opens: bool = False
    command: tuple[str, ...] = ("summary", "{}")

    @property
    def arguments(self) -> list[str]:
        return [part.format(self.name) for part in self.command]


ATTACKS: list[Attack] = []


def attack(
    name: str, expected: str, opens: bool = False, command: tuple[str, ...] = ("summary", "{}")
) -> Callable[[Any], Any]:
    """Registers the function that writes the file."""

    def register(make: Callable[[Path], None]) -> Callable[[Path], None]:
        ATTACKS.append(Attack(name, make, expected, opens, command))
        return make

    return register
