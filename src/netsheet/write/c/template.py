"""Texts with marks: @lib and @LIB for a library's name, others by what they stand for."""

from __future__ import annotations

import re


def fill(text: str, library: str, marks: dict[str, str] | None = None) -> str:
    """``text`` with every mark replaced, in one pass: what is filled in is never read again."""
    values = {**(marks or {}), "lib": library, "LIB": library.upper()}
    names = "|".join(sorted(values, key=len, reverse=True))
    return re.sub(rf"@({names})", lambda found: values[found[1]], text)
