"""docs/int8.md: what stands under a command is what it prints, and arithmetic by hand is right."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsheet.cli.app import main

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [DOCS / "int8.md", DOCS / "ja/int8.md"]
FILES = {
    "seed_int8.tflite": "models/tflite/made/seed_int8.tflite",
    "seed.h5": "seed/my_model_channels_last.h5",
    "digit5.png": "seed/digit5.png",
}
ARITHMETIC = re.compile(r" +([-(]?[\d.]+(?: [-+*/^] [-\d.^()]+)+) = (-?[\d.]+)")


def blocks(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every command that has output below it, with that output."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        found = re.fullmatch(r"( {4,})\$ netsheet (.*)", line)
        if found is None:
            continue
        indent, shown = found[1], []
        for below in lines[number + 1 :]:
            if below.strip() and not below.startswith(indent):
                break
            if below.startswith(f"{indent}$ "):
                break
            shown.append(below[len(indent) :].rstrip())
        while shown and not shown[-1]:
            shown.pop()
        if shown:
            yield found[2].partition("  #")[0], shown


@pytest.fixture
def folder(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, source in FILES.items():
        shutil.copy(shared / source, tmp_path / name)
    shutil.copytree(shared / "data/mnist", tmp_path / "mnist")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


COMMANDS = [
    pytest.param(command, shown, marks=[pytest.mark.slow] if "quantise" in command else [])
    for command, shown in {one: text for page in PAGES for one, text in blocks(page)}.items()
]


def test_there_are_commands_in_both_languages() -> None:
    assert [len(list(blocks(page))) > 5 for page in PAGES] == [True, True]
    assert dict(blocks(PAGES[0])) | dict(blocks(PAGES[1])) == dict(blocks(PAGES[0]))


@pytest.mark.parametrize(("command", "shown"), COMMANDS)
def test_every_number_is_what_its_command_says(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    shown: list[str],
) -> None:
    if "verify" in command:
        pytest.importorskip("tflite_micro")
        pytest.importorskip("ironcalc")
    monkeypatch.setattr("sys.argv", ["netsheet", *command.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    said = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    at = 0
    for line in shown:  # in this order; "..." stands for lines that are left out, or a line's end
        if line.strip() == "...":
            continue
        whole = line.removesuffix(" ...")
        while at < len(said) and not (
            said[at] == line if whole == line else said[at].startswith(whole)
        ):
            at += 1
        assert at < len(said), f"{line!r} is not there, or not in this order:\n" + "\n".join(said)
        at += 1


@pytest.mark.parametrize("page", PAGES, ids=["en", "ja"])
def test_what_is_computed_by_hand_is_right(page: Path) -> None:
    found = [
        match
        for line in page.read_text(encoding="utf-8").splitlines()
        if (match := ARITHMETIC.fullmatch(line))
    ]
    assert len(found) >= 10
    for match in found:
        value = eval(match[1].replace("^", "**"), {"__builtins__": {}})
        digits = len(match[2].partition(".")[2])
        assert abs(value - float(match[2])) <= 0.6 * 10**-digits, match[0]


@pytest.mark.parametrize("page", PAGES, ids=["en", "ja"])
def test_the_pictures_are_there(page: Path) -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert len(pictures) >= 3
    assert all((page.parent / picture).is_file() for picture in pictures)
