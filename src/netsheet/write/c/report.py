"""What a network costs on a microcontroller: flash, RAM, multiply-accumulates, layer by layer."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsheet.expr import multiply_accumulates
from netsheet.model import Model, shown
from netsheet.write.c.emit import Library, arena_floats


@dataclass(frozen=True)
class LayerFigures:
    """One layer: its output's shape, the bytes of its weights as floats, and its MACs.

    A layer that is called several times has its weights in the first row only.
    """

    layer: str
    type: str
    shape: tuple[int, ...]
    weights: int
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
            "files": [str(file) for file in self.files],
            "layers": [
                {
                    "layer": layer.layer,
                    "type": layer.type,
                    "shape": list(layer.shape),
                    "weights": layer.weights,
                    "macs": layer.macs,
                }
                for layer in self.layers
            ],
            "flash": self.flash,
            "arena": self.arena,
            "trace_arena": self.trace_arena,
            "macs": self.macs,
        }

    def __str__(self) -> str:
        """The table, in at most 80 columns."""
        rows = [
            (_fit(layer.layer, 26), _fit(shown(layer.shape), 17), _number(layer.weights),
             _number(layer.macs))
            for layer in self.layers
        ]  # fmt: skip
        head = (_fit("layer", 26), _fit("output", 17), "weights B", "MACs")
        lines = [f"{a} {b} {c:>13} {d:>14}".rstrip() for a, b, c, d in [head, *rows]]
        lines.insert(1, "-" * 73)
        return "\n".join([*lines, "", *self.totals()])

    def totals(self) -> list[str]:
        """Three lines: flash, RAM, work."""
        return [
            f"weights in flash {self.flash:>14,} bytes",
            f"arena in RAM     {self.arena:>14,} bytes ({self.trace_arena:,} with the trace)",
            f"MACs             {self.macs:>14,}",
        ]


def figures(lib: Library) -> list[LayerFigures]:
    """A row for each layer, in the order of computation."""
    return list(_rows(lib.model))


def _rows(model: Model) -> Sequence[LayerFigures]:
    seen: set[object] = set()
    rows = []
    for node in model.nodes:
        if node.refusal:
            continue
        own = [weight for weight in node.layer.weights.values() if weight not in seen]
        seen.update(own)
        shape = node.outputs[0].shape if node.outputs else ()
        macs = multiply_accumulates(model.node_equations(node))
        rows.append(
            LayerFigures(node.key, node.layer.type, shape, sum(4 * w.size for w in own), macs)
        )
    return rows


def report(lib: Library, target: str, sample: str, files: list[Path]) -> CReport:
    """The report on a library."""
    return CReport(
        lib.name, target, sample, files, figures(lib), lib.constants.size,
        4 * arena_floats(lib, traced=False), 4 * arena_floats(lib, traced=True),
    )  # fmt: skip


def _number(value: int) -> str:
    return f"{value:,}" if value else ""


def _fit(text: str, width: int) -> str:
    """``text`` in exactly that many columns of a terminal."""
    plain = "".join(ch if ch.isprintable() else " " for ch in text)
    if _width(plain) > width:
        while _width(plain) > width - 1:
            plain = plain[:-1]
        plain += "…"
    return plain + " " * (width - _width(plain))


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in text)
