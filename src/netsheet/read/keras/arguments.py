"""A layer's configuration, read with types and with errors that name the argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from netsheet.errors import FormatError


class Arguments:
    """The ``config`` of a layer; every getter takes the default for an absent or null value."""

    def __init__(self, layer: str, config: Mapping[str, Any]) -> None:
        self.layer = layer
        self.config = config

    def refuse(self, key: str, wanted: str) -> NoReturn:
        """FormatError for an argument that is not what it should be."""
        found = repr(self.config.get(key))
        found = found if len(found) < 60 else found[:57] + "..."
        raise FormatError(f"layer {self.layer!r}: {key} has to be {wanted}, not {found}")

    def get(self, key: str, default: Any = None) -> Any:
        """The plain value."""
        value = self.config.get(key)
        return default if value is None else value

    def flag(self, key: str, default: bool) -> bool:
        """A truth value."""
        value = self.get(key, default)
        return bool(value) if value in (0, 1) else self.refuse(key, "true or false")

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number; refused if absent without a default."""
        value = self.get(key, default)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, "a whole number")
        return int(value)

    def positive(self, key: str, default: int | None = None) -> int:
        """A whole number from 1 on."""
        value = self.integer(key, default)
        return value if value > 0 else self.refuse(key, "a positive number")

    def number(self, key: str, default: float) -> float:
        """A real number."""
        value = _unwrapped(self.get(key, default))
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(key, "a number")
        return float(value)

    def text(self, key: str, default: str) -> str:
        """A word."""
        value = self.get(key, default)
        return value if isinstance(value, str) else self.refuse(key, "a word")

    def choice(self, key: str, default: str, *others: str) -> str:
        """One of a few words, in small letters; the first one for an absent value."""
        value = self.text(key, default).lower()
        known = (default, *others)
        return value if value in known else self.refuse(key, " or ".join(known))

    def ints(self, key: str, rank: int, default: int | Sequence[int] | None = 1) -> tuple[int, ...]:
        """``rank`` positive whole numbers; a single one stands for all."""
        value = self.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            value = (value,) * rank
        if (
            not isinstance(value, (list, tuple))
            or len(value) != rank
            or not all(isinstance(n, int) and 0 < n < 2**31 for n in value)
        ):
            self.refuse(key, f"{rank} positive whole numbers")
        return tuple(value)

    def pairs(self, key: str, rank: int, default: int) -> tuple[tuple[int, int], ...]:
        """A pair (before, after) for each of ``rank`` axes, from any of Keras's short forms."""
        value = self.get(key, default)
        if isinstance(value, int):
            value = [value] * (2 if rank == 1 else rank)
        if (
            rank == 1
            and isinstance(value, (list, tuple))
            and all(isinstance(n, int) for n in value)
        ):
            value = [value]
        if not isinstance(value, (list, tuple)) or len(value) != rank:
            self.refuse(key, f"{rank} pairs of whole numbers")
        pairs = [[n, n] if isinstance(n, int) else n for n in value]
        for pair in pairs:
            if len(pair) != 2 or not all(isinstance(n, int) and n >= 0 for n in pair):
                self.refuse(key, f"{rank} pairs of whole numbers")
        return tuple((int(a), int(b)) for a, b in pairs)

    def axis(self, key: str, default: int = -1) -> int:
        """An axis counted without the batch; from the end if negative."""
        return self._without_batch(key, self.integer(key, default))

    def axes(self, key: str, default: int = -1) -> tuple[int, ...]:
        """Several axes, or one."""
        value = self.get(key, default)
        values = value if isinstance(value, (list, tuple)) else [value]
        if not values or not all(isinstance(n, int) for n in values):
            self.refuse(key, "whole numbers")
        return tuple(self._without_batch(key, n) for n in values)

    def _without_batch(self, key: str, axis: int) -> int:
        if axis == 0:
            self.refuse(key, "another axis than the batch")
        return axis - 1 if axis > 0 else axis


def _unwrapped(value: Any) -> Any:
    """A number that Keras 2 stored as an array or a wrapped object."""
    if isinstance(value, Mapping) and "config" in value:
        value = value["config"]
    if isinstance(value, Mapping) and "value" in value:
        value = value["value"]
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value
