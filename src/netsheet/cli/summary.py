"""What ``netsheet summary`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsheet.cli import show
from netsheet.summary import COLUMNS, Summary

if TYPE_CHECKING:
    from netsheet.model import Model


def show_summary(model: Model, as_json: bool = False) -> None:
    """The table of layers, or the same as JSON, on standard output."""
    rows = Summary(model)
    if as_json:
        show.as_json(summary_json(rows))
        return
    show.say(rows.title)
    show.say()
    show.table_lines(COLUMNS, rows.cells(), rows.below())
    show.say()
    for line in rows.totals:
        show.say(line)
    for text in model.notes:
        show.say(f"Note: {text}")
    for row in rows:
        if row.refusal and not row.refusal.startswith("it needs"):
            show.say(f"Not computed: {row.name} ({row.type}): {row.refusal}")


def summary_json(rows: Summary) -> dict[str, Any]:
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
        "name": rows.network.name,
        "format": rows.network.format,
        "layers": top,
        "total_params": rows.network.params,
        "total_macs": rows.macs,
        "trainable_params": rows.network.trainable_params,
        "notes": rows.network.notes,
    }


def _drop_empty(entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        if entry["layers"]:
            _drop_empty(entry["layers"])
        else:
            del entry["layers"]
