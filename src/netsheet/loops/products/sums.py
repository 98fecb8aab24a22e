"""Sums of products as computations: row by row of pixels, by the kernels of row_function.py."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from netsheet.equations import Affine, Equation, Expr, Guard, Index, Tensor, affine, reads
from netsheet.loops.builder import FunctionBuilder, ProgramNames
from netsheet.loops.computations import Computation, ordered_reads
from netsheet.loops.ir import (
    INT,
    AllOf,
    Apply,
    Assign,
    Buffer,
    Comparison,
    Conditional,
    EitherPointer,
    Integer,
    Kernel,
    Literal,
    Load,
    Pointer,
    Scalar,
    Store,
    Test,
    plus,
    times,
)
from netsheet.loops.lower import lower_equation
from netsheet.loops.products.recognise import ProductPattern
from netsheet.loops.products.row_function import RowFunction, RowGeometry
from netsheet.loops.storage.addresses import Layout
from netsheet.loops.storage.constants import Constants
from netsheet.loops.values import Values, tap_range


@dataclass(eq=False)
class ChannelBlocks:
    """Adjacent channels that one row function fills: ``blocks`` times ``size`` of them."""

    first: int
    size: int
    blocks: int
    shared: bool = True  # by a row function; else loops of its own
    function: RowFunction | None = None
    name: str = ""  # of the geometry
    geometry: RowGeometry | None = None
    weights: Buffer | None = None
    bias: Buffer | None = None


@dataclass(frozen=True, eq=False)
class _Row:
    """One row of pixels in the loops around it: where it reads and writes."""

    x: Integer  # of the first pixel's first tap
    y: Integer
    rows: tuple[Integer, Integer]  # of taps
    when: Test | None
    target: Buffer | Pointer


@dataclass(eq=False)
class SumOfProducts(Computation):
    """A sum of products by row functions; :func:`rows.by_rows` says if they can do it.

    ``outer_taps`` are looped over around the kernels, which then add to what is there.
    """

    products: ProductPattern
    along: Index | None  # the pixels of a row
    outer: list[Index]  # the loops around the rows
    row_tap: Index | None  # the rows of taps
    outer_taps: list[Index]
    floor: float
    ceiling: float
    epilogue: Expr | None  # what is left to do behind the sums
    blocks: list[ChannelBlocks] = field(default_factory=list)
    scratch: list[Tensor] = field(default_factory=list)
    fixed: Sequence[Index] = ()
    zeros: Buffer | None = None  # in place of the bias, where a kernel adds

    def __post_init__(self) -> None:
        self.reads = ordered_reads([self.products.equation])
        self.writes = [self.products.equation.target]

    @property
    def equations(self) -> list[Equation]:
        return [self.products.equation]

    # ------------------------------------------------------------------ geometry

    @property
    def guard(self) -> Guard | None:
        """Which taps of a row lie inside."""
        return self.products.guards.get(self.products.tap) if self.products.tap else None

    @property
    def has_own_loops(self) -> bool:
        """True if the layer has loops of its own in place of row functions."""
        return not self.blocks[0].shared

    @property
    def adds(self) -> bool:
        """True if a row function adds to something."""
        return self.products.added is not None or bool(self.outer_taps)

    @property
    def taps(self) -> int:
        """Taps in a row."""
        return self.products.tap.size if self.products.tap else 1

    @property
    def unit(self) -> int:
        """Adjacent inputs of a tap."""
        return math.prod(index.size for index in self.products.unit)

    @property
    def run(self) -> int:
        """Multiplications of a channel in one row of taps."""
        return self.taps * self.unit

    @property
    def tap_step(self) -> int:
        """Elements of the input from one tap to the next."""
        p = self.products
        return p.x_at.coefficient(p.tap) if p.tap else self.unit

    @property
    def spaced(self) -> bool:
        """True if there is something between the inputs of two taps."""
        return not self.products.deep and self.tap_step != self.unit

    @property
    def dilated(self) -> bool:
        """True if taps at the edges are more than one position apart."""
        return self.guard is not None and self.row.dilation > 1

    @property
    def rows(self) -> int:
        """Rows of taps of one kernel."""
        return self.row_tap.size if self.row_tap else 1

    @property
    def planes(self) -> int:
        """Kernels for one row of pixels."""
        return math.prod(index.size for index in self.outer_taps)

    @property
    def row(self) -> RowGeometry:
        """One row of pixels, without what depends on the channels."""
        p, guard, along = self.products, self.guard, self.along
        pixels = along.size if along else 1
        stride, before, size, dilation, back = 0, 0, self.taps, 1, 0
        left, right = 0, pixels
        if guard is not None and along is not None:
            assert p.tap is not None
            stride, dilation = (guard.value.coefficient(i) for i in (along, p.tap))
            before = guard.low - guard.value.const
            size = guard.high - guard.low
            back = before * (self.tap_step // dilation)
            left = min(max(-(-before // stride), 0), pixels)
            last = size - dilation * (self.taps - 1) - 1 + before
            right = max(min(last // stride + 1, pixels), left)
        return RowGeometry(
            pixels=pixels,
            step=p.x_at.coefficient(along) if along else 0,
            y_step=p.y_at.coefficient(along) if along else 0,
            run=self.run,
            pitch=p.x_at.coefficient(self.row_tap) if self.row_tap else 0,
            blocks=1,
            w_block=0,
            taps=self.taps,
            unit=self.unit,
            tap_step=self.tap_step,
            left=left,
            right=right,
            stride=stride,
            before=before,
            back=back,
            size=size,
            dilation=dilation,
            w_row=0,
            floor=self.floor,
            ceiling=self.ceiling,
        )

    @property
    def macs(self) -> int:
        """Multiplications, padding included."""
        return math.prod(i.size for i in self.products.pixels) * self.products.size

    # ------------------------------------------------------------------ packing

    def pack(self, names: ProgramNames, constants: Constants) -> None:
        """Weights in the order in which the row functions, or loops, read them."""
        p = self.products
        target = p.equation.target.name
        sources = [r.tensor.name for r in reads(p.equation.value) if r.tensor not in self.reads]
        note = f"{target}: {', '.join(dict.fromkeys(sources))}"
        every = p.weights()
        for part in self.blocks:
            last = part.first + part.size * part.blocks
            w = every[:, part.first : last]
            groups, _, rows, run = w.shape
            rows //= self.planes
            shape = groups, part.blocks, part.size, self.planes, rows, run
            w = w.reshape(shape).transpose(0, 3, 1, 4, 5, 2)
            part.weights = constants.add(
                f"{target}_w", w, f"{note} as [group, plane, block, row, tap, {part.size} channels]"
            )
            part.bias = constants.add(f"{target}_b", p.bias[:, part.first : last], note)
            part.geometry = replace(
                self.row,
                blocks=part.blocks,
                w_block=rows * run * part.size,
                w_row=run * part.size,
            )
            if part.function is None:
                continue
            part.name = names.geometry(part.geometry, target)
            if self.outer_taps:
                zeros = np.zeros(p.channels)
                self.zeros = constants.add("zeros", zeros, "in place of a bias that is in already")

    # ------------------------------------------------------------------ lowering

    def reused(self, layout: Layout) -> list[Tensor]:
        added = self.products.added
        if self.outer_taps:
            return []
        others = [] if self.epilogue is None else [r.tensor for r in reads(self.epilogue)]
        if added is None or added is self.products.x or added in others:
            return []
        return [added]

    def lower(self, builder: FunctionBuilder, layout: Layout) -> None:
        target = self.products.equation.target
        with builder.nested(*self.outer):
            self.lower_row(builder, builder.buffers[target], self.products.y_at)
        if self.epilogue is not None:
            eq = replace(self.products.equation, value=self.epilogue)
            lower_equation(builder, eq, layout, self.fixed)

    def lower_row(self, builder: FunctionBuilder, target: Buffer | Pointer, y_at: Affine) -> None:
        """The kernels for one row of pixels; the outer indices are variables."""
        p, values = self.products, Values(builder)
        inner = [i for i in (self.along, p.tap, self.row_tap, *p.unit) if i is not None]
        if p.deep and p.channel is not None:
            inner.append(p.channel)
        x_at = without(p.x_at, inner) + self.row.back
        with contextlib.ExitStack() as loops:
            for tap in self.outer_taps:
                low: Integer = 0
                high: Integer | None = None
                if tap in p.guards:
                    low, high = tap_range(values, p.guards[tap], tap)
                loops.enter_context(builder.loop(tap, low, high))
            self._lower_kernels(builder, values, x_at, target, y_at)

    def _lower_kernels(
        self,
        builder: FunctionBuilder,
        values: Values,
        x_at: Affine,
        target: Buffer | Pointer,
        y_at: Affine,
    ) -> None:
        p = self.products
        rows: tuple[Integer, Integer] = 0, self.rows
        if self.row_tap is not None and self.row_tap in p.guards:
            low, high = tap_range(values, p.guards[self.row_tap], self.row_tap)
            rows = low if isinstance(low, int) else builder.let("low", low, INT), high
        start = values.position(x_at)
        when = values.condition(p.when) if p.when else None
        if p.channel is not None:
            y_at = without(y_at, [p.channel])
        y = values.position(without(y_at, [self.along] if self.along else []))
        row = _Row(start, y, rows, when, target)
        group = Affine((), 0)
        for index in p.groups:
            group = group * index.size + index
        plane = group * self.planes
        for n, tap in enumerate(self.outer_taps):
            plane = plane + tap * math.prod(i.size for i in self.outer_taps[n + 1 :])
        for part in self.blocks:
            block = part.size * part.blocks
            assert part.weights is not None and part.bias is not None
            weights = values.position(plane * (self.rows * self.run * block))
            w = Pointer("", part.weights, weights)
            bias = Pointer("", part.bias, values.position(group * block))
            if part.function is None:
                self._lower_loops(builder, row, w, bias)
            else:
                self._lower_kernel(builder, values, row, part, (w, bias))

    def _lower_kernel(
        self,
        builder: FunctionBuilder,
        values: Values,
        row: _Row,
        part: ChannelBlocks,
        constants: tuple[Pointer, Pointer],
    ) -> None:
        p = self.products
        w, first_bias = constants
        y = Pointer("", row.target, plus(row.y, part.first))
        x = Pointer("", builder.buffers[p.x], plus(row.x, part.first if p.deep else 0))
        bias: Pointer | EitherPointer = first_bias
        summand = None if p.added is None else Pointer("", builder.buffers[p.added], y.offset)
        added: Pointer | EitherPointer | None = summand
        if self.outer_taps:
            assert self.zeros is not None
            begin = builder.let("begin", self._first(builder, values), INT)
            bias = EitherPointer(begin, first_bias, Pointer("", self.zeros, 0))
            added = EitherPointer(begin, summand, y)
        assert part.function is not None and part.geometry is not None
        builder.add(
            Kernel(
                part.name, part.function, part.geometry, x, row.rows, w, bias, y, added, row.when
            )
        )

    def _first(self, builder: FunctionBuilder, values: Values) -> Test:
        """True for the first of several kernels; the others add to what it gave."""
        tests: list[Test] = []
        for tap in self.outer_taps:
            low: Integer = 0
            if tap in self.products.guards:
                low, _ = tap_range(values, self.products.guards[tap], tap, only_low=True)
            tests.append(Comparison(builder.index(tap), "==", low))
        return AllOf(tuple(tests))

    def _lower_loops(
        self, builder: FunctionBuilder, row: _Row, weights: Pointer, bias: Pointer
    ) -> None:
        """A row without a row function, for layers that are not worth one."""
        p, geometry, values = self.products, self.row, Values(builder)
        channel = p.channel or Index("c", 1)
        tap, inner = Index("u", self.rows), Index("n", self.run)
        n = affine(inner) if self.run > 1 else affine(0)
        at = Affine((), 0) + (channel if p.channel else 0)
        in_x = n * (geometry.tap_step if p.deep else 1) + (at if p.deep else 0)
        in_y = at
        if self.along is not None:
            in_x, in_y = in_x + self.along * geometry.step, in_y + self.along * geometry.y_step
        low, high = row.rows
        x = Pointer("", builder.buffers[p.x], plus(row.x, times(low, geometry.pitch)))
        w = Pointer("", weights.buffer,
                    plus(weights.offset, times(low, self.run * p.channels)))  # fmt: skip
        y = Pointer("", row.target, row.y)
        added = None if p.added is None else Pointer("", builder.buffers[p.added], row.y)
        with builder.nested(*([self.along] if self.along else []), channel):
            to = values.position(in_y)
            start: Scalar = Load(bias, values.position(at))
            if added is not None:
                start = Apply("add", (start, Load(added, to)))
            total = builder.let("sum", start, mutable=True)
            looped = self.rows > 1 or (low, high) != (0, 1) or row.when is not None
            count = plus(high, times(low, -1))
            around = builder.where(row.when) if row.when is not None else contextlib.nullcontext()
            taps = builder.loop(tap, 0, count) if looped else contextlib.nullcontext()
            with around, taps, builder.loop(inner):
                if self.rows > 1:
                    in_x = in_x + tap * geometry.pitch
                in_w = (tap * self.run + n) * p.channels if self.rows > 1 else n * p.channels
                weight = Load(w, values.position(in_w + at))
                value = Load(x, values.position(in_x))
                builder.accumulate("sum", total, Apply("mul", (value, weight)))
            for limit, sign in ((self.floor, "<"), (self.ceiling, ">")):
                if np.isfinite(limit):
                    bound = Literal(limit)
                    clamped = Conditional(Comparison(total, sign, bound), bound, total)
                    builder.add(Assign(total.name, clamped))
            builder.add(Store(y, to, total))


def without(at: Affine, indices: Sequence[Index]) -> Affine:
    """The position where these indices are 0."""
    return Affine(tuple((c, a) for c, a in at.terms if a not in indices), at.const)
