"""What installing netsheet does to an environment that is there already."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What a notebook service has beside TensorFlow 2.19, whose import breaks with other versions.
PRESENT = {"numpy": "2.0.2", "protobuf": "5.29.5", "h5py": "3.14.0"}


@pytest.mark.slow
def test_what_tensorflow_stands_on_stays_as_it_is(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    pinned = [f"{name}=={version}" for name, version in PRESENT.items()]
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", *pinned], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"these versions cannot be installed on {sys.version}: {done.stderr[-200:]}")
    report = tmp_path / "report.json"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--dry-run", "--report", report, f"{ROOT}[verify]"],
        check=True, capture_output=True,
    )  # fmt: skip
    changed = {
        item["metadata"]["name"].lower() for item in json.loads(report.read_text())["install"]
    }
    assert "netsheet" in changed
    assert changed.isdisjoint(PRESENT)
