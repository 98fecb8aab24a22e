"""Whether what a network gives are classes: the one place that decides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netsheet.equations import Call, Equation, Read, Reduce, Tensor, Weight, walk

# What losses of classes have in their names, in every version of Keras.
CLASS_LOSSES = ("crossentropy", "hinge")


def class_count(
    inputs: Sequence[Tensor],
    output: Tensor,
    equations: Sequence[Equation],
    training: Mapping[str, Any] | None,
) -> int | None:
    """How many classes an output tells apart; None where its values are no classes.

    They are where a softmax or a sigmoid makes them, or where the network was trained with a loss
    for classes; but not where the output is the input once more (an autoencoder).
    """
    if len(output.shape) != 1 or output.size < 2:
        return None
    if any(tensor.size == output.size for tensor in inputs):
        return None
    if _class_loss(training) or probabilities(output, equations):
        return output.size
    return None


def _class_loss(training: Mapping[str, Any] | None) -> bool:
    return any(
        marker in text.lower().replace("_", "")
        for text in _texts((training or {}).get("loss"))
        for marker in CLASS_LOSSES
    )


def _texts(stored: Any) -> Iterable[str]:
    """Every text in a stored loss: a name, a class with its arguments, one for each output."""
    if isinstance(stored, str):
        yield stored
    elif isinstance(stored, Mapping):
        for inner in stored.values():
            yield from _texts(inner)
    elif isinstance(stored, Sequence):
        for inner in stored:
            yield from _texts(inner)


def probabilities(output: Tensor, equations: Sequence[Equation]) -> bool:
    """True if a softmax or a sigmoid made the values, whatever only moves them afterwards."""
    made: dict[Tensor, Equation] = {eq.target: eq for eq in equations}
    tensor = output
    while tensor in made:
        value = made[tensor].value
        if isinstance(value, Read) and not isinstance(value.tensor, Weight):
            tensor = value.tensor
            continue
        return isinstance(value, Call) and (value.function == "sigmoid" or _softmax(value, made))
    return False


def is_softmax(tensor: Tensor, equations: Sequence[Equation]) -> bool:
    """True if a softmax makes the tensor."""
    made = {eq.target: eq for eq in equations}
    value = made[tensor].value if tensor in made else None
    return isinstance(value, Call) and _softmax(value, made)


def _softmax(value: Call, made: Mapping[Tensor, Equation]) -> bool:
    """True for ``exp / sum of exp``."""
    if value.function != "div" or not all(isinstance(arg, Read) for arg in value.args):
        return False
    top, below = (arg.tensor for arg in value.args if isinstance(arg, Read))
    if top not in made or below not in made:
        return False
    power, total = made[top].value, made[below].value
    return (
        isinstance(power, Call)
        and power.function == "exp"
        and isinstance(total, Reduce)
        and total.op == "sum"
        and any(isinstance(node, Read) and node.tensor is top for node in walk(total))
    )
