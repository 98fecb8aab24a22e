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
    LIMITS,
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
    factors,
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
from netsheet.write.onnx.contraction import Part, contracted, spread
from netsheet.write.onnx.convolution import Windowed, convolution_of, in_order
from netsheet.write.onnx.exact_sums import ExactSum, exact_sum
from netsheet.write.onnx.functions import FLOAT as FLOAT32
from netsheet.write.onnx.functions import INT64, cast, spell
from netsheet.write.onnx.pieces import Filling
from netsheet.write.onnx.reading import read_static
from netsheet.write.onnx.whole import NUMBERS, as_whole, computed

if TYPE_CHECKING:
    from netsheet.write.onnx.builder import Builder

NEUTRAL = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}
REDUCE = {"prod": "ReduceProd", "max": "ReduceMax", "min": "ReduceMin", "mean": "ReduceMean"}
WHOLE_NEUTRAL = {"sum": 0, "prod": 1, "max": LIMITS[WHOLE][0], "min": LIMITS[WHOLE][1]}


class Printer:
    """Prints equations into a graph; ``values`` names the tensors known before."""

    def __init__(self, graph: Builder, values: Mapping[Tensor, str]) -> None:
        self.graph = graph
        self._values = dict(values)
        self._filling: dict[Tensor, Filling] = {}
        self._fixed: dict[Index, int] = {}
        # tensors of whole numbers as floats from a zero point
        self._centred: dict[tuple[Tensor, int], str] = {}

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
        value = self._filled(self._value(eq.value, computed(eq.target)), dims)
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

    def _reshape(self, name: str, shape: Sequence[int], batched: bool) -> str:
        wanted = np.array([0, *shape] if batched else shape, np.int64)
        return str(self.graph.node("Reshape", [name, self.graph.constant(wanted)]))

    # ------------------------------------------------------------------ arrays over indices

    def _spread(self, part: Part, dims: Sequence[Index]) -> str:
        return spread(self.graph, part, dims)

    def _elementwise(self, parts: Sequence[Part]) -> tuple[list[str], tuple[Index, ...], bool]:
        dims = union(part.dims for part in parts)
        names = [self._spread(part, dims) for part in parts]
        return names, dims, any(part.batched for part in parts)

    def _apply(self, op: str, *parts: Part) -> Part:
        names, dims, batched = self._elementwise(parts)
        return Part(str(self.graph.node(op, names)), dims, batched, parts[-1].dtype)

    def _grid(self, grid: Grid) -> Part:
        return Part(self.graph.constant(grid.array), grid.dims, False)

    def _number(self, number: float, dtype: str) -> Part:
        """A number without axes."""
        value = np.float32(number) if dtype == FLOAT else np.int64(number)
        return Part(self.graph.constant(value), (), False, dtype)

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
            wanted = {"real": WHOLE, "whole": FLOAT}.get(expr.function, dtype)
            parts = [self._value(arg, wanted) for arg in expr.args]
            names, dims, batched = self._elementwise(parts)
            return Part(spell(self.graph, expr.function, names), dims, batched, dtype)
        if isinstance(expr, Select):
            return self._select(expr, dtype)
        assert isinstance(expr, Reduce)
        return self._reduce(expr, dtype)

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
        source, batched = self._source(tensor)
        name, dims = read_static(self.graph, source, batched, tensor.shape, tables)
        return Part(name, dims, batched)

    def _source(self, tensor: Tensor) -> tuple[str, bool]:
        if tensor in self._values or tensor in self._filling:
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

    # ------------------------------------------------------------------ reductions

    def _reduce(self, expr: Reduce, dtype: str) -> Part:
        exact = exact_sum(expr) if dtype == WHOLE and not self._fixed else None
        if exact is not None and self._known(exact.whole):
            return self._added_in_floats(exact)
        found = convolution_of(expr, self._fixed.keys()) if dtype == FLOAT else None
        if found is not None:
            part = self._convolution(found)
            if part is not None:
                return part
        mask = self._mask(expr.where)
        if isinstance(mask, Grid) and mask.array.all():
            if expr.op == "sum":
                return self._sum(expr, [self._value(part, dtype) for part in factors(expr.body)])
            return self._reduced(expr, self._value(expr.body, dtype))
        if isinstance(mask, Grid) and expr.op == "sum" and not mask.array.any():
            # nothing is added, and what would be read may not be there: the step before the first
            return self._number(0, dtype)
        test = self._grid(mask) if isinstance(mask, Grid) else mask
        neutral = self._number((NEUTRAL if dtype == FLOAT else WHOLE_NEUTRAL)[expr.op], dtype)
        if expr.op == "sum":
            parts = [self._value(part, dtype) for part in factors(expr.body)]
            # The guard belongs to the factor that already varies with most of its indices.
            chosen = max(range(len(parts)), key=lambda i: len({*parts[i].dims} & {*test.dims}))
            parts[chosen] = self._apply("Where", test, parts[chosen], neutral)
            return self._sum(expr, parts)
        body = self._apply("Where", test, self._value(expr.body, dtype), neutral)
        if expr.op != "mean":
            return self._reduced(expr, body)
        one, nothing = (self._number(n, FLOAT) for n in (1, 0))
        points = self._sum(expr, [self._apply("Where", test, one, nothing)])
        return self._apply("Div", self._sum(expr, [body]), points)

    def _known(self, tensor: Tensor) -> bool:
        return tensor in self._values or tensor in self._filling

    def _added_in_floats(self, exact: ExactSum) -> Part:
        """The same whole number as a sum of floats, which is much faster."""
        key = exact.whole, exact.zero
        if key not in self._centred:
            name = cast(self.graph, self.whole(exact.whole), FLOAT32)
            if exact.zero:
                zero = self.graph.constant(np.float32(exact.zero))
                name = str(self.graph.node("Sub", [name, zero]))
            self._centred[key] = name
        self._values[exact.real] = self._centred[key]
        total = self._reduce(exact.total, FLOAT)
        return as_whole(self.graph, total)

    def _convolution(self, found: Windowed) -> Part | None:
        """One Conv; rows of samples lie in front of the other rows."""
        places = found.places
        x, w = self._value(found.image(places)), self._value(found.w)
        if w.batched and not self.graph.single:
            return None
        points = tuple(window.point for window in found.windows)
        taps = tuple(window.tap for window in found.windows)
        channels, outputs = (math.prod(i.size for i in g) for g in (found.channels, found.outputs))
        image = self._spread(x, (*found.rows, *found.channels, *places))
        sizes = [place.size for place in places]
        image = self._reshape(image, [-1, channels, *sizes], False)
        kernel = self._spread(w, (*found.outputs, *found.channels, *taps))
        kernel = self._reshape(kernel, [outputs, channels, *(tap.size for tap in taps)], False)
        kernel = in_order(self.graph, kernel, found)
        name = self.graph.node("Conv", [image, kernel], **found.attributes)
        dims = (*found.rows, *found.outputs, *points)
        shape = [index.size for index in dims]
        batched = x.batched or w.batched
        return Part(self._reshape(name, [-1] * batched + shape, False), dims, batched)

    def _reduced(self, expr: Reduce, body: Part) -> Part:
        axes = [axis + body.batched for axis, i in enumerate(body.dims) if i in expr.over]
        kept = tuple(index for index in body.dims if index not in expr.over)
        name = body.name
        if axes:
            name = self.graph.node(REDUCE[expr.op], [name], axes=axes, keepdims=0)
        repeats = math.prod(index.size for index in expr.over if index not in body.dims)
        if expr.op == "prod" and repeats != 1:
            name = self.graph.node("Pow", [name, self._number(repeats, body.dtype).name])
        return Part(name, kept, body.batched, body.dtype)

    def _sum(self, expr: Reduce, parts: Sequence[Part]) -> Part:
        used = union(part.dims for part in parts)
        repeats = math.prod(index.size for index in expr.over if index not in used)
        scalars = [part for part in parts if not part.dims and not part.batched]
        arrays = [part for part in parts if part.dims or part.batched]
        total = contracted(self.graph, arrays, set(expr.over)) if arrays else scalars.pop()
        if repeats != 1:
            scalars.append(self._number(repeats, total.dtype))
        for scalar in scalars:
            total = self._apply("Mul", total, scalar)
        return total
