"""What part of a model becomes C, and what cannot: said before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netsheet.equations import Call, walk
from netsheet.errors import UnsupportedError
from netsheet.network import Network, Node, ValueRef, shown
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
    if not model.nodes:
        raise UnsupportedError(
            f"{model.path}: there is no layer that can be computed (weights without a network?)"
        )
    if not model.bound and shapes is not None:
        model = model.bind(shapes)
    if until is not None:
        model = _until(model, until)
    needed = _needed(model)
    weights = {w: w.size for node in needed for w in node.layer.weights.values()}
    if sum(weights.values()) > MAX_WEIGHTS:
        raise UnsupportedError(
            f"{model.name} has {sum(weights.values()):,} weights; C is written for up to "
            f"{MAX_WEIGHTS:,}: write a part of it with --until, or an ONNX file."
        )
    for node in needed:
        reason = node.refusal or _missing(model, node)
        if reason:
            raise UnsupportedError(
                f"layer {node.key!r} ({node.layer.type}) cannot be written as C: {reason}; "
                f"{_advice(model, node)}."
            )
    if not model.bound:
        open_ = ", ".join(f"{t.name} {shown(t.shape)}" for t in model.inputs)
        raise UnsupportedError(
            f"the input has open sizes ({open_}), and C needs fixed ones: give an input (--input)."
        )
    return model


def _until(model: Network, key: str) -> Network:
    """The part of the model that computes one layer."""
    last = model.node(key)
    wanted = {node.key for node in model.computed(last.key)}
    calls = [call for call in model.calls if call.key in wanted]
    results = [ValueRef(last.key, n) for n in range(max(len(last.outputs), 1))]
    return replace(model, calls=calls, results=results, aliases={})


def _needed(model: Network) -> list[Node]:
    """The calls that the model's results need, in order."""
    calls = {call.key: call for call in model.calls}
    pending, found = [ref.key for ref in model.results], set[str]()
    while pending:
        key = pending.pop()
        if key in calls and key not in found:
            found.add(key)
            pending += [ref.key for ref in calls[key].inputs]
    return [node for node in model.nodes if node.key in found]


def _missing(model: Network, node: Node) -> str | None:
    """Why C cannot compute a call that has equations."""
    if not model.bound:
        return None
    for eq in model.node_equations(node):
        if eq.target.size > MAX_FLOATS:
            return f"it has {eq.target.size:,} values"
        for part in walk(eq.value):
            if isinstance(part, Call) and part.function not in SPELLED:
                return f"C has no function for {part.function!r}"
    return None


def _advice(model: Network, node: Node) -> str:
    before = [n.key for n in model.nodes[: model.nodes.index(node)] if not n.refusal]
    if not before:
        return "there is no layer before it"
    return f"write the part before it with --until {before[-1]}"
