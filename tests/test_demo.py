"""The demonstration needs nothing but the package, and writes what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_demo_writes_everything_and_proves_it(tmp_path: Path) -> None:
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("no C compiler")
    done = subprocess.run(
        [sys.executable, "-m", "netsheet", "demo", "out"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines if "left out: " not in line) <= 80
    proofs = re.findall(r"(\d+) of (\d+) layers agree", done.stdout)
    left = done.stdout.count("  left out: ")
    assert (
        len(proofs) + left == 4 and len(proofs) >= 2 and all(good == all_ for good, all_ in proofs)
    )
    out = tmp_path / "out"
    for name in (
        "digits.xlsx",
        "weights.csv",
        "digits.onnx",
        "kernels.png",
        "activations.npz",
        "digits.html",
    ):
        assert (out / name).stat().st_size > 500, name
    command = ["cc", "-std=c99", "-DNET_TRACE", "net.c", "net_weights.c", "net_test.c", "-lm"]
    subprocess.run([*command, "-o", "run"], cwd=out / "c", check=True)
    subprocess.run(["./run"], cwd=out / "c", check=True, stdout=subprocess.DEVNULL)
    steps = re.findall(r"^\$ netsheet (.*)\n  (.*)$", done.stdout, re.MULTILINE)
    for line in [command for command, result in steps if not result.startswith("left out: ")]:
        words = line.partition(" > ")[0].split()
        again = subprocess.run(
            [sys.executable, "-m", "netsheet", *words],
            cwd=out, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert again.returncode == 0, (line, again.stderr)


HIDING = """
import sys

class Hidden:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, *more):
        if name in ("ironcalc", "formualizer", "keras", "tf_keras", "tensorflow"):
            return None
        return self.finder.find_spec(name, *more)

sys.meta_path[:] = [Hidden(finder) for finder in sys.meta_path]
"""


def test_what_is_not_installed_is_left_out_with_a_line(tmp_path: Path) -> None:
    """As after ``pip install .`` on a bare machine: no extras, and no program on the path."""
    (tmp_path / "sitecustomize.py").write_text(HIDING)
    (tmp_path / "nothing").mkdir()
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    bare = {"PATH": str(tmp_path / "nothing"), "PYTHONPATH": os.pathsep.join(paths)}
    bare |= {"CC": "", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "netsheet", "demo", "out"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, **bare},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    lines = done.stdout.splitlines()
    left = [lines[n - 1].split()[5] for n, line in enumerate(lines) if "  left out: " in line]
    assert left == ["excel", "page", "c"]
    assert "netsheet[verify]" in done.stdout and "gcc" in done.stdout
    for name in ("digits.xlsx", "digits.html", "c/net.c", "digits.onnx", "activations.png"):
        assert (tmp_path / "out" / name).stat().st_size > 500, name
