"""Rescaling: rounded products of whole numbers that need no care for the ends of 32 bits.

A quantised network multiplies every sum by a factor of 31 bits, divides by a power of two, and
holds the result in a byte. What the numbers can be at most is known, from the sums' own limits on:
nearly always short forms give the same, to the last bit. They are functions of the loop IR alone:

- ``short_product(a, b)`` is ``high_product(a, b)`` for ``|a| < 2^30`` and ``b >= 0``.
- ``rescaled(a, b, n)`` is ``shift_right(short_product(a, b), n)`` for ``n >= 1``, where half of
  ``2^n`` may be added.
- ``int8(a)`` is ``a`` held between -128 and 127.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from netsheet.equations import LIMITS, WHOLE_FUNCTIONS
from netsheet.loops.ir import (
    NARROW,
    WHOLE,
    Apply,
    Buffer,
    Comparison,
    Conditional,
    For,
    Function,
    If,
    Let,
    Literal,
    Load,
    Pointer,
    Statement,
    Store,
    Tile,
    Variable,
)

SHORT, END = 2**30, 2**31
BYTE = LIMITS["int8"]


def _rescaled(a: Any, b: Any, n: Any) -> Any:
    return WHOLE_FUNCTIONS["shift_right"](WHOLE_FUNCTIONS["high_product"](a, b), n)


# What each means, as the functions of equations have it.
SHORT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "short_product": WHOLE_FUNCTIONS["high_product"],
    "rescaled": _rescaled,
    "int8": lambda a: np.clip(a, *BYTE),
}


def with_short_products(function: Function) -> Function:
    """The function with short forms where they are right."""
    rescaling = _Rescaling()
    body = rescaling.body(function.body)
    return replace(function, body=_without(body, rescaling.spent - set(_names(body))))


def _names(node: object) -> Iterator[str]:
    """The names that statements use."""
    if isinstance(node, Variable):
        yield node.name
    elif isinstance(node, tuple):
        for part in node:
            yield from _names(part)
    elif is_dataclass(node) and not isinstance(node, Buffer):
        for one in fields(node):
            yield from _names(getattr(node, one.name))


def _without(body: tuple[Statement, ...], names: AbstractSet[str]) -> tuple[Statement, ...]:
    """The statements but for the values of these names."""
    kept: list[Statement] = []
    for node in body:
        if isinstance(node, For):
            kept.append(replace(node, body=_without(node.body, names)))
        elif isinstance(node, If):
            then, otherwise = _without(node.then, names), _without(node.otherwise, names)
            kept.append(replace(node, then=then, otherwise=otherwise))
        elif not isinstance(node, Let) or node.name not in names:
            kept.append(node)
    return tuple(kept)


@dataclass
class _Rescaling:
    """Walks a function with the largest magnitude of what has a name."""

    limits: dict[str, int] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)  # of names that never change
    spent: set[str] = field(default_factory=set)  # names that may be of no more use

    def body(self, body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return tuple(self._statement(node) for node in body)

    def _statement(self, node: Statement) -> Statement:
        if isinstance(node, For):
            return replace(node, body=self.body(node.body))
        if isinstance(node, If):
            return replace(node, then=self.body(node.then), otherwise=self.body(node.otherwise))
        if isinstance(node, Tile):
            self.limits[node.sums.name] = node.limit
            return node
        if isinstance(node, Let):
            value = self.value(node.value)
            if node.dtype == WHOLE and not node.mutable:
                self.limits[node.name] = self.limit(value)
                self.values[node.name] = value
            return replace(node, value=value)
        if isinstance(node, Store):
            return replace(node, value=self.value(node.value))
        return node if isinstance(node, Pointer) else self.value(node)

    # ------------------------------------------------------------------ values

    def value(self, node: Any) -> Any:
        """The value with its parts in their short forms."""
        if not is_dataclass(node) or isinstance(node, (Buffer, Pointer)):
            return node
        changed = {}
        for one in fields(node):
            old = getattr(node, one.name)
            new = tuple(map(self.value, old)) if isinstance(old, tuple) else self.value(old)
            if new is not old and new != old:
                changed[one.name] = new
        node = replace(node, **changed) if changed else node  # type: ignore[type-var]
        if isinstance(node, Conditional):
            return self._byte(node)
        return self._shortened(node) if isinstance(node, Apply) else node

    def _shortened(self, node: Apply) -> Apply:
        if node.function == "high_product":
            a, b = node.arguments
            ends = _ends(b)
            if ends is not None and ends[0] >= 0 and self.limit(a) < SHORT:
                return replace(node, function="short_product")
        if node.function == "shift_right":
            inner, n = node.arguments
            bits = _ends(n)
            if isinstance(inner, Apply) and inner.function == "short_product" and bits is not None:
                most = self.limit(inner)
                if bits[0] >= 1 and bits[1] <= 30 and most + 2 ** (bits[1] - 1) < END:
                    return replace(node, function="rescaled", arguments=(*inner.arguments, n))
        return node

    def _byte(self, node: Conditional) -> Any:
        """A number that is held in a byte, said at once."""
        low, high = (float(end) for end in BYTE)
        inner = _held(node, ">", high)
        first = self.values.get(inner.name) if isinstance(inner, Variable) else inner
        value = _held(first, "<", low)
        if value is None:
            return node
        if isinstance(inner, Variable):
            self.spent.add(inner.name)
        return Apply("int8", (value,), WHOLE)

    # ------------------------------------------------------------------ limits

    def limit(self, node: Any) -> int:
        """A magnitude that a value of 32 bits never exceeds."""
        return min(self._limit(node), END)

    def _limit(self, node: Any) -> int:
        if isinstance(node, Literal):
            return abs(int(node.value))
        if isinstance(node, Variable):
            return self.limits.get(node.name, END)
        if isinstance(node, Load):
            source = node.source
            while isinstance(source, Pointer):
                source = source.buffer
            ends = _ends(node)
            if source.dtype in NARROW:
                ends = ends or LIMITS[source.dtype]
            return max(map(abs, ends)) if ends else self.limits.get(source.name, END)
        if isinstance(node, Conditional):
            return self._chosen(node)
        if isinstance(node, Apply):
            return self._applied(node.function, [self.limit(a) for a in node.arguments], node)
        return END

    def _chosen(self, node: Conditional) -> int:
        sides = self.limit(node.then), self.limit(node.otherwise)
        return max(sides)

    def _applied(self, function: str, sizes: list[int], node: Apply) -> int:
        if function == "int8":
            return -BYTE[0]
        if function in ("add", "sub"):
            return sum(sizes)
        if function == "mul":
            return sizes[0] * sizes[1]
        if function in ("high_product", "short_product", "rescaled"):
            return sizes[0] * sizes[1] // END + 1
        if function in ("shift_right", "neg", "rounded_quotient"):
            return sizes[0]
        if function == "shift_left":
            ends = _ends(node.arguments[1])
            return sizes[0] << ends[1] if ends is not None and 0 <= ends[1] < 32 else END
        return END


def _ends(node: Any) -> tuple[int, int] | None:
    """The smallest and the largest value of a constant."""
    if isinstance(node, Literal):
        return int(node.value), int(node.value)
    if isinstance(node, Load) and isinstance(node.source, Buffer):
        values = node.source.values
        if values is not None and values.size and values.dtype.kind == "i":
            return int(values.min()), int(values.max())
    return None


def _held(node: Any, sign: str, limit: float) -> Any:
    """What a value is that a limit holds, or None."""
    if not isinstance(node, Conditional) or not isinstance(node.test, Comparison):
        return None
    test = node.test
    bound = Literal(limit, WHOLE)
    fits = test.sign == sign and test.right == bound and node.then == bound
    return node.otherwise if fits and node.otherwise == test.left else None
