"""Sums of products of whole numbers: tiles against the plain evaluator, to the last bit.

Layers are made up: kernels of any size, stride, dilation, padding and groups, over one to three
axes, with multipliers and shifts by channel and sometimes another tensor that is added.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import pytest

from netsheet.data.inputs import InputValue, Sample
from netsheet.equations import (
    Equation,
    Expr,
    Guard,
    Index,
    Quantisation,
    Reduce,
    Tensor,
    Weight,
    affine,
    call,
    equation,
)
from netsheet.equations.evaluation import evaluate
from netsheet.layer import Layer, Signature
from netsheet.loops.interpret import interpret
from netsheet.loops.pipeline import looped
from netsheet.loops.products.whole_pooling import PooledWholeProducts
from netsheet.loops.products.whole_tiles import WholeProducts
from netsheet.network import LayerCall, Network, Source, ValueRef
from netsheet.verify.engines.boards import BOARDS
from netsheet.verify.engines.c_board import run_on_board
from netsheet.verify.engines.c_harness import WARNINGS
from netsheet.verify.engines.c_host import run_library
from netsheet.write.c.folder import put
from netsheet.write.c.library import library
from netsheet.write.c.sources import files

BYTES = Quantisation(np.float32(1), 0)
SANITIZED = [*WARNINGS, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
STRICT = [*WARNINGS, "-O2", "-fstrict-aliasing", "-Wstrict-aliasing=2"]


@dataclass(eq=False, kw_only=True)
class WholeConvolution(Layer):
    """A convolution of bytes over all axes but the last."""

    seed: int
    deep: bool = False
    weights: dict[str, Weight] = field(default_factory=dict)

    def output_kind(self, number: int) -> tuple[str, Quantisation | None]:
        return "int8", BYTES

    def _sizes(self, shape: Sequence[int]) -> list[tuple[int, int, int, int, int]]:
        """Taps, stride, dilation, padding and outputs along each axis."""
        r = Random(self.seed)
        found = []
        for size in shape[:-1]:
            apart = r.choice((1, 1, 1, 2))
            taps = r.randint(1, 4)
            before = r.choice((0, 0, 1, taps - 1)) * apart
            stride = r.choice((1, 1, 2, 3))
            room = size + 2 * before - apart * (taps - 1)
            if room < 1:
                taps, before, apart, room = 1, 0, 1, size
            found.append((taps, stride, apart, before, (room - 1) // stride + 1))
        return found

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        outputs = [one[-1] for one in self._sizes(inputs[0].shape)]
        return [Signature(inputs[0].axes, (*outputs, self._channels(inputs[0])[1]))]

    def _channels(self, x: Tensor) -> tuple[int, int]:
        r, size = Random(self.seed + 1), x.shape[-1]
        if self.deep:
            return size, size
        groups = r.choice([n for n in range(1, size + 1) if size % n == 0] if r.random() < 0.3
                          else [1])  # fmt: skip
        return groups, groups * r.randint(1, 9)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        (x, *others), (y,) = inputs, outputs
        random, r = np.random.default_rng(self.seed), Random(self.seed)
        sizes = self._sizes(x.shape)
        groups, channels = self._channels(x)
        own, per = x.shape[-1] // groups, channels // groups
        kernel = self._weight(
            "kernel", "int8", random.integers(-128, 128, (*[s[0] for s in sizes], own, channels))
        )
        bias = self._weight("bias", "int32", random.integers(-(2**16), 2**16, channels))
        factor = self._weight("multiplier", "int32", random.integers(2**30, 2**31, channels))
        least = r.choice((0, 1, 8))
        shift = self._weight("shift", "int32", random.integers(least, least + 4, channels))
        pixels = [Index("zyx"[-len(sizes) :][n], one[-1]) for n, one in enumerate(sizes)]
        taps = [Index("wuv"[-len(sizes) :][n], one[0]) for n, one in enumerate(sizes)]
        group, o, i = Index("g", groups), Index("o", per), Index("i", own)
        places = [
            p * stride + t * apart - before
            for p, t, (_, stride, apart, before, _) in zip(pixels, taps, sizes, strict=True)
        ]
        c = group * per + o
        zero = r.choice((0, 128, -5, -127))
        read = x[(*places, group * own + i)]
        total = Reduce(
            "sum", (*taps, i), (read + zero if zero else read) * kernel[(*taps, i, c)],
            tuple(Guard(at, 0, size) for at, size in zip(places, x.shape[:-1], strict=True)
                  if at.bounds()[0] < 0 or at.bounds()[1] >= size),
        )  # fmt: skip
        value = _scaled(total + bias[c], factor[c], shift[c]) + r.randint(-20, 20)
        value = _held(value, r.choice((-128, -3)))
        if others:
            added = others[0][(*pixels, c)]
            value = _held(_scaled((value + added) * 2**20, factor[0], 20) + 3, -128)
        at = y[(*pixels, c)]
        return [equation(at, value)]

    def _weight(self, label: str, dtype: str, values: np.ndarray) -> Weight:
        axes = tuple(f"a{n}" for n in range(values.ndim))
        made = Weight(f"{self.name}/{label}", axes, values.shape, label=label,
                      values=values.astype(dtype), dtype=dtype)  # fmt: skip
        return self.weights.setdefault(label, made)


@dataclass(eq=False, kw_only=True)
class WholePooling(Layer):
    """The largest of each window of bytes; windows follow each other, or overlap."""

    size: int
    stride: int
    before: int

    def output_kind(self, number: int) -> tuple[str, Quantisation | None]:
        return "int8", BYTES

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        sizes = [(size + self.before - 1) // self.stride + 1 for size in inputs[0].shape[:-1]]
        return [Signature(inputs[0].axes, (*sizes, inputs[0].shape[-1]))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        (x,), (y,) = inputs, outputs
        pixels = [Index("yx"[n % 2], size) for n, size in enumerate(y.shape[:-1])]
        taps = [Index("uv"[n % 2], self.size) for n in range(len(pixels))]
        c = Index("c", x.shape[-1])
        places = [p * self.stride + t - self.before for p, t in zip(pixels, taps, strict=True)]
        where = tuple(Guard(at, 0, size) for at, size in zip(places, x.shape[:-1], strict=True))
        return [equation(y[(*pixels, c)], Reduce("max", tuple(taps), x[(*places, c)], where))]


def _scaled(x: Expr, factor: Expr, shift: object) -> Expr:
    return call("shift_right", call("high_product", x, factor), shift)


def _held(x: Expr, low: int) -> Expr:
    return call("min", call("max", x, low), 127)


def network(seed: int, layers: int) -> tuple[Network, Sample]:
    """Independent layers over one input, and an input."""
    r = Random(seed)
    axes = ("depth", "height", "width", "channel")[-r.choice((1, 2, 3, 3, 3, 4)) :]
    shape = (*(r.randint(1, 9) for _ in axes[:-1]), r.randint(1, 9))
    calls, inside = [], set()
    for n in range(layers):
        key, deep = f"made{n}", r.random() < 0.3
        layer = WholeConvolution(name=key, type_name="Made", seed=r.randrange(1 << 20), deep=deep)
        calls.append(LayerCall(key, layer, (ValueRef("x"),)))
        if r.random() < 0.4:  # the same once more, with the first added
            again = WholeConvolution(name=f"{key}b", type_name="Made", seed=layer.seed, deep=deep)
            calls.append(LayerCall(again.name, again, (ValueRef("x"), ValueRef(key))))
        elif r.random() < 0.4:  # and only its largest values are wanted
            size = r.choice((2, 3))
            stride, before = r.choice((size, size, 1)), r.choice((0, 0, 1))
            pooled = WholePooling(
                name=f"{key}p", type_name="Made", size=size, stride=stride, before=before
            )
            calls.append(LayerCall(pooled.name, pooled, (ValueRef(key),)))
            inside.add(key)
    made = Network("made", calls, [Source("x", shape, axes, "int8", quantisation=BYTES)],
                   [ValueRef(c.key) for c in calls if c.key not in inside])  # fmt: skip
    assert all(node.refusal is None for node in made.nodes)
    values = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
    return made, Sample("x", {"x": InputValue(values)})


def wanted(made: Network, sample: Sample) -> dict[str, np.ndarray]:
    """What the equations mean."""
    found = evaluate(made.equations(), dict(zip(made.inputs, sample.arrays, strict=True)))
    return {tensor.name: found[tensor] for tensor in made.outputs}


def assert_same(found: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    for n, (name, values) in enumerate(right.items()):
        got = found[name if name in found else f"#{n}"]
        assert np.array_equal(np.asarray(got, float).reshape(values.shape), values), name


CASES = [*((seed, SANITIZED) for seed in range(4)), *((seed, STRICT) for seed in (4, 5))]


@pytest.mark.parametrize(("seed", "options"), CASES)
def test_sums_in_c(seed: int, options: list[str]) -> None:
    made, sample = network(seed, 5)
    right = wanted(made, sample)
    lib = library(made)
    kinds = (WholeProducts, PooledWholeProducts)
    assert any(isinstance(one, kinds) for one in lib.fast.computations)
    for traced in (False, True) if options is SANITIZED else (False,):
        (found,) = run_library(lib, [sample.arrays], traced=traced, options=options)
        assert_same(dict(found), right)


@pytest.mark.parametrize("name", ["qemu-cortex-m0", "qemu-cortex-m4", "qemu-riscv32"])
def test_sums_on_boards(name: str) -> None:
    """Instructions for pairs of numbers, and what stands in their place."""
    for seed in (100, 103):
        made, sample = network(seed, 5)
        (found,) = run_on_board(library(made), [sample.arrays], traced=False, board=BOARDS[name])
        assert_same(dict(found), wanted(made, sample))


@pytest.mark.parametrize("cpu", ["cortex-m0", "cortex-m4", "cortex-m23"])
def test_tiles_compile_however_much_is_optimised(cpu: str, tmp_path: Path) -> None:
    """Assembly asks for registers, of which debugging takes some."""
    gcc = shutil.which("arm-none-eabi-gcc")
    if gcc is None:
        pytest.skip("needs arm-none-eabi-gcc")
    for name, text in files(library(network(0, 3)[0], traced=False)).items():
        put(tmp_path / name, text)
    for option in ("-O0 -g", "-Os", "-O2 -fno-omit-frame-pointer"):
        command = [gcc, *WARNINGS, f"-mcpu={cpu}", "-mthumb", *option.split(), "-c", "net.c"]
        subprocess.run(command, cwd=tmp_path, check=True)


@pytest.mark.parametrize("seed", range(200, 204))
def test_sums_as_loops(seed: int) -> None:
    """The loop IR, run as it is."""
    made, sample = network(seed, 3)
    assert sum(math.prod(t.shape) for t in made.outputs) < 20_000
    program = looped(made.inputs, made.outputs, made.equations()).program
    found = interpret(program, sample.arrays)
    assert_same({t.name: v for t, v in zip(made.outputs, found, strict=True)},
                wanted(made, sample))  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_rows_of_sums_are_pooled_as_they_come(seed: int) -> None:
    """Only the rows of a window exist at a time, and nothing else changes."""
    r = Random(seed)
    shape = (r.randint(8, 12), r.randint(8, 12), r.randint(1, 5))
    calls = []
    for n in range(5):
        conv = WholeConvolution(name=f"c{n}", type_name="Made", seed=r.randrange(1 << 20))
        size, before = r.choice((2, 3)), r.choice((0, 0, 1))
        pool = WholePooling(name=f"p{n}", type_name="Made", size=size, stride=size, before=before)
        calls.append(LayerCall(conv.name, conv, (ValueRef("x"),)))
        calls.append(LayerCall(pool.name, pool, (ValueRef(conv.name),)))
    source = Source("x", shape, ("height", "width", "channel"), "int8", quantisation=BYTES)
    made = Network("made", calls, [source], [ValueRef(f"p{n}") for n in range(5)])
    values = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
    sample = Sample("x", {"x": InputValue(values)})
    lib = library(made)
    assert any(isinstance(one, PooledWholeProducts) for one in lib.fast.computations)
    (found,) = run_library(lib, [sample.arrays], traced=False, options=SANITIZED)
    assert_same(dict(found), wanted(made, sample))


def test_a_sum_that_32_bits_may_not_hold_has_plain_loops() -> None:
    """Tiles add in another order, so they want proof that nothing on the way is too large."""
    x = Tensor("x", ("channel",), (4,), dtype="int8")
    y = Tensor("y", ("channel",), (2,), dtype="int8")
    i, c = Index("i", 4), Index("c", 2)
    kernel = Weight("k", ("in", "out"), (4, 2), label="k", dtype="int8",
                    values=np.full((4, 2), 127, np.int8))  # fmt: skip
    for bias, tiled in ((2**31 - 4 * 128 * 127 - 1, True), (2**31 - 4 * 128 * 127, False)):
        b = Weight("b", ("out",), (2,), label="b", dtype="int32", values=np.full(2, bias))
        total = Reduce("sum", (i,), x[i] * kernel[i, c])
        eq = equation(y[affine(c)], _held(call("shift_right", total + b[c], 25), -128))
        found = looped([x], [y], [eq]).computations
        assert [isinstance(one, WholeProducts) for one in found] == [tiled]
