"""Layers whose equations are made up: every printer has to agree on them with the evaluator.

A made-up layer is a chain of stages, each a kind and a seed. All values stay small and smooth:
nothing is rounded or compared where two correct machines may fall on different sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Gather,
    Guard,
    Index,
    Lookup,
    Number,
    Read,
    Tensor,
    Weight,
    affine,
    call,
    equation,
    indices_of,
    reduce,
    select,
)
from netsheet.layer import Layer, Signature, default_axes
from netsheet.layers.base import constant

Build = Callable[[Tensor], list[Equation]]
LARGEST = 400  # elements; a larger tensor gets no further stage

Stage = Callable[[Random, Tensor], tuple[tuple[int, ...], Build]]


@dataclass(eq=False, kw_only=True)
class MadeUp(Layer):
    """A layer of several stages: the kind and the seed of each."""

    stages: Sequence[tuple[str, int]] = ()

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        shape = _made(self.stages, inputs[0], None)[0]
        return [Signature(default_axes(len(shape)), shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return _made(self.stages, inputs[0], outputs[0])[1]


def _made(
    stages: Sequence[tuple[str, int]], x: Tensor, out: Tensor | None
) -> tuple[tuple[int, ...], list[Equation]]:
    """The shape behind the last stage, and the equations that fill ``out`` with it."""
    result: list[Equation] = []
    for number, (kind, seed) in enumerate(stages):
        if not x.shape or x.size > LARGEST:
            break
        shape, build = STAGES[kind](Random(seed), x)
        x = Tensor(f"{out.name if out else 'y'}/{kind}{number}", default_axes(len(shape)), shape)
        result += build(x)
    if out is not None:
        at = x[indices_of(x)]
        result.append(equation(out[at.at], at))
    return x.shape, result


# --------------------------------------------------------------------------- stages


def products(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """A convolution along all axes but the last: stride, dilation, padding, groups, a bias."""
    channels = x.shape[-1]
    groups = r.choice([g for g in (1, 2, channels) if channels % g == 0])
    each, filters = channels // groups, r.randint(1, 3)
    windows = [_window(r, size) for size in x.shape[:-1]]
    taps = [tap for tap, *_ in windows]
    kernel = _weight(r, "kernel", (*taps, each, groups, filters))
    bias = _weight(r, "bias", (groups * filters,))
    shape = (*(out for *_, out in windows), groups * filters)
    bounded = r.random() < 0.5

    def build(y: Tensor) -> list[Equation]:
        space = [Index(f"p{n}", size) for n, size in enumerate(shape[:-1])]
        g, f = Index("g", groups), Index("f", filters)
        u = [Index(f"u{n}", tap) for n, tap in enumerate(taps)]
        i = Index("i", each)
        places, guards = _places(windows, space, u, x)
        read = x[(*places, g * each + i)] * kernel[(*u, i, g, f)]
        total = reduce("sum", [*u, i], read, guards) + bias[g * filters + f]
        return [equation(y[(*space, g * filters + f)], call("max", total, 0) if bounded else total)]

    return shape, build


def pooling(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """The largest, the smallest or the mean of each window."""
    windows = [_window(r, size) for size in x.shape[:-1]]
    op = r.choice(["max", "min", "mean"])
    shape = (*(out for *_, out in windows), x.shape[-1])

    def build(y: Tensor) -> list[Equation]:
        *space, c = indices_of(y)
        u = [Index(f"u{n}", tap) for n, (tap, *_) in enumerate(windows)]
        places, guards = _places(windows, space, u, x)
        return [equation(y[(*space, c)], reduce(op, u, x[(*places, c)], guards))]

    return shape, build


def elementwise(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """A random formula, parts of which are used twice."""
    seed = r.random()

    def build(y: Tensor) -> list[Equation]:
        at = indices_of(y)
        return [equation(y[at], _formula(Random(seed), x[at], 4))]

    return x.shape, build


def rearranged(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """The same numbers elsewhere: another order of axes, reversed, or another shape."""
    kind = r.choice(["transpose", "reverse", "flat", "table"])
    order = r.sample(range(len(x.shape)), len(x.shape))
    shape = tuple(x.shape[axis] for axis in order)
    if kind == "flat":
        shape = (math.prod(x.shape),)
    picked = tuple(r.randrange(shape[0]) for _ in range(r.randint(1, 5)))
    if kind == "table":
        shape = (len(picked), *shape[1:])

    def build(y: Tensor) -> list[Equation]:
        at: list[Affine] = [affine(index) for index in indices_of(y)]
        if kind == "flat":
            (n,), places = at, []
            for axis, size in enumerate(x.shape):
                places.append(n // math.prod(x.shape[axis + 1 :]) % size)
            return [equation(y[n], x[tuple(places)])]
        target = tuple(at)
        if kind == "reverse":
            at[0] = affine(shape[0] - 1) - at[0]
        if kind == "table":
            at[0] = affine(Lookup(picked, at[0]))
        places = [at[order.index(axis)] for axis in range(len(order))]
        return [equation(y[target], x[tuple(places)])]

    return shape, build


def padded(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """Zeros, or a number, around each axis."""
    before = [r.randint(0, 2) for _ in x.shape]
    shape = tuple(size + b + r.randint(0, 2) for size, b in zip(x.shape, before, strict=True))
    outside = r.choice([0.0, 0.5])

    def build(y: Tensor) -> list[Equation]:
        at = indices_of(y)
        places = [index - b for index, b in zip(at, before, strict=True)]
        guards = [Guard(p, 0, size) for p, size in zip(places, x.shape, strict=True)]
        return [equation(y[at], select(guards, x[tuple(places)], outside))]

    return shape, build


def joined(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """Two equations that fill one tensor: the input, and a formula of it, behind each other."""
    axis, seed = r.randrange(len(x.shape)), r.random()
    shape = tuple(size * (2 if n == axis else 1) for n, size in enumerate(x.shape))

    def build(y: Tensor) -> list[Equation]:
        result = []
        for part in range(2):
            at = indices_of(x)
            target = [affine(index) for index in at]
            target[axis] = target[axis] + part * x.shape[axis]
            value: Expr = x[at] if part == 0 else _formula(Random(seed), x[at], 2)
            result.append(equation(y[tuple(target)], value))
        return result

    return shape, build


def normalised(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """A softmax along one axis: intermediate tensors of fewer axes."""
    axis = r.randrange(len(x.shape))

    def build(y: Tensor) -> list[Equation]:
        at = indices_of(x)
        rest = tuple(index for n, index in enumerate(at) if n != axis)
        less = tuple(size for n, size in enumerate(x.shape) if n != axis)
        most = y.step("most", default_axes(len(less)), less)
        total = y.step("total", default_axes(len(less)), less)
        exps = y.like("exps")
        return [
            equation(most[rest], reduce("max", [at[axis]], x[at])),
            equation(exps[at], call("exp", x[at] - most[rest])),
            equation(total[rest], reduce("sum", [at[axis]], exps[at])),
            equation(y[at], exps[at] / total[rest]),
        ]

    return x.shape, build


def reduced(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """One number for each position of the axes that stay."""
    op = r.choice(["sum", "mean", "max", "min", "prod"])
    axis = r.randrange(len(x.shape))
    shape = tuple(size for n, size in enumerate(x.shape) if n != axis)

    def build(y: Tensor) -> list[Equation]:
        at = list(indices_of(y))
        over = Index("n", x.shape[axis])
        return [equation(y[tuple(at)], reduce(op, [over], x[(*at[:axis], over, *at[axis:])]))]

    return shape, build


def recurrent(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """``h[t] = tanh(W x[t] + U h[t - 1] + b)`` along the first axis, the others flattened."""
    steps, rest = x.shape[0], x.shape[1:]
    units = r.randint(1, 3)
    kernel = _weight(r, "kernel", (*rest, units))
    again = _weight(r, "recurrent", (units, units))
    bias = _weight(r, "bias", (units,))
    backwards = r.random() < 0.3

    def build(y: Tensor) -> list[Equation]:
        t, o, j = Index("t", steps), Index("o", units), Index("j", units)
        over = [Index(f"i{n}", size) for n, size in enumerate(rest)]
        place = affine(steps - 1) - t if backwards else affine(t)
        total = reduce("sum", over, x[(place, *over)] * kernel[(*over, o)]) + bias[o]
        state = y[(t, o)]
        if steps > 1:
            before = reduce("sum", [j], Read(y, (t - 1, affine(j))) * again[j, o])
            total = total + select([Guard(t + 0, 1, steps)], before, 0)
        return [equation(state, call("tanh", total), t)]

    return (steps, units), build


def gathered(r: Random, x: Tensor) -> tuple[tuple[int, ...], Build]:
    """Rows of a table, chosen by positions that weights hold."""
    rows, width = r.randint(2, 6), r.randint(1, 3)
    table = _weight(r, "table", (rows, width))
    chosen = constant("chosen", np.array([r.randrange(rows) for _ in range(x.shape[0])], float))

    def build(y: Tensor) -> list[Equation]:
        at = indices_of(x)
        d = Index("d", width)
        row = table[(affine(Gather(chosen[at[0]], rows)), affine(d))]
        number = call("mul", Number(affine(at[0])), 0.1)
        return [equation(y[(*at, d)], x[at] * row + number)]

    return (*x.shape, width), build


STAGES: dict[str, Stage] = {
    "products": products, "pooling": pooling, "elementwise": elementwise,
    "rearranged": rearranged, "padded": padded, "joined": joined, "normalised": normalised,
    "reduced": reduced, "recurrent": recurrent, "gathered": gathered,
}  # fmt: skip


# --------------------------------------------------------------------------- what they are made of


def _weight(r: Random, name: str, shape: tuple[int, ...]) -> Weight:
    values = np.random.default_rng(r.randrange(1 << 30)).normal(size=shape) / 2
    return constant(name, values.astype(np.float32))


def _window(r: Random, size: int) -> tuple[int, int, int, int, int]:
    """Taps, stride, dilation, padding in front and windows, none of which is empty."""
    taps = r.randint(1, min(3, size))
    dilation = r.choice([1, 2]) if (taps - 1) * 2 < size else 1
    reach = (taps - 1) * dilation
    before = r.randint(0, reach)
    stride = r.randint(1, 3)
    after = r.randint(0, reach)
    windows = (size + before + after - reach - 1) // stride + 1
    inside = [
        any(0 <= n * stride - before + u * dilation < size for u in range(taps))
        for n in range(windows)
    ]
    if not all(inside):  # an empty maximum does not occur in networks
        return taps, stride, 1, 0, (size - taps) // stride + 1
    return taps, stride, dilation, before, windows


def _places(
    windows: Sequence[tuple[int, int, int, int, int]],
    space: Sequence[Index],
    taps: Sequence[Index],
    x: Tensor,
) -> tuple[list[Affine], list[Guard]]:
    places, guards = [], []
    for (_, stride, dilation, before, _), p, u, size in zip(
        windows, space, taps, x.shape, strict=False
    ):
        place = p * stride + u * dilation - before
        places.append(place)
        guards.append(Guard(place, 0, size))
    return places, guards


_SMOOTH = ("tanh", "sigmoid", "sin", "cos", "erf", "abs", "neg", "atan")


def _formula(r: Random, x: Expr, depth: int) -> Expr:
    if depth == 0:
        return x
    inner = _formula(r, x, depth - 1)
    kind = r.randrange(7)
    if kind == 0:
        return call(r.choice(_SMOOTH), inner)
    if kind == 1:
        return inner * call("sigmoid", inner)
    if kind == 2:
        return inner + call("max", inner, 0)
    if kind == 3:
        return inner / (call("abs", inner) + 1)
    if kind == 4:
        return call("log", call("abs", inner) + 1) - r.choice([0.5, 2.0])
    if kind == 5:
        return call("sqrt", inner * inner + 0.25)
    return call("exp", call("min", inner, 1)) * r.choice([0.5, -0.25])
