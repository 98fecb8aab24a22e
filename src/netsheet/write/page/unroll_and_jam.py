"""Unroll and jam: eight values of a loop at a time, so that what they share is read once.

    for c: s = 0; for i: s += x[i] * w[i, c]; y[c] = s

becomes sums s_0 .. s_7 over one loop of i, in which x[i] is read once for all eight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from netsheet.loops.ir import (
    Accumulate,
    Assign,
    Buffer,
    Combination,
    For,
    If,
    Integer,
    Kernel,
    Let,
    Load,
    Pointer,
    PositionTable,
    Statement,
    Store,
    Tile,
    Variable,
    combination,
    plus,
    times,
)

AT_A_TIME = 8
FEWEST = 2  # values of a loop for which it is worth it


def jammed(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The same statements with every outermost loop that allows it unrolled and jammed."""
    result: list[Statement] = []
    for node in body:
        if isinstance(node, For):
            result += _blocks(node) if _allows(node) else [replace(node, body=jammed(node.body))]
        elif isinstance(node, If):
            result.append(replace(node, then=jammed(node.then), otherwise=jammed(node.otherwise)))
        else:
            result.append(node)
    return tuple(result)


def _blocks(loop: For) -> list[Statement]:
    assert isinstance(loop.high, int)
    index = Variable(loop.index)
    whole, rest = divmod(loop.high, AT_A_TIME)
    result: list[Statement] = []
    if whole > 1:
        copies = [plus(times(index, AT_A_TIME), n) for n in range(AT_A_TIME)]
        result.append(replace(loop, high=whole, body=_Jam(loop.index, copies).body(loop.body)))
    elif whole:
        result += _scoped(_Jam(loop.index, list(range(AT_A_TIME))).body(loop.body))
    if rest:
        last = [whole * AT_A_TIME + n for n in range(rest)]
        result += _scoped(_Jam(loop.index, last).body(loop.body))
    return result


def _scoped(body: tuple[Statement, ...]) -> list[Statement]:
    """Statements in a block of their own, so that their names are."""
    return [For("once", 0, 1, body)]


# --------------------------------------------------------------------------- where it is right


def _allows(loop: For) -> bool:
    """True if the loop's turns are independent, run alike, and share something that is read."""
    if loop.low != 0 or not isinstance(loop.high, int) or loop.high < FEWEST:
        return False
    found = _Facts(loop.index)
    found.body(loop.body)
    return found.alike and found.sums > 0 and found.shared and not (found.read & found.stored)


class _Facts:
    """What a loop's body reads and stores, and whether its shape depends on the loop's index."""

    def __init__(self, index: str) -> None:
        self.own = {index}  # names whose values depend on the index
        self.declared: set[str] = set()
        self.alike = True
        self.shared = False
        self.sums = 0
        self.read: set[Buffer] = set()
        self.stored: set[Buffer] = set()

    def body(self, body: tuple[Statement, ...], within: bool = False) -> None:
        for node in body:
            self._statement(node, within)

    def _statement(self, node: Statement, within: bool) -> None:
        if isinstance(node, (Kernel, Pointer, Tile)):
            self.alike = False
        elif isinstance(node, For):
            self.alike &= not (_names((node.low, node.high)) & self.own)
            self.body(node.body, True)
        elif isinstance(node, If):
            self.alike &= not (_names(node.test) & self.own)
            self.body(node.then, within)
            self.body(node.otherwise, within)
        elif isinstance(node, Store):
            if isinstance(node.target, Pointer):
                self.alike = False
            else:
                self.stored.add(node.target)
            self._loads((node.offset, node.value), False)
        else:
            if isinstance(node, Let):
                self.declared.add(node.name)
            elif node.name not in self.declared:  # a sum over all turns of the loop
                self.alike = False
            if not isinstance(node, Let) or node.mutable or _names(node.value) & self.own:
                self.own.add(node.name)
            summed = within and isinstance(node, Accumulate)
            self.sums += summed
            self._loads(node.value, summed)

    def _loads(self, node: Any, summed: bool) -> None:
        for load in _every(node, Load):
            if isinstance(load.source, Pointer):
                self.alike = False
                continue
            self.read.add(load.source)
            self.shared |= summed and not (_names(load) & self.own)


