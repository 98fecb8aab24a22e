"""Names, comments, strings and numbers of a model as safe C99 text.

A model file is untrusted: nothing that it says may end a comment or a string, or start a directive.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from netsheet.errors import UsageError

RESERVED = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if "  # noqa: SIM905
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while and or not xor bool true false class new delete this "
    "template typename namespace private public protected operator virtual friend using try catch "
    "throw main printf input output arena asm".split()
)
# Headers of C and of Arduino: a library's own header must not hide them.
HEADERS = frozenset(
    "arduino assert board complex ctype errno fenv float inttypes limits locale math setjmp "  # noqa: SIM905
    "signal stdarg stdatomic stdbool stddef stdint stdio stdlib string tgmath threads time "
    "uchar wchar wctype".split()
)


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


class Identifiers:
    """Distinct C identifiers for any names; the same name gets the same identifier."""

    def __init__(self) -> None:
        self._given: dict[object, str] = {}
        self._used: set[str] = set()

    def of(self, key: object, name: str, prefix: str = "") -> str:
        """The identifier of ``key``, made from ``name`` when first asked for."""
        if key not in self._given:
            self._given[key] = self.fresh(prefix + identifier(name))
        return self._given[key]

    def fresh(self, wanted: str) -> str:
        """``wanted``, or with a number behind it if it is taken or reserved."""
        number, result = 2, wanted
        while result in self._used or result in RESERVED:
            result, number = f"{wanted}_{number}", number + 1
        self._used.add(result)
        return result


def identifier(name: str) -> str:
    """The letters and digits of ``name`` that C allows; 'layer' where there are none."""
    plain = unicodedata.normalize("NFKD", name)
    text = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:40].rstrip("_")
    return text if text and not text[0].isdigit() else f"layer{'_' * bool(text)}{text}"


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


def number(value: float) -> str:
    """The float32 nearest to ``value`` as a C constant of type float that reads back exactly."""
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if np.isnan(single):
        return "NAN"
    if np.isinf(single):
        return "INFINITY" if single > 0 else "-INFINITY"
    text = f"{single:.9g}"
    shorter = f"{single:.7g}"
    if np.float32(shorter) == single:
        text = shorter
    return text + ("f" if "." in text or "e" in text else ".0f")
