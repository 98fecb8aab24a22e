"""Time and peak memory of the commands on networks of 30 to 1,000 layers.

    python bench/bench_depth.py [--depths 30,100,300,1000] [--kinds swish] [--commands c,onnx]

Each measurement is a process of its own, which builds the network and runs one command; the time
is the processor's for the command alone, the memory that of the whole process. ``c`` is the
generating part, without a compiler.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from netsheet.data.probe import probe
from netsheet.equations import Weight
from netsheet.layer import Layer
from netsheet.layers.activation import ReLU, SiLU
from netsheet.layers.dense import Dense
from netsheet.layers.merge import Add, Concatenate
from netsheet.layers.recurrent import LSTM
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef

DEPTHS = (30, 100, 300, 1000)
WIDTH = 8
LIMIT = 600  # seconds


class Growing:
    """A network that grows layer by layer; weights are random."""

    def __init__(self, *shape: int) -> None:
        self.rng = np.random.default_rng(0)
        self.shape = shape
        self.calls: list[LayerCall] = []
        self.widths = {"x": shape[-1]}

    def add(self, layer: Layer, *inputs: str, width: int = WIDTH) -> str:
        """The layer behind others; returns its name."""
        layer.name = f"l{len(self.calls)}_{type(layer).__name__.lower()}"
        columns = 4 * width if isinstance(layer, LSTM) else width
        sizes = {"in": self.widths[inputs[0]], "unit": width, "out": columns}
        for label, axes in layer.weight_axes().items():
            shape = tuple(sizes[axis] for axis in axes)
            values = self.rng.normal(size=shape, scale=0.3).astype(np.float32)
            name = f"{layer.name}/{label}"
            layer.weights[label] = Weight(name, axes, shape, label=label, values=values)
        self.widths[layer.name] = width
        self.calls.append(LayerCall(layer.name, layer, tuple(ValueRef(key) for key in inputs)))
        return layer.name

    def model(self, last: str) -> Model:
        return Model("net", self.calls, [Source("x", self.shape)], [ValueRef(last)])


def residual(depth: int) -> Model:
    """Dense, activation and addition, again and again."""
    net, x = Growing(WIDTH), "x"
    for _ in range(depth // 3):
        x = net.add(Add(), x, net.add(ReLU(), net.add(Dense(units=WIDTH), x)))
    return net.model(x)


def swish(depth: int) -> Model:
    """Activations of activations."""
    net, x = Growing(WIDTH), "x"
    for _ in range(depth):
        x = net.add(SiLU(), x)
    return net.model(x)


def doubled(depth: int) -> Model:
    """x + relu(x), again and again."""
    net, x = Growing(WIDTH), "x"
    for _ in range(depth // 2):
        x = net.add(Add(), x, net.add(ReLU(), x))
    return net.model(x)


def dense_block(depth: int) -> Model:
    """Every layer reads all before it, in blocks of 12."""
    net, x, width = Growing(WIDTH), "x", WIDTH
    for block in range(max(depth // 24, 1)):
        x = net.add(Dense(units=WIDTH), x)
        width = WIDTH
        for _ in range(min(12, depth // 2 - 12 * block)):
            new = net.add(Dense(units=WIDTH), x)
            width += WIDTH
            x = net.add(Concatenate(axis=-1), x, new, width=width)
    return net.model(x)


def recurrent(depth: int) -> Model:
    """A stack of LSTMs."""
    net, x = Growing(4, WIDTH), "x"
    for _ in range(depth):
        x = net.add(LSTM(units=WIDTH, return_sequences=True), x)
    return net.model(x)


def branches(depth: int) -> Model:
    """As many layers side by side, then added."""
    net = Growing(WIDTH)
    every = [net.add(Dense(units=WIDTH), "x") for _ in range(depth - 1)]
    return net.model(net.add(Add(), *every))


KINDS: dict[str, Callable[[int], Model]] = {
    one.__name__: one for one in (residual, swish, doubled, dense_block, recurrent, branches)
}


def run_summary(model: Model, folder: Path) -> None:
    model.summary()


def run_equations(model: Model, folder: Path) -> None:
    from netsheet.write.mathematics import text

    for eq in model.equations():
        text(eq)


def run_c(model: Model, folder: Path) -> None:
    from netsheet.write.c.folder import put
    from netsheet.write.c.library import library
    from netsheet.write.c.sources import files

    for name, made in files(library(model)).items():
        put(folder / name, made)


def run_onnx(model: Model, folder: Path) -> None:
    model.to_onnx(folder / "net.onnx")


def run_excel(model: Model, folder: Path) -> None:
    model.to_excel(folder / "net.xlsx", [probe(model)])


def run_run(model: Model, folder: Path) -> None:
    shape = [1, *model.inputs[0].shape]
    model.activations([np.ones(shape, np.float32)])


COMMANDS: dict[str, Callable[[Model, Path], None]] = {
    name.removeprefix("run_"): one for name, one in list(globals().items())
    if name.startswith("run_")
}  # fmt: skip


def child(kind: str, depth: int, command: str) -> None:
    """Build, run, print the seconds of the processor."""
    model = KINDS[kind](depth)
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        COMMANDS[command](model, Path(folder))
        print(time.process_time() - start)


def measured(kind: str, depth: int, command: str) -> str:
    """``1.23 s  85 MB``, or what went wrong."""
    arguments = [sys.executable, __file__, "--child", kind, str(depth), command]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as wrong:
        with subprocess.Popen(
            ["timeout", str(LIMIT), *arguments], stdout=said, stderr=wrong
        ) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (said, wrong):
            file.seek(0)
            texts.append(file.read().decode())
    if process.returncode:
        return (texts[1].strip().splitlines() or ["too long"])[-1][:24]
    return f"{float(texts[0].split()[-1]):8.2f} s {usage.ru_maxrss // 1024:6,} MB"


def main(arguments: Sequence[str]) -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depths", default=",".join(map(str, DEPTHS)))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--commands", default=",".join(COMMANDS))
    given = parser.parse_args(arguments)
    depths = [int(depth) for depth in given.depths.split(",")]
    print(f"{'command':10}{'network':13}" + "".join(f"{depth:>20,}" for depth in depths))
    for command in given.commands.split(","):
        for kind in given.kinds.split(","):
            cells = [measured(kind, depth, command) for depth in depths]
            print(f"{command:10}{kind:13}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main(sys.argv[1:])
