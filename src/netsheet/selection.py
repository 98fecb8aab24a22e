"""Which part of a network is meant: bound to sizes, as far as a layer, what is needed or refused.

The one place that every target asks before it writes or proves anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from netsheet.errors import UnsupportedError
from netsheet.network import Network, Node, ValueRef, shown

NAMED = 8  # layers that a sentence names one by one


def part(
    network: Network, until: str | None = None, shapes: Sequence[Sequence[int]] | None = None
) -> Network:
    """The network, bound to ``shapes`` (inputs in order) where sizes are open, up to ``until``.

    Raises:
        UsageError: there is no layer ``until``.
        NetsheetError: the shapes do not fit.
    """
    if not network.bound and shapes:
        network = network.bind(shapes)
    if until is None:
        return network
    last = network.node(until)
    wanted = {node.key for node in network.computed(last.key)}
    calls = [call for call in network.calls if call.key in wanted]
    results = [ValueRef(last.key, n) for n in range(max(len(last.outputs), 1))]
    return replace(network, calls=calls, results=results, aliases={}, result_names=(), whole=())


def needed(network: Network) -> list[Node]:
    """The calls that the network's results need, in order."""
    calls = {call.key: call for call in network.calls}
    pending, found = [ref.key for ref in network.results], set[str]()
    while pending:
        key = pending.pop()
        if key in calls and key not in found:
            found.add(key)
            pending += [ref.key for ref in calls[key].inputs]
    return [node for node in network.nodes if node.key in found]


def refused(network: Network) -> list[Node]:
    """The calls that are not computed, in order."""
    return [node for node in network.nodes if node.refusal is not None]


def require_layers(network: Network) -> None:
    """UnsupportedError where there is no layer at all (a file of weights alone)."""
    if not network.nodes:
        raise UnsupportedError(
            f"{network.path}: there is no network, only weights: give its architecture too "
            "(--architecture model.json, or a .keras or .h5 file of the same network)."
        )
    if not network.inputs:
        raise UnsupportedError(
            f"{network.path}: the network has no input; its outputs are constants, and there is "
            "nothing to compute."
        )


def require_computed(network: Network) -> None:
    """UnsupportedError, with the reason of the first layer, where no layer is computed."""
    require_layers(network)
    left = refused(network)
    if len(left) == len(network.nodes):
        first = left[0]
        raise UnsupportedError(
            f"no layer of {network.path.name or network.name} is computed: layer {first.key!r} "
            f"({first.layer.type}): {first.refusal}"
        )


def require(
    network: Network,
    nodes: Sequence[Node],
    form: str,
    missing: Callable[[Node], str | None] | None = None,
) -> None:
    """UnsupportedError where one of ``nodes`` is refused, or ``missing`` gives a reason.

    ``form`` says as what they are written: ``C``, ``formulas``.
    """
    require_layers(network)
    for node in nodes:
        reason = node.refusal or (missing(node) if missing is not None else None)
        if reason:
            raise UnsupportedError(
                f"layer {node.key!r} ({node.layer.type}) cannot be written as {form}: {reason}; "
                f"{advice(network, node)}."
            )


def advice(network: Network, node: Node) -> str:
    """What to write instead of a network with a layer that is refused."""
    before = [n for n in network.nodes[: network.nodes.index(node)] if not n.refusal]
    if not before:
        return "there is no layer before it"
    # what it would have read, sooner than what merely stands before it
    read = [n for n in before if set(n.outputs) & set(node.inputs)]
    return f"write the part before it with --until {(read or before)[-1].key}"


def require_bound(network: Network, form: str) -> None:
    """UnsupportedError where sizes of the input are open."""
    if not network.bound:
        open_ = ", ".join(f"{t.name} {shown(t.shape)}" for t in network.inputs)
        raise UnsupportedError(
            f"the input has open sizes ({open_}), and {form} needs fixed ones: give an input "
            "(--input)."
        )


def told(nodes: Sequence[Node]) -> list[str]:
    """Sentences on layers that are not computed: each reason once, what follows from it counted."""
    causes: dict[str, list[str]] = {}
    following: list[str] = []
    for node in nodes:
        if node.follows:
            following.append(node.key)
        else:
            causes.setdefault(str(node.refusal), []).append(node.key)
    lines = [f"{_listed(keys)}: {reason}" for reason, keys in causes.items()]
    if following:
        lines.append(f"{_listed(following)}: what comes before is not computed")
    return lines


def _listed(keys: Sequence[str]) -> str:
    kept = ", ".join(keys[:NAMED])
    return kept if len(keys) <= NAMED else f"{kept} and {len(keys) - NAMED} more"
