"""The calls of a Functional graph in an order in which each finds its inputs computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

from netsheet.errors import FormatError
from netsheet.read.keras.graph import CallConfig, GraphConfig, LayerConfig, TensorRef
from netsheet.read.keras.wiring import mask_operations, operations_in, without_carried_masks

Maker = tuple[str, int]  # a layer and which of its calls


@dataclass(frozen=True, eq=False)
class NumberedCall:
    """A layer's call, its references counted from 0."""

    layer: LayerConfig
    number: int
    call: CallConfig

    @property
    def maker(self) -> Maker:
        """What references to the call's outputs name."""
        return self.layer.name, self.number


def ordered_calls(graph: GraphConfig, major: int) -> list[NumberedCall]:
    """Every call of a graph, as listed where that is possible, and else after its inputs.

    Raises:
        FormatError: a call needs one that does not exist, or itself by way of others.
    """
    calls = _numbered(graph, major)
    given = {(ref.layer, 0) for ref in graph.inputs}
    made = {call.maker for call in calls} | given
    users: dict[Maker, list[int]] = {}
    lacking: list[int] = []
    for position, call in enumerate(calls):
        needed = {(ref.layer, ref.node) for ref in call.call.refs()} - given
        if absent := needed - made:
            raise _broken(call, min(absent))
        for maker in needed:
            users.setdefault(maker, []).append(position)
        lacking.append(len(needed))
    ready = [position for position, count in enumerate(lacking) if count == 0]
    heapify(ready)
    order = []
    while ready:
        order.append(calls[heappop(ready)])
        for position in users.get(order[-1].maker, ()):
            lacking[position] -= 1
            if lacking[position] == 0:
                heappush(ready, position)
    if len(order) < len(calls):
        done = {call.maker for call in order} | given
        stuck = next(call for call in calls if call.maker not in done)
        needed = {(ref.layer, ref.node) for ref in stuck.call.refs()}
        raise _broken(stuck, min(needed - done))
    return order


def _broken(call: NumberedCall, lacking: Maker) -> FormatError:
    layer, node = lacking
    return FormatError(
        f"layer {call.layer.name!r} needs {layer!r} (call {node}), which does not exist or depends "
        "on it: the graph is cyclic or broken"
    )


def _numbered(graph: GraphConfig, major: int) -> list[NumberedCall]:
    unneeded = mask_operations(graph)
    operations = operations_in(graph)
    by_name = {layer.name: layer for layer in graph.layers}
    return [
        NumberedCall(
            layer, number, _counted(without_carried_masks(call, operations), by_name, major)
        )
        for layer in graph.layers
        if layer.class_name != "InputLayer" and layer.name not in unneeded
        for number, call in enumerate(layer.calls)
    ]


def ends(graph: GraphConfig, major: int) -> Iterable[TensorRef]:
    """The outputs of a graph, counted from 0."""
    by_name = {layer.name: layer for layer in graph.layers}
    return [_counted_ref(ref, by_name, major, end=True) for ref in graph.outputs]


def _counted(call: CallConfig, layers: Mapping[str, LayerConfig], major: int) -> CallConfig:
    """The call with references to nested models counted from 0."""

    def visit(tree: Any) -> Any:
        if isinstance(tree, TensorRef):
            return _counted_ref(tree, layers, major)
        if isinstance(tree, (list, tuple)):
            return type(tree)(visit(item) for item in tree)
        if isinstance(tree, Mapping):
            return {key: visit(item) for key, item in tree.items()}
        return tree

    return CallConfig(visit(call.args), visit(call.kwargs), call.masked)


def _counted_ref(
    ref: TensorRef, layers: Mapping[str, LayerConfig], major: int, end: bool = False
) -> TensorRef:
    """Keras 2 counts the calls of a nested model from 1, its building being call 0; Keras 3 does
    so for Functional ones among the model's outputs."""
    layer = layers.get(ref.layer)
    if layer is None or layer.graph is None or ref.node == 0:
        return ref
    from_one = major < 3 or (end and not layer.graph.sequential)
    if from_one or ref.node >= len(layer.calls):
        return TensorRef(ref.layer, ref.node - 1, ref.tensor)
    return ref
