"""What a message says: attributes, names of inputs, values that are read, its training's data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netsheet.read.taught import TAUGHT, Taught, read_taught

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


def names_read(graph: GraphProto) -> set[str]:
    """Every value that a node or the outside reads; those of inner graphs included."""
    names = {entry.name for entry in graph.output}
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                names |= names_read(attribute.g)
    return names


def attribute_value(entry: Any) -> Any:
    """An attribute as a Python value; bytes as text."""
    from onnx import helper

    value = helper.get_attribute_value(entry)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [item.decode("utf-8", "replace") for item in value]
    return value


def input_names(proto: NodeProto, version: int) -> list[str]:
    """The inputs' names in ONNX's own description of the operator."""
    from onnx import defs

    domain = "" if proto.domain == "ai.onnx" else proto.domain
    try:
        formal = [entry.name for entry in defs.get_schema(proto.op_type, version, domain).inputs]
    except defs.SchemaError:
        formal = []
    names = [formal[n] if n < len(formal) else f"input{n}" for n in range(len(proto.input))]
    return [name if names.count(name) == 1 else f"{name}{n}" for n, name in enumerate(names)]


def taught_of(proto: ModelProto, notes: list[str]) -> Taught:
    """What an entry of the metadata says of the data that the network was trained with."""
    kept = [entry.value for entry in proto.metadata_props if entry.key == TAUGHT]
    return read_taught(kept[0] if kept else None, notes)


def keep_taught(proto: ModelProto, taught: Mapping[str, Any] | None) -> None:
    """Puts it into that entry, in place of what stood there; with nothing to keep all stays."""
    if not taught:
        return
    others = [entry for entry in proto.metadata_props if entry.key != TAUGHT]
    del proto.metadata_props[:]
    proto.metadata_props.extend(others)
    proto.metadata_props.add(key=TAUGHT, value=json.dumps(taught, ensure_ascii=False))
