"""Command lines that are read without typer mean what typer makes of them."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from netsheet.cli.commands import COMMANDS, command_named
from netsheet.cli.declarations import Argument
from netsheet.cli.plain import parsed
from netsheet.cli.program import _typed

SAMPLE = Path(__file__).parents[1] / "src/netsheet/data/sample"
WORDS = ["x.h5", "7", "0", "-1", "1/255", "0.5", "1e3", "ab", "", "-", "--", "-o", "--json", "a=b"]


def by_typer(command: Any, words: list[str]) -> dict[str, Any] | None:
    """What the command is called with; None where typer says something in place of it."""
    seen: list[dict[str, Any]] = []

    @functools.wraps(command)
    def recorded(**given: Any) -> None:
        seen.append(given)

    recorded.__signature__ = inspect.signature(command)  # type: ignore[attr-defined]
    program = typer.Typer(add_completion=False)
    program.command()(_typed(recorded))
    try:
        typer.main.get_command(program)(words, standalone_mode=False)
    except Exception:
        return None
    return seen[0] if seen else None


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A command with options of its own, some with values, some spelled with ``=``, some wrong."""
    name = draw(st.sampled_from(list(COMMANDS)))
    parameters = inspect.signature(command_named(name)).parameters.values()
    words: list[str] = []
    for parameter in parameters:
        declared = get_args(parameter.annotation)[1]
        needed = parameter.default is inspect.Parameter.empty
        if draw(st.integers(0, 9)) >= (9 if needed else 2):
            continue
        value = draw(st.sampled_from(WORDS))
        if isinstance(declared, Argument):
            words.append(value)
            continue
        option = draw(st.sampled_from(declared.names))
        form = draw(st.sampled_from(["apart", "apart", "apart", "joined", "alone"]))
        flag = get_args(parameter.annotation)[0] is bool
        if form == "joined":
            words.append(f"{option}={value}")
        else:
            words += [option] if flag or form == "alone" else [option, value]
    return name, words


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(lines())
def test_what_is_read_plainly_is_what_typer_reads(line: tuple[str, list[str]]) -> None:
    name, words = line
    plain = parsed(command_named(name), words)
    if plain is not None:
        assert plain == by_typer(command_named(name), words)


@pytest.mark.parametrize("line", [
    ["summary", "x.h5", "--json"],
    ["evaluate", "x.h5", "--data", "mnist", "--limit", "10", "--scale=1/127.5", "--invert"],
    ["activations", "x.h5", "-i", "a.png", "-i", "b.png", "-o", "-"],
    ["weights", "x.h5", "conv1", "--axes", "original"],
    ["train", "-o", "n.h5", "--data", "mnist", "--rate", "0.01"],
    ["demo"],
])  # fmt: skip
def test_usual_lines_are_read_plainly(line: list[str]) -> None:
    plain = parsed(command_named(line[0]), line[1:])
    assert plain is not None
    assert plain == by_typer(command_named(line[0]), line[1:])


@pytest.mark.parametrize("line", [
    ["--help"], ["x.h5", "--no-such"], [], ["x.h5", "--data"],
    ["x.h5", "--data", "d", "--limit", "0"],
    ["x.h5", "--data", "d", "--limit", "many"], ["x.h5", "y.h5", "--data", "d"],
    ["x.h5", "--data", "d", "--json=yes"], ["x.h5", "--data", "--json"],
    ["x.h5", "--data", "d", "--data", "e"],
])  # fmt: skip
def test_the_rest_is_left_to_typer(line: list[str]) -> None:
    assert parsed(command_named("evaluate"), line) is None


def test_evaluate_imports_no_typer() -> None:
    code = (
        "import sys; from netsheet.cli.app import run\n"
        f"assert run(['evaluate', {str(SAMPLE / 'digits.h5')!r}, '--data', "
        f"{str(SAMPLE / 'digits')!r}]) == 0\n"
        "print([name for name in ('typer', 'rich') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
