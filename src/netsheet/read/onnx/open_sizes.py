"""Open sizes of inputs that stored weights decide: as many channels as a kernel has, and the like.

From each input the graph is followed through nodes that keep its shape to those whose weights have
a size in common with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, ValueInfoProto

Shape = tuple[int, ...]
Told = tuple[int, int]  # an axis, and its size
# Each from the node, the shapes of what is stored, and the rank of the value that input 0 is.
Decides = Callable[["NodeProto", Mapping[str, Shape], int], Iterator[Told]]

# What goes in comes out in the same shape, whatever the other inputs are.
KEEPS_SHAPE = frozenset(
    {"Relu", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Identity", "Cast", "Dropout", "Neg",
     "Abs", "Exp", "Log", "Sqrt", "Clip", "Softmax", "LogSoftmax", "Gelu", "Erf", "Softplus"}
)  # fmt: skip
STRETCHES = frozenset({"Add", "Sub", "Mul", "Div"})  # with one stored number they keep it too


def tell_open_sizes(graph: GraphProto) -> list[str]:
    """Writes the sizes that weights decide into the graph's inputs; a sentence for each input.

    A size that two nodes tell differently stays open.
    """
    stored = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        for value in (entry.t for entry in node.attribute if entry.name == "value"):
            if node.op_type == "Constant" and node.output:
                stored[node.output[0]] = tuple(value.dims)
    notes = []
    for entry in graph.input:
        dims = entry.type.tensor_type.shape.dim
        if entry.name in stored or all(dim.HasField("dim_value") for dim in dims):
            continue
        found: dict[int, set[int]] = {}
        for axis, size in _told(graph, entry, stored):
            found.setdefault(axis, set()).add(size)
        told = {
            axis: next(iter(sizes))
            for axis, sizes in sorted(found.items())
            if len(sizes) == 1 and 0 < axis < len(dims) and not dims[axis].HasField("dim_value")
        }
        for axis, size in told.items():
            dims[axis].dim_value = size
        if told:
            shown = ", ".join(str(d.dim_value or d.dim_param or "?") for d in dims)
            notes.append(f"The weights tell sizes that are open in {entry.name}: ({shown}).")
    return notes


def _told(graph: GraphProto, entry: ValueInfoProto, stored: Mapping[str, Shape]) -> Iterator[Told]:
    """Axes of an input with the sizes that nodes tell which read it, at once or unchanged."""
    same, rank = {entry.name}, len(entry.type.tensor_type.shape.dim)
    for node in graph.node:
        first = next(iter(node.input), "")
        if node.op_type in STRETCHES:
            others = [name for name in node.input if name not in same]
            if node.output and len(others) == 1 and stored.get(others[0]) in ((), (1,)):
                same.add(node.output[0])
        elif first in same:
            if node.op_type in KEEPS_SHAPE and node.output:
                same.add(node.output[0])
            for axis, size in _decided(node, stored, rank):
                yield axis % rank, size


def _decided(node: NodeProto, stored: Mapping[str, Shape], rank: int) -> Iterator[Told]:
    decides = DECIDES.get(node.op_type)
    if decides is not None and rank:
        yield from decides(node, stored, rank)


def _stored(node: NodeProto, index: int, stored: Mapping[str, Shape]) -> Shape | None:
    """The shape of an input, if it is stored."""
    return stored.get(node.input[index]) if index < len(node.input) else None


def _shape(node: NodeProto, index: int, stored: Mapping[str, Shape], rank: int) -> Shape | None:
    """The shape of a stored input, if it has that rank."""
    shape = _stored(node, index, stored)
    return shape if shape is not None and len(shape) == rank else None


def _number(node: NodeProto, name: str, default: int) -> int:
    return next((int(entry.i) for entry in node.attribute if entry.name == name), default)


def _product(node: NodeProto, stored: Mapping[str, Shape], rank: int) -> Iterator[Told]:
    weight = _stored(node, 1, stored)
    if weight is not None and len(weight) >= 2:
        yield -1, weight[-2]


def _gemm(node: NodeProto, stored: Mapping[str, Shape], rank: int) -> Iterator[Told]:
    weight = _shape(node, 1, stored, 2)
    if weight is not None and rank == 2 and not _number(node, "transA", 0):
        yield 1, weight[1] if _number(node, "transB", 0) else weight[0]


def _convolution(node: NodeProto, stored: Mapping[str, Shape], rank: int) -> Iterator[Told]:
    kernel = _shape(node, 1, stored, rank)
    if kernel is not None and rank > 2:
        yield 1, kernel[1] * _number(node, "group", 1)


def _transposed(node: NodeProto, stored: Mapping[str, Shape], rank: int) -> Iterator[Told]:
    kernel = _shape(node, 1, stored, rank)
    if kernel is not None and rank > 2:
        yield 1, kernel[0]


def _channels(node: NodeProto, stored: Mapping[str, Shape], rank: int) -> Iterator[Told]:
    scale = _shape(node, 1, stored, 1)
    if scale is not None and rank > 1:
        yield 1, scale[0]


def _normalised(node: NodeProto, stored: Mapping[str, Shape], rank: int) -> Iterator[Told]:
    scale = _stored(node, 1, stored)
    start = _number(node, "axis", -1) % rank
    if scale is not None and len(scale) == rank - start:
        yield from ((start + n, size) for n, size in enumerate(scale) if size > 1)


def _recurrent(node: NodeProto, stored: Mapping[str, Shape], rank: int) -> Iterator[Told]:
    kernel = _shape(node, 1, stored, 3)
    if kernel is not None and rank == 3:
        yield 2, kernel[2]


DECIDES: dict[str, Decides] = {
    "MatMul": _product,
    "Gemm": _gemm,
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "BatchNormalization": _channels,
    "InstanceNormalization": _channels,
    "LayerNormalization": _normalised,
    "RMSNormalization": _normalised,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
