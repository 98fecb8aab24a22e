"""What a row of the class table gets and returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from netsheet.layer import Layer
from netsheet.read.keras.activation import activation
from netsheet.read.keras.arguments import Arguments


@dataclass(frozen=True)
class Context:
    """What a row needs beside the arguments: Keras's major version, names, inner layers."""

    name: str
    major: int
    make: Callable[[Mapping[str, Any], str], Layer]  # a layer object's config, its label

    def activation(self, args: Arguments, key: str = "activation", default: Any = None) -> Any:
        """The layer for an activation argument; None where it is linear."""
        return activation(
            args.get(key, default), self.major, lambda c: self.make(c, key), f"{self.name}/{key}"
        )

    def named(self, activation_name: str) -> Layer | None:
        """The layer for an activation known by name."""
        return activation(activation_name, self.major, lambda c: self.make(c, ""), self.name)


Row = Callable[[Arguments, Context], Layer]
