"""What a network costs on a microcontroller: flash, RAM, multiply-accumulates, layer by layer."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netsheet.equations import Tensor, multiply_accumulates
from netsheet.loops.pipeline import LoopedNetwork
from netsheet.loops.storage.lifetimes import words
from netsheet.network import shown
from netsheet.tables import html_table
from netsheet.write.c.library import Library, arena_floats


@dataclass(frozen=True)
class LayerFigures:
    """One layer: its output's shape, the bytes of its weights as floats, and its MACs.

    ``ram`` are the bytes of the arena that are in use while it is computed; None where it is
    computed together with a later layer. A layer that is called several times has its weights in
    the first row only.
    """

    layer: str
    type: str
    shape: tuple[int, ...]
    weights: int
    ram: int | None
    macs: int


@dataclass(frozen=True)
class CReport:
    """What was written, and what it takes.

    ``flash`` are the bytes of ``net_weights.c``: weights as the code reads them, packed, batch
    normalisation folded; ``arena`` the bytes of RAM for activations, ``trace_arena`` the same
    where every layer is shown.
    """

    name: str
    target: str
    sample: str
    files: list[Path]
    layers: list[LayerFigures]
    flash: int
    arena: int
    trace_arena: int
    inputs: tuple[tuple[str, tuple[int, ...]], ...] = ()  # names and shapes that all this is for
    learning: tuple[int, int] | None = None  # bytes of weights in RAM, and of the step's arena

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and strings; sizes in bytes."""
        return {
            "name": self.name,
            "target": self.target,
            "sample": self.sample,
            "inputs": {name: list(shape) for name, shape in self.inputs},
            "files": [str(file) for file in self.files],
            "layers": [
                {
                    "layer": layer.layer,
                    "type": layer.type,
                    "shape": list(layer.shape),
                    "weights": layer.weights,
                    "ram": layer.ram,
                    "macs": layer.macs,
                }
                for layer in self.layers
            ],
            "flash": self.flash,
            "arena": self.arena,
            "trace_arena": self.trace_arena,
            "macs": self.macs,
            **({} if self.learning is None else {
                "learning_weights": self.learning[0], "learning_arena": self.learning[1]}),
        }  # fmt: skip

    def __str__(self) -> str:
        """The table, in at most 80 columns."""
        rows = [
            (_fit(layer.layer, 22), _fit(shown(layer.shape), 15), _number(layer.weights),
             _number(layer.ram), _number(layer.macs))
            for layer in self.layers
        ]  # fmt: skip
        head = (_fit("layer", 22), _fit("output", 15), "weights B", "RAM B", "MACs")
        lines = [f"{a} {b} {c:>12} {d:>11} {e:>14}".rstrip() for a, b, c, d, e in [head, *rows]]
        lines.insert(1, "-" * 78)
        given = ", ".join(f"{_fit(name, 24).strip()} {shown(shape)}" for name, shape in self.inputs)
        return "\n".join([*lines, "", *([f"for the input    {given}"] if given else []),
                          *self.totals()])  # fmt: skip

    def _repr_html_(self) -> str:
        columns = [("layer", "left"), ("type", "left"), ("output", "left"),
                   ("weights B", "right"), ("RAM B", "right"), ("MACs", "right")]  # fmt: skip
        rows = [
            (one.layer, one.type, shown(one.shape), _number(one.weights), _number(one.ram),
             _number(one.macs))
            for one in self.layers
        ]  # fmt: skip
        foot = "; ".join(" ".join(line.split()) for line in self.totals())
        return html_table(columns, rows, f"{self.name} ({self.target})", foot)

    def totals(self) -> list[str]:
        """Lines of flash, RAM and work; of what learning takes besides."""
        learning = [] if self.learning is None else [
            f"weights that learn {self.learning[0]:>12,} bytes of RAM, and of flash to begin with",
            f"arena of a step  {self.learning[1]:>14,} bytes of RAM, or the one above if as large",
        ]  # fmt: skip
        return [
            f"weights in flash {self.flash:>14,} bytes",
            f"arena in RAM     {self.arena:>14,} bytes ({self.trace_arena:,} with the trace)",
            *learning,
            f"MACs             {self.macs:>14,}",
        ]


def figures(lib: Library) -> list[LayerFigures]:
    """A row for each layer, in the order of computation."""
    model = lib.model
    ram = _ram(lib.fast, {t.name: node.key for node in model.nodes for t in node.outputs})
    seen: set[object] = set()
    rows = []
    for node in model.nodes:
        if node.refusal:
            continue
        own = [weight for weight in node.layer.weights.values() if weight not in seen]
        seen.update(own)
        shape = node.outputs[0].shape if node.outputs else ()
        weights = sum(np.dtype(weight.dtype).itemsize * weight.size for weight in own)
        macs = multiply_accumulates(model.node_equations(node))
        rows.append(
            LayerFigures(node.key, node.layer.type, shape, weights, ram.get(node.key), macs)
        )
    return rows


def _ram(network: LoopedNetwork, keys: Mapping[str, str]) -> dict[str, int]:
    """The most bytes of the arena in use while each layer is computed; ``keys`` by tensor."""
    found: dict[str, int] = {}
    for computation, used in zip(network.computations, _in_use(network), strict=True):
        for tensor in computation.writes:
            name = tensor.name
            while name not in keys and "/" in name:  # a tensor on the way to that of the layer
                name = name.rpartition("/")[0]
            if name in keys:
                found[keys[name]] = max(found.get(keys[name], 0), 4 * used)
    return found


def _in_use(network: LoopedNetwork) -> list[int]:
    """Words of the arena that hold something needed, at each computation."""
    first: dict[Tensor, int] = {}
    last: dict[Tensor, int] = {}
    for number, one in enumerate(network.computations):
        for tensor in (*one.writes, *one.scratch, *one.reads):
            if network.buffers[tensor].place == "arena":
                first.setdefault(tensor, number)
                last[tensor] = number
    alive: list[list[tuple[int, int]]] = [[] for _ in network.computations]
    for tensor, begin in first.items():
        start = network.buffers[tensor].start
        for number in range(begin, last[tensor] + 1):
            alive[number].append((start, start + words(tensor, tensor.size)))
    result = []
    for spans in alive:
        taken = end = 0
        for low, high in sorted(spans):
            taken += max(high - max(low, end), 0)
            end = max(end, high)
        result.append(taken)
    return result


def report(lib: Library, target: str, sample: str, files: list[Path]) -> CReport:
    """The report on a library."""
    return CReport(
        lib.name, target, sample, files, figures(lib), lib.constants.size,
        4 * arena_floats(lib, traced=False), 4 * arena_floats(lib, traced=True),
        tuple((tensor.name, tensor.shape) for tensor in lib.model.inputs),
        None if lib.learning is None else (
            4 * lib.learning.ram, 4 * max(lib.learning.step.program.arena, 1)),
    )  # fmt: skip


def _number(value: int | None) -> str:
    return f"{value:,}" if value else ""


def _fit(text: str, width: int) -> str:
    """``text`` in exactly that many columns of a terminal, cut in its middle."""
    plain = "".join(ch if ch.isprintable() else " " for ch in text)
    if _width(plain) > width:
        left, right = plain[: len(plain) // 2], plain[len(plain) // 2 :]
        while _width(left) + _width(right) > width - 1:
            left, right = (left[:-1], right) if len(left) >= len(right) else (left, right[1:])
        plain = f"{left}…{right}"
    return plain + " " * (width - _width(plain))


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in text)
