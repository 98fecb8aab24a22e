"""Names of sheets and of what is listed: what Excel allows, and how formulas write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MAX_NAME = 31
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# what could be read as a cell (AB12), as R1C1, or as a truth value
_AMBIGUOUS = re.compile(r"([A-Za-z]{1,3}\d*|[Rr]\d*[Cc]?\d*|[Cc]\d*|true|false)\Z", re.IGNORECASE)


@lru_cache(maxsize=4096)
def quoted(name: str) -> str:
    """The name as a formula has it: ``Input``, ``'conv 1'``, ``'add1'``."""
    if _PLAIN.match(name) and not _AMBIGUOUS.match(name):
        return name
    return "'" + name.replace("'", "''") + "'"


def sheet_names(wanted: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """A valid name for each wanted one: 31 characters, unique whatever the case."""
    used = {name.lower() for name in taken} | {"history"}
    result = []
    for text in wanted:
        clean = re.sub(r"[\[\]:*?\\]", "_", text.replace("/", "."))
        clean = "".join(c if c.isprintable() else "_" for c in clean).strip("'") or "layer"
        name, number = clean[:MAX_NAME], 1
        while name.lower() in used:
            number += 1
            suffix = f" ({number})"
            name = clean[: MAX_NAME - len(suffix)] + suffix
        used.add(name.lower())
        result.append(name)
    return result


_WILD = str.maketrans({"~": "˜", "*": "∗", "?": "？"})


def distinct(names: Iterable[str]) -> list[str]:
    """Names that MATCH finds: without wildcards, different whatever the case."""
    used: set[str] = set()
    result = []
    for text in names:
        plain = text.translate(_WILD)
        name, number = plain, 1
        while name.casefold() in used:
            number += 1
            name = f"{plain} ({number})"
        used.add(name.casefold())
        result.append(name)
    return result
