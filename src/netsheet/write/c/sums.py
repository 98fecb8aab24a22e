"""Sums of products as steps: row by row through the row functions of kernels.py."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from netsheet.equations import Affine, Const, Expr, Guard, Index, Tensor, affine, reads
from netsheet.write.c.kernels import Kernel, Row
from netsheet.write.c.loops import Body, nested, print_equation, tap_range
from netsheet.write.c.names import number
from netsheet.write.c.pattern import Products
from netsheet.write.c.places import Layout
from netsheet.write.c.steps import Step, ordered_reads
from netsheet.write.c.text import Constants, Scope, Unit


@dataclass(eq=False)
class Part:
    """Adjacent channels that one row function fills: ``blocks`` times ``size`` of them."""

    first: int
    size: int
    blocks: int
    shared: bool = True  # by a row function; else loops of its own
    kernel: Kernel | None = None
    row: str = ""
    weights: str = ""
    bias: str = ""


@dataclass(eq=False)
class Sums(Step):
    """A sum of products by row functions; :func:`prepare.prepared` says if they can do it.

    ``outer_taps`` are looped over around the calls, which then add to what is there.
    """

    products: Products
    along: Index | None  # the pixels of a row
    outer: list[Index]  # the loops around the rows
    row_tap: Index | None  # the rows of taps
    outer_taps: list[Index]
    floor: float
    ceiling: float
    epilogue: Expr | None  # what is left to do behind the sums
    parts: list[Part] = field(default_factory=list)
    scratch: list[Tensor] = field(default_factory=list)
    fixed: Sequence[Index] = ()
    zeros: str = ""  # in place of the bias, where a call adds

    def __post_init__(self) -> None:
        self.reads = ordered_reads([self.products.equation])
        self.writes = [self.products.equation.target]

    # ------------------------------------------------------------------ geometry

    @property
    def guard(self) -> Guard | None:
        """Of the taps in a row."""
        return self.products.guards.get(self.products.tap) if self.products.tap else None

    @property
    def plain(self) -> bool:
        """True if the layer has loops of its own in place of row functions."""
        return not self.parts[0].shared

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
        return int(np.prod([index.size for index in self.products.unit], dtype=np.int64))

    @property
    def run(self) -> int:
        """Multiplications of a channel in one row of taps."""
        return self.taps * self.unit

    @property
    def tap_step(self) -> int:
        """Input: from one tap to the next."""
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
        """Rows of taps of one call."""
        return self.row_tap.size if self.row_tap else 1

    @property
    def planes(self) -> int:
        """Calls for one row of pixels."""
        return int(np.prod([index.size for index in self.outer_taps], dtype=np.int64))

    @property
    def row(self) -> Row:
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
        return Row(
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
        return int(
            np.prod([i.size for i in self.products.pixels], dtype=np.int64)
            * self.products.weights.size
        )

    # ------------------------------------------------------------------ packing

    def pack(self, unit: Unit, constants: Constants) -> None:
        """Weights in the order in which the row functions, or loops, read them."""
        p = self.products
        target = p.equation.target.name
        sources = [r.tensor.name for r in reads(p.equation.value) if r.tensor not in self.reads]
        note = f"{target}: {', '.join(dict.fromkeys(sources))}"
        for part in self.parts:
            last = part.first + part.size * part.blocks
            w = p.weights[:, part.first : last]
            groups, _, rows, run = w.shape
            rows //= self.planes
            shape = groups, part.blocks, part.size, self.planes, rows, run
            w = w.reshape(shape).transpose(0, 3, 1, 4, 5, 2)
            part.weights = constants.add(
                f"{target}_w", w, f"{note} as [group, plane, block, row, tap, {part.size} channels]"
            )
            part.bias = constants.add(f"{target}_b", p.bias[:, part.first : last], note)
            if part.kernel is None:
                continue
            row = replace(
                self.row,
                blocks=part.blocks,
                w_block=rows * run * part.size,
                w_row=run * part.size,
            )
            part.row = unit.row(row, target)
            if self.outer_taps:
                zeros = np.zeros(p.channels)
                self.zeros = constants.add("zeros", zeros, "in place of a bias that is in already")
            unit.kernels.add(part.kernel)

    # ------------------------------------------------------------------ printing

    def reused(self, layout: Layout) -> list[Tensor]:
        added = self.products.added
        if self.outer_taps:
            return []
        others = [] if self.epilogue is None else [r.tensor for r in reads(self.epilogue)]
        if added is None or added is self.products.x or added in others:
            return []
        return [added]

    def print(self, scope: Scope, layout: Layout) -> None:
        target = self.products.equation.target
        with nested(scope, self.outer):
            self.print_row(scope, scope.pointers[target], self.products.y_at)
        self.print_epilogue(scope, layout)

    def print_epilogue(self, scope: Scope, layout: Layout) -> None:
        """What is left to do with the whole tensor."""
        if self.epilogue is not None:
            eq = replace(self.products.equation, value=self.epilogue)
            print_equation(scope, eq, layout, self.fixed)

    def print_row(self, scope: Scope, y: str, y_at: Affine) -> None:
        """The calls for one row; the outer indices are variables."""
        p, row = self.products, self.row
        body = Body(scope, Const(0.0))
        inner = [i for i in (self.along, p.tap, self.row_tap, *p.unit) if i is not None]
        if p.deep and p.channel is not None:
            inner.append(p.channel)
        x_at = without(p.x_at, inner) + row.back
        with contextlib.ExitStack() as loops:
            for tap in self.outer_taps:
                low, high = "0", None
                if tap in p.guards:
                    low, high = tap_range(body, p.guards[tap], tap)
                loops.enter_context(scope.loop(tap, low, high))
            self._print_calls(scope, body, x_at, y, y_at)

    def _print_calls(self, scope: Scope, body: Body, x_at: Affine, y: str, y_at: Affine) -> None:
        p, row = self.products, self.row
        low, count = "0", str(self.rows)
        if self.row_tap is not None and self.row_tap in p.guards:
            low, high = tap_range(body, p.guards[self.row_tap], self.row_tap)
            if low != "0":
                name = scope.fresh("low")
                scope.lines.add(f"const int {name} = {low};")
                low = name
            count = high if low == "0" else f"{high} - {low}"
        start = body.position(x_at)
        if p.when:
            test = body.condition(p.when)
            count = f"({test} ? {count} : 0)"
            start = f"({test} ? {start} : 0)"
        x = _sum(scope.pointers[p.x], start, low, row.pitch)
        if p.channel is not None:
            y_at = without(y_at, [p.channel])
        place = body.position(without(y_at, [self.along] if self.along else []))
        group = Affine((), 0)
        for index in p.groups:
            group = group * index.size + index
        for part in self.parts:
            block = part.size * part.blocks
            wide = self.rows * self.run * block
            plane = group * self.planes
            for n, tap in enumerate(self.outer_taps):
                plane = plane + tap * int(np.prod([i.size for i in self.outer_taps[n + 1 :]]))
            weights = body.position(plane * wide)
            w = _sum(part.weights, weights, low, self.run * part.size)
            bias = _sum(part.bias, body.position(group * block), "0", 0)
            skip = f" + {part.first}" if part.first else ""
            added = None
            if p.added is not None:
                added = _sum(scope.pointers[p.added], place, "0", 0) + skip
            if part.kernel is None:
                y_text = _sum(y, place, "0", 0)
                self._print_loops(scope, (x, count, w, bias, y_text, added))
                continue
            to = _sum(y, place, "0", 0) + skip
            if self.outer_taps:
                bias, added = self._first(scope, body, bias, added, to)
            arguments = part.kernel.arguments(w, bias, to, added)
            begin = f"{scope.unit.library}_{part.kernel.name}(&{part.row}, {x}"
            scope.lines.add(f"{begin}{skip if p.deep else ''}, {count},")
            scope.lines.add(f"    {arguments});")

    def _first(
        self, scope: Scope, body: Body, bias: str, added: str | None, to: str
    ) -> tuple[str, str]:
        """Bias and addend of the first of several calls; the others add to what it gave."""
        tests = []
        for tap in self.outer_taps:
            low = "0"
            if tap in self.products.guards:
                low, _ = tap_range(body, self.products.guards[tap], tap, only_low=True)
            tests.append(f"{scope.index(tap)} == ({low})" if " " in low else
                         f"{scope.index(tap)} == {low}")  # fmt: skip
        first = scope.fresh("begin")
        scope.lines.add(f"const int {first} = {' && '.join(tests)};")
        return f"{first} ? {bias} : {self.zeros}", f"{first} ? {added or '0'} : {to}"

    def _print_loops(self, scope: Scope, texts: tuple[str, str, str, str, str, str | None]) -> None:
        """A row without a row function, for layers that are not worth one."""
        x, count, w, bias, y, added = texts
        p, row, body = self.products, self.row, Body(scope, Const(0.0))
        channel = p.channel or Index("c", 1)
        tap, inner = Index("u", self.rows), Index("n", self.run)
        n = affine(inner) if self.run > 1 else affine(0)
        in_x = n * (row.tap_step if p.deep else 1) + (channel if p.deep and p.channel else 0)
        in_y = Affine((), 0) + (channel if p.channel else 0)
        if self.along is not None:
            in_x, in_y = in_x + self.along * row.step, in_y + self.along * row.y_step
        lines = scope.lines
        with nested(scope, [*([self.along] if self.along else []), channel]):
            at = f"[{body.position(Affine((), 0) + (channel if p.channel else 0))}]"
            to = f"[{body.position(in_y)}]"
            total = scope.fresh("sum")
            more = f" + {_atom(added)}{to}" if added else ""
            lines.add(f"float {total} = {_atom(bias)}{at}{more};")
            looped = self.rows > 1 or count != "1"
            taps = scope.loop(tap, "0", count) if looped else contextlib.nullcontext()
            with taps, scope.loop(inner):
                if self.rows > 1:
                    in_x = in_x + tap * row.pitch
                in_w = (tap * self.run + n) * p.channels if self.rows > 1 else n * p.channels
                weight = f"{_atom(w)}[{body.position(in_w + (channel if p.channel else 0))}]"
                lines.add(f"{total} += {_atom(x)}[{body.position(in_x)}] * {weight};")
            for limit, sign in ((self.floor, "<"), (self.ceiling, ">")):
                if np.isfinite(limit):
                    text = number(limit)
                    lines.add(f"{total} = {total} {sign} {text} ? {text} : {total};")
            lines.add(f"{_atom(y)}{to} = {total};")


def _atom(pointer: str) -> str:
    return f"({pointer})" if " " in pointer else pointer


def without(at: Affine, indices: Sequence[Index]) -> Affine:
    """The position where these indices are 0."""
    return Affine(tuple((c, a) for c, a in at.terms if a not in indices), at.const)


def _sum(pointer: str, position: str, low: str, step: int) -> str:
    """``pointer + (position + low * step)``: never a pointer before the array."""
    parts = [position] if position != "0" else []
    if low != "0":
        parts.append(f"{low} * {step}")
    text = " + ".join(parts)
    if not text:
        return pointer
    return f"{pointer} + ({text})" if " " in text else f"{pointer} + {text}"
