"""How large the integers of a program get: what an int has to hold.

Plain interval arithmetic over loops: the answer may be larger than what is reached, never smaller.
Every part of a position counts, for a compiler computes the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

from netsheet.loops import ir

Interval: TypeAlias = "tuple[int, int]"


def reach(program: ir.Program) -> int:
    """The largest magnitude of any integer that a program computes, its sizes included."""
    buffers = [*program.inputs, *program.outputs]
    buffers += [buffer for function in program.functions for buffer in function.buffers]
    found = _Reach()
    found.most = max([program.arena, *(buffer.size for buffer in buffers)], default=0)
    for function in program.functions:
        found.body(function.body, {})
    return found.most


class _Reach:
    """Walks functions with the interval of every integer that has a name."""

    def __init__(self) -> None:
        self.most = 0

    def body(self, body: Sequence[ir.Statement], known: dict[str, Interval]) -> None:
        """Statements of one block."""
        for node in body:
            if isinstance(node, ir.Let) and node.dtype == ir.INT and node.value is not None:
                known[node.name] = self.interval(node.value, known)
            elif isinstance(node, ir.For):
                low, high = self.interval(node.low, known), self.interval(node.high, known)
                self.body(node.body, {**known, node.index: (low[0], max(high[1], low[0]))})
            elif isinstance(node, ir.If):
                self.parts(node.test, known)
                self.body(node.then, dict(known))
                self.body(node.otherwise, dict(known))
            else:
                if isinstance(node, ir.Kernel):
                    self._geometry(node)
                if isinstance(node, ir.Tile):
                    self._seen(node.shape.reach, node.shape.block, node.sums.size)
                    self.parts((node.x, node.weights, node.start), known)
                else:
                    self.parts(node, known)

    def _geometry(self, node: ir.Kernel) -> None:
        row = node.geometry
        numbers = [getattr(row, field.name) for field in fields(row)]
        self._seen(max(abs(one) for one in numbers if isinstance(one, int)))
        self._seen(row.pixels * row.stride + row.taps * row.dilation + abs(row.before))
        for step in (row.step, row.y_step):
            self._seen((row.pixels + node.function.pixels) * step + abs(row.back))

    def parts(self, node: Any, known: dict[str, Interval]) -> None:
        """All positions inside of something."""
        if node is None or isinstance(node, LEAVES):
            if isinstance(node, ir.Buffer):
                self._seen(node.size)
        elif isinstance(node, tuple):
            for part in node:
                self.parts(part, known)
        elif isinstance(node, INTEGERS) and not (
            isinstance(node, ir.Variable) and node.name not in known
        ):
            self.interval(node, known)
        elif is_dataclass(node):
            for field in fields(node):
                self.parts(getattr(node, field.name), known)

    def _seen(self, *numbers: int) -> None:
        self.most = max(self.most, *numbers)

    def interval(self, node: Any, known: dict[str, Interval]) -> Interval:
        """Between which numbers a position lies."""
        low, high = self._interval(node, known)
        self._seen(abs(low), abs(high))
        return low, high

    def _interval(self, node: Any, known: dict[str, Interval]) -> Interval:
        if isinstance(node, int):
            return node, node
        if isinstance(node, ir.Variable):
            return known[node.name]
        if isinstance(node, ir.Combination):
            return self._combined(node, known)
        if isinstance(node, (ir.FloorDivide, ir.Modulo)):
            low, high = self.interval(node.value, known)
            self._seen(node.divisor, abs(low) + node.divisor)  # as the helpers round down
            if isinstance(node, ir.Modulo):
                return 0, min(node.divisor - 1, high) if low >= 0 else node.divisor - 1
            return low // node.divisor, high // node.divisor
        if isinstance(node, (ir.Least, ir.Greatest)):
            left, right = self.interval(node.left, known), self.interval(node.right, known)
            chosen = min if isinstance(node, ir.Least) else max
            return chosen(left[0], right[0]), chosen(left[1], right[1])
        if isinstance(node, ir.Times):
            total = (1, 1)
            for part in node.parts:
                one = self.interval(part, known)
                ends = [a * b for a in total for b in one]
                total = min(ends), max(ends)
                self._seen(*map(abs, ends))
            return total
        if isinstance(node, ir.TableEntry):
            self.interval(node.position, known)
            return min(node.table.values), max(node.table.values)
        if isinstance(node, ir.PositionOf):
            self.parts(node.value, known)
            return 0, node.size
        if isinstance(node, ir.Conditional):
            self.parts(node.test, known)
            left, right = self.interval(node.then, known), self.interval(node.otherwise, known)
            return min(left[0], right[0]), max(left[1], right[1])
        self.parts(node, known)  # a value
        return 0, 0

    def _combined(self, node: ir.Combination, known: dict[str, Interval]) -> Interval:
        """A sum: its positive and its negative parts each for themselves count as well."""
        low = high = node.const
        up, down = max(node.const, 0), min(node.const, 0)
        for factor, term in node.terms:
            one = self.interval(term, known)
            ends = sorted((factor * one[0], factor * one[1]))
            low, high = low + ends[0], high + ends[1]
            up, down = up + max(ends[1], 0), down + min(ends[0], 0)
        self._seen(up, -down)
        return low, high


LEAVES = (ir.Buffer, ir.PositionTable, ir.Literal, str, float, bool)
INTEGERS = (
    int, ir.Variable, ir.Combination, ir.FloorDivide, ir.Modulo, ir.Least, ir.Greatest, ir.Times,
    ir.TableEntry, ir.PositionOf,
)  # fmt: skip
