"""What netsheet says when something is wrong: what, where and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def one_line(text: str, length: int = 800) -> str:
    """A text from anywhere as one line for a terminal: what would steer it is spelled out."""
    if len(text) > length:
        text = f"{text[: length - 200]} ... {text[-190:]}"
    return " ".join(spelled(line) for line in text.splitlines())


def spelled(text: str) -> str:
    """A text for a terminal, its control characters but for line ends spelled out: ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in " \n\u3000\xa0"
        else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def choices(word: str, known: Iterable[str], most: int = 12) -> str:
    """``; did you mean 'conv1'?``, or what there is to choose from, to end a sentence with."""
    names = list(known)
    plain = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), plain, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {plain[near[0]]!r}?"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"; there are {', '.join(names[:most])}{more}." if names else "."


class NetsheetError(Exception):
    """A failure that the user can act on; the command line prints it and exits with 1."""

    exit_code = 1


class UsageError(NetsheetError):
    """The request itself is wrong (an unknown layer, a bad option); exits with 2."""

    exit_code = 2


class FormatError(NetsheetError):
    """A file is not what it should be, is damaged, or holds something that is refused."""


class UnsupportedError(NetsheetError):
    """A layer or option that netsheet does not compute; names it and what still works."""


class InputWarning(UserWarning):
    """Something about an input that is computed all the same, but may not be what was meant."""
