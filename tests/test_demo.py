"""The demonstration needs nothing but the package, and writes what it says."""

from __future__ import annotations

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
    assert max(map(len, done.stdout.splitlines())) <= 80
    proofs = re.findall(r"(\d+) of (\d+) layers agree", done.stdout)
    assert len(proofs) == 2 and all(good == all_ for good, all_ in proofs)
    out = tmp_path / "out"
    for name in ("digits.xlsx", "weights.csv", "digits.onnx", "kernels.png", "activations.npz"):
        assert (out / name).stat().st_size > 500, name
    command = ["cc", "-std=c99", "-DNET_TRACE", "net.c", "net_weights.c", "net_test.c", "-lm"]
    subprocess.run([*command, "-o", "run"], cwd=out / "c", check=True)
    subprocess.run(["./run"], cwd=out / "c", check=True, stdout=subprocess.DEVNULL)
    for line in re.findall(r"^\$ netsheet (.*)$", done.stdout, re.MULTILINE):
        words = line.partition(" > ")[0].split()
        again = subprocess.run(
            [sys.executable, "-m", "netsheet", *words],
            cwd=out, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert again.returncode == 0, (line, again.stderr)
