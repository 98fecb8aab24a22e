"""Arrays over indices in an ONNX graph: elementwise operations and reductions of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import (
    FLOAT,
    LIMITS,
    WHOLE,
    Affine,
    Expr,
    Guard,
    Index,
    Reduce,
    Tensor,
    factors,
)
from netsheet.equations.grids import Grid, union
from netsheet.write.onnx.contraction import Part, contracted, spread
from netsheet.write.onnx.convolution import WindowedSum, convolution_of, in_order, unfolded
from netsheet.write.onnx.exact_sums import ExactSum, exact_sum
from netsheet.write.onnx.functions import FLOAT as FLOAT32
from netsheet.write.onnx.functions import cast
from netsheet.write.onnx.pooling import WindowedMaximum, pooling_of
from netsheet.write.onnx.scatter import ScatteredSum, scattered, scattered_sum
from netsheet.write.onnx.whole import as_whole

if TYPE_CHECKING:
    from netsheet.write.onnx.builder import Builder

NEUTRAL = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}
REDUCE = {"prod": "ReduceProd", "max": "ReduceMax", "min": "ReduceMin", "mean": "ReduceMean"}
WHOLE_NEUTRAL = {"sum": 0, "prod": 1, "max": LIMITS[WHOLE][0], "min": LIMITS[WHOLE][1]}
FEW = 9  # points of a window


def _is_small(expr: Reduce) -> bool:
    """True for the maximum or minimum of a few points, each a slice of what is read."""
    few = math.prod(index.size for index in expr.over) <= FEW
    return expr.op in ("max", "min") and few


class Arrays:
    """Operations on :class:`Part`; expressions, reads and guards are those of the printer."""

    def __init__(self, graph: Builder) -> None:
        self.graph = graph
        self._values: dict[Tensor, str] = {}
        self._fixed: dict[Index, int] = {}
        # tensors of whole numbers as floats from a zero point
        self._centred: dict[tuple[Tensor, int], str] = {}

    def whole(self, tensor: Tensor) -> str:
        """The value of a complete tensor, with batch axis."""
        raise NotImplementedError

    def _value(self, expr: Expr, dtype: str = FLOAT) -> Part:
        raise NotImplementedError

    def _mask(self, where: Sequence[Guard]) -> Grid | Part:
        raise NotImplementedError

    def _position(self, at: Affine) -> Grid | Part:
        raise NotImplementedError

    def _as_part(self, place: Grid | Part) -> Part:
        raise NotImplementedError

    def _filled(self, part: Part, dims: Sequence[Index]) -> str:
        raise NotImplementedError

    def _known(self, tensor: Tensor) -> bool:
        raise NotImplementedError

    def _reshape(self, name: str, shape: Sequence[int], batched: bool) -> str:
        wanted = np.array([0, *shape] if batched else shape, np.int64)
        return str(self.graph.node("Reshape", [name, self.graph.constant(wanted)]))

    # ------------------------------------------------------------------ arrays over indices

    def _spread(self, part: Part, dims: Sequence[Index]) -> str:
        return spread(self.graph, part, dims)

    def _elementwise(self, parts: Sequence[Part]) -> tuple[list[str], tuple[Index, ...], bool]:
        # in the order of the part with most axes: the others are the cheaper ones to turn
        most = max(parts, key=lambda part: len(part.dims))
        dims = union([most.dims, *(part.dims for part in parts)])
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
        pooling = pooling_of(expr, self._fixed.keys()) if dtype == FLOAT else None
        if pooling is not None and pooling.windows.x.tensor in self.graph.finite:
            return self._pooling(pooling)
        spread_out = scattered_sum(expr, self._fixed.keys()) if dtype == FLOAT else None
        if spread_out is not None:
            return self._scattered(spread_out)
        mask = self._mask(expr.where)
        if isinstance(mask, Grid) and mask.array.all():
            if _is_small(expr) and dtype == FLOAT:
                return self._point_by_point(expr)
            if expr.op == "sum":
                return self._sum(expr, [self._value(part, dtype) for part in factors(expr.body)])
            return self._reduced(expr, self._value(expr.body, dtype))
        if isinstance(mask, Grid) and expr.op == "sum" and not mask.array.any():
            # nothing is added, and what would be read may not be there: the step before the first
            return self._number(0, dtype)
        if isinstance(mask, Grid) and dtype == FLOAT and _is_small(expr):
            return self._point_by_point(expr)
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

    def _point_by_point(self, expr: Reduce) -> Part:
        """The largest or smallest of few points: of whole slices, two at a time.

        Nothing is broadcast over short axes, which ONNX Runtime is slow with.
        """
        before, total = self._fixed, None
        neutral = self._number(NEUTRAL[expr.op], FLOAT)
        for point in itertools.product(*(range(index.size) for index in expr.over)):
            self._fixed = {**before, **dict(zip(expr.over, point, strict=True))}
            mask = self._mask(expr.where)
            assert isinstance(mask, Grid)
            if not mask.array.any():
                continue
            value = self._value(expr.body)
            if not mask.array.all():
                value = self._apply("Where", self._grid(mask), value, neutral)
            op = "Max" if expr.op == "max" else "Min"
            total = value if total is None else self._apply(op, total, value)
        self._fixed = before
        return neutral if total is None else total

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

    def _convolution(self, found: WindowedSum) -> Part | None:
        """One Conv or MatMul; rows of samples lie in front of the other rows."""
        windows, places = found.windows, found.windows.places
        x, w = self._value(windows.image(places)), self._value(found.w)
        if w.batched and not self.graph.single:
            return None
        channels, outputs = (math.prod(i.size for i in g) for g in (found.channels, found.outputs))
        image = self._spread(x, (*found.rows, *found.channels, *places))
        sizes = [place.size for place in places]
        image = self._reshape(image, [-1, channels, *sizes], False)
        kernel = self._spread(w, (*found.outputs, *found.channels, *windows.taps))
        taps = [tap.size for tap in windows.taps]
        kernel = self._reshape(kernel, [outputs, channels, *taps], False)
        kernel = in_order(self.graph, kernel, found)
        batched = x.batched or w.batched
        if windows.are_few and self.graph.single:
            name = unfolded(self.graph, image, kernel, found)
            dims = (*found.outputs, *windows.points, *found.rows)
        else:
            name = self.graph.node("Conv", [image, kernel], **windows.attributes)
            dims = (*found.rows, *found.outputs, *windows.points)
        shape = [index.size for index in dims]
        return Part(self._reshape(name, [-1] * batched + shape, False), dims, batched)

    def _pooling(self, found: WindowedMaximum) -> Part:
        """One MaxPool; rows of samples lie in front of the other rows."""
        windows, places = found.windows, found.windows.places
        x = self._value(windows.image(places))
        image = self._spread(x, (*found.rows, *places))
        image = self._reshape(image, [-1, 1, *(place.size for place in places)], False)
        taps = [tap.size for tap in windows.taps]
        name = self.graph.node("MaxPool", [image], kernel_shape=taps, **windows.attributes)
        dims = (*found.rows, *windows.points)
        shape = [-1] * x.batched + [index.size for index in dims]
        return Part(self._reshape(name, shape, False), dims, x.batched)

    def _scattered(self, found: ScatteredSum) -> Part:
        """Values over the points and the other indices, added up by the points' rows."""
        place, body = self._as_part(self._position(found.place)), self._value(found.body)
        others = [i for i in union([body.dims, place.dims]) if i not in found.over]
        every = (*found.over, *others)
        shape = [math.prod(index.size for index in group) for group in (found.over, others)]
        rows, values = (
            self._reshape(self._filled(part, every), shape, True) for part in (place, body)
        )
        name = scattered(self.graph, found.row, rows, values, others)
        sizes = [index.size for index in (found.row, *others)]
        return Part(self._reshape(name, sizes, True), (found.row, *others), True)

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
