"""Any equations as ONNX nodes: the general way, for what has no operator of its own.

As in :mod:`netsheet.equations.evaluation`, an expression becomes an array over the indices that
it depends on; here the array is the name of an ONNX value, with the batch axis in front if it
depends on the input. Positions and guards are tables worked out beforehand; reading is Reshape,
Slice or Gather; a sum of products is one Einsum or MatMul. A recurrence is written out step by
step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import (
    FLOAT,
    WHOLE,
    Affine,
    Call,
    Const,
    Equation,
    Expr,
    Gather,
    Guard,
    Index,
    Number,
    Quotient,
    Read,
    Reduce,
    Remainder,
    Select,
    Tensor,
    Weight,
    dtype_of,
)
from netsheet.equations.evaluation import recurrences
from netsheet.equations.grids import (
    Grid,
    counts_up,
    element_grid,
    guard_grid,
    is_static,
    position_grid,
    union,
)
from netsheet.write.onnx.arrays import Arrays
from netsheet.write.onnx.contraction import Part
from netsheet.write.onnx.functions import BOOL, COMPARE, INT64, cast, spell
from netsheet.write.onnx.functions import FLOAT as FLOAT32
from netsheet.write.onnx.pieces import Filling
from netsheet.write.onnx.reading import read_static
from netsheet.write.onnx.whole import NUMBERS, as_whole, computed

if TYPE_CHECKING:
    from netsheet.write.onnx.builder import Builder


TRUTHS = ("less", "less_equal", "equal")  # functions that give 0 and 1


class Printer(Arrays):
    """Prints equations into a graph; ``values`` names the tensors known before."""

    def __init__(self, graph: Builder, values: Mapping[Tensor, str]) -> None:
        super().__init__(graph)
        self._values = dict(values)
        self._filling: dict[Tensor, Filling] = {}
        # values whose axes are stored in another order, as a convolution leaves them
        self._turned: dict[Tensor, tuple[str, tuple[int, ...]]] = {}

    def run(self, equations: Iterable[Equation]) -> None:
        """Nodes for all of the equations, in order."""
        for group in recurrences(equations):
            time = group[0].time
            if time is None:
                self._assign(group[0])
                continue
            for step in range(time.size):
                self._fixed = {time: step}
                for eq in group:
                    self._assign(eq)
            self._fixed = {}

    def whole(self, tensor: Tensor) -> str:
        """The value of a complete tensor, with batch axis."""
        if tensor in self._turned:
            name, order = self._turned.pop(tensor)
            back = [order.index(axis) + 1 for axis in range(len(order))]
            self._values[tensor] = str(self.graph.node("Transpose", [name], perm=[0, *back]))
        if tensor in self._filling:
            every = np.arange(tensor.size, dtype=np.int64)
            flat = self._filling.pop(tensor).gather(self.graph, every)
            self._values[tensor] = self._reshape(flat, tensor.shape, True)
        return self._values[tensor]

    # ------------------------------------------------------------------ left sides

    def _assign(self, eq: Equation) -> None:
        dims = tuple(index for index in eq.indices if index not in self._fixed)
        places = [position_grid(at, self._fixed) for at in eq.at]
        elements = element_grid(places, eq.target.shape, dims).array.reshape(-1)
        part = self._value(eq.value, computed(eq.target))
        if self._stays_turned(eq, part, dims):
            order = tuple(dims.index(index) for index in part.dims)
            self._turned[eq.target] = part.name, order
            return
        value = self._filled(part, dims)
        if eq.target.dtype != FLOAT:
            value = cast(self.graph, value, NUMBERS[eq.target.dtype])
        if eq.target not in self._filling and counts_up(elements, eq.target.size):
            shape = tuple(index.size for index in dims)
            same = shape == eq.target.shape
            name = value if same else self._reshape(value, eq.target.shape, True)
            self._values[eq.target] = name
            return
        filling = self._filling.setdefault(eq.target, Filling(eq.target))
        filling.add(self._reshape(value, (elements.size,), True), elements)

    def _stays_turned(self, eq: Equation, part: Part, dims: Sequence[Index]) -> bool:
        """True for a whole tensor whose axes only stand in another order."""
        if self._fixed or eq.target in self._filling or eq.target.dtype != FLOAT:
            return False
        if not part.batched or part.dims == tuple(dims) or set(part.dims) != set(dims):
            return False
        shape = tuple(index.size for index in dims)
        return shape == eq.target.shape and [at.single() for at in eq.at] == list(dims)

    def _filled(self, part: Part, dims: Sequence[Index]) -> str:
        """The value repeated over every sample and every index of ``dims``."""
        name = self._spread(part, dims)
        rank = len(dims)
        if not part.batched:
            missing = rank - len(part.dims)
            if missing and len(set(part.dims)) + missing == rank:
                name = self._lead(name, part, dims)
            name = self.graph.batched(name, rank)
        if set(part.dims) == set(dims):
            return name
        shape = np.array([1, *(index.size for index in dims)], np.int64)
        return str(self.graph.node("Expand", [name, self.graph.constant(shape)]))

    def _lead(self, name: str, part: Part, dims: Sequence[Index]) -> str:
        """A value without batch given all its axes, those in front too."""
        shape = [index.size if index in part.dims else 1 for index in dims]
        return self._reshape(name, shape, False)

    # ------------------------------------------------------------------ expressions

    def _value(self, expr: Expr, dtype: str = FLOAT) -> Part:
        """An expression; a mere number in it is of ``dtype``."""
        dtype = dtype_of(expr) or dtype
        if isinstance(expr, Const):
            return self._number(expr.value, dtype)
        if isinstance(expr, Number):
            place = self._position(expr.value)
            if isinstance(place, Grid):
                array = place.array.astype(np.float32 if dtype == FLOAT else np.int64)
                return self._grid(Grid(place.dims, array))._replace(dtype=dtype)
            name = cast(self.graph, place.name, FLOAT32 if dtype == FLOAT else INT64)
            return place._replace(name=name, dtype=dtype)
        if isinstance(expr, Read):
            part = self._read(expr)
            return part if dtype == FLOAT else as_whole(self.graph, part)
        if isinstance(expr, Call):
            if self._is_share(expr):
                return self._apply("Mul", *map(self._value, expr.args[:2]))
            if expr.function == "if":
                return self._choice(expr, dtype)
            wanted = {"real": WHOLE, "whole": FLOAT}.get(expr.function, dtype)
            parts = [self._value(arg, wanted) for arg in expr.args]
            names, dims, batched = self._elementwise(parts)
            return Part(spell(self.graph, expr.function, names), dims, batched, dtype)
        if isinstance(expr, Select):
            return self._select(expr, dtype)
        assert isinstance(expr, Reduce)
        return self._reduce(expr, dtype)

    def _choice(self, expr: Call, dtype: str) -> Part:
        """One of two values, by a test."""
        test, *values = expr.args
        parts = [self._truth(test, dtype), *(self._value(arg, dtype) for arg in values)]
        return self._apply("Where", *parts)._replace(dtype=dtype)

    def _truth(self, expr: Expr, dtype: str) -> Part:
        """A test as true and false; elsewhere it is 1 and 0."""
        if isinstance(expr, Call) and expr.function in COMPARE:
            return self._apply(COMPARE[expr.function], *(self._value(a, dtype) for a in expr.args))
        found = self._value(expr, dtype)
        return found._replace(name=cast(self.graph, found.name, BOOL))

    def _is_share(self, expr: Call) -> bool:
        """True for ``value if test else 0`` of a finite value: a product, which is much faster."""
        if expr.function != "if":
            return False
        test, then, otherwise = expr.args
        return (
            isinstance(test, Call)
            and test.function in TRUTHS
            and isinstance(then, Read)
            and then.tensor in self.graph.finite
            and isinstance(otherwise, Const)
            and otherwise.value == 0
        )

    def _select(self, expr: Select, dtype: str) -> Part:
        mask = self._mask(expr.where)
        if isinstance(mask, Grid) and (mask.array.all() or not mask.array.any()):
            return self._value(expr.then if mask.array.all() else expr.otherwise, dtype)
        test = self._grid(mask) if isinstance(mask, Grid) else mask
        then, otherwise = self._value(expr.then, dtype), self._value(expr.otherwise, dtype)
        return self._apply("Where", test, then, otherwise)

    # ------------------------------------------------------------------ positions and reads

    def _position(self, at: Affine) -> Grid | Part:
        """A table, or int64 values where the position is computed."""
        if is_static(at):
            return position_grid(at, self._fixed)
        total = Part(self.graph.constant(np.int64(at.const)), (), False)
        for coefficient, atom in at.terms:
            factor = Part(self.graph.constant(np.int64(coefficient)), (), False)
            total = self._apply("Add", total, self._apply("Mul", self._atom(atom), factor))
        return total

    def _atom(self, atom: object) -> Part:
        if isinstance(atom, Gather):
            value = self._value(atom.value)
            return value._replace(name=cast(self.graph, value.name, INT64))
        if isinstance(atom, Index):
            return self._grid(position_grid(Affine(((1, atom),), 0), self._fixed))
        inner = self._as_part(self._position(atom.value))  # type: ignore[attr-defined]
        if isinstance(atom, (Quotient, Remainder)):
            divisor = Part(self.graph.constant(np.int64(atom.divisor)), (), False)
            rest = self._apply("Mod", inner, divisor)
            if isinstance(atom, Remainder):
                return rest
            return self._apply("Div", self._apply("Sub", inner, rest), divisor)
        table = np.asarray(atom.table, np.int64)  # type: ignore[attr-defined]
        place = self._clip(inner, len(table))
        name = self.graph.node("Gather", [self.graph.constant(table), place.name], axis=0)
        return place._replace(name=name)

    def _as_part(self, place: Grid | Part) -> Part:
        return self._grid(place) if isinstance(place, Grid) else place

    def _clip(self, place: Part, size: int) -> Part:
        low, high = (self.graph.constant(np.int64(n)) for n in (0, max(size - 1, 0)))
        return place._replace(name=self.graph.node("Clip", [place.name, low, high]))

    def _read(self, expr: Read) -> Part:
        tensor = expr.tensor
        places = [self._position(at) for at in expr.at]
        tables = [place for place in places if isinstance(place, Grid)]
        if len(tables) < len(places):
            return self._read_computed(tensor, places)
        if tensor in self._filling:
            table = element_grid(tables, tensor.shape, union(table.dims for table in tables))
            filling = self._filling[tensor]
            flat = filling.gather(self.graph, table.array.reshape(-1).astype(np.int64))
            return Part(self._reshape(flat, table.array.shape, True), table.dims, True)
        finite = tensor in self.graph.finite
        if tensor in self._turned:
            source, order = self._turned[tensor]
            shape, tables = [tensor.shape[k] for k in order], [tables[k] for k in order]
            name, dims = read_static(self.graph, source, True, shape, tables, finite)
            return Part(name, dims, True)
        source, batched = self._source(tensor)
        name, dims = read_static(self.graph, source, batched, tensor.shape, tables, finite)
        return Part(name, dims, batched)

    def _source(self, tensor: Tensor) -> tuple[str, bool]:
        if self._known(tensor):
            return self.whole(tensor), True
        assert isinstance(tensor, Weight), f"{tensor.name} is not computed yet"
        return self.graph.weight(tensor), False

    def _read_computed(self, tensor: Tensor, places: Sequence[Grid | Part]) -> Part:
        """Elements whose positions are computed, through row-major element numbers."""
        source, batched = self._source(tensor)
        flat = Part(self.graph.constant(np.int64(0)), (), False)
        for place, size in zip(places, tensor.shape, strict=True):
            factor = Part(self.graph.constant(np.int64(size)), (), False)
            inside = self._clip(self._as_part(place), size)
            flat = self._apply("Add", self._apply("Mul", flat, factor), inside)
        values = self._reshape(source, (tensor.size,), batched)
        if not flat.batched or not batched:
            name = self.graph.node("Gather", [values, flat.name], axis=int(batched))
            return Part(name, flat.dims, batched or flat.batched)
        shape = [index.size for index in flat.dims]
        column = self._reshape(flat.name, (math.prod(shape),), True)
        name = self.graph.node("GatherElements", [values, column], axis=1)
        return Part(self._reshape(name, shape, True), flat.dims, True)

    def _known(self, tensor: Tensor) -> bool:
        return tensor in self._values or tensor in self._filling or tensor in self._turned

    def _mask(self, where: Sequence[Guard]) -> Grid | Part:
        if all(is_static(guard.value) for guard in where):
            return guard_grid(where, self._fixed)
        truths = []
        for guard in where:
            place = self._as_part(self._position(guard.value))
            low, high = (Part(self.graph.constant(np.int64(n)), (), False)
                         for n in (guard.low, guard.high))  # fmt: skip
            truths += [self._apply("LessOrEqual", low, place), self._apply("Less", place, high)]
        total = truths[0]
        for truth in truths[1:]:
            total = self._apply("And", total, truth)
        return total
