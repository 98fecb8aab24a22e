"""Generated C: instructions and memory on the emulated board, time on this computer.

    python bench/bench_c.py [--board] [--host] [MODEL ...]

Without MODEL the four networks that others were measured on. On the board: instructions of one
inference, bytes of the object files, the most stack in use. On this computer: the median time of
one inference, one thread, next to ONNX Runtime and TFLite (XNNPACK) in the same run; theirs are
timed from Python, with one call of some microseconds each.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import netsheet
from netsheet.data.probe import probe
from netsheet.equations import multiply_accumulates
from netsheet.model import Model
from netsheet.verify.engines.c_board import CORTEX_M4, measure_board
from netsheet.verify.engines.c_host import compiler
from netsheet.write.c.arrays import numbers
from netsheet.write.c.folder import put
from netsheet.write.c.library import Library, library
from netsheet.write.c.sources import files

SHARED = Path(os.environ.get("NETSHEET_SHARED", Path(__file__).parents[2] / "shared"))
MODELS = [
    SHARED / "seed" / "my_model.h5",
    SHARED / "models" / "pretrainedResnet.h5",
    SHARED / "models" / "ad01.h5",
    SHARED / "models" / "str_ww_ref_model.h5",
]
# What the best of the other generators (onnx2c) was measured to take at -O2 on the same board:
# thousands of instructions, bytes of RAM and of code and constants.
OTHERS = {
    "my_model.h5": (702, 15_880, 4_020),
    "pretrainedResnet.h5": (232_101, 196_608, 313_664),
    "ad01.h5": (1_622, 1_024, 1_073_300),
    "str_ww_ref_model.h5": (5_960, 28_672, 192_344),
}
FORMS = {"": [], "native": ["-march=native"], "portable": ["-DNET_PORTABLE"]}
SECONDS = 0.5  # for one series of calls
ROUNDS = 3

MAIN = """
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "net.h"

static const float in[] = {
@
};
static float out[NET_OUTPUT_SIZE];
static double took[100000];

static int order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **words)
{
    const int calls = count > 1 ? atoi(words[1]) : 1;
    for (int i = 0; i < calls; i++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        net_run(in, out);
        clock_gettime(CLOCK_MONOTONIC, &b);
        took[i] = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) * 1e-3;
    }
    qsort(took, (size_t)calls, sizeof took[0], order);
    printf("%f", took[calls / 2]);
    return 0;
}
"""


@dataclass
class Network:
    """A model and its library."""

    path: Path
    model: Model
    lib: Library

    @property
    def macs(self) -> int:
        """Multiplications of one inference, padding included."""
        return multiply_accumulates(self.model.equations())


def network(path: Path) -> Network:
    model = netsheet.load(path)
    return Network(path, model, library(model, traced=False))


# --------------------------------------------------------------------------- board


def board(networks: list[Network]) -> None:
    """Print the table of the board."""
    print(f"on {CORTEX_M4.version()}, one inference; other: the best other generator at -O2")
    head = ("network", "", "kinstr", "per MAC", "text", "bss", "stack", "other", "ratio")
    row = "{:24}{:>5}{:>10}{:>9}{:>11}{:>9}{:>7}{:>9}{:>7}"
    print(row.format(*head))
    for net in networks:
        for opt in ("-O2", "-Os"):
            found = measure_board(net.lib, opt=opt)
            thousands = found.instructions / 1000
            other = OTHERS.get(net.path.name, (0, 0, 0))[0] if opt == "-O2" else 0
            print(
                row.format(
                    net.path.name,
                    opt,
                    f"{thousands:,.0f}",
                    f"{found.instructions / max(net.macs, 1):.2f}",
                    f"{found.text:,}",
                    f"{found.bss + found.data:,}",
                    f"{found.stack:,}",
                    f"{other:,}" if other else "",
                    f"{other / thousands:.1f}x" if other else "",
                )
            )
    print()


# --------------------------------------------------------------------------- this computer


def compiled(net: Network, folder: Path, options: list[str]) -> Callable[[], float]:
    """A program whose call gives the median of a series in microseconds."""
    folder.mkdir()
    for name, text in files(net.lib).items():
        put(folder / name, text)
    (array,) = probe(net.model).arrays
    (folder / "main.c").write_text(MAIN.replace("@", numbers(array)))
    sources = ["main.c", "net.c", "net_weights.c", "-lm"]
    subprocess.run([compiler(), "-O3", *options, "-o", "run", *sources], cwd=folder, check=True)

    def series(calls: int) -> float:
        command = [str(folder / "run"), str(calls)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return float(done.stdout)

    calls = int(min(max(SECONDS * 1e6 / max(series(20), 1.0), 20), 100_000))
    return lambda: series(calls)


def onnx_runtime(net: Network, folder: Path) -> Callable[[], float]:
    """The same for ONNX Runtime with one thread."""
    import onnxruntime as ort

    path = folder / "net.onnx"
    net.model.to_onnx(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: probe(net.model).arrays[0][np.newaxis]}
    return lambda: _median(lambda: session.run(None, feed))


def _median(call: Callable[[], object]) -> float:
    took = []
    end = time.perf_counter() + SECONDS
    while len(took) < 20 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1e6


def tflite(path: str) -> None:
    """Print the median of TFLite with XNNPACK, one thread (a process of its own: TensorFlow)."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    import keras
    import tensorflow as tf
    import tf_keras

    # channels_first convolutions have no TFLite; the published network exists in both forms
    other = Path(path.replace("my_model.h5", "my_model_channels_last.h5"))
    file = str(other if other.exists() else path)
    try:
        model = tf_keras.models.load_model(file, compile=False)
    except TypeError:  # written by Keras 3
        model = keras.models.load_model(file, compile=False)
    function = tf.function(lambda x: model(x))
    spec = tf.TensorSpec((1, *model.inputs[0].shape[1:]), tf.float32)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function(spec)], model
    )
    interpreter = tf.lite.Interpreter(model_content=converter.convert(), num_threads=1)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    given = np.random.default_rng(0).random(spec.shape).astype(np.float32)

    def call() -> None:
        interpreter.set_tensor(index, given)
        interpreter.invoke()

    print(json.dumps(min(_median(call) for _ in range(ROUNDS))))


