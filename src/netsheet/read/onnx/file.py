"""An ONNX file as a checked protobuf message: nothing outside its folder is read."""

from __future__ import annotations

import copy
import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.errors import FormatError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

MAX_FILE = 2**31 - 1  # a protobuf message holds no more
MAX_EXTERNAL = 2**35
MAX_NODES = 10_000
OLDEST_OPSET = 7


def read_proto(path: Path) -> ModelProto:
    """The message in the file, with external data of the same folder read into it.

    Raises:
        FormatError: not an ONNX file, damaged, too large, or with data outside its folder.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    size = path.stat().st_size
    if size > MAX_FILE:
        raise FormatError(f"{path}: {size:,} bytes are more than an ONNX file can have.")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (DecodeError, RecursionError) as error:
        raise FormatError(f"{path}: is no ONNX file, or is damaged or cut short.") from error
    if not model.opset_import or not model.HasField("graph") or not model.graph.output:
        raise FormatError(f"{path}: is no ONNX model: it has no graph with outputs.")
    if model.functions:
        from onnx.checker import ValidationError
        from onnx.inliner import inline_local_functions

        _check_nodes(model)
        try:
            model = inline_local_functions(model)
        except (ValidationError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise FormatError(f"{path}: its functions are broken: {reason}") from error
    _check_nodes(model)
    left = MAX_EXTERNAL
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            left -= _read_external(path, tensor, left)
    return model


def in_order(graph: GraphProto) -> None:
    """Puts every node behind those that make its inputs, where a file has them otherwise.

    Raises:
        FormatError: the nodes go round in a circle.
    """
    made = {name for node in graph.node for name in node.output if name}
    known = {entry.name for entry in (*graph.input, *graph.initializer)}
    waiting: dict[str, list[int]] = {}
    missing: list[int] = []
    for number, node in enumerate(graph.node):
        needs = {name for name in _read_by(node) if name in made and name not in known}
        missing.append(len(needs))
        for name in needs:
            waiting.setdefault(name, []).append(number)
    ready = [number for number, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        number = heapq.heappop(ready)
        order.append(number)
        for name in dict.fromkeys(graph.node[number].output):
            for user in waiting.pop(name, ()):
                missing[user] -= 1
                if not missing[user]:
                    heapq.heappush(ready, user)
    if len(order) < len(graph.node):
        stuck = next(node for n, node in enumerate(graph.node) if missing[n])
        raise FormatError(f"node {stuck.name or stuck.op_type!r} waits for its own output.")
    if order != sorted(order):
        nodes = [copy.deepcopy(graph.node[number]) for number in order]
        del graph.node[:]
        graph.node.extend(nodes)


def _read_by(node: NodeProto) -> set[str]:
    """Every value that a node reads, inner graphs included."""
    names = set(node.input)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            inside = {entry.name for entry in attribute.g.output}
            for inner in attribute.g.node:
                inside |= _read_by(inner)
            own = {name for inner in attribute.g.node for name in inner.output}
            own |= {entry.name for entry in (*attribute.g.input, *attribute.g.initializer)}
            names |= inside - own
    return names


def opsets(model: ModelProto) -> dict[str, int]:
    """The version of each operator set that the model uses."""
    found = {entry.domain: int(entry.version) for entry in model.opset_import}
    if "ai.onnx" in found:
        found.setdefault("", found["ai.onnx"])
    if found.get("", OLDEST_OPSET) < OLDEST_OPSET:
        raise FormatError(
            f"the model uses version {found['']} of ONNX's operators; netsheet reads versions "
            f"from {OLDEST_OPSET} on. onnx.version_converter can lift it."
        )
    return found


def array_of(tensor: TensorProto) -> np.ndarray[Any, Any]:
    """The values of a stored tensor."""
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as error:
        raise FormatError(f"tensor {tensor.name!r} is damaged: {error}") from error


def _check_nodes(model: ModelProto) -> None:
    """Refuses very many nodes, those of functions counted wherever these are called."""
    functions = {(f.domain, f.name, f.overload): f.node for f in model.functions}
    counts: dict[tuple[str, str, str], int] = {}

    def count(nodes: Iterable[NodeProto]) -> int:
        return sum(inside(node) for node in nodes)

    def inside(node: NodeProto) -> int:
        total = 1 + sum(count(a.g.node) for a in node.attribute if a.HasField("g"))
        key = (node.domain, node.op_type, node.overload)
        if key in functions:
            if key not in counts:
                counts[key] = 0  # a function in itself is refused when it is inlined
                counts[key] = count(functions[key])
            total += counts[key]
        return total

    if (found := count(model.graph.node)) > MAX_NODES:
        raise FormatError(f"it has {found:,} nodes; {MAX_NODES:,} are the limit")


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)


def _read_external(path: Path, tensor: TensorProto, left: int) -> int:
    """Replace the reference to another file by its bytes; returns their number."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = path.resolve().parent
    target = (folder / location.replace("\0", "")).resolve()
    if not location or folder not in target.parents or not target.is_file():
        raise FormatError(
            f"{path}: the data of {tensor.name!r} should lie in {location!r}; only a file in the "
            f"folder of the model is read."
        )
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries.get("length") or target.stat().st_size - offset)
    except ValueError as error:
        raise FormatError(f"{path}: {tensor.name!r}: offset or length is no number.") from error
    if offset < 0 or not 0 <= length <= left or offset + length > target.stat().st_size:
        raise FormatError(
            f"{path}: the data of {tensor.name!r} ({length:,} bytes from {offset:,}) do not lie "
            f"within {location!r}, or are too large."
        )
    with target.open("rb") as stream:
        stream.seek(offset)
        tensor.raw_data = stream.read(length)
    tensor.data_location = tensor.DEFAULT
    del tensor.external_data[:]
    return length
