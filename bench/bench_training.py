"""netsheet train against Keras, with JAX and with TensorFlow, as whole processes in one run.

    python bench/bench_training.py [--epochs 20] [--rounds 1] [--jax PYTHON]

All train the published network of 650 parameters from nothing: 9,000 of the MNIST test digits, a
batch of 32, Adam, and look at 1,000 held-out ones after each epoch. JAX does not share an
environment with TensorFlow: ``--jax`` names the Python of one that has ``keras`` and ``jax``
(``pip install 'netsheet[bench]'`` in it); without one it is left out, which is said. Times
alternate; the best of each is compared. Processor time is that of all threads together: on a
machine that others use as well, it says more than the clock.
"""

from __future__ import annotations

import argparse
import json
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
MNIST = SHARED / "data" / "mnist"
GOAL = 0.6  # of the time of either
ENOUGH = 0.95  # of the held-out digits

KERAS = """
import gzip
import json
import numpy as np
import keras

def idx(name, skip):
    with gzip.open({data!r} + "/" + name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=skip)

x = idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1).astype(np.float32) / 255
y = keras.utils.to_categorical(idx("t10k-labels-idx1-ubyte.gz", 8))
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order], y[order]
layers = keras.layers
model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(5, 4), layers.MaxPooling2D(2, padding="same"), layers.Activation("tanh"),
    layers.Conv2D(3, 3), layers.MaxPooling2D(2, padding="same"), layers.Activation("tanh"),
    layers.Conv2D(3, 4), layers.Activation("tanh"),
    layers.Flatten(), layers.Dense(10), layers.Activation("softmax"),
])
model.compile(keras.optimizers.Adam({rate}), "categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x[1000:], y[1000:], batch_size=32, epochs={epochs}, verbose=0,
                    validation_data=(x[:1000], y[:1000]))
model.save({target!r})
print(json.dumps(max(history.history["val_accuracy"])))
"""


class Times(NamedTuple):
    """Seconds of one process: on the clock, and of the processor."""

    clock: float
    processor: float


def timed(command: Sequence[str], **environment: str) -> tuple[Times, str]:
    """What one process takes, and what it prints."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **environment}
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Times(seconds, used), done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--jax", default=os.environ.get("NETSHEET_JAX_PYTHON"))
    options = parser.parse_args()
    if not MNIST.is_dir():
        sys.exit(f"{MNIST}: is not there; NETSHEET_SHARED names the folder that has it.")
    with tempfile.TemporaryDirectory() as folder:
        script = KERAS.format(
            data=str(MNIST), rate=options.rate, epochs=options.epochs, target=f"{folder}/k.keras"
        )
        own = [sys.executable, "-m", "netsheet", "train", "--data", str(MNIST), "-o",
               f"{folder}/n.keras", "--epochs", str(options.epochs), "--rate", str(options.rate),
               "--json"]  # fmt: skip
        runs = {"netsheet": (own, {}), "tensorflow": (
            [sys.executable, "-c", script], {"KERAS_BACKEND": "tensorflow"})}  # fmt: skip
        if options.jax:
            runs["jax"] = ([options.jax, "-c", script], {"KERAS_BACKEND": "jax", "PYTHONPATH": ""})
        else:
            print("JAX is left out: --jax names the Python of an environment that has it")
        best: dict[str, Times] = {}
        right: dict[str, float] = {}
        for _ in range(options.rounds):
            for name, (command, environment) in runs.items():
                seconds, said = timed(command, **environment)
                best[name] = Times(*map(min, seconds, best.get(name, seconds)))
                right[name] = held_out(said)
    own = best["netsheet"]
    for name, (clock, processor) in best.items():
        line = f"{name:12} {clock:6.1f} s, processor {processor:6.1f} s, held out {right[name]:.1%}"
        shares = f"  {own.clock / clock:.2f} of it, processor {own.processor / processor:.2f}"
        print(line + (shares if name != "netsheet" else ""))
    missed = [name for name in best if name != "netsheet" and own.clock > GOAL * best[name].clock]
    if missed or right["netsheet"] < ENOUGH:
        print(f"goals missed: {', '.join(missed) or 'held out'}")


def held_out(said: str) -> float:
    """The best share of held-out samples that is right."""
    found = json.loads(said)
    if isinstance(found, float):
        return found
    return float(max(epoch["held_out"]["accuracy"] for epoch in found["epochs"]))


if __name__ == "__main__":
    main()
