"""netsheet's commands as whole processes against tf_keras doing the same, in one run.

    python bench/bench_start.py [--rounds 5]

summary: importing tf_keras, loading the published network, printing its summary. evaluate: the
same and evaluating the 10,000 test images of MNIST (the network with its channels last, as
TensorFlow has no others on a CPU). Times alternate, the best of each is compared; processor time
is that of all threads together, and what the goals are about.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SHARED = Path(os.environ.get("NETSHEET_SHARED", Path(__file__).parents[2] / "shared"))
SEED = SHARED / "seed"
MNIST = SHARED / "data" / "mnist"
# Modules are compiled once, as an installed package's are, also where the folder is not writable.
COMPILED = str(Path(tempfile.gettempdir()) / "netsheet-bench-compiled")

KERAS_SUMMARY = """
import tf_keras
model = tf_keras.models.load_model({path!r}, compile=False)
model.summary()
"""

KERAS_EVALUATE = """
import gzip
import numpy as np
import tf_keras

def idx(name, skip):
    with gzip.open({data!r} + "/" + name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=skip)

x = idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1).astype(np.float32) / 255
y = tf_keras.utils.to_categorical(idx("t10k-labels-idx1-ubyte.gz", 8))
model = tf_keras.models.load_model({path!r}, compile=False)
model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
print(model.evaluate(x, y, verbose=0))
"""


class Times(NamedTuple):
    """Seconds of one process: on the clock, and of the processor."""

    clock: float
    processor: float


def timed(command: Sequence[str]) -> Times:
    """One whole process; it has to succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPYCACHEPREFIX": COMPILED}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=environment
    )
    clock = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Times(clock, used)


def compared(name: str, ours: Sequence[str], theirs: str, rounds: int, goal: float) -> None:
    """Alternates both, and prints the best of each."""
    keras = [sys.executable, "-c", theirs]
    timed(ours), timed(keras)  # programs and compiled modules come from the disk the first time
    mine: list[Times] = []
    other: list[Times] = []
    for _ in range(rounds):
        mine.append(timed(ours))
        other.append(timed(keras))
    best = [Times(*map(min, zip(*times, strict=True))) for times in (mine, other)]
    print(
        f"{name}: {best[0].clock:.2f} s, tf_keras {best[1].clock:.2f} s, "
        f"ratio {best[0].clock / best[1].clock:.3f}; processor "
        f"{best[0].processor:.2f} s, {best[1].processor:.2f} s, "
        f"ratio {best[0].processor / best[1].processor:.3f} (at most {goal})"
    )


def main() -> None:
    """Both comparisons."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    netsheet = [sys.executable, "-m", "netsheet"]
    published = str(SEED / "my_model.h5")
    last = str(SEED / "my_model_channels_last.h5")
    compared(
        "summary", [*netsheet, "summary", published],
        KERAS_SUMMARY.format(path=published), rounds, 0.1,
    )  # fmt: skip
    compared(
        "evaluate 10,000 images", [*netsheet, "evaluate", published, "--data", str(MNIST)],
        KERAS_EVALUATE.format(path=last, data=str(MNIST)), rounds, 0.12,
    )  # fmt: skip


if __name__ == "__main__":
    main()
