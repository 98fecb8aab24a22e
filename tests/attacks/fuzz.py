"""Loads mutated files, one after the other, and reports whatever is no plain answer.

    python tests/attacks/fuzz.py --seconds 3600 | --cases 500 [--start N] [--keep FOLDER]

An answer is a model or a NetsheetError within the time and the memory. Each case runs in a child
process, which is started again if it dies or hangs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import select
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Of the processor, for one case, and many times what the slowest takes; bytes of memory.
SECONDS, MEMORY = 60.0, 500_000_000
PATIENCE = 1200  # seconds by the clock, for what waits without working
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Finding:
    """A case that did something else than answer."""

    number: int
    what: str


def fuzz(
    seconds: float, start: int, keep: Path | None = None, cases: float = math.inf
) -> tuple[int, list[Finding]]:
    """Runs cases from ``start`` on, as many or as long; returns how many, and the findings."""
    findings: list[Finding] = []
    end, last = time.monotonic() + seconds, start + cases
    number = start
    while number < last and time.monotonic() < end:
        child = subprocess.Popen(
            [sys.executable, __file__, "--child", str(number)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        number = _watch(child, number, end, last, findings)
        child.kill()
        child.wait()
    if keep is not None and findings:
        _write(keep, findings)
    return number - start, findings


def _watch(
    child: subprocess.Popen[str], number: int, end: float, last: float, findings: list[Finding]
) -> int:
    """Reads the child's reports; returns the number of the next case."""
    assert child.stdout
    while True:
        ready, _, _ = select.select([child.stdout], [], [], PATIENCE)
        line = child.stdout.readline() if ready else ""
        if not line:
            what = "hangs" if not ready else f"the process died ({child.wait()})"
            findings.append(Finding(number, what))
            return number + 1
        report = json.loads(line)
        if "started" in report:
            continue
        if report["what"]:
            findings.append(Finding(report["number"], report["what"]))
        number = report["number"] + 1
        if report["again"] or number >= last or time.monotonic() > end:
            return number


def _write(folder: Path, findings: list[Finding]) -> None:
    sys.path.insert(0, str(HERE))
    from mutate import Seeds

    folder.mkdir(parents=True, exist_ok=True)
    seeds = Seeds()
    seen = set()
    for finding in findings:
        last = finding.what.strip().splitlines()[-1][:60]
        if last not in seen:
            name, data = seeds.case(finding.number)
            (folder / name).write_bytes(data)
            seen.add(last)


# ------------------------------------------------------------------------------------ the child


def answer(path: Path) -> str:
    """What is wrong with what netsheet does with the file; empty if nothing."""
    from mutate import MODELS

    import netsheet
    from netsheet.errors import NetsheetError

    with Path("/proc/self/clear_refs").open("w") as file:
        file.write("5")  # the peak of the memory counts from here
    before = time.process_time()
    size = _status("VmRSS")
    try:
        if path.suffix in MODELS:
            model = netsheet.load(path)
            for row in model.summary():
                str(row).encode()
        else:
            _read(path)
    except NetsheetError as error:
        str(error).encode()
    except BaseException:
        return traceback.format_exc()
    took, grown = time.process_time() - before, _status("VmHWM") - size
    if took > SECONDS:
        return f"took {took:.1f} s"
    return f"took {grown:,} bytes" if grown > MEMORY else ""


def _read(path: Path) -> None:
    """A layout, or an input in every way that it can be used."""
    from netsheet.data.datasets import read_dataset
    from netsheet.data.inputs import read_input
    from netsheet.equations import Tensor
    from netsheet.errors import NetsheetError
    from netsheet.write.csv.layout import load_layout

    if path.suffix == ".toml":
        load_layout(path)
        return
    tensor = Tensor("x", ("height", "width", "channel"), (8, 8, 1))
    for read in (read_input, read_dataset):
        with contextlib.suppress(NetsheetError):
            read(path, [tensor])  # type: ignore[operator]


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0


def child(number: int) -> None:
    """Cases from ``number`` on, until memory has grown or the parent ends it."""
    import warnings

    warnings.simplefilter("ignore")
    sys.path.insert(0, str(HERE))
    from mutate import Seeds

    seeds = Seeds()
    with tempfile.TemporaryDirectory() as folder:
        while True:
            try:
                name, data = seeds.case(number)
            except BaseException:  # the mutation itself, not what is tested
                number += 1
                continue
            path = Path(folder) / name.split("-", 1)[1]
            path.write_bytes(data)
            _report({"started": number})
            what = answer(path)
            path.unlink()
            _report({"number": number, "what": what, "again": _status("VmRSS") > 3 * MEMORY})
            number += 1


def _report(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--cases", type=float, default=math.inf)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--child", type=int)
    parser.add_argument("--files", type=Path, nargs="*", help="these, and nothing else")
    given = parser.parse_args()
    if given.child is not None:
        child(given.child)
    if given.files:
        for path in given.files:
            _report({"file": path.name, "what": answer(path)})
        sys.exit(0)
    count, found = fuzz(given.seconds, given.start, given.keep, given.cases)
    for each in found:
        print(f"case {each.number}: {each.what}\n")
    print(f"{count:,} cases, {len(found)} findings")
    sys.exit(bool(found))
