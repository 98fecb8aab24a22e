"""What netsheet says, in the language of who reads it.

Sentences are written in English where they are said; nothing there knows of another language. Who
shows them asks here for their translation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsheet.language.catalogue import Catalogue

__all__ = ["LANGUAGES", "translated", "word"]

LANGUAGES = ("en", "ja")


def translated(text: str, language: str) -> str:
    """A message in a language of :data:`LANGUAGES`; what is not known of it stays English."""
    return text if language == "en" else _catalogue(language).translated(text)


def word(text: str, language: str) -> str:
    """A heading or another fixed text in a language; itself if it is not known."""
    return text if language == "en" else _catalogue(language).word(text)


@lru_cache
def _catalogue(language: str) -> Catalogue:
    from importlib import resources

    from netsheet.language.catalogue import Catalogue, parsed

    file = resources.files("netsheet.language").joinpath(f"{language}.po")
    return Catalogue(parsed(file.read_text("utf-8")))
