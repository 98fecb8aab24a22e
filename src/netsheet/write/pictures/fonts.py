"""Fonts for labels: Pillow's own, and one of this computer for letters that it does not have."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from netsheet.errors import InputWarning, UsageError

if TYPE_CHECKING:
    from PIL import ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

VARIABLE = "NETSHEET_FONT"  # a font file of the user's own choice

# Fonts with Japanese (and most other) letters: of Linux, Windows and macOS, by their file names.
KNOWN = (
    "NotoSansCJK-Regular.ttc", "NotoSansCJKjp-Regular.otf", "NotoSansJP-Regular.otf",
    "NotoSansJP-Regular.ttf", "NotoSansJP-VF.ttf", "ipaexg.ttf", "ipag.ttf", "ipagp.ttf",
    "TakaoPGothic.ttf", "VL-PGothic-Regular.ttf", "fonts-japanese-gothic.ttf",
    "YuGothR.ttc", "YuGothM.ttc", "meiryo.ttc", "msgothic.ttc",
    "ヒラギノ角ゴシック W3.ttc", "Hiragino Sans GB.ttc", "Arial Unicode.ttf",
    "DejaVuSans.ttf",
)  # fmt: skip


def font_for(text: str, size: float) -> Font:
    """A font that has the letters of a text, in pixels; Pillow's own where none has them.

    Raises:
        UsageError: NETSHEET_FONT names no font.
    """
    from PIL import ImageFont

    own = ImageFont.load_default(size)
    if _plain(text):
        return own
    for font in _fonts(size):
        if _has(font, text):
            return font
    return own


def drawable(text: str) -> bool:
    """True if a font here has the letters of a text."""
    return _plain(text) or any(_has(font, text) for font in _fonts(12.0))


def warn_of(texts: Iterable[str]) -> None:
    """Says which labels cannot be drawn, and what to do."""
    lacking = [text for text in texts if not drawable(text)]
    if lacking:
        warnings.warn(
            f"no font here has the letters of {lacking[0]!r}: the picture shows numbers in place "
            f"of such names. Install Noto Sans CJK (Debian and Ubuntu: apt install "
            f"fonts-noto-cjk), or name a font file in {VARIABLE}.",
            InputWarning,
            stacklevel=2,
        )


def _plain(text: str) -> bool:
    """True for letters that Pillow's own font has."""
    return text.encode("latin-1", "ignore").decode("latin-1") == text


@lru_cache(maxsize=16)
def _fonts(size: float) -> list[ImageFont.FreeTypeFont]:
    """The fonts of this computer that are known for many letters, in a size."""
    from PIL import ImageFont

    named = os.environ.get(VARIABLE)
    if named:
        try:
            return [ImageFont.truetype(named, size)]
        except OSError as error:
            raise UsageError(
                f"{VARIABLE}: {named}: is no font that can be read: {error}."
            ) from None
    found = []
    for name in KNOWN:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:  # it is not installed
            continue
    return found


@lru_cache(maxsize=1024)
def _has(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """True if none of the letters is drawn as the sign for a missing one."""
    missing = _drawn(font, "\uffff")
    return all(letter.isspace() or _drawn(font, letter) != missing for letter in text)


def _drawn(font: ImageFont.FreeTypeFont, letter: str) -> tuple[object, ...]:
    mask, offset = font.getmask2(letter)
    return (*mask.size, *offset, bytes(mask))
