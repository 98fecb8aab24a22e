"""CSV of many float32 weights: netsheet against csv.writer row by row, in one run.

    python bench/bench_csv.py [--millions 100] [--kernel dense|conv] [--layout blocks]

csv.writer writes the same file, row by row, for a part of the weights that takes it some seconds;
its time for a number is compared. Memory is the peak of a process of its own, over the weights.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netsheet.equations import Weight
from netsheet.layer import Layer
from netsheet.write.csv.writer import write_csv

BASE_NUMBERS = 4_000_000
FORMS = {"dense": ("in", "out"), "conv": ("height", "width", "in", "out")}


@dataclass
class Network:
    """As much of a model as a layout needs."""

    name: str
    layers: dict[str, Layer]


def network(millions: int, kernel: str) -> Network:
    """A network of one layer with normally distributed weights."""
    side = int((millions * 1_000_000 / (9 if kernel == "conv" else 1)) ** 0.5)
    shape = (3, 3, side, side) if kernel == "conv" else (side, side)
    values = np.random.default_rng(0).standard_normal(shape, np.float32)
    values *= np.float32(0.05)
    weight = Weight("big/kernel", FORMS[kernel], shape, label="kernel", values=values)
    return Network("bench", {"big": Layer(name="big", type_name="", weights={"kernel": weight})})


def peak_mb() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def ours(millions: int, kernel: str, layout: str) -> dict[str, float]:
    """Seconds, megabytes of text, and memory over the weights alone."""
    model = network(millions, kernel)
    weights = model.layers["big"].weights["kernel"].values
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        (path,) = write_csv(model, Path(folder) / "big.csv", layout=layout)
        seconds = time.perf_counter() - start
        size = path.stat().st_size / 1e6
    return {
        "numbers": weights.size,
        "seconds": seconds,
        "megabytes": size,
        "memory": peak_mb() - weights.nbytes / 1e6,
    }


def theirs(model: Network, layout: str) -> float:
    """Nanoseconds that csv.writer takes for a number, writing the same file row by row."""
    with tempfile.TemporaryDirectory() as folder:
        mine, other = Path(folder) / "ours.csv", Path(folder) / "theirs.csv"
        write_csv(model, mine, layout=layout)
        rows = list(_rows(mine, model.layers["big"].weights["kernel"], layout))
        start = time.perf_counter()
        with other.open("w", newline="") as file:
            writer = csv.writer(file)
            for row in rows:
                writer.writerow(row)
        seconds = time.perf_counter() - start
        if mine.read_bytes() != other.read_bytes():
            raise SystemExit("csv.writer wrote another file")
    return seconds / model.layers["big"].weights["kernel"].values.size * 1e9


def _rows(
    path: Path, weight: Weight, layout: str
) -> Iterator[Sequence[object] | npt.NDArray[np.float32]]:
    """The rows of the file: texts as they are, rows of nothing but numbers as arrays."""
    down = [axis for axis in weight.channels_first_axes if axis != "out"]
    axes = (*down, "out") if layout == "matrix" else weight.channels_first_axes
    numbers = weight.to(axes).ravel()
    at = 0
    for row in csv.reader(path.open(newline="")):
        found = sum(_is_number(cell) for cell in row)
        if layout == "tidy":
            yield [*row[:-1], numbers[at]] if found else row
            at += found > 0
        else:
            yield numbers[at : at + found] if found else row
            at += found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def main() -> None:
    """Print both times, their ratio and the memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--millions", type=int, default=100)
    parser.add_argument("--kernel", choices=FORMS, default="dense")
    parser.add_argument("--layout", default="blocks")
    parser.add_argument("--ours", action="store_true", help="netsheet alone, as JSON")
    args = parser.parse_args()
    if args.ours:
        print(json.dumps(ours(args.millions, args.kernel, args.layout)))
        return
    again = [*sys.argv, "--ours"]
    done = subprocess.run([sys.executable, *again], check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    small = network(max(1, BASE_NUMBERS // 1_000_000), args.kernel)
    base = theirs(small, args.layout)
    each = result["seconds"] / result["numbers"] * 1e9
    print(
        f"csv of {result['numbers']:,} float32 ({args.kernel}, layout {args.layout}): "
        f"{result['seconds']:.1f} s, {result['megabytes']:.0f} MB, {each:.0f} ns a number; "
        f"csv.writer row by row {base:.0f} ns a number: ratio {base / each:.1f}; "
        f"memory over the weights {result['memory']:.0f} MB"
    )


if __name__ == "__main__":
    main()
