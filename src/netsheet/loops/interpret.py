"""Runs a program of the loop IR as plain Python, in double precision.

It says what the IR means, as :mod:`netsheet.equations.evaluation` does for equations: kernels run
as their plain loops. It is slow, for small networks, and knows nothing of any target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netsheet.equations import FUNCTIONS, WHOLE_FUNCTIONS, FloatArray
from netsheet.loops import ir
from netsheet.loops.passes.rescaling import SHORT_FUNCTIONS
from netsheet.loops.products.plain import plain, plain_tile

ALL_FUNCTIONS = {**FUNCTIONS, **WHOLE_FUNCTIONS, **SHORT_FUNCTIONS}
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
}  # fmt: skip
COMBINED: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda a, b: a + b, "prod": lambda a, b: a * b, "div": lambda a, b: a / b,
    "max": lambda a, b: b if b > a else a, "min": lambda a, b: b if b < a else a,
}  # fmt: skip


def interpret(program: ir.Program, inputs: Sequence[FloatArray]) -> list[FloatArray]:
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

    def __init__(self, program: ir.Program, inputs: Sequence[FloatArray]) -> None:
        self.arena = [math.nan] * (4 * program.arena)  # by bytes: a number stands at its first
        self.memory: dict[ir.Buffer, list[float]] = {
            buffer: [math.nan] * buffer.size for buffer in program.outputs
        }
        for buffer, array in zip(program.inputs, inputs, strict=True):
            self.memory[buffer] = [float(v) for v in np.asarray(array).reshape(-1)]
        self.names: dict[str, Any] = {}

    # ------------------------------------------------------------------ statements

    def body(self, body: tuple[ir.Statement, ...]) -> None:
        """Execute statements."""
        for node in body:
            self._statement(node)

    def _statement(self, node: ir.Statement) -> None:
        names = self.names
        if isinstance(node, (ir.Let, ir.Assign)):
            names[node.name] = None if node.value is None else self.value(node.value)
        elif isinstance(node, ir.Accumulate):
            names[node.name] = COMBINED[node.op](names[node.name], self.value(node.value))
        elif isinstance(node, ir.Store):
            memory, at = self._element(node.target, node.offset)
            memory[at] = self.value(node.value)
        elif isinstance(node, ir.For):
            for value in range(self.value(node.low), self.value(node.high)):
                names[node.index] = value
                self.body(node.body)
        elif isinstance(node, ir.If):
            self.body(node.then if self.value(node.test) else node.otherwise)
        elif isinstance(node, ir.Kernel):
            self.body(plain(node))
        elif isinstance(node, ir.Tile):
            self.memory[node.sums] = [math.nan] * node.sums.size
            self.body(plain_tile(node))
        else:  # a pointer: its offset, as it is now
            names[node.name] = self.value(node.offset)

    def _element(self, source: ir.Buffer | ir.Pointer, offset: Any) -> tuple[list[float], int]:
        at = self.value(offset)
        while isinstance(source, ir.Pointer):
            at += self.names[source.name] if source.name else self.value(source.offset)
            source = source.buffer
        if not 0 <= at < source.size:
            raise IndexError(f"{at} in {source.name} of {source.size}")
        if source.place == "arena":
            return self.arena, 4 * source.start + at * np.dtype(source.dtype).itemsize
        if source not in self.memory:
            assert source.values is not None
            self.memory[source] = [float(value) for value in source.values]
        return self.memory[source], at

    # ------------------------------------------------------------------ values

    def value(self, node: Any) -> Any:
        """A position, a value or a test."""
        return _EVALUATED[type(node)](self, node)

    def _load(self, node: ir.Load) -> float:
        memory, at = self._element(node.source, node.offset)
        return memory[at]

    def _apply(self, node: ir.Apply) -> float:
        function = ALL_FUNCTIONS[node.function]
        return float(function(*(np.float64(self.value(a)) for a in node.arguments)))

    def _combination(self, node: ir.Combination) -> int:
        total = node.const
        for factor, term in node.terms:
            total += factor * self.value(term)
        return total

    def _position_of(self, node: ir.PositionOf) -> int:
        value = self.value(node.value)
        return 0 if not value >= 0 else node.size - 1 if value >= node.size - 1 else int(value)


_EVALUATED: dict[type, Callable[[_Run, Any], Any]] = {
    int: lambda run, n: n,
    ir.Variable: lambda run, n: run.names[n.name],
    ir.Literal: lambda run, n: n.value,
    ir.Convert: lambda run, n: float(run.value(n.value)),
    ir.Load: _Run._load,
    ir.Apply: _Run._apply,
    ir.Combination: _Run._combination,
    ir.PositionOf: _Run._position_of,
    ir.FloorDivide: lambda run, n: run.value(n.value) // n.divisor,
    ir.Modulo: lambda run, n: run.value(n.value) % n.divisor,
    ir.Least: lambda run, n: min(run.value(n.left), run.value(n.right)),
    ir.Greatest: lambda run, n: max(run.value(n.left), run.value(n.right)),
    ir.Times: lambda run, n: math.prod(run.value(part) for part in n.parts),
    ir.TableEntry: lambda run, n: n.table.values[run.value(n.position)],
    ir.Conditional: lambda run, n: run.value(n.then if run.value(n.test) else n.otherwise),
    ir.Comparison: lambda run, n: COMPARED[n.sign](run.value(n.left), run.value(n.right)),
    ir.Classified: lambda run, n: bool(FUNCTIONS[n.function](np.float64(run.value(n.value)))),
    ir.AllOf: lambda run, n: all(run.value(test) for test in n.tests),
}
