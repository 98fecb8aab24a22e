"""A network said in operators of TensorFlow Lite, in real numbers."""

from __future__ import annotations

from netsheet.equations import Tensor
from netsheet.errors import NetsheetError, UnsupportedError
from netsheet.network import Network
from netsheet.write.tflite.channels_first import with_channels_last
from netsheet.write.tflite.graph import LiteGraph, LiteTensor
from netsheet.write.tflite.lowering import Lowering
from netsheet.write.tflite.onnx_nodes import meant
from netsheet.write.tflite.table import has_row, row_of
from netsheet.write.tflite.transposes import settled


def lowered(network: Network) -> LiteGraph:
    """The network in operators of TensorFlow Lite, layer by layer, nothing joined yet.

    Raises:
        NetsheetError: sizes of its input are open.
        UnsupportedError: layers that have no row; all of them are named.
    """
    if not network.bound:
        raise NetsheetError(
            f"{network.name}: sizes of its input are open, but a TensorFlow Lite file has fixed "
            "ones: bind the network to sizes first, or give a sample."
        )
    _check(network)
    lowering = Lowering(row_of)
    values: dict[Tensor, LiteTensor] = {}
    for tensor in network.inputs:
        values[tensor] = LiteTensor(tensor.name, (1, *tensor.shape))
        lowering.graph.inputs.append(values[tensor])
    turned = False
    for node in map(meant, network.computed()):
        lowering.layer, lowering.label = node.key, node.layer.name.replace("/", ".")
        given = [values[tensor] for tensor in node.inputs]
        try:
            moved = with_channels_last(row_of, lowering, node, given)
            turned = turned or moved is not None
            found = moved or row_of(node.layer)(lowering, node, given)
        except UnsupportedError as error:
            raise UnsupportedError(f"{node.key}: {error}") from error
        values[node.outputs[0]] = lowering.graph.tensors_of[node.key] = found
    lowering.graph.outputs = [values[tensor] for tensor in network.outputs]
    if turned:  # else the operators are those of TensorFlow's converter
        settled(lowering.graph)
    _keep_inputs_apart(lowering)
    return lowering.graph


def _keep_inputs_apart(lowering: Lowering) -> None:
    """An output that is an input itself gets an operator between, as the format wants it."""
    graph = lowering.graph
    for number, tensor in enumerate(graph.outputs):
        if any(tensor is given for given in graph.inputs):
            shape = lowering.constant("shape", list(tensor.shape), "int32")
            graph.outputs[number] = lowering.add("RESHAPE", [tensor, shape], tensor.shape)


def _check(network: Network) -> None:
    refused = {node.key: node.refusal for node in network.nodes if node.refusal}
    if refused:
        key, reason = next(iter(refused.items()))
        raise UnsupportedError(f"layer {key!r} is not computed: {reason}")
    without = [
        f"{node.key} ({node.layer.type})"
        for node in network.nodes
        if not has_row(meant(node).layer) or len(node.outputs) != 1
    ]
    if without:
        raise UnsupportedError(
            f"no form in TensorFlow Lite: {', '.join(without[:8])}"
            + (f" and {len(without) - 8} more" if len(without) > 8 else "")
        )
    masked = [node.key for node in network.nodes if any(t.mask is not None for t in node.inputs)]
    if masked:
        raise UnsupportedError(
            f"layer {masked[0]!r} reads a mask, which TensorFlow Lite does not have"
        )
    if network.states:
        raise UnsupportedError("it keeps states from run to run; that is not written")
