"""Texts in real files, with marks: @lib and @LIB for a library's name, others by what they mean."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources


@cache
def template(name: str, package: str = "netsheet.write.c") -> str:
    """The text of a file in a package's folder ``files``: C, a sketch, Markdown."""
    return (resources.files(package) / "files" / name).read_text("utf-8")


def fill(text: str, library: str, marks: dict[str, str] | None = None) -> str:
    """``text`` with every mark replaced, in one pass: what is filled in is never read again."""
    values = {**(marks or {}), "lib": library, "LIB": library.upper()}
    names = "|".join(sorted(values, key=len, reverse=True))
    return re.sub(rf"@({names})", lambda found: values[found[1]], text)
