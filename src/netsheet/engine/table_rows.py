"""Whether numbers that pick rows of a table, as tokens do, are those of rows that there are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError
from netsheet.network import Network


def check_table_rows(network: Network, arrays: Mapping[str, FloatArray]) -> None:
    """Refuses tokens without a row; so does Keras on a CPU, where others read whatever is near.

    Keras 3 counts negative ones from the end, Keras 2 refuses them: they are refused.

    Args:
        arrays: inputs by name, each with a batch axis in front.

    Raises:
        NetsheetError: there are such; the first is named.
    """
    for node in network.nodes:
        rows = node.layer.table_rows
        if rows is None or not node.inputs or node.inputs[0].name not in arrays:
            continue
        name = node.inputs[0].name
        values = np.trunc(np.asarray(arrays[name], float))  # as Keras makes whole numbers of them
        wrong = np.argwhere(~((values >= 0) & (values < rows)))
        if len(wrong):
            raise NetsheetError(
                f"sample {wrong[0][0]} has {values[tuple(wrong[0])]:.0f} for {name!r}, but the "
                f"layer {node.key!r} has rows for 0 to {rows - 1}: give numbers in this range (one "
                "of them for whatever is rare or unknown), or a network with more rows."
            )
