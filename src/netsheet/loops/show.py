"""The loops of a network, or of one of its layers, to read."""

from __future__ import annotations

from netsheet.equations import Tensor, Weight
from netsheet.loops.passes.readers import read_by
from netsheet.loops.pipeline import looped
from netsheet.loops.text import function_text
from netsheet.network import Network


def loops_text(network: Network, layer: str | None = None) -> str:
    """The loop IR as text: of a layer for itself, or of the whole network, its layers joined.

    Raises:
        UsageError: there is no such layer.
        UnsupportedError: it is not computed, or sizes are open.
    """
    if layer is None:
        inputs, outputs, equations = network.inputs, network.outputs, network.equations()
    else:
        node = network.node(layer)
        equations, outputs = network.node_equations(node), list(node.outputs)
        read: dict[Tensor, None] = {}
        for eq in equations:
            read.update(dict.fromkeys(sorted(read_by(eq), key=lambda tensor: tensor.name)))
        filled = {eq.target for eq in equations}
        inputs = [t for t in read if t not in filled and not isinstance(t, Weight)]
    found = looped(inputs, outputs, equations).program
    parts = [function_text(function) for function in found.functions]
    tables = [f"{table.name} = {', '.join(map(str, table.values))}" for table in found.tables]
    return "\n\n".join([*parts, *tables, f"arena: {found.arena} values"])
