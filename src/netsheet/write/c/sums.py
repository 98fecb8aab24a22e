"""Sums of products as steps: row by row through the row functions of kernels.py."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from netsheet.expr import Affine, Call, Const, Expr, Guard, Index, Read, Tensor, affine, reads
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
    """A sum of products by row functions; :func:`prepared` says if they can do it."""

    products: Products
    along: Index | None  # the pixels of a row
    outer: list[Index]  # the loops around the rows
    tap: Index | None  # the rows of taps
    floor: float
    ceiling: float
    epilogue: Expr | None  # what is left to do behind the sums
    parts: list[Part] = field(default_factory=list)
    scratch: list[Tensor] = field(default_factory=list)
    fixed: Sequence[Index] = ()

    def __post_init__(self) -> None:
        self.reads = ordered_reads([self.products.equation])
        self.writes = [self.products.equation.target]

    # ------------------------------------------------------------------ geometry

    @property
    def guard(self) -> Guard | None:
        """Of the taps in a row."""
        run = self.products.run
        return self.products.guards.get(run[0]) if run else None

    @property
    def plain(self) -> bool:
        """True if the layer has loops of its own in place of row functions."""
        return not self.parts[0].shared

    @property
    def taps(self) -> int:
        """Taps in a row, each of ``unit`` inputs."""
        run = self.products.run
        return run[0].size if run and (self.products.deep or self.guard) else 1

    @property
    def run(self) -> int:
        """How often a tile multiplies in one row of taps."""
        return int(np.prod([index.size for index in self.products.run], dtype=np.int64))

    @property
    def unit(self) -> int:
        """Inputs from one tap to the next."""
        return self.products.channels if self.products.deep else self.run // self.taps

    @property
    def rows(self) -> int:
        """Rows of taps."""
        return self.tap.size if self.tap else 1

    @property
    def row(self) -> Row:
        """One row of pixels, without what depends on the channels."""
        p, guard, along = self.products, self.guard, self.along
        pixels = along.size if along else 1
        stride, before, size = 0, 0, self.taps
        left, right = 0, pixels
        if guard is not None and along is not None:
            stride = guard.value.coefficient(along)
            before = guard.low - guard.value.const
            size = guard.high - guard.low
            left = min(max(-(-before // stride), 0), pixels)
            right = max(min((size - self.taps + before) // stride + 1, pixels), left)
        return Row(
            pixels=pixels,
            step=p.x_at.coefficient(along) if along else 0,
            y_step=p.y_at.coefficient(along) if along else 0,
            run=self.run,
            pitch=p.x_at.coefficient(self.tap) if self.tap else 0,
            blocks=1,
            w_block=0,
            unit=self.unit,
            left=left,
            right=right,
            stride=stride,
            before=before,
            size=size,
            taps=self.taps,
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
            w = w.reshape(groups, part.blocks, part.size, rows, run).transpose(0, 1, 3, 4, 2)
            part.weights = constants.add(
                f"{target}_w", w, f"{note} as [group, block, row, run, {part.size} channels]"
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
            unit.kernels.add(part.kernel)

    # ------------------------------------------------------------------ printing

    def reused(self, layout: Layout) -> list[Tensor]:
        added = self.products.added
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
        inner = [*([self.along] if self.along else []), *p.run, *([self.tap] if self.tap else [])]
        if p.deep and p.channel is not None:
            inner.append(p.channel)
        x_at = _without(p.x_at, inner) + row.before * row.unit
        low, count = "0", str(self.rows)
        if self.tap is not None and self.tap in p.guards:
            low, high = tap_range(body, p.guards[self.tap], self.tap)
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
            y_at = _without(y_at, [p.channel])
        place = body.position(_without(y_at, [self.along] if self.along else []))
        group = Affine((), 0)
        for index in p.groups:
            group = group * index.size + index
        for part in self.parts:
            block = part.size * part.blocks
            wide = self.rows * self.run * part.size
            weights = body.position(group * (wide * part.blocks))
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
            arguments = part.kernel.arguments(w, bias, _sum(y, place, "0", 0) + skip, added)
            begin = f"{scope.unit.library}_{part.kernel.name}(&{part.row}, {x}"
            scope.lines.add(f"{begin}{skip if p.deep else ''}, {count},")
            scope.lines.add(f"    {arguments});")

    def _print_loops(self, scope: Scope, texts: tuple[str, str, str, str, str, str | None]) -> None:
        """A row without a row function, for layers that are not worth one."""
        x, count, w, bias, y, added = texts
        p, row, body = self.products, self.row, Body(scope, Const(0.0))
        channel = p.channel or Index("c", 1)
        tap, inner = Index(self.tap.name if self.tap else "u", self.rows), Index("n", self.run)
        n = affine(inner) if self.run > 1 else affine(0)
        in_x = n * (row.unit if p.deep else 1) + (channel if p.deep and p.channel else 0)
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


def _without(at: Affine, indices: Sequence[Index]) -> Affine:
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


# --------------------------------------------------------------------------- what can be done


def prepared(products: Products, fixed: Sequence[Index], whole: bool = True) -> Sums | None:
    """The step, or None where the row functions cannot do it.

    ``whole``: rows that lie behind each other may become one.
    """
    p = products
    rows = _joined(p.rows, [p.x_at], p.guards)
    if len(rows) > 1:
        return None
    guard = p.guards.get(p.run[0]) if p.run else None
    pixels = p.pixels
    if whole:
        held = {i for g in (*p.guards.values(), *p.when) for i in g.value.indices()}
        pixels = _merged(p, held)
    p = replace(p, rows=rows, pixels=pixels)
    p.x_at, p.y_at = _places(products, pixels, rows)
    along = pixels[-1] if pixels else None
    if p.deep and any(index is not p.run[0] for index in p.run):
        return None
    outer = sorted([*p.groups, *pixels[:-1]], key=lambda index: -p.y_at.coefficient(index))
    floor, ceiling, epilogue = clamps(p.epilogue)
    step = Sums(p, along, outer, rows[0] if rows else None, floor, ceiling, epilogue, fixed=fixed)
    if guard is not None and not _fits(step, guard):
        return None
    if step.tap is not None and step.tap in p.guards:
        g = p.guards[step.tap]
        if any(i not in (*outer, step.tap) for i in g.value.indices()):
            return None
        if not _never_empty(g, step.tap):
            return None
    if any(i not in (*outer, *fixed) for guard in p.when for i in guard.value.indices()):
        return None
    known = {*([along] if along else []), *outer, *p.run, *rows, *fixed}
    known |= {p.channel} if p.channel else set()
    if any(a not in known for _, a in (*p.x_at.terms, *p.y_at.terms)):
        return None
    return step


def _fits(step: Sums, guard: Guard) -> bool:
    """True if the guard is what a row function tests, and no pixel is without taps."""
    along, tap = step.along, step.products.run[0]
    if along is None or step.products.x_at.coefficient(along) != (
        guard.value.coefficient(along) * step.unit
    ):
        return False
    if guard.value.coefficient(tap) != 1 or set(guard.value.indices()) != {along, tap}:
        return False
    return guard.value.coefficient(along) > 0 and _never_empty(guard, tap)


def _never_empty(guard: Guard, tap: Index) -> bool:
    """True if some tap is inside, wherever the rest of the position is."""
    rest = guard.value - tap * guard.value.coefficient(tap)
    low, high = rest.bounds()
    reach = guard.value.coefficient(tap) * (tap.size - 1)
    return guard.value.coefficient(tap) == 1 and low + reach >= guard.low and high < guard.high


def _joined(
    indices: Sequence[Index], places: Sequence[Affine], guards: Container[Index]
) -> list[Index]:
    """Indices, outermost first, that walk evenly through memory, as one."""
    result = list(indices)
    while len(result) > 1:
        outer, inner = result[-2], result[-1]
        if (
            outer in guards
            or inner in guards
            or any(at.coefficient(outer) != at.coefficient(inner) * inner.size for at in places)
        ):
            break
        result[-2:] = [_JoinedIndex(inner.name, outer.size * inner.size)]
        places = [_renamed(at, outer, inner, result[-1]) for at in places]
    return result


class _JoinedIndex(Index):
    pass


def _renamed(at: Affine, outer: Index, inner: Index, joined: Index) -> Affine:
    return _without(at, [outer, inner]) + joined * at.coefficient(inner)


def _merged(p: Products, held: set[Index]) -> list[Index]:
    return _joined(p.pixels, [p.x_at, p.y_at], held)


def _places(p: Products, pixels: Sequence[Index], rows: Sequence[Index]) -> tuple[Affine, Affine]:
    """The addresses in terms of the joined indices."""
    x_at, y_at = p.x_at, p.y_at
    for old, new in ((p.pixels, pixels), (p.rows, rows)):
        if len(old) == len(new):
            continue
        inner, joined = old[-1], new[-1]
        gone = list(old[len(new) - 1 :])
        x_at = _without(x_at, gone) + joined * x_at.coefficient(inner)
        y_at = _without(y_at, gone) + joined * y_at.coefficient(inner)
    return x_at, y_at


def clamps(epilogue: Expr | None) -> tuple[float, float, Expr | None]:
    """Limits of the values, and what is left of the epilogue."""
    limits = {"max": -np.inf, "min": np.inf}
    node, found = epilogue, []
    while isinstance(node, Call) and node.function in limits and isinstance(node.args[1], Const):
        found.append((node.function, node.args[1].value))
        node = node.args[0]
    if not found or not isinstance(node, Read) or len({name for name, _ in found}) < len(found):
        return -np.inf, np.inf, epilogue
    limits.update(found)
    if limits["max"] > limits["min"]:
        return -np.inf, np.inf, epilogue
    return float(limits["max"]), float(limits["min"]), None
