"""The edges of a written graph as they were in the file: names of outputs, axes of both."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import Tensor

if TYPE_CHECKING:
    from onnx import ModelProto


def rename(
    proto: ModelProto,
    outputs: Sequence[tuple[str, Tensor]],
    whole_inputs: Collection[str],
    whole_outputs: Collection[str],
) -> None:
    """Gives the outputs their names, and takes the batch axis from values that have none.

    A graph with such a value computes one sample: its other values have a batch of 1.
    """
    from onnx import TensorProto, helper

    graph = proto.graph
    axes = ["netsheet/batch_axis"]
    whole = bool(whole_inputs or whole_outputs)
    lead: list[int | str] = [1 if whole else "N"]
    before, after = [], []
    for entry in graph.input:
        if whole:
            entry.type.tensor_type.shape.dim[0].dim_value = 1
        if entry.name in whole_inputs:
            inner = f"{entry.name}/batched"
            for node in graph.node:
                node.input[:] = [inner if name == entry.name else name for name in node.input]
            before.append(helper.make_node("Unsqueeze", [entry.name, *axes], [inner], name=inner))
            del entry.type.tensor_type.shape.dim[0]
    taken = {name for name, tensor in outputs if tensor.name != name or name in whole_outputs}
    _give_way(proto, taken)
    described = []
    inner_names = {entry.name: f"{entry.name}/batched" for entry in graph.input
                   if entry.name in whole_inputs}  # fmt: skip
    for name, tensor in outputs:
        source = inner_names.get(tensor.name, tensor.name)
        source = f"{source}/inner" if source in taken else source
        if name in whole_outputs:
            label = f"{name}/whole"
            after.append(helper.make_node("Squeeze", [source, *axes], [name], name=label))
            shape: list[int | str] = [*tensor.shape]
        else:
            if source != name:
                after.append(helper.make_node("Identity", [source], [name], name=f"{name}/named"))
            shape = [*lead, *tensor.shape]
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        described.append(helper.make_tensor_value_info(name, kind, shape))
    nodes = [*before, *graph.node, *after]
    if any(node.op_type in ("Squeeze", "Unsqueeze") for node in (*before, *after)):
        graph.initializer.append(helper.make_tensor(axes[0], TensorProto.INT64, [1], [0]))
    del graph.node[:], graph.output[:]
    graph.node.extend(nodes)
    graph.output.extend(described)


def _give_way(proto: ModelProto, names: Collection[str]) -> None:
    """Values inside that have the name of another output get another one."""
    for node in proto.graph.node:
        for field in (node.input, node.output):
            field[:] = [f"{name}/inner" if name in names else name for name in field]