# --------------------------------------------------------------------------- how it is done


@dataclass
class _Jam:
    """Statements for several values of an index at once."""

    index: str
    copies: Sequence[Integer]

    def __post_init__(self) -> None:
        self.own = {self.index}
        self.shared = 0

    def body(self, body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """What depends on the index once for each copy, everything else once."""
        result: list[Statement] = []
        for node in body:
            if isinstance(node, For):
                result.append(replace(node, body=self.body(node.body)))
            elif isinstance(node, If):
                sides = self.body(node.then), self.body(node.otherwise)
                result.append(replace(node, then=sides[0], otherwise=sides[1]))
            else:
                result += self._copied(node)
        return tuple(result)

    def _copied(self, node: Any) -> list[Statement]:
        if isinstance(node, Let) and not node.mutable and not _names(node.value) & self.own:
            return [node]
        if isinstance(node, (Let, Assign, Accumulate)):
            self.own.add(node.name)
        hoisted: list[Statement] = []
        if isinstance(node, Accumulate):
            known: dict[Any, Variable] = {}
            for load in _every(node.value, Load):
                if not _names(load) & self.own and load not in known:
                    self.shared += 1
                    known[load] = Variable(f"shared{self.shared}", node.dtype)
                    hoisted.append(Let(known[load].name, node.dtype, load))
            node = replace(node, value=_replaced(node.value, known))
        return hoisted + [self._copy(node, n) for n in range(len(self.copies))]

    def _copy(self, node: Any, n: int) -> Statement:
        renamed: dict[str, Any] = {self.index: self.copies[n]}
        for name in self.own - {self.index}:
            renamed[name] = f"{name}_{n}"
        copy: Statement = _renamed(node, renamed)
        return copy


def _renamed(node: Any, names: Mapping[str, Any]) -> Any:
    """A node with other names, or positions in place of names."""
    if isinstance(node, Variable):
        new = names.get(node.name, node)
        return Variable(new, node.dtype) if isinstance(new, str) else new
    if isinstance(node, Combination):
        return combination([(f, _renamed(term, names)) for f, term in node.terms], node.const)
    if isinstance(node, tuple):
        return tuple(_renamed(part, names) for part in node)
    if not is_dataclass(node) or isinstance(node, (Buffer, PositionTable)):
        return node
    changed = {f.name: _renamed(getattr(node, f.name), names) for f in fields(node)}
    if isinstance(node, (Let, Assign, Accumulate)):
        changed["name"] = names.get(node.name, node.name)
    return replace(node, **changed)  # type: ignore[type-var]


def _replaced(node: Any, known: Mapping[Any, Variable]) -> Any:
    """A value with names in place of loads."""
    if isinstance(node, Load):
        return known.get(node, node)
    if isinstance(node, tuple):
        return tuple(_replaced(part, known) for part in node)
    if not is_dataclass(node) or isinstance(node, (Buffer, PositionTable)):
        return node
    return replace(node, **{f.name: _replaced(getattr(node, f.name), known) for f in fields(node)})  # type: ignore[type-var]


def _every(node: Any, kind: type) -> list[Any]:
    """All nodes of a kind in a value."""
    found = [node] if isinstance(node, kind) else []
    if isinstance(node, tuple):
        return [one for part in node for one in _every(part, kind)]
    if is_dataclass(node) and not isinstance(node, (Buffer, PositionTable)):
        for f in fields(node):
            found += _every(getattr(node, f.name), kind)
    return found


def _names(node: Any) -> set[str]:
    return {variable.name for variable in _every(node, Variable)}
