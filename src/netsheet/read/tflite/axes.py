"""What the axes of an input are called: channels stand last, unless what reads it turns them."""

from __future__ import annotations

from netsheet.layer import default_axes
from netsheet.read.tflite.file import StoredModel, StoredOperator


def input_axes(model: StoredModel, number: int, rank: int) -> tuple[str, ...]:
    """Names of the axes behind the batch of the input tensor of that number.

    Channels are in front where all that reads the input brings its first axis to the end, as files
    do that were made of a network with channels in front.
    """
    axes = default_axes(rank)
    readers = [operator for operator in model.operators if number in operator.inputs]
    if rank < 2 or axes[-1] != "channel" or not readers:
        return axes
    turned = all(_brings_to_the_end(model, operator, number) for operator in readers)
    return (axes[-1], *axes[:-1]) if turned else axes


def _brings_to_the_end(model: StoredModel, operator: StoredOperator, number: int) -> bool:
    before = model.tensors[number].shape
    turned = (before[0], *before[2:], before[1])
    if operator.name == "TRANSPOSE" and len(operator.inputs) > 1:
        order = model.tensors[operator.inputs[1]].values
        last = len(before) - 1
        return order is not None and order.reshape(-1).tolist() == [0, *range(2, last + 1), 1]
    if operator.name != "RESHAPE" or before[1] != 1 or not operator.outputs:
        return False
    return model.tensors[operator.outputs[0]].shape == turned != before  # of a single channel
