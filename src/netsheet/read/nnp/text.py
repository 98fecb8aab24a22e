"""Protobuf's text form: names with values or with messages in braces, and nothing else.

The format: protobuf.dev/reference/protobuf/textformat-spec. Of it what NNabla and the Neural
Network Console write: strings, numbers, words, messages, lists. No schema is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from netsheet.errors import FormatError
from netsheet.read.limits import MAX_DEPTH

MOST_TOKENS = 60_000_000
LONGEST_STRING = 4096

_TOKEN = re.compile(
    r"""[\s,;]+|\#[^\n]*|
    (?P<mark>[{}<>:\[\]])|
    (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|
    (?P<word>[-+]?[A-Za-z0-9_.][A-Za-z0-9_.+-]*)""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}

Scalar: TypeAlias = str


@dataclass
class Message:
    """The fields of a message, each with all its values in their order."""

    fields: dict[str, list[Scalar | Message]] = field(default_factory=dict)

    def messages(self, name: str) -> list[Message]:
        """The messages of a field.

        Raises:
            FormatError: it has a plain value where a message should be.
        """
        found = self.fields.get(name, [])
        if not all(isinstance(one, Message) for one in found):
            raise FormatError(f"{name} has a value where a message should be")
        return [one for one in found if isinstance(one, Message)]

    def message(self, name: str) -> Message:
        """The last message of a field; an empty one if there is none."""
        return (self.messages(name) or [Message()])[-1]

    def texts(self, name: str) -> list[str]:
        """The plain values of a field."""
        found = self.fields.get(name, [])
        if not all(isinstance(one, str) for one in found):
            raise FormatError(f"{name} has a message where a value should be")
        return [one for one in found if isinstance(one, str)]

    def text(self, name: str, default: str = "") -> str:
        """The last plain value of a field."""
        return (self.texts(name) or [default])[-1]

    def integers(self, name: str) -> list[int]:
        """The whole numbers of a field."""
        try:
            return [int(one) for one in self.texts(name)]
        except ValueError:
            raise FormatError(f"{name} holds no whole numbers: {self.texts(name)[:4]}") from None

    def integer(self, name: str) -> int:
        """The whole number of a field; 0 where it is left out."""
        return (self.integers(name) or [0])[-1]

    def number(self, name: str) -> float:
        """The number of a field; 0 where it is left out."""
        try:
            return float(self.text(name, "0"))
        except ValueError:
            raise FormatError(f"{name} holds no number: {self.text(name)[:40]!r}") from None

    def flag(self, name: str) -> bool:
        """A truth value; False where it is left out."""
        word = self.text(name, "false")
        if word.lower() not in ("true", "false", "t", "f", "1", "0"):
            raise FormatError(f"{name} is neither true nor false: {word[:40]!r}")
        return word.lower() in ("true", "t", "1")

    def shape(self, name: str) -> tuple[int, ...]:
        """The sizes of a field of the type Shape."""
        return tuple(self.message(name).integers("dim"))


def parse(text: str) -> Message:
    """The message that a text is.

    Raises:
        FormatError: it is broken, nested too deeply or has too many parts; says where.
    """
    top = Message()
    stack = [(top, "")]
    tokens = _tokens(text)
    for kind, word, at in tokens:
        if kind == "mark" and len(stack) > 1 and word == stack[-1][1]:
            stack.pop()
            continue
        if kind != "word":
            raise _broken(text, at)
        kind, value, at = next(tokens, ("end", "", len(text)))
        if (kind, value) == ("mark", ":"):
            kind, value, at = next(tokens, ("end", "", len(text)))
        values = stack[-1][0].fields.setdefault(word, [])
        if kind == "mark" and value in "{<":
            inner = Message()
            values.append(inner)
            stack.append((inner, "}" if value == "{" else ">"))
            if len(stack) > MAX_DEPTH:
                raise FormatError("its messages are nested too deeply")
        elif (kind, value) == ("mark", "["):
            values.extend(_list(tokens, text))
        elif kind in ("word", "string"):
            values.append(_unquoted(value) if kind == "string" else value)
        else:
            raise _broken(text, at)
    if len(stack) > 1:
        raise FormatError("its end is missing: a message is not closed")
    return top


def _list(tokens: Iterator[tuple[str, str, int]], text: str) -> list[Scalar | Message]:
    """The plain values up to the closing bracket."""
    found: list[Scalar | Message] = []
    for kind, value, at in tokens:
        if (kind, value) == ("mark", "]"):
            return found
        if kind not in ("word", "string"):
            raise _broken(text, at)
        found.append(_unquoted(value) if kind == "string" else value)
    raise FormatError("its end is missing: a list is not closed")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at, count = 0, 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _broken(text, at)
        at = found.end()
        if found.lastgroup is not None:
            count += 1
            if count > MOST_TOKENS:
                raise FormatError(f"it has more than {MOST_TOKENS:,} words and marks")
            yield found.lastgroup, found[0], found.start()


def _unquoted(text: str) -> str:
    inner = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])
    if len(inner) > LONGEST_STRING:
        raise FormatError(f"a text in it has {len(inner):,} letters")
    return inner


def _broken(text: str, at: int) -> FormatError:
    if at >= len(text):
        return FormatError("its end is missing")
    line = text.count("\n", 0, at) + 1
    return FormatError(f"line {line} is no protobuf text: {text[at : at + 30]!r}")
