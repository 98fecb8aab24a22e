"""Whether an ONNX graph computes with the number of samples, as with any other number.

A size that shapes a value (a Reshape, an Expand) is no such use: one sample by itself has the
shape that it has among others. A division by the number of samples is: one sample by itself
would be divided by 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import Const, Equation, FloatArray, Number, Read, Weight, walk
from netsheet.network import Network

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

# Operators with the operands that only say the shape of what is made, or where it is read.
_SIZES = {
    "Reshape": (1,), "Expand": (1,), "Tile": (1, 2), "Slice": (1, 2, 3, 4), "Resize": (1, 2, 3),
    "Upsample": (1,), "Pad": (1, 3), "Split": (1,), "Squeeze": (1,), "Unsqueeze": (1,),
    "TopK": (1,), "CenterCropPad": (1,), "MaxUnpool": (2,), "Col2Im": (1, 2),
    "AffineGrid": (1,),
}  # fmt: skip


def may_use_sizes(graph: GraphProto) -> bool:
    """True if the graph may compute with a size of a value, of whichever axis.

    Followed from each Shape and Size through what depends on nothing else but stored values.
    """
    known = {tensor.name for tensor in graph.initializer}
    sizes: set[str] = set()
    for node in graph.node:
        inner = [entry.g for entry in node.attribute if entry.HasField("g")]
        if any(_has_sizes(each) or _reads(each, sizes) for each in inner):
            return True
        given = {name for name in node.input if name}
        if node.op_type in ("Shape", "Size"):
            sizes.update(node.output)
        elif given <= known and not inner:
            known.update(node.output)
        elif given & sizes and given <= known | sizes:
            sizes.update(node.output)
        elif any(name in sizes for name in _numbers(node)):
            return True
    return any(entry.name in sizes for entry in graph.output)


def _has_sizes(graph: GraphProto) -> bool:
    return any(
        node.op_type in ("Shape", "Size")
        or any(_has_sizes(entry.g) for entry in node.attribute if entry.HasField("g"))
        for node in graph.node
    )


def _reads(graph: GraphProto, names: set[str]) -> bool:
    return any(
        not names.isdisjoint(node.input)
        or any(_reads(entry.g, names) for entry in node.attribute if entry.HasField("g"))
        for node in graph.node
    )


def _numbers(node: NodeProto) -> list[str]:
    """The inputs of a node that it computes with."""
    shaping = _SIZES.get(node.op_type, ())
    return [name for n, name in enumerate(node.input) if n not in shaping]


def uses_sample_count(one: Network, other: Network) -> bool:
    """True if what is computed is not the same in two readings for different numbers of samples.

    The shapes differ; the nodes, their numbers and their stored values have to be the same, along
    the axis that counts the samples too.
    """
    if [node.layer.type_name for node in one.nodes] != [n.layer.type_name for n in other.nodes]:
        return True
    pairs = zip(one.equations(), other.equations(), strict=False)
    return any(not _same_numbers(first, second) for first, second in pairs)


def _same_numbers(one: Equation, other: Equation) -> bool:
    first, second = ([*walk(eq.value)] for eq in (one, other))
    if _constants(first) != _constants(second):
        return False
    weights = zip(_weights(first), _weights(second), strict=False)
    return all(_same_values(a.values, b.values) for a, b in weights)


def _constants(parts: Iterable[object]) -> list[object]:
    """Numbers of an expression, and of the positions used as values how many there are."""
    found: list[object] = []
    for part in parts:
        if isinstance(part, Const):
            found.append(part.value)
        elif isinstance(part, Number):
            found.append(part.value.bounds())
    return found


def _weights(parts: Iterable[object]) -> Sequence[Weight]:
    tensors = [part.tensor for part in parts if isinstance(part, Read)]
    return [tensor for tensor in tensors if isinstance(tensor, Weight)]


def _same_values(one: FloatArray, other: FloatArray) -> bool:
    """True for the same values, and the same for each sample where the shapes differ."""
    if one.ndim != other.ndim:
        return False
    for axis, (first, second) in enumerate(zip(one.shape, other.shape, strict=True)):
        if first != second:
            kept = [array.take([0], axis) for array in (one, other)]
            if not (np.array_equal(one, np.broadcast_to(kept[0], one.shape))
                    and np.array_equal(other, np.broadcast_to(kept[1], other.shape))):  # fmt: skip
                return False
            one, other = kept
    return np.array_equal(one, other)
