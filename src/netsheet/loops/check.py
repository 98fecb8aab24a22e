"""Proves that a program reads and writes inside its buffers, and that its types fit.

It runs before anything is printed: what it cannot prove is refused by name.
"""

from __future__ import annotations

import math
import re
from dataclasses import fields, is_dataclass
from typing import TypeAlias

import numpy as np

from netsheet.equations import FUNCTIONS, WHOLE_FUNCTIONS
from netsheet.errors import NetsheetError
from netsheet.loops import ir
from netsheet.loops.bounds import Bounds, LinearSum
from netsheet.loops.passes.rescaling import SHORT_FUNCTIONS
from netsheet.loops.products.plain import plain, plain_tile

MOST_ENTRIES = 1 << 10  # of a table that are gone through one by one
ANY = "any"  # of a value that is an error

Types: TypeAlias = "dict[str, str]"  # the dtypes of names


def check(program: ir.Program) -> None:
    """Check every function.

    Raises:
        NetsheetError: a position outside of its buffer or table, a type that does not fit, a write
            into what is only read, or a buffer outside the arena; names the layer.
    """
    for function in program.functions:
        for buffer in function.buffers:
            if buffer.place == "arena" and not 0 <= buffer.start <= program.arena - _words(buffer):
                raise _fault(function, f"{buffer.note} lies outside the arena")
        _Checker(function).body(function.body, Bounds(), {})


