"""Runs a program of the loop IR as plain Python, in double precision.

It says what the IR means, as :mod:`netsheet.equations.evaluation` does for equations: kernels run
as their plain loops. It is slow, for small networks, and knows nothing of any target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netsheet.equations import FUNCTIONS, FloatArray
from netsheet.loops.ir import (
    Accumulate,
    AllOf,
    Apply,
    Assign,
    Buffer,
    Classified,
    Combination,
    Comparison,
    Conditional,
    Convert,
    FloorDivide,
    For,
    Greatest,
    If,
    Kernel,
    Least,
    Let,
    Literal,
    Load,
    Modulo,
    Pointer,
    PositionOf,
    Program,
    Statement,
    Store,
    TableEntry,
    Times,
    Variable,
)
from netsheet.loops.products.plain import plain

COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
}  # fmt: skip
COMBINED: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda a, b: a + b, "prod": lambda a, b: a * b, "div": lambda a, b: a / b,
    "max": lambda a, b: b if b > a else a, "min": lambda a, b: b if b < a else a,
}  # fmt: skip


def interpret(program: Program, inputs: Sequence[FloatArray]) -> list[FloatArray]:
    """The outputs, flat and as float64, for inputs of the buffers' sizes in C order.

    Raises:
        IndexError: an offset outside of its buffer.
    """
    with np.errstate(all="ignore"):
        run = _Run(program, inputs)
        for function in program.functions:
            run.names = {}
            run.body(function.body)
    return [np.array(run.memory[buffer]) for buffer in program.outputs]


class _Run:
    """The values of buffers and names while a program runs."""

    def __init__(self, program: Program, inputs: Sequence[FloatArray]) -> None:
        self.arena = [math.nan] * program.arena
        self.memory: dict[Buffer, list[float]] = {
            buffer: [math.nan] * buffer.size for buffer in program.outputs
        }
        for buffer, array in zip(program.inputs, inputs, strict=True):
            self.memory[buffer] = [float(v) for v in np.asarray(array).reshape(-1)]
        self.names: dict[str, Any] = {}

    # ------------------------------------------------------------------ statements

    def body(self, body: tuple[Statement, ...]) -> None:
        """Execute statements."""
        for node in body:
            self._statement(node)

    def _statement(self, node: Statement) -> None:
        names = self.names
        if isinstance(node, (Let, Assign)):
            names[node.name] = None if node.value is None else self.value(node.value)
        elif isinstance(node, Accumulate):
            names[node.name] = COMBINED[node.op](names[node.name], self.value(node.value))
        elif isinstance(node, Store):
            memory, at = self._element(node.target, node.offset)
            memory[at] = self.value(node.value)
        elif isinstance(node, For):
            for value in range(self.value(node.low), self.value(node.high)):
                names[node.index] = value
                self.body(node.body)
        elif isinstance(node, If):
            self.body(node.then if self.value(node.test) else node.otherwise)
        elif isinstance(node, Kernel):
            self.body(plain(node))
        else:  # a pointer: its offset, as it is now
            names[node.name] = self.value(node.offset)

    def _element(self, source: Buffer | Pointer, offset: Any) -> tuple[list[float], int]:
        at = self.value(offset)
        while isinstance(source, Pointer):
            at += self.names[source.name] if source.name else self.value(source.offset)
            source = source.buffer
        if not 0 <= at < source.size:
            raise IndexError(f"{at} in {source.name} of {source.size}")
        if source.place == "arena":
            return self.arena, source.start + at
        if source not in self.memory:
            assert source.values is not None
            self.memory[source] = [float(value) for value in source.values]
        return self.memory[source], at

    # ------------------------------------------------------------------ values

    def value(self, node: Any) -> Any:
        """A position, a value or a test."""
        return _EVALUATED[type(node)](self, node)

    def _load(self, node: Load) -> float:
        memory, at = self._element(node.source, node.offset)
        return memory[at]

    def _apply(self, node: Apply) -> float:
        return float(FUNCTIONS[node.function](*(np.float64(self.value(a)) for a in node.arguments)))

    def _combination(self, node: Combination) -> int:
        total = node.const
        for factor, term in node.terms:
            total += factor * self.value(term)
        return total

    def _position_of(self, node: PositionOf) -> int:
        value = self.value(node.value)
        return 0 if not value >= 0 else node.size - 1 if value >= node.size - 1 else int(value)


_EVALUATED: dict[type, Callable[[_Run, Any], Any]] = {
    int: lambda run, n: n,
    Variable: lambda run, n: run.names[n.name],
    Literal: lambda run, n: n.value,
    Convert: lambda run, n: float(run.value(n.value)),
    Load: _Run._load,
    Apply: _Run._apply,
    Combination: _Run._combination,
    PositionOf: _Run._position_of,
    FloorDivide: lambda run, n: run.value(n.value) // n.divisor,
    Modulo: lambda run, n: run.value(n.value) % n.divisor,
    Least: lambda run, n: min(run.value(n.left), run.value(n.right)),
    Greatest: lambda run, n: max(run.value(n.left), run.value(n.right)),
    Times: lambda run, n: math.prod(run.value(part) for part in n.parts),
    TableEntry: lambda run, n: n.table.values[run.value(n.position)],
    Conditional: lambda run, n: run.value(n.then if run.value(n.test) else n.otherwise),
    Comparison: lambda run, n: COMPARED[n.sign](run.value(n.left), run.value(n.right)),
    Classified: lambda run, n: bool(FUNCTIONS[n.function](np.float64(run.value(n.value)))),
    AllOf: lambda run, n: all(run.value(test) for test in n.tests),
}
