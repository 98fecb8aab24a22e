"""What ``netsheet summary`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netsheet
from netsheet.cli import show
from netsheet.network import shown

if TYPE_CHECKING:
    from netsheet.model import Model
    from netsheet.network import SummaryRow


def print_summary(model_file: Path, as_json: bool = False, batch_axis: str = "auto") -> None:
    """The table of layers, or the same as JSON, on standard output."""
    show_summary(netsheet.load(model_file, batch_axis), as_json)


def show_summary(model: Model, as_json: bool = False) -> None:
    """The same of a model that is open already."""
    rows = model.summary()
    if as_json:
        show.as_json(summary_json(model, rows))
        return
    cells = [
        (
            "  " * row.depth + row.name,
            row.type,
            shown(row.output_shape) if row.output_shape else "?",
            f"{row.params:,}",
            "?" if row.macs is None else f"{row.macs:,}" if row.macs else "",
        )
        for row in rows
    ]
    columns = [("layer", "left"), ("type", "left"), ("output shape", "left"),
               ("params", "right"), ("MACs", "right")]  # fmt: skip
    macs = _total_macs(rows)
    foot = f"Parameters: {model.params:,}"
    trainable = model.trainable_params
    if trainable is not None:
        foot = f"Trainable: {trainable:,}   Non-trainable: {model.params - trainable:,}\n{foot}"
    foot += "" if macs is None else f"   Multiply-accumulates: {macs:,}"
    show.table(f"{model.name} ({model.format})", columns, cells, foot, _below(model, rows))
    for text in model.notes:
        show.say(f"Note: {text}")
    for row in rows:
        if row.refusal and not row.refusal.startswith("it needs"):
            show.say(f"Not computed: {row.name} ({row.type}): {row.refusal}")


def _below(model: Model, rows: list[SummaryRow]) -> list[str]:
    """What a layer was made with, and what it reads where that is not the layer above."""
    found = []
    above = model.inputs[0].name if len(model.inputs) == 1 else ""
    for row in rows:
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


def _total_macs(rows: list[SummaryRow]) -> int | None:
    top = [row.macs for row in rows if row.depth == 0]
    return None if None in top else sum(macs or 0 for macs in top)


def summary_json(model: Model, rows: list[SummaryRow]) -> dict[str, Any]:
    """The summary as plain data; layers inside nested models are under ``layers`` of theirs."""
    top: list[dict[str, Any]] = []
    open_: list[list[dict[str, Any]]] = [top]
    for row in rows:
        entry: dict[str, Any] = {
            "name": row.name,
            "type": row.type,
            "output_shape": row.output_shape,
            "params": row.params,
            "macs": row.macs,
            "trainable": row.trainable,
            "details": row.details,
            "inputs": row.inputs,
        }
        if row.refusal:
            entry["not_computed"] = row.refusal
        del open_[row.depth + 1 :]
        open_[row.depth].append(entry)
        inside: list[dict[str, Any]] = []
        open_.append(inside)
        entry["layers"] = inside
    _drop_empty(top)
    return {
        "name": model.name,
        "format": model.format,
        "layers": top,
        "total_params": model.params,
        "total_macs": _total_macs(rows),
        "trainable_params": model.trainable_params,
        "notes": model.notes,
    }


def _drop_empty(entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        if entry["layers"]:
            _drop_empty(entry["layers"])
        else:
            del entry["layers"]
