"""How much an untrusted file may ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from netsheet.errors import FormatError

MAX_JSON = 64 << 20  # bytes of a configuration
MAX_EXPANSION = 200  # declared bytes for each stored one, in compressed data
SMALL = 1 << 20  # what may be declared without being stored
MAX_OBJECTS = 200_000  # groups and datasets
MAX_DEPTH = 32  # groups in groups


def parse_json(text: str | bytes, what: str) -> Mapping[str, Any]:
    """A JSON object; FormatError if it is too long, too deep, broken, or no object."""
    if len(text) > MAX_JSON:
        raise FormatError(f"{what} is {len(text):,} bytes long; {MAX_JSON:,} are the limit")
    try:
        parsed = json.loads(text)
    except RecursionError:
        raise FormatError(f"{what} is nested too deeply") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise FormatError(f"{what} is no valid JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise FormatError(f"{what} is no JSON object")
    return parsed
