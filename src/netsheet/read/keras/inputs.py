"""What goes into a model: its input layers, or the shape that its first layer was built with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netsheet.errors import FormatError
from netsheet.layer import Layer
from netsheet.layers.window import KERNEL
from netsheet.network import Source
from netsheet.read.keras.graph import GraphConfig, LayerConfig


def sources(graph: GraphConfig) -> list[Source] | None:
    """The inputs of a model; None for one that was never built."""
    if not graph.sequential:
        by_name = {layer.name: layer for layer in graph.layers}
        return [_source(by_name[ref.layer]) for ref in graph.inputs]
    if not graph.layers:
        return None
    first = graph.layers[0]
    if first.graph is not None:
        inner = sources(first.graph)
        if inner is not None:
            return inner
    shape = _input_shape(first.config)
    if shape is None:
        shape = graph.input_shape
    if shape is None:
        return None
    name = first.name if first.class_name == "InputLayer" else f"{first.name}_input"
    return [Source(name, _without_batch(shape, name), dtype=str(first.config.get("dtype")))]


def _source(layer: LayerConfig) -> Source:
    shape = _input_shape(layer.config)
    if shape is None:
        raise FormatError(f"the input {layer.name!r} has no shape")
    return Source(
        layer.name, _without_batch(shape, layer.name), dtype=str(layer.config.get("dtype"))
    )


def _input_shape(config: Mapping[str, Any]) -> Sequence[Any] | None:
    """The input shape with batch, in whichever words a Keras version says it."""
    for key in ("batch_shape", "batch_input_shape"):
        if isinstance(config.get(key), (list, tuple)):
            return tuple(config[key])
    if isinstance(config.get("input_shape"), (list, tuple)):
        return (None, *config["input_shape"])
    if isinstance(config.get("input_dim"), int):
        if "input_length" in config:
            return (None, config["input_length"], config["input_dim"])
        return (None, config["input_dim"])
    return None


def _without_batch(shape: Sequence[Any], name: str) -> tuple[int | None, ...]:
    sizes = tuple(shape)[1:]
    if not all(size is None or (isinstance(size, int) and size > 0) for size in sizes):
        raise FormatError(f"the input {name!r} has the shape {list(shape)}")
    return sizes


def batch_size(graph: GraphConfig) -> int | None:
    """How many samples the network takes at a time, where the file says so."""
    if graph.sequential:
        shapes = [graph.input_shape] if not graph.layers else [_input_shape(graph.layers[0].config)]
        if graph.layers and graph.layers[0].graph is not None:
            return batch_size(graph.layers[0].graph)
    else:
        by_name = {layer.name: layer for layer in graph.layers}
        shapes = [_input_shape(by_name[ref.layer].config) for ref in graph.inputs]
    sizes = [shape[0] for shape in shapes if shape and isinstance(shape[0], int)]
    return sizes[0] if sizes and sizes[0] > 0 else None


def shape_read_by(layer: Layer) -> tuple[int | None, ...] | None:
    """The shape, without batch, of what a layer with a kernel reads; None where it is not told."""
    kernel = layer.weights.get("kernel")
    if layer.reason or kernel is None or "in" not in kernel.axes:
        return None
    channels = kernel.shape[kernel.axes.index("in")]
    if "recurrent_kernel" in layer.weights:
        return (None, channels)
    space = (None,) * sum(axis in KERNEL[3] for axis in kernel.axes)
    return (channels, *space) if layer.channels_first else (*space, channels)


# Other types than float32 to compute in, and by how much results differ: by the bits of a number.
PRECISIONS = {"mixed_float16": "1e-3", "float16": "1e-3", "mixed_bfloat16": "1e-2",
              "bfloat16": "1e-2", "float64": "1e-7"}  # fmt: skip


def other_precision(graph: GraphConfig) -> str | None:
    """The type other than float32 that a layer is to compute in, if any is."""
    for layer in graph.layers:
        if layer.graph is not None:
            found = other_precision(layer.graph)
        else:
            found = _policy(layer.config.get("dtype"))
        if found:
            return found
    return None


def _policy(dtype: Any) -> str | None:
    """Of a name, or of a policy that is an object."""
    while isinstance(dtype, Mapping):
        inner = dtype.get("config")
        dtype = inner.get("name") if isinstance(inner, Mapping) else None
    return dtype if dtype in PRECISIONS else None
