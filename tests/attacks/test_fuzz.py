"""Mutated files: a model or a plain answer, whatever a byte or a value becomes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fuzz import HERE, fuzz

BRIEF = 200  # cases in the suite, always the same; runs of so many seconds take new ones
FINDINGS = sorted((HERE / "findings").iterdir())

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def test_what_was_found_before() -> None:
    """Each of these files once crashed netsheet, hung it or took gigabytes."""
    done = subprocess.run(
        [sys.executable, str(HERE / "fuzz.py"), "--files", *map(str, FINDINGS)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["file"] for report in reports] == [path.name for path in FINDINGS]
    assert [report for report in reports if report["what"]] == []


def test_mutated_files(tmp_path: Path) -> None:
    seconds = float(os.environ.get("NETSHEET_FUZZ_SECONDS", 0))
    keep = Path(os.environ.get("NETSHEET_FUZZ_KEEP", tmp_path))
    if seconds:
        count, findings = fuzz(seconds, int(time.time()), keep)
    else:
        count, findings = fuzz(math.inf, 0, keep, BRIEF)
        assert count >= BRIEF
    assert not findings, f"{len(findings)} of {count:,}, kept in {keep}: {findings[:5]}"
