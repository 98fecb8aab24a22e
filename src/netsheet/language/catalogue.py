"""Messages in another language: found by their English templates, filled in anew.

Every room writes English sentences and knows of no other language. Here a finished sentence is
recognised by the template that it was made of (``{0}: no such file.``), what was filled in is cut
out, translated itself where it is a message, and set into the translation.

The catalogue is a gettext file (``ja.po``), written by ``tools/messages.py`` from the source; a
test fails where it lacks a message.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from string import Formatter

# Where messages are joined: what follows may be one of its own, or begin with the sign itself.
_JOINTS = re.compile(r"[;:.] |, | \(|\s{2,}|\n")
# A template of so few letters (of, is, with) says a message only around others or single words.
_SHORT = 8
_SHORTEST = 3
_GAPS = re.compile(r"\{\d[^{}]*\}")
_WORDS = re.compile(r"[\w\0]+")
# Single words that stand for a message of their own where others are joined to them.
PARTS = ("inverted", "tokens", "missing", "grey")
# A gap: anything, but of parentheses both or none; where one is quoted, up to the quote's end.
_GAP = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))*?"
_QUOTED = rf"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|{_GAP})"""


def parsed(text: str) -> dict[str, str]:
    """The messages of a gettext file, those without a translation as empty texts."""
    found: dict[str, str] = {}
    message = ""
    for line in text.splitlines():
        if line.startswith("msgid "):
            message = _unquoted(line[6:])
        elif line.startswith("msgstr ") and message:
            found[message] = _unquoted(line[7:])
    return found


def _unquoted(text: str) -> str:
    letters = {"n": "\n", "t": "\t"}
    return re.sub(r"\\(.)", lambda found: letters.get(found[1], found[1]), text.strip()[1:-1])


@dataclass(frozen=True)
class Template:
    """A message with gaps, and its translation with the same gaps."""

    message: str
    translation: str

    @cached_property
    def literals(self) -> list[str]:
        """What stands between the gaps."""
        return [literal for literal, *_ in Formatter().parse(self.message) if literal]

    @cached_property
    def dropped(self) -> list[int]:
        """Gaps that the translation leaves out: the s of a plural."""
        gaps = re.findall(r"\{(\d+)", self.message)
        return [int(gap) for gap in gaps if f"{{{gap}}}" not in self.translation]

    @cached_property
    def letters(self) -> int:
        """How much of it is fixed."""
        return sum(letter.isalpha() for literal in self.literals for letter in literal)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the finished message looks like, a group for each gap."""
        parts = []
        for literal, field, _, conversion in Formatter().parse(self.message):
            parts.append(re.escape(literal))
            if field is not None:
                parts.append(_QUOTED if conversion == "r" else f"({_GAP})")
        return re.compile("".join(parts), re.DOTALL)


def _sure_words(message: str) -> list[str]:
    """Words that a finished message surely has: those that no gap touches."""
    bare = _GAPS.sub("\0", message)
    return [word for word in _WORDS.findall(bare) if "\0" not in word]


@dataclass(frozen=True)
class _Reading:
    """One way to read a text: how many of its letters it explains, and its translation."""

    explained: int
    translation: str
    joined: bool = False  # of several messages, one behind the other
    across: bool = False  # a gap holds several of them: what stands behind it may be one more

    def worth(self) -> tuple[bool, int, bool]:
        """What makes it the better one of two."""
        return self.explained > 0, self.explained, not self.across

    def before(self, other: _Reading, sign: str) -> _Reading:
        """The two, one behind the other."""
        explained = self.explained + other.explained
        return _Reading(explained, f"{self.translation}{sign}{other.translation}", joined=True)


class Catalogue:
    """Translations of messages, whole or joined of several.

    Args:
        messages: the translation of each template; ``{0}`` stands for what is filled in.
    """

    def __init__(self, messages: Mapping[str, str]) -> None:
        self._words = {
            text: translation
            for text, translation in messages.items()
            if translation and "{" not in text
        }
        self._templates: dict[str, list[Template]] = {}
        words = {
            text: _sure_words(text)
            for text, translation in messages.items()
            if translation and (text in PARTS or " " in text or "{" in text)
        }
        counts = Counter(word for found in words.values() for word in found)
        for text, found in words.items():  # a template is found by its rarest word
            word = min(found, key=counts.__getitem__, default="")
            self._templates.setdefault(word, []).append(Template(text, messages[text]))
        self._known: dict[str, _Reading] = {}

    def word(self, text: str) -> str:
        """A single word or a fixed text, such as a table's heading; itself if it is not known."""
        return self._words.get(text, text)

    def translated(self, text: str) -> str:
        """A message in the language; what is not known of it stays as it is."""
        found = self._best(text)
        if found.explained:
            return found.translation
        bare = text.strip()
        return text.replace(bare, self._best(bare).translation) if bare else text

    def _best(self, text: str) -> _Reading:
        """The reading of a text that explains most of its letters."""
        if text not in self._known:
            # A part of a text may be that text again: then it explains nothing.
            nothing = self._known[text] = _Reading(0, text)
            readings = [*self._whole(text), *self._joined(text)]
            self._known[text] = max(readings, key=_Reading.worth, default=nothing)
        return self._known[text]

    def _whole(self, text: str) -> Iterator[_Reading]:
        """The text as one template, filled in."""
        words = set(re.findall(r"\w+", text))
        for word in ("", *sorted(words)):
            for template in self._templates.get(word, ()):
                if not all(literal in text for literal in template.literals):
                    continue  # a pattern of many gaps is slow to find out that it does not fit
                found = template.pattern.fullmatch(text)
                if found is None or any(len(found[gap + 1]) > 1 for gap in template.dropped):
                    continue
                inside = [self._best(part) for part in found.groups()]
                explained = sum(part.explained for part in inside)
                several = any(" " in part.strip() for part in found.groups())
                if not explained and template.letters < (_SHORT if several else _SHORTEST):
                    continue
                filled = template.translation.format(*(part.translation for part in inside))
                across = any(part.joined for part in inside)
                yield _Reading(template.letters + explained, filled, across=across)

    def _joined(self, text: str) -> Iterator[_Reading]:
        """The text as one message before another."""
        for joint in _JOINTS.finditer(text):
            if text.count("(", 0, joint.start()) != text.count(")", 0, joint.start()):
                continue
            sign = joint[0]
            before, after = text[: joint.start()] + "." * (sign == ". "), text[joint.end() :]
            left, right = self._best(before), self._best(after)
            space = "、" if sign == ", " and left.explained and right.explained else sign
            space = " " if sign == ". " else space
            yield left.before(right, "" if left.translation.endswith("。") else space)
            if joint.start():
                yield left.before(self._best(text[joint.start() :]), "")
            if sign == " (" and text.endswith(")"):
                inner = self._best(after[:-1])
                yield left.before(replace(inner, translation=f"（{inner.translation}）"), "")
        if text.endswith("."):
            plain = self._best(text[:-1])
            yield replace(plain, translation=f"{plain.translation}。")
