"""The language of what the command line says: ``--lang``, NETSHEET_LANG, or that of the system.

Python's exceptions and reports stay in English, whatever the language: programs read them. What is
data stays as it is too: JSON, CSV, equations, exit codes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import netsheet.language
from netsheet.errors import UsageError
from netsheet.language import LANGUAGES

chosen = "en"  # the language of this run
asked = False  # the user named it: a workbook's or page's reader has no say


def choose(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Decides the language; gives the arguments without ``--lang``, wherever it stood.

    Raises:
        UsageError: there is no such language.
    """
    global chosen, asked
    rest: list[str] = []
    words = iter(arguments)
    named = ""
    where = "--lang"
    for word in words:
        option, equals, value = word.partition("=")
        if option == "--lang":
            named = value if equals else next(words, "")
            if not named:
                raise UsageError("--lang takes a language: en or ja.")
        else:
            rest.append(word)
    if not named:
        named, where = environment.get("NETSHEET_LANG", ""), "NETSHEET_LANG"
    asked = bool(named)
    chosen = named or _of_the_system(environment)
    if chosen not in LANGUAGES:
        wrong, chosen = chosen, environment.get("NETSHEET_LANG", "")
        chosen = chosen if chosen in LANGUAGES else _of_the_system(environment)
        raise UsageError(f"{where}: there is no language {wrong!r}; languages are en and ja.")
    return rest


def _of_the_system(environment: Mapping[str, str]) -> str:
    name = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    if not name and sys.platform == "win32":
        import ctypes
        import locale

        number = ctypes.windll.kernel32.GetUserDefaultUILanguage()
        name = locale.windows_locale.get(number, "")
    return "ja" if name.startswith("ja") else "en"


def translated(text: str) -> str:
    """A message in the language of this run."""
    return netsheet.language.translated(text, chosen)


def word(text: str) -> str:
    """A heading or another fixed text in the language of this run."""
    return netsheet.language.word(text, chosen)
