"""IntegerLookup: whole numbers become their places in a vocabulary, or come back from them.

Source: keras/src/layers/preprocessing/{integer_lookup,index_lookup}.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netsheet.equations import (
    Equation,
    Expr,
    Index,
    Tensor,
    call,
    equation,
    indices_of,
    reduce,
    value,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer, Signature
from netsheet.layers.base import constant
from netsheet.layers.category import CategoryEncoding

EXACT = 2**24  # whole numbers below this are exact in float32
NOWHERE = -1  # the place of a token that has none; no category equals it


@dataclass(eq=False, kw_only=True)
class IntegerLookup(Layer):
    """y = the place of x in the vocabulary, behind the places of the mask and of unknown tokens.

    Unknown tokens share ``num_oov_indices`` places: x modulo their number. Where there is none,
    Keras raises an error and the place is -1 here. ``invert``: y = the token at the place x.
    ``width``: number of categories of the encoding; None: as many as there are places.
    """

    vocabulary: tuple[int, ...] | None  # None until the file's vocabulary.txt is read
    num_oov_indices: int = 1
    mask_token: int | None = None
    oov_token: int = -1
    invert: bool = False
    output_mode: str = "int"
    width: int | None = None

    passes_mask: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.vocabulary is not None:
            self._keep(self.vocabulary)

    def _keep(self, vocabulary: Sequence[int]) -> None:
        """The vocabulary without the special tokens that may stand before it."""
        special = (*[self.mask_token] * self._first_unknown, *[self.oov_token] * self._unknown)
        start = len(special) if tuple(vocabulary[: len(special)]) == special else 0
        self.vocabulary = tuple(vocabulary[start:])
        if any(abs(token) >= EXACT for token in self.vocabulary):
            raise UnsupportedError(f"its vocabulary has numbers from {EXACT:,} on")
        known = (*self.vocabulary, *([] if self.mask_token is None else [self.mask_token]))
        if not self.vocabulary or len(set(known)) < len(known):
            raise UnsupportedError("its vocabulary is empty, or has a number twice")

    def read_asset(self, name: str, text: str) -> None:
        if name == "vocabulary.txt" and self.vocabulary is None:
            try:
                self._keep([int(line) for line in text.split()])
            except ValueError:
                raise UnsupportedError("its vocabulary.txt holds more than whole numbers") from None

    @property
    def tokens(self) -> int | None:
        if self.invert:
            return self._places
        return max(*(self.vocabulary or ()), self.mask_token or 0, 1) + 1

    @property
    def _unknown(self) -> int:
        return self.num_oov_indices

    @property
    def _first_unknown(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _first(self) -> int:
        """The place of the vocabulary's first token."""
        return self._first_unknown + self._unknown

    @property
    def _places(self) -> int:
        return self._first + len(self.vocabulary or ())

    def _encoding(self) -> CategoryEncoding:
        return CategoryEncoding(num_tokens=self.width or self._places, output_mode=self.output_mode)

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        if self.vocabulary is None:
            raise UnsupportedError("its vocabulary is not in the file")
        if self.output_mode == "int":
            return [Signature(inputs[0].axes, inputs[0].shape)]
        return self._encoding().infer(inputs)

    def _pairs(self) -> list[tuple[int, int]]:
        """Each number that is known, with what it becomes."""
        tokens = self.vocabulary or ()
        pairs = [(token, self._first + place) for place, token in enumerate(tokens)]
        if self.mask_token is not None:
            pairs.append((self.mask_token, 0 if self.output_mode == "int" else NOWHERE))
        return [(new, old) for old, new in pairs] if self.invert else pairs

    def _otherwise(self, read: Expr) -> Expr:
        """What a number that is not known becomes."""
        if self.invert:
            return value(self.oov_token)
        if self._unknown < 2:
            return value(self._first_unknown if self._unknown else NOWHERE)
        return call("mod", read, self._unknown) + self._first_unknown

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        x = inputs[0]
        known, becomes = np.array(self._pairs(), float).T
        keys = constant(f"{self.name}/known", known)
        values = constant(f"{self.name}/becomes", becomes)
        plain = self.output_mode == "int"
        found = outputs[0].step("known", x.axes, x.shape)
        place = outputs[0] if plain else outputs[0].step("place", x.axes, x.shape)
        at, v = indices_of(x), Index("v", len(known))
        hit = call("equal", keys[v], x[at])
        total = reduce("sum", [v], hit * values[v])
        steps = [
            equation(found[at], reduce("sum", [v], hit)),
            equation(place[at], total + (1 - found[at]) * self._otherwise(x[at])),
        ]
        return steps if plain else [*steps, *self._encoding().equations([place], outputs)]
