"""A workbook of several calls one after another: how many they are, by its Map."""

from __future__ import annotations

import itertools
from pathlib import Path

from netsheet.data.succession import Succession, marked, succession
from netsheet.errors import UsageError
from netsheet.network import Network
from netsheet.verify.engines.workbook import read_map


def succession_of(network: Network, workbook: Path, given: int) -> Succession | None:
    """The calls that a workbook has a row for each; None for one that has a single call.

    Args:
        given: how many samples are to be proved; 0: those that stand in the workbook.

    Raises:
        UsageError: other samples are given than it has rows.
    """
    if not network.states:
        return None
    located, batch = read_map(workbook), network.batch_size or 1
    count = next(n for n in itertools.count(1) if _first(network, n, batch) not in located)
    if given not in (0, count):
        raise UsageError(
            f"{workbook}: has rows for {count} inputs one after another, but {given} are given: "
            "give as many, or none for those that stand in it."
        )
    return succession(network, count) if count > 1 else None


def _first(network: Network, number: int, batch: int) -> str:
    """The name of what the first layer gives for that sample."""
    node = network.computed()[0]
    return node.layer.output_name(marked(node.key, number, batch), 0, len(node.outputs))
