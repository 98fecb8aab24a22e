"""What part of a model becomes C, and what cannot: said before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import Call, walk
from netsheet.errors import UnsupportedError
from netsheet.network import Network, Node
from netsheet.selection import needed, part, require, require_bound, require_layers
from netsheet.write.c.spelling import SPELLED

MAX_FLOATS = 1 << 29  # positions are ints, sizes in bytes too
MAX_WEIGHTS = 1 << 26  # as C text already 800 MB


def writable(
    model: Network, until: str | None = None, shapes: Sequence[Sequence[int]] | None = None
) -> Network:
    """The model, bound to ``shapes`` where sizes are open, as far as ``until``.

    Raises:
        UnsupportedError: a layer that is needed is not computed or has no C; or open sizes.
        NetsheetError: there is no layer ``until``.
    """
    require_layers(model)
    model = part(model, until, shapes)
    nodes = needed(model)
    weights = {w: w.size for node in nodes for w in node.layer.weights.values()}
    if sum(weights.values()) > MAX_WEIGHTS:
        raise UnsupportedError(
            f"{model.name} has {sum(weights.values()):,} weights; C is written for up to "
            f"{MAX_WEIGHTS:,}: write a part of it with --until, or an ONNX file."
        )
    require(model, nodes, "C", lambda node: _missing(model, node))
    require_bound(model, "C")
    return model


def _missing(model: Network, node: Node) -> str | None:
    """Why C cannot compute a call that has equations."""
    if not model.bound:
        return None
    for eq in model.node_equations(node):
        if eq.target.size > MAX_FLOATS:
            return f"it has {eq.target.size:,} values"
        for expr in walk(eq.value):
            if isinstance(expr, Call) and expr.function not in SPELLED:
                return f"C has no function for {expr.function!r}"
    return None
