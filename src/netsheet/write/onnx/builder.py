"""An ONNX graph under construction: the :class:`~netsheet.layer.Graph` that layers write to.

Values carry a batch axis in front, of symbolic size N; weights and constants do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.equations import Equation, FloatArray, Tensor, Weight
from netsheet.version import __version__
from netsheet.write.onnx.messages import NodeRecord, graph_bytes, model_bytes, value_bytes

if TYPE_CHECKING:
    from onnx import ModelProto

# Known to every onnx >= 1.15 and onnxruntime >= 1.17; ReduceMax, ReduceMin, ReduceProd and
# ReduceMean still take their axes as an attribute, ReduceSum, Squeeze and Unsqueeze as an input.
OPSET = 17
IR_VERSION = 8
BATCH = "N"


class Builder:
    """Collects nodes, constants and weights; ``values`` says which name each tensor has.

    ``inputs`` are the graph's inputs, ``reserved`` the names that only tensors may take. ``single``
    promises that the batch will be one: tensors that have an axis for the samples themselves.
    """

    def __init__(
        self, inputs: Sequence[Tensor], reserved: Sequence[str] = (), single: bool = False
    ) -> None:
        self.inputs = list(inputs)
        self.single = single
        # values of which whoever builds the graph knows that they are numbers, or all is lost
        self.finite: Set[Tensor] = frozenset()
        self.values: dict[Tensor, str] = {tensor: tensor.name for tensor in inputs}
        self.scope = "graph"
        self._nodes: list[NodeRecord] = []
        self._initializers: dict[str, FloatArray] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._weights: dict[tuple[Weight, tuple[str, ...]], str] = {}
        self._names = {*reserved, *(tensor.name for tensor in inputs)}
        self._last: dict[str, int] = {}  # the number behind the last name of that beginning
        self._batch: str | None = None

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; returns its output name, or a list of names where ``outputs`` > 1."""
        name = self._unique(f"{self.scope}/{op}")
        results = [name] if outputs == 1 else [f"{name}:{i}" for i in range(outputs)]
        self._names.update(results)
        self._nodes.append(NodeRecord(op, list(inputs), results, name, attributes))
        return results[0] if outputs == 1 else results

    def constant(self, array: Any) -> str:
        """An initializer with these values; equal ones are shared, floats become float32."""
        values = np.asarray(array)
        if values.dtype.kind == "f":
            values = values.astype(np.float32)
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            name = self._unique(f"{self.scope}/constant")
            self._initializers[name] = values
            self._constants[key] = name
        return self._constants[key]

    def weight(self, weight: Weight, axes: Sequence[str] | None = None) -> str:
        """The initializer of a weight, of its dtype, its axes in the order asked for.

        It has the weight's own name; a second order of the same weight adds the axes to it.
        """
        order = tuple(axes) if axes is not None else weight.axes
        key = (weight, order)
        if key not in self._weights:
            first = all(known is not weight for known, _ in self._weights)
            wanted = weight.name if first else f"{weight.name}/{'-'.join(order)}"
            values = weight.values if order == weight.axes else weight.to(order)
            name = self._unique(wanted)
            self._initializers[name] = np.asarray(values).astype(weight.dtype)
            self._weights[key] = name
        return self._weights[key]

    def print(
        self,
        equations: Sequence[Equation],
        given: Mapping[Tensor, str],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        """Nodes for any equations; tensors that are not given may be known from before."""
        from netsheet.write.onnx.generic import Printer

        printer = Printer(self, {**self.values, **given})
        printer.run(equations)
        return [printer.whole(tensor) for tensor in outputs]

    def batched(self, name: str, rank: int) -> str:
        """``name``, a value of ``rank`` axes without batch, repeated for every sample."""
        if self._batch is None:
            shape = self.node("Shape", [self.inputs[0].name])
            self._batch = self.node("Gather", [shape, self.constant(np.array([0]))], axis=0)
        ones = self.constant(np.ones(rank, np.int64))
        shape = self.node("Concat", [self._batch, ones], axis=0) if rank else self._batch
        return str(self.node("Expand", [name, shape]))

    def define(self, tensor: Tensor, name: str, since: int) -> None:
        """Give the value ``name`` the tensor's own name.

        ``since`` is :attr:`position` before the layer's nodes: a value made after it is renamed,
        an older one copied.
        """
        self.values[tensor] = tensor.name
        if name == tensor.name:
            return
        fresh = self._nodes[since:]
        if any(name in node.outputs for node in fresh) and name not in self.values.values():
            for node in fresh:
                for field in (node.inputs, node.outputs):
                    field[:] = [tensor.name if entry == name else entry for entry in field]
        else:
            label = self._unique(f"{self.scope}/Identity")
            self._nodes.append(NodeRecord("Identity", [name], [tensor.name], label))

    def spell_out_sigmoids(self, names: Set[str]) -> None:
        """1 / (1 + exp(-x)) for the values of these names that are Sigmoids.

        ONNX Runtime's own is right to 6e-8 only: of a probability below that nothing is left.
        """
        before, self._nodes = self._nodes, []
        copied = {n.inputs[0] for n in before if n.op == "Identity" and names & set(n.outputs)}
        for node in before:
            if node.op != "Sigmoid" or not (names | copied) & set(node.outputs):
                self._nodes.append(node)
                continue
            power = self.node("Exp", [self.node("Neg", node.inputs)])
            total = self.node("Add", [power, self.constant(1.0)])
            self._nodes.append(NodeRecord("Reciprocal", [total], node.outputs, node.name, {}))

    @property
    def position(self) -> int:
        """How many nodes there are so far."""
        return len(self._nodes)

    @property
    def nbytes(self) -> int:
        """Size of all weights and constants."""
        return sum(array.nbytes for array in self._initializers.values())

    def finish(self, name: str, outputs: Sequence[Tensor]) -> ModelProto:
        """The model whose graph outputs are these tensors, under their own names."""
        import onnx

        model: ModelProto = onnx.load_model_from_string(self.encoded(name, outputs))
        return model

    def encoded(self, name: str, outputs: Sequence[Tensor]) -> bytes:
        """The same model as a file holds it."""
        graph = graph_bytes(
            name, self._nodes, map(_described, self.inputs), map(_described, outputs),
            self._initializers,
        )  # fmt: skip
        return model_bytes(graph, ("netsheet", __version__), IR_VERSION, OPSET)

    def _unique(self, wanted: str) -> str:
        name, number = wanted, self._last.get(wanted, 1)
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._last[wanted] = number
        self._names.add(name)
        return name


def _described(tensor: Tensor) -> bytes:
    return value_bytes(tensor.name, tensor.dtype, [BATCH, *tensor.shape])