def _words(buffer: ir.Buffer) -> int:
    return -(-buffer.size * np.dtype(buffer.dtype).itemsize // 4)


def _fault(function: ir.Function, what: str) -> NetsheetError:
    layers = sorted({_layer(buffer.note) for buffer in function.written if buffer.note})
    return NetsheetError(
        f"layer {', '.join(layers) or function.name!r} cannot be written as loops: {what}; "
        "its sizes contradict each other. Please report this, with the file if you can."
    )


def _layer(tensor: str) -> str:
    """The layer that a tensor of the passes belongs to: ``conv1`` for ``conv1/output0``."""
    return re.sub(r"(/(output\d+|inside|rows|part\d+))+$", "", tensor)


class _Checker:
    """Walks a function with what is known at each point: bounds, and the types of names."""

    def __init__(self, function: ir.Function) -> None:
        self.function = function

    # ------------------------------------------------------------------ statements

    def body(self, body: tuple[ir.Statement, ...], bounds: Bounds, types: Types) -> None:
        """Statements of one block."""
        for node in body:
            self._statement(node, bounds, types)

    def _statement(self, node: ir.Statement, bounds: Bounds, types: Types) -> None:
        if isinstance(node, ir.Let):
            self._let(node, bounds, types)
        elif isinstance(node, ir.Pointer):
            self._position(node.offset, bounds, types)
        elif isinstance(node, (ir.Assign, ir.Accumulate)):
            self._typed(node.value, types[node.name], bounds, types)
        elif isinstance(node, ir.Store):
            self._store(node, bounds, types)
        elif isinstance(node, ir.For):
            self._position(node.low, bounds, types)
            self._position(node.high, bounds, types)
            self._loop(node, bounds, {**types, node.index: ir.INT})
        elif isinstance(node, ir.If):
            self._test(node.test, bounds, types)
            for branch, holds in ((node.then, True), (node.otherwise, False)):
                inside = bounds.copy()
                inside.where(node.test, holds)
                self.body(branch, inside, dict(types))
        elif isinstance(node, ir.Tile):
            self._tile(node, bounds, types)
        else:
            assert isinstance(node, ir.Kernel)
            self.body(plain(node), bounds.copy(), dict(types))

    def _tile(self, node: ir.Tile, bounds: Bounds, types: Types) -> None:
        """The loops, and what is read beside that: whole pairs of inputs and of weights."""
        shape = node.shape
        for place, size in ((node.x, shape.reach), (node.weights, shape.block)):
            for end in (0, size - 1):
                self._inside(place, end, bounds, types)
        if node.sums.place != "local" or node.sums.size < shape.pixels * shape.channels:
            raise _fault(self.function, f"{node.sums.name} does not hold the sums of a tile")
        self.body(plain_tile(node), bounds.copy(), dict(types))

    def _loop(self, node: ir.For, bounds: Bounds, types: Types) -> None:
        """The body for all values at once; where tables go together, for one after the other."""
        inside = bounds.copy()
        inside.loop(node.index, node.low, node.high)
        try:
            self.body(node.body, inside, dict(types))
        except NetsheetError:
            if not isinstance(node.low, int) or not isinstance(node.high, int):
                raise
            if node.high - node.low > MOST_ENTRIES or not _looks_up(node.body, node.index):
                raise
            for value in range(node.low, node.high):
                inside = bounds.copy()
                inside.let(node.index, value)
                self.body(node.body, inside, dict(types))

    def _let(self, node: ir.Let, bounds: Bounds, types: Types) -> None:
        types[node.name] = node.dtype
        if node.value is None:
            return
        if isinstance(node.value, (ir.Comparison, ir.Classified, ir.AllOf)):
            self._test(node.value, bounds, types)
            return
        self._typed(node.value, node.dtype, bounds, types)
        if node.dtype == ir.INT and not node.mutable:
            bounds.let(node.name, node.value)  # type: ignore[arg-type]

    def _store(self, node: ir.Store, bounds: Bounds, types: Types) -> None:
        buffer = self._inside(node.target, node.offset, bounds, types)
        if buffer not in self.function.written and buffer.place != "local":
            raise _fault(self.function, f"it writes into {buffer.note or buffer.name}")
        self._typed(node.value, _computed(buffer.dtype), bounds, types)

    # ------------------------------------------------------------------ memory

    def _inside(
        self,
        source: ir.Buffer | ir.Pointer,
        offset: ir.Integer,
        bounds: Bounds,
        types: Types,
    ) -> ir.Buffer:
        """The buffer, in which the offset is proved to lie."""
        self._position(offset, bounds, types)
        total = bounds.sum(offset)
        while isinstance(source, ir.Pointer):
            total = total.plus(bounds.sum(source.offset))
            source = source.buffer
        self._between(total, source.size, f"{source.note or source.name}", bounds)
        return source

    def _between(self, total: LinearSum, size: int, what: str, bounds: Bounds) -> None:
        if bounds.unreachable:
            return
        low, high = (bounds.extreme(total, low) for low in (True, False))
        if math.ceil(low) < 0 or math.floor(high) >= size:
            raise _fault(
                self.function,
                f"a position {math.ceil(low)} to {math.floor(high)} in {what} of {size:,} values",
            )

    # ------------------------------------------------------------------ positions and values

    def _position(self, node: ir.Integer | ir.Scalar, bounds: Bounds, types: Types) -> None:
        """Check what stands in an integer expression."""
        if isinstance(node, int):
            return
        if isinstance(node, ir.Variable):
            if types.get(node.name) != ir.INT:
                raise _fault(self.function, f"{node.name} is no position")
        elif isinstance(node, ir.Combination):
            for _, term in node.terms:
                self._position(term, bounds, types)
        elif isinstance(node, (ir.FloorDivide, ir.Modulo)):
            self._position(node.value, bounds, types)
            if node.divisor < 1 or (
                node.positive and bounds.extreme(bounds.sum(node.value), True) < 0
            ):
                raise _fault(self.function, "a division that may round up")
        elif isinstance(node, (ir.Least, ir.Greatest)):
            self._position(node.left, bounds, types)
            self._position(node.right, bounds, types)
        elif isinstance(node, ir.Times):
            for part in node.parts:
                self._position(part, bounds, types)
        elif isinstance(node, ir.TableEntry):
            self._position(node.position, bounds, types)
            total, name = bounds.sum(node.position), f"the table {node.table.name}"
            self._between(total, len(node.table.values), name, bounds)
        elif isinstance(node, ir.PositionOf):
            self._typed(node.value, node.dtype, bounds, types)
        elif isinstance(node, ir.Conditional):
            self._conditional(node, ir.INT, bounds, types)
        else:
            raise _fault(self.function, f"{type(node).__name__} is no position")

    def _conditional(self, node: ir.Conditional, dtype: str, bounds: Bounds, types: Types) -> None:
        self._test(node.test, bounds, types)
        for side, holds in ((node.then, True), (node.otherwise, False)):
            inside = bounds.copy()
            inside.where(node.test, holds)
            self._typed(side, dtype, inside, types)

    def _typed(
        self, node: ir.Integer | ir.Scalar, dtype: str, bounds: Bounds, types: Types
    ) -> None:
        """Check a value that has to be of a dtype."""
        if dtype == ir.INT and not isinstance(node, (ir.Load, ir.Literal)):
            self._position(node, bounds, types)
            return
        if isinstance(node, ir.Literal):
            found = node.dtype
        elif isinstance(node, ir.Variable):
            found = types.get(node.name, ANY)
        elif isinstance(node, ir.Convert):
            self._position(node.value, bounds, types)
            found = node.dtype
        elif isinstance(node, ir.Load):
            found = _computed(self._inside(node.source, node.offset, bounds, types).dtype)
        elif isinstance(node, ir.Apply):
            if node.function not in {*FUNCTIONS, *WHOLE_FUNCTIONS, *SHORT_FUNCTIONS}:
                raise _fault(self.function, f"there is no function {node.function!r}")
            wanted = {"real": ir.WHOLE, "whole": ir.FLOAT}.get(node.function, node.dtype)
            for argument in node.arguments:
                self._typed(argument, wanted, bounds, types)
            found = node.dtype
        elif isinstance(node, ir.Conditional):
            self._conditional(node, dtype, bounds, types)
            found = dtype
        else:
            found = ANY
        if found != dtype:
            raise _fault(self.function, f"a value of {found} where {dtype} is needed")

    def _test(self, node: ir.Test, bounds: Bounds, types: Types) -> None:
        if isinstance(node, ir.AllOf):
            for test in node.tests:
                self._test(test, bounds, types)
        elif isinstance(node, ir.Classified):
            self._typed(node.value, ir.FLOAT, bounds, types)
        elif isinstance(node, ir.Comparison):
            kinds = self._dtype(node.left, types), self._dtype(node.right, types)
            dtype = next((kind for kind in (ir.FLOAT, ir.WHOLE) if kind in kinds), ir.INT)
            for side in (node.left, node.right):
                self._typed(side, dtype, bounds, types)

    def _dtype(self, node: ir.Integer | ir.Scalar, types: Types) -> str:
        if isinstance(node, ir.Variable):
            return types.get(node.name, ANY)
        if isinstance(node, ir.Load):
            source = node.source
            while isinstance(source, ir.Pointer):
                source = source.buffer
            return _computed(source.dtype)
        return node.dtype if isinstance(node, (ir.Literal, ir.Convert, ir.Apply)) else ir.INT


def _computed(dtype: str) -> str:
    """The type in which numbers of a dtype are computed with."""
    return ir.WHOLE if dtype in ir.NARROW else dtype


def _looks_up(node: object, index: str) -> bool:
    """True if a table is read at a loop's variable in some part of a node."""
    if isinstance(node, ir.TableEntry) and node.position == ir.Variable(index):
        return True
    if isinstance(node, tuple):
        return any(_looks_up(part, index) for part in node)
    if not is_dataclass(node) or isinstance(node, (ir.Buffer, ir.PositionTable)):
        return False
    return any(_looks_up(getattr(node, field.name), index) for field in fields(node))
