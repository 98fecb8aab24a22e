"""What the cases need of either Keras, and the list of cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Made(NamedTuple):
    """A model with inputs of its own choice, by name; others are drawn at random."""

    model: Any
    inputs: Mapping[str, Array]


@dataclass(frozen=True)
class Kit:
    """One Keras: ``major`` 2 or 3, its modules, and short words for what cases often say."""

    major: int
    keras: Any
    tf: Any

    @property
    def layers(self) -> Any:
        """keras.layers."""
        return self.keras.layers

    @property
    def ops(self) -> Any:
        """keras.ops of Keras 3."""
        return self.keras.ops

    def input(self, *shape: int | None, name: str = "x", dtype: str | None = None) -> Any:
        """A symbolic input of this shape without batch."""
        return self.keras.Input(shape, name=name, dtype=dtype)

    def model(self, inputs: Any, outputs: Any, name: str | None = None) -> Any:
        """A Functional model."""
        return self.keras.Model(inputs, outputs, name=name)

    def chain(self, *parts: Any, name: str | None = None) -> Any:
        """A Sequential model."""
        return self.keras.Sequential(list(parts), name=name)

    def fan(self, shape: Sequence[int], branches: Mapping[str, Any], **options: Any) -> Any:
        """A model that applies many layers to the same input; keys become the layers' names."""
        x = self.input(*shape, **options)
        outputs = []
        for name, layer in branches.items():
            layer._name = name
            outputs.append(layer(x))
        return self.model(x, outputs, name="fan")


Builder = Callable[[Kit], Any]


@dataclass(frozen=True)
class Case:
    """A model to write: for which Keras, in which formats, and how its inputs are drawn."""

    name: str
    build: Builder
    formats: Mapping[int, tuple[str, ...]]
    about: str
    options: Mapping[str, Any] = field(default_factory=dict)


CASES: list[Case] = []
BOTH: dict[int, tuple[str, ...]] = {2: ("h5",), 3: ("keras",)}
ALL: dict[int, tuple[str, ...]] = {2: ("h5", "keras"), 3: ("h5", "keras")}
KERAS2: dict[int, tuple[str, ...]] = {2: ("h5",)}
KERAS3: dict[int, tuple[str, ...]] = {3: ("keras",)}


def case(
    formats: Mapping[int, tuple[str, ...]] = BOTH, **options: Any
) -> Callable[[Builder], Builder]:
    """Registers a builder; its docstring says what the model shows."""

    def register(build: Builder) -> Builder:
        name = build.__name__
        about = (build.__doc__ or name).strip()
        CASES.append(Case(name, build, formats, about, options))
        return build

    return register


def numbers(*shape: int, seed: int = 1, scale: float = 1.0) -> Array:
    """Normal numbers, float32."""
    return np.random.default_rng(seed).normal(size=shape, scale=scale).astype(np.float32)


def tokens(*shape: int, below: int, seed: int = 1, padding: bool = False) -> Array:
    """Whole numbers from 0 (from 1 with some trailing zeros, for masks) up to ``below``."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(1 if padding else 0, below, size=shape)
    if padding:
        for number, row in enumerate(drawn):
            row[len(row) - 1 - number % 3 :] = 0
    return drawn.astype(np.float32)
