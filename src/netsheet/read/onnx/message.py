"""What nodes of a message say: attributes, the names of inputs, the values that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


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
