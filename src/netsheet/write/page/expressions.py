"""Compositions of values as plain lists, which assets/explain.js evaluates and prints.

An expression is a number: its place in ``nodes``. A position is ``[const, factor, atom, ...]``;
an atom is the number of an index, or ``["q", position, divisor]`` for a quotient, ``["m", ...]``
for a remainder, ``["t", table, position]`` for a table and ``["g", expression, size]`` for a
computed position.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netsheet.equations import (
    Affine,
    Call,
    Const,
    Equation,
    Expr,
    Gather,
    Guard,
    Index,
    Lookup,
    Number,
    Quotient,
    Read,
    Reduce,
    Remainder,
    Select,
    Tensor,
    children,
    in_order,
)
from netsheet.explanation.composition import Composition, Compositions, compositions

MAX_NODES = 4000  # of one tensor's expressions; larger ones are shown without an explanation
MAX_TREE = 20_000  # the same, with shared parts counted each time: they are printed each time
_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}


def explained(
    tensor: Tensor, equations: Sequence[Equation], number: Callable[[Tensor], Any]
) -> dict[str, Any] | None:
    """How the elements of a tensor are made; None where that cannot be said.

    ``number`` says what a tensor or a weight is called: its place in the page's lists.
    """
    found = compositions(tensor, equations)
    if found is None:
        return None
    writer = _Writer(number)
    written = writer.compositions(found)
    return written if len(writer.nodes) <= MAX_NODES and writer.tree <= MAX_TREE else None


class _Writer:
    """Writes the expressions of one tensor; what is shared is written once."""

    def __init__(self, number: Callable[[Tensor], Any]) -> None:
        self.number = number
        self.nodes: list[Any] = []
        self.indices: dict[Index, int] = {}
        self.tables: dict[tuple[int, ...], int] = {}
        self.standins: dict[Tensor, int] = {}
        self._known: dict[int, int] = {}
        self._sizes: list[int] = []
        self._kept: list[Expr] = []  # so that no identity is used twice

    @property
    def tree(self) -> int:
        """Nodes of the largest expression, shared ones counted as often as they are used."""
        return max(self._sizes, default=0)

    def compositions(self, found: Compositions) -> dict[str, Any]:
        """All parts, and the lists that they refer to."""
        at = [self.index(index) for index in found.at]
        parts = [self._part(part) for part in found.parts]
        return {
            "at": at,
            "parts": parts,
            "nodes": self.nodes,
            "indices": [[index.name, index.size] for index in self.indices],
            "tables": [list(table) for table in self.tables],
            "standins": len(self.standins),
        }

    def _part(self, part: Composition) -> dict[str, Any]:
        reductions = []
        for reduction in part.reductions:
            written = {
                "op": reduction.op,
                "over": [self.index(index) for index in reduction.over],
                "where": self.guards(reduction.where),
                "factors": [self.expression(factor) for factor in reduction.factors],
                "is": self._standin(reduction.result),
            }
            reductions.append(written)
        stages = []
        for stage in part.stages:
            value = self.expression(stage.value)
            stages.append([value, self._standin(stage.result)])
        return {
            "where": self.guards(part.where),
            "reductions": reductions,
            "stages": stages,
            "equation": self.expression(part.equation.value),
            "set": [[self.index(i), self.position(at)] for i, at in part.indices.items()],
        }

    def _standin(self, tensor: Tensor) -> int:
        return self.standins.setdefault(tensor, len(self.standins))

    def index(self, index: Index) -> int:
        """The number of an index."""
        return self.indices.setdefault(index, len(self.indices))

    def guards(self, where: Sequence[Guard]) -> list[Any]:
        """Guards as ``[position, low, high]``."""
        return [[self.position(guard.value), guard.low, guard.high] for guard in where]

    def position(self, at: Affine) -> list[Any]:
        """A position."""
        result: list[Any] = [at.const]
        for factor, atom in at.terms:
            result += [factor, self._atom(atom)]
        return result

    def _atom(self, atom: object) -> Any:
        if isinstance(atom, Index):
            return self.index(atom)
        if isinstance(atom, (Quotient, Remainder)):
            kind = "q" if isinstance(atom, Quotient) else "m"
            return [kind, self.position(atom.value), atom.divisor]
        if isinstance(atom, Lookup):
            table = self.tables.setdefault(atom.table, len(self.tables))
            return ["t", table, self.position(atom.value)]
        assert isinstance(atom, Gather)
        return ["g", self.expression(atom.value), atom.size]

    def expression(self, expr: Expr) -> int:
        """The number of an expression, written with its operands if it is new."""
        self._kept.append(expr)
        for node in reversed(in_order(expr)):
            if id(node) not in self._known:
                self.nodes.append(self._node(node))
                below = (self._sizes[self._known[id(child)]] for child in children(node))
                self._sizes.append(1 + sum(below))
                self._known[id(node)] = len(self.nodes) - 1
        return self._known[id(expr)]

    def _node(self, node: Expr) -> list[Any]:
        known: Mapping[int, int] = self._known
        if isinstance(node, Const):
            # JSON has no infinity and no NaN: JavaScript's Number reads these words
            finite = math.isfinite(node.value)
            return ["c", node.value if finite else _WORDS.get(node.value, "NaN")]
        if isinstance(node, Number):
            return ["n", self.position(node.value)]
        if isinstance(node, Read):
            if node.tensor in self.standins:
                return ["z", self.standins[node.tensor]]
            return ["r", self.number(node.tensor), [self.position(at) for at in node.at]]
        if isinstance(node, Call):
            return ["f", node.function, [known[id(arg)] for arg in node.args]]
        if isinstance(node, Select):
            then, otherwise = known[id(node.then)], known[id(node.otherwise)]
            return ["s", self.guards(node.where), then, otherwise]
        assert isinstance(node, Reduce)
        over = [self.index(index) for index in node.over]
        return ["R", node.op, over, self.guards(node.where), known[id(node.body)]]
