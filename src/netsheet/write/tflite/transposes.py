"""Transpositions moved behind what does the same to every value, until they undo each other.

A network with channels in front is lowered layer by layer, each between two transpositions. Few of
them are left in the end: that of the input, and those before what depends on the order of axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netsheet.write.tflite.graph import LiteGraph, LiteOperator, LiteTensor

# What does the same to every value, wherever it stands.
ANYWHERE = (
    "RELU", "RELU6", "TANH", "LOGISTIC", "LEAKY_RELU", "ELU", "HARD_SWISH", "GELU", "ADD", "SUB",
    "MUL", "MAXIMUM", "MINIMUM",
)  # fmt: skip
Order = tuple[int, ...]


def settled(graph: LiteGraph) -> LiteGraph:
    """The graph with as few transpositions as these rules leave; its own operators are changed."""
    while any(_settle(graph, one) for one in _transpositions(graph)):
        pass
    for one in _transpositions(graph):
        _as_reshape(one)
    return graph


def _transpositions(graph: LiteGraph) -> list[LiteOperator]:
    return [operator for operator in graph.operators if operator.name == "TRANSPOSE"]


def _order(operator: LiteOperator) -> Order:
    """Axis ``n`` of the result is axis ``order[n]`` of what is read."""
    values = operator.inputs[1].values
    assert values is not None
    return tuple(int(n) for n in values)


def _settle(graph: LiteGraph, first: LiteOperator) -> bool:
    """One change; False where nothing is left to do for this transposition."""
    readers = graph.readers(first.output)
    outside = any(tensor is first.output for tensor in graph.outputs)
    if not readers and not outside:
        _leave_out(graph, first)
        return True
    for reader in readers:
        if reader.name == "TRANSPOSE":
            _join(graph, first, reader)
            return True
        orders = [_made_by(graph, tensor) for tensor in reader.computed]
        alike = all(order == _order(first) for order in orders)
        if alike and reader.name == "CONCATENATION":
            reader.options["Axis"] = _order(first)[int(reader.options["Axis"])]
            _behind(graph, first, reader)
            return True
        if alike and reader.name in ANYWHERE and all(
            tensor.values.size == 1 for tensor in reader.inputs if tensor.values is not None
        ):  # fmt: skip
            _behind(graph, first, reader)
            return True
        if reader.name == "RESHAPE" and _into_kernel(graph, first, reader):
            return True
    return False


def _made_by(graph: LiteGraph, tensor: LiteTensor) -> Order | None:
    maker = graph.maker(tensor)
    return _order(maker) if maker is not None and maker.name == "TRANSPOSE" else None


def _join(graph: LiteGraph, first: LiteOperator, second: LiteOperator) -> None:
    """Two transpositions as one; nothing where they undo each other."""
    order = tuple(_order(first)[n] for n in _order(second))
    second.inputs = [first.inputs[0], _stored(second.inputs[1], order)]
    if order == tuple(range(len(order))):
        graph.operators.remove(second)
        graph.replace_tensor(second.output, first.inputs[0])


def _behind(graph: LiteGraph, first: LiteOperator, reader: LiteOperator) -> None:
    """The reader works on what is not transposed yet; its result is transposed instead."""
    order = _order(first)
    sources = {id(op.output): op.inputs[0] for op in _transpositions(graph)}
    reader.inputs = [t if t.stored else sources[id(t)] for t in reader.inputs]
    result = reader.output
    shape = [0] * len(order)
    for place, axis in enumerate(order):
        shape[axis] = result.shape[place]
    reader.output = LiteTensor(f"{result.name}/inner", tuple(shape))
    moved = LiteOperator(
        "TRANSPOSE", [reader.output, _stored(first.inputs[1], order)], result, layer=reader.layer
    )
    graph.operators.insert(graph.operators.index(reader) + 1, moved)


def _into_kernel(graph: LiteGraph, first: LiteOperator, reshape: LiteOperator) -> bool:
    """A flattened map in another order: the dense kernel behind it is put in that order instead."""
    dense = graph.only_reader(reshape.output)
    flat = reshape.output.shape == (1, int(np.prod(first.output.shape)))
    if dense is None or dense.name != "FULLY_CONNECTED" or not flat:
        return False
    kernel = dense.inputs[1]
    assert kernel.values is not None
    wide = kernel.values.reshape(len(kernel.values), *first.output.shape[1:])
    kernel.values = np.ascontiguousarray(
        wide.transpose(np.argsort(_order(first))).reshape(kernel.values.shape)
    )
    reshape.inputs = [first.inputs[0], reshape.inputs[1]]
    graph.tensors_of = {k: t for k, t in graph.tensors_of.items() if t is not reshape.output}
    return True


def _leave_out(graph: LiteGraph, unread: LiteOperator) -> None:
    """Nothing reads it: its call's values are those before it, in another order of axes."""
    order = _order(unread)
    graph.operators.remove(unread)
    for key, tensor in graph.tensors_of.items():
        if tensor is unread.output:
            graph.tensors_of[key] = unread.inputs[0]
            before = graph.orders.get(key, tuple(range(len(order))))
            graph.orders[key] = tuple(order[n] for n in before)


def _as_reshape(operator: LiteOperator) -> None:
    """A transposition that only moves axes of one element keeps the numbers in their order."""
    shape = operator.inputs[0].shape
    wide = [axis for axis in _order(operator) if shape[axis] > 1]
    if wide == sorted(wide):
        operator.name = "RESHAPE"
        operator.inputs = [operator.inputs[0], _stored(operator.inputs[1], operator.output.shape)]


def _stored(like: LiteTensor, numbers: Sequence[int]) -> LiteTensor:
    values = np.asarray(numbers, np.int32)
    return LiteTensor(like.name, values.shape, "int32", values)
