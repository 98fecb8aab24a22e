"""Sequences of tensors, as exporters write them for ``split`` and ``stack``: taken apart at once.

Their length and the places in them are known while reading, so nothing of them is left to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.read.onnx.values import Computed, KnownValue, Several, Uncomputed, Value

if TYPE_CHECKING:
    from onnx import NodeProto

    from netsheet.read.onnx.assembly import GraphAssembly

Given = Sequence[Value | None]
Rule = Callable[["GraphAssembly", "NodeProto", Mapping[str, Any], Given], Value | None]


def _items(value: Value | None) -> list[KnownValue | Computed | Uncomputed] | None:
    return list(value.items) if isinstance(value, Several) else None


def _number(value: Value | None) -> int | None:
    return int(value.array.reshape(-1)[0]) if isinstance(value, KnownValue) else None


def _single(
    values: Sequence[Value | None],
) -> tuple[KnownValue | Computed | Uncomputed, ...] | None:
    kept = tuple(v for v in values if isinstance(v, (KnownValue, Computed, Uncomputed)))
    return kept if len(kept) == len(values) else None


def construct(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Given
) -> Value | None:
    """SequenceConstruct, SequenceEmpty."""
    items = _single(given)
    return None if items is None else Several(items)


def at(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Given
) -> Value | None:
    """SequenceAt."""
    items, place = _items(given[0]), _number(given[1])
    if items is None or place is None or not -len(items) <= place < len(items):
        return None
    return items[place]


def length(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Given
) -> Value | None:
    """SequenceLength."""
    items = _items(given[0])
    return None if items is None else KnownValue(np.array(len(items), np.int64), node.output[0])


def insert(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Given
) -> Value | None:
    """SequenceInsert: at the end where no place is given."""
    items, added = _items(given[0]), _single(given[1:2])
    place = _number(given[2]) if len(given) > 2 and given[2] is not None else len(items or ())
    if items is None or added is None or place is None or not -len(items) <= place <= len(items):
        return None
    return Several((*items[:place], *added, *items[place:]))


def erase(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Given
) -> Value | None:
    """SequenceErase: the last one where no place is given."""
    items = _items(given[0])
    place = _number(given[1]) if len(given) > 1 and given[1] is not None else -1
    if not items or place is None or not -len(items) <= place < len(items):
        return None
    del items[place]
    return Several(tuple(items))


def split(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Given
) -> Value | None:
    """SplitToSequence as a Split, and a Squeeze of each piece where the axis goes."""
    x = given[0]
    wanted = given[1] if len(given) > 1 else None
    if not isinstance(x, (KnownValue, Computed)) or not (
        wanted is None or isinstance(wanted, KnownValue)
    ):
        return None
    axis = int(attributes.get("axis", 0)) % max(len(x.shape), 1)
    size = x.shape[axis]
    if wanted is None:
        lengths = [1] * size
    elif wanted.array.ndim == 0:
        each = max(int(wanted.array), 1)
        lengths = [min(each, size - start) for start in range(0, size, each)]
    else:
        lengths = [int(n) for n in wanted.array]
    if not lengths or sum(lengths) != size:
        return None
    name = node.output[0]
    pieces = [f"{name}/{n}" for n in range(len(lengths))]
    values = assembly.with_axes("Split", node.input[0], pieces, "split", lengths, axis=axis)
    if wanted is None and not attributes.get("keepdims", 1):
        values = [
            assembly.with_axes("Squeeze", piece, [f"{piece}/squeezed"], "axes", [axis])[0]
            for piece in pieces
        ]
    items = _single(values)
    return None if items is None else Several(items)


def joined(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Given
) -> Value | None:
    """ConcatFromSequence as a Concat, of tensors with one more axis where they are stacked."""
    items = _items(given[0])
    if not items or any(isinstance(item, Uncomputed) for item in items):
        return None
    names = [f"{node.output[0]}/{n}" for n in range(len(items))]
    assembly.values.update(zip(names, items, strict=True))
    axis = int(attributes["axis"])
    if attributes.get("new_axis", 0):
        names = [f"{name}/unsqueezed" for name in names]
        for name in names:
            source = name.removesuffix("/unsqueezed")
            assembly.with_axes("Unsqueeze", source, [name], "axes", [axis])
    return assembly.add_node("Concat", names, [node.output[0]], axis=axis)[0]


SEQUENCES: dict[str, Rule] = {
    "SequenceConstruct": construct,
    "SequenceEmpty": construct,
    "SequenceAt": at,
    "SequenceLength": length,
    "SequenceInsert": insert,
    "SequenceErase": erase,
    "SplitToSequence": split,
    "ConcatFromSequence": joined,
}
