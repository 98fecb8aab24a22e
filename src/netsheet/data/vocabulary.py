"""The words that token numbers stand for, from a list of them."""

from __future__ import annotations

import json
from pathlib import Path

from netsheet.errors import NetsheetError, UsageError

MOST_WORDS = 1_000_000  # rows of a sheet


def read_vocabulary(path: str | Path) -> list[str]:
    """The words in the order of their numbers, from 0; empty where a number has none.

    A text file has one word a line, the first of them for number 0. A .json file is a list, or
    names each word's number, as Keras's word indices do (those of ``keras.datasets.imdb`` count
    from 1, while its data starts words at 4: add 3 to them first).

    Raises:
        UsageError: the file is no such list; says what to give.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text: {error}.") from None
    words = _from_json(path, text) if path.suffix.lower() == ".json" else text.splitlines()
    while words and not words[-1].strip():
        words.pop()
    if not words:
        raise UsageError(f"{path}: has no words; give one a line, the first for token number 0.")
    if len(words) > MOST_WORDS:
        raise NetsheetError(f"{path}: has {len(words):,} words; at most {MOST_WORDS:,} fit.")
    return words


def _from_json(path: Path, text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: is no JSON.") from None
    if isinstance(found, list) and all(isinstance(word, str) for word in found):
        return found
    numbered = isinstance(found, dict) and all(
        isinstance(number, int) and 0 <= number < 10 * MOST_WORDS for number in found.values()
    )
    if not numbered:
        raise UsageError(
            f"{path}: give a list of words, or an object that names each one's number."
        )
    words = [""] * (max(found.values(), default=-1) + 1)
    for word, number in found.items():
        words[number] = word
    return words
