"""Files that appear whole or not at all, and what is there already."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from netsheet.errors import NetsheetError
from netsheet.files import atomic


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    with atomic(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "real" / "out.csv")
    for text in ("first", "second"):
        with atomic(link) as temporary:
            temporary.write_text(text)
        assert link.is_symlink()
        assert (tmp_path / "real" / "out.csv").read_text() == text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_gets_the_bytes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    with atomic(pipe) as temporary:
        temporary.write_text("all of it")
    reader.join(10)
    assert got == ["all of it"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(NetsheetError, match="is a folder"), atomic(tmp_path):
        pass
    with pytest.raises(NetsheetError, match="make it first"), atomic(tmp_path / "no" / "out"):
        pass


WRITER = """
import signal, sys
from netsheet.cli import app
from netsheet.files import atomic
app._run = lambda arguments: write()
def write():
    with atomic("out.csv") as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        while True:
            signal.pause()
app.main()
"""


def _ended(folder: Path, number: int) -> int:
    """Ends a program that is writing, from outside; returns its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    assert len(list(folder.iterdir())) == 1
    process.send_signal(number)
    return process.wait()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_ended_from_outside_nothing_is_left(tmp_path: Path) -> None:
    assert _ended(tmp_path, signal.SIGTERM) == 143
    assert _ended(tmp_path, signal.SIGHUP) == 129
    assert _ended(tmp_path, signal.SIGINT) == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_what_was_left_by_force_is_removed_by_the_next(tmp_path: Path) -> None:
    assert _ended(tmp_path, signal.SIGKILL) == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    foreign = tmp_path / ".out.csv.abc-1-x.tmp"
    foreign.write_text("somebody else's")
    with atomic(tmp_path / "other.csv") as temporary:
        temporary.write_text("new")
    assert len(list(tmp_path.iterdir())) == 3
    with atomic(tmp_path / "out.csv") as temporary:
        temporary.write_text("new")
    assert {item.name for item in tmp_path.iterdir()} == {foreign.name, "other.csv", "out.csv"}


COMPILER = """
import tempfile
from pathlib import Path
from netsheet.cli import app
from netsheet.verify.engines.c_harness import compile_c
def compiles(arguments):
    with tempfile.TemporaryDirectory(dir=".") as folder:
        compile_c(["sh", "-c", "mktemp && exec sleep 60"], Path(folder).resolve())
app._run = compiles
app.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_compiler_ended_from_outside_leaves_nothing(tmp_path: Path) -> None:
    """Its temporary files lie in the folder that goes with the program."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMPILER], cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.rglob("*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [item.parent == tmp_path for item in sorted(tmp_path.rglob("*"))] == [True, False]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert list(tmp_path.iterdir()) == []
