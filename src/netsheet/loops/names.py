"""Identifiers that every language takes, made from names of any kind."""

from __future__ import annotations

import re
import unicodedata

# Words of C, C++ and JavaScript, and names that a printed program uses itself.
RESERVED = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if "  # noqa: SIM905
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while and or not xor bool true false class new delete this "
    "template typename namespace private public protected operator virtual friend using try catch "
    "throw main printf input output arena asm "
    "function var let yield await async export import super null typeof instanceof with in "
    "arguments eval undefined debugger delete finally package interface implements".split()
)


class Identifiers:
    """Distinct identifiers for any names; the same name gets the same identifier."""

    def __init__(self) -> None:
        self._given: dict[object, str] = {}
        self._next: dict[str, int] = {}
        self._used: set[str] = set()

    def of(self, key: object, name: str, prefix: str = "") -> str:
        """The identifier of ``key``, made from ``name`` when first asked for."""
        if key not in self._given:
            self._given[key] = self.fresh(prefix + identifier(name))
        return self._given[key]

    def fresh(self, wanted: str) -> str:
        """``wanted``, or with a number behind it if it is taken or reserved."""
        number, result = self._next.get(wanted, 2), wanted
        while result in self._used or result in RESERVED:
            result, number = f"{wanted}_{number}", number + 1
        self._next[wanted] = number
        self._used.add(result)
        return result


def identifier(name: str) -> str:
    """The letters and digits of ``name`` that languages allow; 'layer' where there are none."""
    plain = unicodedata.normalize("NFKD", name)
    text = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:40].rstrip("_")
    return text if text and not text[0].isdigit() else f"layer{'_' * bool(text)}{text}"
