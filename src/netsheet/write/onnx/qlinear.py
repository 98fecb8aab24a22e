"""A network in QuantizeLinear form said with ONNX's operators of whole numbers, where it has some.

A convolution or a dense layer between DequantizeLinear and QuantizeLinear becomes QLinearConv; what
only moves numbers works on whole ones; limits that the whole numbers have anyway are left out.
What has no operator of whole numbers (tanh, softmax, additions, averages) stays in the form it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

MOVES = ("Transpose", "Reshape", "MaxPool", "Squeeze", "Unsqueeze", "Slice")
QUANTISE, REAL = "QuantizeLinear", "DequantizeLinear"


def with_whole_operators(proto: ModelProto) -> ModelProto:
    """The model with operators of whole numbers; ``proto`` itself is changed."""
    graph = _Nodes(proto)
    rules: tuple[Callable[[_Nodes, NodeProto], bool], ...] = (
        _moved, _unlimited, _turned, _undone, _convolution, _dense,
    )  # fmt: skip
    while any(rule(graph, node) for node in list(graph.nodes) for rule in rules):
        graph.drop_unread()
    graph.drop_unread()
    graph.store()
    return proto


@dataclass
class _Nodes:
    """The nodes of a graph, in the order of computation, and who makes and reads what."""

    proto: ModelProto
    nodes: list[NodeProto] = field(init=False)

    def __post_init__(self) -> None:
        self.nodes = list(self.proto.graph.node)
        self.stored = {one.name: one for one in self.proto.graph.initializer}
        self.outputs = {one.name for one in self.proto.graph.output}
        self._made = 0

    def maker(self, name: str, *kinds: str) -> NodeProto | None:
        """The node that makes a value, if it is of one of these kinds."""
        found = next((node for node in self.nodes if name in node.output), None)
        return found if found is not None and (not kinds or found.op_type in kinds) else None

    def alone(self, name: str) -> bool:
        """True if a value is read once, and is no output."""
        return sum(list(n.input).count(name) for n in self.nodes) == 1 and name not in self.outputs

    def array(self, name: str) -> Any:
        """The numbers of a stored value; None for a computed one."""
        from onnx import numpy_helper

        return numpy_helper.to_array(self.stored[name]) if name in self.stored else None

    def store_array(self, word: str, values: Any) -> str:
        """A stored value of a new name."""
        from onnx import numpy_helper

        name = self.name(word)
        self.stored[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def name(self, word: str) -> str:
        """A name that no value has yet."""
        taken = {name for node in self.nodes for name in node.output} | self.stored.keys()
        while True:
            self._made += 1
            wanted = f"{word}/whole_{self._made}"
            if wanted not in taken:
                return wanted

    def replace(self, old: NodeProto, *new: NodeProto) -> None:
        """New nodes where an old one stood."""
        at = next(n for n, node in enumerate(self.nodes) if node is old)
        self.nodes[at : at + 1] = new

    def drop_unread(self) -> None:
        """Leaves out what nothing reads."""
        while True:
            read = {name for node in self.nodes for name in node.input} | self.outputs
            kept = [node for node in self.nodes if read.intersection(node.output)]
            if len(kept) == len(self.nodes):
                return
            self.nodes = kept

    def store(self) -> None:
        """The nodes and what they read, in the model."""
        graph = self.proto.graph
        read = {name for node in self.nodes for name in node.input}
        stored = [one for name, one in self.stored.items() if name in read]
        for part, found in ((graph.node, self.nodes), (graph.initializer, stored)):
            copied = [type(one).FromString(one.SerializeToString()) for one in found]
            del part[:]
            part.extend(copied)


def _node(kind: str, inputs: Iterable[str], output: str, **attributes: Any) -> NodeProto:
    from onnx import helper

    return helper.make_node(kind, list(inputs), [output], name=output, **attributes)


def _copied(node: NodeProto, inputs: Iterable[str], output: str) -> NodeProto:
    made: NodeProto = type(node)()
    made.CopyFrom(node)
    del made.input[:], made.output[:]
    made.input.extend(inputs)
    made.output.append(output)
    made.name = output
    return made


def _moved(graph: _Nodes, node: NodeProto) -> bool:
    """A move of dequantised numbers: the whole ones are moved, then dequantised."""
    if node.op_type not in MOVES or len(node.output) != 1:
        return False
    real = graph.maker(node.input[0], REAL)
    if real is None or np.ndim(graph.array(real.input[1])):
        return False
    inner = graph.name(node.output[0])
    graph.replace(
        node, _copied(node, [real.input[0], *list(node.input)[1:]], inner),
        _node(REAL, [inner, *list(real.input)[1:]], node.output[0]),
    )  # fmt: skip
    return True


def _turned(graph: _Nodes, node: NodeProto) -> bool:
    """A transposition before QuantizeLinear goes behind it."""
    moved = graph.maker(node.input[0], "Transpose") if node.op_type == QUANTISE else None
    if moved is None or not graph.alone(moved.output[0]):
        return False
    inner = graph.name(node.output[0])
    graph.replace(
        node, _copied(node, [moved.input[0], *list(node.input)[1:]], inner),
        _copied(moved, [inner], node.output[0]),
    )  # fmt: skip
    return True


def _undone(graph: _Nodes, node: NodeProto) -> bool:
    """QuantizeLinear of what was dequantised in the same scale: the whole numbers themselves."""
    real = graph.maker(node.input[0], REAL) if node.op_type == QUANTISE else None
    if real is None or len(real.input) < 3 or list(real.input)[1:] != list(node.input)[1:]:
        return False
    source = graph.maker(real.input[0])
    if source is not None and source.op_type in MOVES and real.input[0] not in graph.outputs:
        for other in graph.nodes:  # the value gets the name that it is known by
            for place, name in enumerate(other.input):
                if name == source.output[0] and other is not node:
                    other.input[place] = node.output[0]
        graph.nodes = [other for other in graph.nodes if other is not node]
        source.output[0] = source.name = node.output[0]
    else:
        graph.replace(node, _node("Identity", [real.input[0]], node.output[0]))
    return True


def _unlimited(graph: _Nodes, node: NodeProto) -> bool:
    """Limits before QuantizeLinear that are those of its whole numbers."""
    kinds = ("Relu", "Clip", "Max", "Min")
    limits = graph.maker(node.input[0], *kinds) if node.op_type == QUANTISE else None
    if limits is None or len(node.input) < 3 or not graph.alone(limits.output[0]):
        return False
    bounds = _bounds(graph, limits)
    if bounds is None:
        return False
    source, low, high = bounds
    scale, zero = (float(graph.array(name)) for name in list(node.input)[1:])
    known = np.iinfo(graph.array(node.input[2]).dtype)
    if (known.min - zero) * scale < low - scale / 2 or (
        known.max - zero
    ) * scale > high + scale / 2:
        return False
    node.input[0] = source
    return True


def _bounds(graph: _Nodes, limits: NodeProto) -> tuple[str, float, float] | None:
    """What is limited, and between which numbers; None where they are not stored."""
    if limits.op_type == "Relu":
        return limits.input[0], 0.0, np.inf
    arrays = {name: graph.array(name) for name in limits.input}
    stored = [float(array) for array in arrays.values() if array is not None and array.size == 1]
    computed = [name for name, array in arrays.items() if array is None]
    if len(computed) != 1 or len(stored) != len(limits.input) - 1:
        return None
    if limits.op_type == "Clip" and len(stored) == 2:
        return computed[0], stored[0], stored[1]
    if len(stored) != 1:
        return None
    ends = (stored[0], np.inf) if limits.op_type == "Max" else (-np.inf, stored[0])
    return (computed[0], *ends) if limits.op_type in ("Max", "Min") else None


def _operands(graph: _Nodes, node: NodeProto, kind: str) -> list[NodeProto] | None:
    """What makes the operands of a product that QuantizeLinear alone reads, dequantised all."""
    product = graph.maker(node.input[0], kind) if node.op_type == QUANTISE else None
    if product is None or not graph.alone(product.output[0]) or len(node.input) < 3:
        return None
    found = [graph.maker(name, REAL) for name in product.input]
    known = [one for one in found if one is not None]
    whole = len(known) == len(product.input) >= 2 and len(known[0].input) == 3
    # the kernel has one scale for each of its outputs, or one; the bias their product
    return known if whole and len(known[1].input) == 3 else None


def _convolution(graph: _Nodes, node: NodeProto) -> bool:
    """Conv between whole numbers: QLinearConv."""
    operands = _operands(graph, node, "Conv")
    if operands is None:
        return False
    product = graph.maker(node.input[0])
    assert product is not None
    x, kernel, *bias = operands
    inputs = [*x.input, *kernel.input, *list(node.input)[1:], *(one.input[0] for one in bias)]
    made = _copied(product, inputs, node.output[0])
    made.op_type = "QLinearConv"
    graph.replace(node, made)
    return True


def _dense(graph: _Nodes, node: NodeProto) -> bool:
    """Gemm between whole numbers: QLinearConv of one point, since QLinearMatMul has no bias."""
    operands = _operands(graph, node, "Gemm")
    if operands is None:
        return False
    product = graph.maker(node.input[0])
    assert product is not None
    x, kernel, *bias = operands
    values = graph.array(kernel.input[0])
    if product.attribute or values is None:
        return False
    word, out = node.output[0], values.shape[1]
    weights = graph.store_array(word, values.T[:, :, None, None])
    shapes = [graph.store_array(word, np.array(s, np.int64)) for s in ((0, 0, 1, 1), (-1, out))]
    wide, made = graph.name(word), graph.name(word)
    inputs = [wide, *list(x.input)[1:], weights, *list(kernel.input)[1:], *list(node.input)[1:]]
    graph.replace(
        node,
        _node("Reshape", [x.input[0], shapes[0]], wide),
        _node("QLinearConv", [*inputs, *(one.input[0] for one in bias)], made),
        _node("Reshape", [made, shapes[1]], word),
    )
    return True
