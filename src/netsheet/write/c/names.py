"""Names, comments, strings and numbers of a model as safe C99 text.

A model file is untrusted: nothing that it says may end a comment or a string, or start a directive.
"""

from __future__ import annotations

import re

import numpy as np

from netsheet.errors import UsageError
from netsheet.loops.names import RESERVED

# Headers of C and of Arduino: a library's own header must not hide them.
HEADERS = frozenset(
    "arduino assert board complex ctype errno fenv float inttypes limits locale math setjmp "  # noqa: SIM905
    "signal stdarg stdatomic stdbool stddef stdint stdio stdlib string tgmath threads time "
    "uchar wchar wctype".split()
)

# Infinities as constants, which the header defines: some compilers have no INFINITY, tcc folds no
# -INFINITY.
INFINITE, BELOW_ALL = "NETSHEET_INFINITE", "NETSHEET_BELOW_ALL"


def library_name(name: str) -> str:
    """``name`` itself, if it can begin every name of a library.

    Raises:
        UsageError: it is no C identifier, or one that C or C++ uses.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,30}", name) or name.lower() in RESERVED | HEADERS:
        raise UsageError(
            f"{name!r} cannot name C functions: use up to 31 letters, digits and underscores, "
            "beginning with a letter, and no word or header of the language."
        )
    return name


def comment(text: str, most: int = 200) -> str:
    """``text`` on one line of at most so many letters, so that it can stand inside ``/* */``."""
    shown = "".join(ch if ch.isprintable() else " " for ch in text)[:most]
    shown = shown.replace("\\", "/").replace("??", "? ?")
    return re.sub(r"(?<=\*)(?=/)|(?<=/)(?=\*)", " ", shown)


def base(name: str) -> str:
    """A file's name without its folders, which are nobody else's business."""
    return re.split(r"[/\\]", name)[-1] or name


def string(text: str) -> str:
    """A C string literal that holds ``text`` as UTF-8."""
    parts = []
    for byte in text.encode("utf-8", "replace"):
        plain = 32 <= byte < 127 and byte not in b'"\\?'
        parts.append(chr(byte) if plain else f"\\{byte:03o}")
    return '"' + "".join(parts) + '"'


TYPES = {
    "float32": "float", "int": "int", "int32": "int32_t", "int16": "int16_t", "uint8": "uint8_t",
    "int8": "int8_t",
}  # fmt: skip


def whole_number(value: float) -> str:
    """A whole number as a C constant of type int32_t."""
    return str(int(value)) if value > -(2**31) else "(-2147483647 - 1)"


def number(value: float) -> str:
    """The float32 nearest to ``value`` as a C constant of type float that reads back exactly."""
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if np.isnan(single):
        return "NAN"
    if np.isinf(single):
        return INFINITE if single > 0 else BELOW_ALL
    text = f"{single:.9g}"
    shorter = f"{single:.7g}"
    if np.float32(shorter) == single:
        text = shorter
    return text + ("f" if "." in text or "e" in text else ".0f")
