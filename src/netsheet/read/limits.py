"""How much an untrusted file may ask for."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from netsheet.errors import FormatError

MAX_JSON = 8 << 20  # bytes of a configuration; some large published ones have 1 MB
MAX_EXPANSION = 20  # bytes in memory for each byte of the file
FREE = 128 << 20  # bytes in memory that any file may take, however small
MAX_OBJECTS = 20_000  # groups, datasets and chunks
MAX_DEPTH = 32  # groups in groups
MAX_NAME = 4096  # letters
MAX_STEPS = 2_000  # layers that run in one wrapper, such as TimeDistributed
MAX_INPUTS = 20_000  # of those calls, together
MAX_NESTING = 32  # models in models
MAX_CALLS = 10_000  # calls of layers, those in nested models each time that these are called
MAX_DIRECTORY = 2 << 20  # bytes of a zip's list of members: some 20,000 of them


class Budget:
    """What one file may still take: bytes of memory and objects."""

    def __init__(self, file_size: int) -> None:
        self._size = file_size
        self._bytes = max(FREE, MAX_EXPANSION * file_size)
        self._objects = MAX_OBJECTS

    def take(self, count: int, what: str) -> None:
        """Counts ``count`` bytes for ``what``; FormatError if the file has had its share."""
        self._bytes -= count
        if self._bytes < 0:
            raise FormatError(
                f"{what} asks for {count:,} bytes of memory, but the file has only {self._size:,}: "
                "it is made to exhaust the memory. If you trust it, store it uncompressed "
                "(h5repack -f NONE)."
            )

    def visit(self, count: int = 1) -> None:
        """Counts objects that are looked at."""
        self._objects -= count
        if self._objects < 0:
            raise FormatError(f"it has more than {MAX_OBJECTS:,} groups, datasets and chunks")


def parse_json(text: str | bytes, what: str) -> Mapping[str, Any]:
    """A JSON object; FormatError if it is too long, too deep, broken, or no object."""
    if len(text) > MAX_JSON:
        raise FormatError(f"{what} is {len(text):,} bytes long; {MAX_JSON:,} are the limit")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        wrapped = "__tuple__" in text or "TensorShape" in text
        with _uncollected():
            parsed = json.loads(text, object_hook=_plain if wrapped else None)
        _check_text(text, parsed)
    except RecursionError:
        raise FormatError(f"{what} is nested too deeply") from None
    except ValueError as error:  # with it, broken UTF-8
        raise FormatError(f"{what} is no valid JSON ({error}): the file is damaged") from None
    if not isinstance(parsed, dict):
        raise FormatError(f"{what} is no JSON object")
    return parsed


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for unreachable cycles: JSON has none, however many lists it makes."""
    active = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if active:
            gc.enable()


def _plain(value: dict[str, Any]) -> Any:
    """A tuple or shape that TensorFlow 2 wrapped, as a list."""
    kind, items = value.get("class_name"), value.get("items")
    return items if kind in ("__tuple__", "TensorShape") and isinstance(items, list) else value


def _check_text(text: str, parsed: Any) -> None:
    """UnicodeEncodeError for half of a UTF-16 pair, which can be neither printed nor written."""
    text.encode()
    if re.search(r"\\u[dD][89a-fA-F]", text):
        json.dumps(parsed, ensure_ascii=False).encode()
