from __future__ import annotations
from netsheet.write.c.text import Unit


def kernel_text(unit: Unit, library: str) -> str:
    return ""
