"""The loop IR: it means what equations mean, and nothing outside a buffer gets past its check."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
import warm_start
from netsheet.equations import (
    Equation,
    Guard,
    Index,
    Lookup,
    Tensor,
    Weight,
    affine,
    call,
    equation,
    indices_of,
    reduce,
    select,
)
from netsheet.equations.evaluation import evaluate
from netsheet.errors import NetsheetError
from netsheet.loops.bounds import Bounds
from netsheet.loops.check import check
from netsheet.loops.interpret import interpret
from netsheet.loops.ir import (
    Buffer,
    Comparison,
    Convert,
    FloorDivide,
    For,
    Function,
    Greatest,
    If,
    Kernel,
    Least,
    Literal,
    Modulo,
    Program,
    Statement,
    Store,
    Variable,
    plus,
    times,
)
from netsheet.loops.pipeline import looped
from netsheet.loops.text import function_text
from netsheet.write.c.spelling import helper_text, helpers_of

SOME = [
    "seed/my_model.h5",
    "corpus/open/k3_cnn_dilated.keras",
    "corpus/open/k3_conv_transpose.keras",
    "corpus/open/k3_gru_both.keras",
    "corpus/open/k3_depthwise.keras",
    "corpus/open/k3_residual_merge.keras",
]


# --------------------------------------------------------------------------- meaning


@pytest.mark.parametrize("fast", [True, False], ids=["products", "loops"])
@pytest.mark.parametrize("file", SOME)
def test_loops_compute_what_the_equations_say(shared: Path, file: str, fast: bool) -> None:
    """In doubles, with kernels as their plain loops: no language and no rounding between."""
    model = netsheet.load(shared / file)
    if max(tensor.size for tensor in model.tensors().values()) > 20_000:
        pytest.skip("too many values for an interpreter")
    rng = np.random.default_rng(3)
    given = {tensor: rng.normal(size=tensor.shape) for tensor in model.inputs}
    expected = evaluate(model.equations(), given)
    program = looped(model.inputs, model.outputs, model.equations(), fast=fast).program
    for tensor, found in zip(model.outputs, interpret(program, [*given.values()]), strict=True):
        right = expected[tensor].reshape(-1)
        # weights that are packed for kernels are float32
        assert np.abs(found - right).max() < 1e-6 * max(1.0, np.abs(right).max())


def test_a_kernel_is_part_of_what_was_compared(seed: Path) -> None:
    model = netsheet.load(seed / "my_model.h5")
    program = looped(model.inputs, model.outputs, model.equations()).program
    assert sum(isinstance(node, Kernel) for f in program.functions for node in every(f.body)) == 3


def every(body: tuple[Statement, ...]) -> list[Statement]:
    """All statements, those in blocks included."""
    found: list[Statement] = []
    for node in body:
        found.append(node)
        for part in ("body", "then", "otherwise"):
            found += every(getattr(node, part, ()))
    return found


# --------------------------------------------------------------------------- the check


def program(body: tuple[Statement, ...], size: int = 10) -> tuple[Program, Buffer]:
    """A program of one function that fills one buffer."""
    y = Buffer("y", size, place="output", note="conv1")
    return Program((), (y,), (Function("f", (y,), frozenset({y}), body),), 0), y


def filled(offset: Any, low: Any = 0, high: Any = 10, size: int = 10) -> Program:
    """``y[offset] = 0`` for i from low to high - 1."""
    made, y = program((), size)
    body = (For("i", low, high, (Store(y, offset, Literal(0.0)),)),)
    return replace(made, functions=(replace(made.functions[0], body=body),))


I = Variable("i")  # noqa: E741


@pytest.mark.parametrize(
    ("offset", "high", "right"),
    [
        (I, 10, True),
        (I, 11, False),
        (plus(I, -1), 10, False),
        (plus(9, times(I, -1)), 10, True),
        (plus(10, times(I, -1)), 10, False),
        (Greatest(plus(I, -3), 0), 13, True),
        (Least(plus(I, 3), 9), 10, True),
        (Least(plus(I, 3), 10), 10, False),
        (FloorDivide(I, 2), 20, True),
        (FloorDivide(I, 2), 21, False),
        (plus(I, times(FloorDivide(I, 5), -5)), 100, True),
        (plus(times(FloorDivide(I, 3), 3), Modulo(I, 3)), 10, True),
        (plus(times(FloorDivide(I, 3), 3), Modulo(I, 3)), 11, False),
        (plus(times(Modulo(I, 5), 2), FloorDivide(I, 5)), 10, True),
        (plus(times(Modulo(I, 5), 2), FloorDivide(I, 5)), 15, False),
    ],
)
def test_offsets_are_proved(offset: Any, high: int, right: bool) -> None:
    if right:
        check(filled(offset, high=high))
        return
    with pytest.raises(NetsheetError, match=r"layer 'conv1' cannot be written as loops.*10 values"):
        check(filled(offset, high=high))


def test_the_ends_of_a_loop_belong_to_the_proof() -> None:
    """Taps of a window that begins before the buffer: from max(0, -first) to min(3, 10 - first)."""
    made, y = program(())
    first = plus(Variable("p"), -1)
    low, high = Greatest(times(first, -1), 0), Least(plus(10, times(first, -1)), 3)
    store = Store(y, plus(first, Variable("u")), Literal(0.0))

    def windows(low: Any, high: Any) -> Program:
        body = (For("p", 0, 10, (For("u", low, high, (store,)),)),)
        return replace(made, functions=(replace(made.functions[0], body=body),))

    check(windows(low, high))
    for ends in ((0, high), (low, 3)):
        with pytest.raises(NetsheetError, match="conv1"):
            check(windows(*ends))


def test_what_a_test_says_holds_inside_it_only() -> None:
    made, y = program(())
    store = Store(y, I, Literal(0.0))
    test = Comparison(I, "<", 10)
    for then, otherwise, right in (((store,), (), True), ((), (store,), False)):
        body = (For("i", 0, 20, (If(test, then, otherwise),)),)
        one = replace(made, functions=(replace(made.functions[0], body=body),))
        if right:
            check(one)
        else:
            with pytest.raises(NetsheetError):
                check(one)


def test_strided_taps_are_bounded_by_quotients() -> None:
    """u * 3 + p - 4 >= 0 from u >= ceil((4 - p) / 3)."""
    bounds = Bounds()
    bounds.loop("p", 0, 5)
    bounds.loop("u", Greatest(FloorDivide(plus(6, times(Variable("p"), -1)), 3), 0), 4)
    total = bounds.sum(plus(times(Variable("u"), 3), Variable("p"), -4))
    assert bounds.extreme(total, True) >= 0


def test_types_and_rights_are_checked() -> None:
    made, y = program(())
    x = Buffer("x", 10, place="input", note="image")
    wrong: list[tuple[Statement, str]] = [
        (Store(y, 0, Convert(1, "int8")), "int8"),
        (Store(y, 0, Literal(1.0, "int32")), "int32"),
        (Store(x, 0, Literal(1.0)), "writes into image"),
        (Store(y, Variable("nobody"), Literal(1.0)), "nobody is no position"),
    ]
    for statement, what in wrong:
        function = replace(made.functions[0], body=(statement,), buffers=(x, y))
        with pytest.raises(NetsheetError, match=what):
            check(replace(made, functions=(function,)))
    beside = Buffer("a", 4, place="arena", start=7, note="dense")
    function = replace(made.functions[0], buffers=(beside,))
    with pytest.raises(NetsheetError, match="dense lies outside the arena"):
        check(replace(made, functions=(function,), arena=10))


def test_every_spoiled_kernel_is_refused(seed: Path) -> None:
    """A pixel more, a longer step, an input later: none of them gets past the check."""
    model = netsheet.load(seed / "my_model.h5")
    right = looped(model.inputs, model.outputs, model.equations()).program

    def spoil(body: tuple[Statement, ...], how: Any) -> tuple[Statement, ...]:
        result: list[Statement] = []
        for node in body:
            if isinstance(node, Kernel):
                node = how(node)
            elif isinstance(node, For):
                node = replace(node, body=spoil(node.body, how))
            result.append(node)
        return tuple(result)

    def geometry(name: str, more: int) -> Any:
        return lambda kernel: replace(
            kernel,
            geometry=replace(kernel.geometry, **{name: getattr(kernel.geometry, name) + more}),
        )

    def later(kernel: Kernel) -> Kernel:
        return replace(kernel, x=replace(kernel.x, offset=plus(kernel.x.offset, 1)))

    check(right)
    for how in (geometry("y_step", 1), geometry("step", 1), geometry("pitch", 1), later):
        functions = tuple(replace(f, body=spoil(f.body, how)) for f in right.functions)
        with pytest.raises(NetsheetError, match="cannot be written as loops"):
            check(replace(right, functions=functions))


def test_equations_whose_sizes_contradict_are_refused_by_name() -> None:
    """A sum over 5 taps of a tensor that has 4; never printed, never a read beside it."""
    x = Tensor("x", ("channel",), (4,))
    y = Tensor("pool", ("channel",), (1,))
    i, c = Index("i", 5), Index("c", 1)
    with pytest.raises(NetsheetError, match=r"'pool' reads 'x' .* along channel from 0 to 4"):
        looped([x], [y], [equation(y[c], reduce("sum", [i], x[i]))])
    w = Weight("w", ("in",), (4,), label="w", values=np.ones(4, np.float32))
    with pytest.raises(NetsheetError, match="pool"):
        looped([x], [y], [equation(y[c], reduce("sum", [i], x[i] * w[i]))])


def test_a_position_in_another_row_is_refused_though_it_is_in_memory() -> None:
    """x[i, 7] of a (4, 6) lies inside x, as x[i + 1, 1]; so does every place of an axis of 1."""
    x = Tensor("x", ("height", "width"), (4, 6))
    flat = Tensor("flat", ("height", "width"), (4, 1))
    y = Tensor("crop", ("height", "width"), (3, 8))
    i, j = indices_of(y)
    for tensor in (x, flat):
        with pytest.raises(NetsheetError, match=r"'crop' reads .* along width from 0 to 7"):
            looped([tensor], [y], [equation(y[i, j], tensor[i, j])])
    inside = [Guard(affine(j), 0, 6)]
    looped([x], [y], [equation(y[i, j], select(inside, x[i, j], 0.0))])
    k = Index("k", 3)
    at = affine(j) + k - 1
    taps = reduce("sum", [k], x[i, at], [Guard(at, 0, 6)])
    looped([x], [y], [equation(y[i, j], taps)])
    with pytest.raises(NetsheetError, match=r"'crop' reads .* along width from -1 to 5"):
        looped([x], [y], [equation(y[i, j], reduce("sum", [k], x[i, at], [Guard(at, -1, 6)]))])


@pytest.mark.parametrize("length", [7, 9, 23])
def test_tables_that_go_together_are_proved_entry_by_entry(length: int) -> None:
    """Windows of several lengths, each begun where a table says (adaptive pooling)."""
    count = 5
    starts = tuple(n * length // count for n in range(count))
    sizes = tuple(-(-(n + 1) * length // count) - starts[n] for n in range(count))
    x = Tensor("x", ("time", "channel"), (length, 3))
    y = Tensor("y", ("time", "channel"), (count, 3))
    t, c = indices_of(y)
    tap = Index("u", max(sizes))
    window = tap - affine(Lookup(sizes, affine(t)))

    def means(longer: int) -> list[Equation]:
        inside = [Guard(window - longer, -max(sizes) - longer, 0)]
        value = x[tap + affine(Lookup(starts, affine(t))), c]
        return [equation(y[t, c], reduce("mean", [tap], value, inside))]

    given = np.random.default_rng(0).normal(size=x.shape)
    (found,) = interpret(looped([x], [y], means(0)).program, [given])
    right = [given[s : s + n].mean(axis=0) for s, n in zip(starts, sizes, strict=True)]
    assert np.allclose(found.reshape(count, 3), right)
    with pytest.raises(NetsheetError, match="'y' reads 'x'"):
        looped([x], [y], means(1))


# --------------------------------------------------------------------------- depth


def chain(length: int) -> tuple[Tensor, Tensor, list[Equation]]:
    """x * sigmoid(x), again and again: a tree of 2 ** length leaves."""
    tensors = [Tensor(f"t{n}", ("channel",), (3,)) for n in range(length + 1)]
    equations = []
    for x, y in itertools.pairwise(tensors):
        (c,) = indices_of(y)
        equations.append(equation(y[c], x[c] * call("sigmoid", x[c])))
    return tensors[0], tensors[-1], equations


def test_what_is_shared_is_computed_once_at_any_depth() -> None:
    x, y, equations = chain(60)
    made = looped([x], [y], equations)
    statements = sum(len(every(f.body)) for f in made.program.functions)
    assert statements < 60 * 4
    given = np.array([0.3, -2.0, 5.0])
    (found,) = interpret(made.program, [given])
    assert np.allclose(found, evaluate(equations, {x: given})[y], rtol=1e-12)


def work(length: int) -> int:
    """How many functions are called to lower a chain."""
    x, y, equations = chain(length)
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        looped([x], [y], equations)
    finally:
        sys.setprofile(None)
    return calls


def test_work_grows_with_the_length_of_a_network() -> None:
    assert work(480) < 4.5 * work(120)


def test_an_expression_of_a_thousand_levels() -> None:
    tensors = [Tensor(f"t{n}", ("channel",), (2,)) for n in range(1000)]
    y = Tensor("sum", ("channel",), (2,))
    (c,) = indices_of(y)
    total = tensors[0][c]
    for tensor in tensors[1:]:
        total = total + tensor[c]  # type: ignore[assignment]
    made = looped(tensors, [y], [equation(y[c], total)])
    (found,) = interpret(made.program, [np.full(2, float(n)) for n in range(1000)])
    assert found.tolist() == [999 * 500.0] * 2


# --------------------------------------------------------------------------- text


def test_loops_as_text() -> None:
    x = Tensor("image", ("width",), (5,))
    y = Tensor("edges", ("width",), (5,))
    (p,) = indices_of(y)
    before = p - 1
    value = select([Guard(affine(before), 0, 5)], x[p] - x[before], 0.0)
    made = looped([x], [y], [equation(y[p], value)])
    assert function_text(made.program.functions[0]).splitlines() == [
        "function layer_edges_output0",
        "  reads a_image: 5 float32, input (image)",
        "  writes a_edges_output0: 5 float32, output (edges/output0)",
        "  for x from 0 to 5 - 1",
        "    a_edges_output0[x] = (a_image[x] - a_image[x - 1] if x - 1 >= 0 else 0)",
    ]


def command(*arguments: str, code: int = 0) -> str:
    """What the command line says."""
    done = warm_start.netsheet(*arguments)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_the_command_shows_the_loops_of_a_layer(seed: Path) -> None:
    file = str(seed / "my_model.h5")
    text = command("equations", file, "conv2", "--loops")
    assert "kernel row_" in text and "x = a_activation_4" in text and "arena: " in text
    assert "tanh(" in command("equations", file, "--loops")
    assert "--json" in command("equations", file, "--loops", "--json", code=2)


# --------------------------------------------------------------------------- files


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_every_helper_is_c_by_itself(tmp_path: Path) -> None:
    folder = resources.files("netsheet.write.c") / "files" / "helpers"
    names = sorted(file.name for file in folder.iterdir())
    assert "tanh.c" in names
    for name in names:
        head = "#include <math.h>\n#include <stdint.h>\n#define NET_CODE\n"
        text = head + helper_text(helpers_of([name.removesuffix(".c")]), "net")
        assert "@" not in text
        (tmp_path / name).write_text(text)
        command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wno-unused-function",
                   "-Werror", "-c", name]  # fmt: skip
        subprocess.run(command, cwd=tmp_path, check=True)
