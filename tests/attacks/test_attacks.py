"""Each hostile or broken file gets its one-line answer, and nothing else happens."""

from __future__ import annotations

import json
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attack import ATTACKS, MARK, Attack
from make_attacks import make_all

# Of the processor, not of the clock, and many times what the slowest answer takes on a slow
# machine: what these files are made for takes hours, or for ever.
SECONDS = 60
PATIENCE = 1200  # by the clock, for what waits without working: a pipe that nobody writes into
MEMORY = 500_000_000
WORKER = Path(__file__).with_name("worker.py")
WARM = [
    ["summary", "sound.h5"],
    ["summary", "sound.onnx"],
    ["activations", "sound.h5", "--input", "sound.npy", "-o", "out.npz"],
]


class Worker:
    """The command line in a process of its own, started again when it hangs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None

    def ask(self, arguments: list[str]) -> dict[str, Any]:
        """What one run did; fails if it works or waits for ever, or ends the process."""
        if self.process is None:
            self.process = self._start()
        answer = self._answer(self.process, arguments)
        if answer["peak"] > MEMORY // 2:  # the next one is measured by itself
            self.stop()
        return answer

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(WORKER), str(SECONDS)], cwd=self.folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout
        process.stdout.readline()
        for arguments in WARM:  # imports are not of interest
            self._answer(process, arguments)
        return process

    def _answer(self, process: subprocess.Popen[str], arguments: list[str]) -> dict[str, Any]:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(arguments) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        line = process.stdout.readline() if ready else ""
        if not line:
            code = process.wait() if ready else None
            self.stop()
            if code == -signal.SIGXCPU:
                pytest.fail(f"it works for more than {SECONDS} s")
            pytest.fail("it waits for ever" if code is None else f"the process has died ({code})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("attacks")
    make_all(made)
    return made


@pytest.fixture(scope="module")
def worker(folder: Path) -> Iterator[Worker]:
    made = Worker(folder)
    yield made
    made.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the pipe and /proc are Linux's")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_answer(attack: Attack, worker: Worker, folder: Path) -> None:
    before = {item.name for item in folder.iterdir()}
    did = worker.ask(attack.arguments)
    answer = did["out"] + did["err"]
    assert did["code"] in ((0,) if attack.opens else (1, 2)), answer[-2000:]
    assert re.search(attack.expected, answer), answer[-2000:]
    if not attack.opens:
        assert did["err"].startswith("netsheet: "), did["err"]
        assert did["err"].count("\n") == 1
        assert len(did["err"]) < 1000
        assert did["out"] == ""
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", answer), "something that steers a terminal"
    assert did["peak"] < MEMORY
    assert (did["events"], did["modules"]) == ([], [])
    new = {item.name for item in folder.iterdir()} - before
    assert new <= {"out.npz", "out.csv"}, new
    assert MARK not in new
    assert not [name for name in did["opened"] if _outside(name, folder)]


def _outside(name: str, folder: Path) -> bool:
    """True for a file that is neither beside the model nor a part of Python or of netsheet."""
    path = (folder / name).resolve()
    code = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2] / "src"), "/proc", "/sys")
    return folder.resolve() not in path.parents and not str(path).startswith(code)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(
    "name", ["list_bomb.keras", "doubling.weights.h5", "many_calls.h5", "backwards.keras",
             "bomb.keras", "doubling_constants.onnx"],
)  # fmt: skip
def test_as_a_whole_process(name: str, folder: Path) -> None:
    """The interpreter's start included."""
    import resource

    code = (
        "import sys; sys.argv = ['netsheet', 'summary', sys.argv[1]]\n"
        "from netsheet.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print([l for l in open('/proc/self/status') if 'VmHWM' in l][0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name], cwd=folder, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS)),
    )  # fmt: skip
    assert done.returncode in (0, 1)  # and not the signal that ends who works for too long
    match = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert match
    assert int(match.group(1)) * 1024 < MEMORY


def test_nothing_was_executed(folder: Path) -> None:
    """Last: no attack has left its mark."""
    assert not (folder / MARK).exists()
    assert not Path(MARK).exists()
    assert not (folder / "X").exists()
