"""What the rows of the table add operators with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from netsheet.equations import Tensor
from netsheet.layer import Layer
from netsheet.nodes import Node
from netsheet.write.tflite.graph import Array, LiteGraph, LiteOperator, LiteTensor, Option


@dataclass(eq=False)
class Lowering:
    """Operators, added one after the other for the calls of a network."""

    row_of: Callable[[Layer], Row]
    graph: LiteGraph = field(default_factory=LiteGraph)
    layer: str = ""  # the key of the call that is being said
    label: str = ""  # of its layer, for names in the file
    _names: dict[str, int] = field(default_factory=dict)

    def constant(self, word: str, values: npt.ArrayLike, dtype: str = "float32") -> LiteTensor:
        """A stored operand."""
        array = np.ascontiguousarray(np.asarray(values, dtype))
        return LiteTensor(self._name(word), array.shape, dtype, array)

    def add(
        self,
        name: str,
        inputs: Sequence[LiteTensor],
        shape: Sequence[int],
        kind: str = "",
        **options: Option,
    ) -> LiteTensor:
        """An operator; returns what it fills, of this shape (batch included)."""
        output = LiteTensor(self._name(name), tuple(int(size) for size in shape))
        found = LiteOperator(name, list(inputs), output, kind, dict(options), self.layer)
        self.graph.operators.append(found)
        return output

    def reshaped(self, x: LiteTensor, shape: Sequence[int]) -> LiteTensor:
        """The same numbers in another shape."""
        if tuple(shape) == x.shape:
            return x
        return self.add("RESHAPE", [x, self.constant("shape", list(shape), "int32")], shape)

    def transposed(self, x: LiteTensor, order: Sequence[int]) -> LiteTensor:
        """The axes in another order; the batch stays in front."""
        shape = [x.shape[axis] for axis in order]
        return self.add("TRANSPOSE", [x, self.constant("order", list(order), "int32")], shape)

    def activated(self, x: LiteTensor, activation: Layer | None) -> LiteTensor:
        """The operators of an activation; nothing without one."""
        if activation is None:
            return x
        tensor = Tensor("x", ("axis",) * (len(x.shape) - 1), x.shape[1:])
        node = Node(self.layer, activation, (tensor,), (tensor,))
        return self.row_of(activation)(self, node, [x])

    def _name(self, word: str) -> str:
        """``network/<layer>/<word>``: readers of such files find the layer's name in it."""
        wanted = f"network/{self.label}/{WORDS.get(word, word)}"
        self._names[wanted] = number = self._names.get(wanted, -1) + 1
        return f"{wanted}_{number}" if number else wanted


# Operators by the names that TensorFlow gives the tensors behind them.
WORDS = {
    "CONV_2D": "BiasAdd", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "BiasAdd",
    "MAX_POOL_2D": "MaxPool", "AVERAGE_POOL_2D": "AvgPool", "RESHAPE": "Reshape", "PAD": "Pad",
    "ADD": "add", "MUL": "mul", "SUB": "sub", "CONCATENATION": "concat", "MEAN": "Mean",
    "SOFTMAX": "Softmax", "RELU": "Relu", "RELU6": "Relu6", "TANH": "Tanh",
    "LOGISTIC": "Sigmoid", "LEAKY_RELU": "LeakyRelu", "ELU": "Elu",
}  # fmt: skip

Row = Callable[[Lowering, Node, Sequence[LiteTensor]], LiteTensor]


def stored(node: Node) -> Mapping[str, Array]:
    """The weights of a call's layer by their labels."""
    return {label: weight.values for label, weight in node.layer.weights.items()}
