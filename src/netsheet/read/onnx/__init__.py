"""ONNX files as Models.

A network exported from PyTorch or Keras has the batch as the first axis of its inputs: symbolic,
unknown or 1. That axis is taken away, so that every target sees one sample, as with Keras files:
the graph is read for a batch of one, and an axis of size 1 in front of a computed value is left
out. Leaving it out changes no value, whatever it means. Sizes that the graph works out from shapes
(Shape, Gather, Concat, Reshape, ...) are known while reading. With ``batch=False`` tensors are
whole: every axis stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.errors import FormatError, NetsheetError
from netsheet.layers.opaque import Opaque
from netsheet.network import Entry, LayerCall, Network, Source, ValueRef
from netsheet.operators.base import axes_of
from netsheet.operators.elementwise import type_name
from netsheet.read.onnx.assembly import FREE_KNOWN, KNOWN_PER_BYTE, Assembly
from netsheet.read.onnx.file import opsets, read_proto
from netsheet.read.onnx.original import OnnxOriginal
from netsheet.read.onnx.values import Computed, Known, Uncomputed

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

Shapes = Mapping[str, Sequence[int]]
OpenShape = tuple[int | None, ...]


def load_onnx(path: str | Path, batch: bool = True) -> Network:
    """The model in an ONNX file.

    Raises:
        FormatError: the file is no ONNX model, is damaged or refers to files elsewhere.
        UnsupportedError: an operator set before version 7.
    """
    path = Path(path)
    proto = read_proto(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return from_proto(proto, path, sha256, batch=batch)


def from_proto(
    proto: ModelProto,
    path: Path = Path("model.onnx"),
    sha256: str = "",
    batch: bool = True,
    constants: Mapping[str, FloatArray] | None = None,
    shapes: Shapes | None = None,
) -> Network:
    """The model in a message; ``constants`` fixes inputs to values, ``shapes`` their open sizes."""
    graph, constants, shapes = proto.graph, constants or {}, shapes or {}
    assembly = Assembly(opsets(proto), batch)
    assembly.known_left = max(FREE_KNOWN, KNOWN_PER_BYTE * proto.ByteSize())
    assembly.values.update({name: Known(array, name) for name, array in constants.items()})
    stored = {tensor.name for tensor in graph.initializer} | set(constants)
    sources, unbound = [], []
    for entry in graph.input:
        if entry.name in stored:
            continue
        source, stripped = _source(entry, batch, shapes)
        if 0 in source.shape:
            # there is only one array without elements
            sizes = [size or 0 for size in source.shape]
            array = np.zeros([1, *sizes] if stripped else sizes, source.dtype)
            assembly.values[entry.name] = Known(array, entry.name)
            continue
        sources.append(source)
        if None in source.shape:
            unbound.append(source.name)
            assembly.values[entry.name] = Uncomputed(ValueRef(source.name))
        else:
            tensor = Tensor(source.name, source.axes, tuple(size or 0 for size in source.shape))
            assembly.values[entry.name] = Computed(
                ValueRef(source.name), tensor, source.dtype, stripped
            )
    if graph.sparse_initializer:
        raise FormatError(f"{path}: sparse tensors are not read.")
    assembly.add_graph(graph)
    if unbound:
        _explain(assembly.calls, unbound)
    results = [assembly.result(entry.name) for entry in graph.output]
    version = opsets(proto).get("", 0)

    def again(given: Shapes) -> Network:
        return from_proto(proto, path, sha256, batch, constants, given)

    return Network(
        name=graph.name or path.stem,
        calls=assembly.calls,
        sources=sources,
        results=[ref for ref in results if ref is not None],
        entries=_entries(sources, assembly.calls),
        path=path,
        format=f"ONNX opset {version}, {proto.producer_name} {proto.producer_version}".rstrip(" ,"),
        sha256=sha256,
        framework_version=str(version),
        stored=assembly.stored,
        reread=again,
        deciding=assembly.deciding,
        original=OnnxOriginal(proto, assembly.tensors, constants),
    )


def _source(entry: ValueInfoProto, batch: bool, shapes: Shapes) -> tuple[Source, bool]:
    """An input of the graph, and whether its first axis is a batch that is taken away."""
    if not entry.type.HasField("tensor_type"):
        raise FormatError(f"input {entry.name!r} is no tensor; sequences and maps are not read.")
    tensor = entry.type.tensor_type
    if not tensor.HasField("shape"):
        raise FormatError(f"input {entry.name!r} has no shape.")
    sizes: list[int | None] = [
        dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim
    ]
    stripped = batch and bool(sizes) and sizes[0] in (None, 1)
    shape: OpenShape = tuple(sizes[1:] if stripped else sizes)
    if entry.name in shapes:
        given = tuple(shapes[entry.name])
        if len(given) != len(shape) or any(
            old not in (None, new) for old, new in zip(shape, given, strict=True)
        ):
            raise NetsheetError(f"input {entry.name!r} takes the shape {shape}, not {given}.")
        shape = given
    axes = axes_of(tuple(size or 0 for size in shape))
    return Source(entry.name, shape, axes, type_name(tensor.elem_type)), stripped


def _explain(calls: Sequence[LayerCall], names: Sequence[str]) -> None:
    """The layers are known, but not their sizes."""
    for call in calls:
        if isinstance(call.layer, Opaque) and any(ref.key in names for ref in call.inputs):
            call.layer.reason = (
                f"the sizes of input {', '.join(names)} are open: give an input, or bind the model"
            )


def _entries(sources: Sequence[Source], calls: Sequence[LayerCall]) -> list[Entry]:
    inputs = [Entry(source.name, "Input", None, None, source=source) for source in sources]
    return [*inputs, *(Entry(call.key, call.layer.type, call.key, call.layer) for call in calls)]
