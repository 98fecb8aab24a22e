"""The command line that functions make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest

from netsheet.cli.command import Argument, Option, Program
from netsheet.cli.show import lines, progress, width
from netsheet.errors import UsageError

COLUMNS = [("layer", "left"), ("type", "left"), ("params", "right")]
CALLS: list[dict[str, Any]] = []


def draw(
    file: Annotated[Path, Argument("FILE", "What to draw: 100 %.")],
    layer: Annotated[str | None, Argument("LAYER", "Only this.")] = None,
    inputs: Annotated[list[str] | None, Option("--input", "-i", help="May be repeated.")] = None,
    count: Annotated[int, Option("--count", min=1, help="How many.")] = 3,
    mean: Annotated[str | None, Option("--mean", help="Subtracted.")] = None,
    quick: Annotated[bool, Option("--quick", help="No colours.")] = False,
) -> None:
    """Draw a file.

    In colours.
    """
    CALLS.append(dict(locals()))


def send(file: Annotated[Path, Option("--to", help="Where.")]) -> None:
    """Send it."""
    CALLS.append({"file": file})


PROGRAM = Program("demo", "Shows how.", "1.2", (draw, send))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("draw a.png", {}),
        ("draw a.png conv1", {"layer": "conv1"}),
        ("draw --quick a.png --count 5 conv1", {"layer": "conv1", "count": 5, "quick": True}),
        ("draw -i x -i=y --input z#3 a.png", {"inputs": ["x", "y", "z#3"]}),
        ("draw a.png --mean -0.5,.2", {"mean": "-0.5,.2"}),
        ("draw a.png --mean=-1", {"mean": "-1"}),
    ],
)
def test_words_become_arguments(words: str, expected: dict[str, Any]) -> None:
    assert PROGRAM.run(words.split()) == 0
    default = {"file": Path("a.png"), "layer": None, "inputs": None, "count": 3, "mean": None,
               "quick": False}  # fmt: skip
    assert CALLS.pop() == default | expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("paint a.png", "no command 'paint'; commands are draw, send"),
        ("draw", "required: FILE; see 'demo draw --help'"),
        ("send", "required: --to"),
        ("draw a.png --count 0", "--count takes a whole number of at least 1, not '0'"),
        ("draw a.png --count many", "--count takes a whole number"),
        ("draw a.png --coun 4", "unrecognized arguments: --coun 4"),
        ("draw a.png one two", "unrecognized arguments: two"),
        ("draw a.png --mean", "--mean: expected one argument"),
    ],
)
def test_mistakes_are_one_sentence(words: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        PROGRAM.run(words.split())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not CALLS


def test_help_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert PROGRAM.run(["--help"]) == 0
    overview = capsys.readouterr().out
    assert PROGRAM.run([]) == 2
    assert capsys.readouterr().out == overview
    assert "Shows how." in overview and "draw  Draw a file." in overview
    with pytest.raises(SystemExit) as caught:
        PROGRAM.run(["draw", "-h"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "What to draw: 100 %." in text and "How many. [3]" in text and "In colours." in text
    assert PROGRAM.run(["--version"]) == 0
    assert capsys.readouterr().out == "demo 1.2\n"


def test_a_table_lines_up() -> None:
    rows = [["conv1", "Conv2D", "85"], ["畳み込み", "Conv2D", "1,138"]]
    assert list(lines(COLUMNS, rows, 80)) == [
        " layer     type    params",
        " ------------------------",
        " conv1     Conv2D      85",
        " 畳み込み  Conv2D   1,138",
    ]
    assert width("畳み込み") == 8 and width("e\u0301a") == 2


def test_long_names_fold_where_the_terminal_is_narrow() -> None:
    rows = [["encoder/block1/convolution", "Conv2D", "85"]]
    assert list(lines(COLUMNS, rows, 32)) == [
        " layer           type    params",
        " ------------------------------",
        " encoder/block1  Conv2D      85",
        " /convolution",
    ]
    notes = [("layer", "left"), ("verdict", "left")]
    assert list(lines(notes, [["dense", "WRONG values that are no numbers"]], 30))[2:] == [
        " dense  WRONG values that are",
        "         no numbers",
    ]


def test_progress_is_for_terminals(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("writing") as bar:
        assert bar is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress("writing") as bar:
        assert bar is not None
        for done in (0, 1, 2):
            bar(done, 2)
    told = capsys.readouterr().err
    assert "  0 %" in told and " 50 %" in told and "100 %" in told and told.endswith("\x1b[K")
