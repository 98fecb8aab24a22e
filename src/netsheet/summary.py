"""The table of layers: a list of rows that shows itself in a terminal and in a notebook."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from netsheet.errors import one_line
from netsheet.network import Network, SummaryRow, shown
from netsheet.tables import html_table, text_table

COLUMNS = (
    ("layer", "left"), ("type", "left"), ("output shape", "left"),
    ("params", "right"), ("MACs", "right"),
)  # fmt: skip


class Summary(list[SummaryRow]):
    """The rows, those of nested models one level deeper, and totals below them."""

    def __init__(self, network: Network) -> None:
        super().__init__(Network.summary(network))
        self.network = network

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one inference; None where sizes are open."""
        top = [row.macs for row in self if row.depth == 0]
        return None if None in top else sum(macs or 0 for macs in top)

    @property
    def title(self) -> str:
        """The model's name and its file's format."""
        return one_line(f"{self.network.name} ({self.network.format})")

    @property
    def totals(self) -> list[str]:
        """Parameters and multiply-accumulates, a line each."""
        params, trainable = self.network.params, self.network.trainable_params
        last = f"Parameters: {params:,}"
        last += "" if self.macs is None else f"   Multiply-accumulates: {self.macs:,}"
        if trainable is None:
            return [last]
        return [f"Trainable: {trainable:,}   Non-trainable: {params - trainable:,}", last]

    def text(self, width: int) -> str:
        """All of it for a terminal of so many columns."""
        lines = text_table(COLUMNS, self.cells(), self.below(), width)
        return "\n".join([self.title, "", *lines, "", *self.totals])

    def __repr__(self) -> str:
        return self.text(shutil.get_terminal_size().columns)

    def _repr_html_(self) -> str:
        columns = (*COLUMNS, ("", "left"))
        rows = [
            (cell[0].replace("  ", "\u2003"), *cell[1:], below.strip())
            for cell, below in zip(self.cells(), self.below(), strict=True)
        ]
        return html_table(columns, rows, self.title, "   ".join(self.totals))

    def cells(self) -> list[tuple[str, ...]]:
        """The cells of each row, inner layers indented."""
        return [
            (
                "  " * row.depth + row.name,
                row.type,
                shown(row.output_shape) if row.output_shape else "?",
                f"{row.params:,}",
                "?" if row.macs is None else f"{row.macs:,}" if row.macs else "",
            )
            for row in self
        ]

    def below(self) -> list[str]:
        """What a layer was made with, and what it reads where that is not the layer above."""
        found = []
        inputs = self.network.inputs
        above = inputs[0].name if len(inputs) == 1 else ""
        for row in self:
            parts = [made_with(row.details)] if row.details else []
            if row.inputs and row.inputs != (above,):
                parts.append(f"from {', '.join(row.inputs)}")
            found.append("  " * row.depth + "; ".join(parts) if parts else "")
            above = row.name
        return found


def made_with(details: Mapping[str, Any]) -> str:
    """``5×5, strides 2×2, valid, relu``."""
    parts = []
    for name, value in details.items():
        text = "×".join(map(str, value)) if isinstance(value, tuple) else str(value)
        if name in ("strides", "groups"):
            text = f"{name} {text}"
        elif name == "dilation_rate":
            text = f"dilation {text}"
        elif name == "recurrent_activation":
            text = f"gates {text}"
        parts.append(text)
    return ", ".join(parts)
