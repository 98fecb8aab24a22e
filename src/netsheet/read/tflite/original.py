"""A TensorFlow Lite file as it was read, kept so that its own runtime can compute it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class TfliteOriginal:
    """The file, and the number of each tensor of the network in it.

    ``doubt`` says why TensorFlow Lite Micro, which trusts the file's sizes, finds something else.
    """

    content: bytes = field(repr=False)
    numbers: Mapping[str, int]
    doubt: str = ""
