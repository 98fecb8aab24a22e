"""A network as it is to be trained: frozen layers, layers that stand still, augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netsheet.errors import UsageError, choices
from netsheet.layer import Layer
from netsheet.network import LayerCall, Network, ValueRef


def prepared(network: Network, freeze: Sequence[str] = (), still: Sequence[str] = ()) -> Network:
    """The network with layers whose weights stay, or that act as in prediction, while it trains.

    The name of a nested model stands for all layers in it.

    Raises:
        UsageError: there is no such layer.
    """
    known = [*network.layers, *{key.partition("/")[0] for key in network.layers if "/" in key}]
    for option, names in (("--freeze", freeze), ("--still", still)):
        for name in names:
            if name not in known:
                raise UsageError(f"{option}: there is no layer {name!r}{choices(name, known)}")

    def among(layer: Layer, names: Sequence[str]) -> bool:
        return any(layer.name == name or layer.name.startswith(f"{name}/") for name in names)

    def changed(layer: Layer) -> Layer:
        trainable = layer.trainable and not among(layer, freeze)
        return replace(layer, trainable=trainable, still=layer.still or among(layer, still))

    calls = [replace(call, layer=changed(call.layer)) for call in network.calls]
    return replace(network, calls=calls, extra_layers=list(map(changed, network.extra_layers)))


def augmented(network: Network, layers: Sequence[Layer]) -> Network:
    """The network behind layers that change its only input while it trains.

    Raises:
        UsageError: it has several inputs, or one that is no picture.
    """
    if not layers:
        return network
    axes = network.inputs[0].axes
    if len(network.inputs) != 1 or not {"height", "width", "channel"} == set(axes):
        raise UsageError("--augment: it takes networks with a picture as their only input.")
    (source,) = network.sources
    before, calls = ValueRef(source.name), []
    for layer in layers:
        first = replace(layer, channels_last=axes[-1] == "channel")  # type: ignore[call-arg]
        calls.append(LayerCall(f"augment/{layer.name}", first, (before,)))
        before = ValueRef(calls[-1].key)

    def moved(refs: Sequence[ValueRef]) -> tuple[ValueRef, ...]:
        return tuple(before if ref == ValueRef(source.name) else ref for ref in refs)

    behind = [replace(call, inputs=moved(call.inputs)) for call in network.calls]
    return replace(network, calls=[*calls, *behind], results=moved(network.results))