def with_tflite(path: Path) -> float | None:
    """What TFLite takes, or None where there is none or it cannot."""
    command = [sys.executable, __file__, "--tflite", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return float(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        said = done.stderr.strip().splitlines()
        print(f"TFLite cannot: {said[-1] if said else done.returncode}", file=sys.stderr)
        return None


def host(networks: list[Network]) -> None:
    """Print the table of this computer."""
    print(f"{compiler()} -O3, one thread, median of an inference in us; ratio: theirs / ours")
    print("ratio: of plain -O3 / of -O3 -march=native")
    row = "{:24}{:>10}{:>10}{:>10}{:>14}{:>14}{:>10}{:>14}"
    heads = ("network", "C", "native", "portable", "ONNX Runtime", "ratios", "TFLite", "ratios")
    print(row.format(*heads))
    for net in networks:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            runs = [compiled(net, folder / f"c{form}", FORMS[form]) for form in FORMS]
            runs.append(onnx_runtime(net, folder))
            rounds = [[run() for run in runs] for _ in range(ROUNDS)]
        ours, native, portable, ort = (min(times) for times in zip(*rounds, strict=True))
        lite = with_tflite(net.path)
        print(
            row.format(
                net.path.name,
                f"{ours:,.1f}",
                f"{native:,.1f}",
                f"{portable:,.1f}",
                f"{ort:,.1f}",
                f"{ort / ours:.2f} / {ort / native:.2f}",
                f"{lite:,.1f}" if lite else "-",
                f"{lite / ours:.2f} / {lite / native:.2f}" if lite else "-",
            ),
            flush=True,
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL")
    parser.add_argument("--board", action="store_true", help="the emulated board only")
    parser.add_argument("--host", action="store_true", help="this computer only")
    parser.add_argument("--tflite", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.tflite:
        tflite(args.tflite)
        return
    networks = [network(path) for path in args.models or MODELS if path.exists()]
    if not networks:
        raise SystemExit(f"no models in {SHARED}: set NETSHEET_SHARED, or name some.")
    if not args.host:
        if shutil.which("qemu-system-arm") and shutil.which("arm-none-eabi-gcc"):
            board(networks)
        else:
            print("no emulator or no cross compiler: tools/install-system.sh", file=sys.stderr)
    if not args.board:
        host(networks)


if __name__ == "__main__":
    main()
