"""ONNX files as Models.

A network exported from PyTorch or Keras has the batch as the first axis of its inputs: symbolic,
unknown or 1 (:mod:`~netsheet.read.onnx.batch` says which). That axis is taken away, so that every
target sees one sample, as with Keras files: the graph is read for a batch of one, and an axis of
size 1 in front of a computed value is left out. Leaving it out changes no value, whatever it means.
Sizes that the graph works out from shapes (Shape, Gather, Concat, Reshape, ...) are known while
reading. With ``batch=False`` tensors are whole: every axis stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.layers.opaque import Opaque
from netsheet.network import Entry, LayerCall, Network, Source, ValueRef
from netsheet.operators.base import axes_of
from netsheet.operators.elementwise import type_name
from netsheet.read.onnx.assembly import FREE_KNOWN, KNOWN_PER_BYTE, GraphAssembly
from netsheet.read.onnx.batch import (
    AUTO,
    Dimension,
    chosen_axis,
    dimensions,
    is_batch,
    symbolic,
)
from netsheet.read.onnx.file import in_order, opsets, read_proto
from netsheet.read.onnx.message import taught_of
from netsheet.read.onnx.open_sizes import tell_open_sizes
from netsheet.read.onnx.original import OnnxOriginal
from netsheet.read.onnx.values import Computed, KnownValue, Uncomputed

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

Shapes = Mapping[str, Sequence[int]]
OpenShape = tuple[int | None, ...]


def load_onnx(path: str | Path, batch_axis: str | int | None = AUTO) -> Network:
    """The model in an ONNX file; ``batch_axis`` as for :func:`netsheet.load`.

    Raises:
        FormatError: the file is no ONNX model, is damaged or refers to files elsewhere.
        UnsupportedError: an operator set before version 7.
        UsageError: there is no such batch axis.
    """
    path = Path(path)
    proto = read_proto(path)
    in_order(proto.graph)
    told = tell_open_sizes(proto.graph)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    given = _given(proto.graph, ())
    if batch_axis != AUTO:
        axis = chosen_axis(batch_axis, given)
        if axis not in (None, 0):
            _fix(given, axis or 0)
        network = from_proto(proto, path, sha256, batch=axis == 0)
        network.notes += told
        return network

    def whole(shapes: Shapes) -> Network:
        return from_proto(proto, path, sha256, batch=False, shapes=shapes)

    batch = is_batch(proto.graph, given, whole)
    network = from_proto(proto, path, sha256, batch=batch)
    network.notes += told
    if not batch:
        named = ", ".join(
            f"{entry.name} ({dimensions(entry)[0] or '?'})" for entry in symbolic(given)
        )
        network.notes.append(
            f"The first axis of {named} is taken for no batch: it is added up or stepped "
            "along, its size is a number that is computed with, or the outputs do not keep it. "
            "--batch-axis 0 takes it for one."
        )
    return network


def _given(graph: GraphProto, fixed: Collection[str]) -> list[ValueInfoProto]:
    """The inputs that have to be given: neither stored nor fixed to values."""
    stored = {tensor.name for tensor in graph.initializer} | set(fixed)
    return [entry for entry in graph.input if entry.name not in stored]


def _fix(given: Sequence[ValueInfoProto], axis: int) -> None:
    """One sample along an axis that is not the first: its size is 1."""
    for entry in given:
        dims = entry.type.tensor_type.shape.dim
        if axis < len(dims):
            if dims[axis].HasField("dim_value") and dims[axis].dim_value != 1:
                raise UsageError(f"axis {axis} of {entry.name!r} has {dims[axis].dim_value} "
                                 "positions: it is no batch axis.")  # fmt: skip
            dims[axis].dim_value = 1


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
    assembly = GraphAssembly(opsets(proto), batch)
    assembly.known_left = max(FREE_KNOWN, KNOWN_PER_BYTE * proto.ByteSize())
    assembly.values.update({name: KnownValue(array, name) for name, array in constants.items()})
    if graph.sparse_initializer:
        raise FormatError(f"{path}: sparse tensors are not read.")
    sources = _sources(_given(graph, constants), batch, shapes, assembly)
    assembly.add_graph(graph)
    unbound = [source.name for source in sources if None in source.shape]
    if unbound:
        _explain(assembly.calls, unbound)
    results = {entry.name: assembly.result(entry.name) for entry in graph.output}
    version, notes = opsets(proto).get("", 0), list[str]()
    taught = taught_of(proto, notes)

    def again(given: Shapes) -> Network:
        bound = from_proto(proto, path, sha256, batch, constants, given)
        bound.notes = network.notes
        return bound

    network = Network(
        name=graph.name or path.stem,
        calls=assembly.calls,
        sources=sources,
        results=[ref for ref in results.values() if ref is not None],
        result_names=[name for name, ref in results.items() if ref is not None],
        whole=[
            name for name, ref in results.items() if ref is not None and _is_whole(assembly, name)
        ],
        entries=_entries(sources, assembly.calls),
        path=path,
        format=f"ONNX opset {version}, {proto.producer_name} {proto.producer_version}".rstrip(" ,"),
        sha256=sha256,
        framework_version=str(version),
        stored=assembly.stored,
        reread=again,
        deciding=assembly.deciding,
        class_names=assembly.class_names or taught.class_names,
        preparation=taught.preparation,
        notes=notes,
        original=OnnxOriginal(proto, assembly.tensors, constants),
    )
    network.notes += _lost_outputs(graph, constants)
    return network


def _lost_outputs(graph: GraphProto, constants: Mapping[str, FloatArray]) -> list[str]:
    """Notes of outputs that no node makes, and that are neither stored nor inputs."""
    made = {name for node in graph.node for name in node.output} | set(constants)
    made |= {entry.name for entry in (*graph.input, *graph.initializer)}
    lost = [entry.name for entry in graph.output if entry.name not in made]
    return [f"Nothing computes its output {name!r}, which is left out." for name in lost]


def _is_whole(assembly: GraphAssembly, name: str) -> bool:
    """True for an output that has no batch axis in the file."""
    value = assembly.values.get(name)
    return isinstance(value, Computed) and not value.stripped


def _sources(
    given: Sequence[ValueInfoProto], batch: bool, shapes: Shapes, assembly: GraphAssembly
) -> list[Source]:
    """The inputs, made known to the assembly."""
    sources = []
    # one sample: the batch's name means 1 wherever else it stands
    names = {dimensions(entry)[0] for entry in symbolic(given)} - {None} if batch else set()
    for entry in given:
        source, stripped = _source(entry, batch, shapes, names)
        sizes = [size or 0 for size in source.shape]
        if 0 in source.shape:
            # there is only one array without elements
            array = np.zeros([1, *sizes] if stripped else sizes, source.dtype)
            assembly.values[entry.name] = KnownValue(array, entry.name)
            continue
        sources.append(source)
        if None in source.shape:
            assembly.values[entry.name] = Uncomputed(ValueRef(source.name))
        else:
            tensor = Tensor(source.name, source.axes, tuple(sizes))
            assembly.values[entry.name] = Computed(
                ValueRef(source.name), tensor, source.dtype, stripped
            )
    return sources


def _source(
    entry: ValueInfoProto, batch: bool, shapes: Shapes, ones: Collection[Dimension] = ()
) -> tuple[Source, bool]:
    """An input of the graph, and whether its first axis is a batch that is taken away."""
    if not entry.type.HasField("tensor_type"):
        raise FormatError(f"input {entry.name!r} is no tensor; sequences and maps are not read.")
    tensor = entry.type.tensor_type
    if not tensor.HasField("shape"):
        raise FormatError(f"input {entry.name!r} has no shape.")
    sizes: list[int | None] = [
        size if isinstance(size, int) else 1 if size in ones else None for size in dimensions(entry)
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
    axes = _axes(tuple(size or 0 for size in shape))
    kind = type_name(tensor.elem_type)
    return Source(entry.name, shape, axes, kind, not stripped), stripped


COLOURS = (1, 3, 4)  # channels of pictures: grey, RGB, RGBA


def _axes(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names for an input's axes: channels last where only the last axis can be a picture's."""
    if len(shape) == 3 and shape[-1] in COLOURS and shape[0] not in COLOURS:
        return ("height", "width", "channel")
    return axes_of(shape)


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
