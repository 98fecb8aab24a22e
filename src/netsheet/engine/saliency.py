"""What of an input a class depends on: its gradient for the input, and Grad-CAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsheet.classes import probabilities
from netsheet.engine.gradients import run_equations
from netsheet.engine.run import Engine
from netsheet.equations import Equation, Expr, FloatArray, Tensor, equation
from netsheet.errors import UnsupportedError, UsageError
from netsheet.gradient import from_logits, gradients
from netsheet.write.onnx import check_outputs

if TYPE_CHECKING:
    from netsheet.network import Network

SALIENCY, GRAD_CAM = "saliency", "grad_cam"


def saliency(
    network: Network, x: object, label: int, layer: str | None = None
) -> tuple[dict[str, FloatArray], dict[str, Tensor]]:
    """Gradients of one class's score for the inputs, and where the network has one, Grad-CAM.

    The score is what the class has before a final softmax or sigmoid: behind it, the gradients
    of a class that is certain would all be near 0 (Simonyan et al., 2013). Grad-CAM (Selvaraju et
    al., 2016) weighs each feature map of a layer by the mean of its gradient, adds them up and
    keeps what is above 0.

    Args:
        x: inputs with a batch axis in front. A network that keeps states goes on from one to the
            next; what the samples before have left is no part of the gradient.
        label: number of the class, or of the output's element. A single sigmoid tells two apart.
        layer: whose feature maps Grad-CAM takes; the last convolution if None.

    Returns:
        Arrays with a batch axis in front, and the tensors that describe them, by name:
        ``saliency`` (``saliency/<input>`` where there are several), shaped as the input, and
        ``grad_cam`` of the feature maps' height and width.

    Raises:
        UsageError: there is no such class or layer, or the layer has no feature maps.
        UnsupportedError: the network has not one output with one axis, or cannot be differentiated,
            or nothing of its inputs has a slope.
    """
    arrays = Engine(network).inputs(x)
    if None in {size for tensor in network.inputs for size in tensor.shape}:
        network = network.bind({name: array.shape[1:] for name, array in arrays.items()})
    score, forward = _score(network, label)
    maps = _feature_maps(network, layer)
    wanted = [*network.inputs, *([maps] if maps is not None else [])]
    found = gradients(forward, score, wanted)
    if all(found.adjoints.get(tensor) in {None, *found.flat} for tensor in network.inputs):
        raise UnsupportedError(
            f"class {label} has no slope along the inputs of {network.name}: they are whole "
            "numbers that pick rows of a table (tokens), or only steps are made of them."
        )
    if maps is not None and maps not in found.adjoints:
        if layer is not None:
            raise UsageError(f"class {label} does not depend on the layer {layer!r}.")
        maps = None
    adjoints = {t: found.adjoints[t] for t in wanted if t in found.adjoints}
    asked = [*adjoints.values(), *([maps] if maps is not None else [])]
    given = [*network.inputs, *(state.before for state in network.states)]
    arrays |= Engine(network).states_before(arrays)
    results = run_equations(found.equations, given, asked, arrays)
    values: dict[str, FloatArray] = {}
    tensors: dict[str, Tensor] = {}
    for tensor in network.inputs:
        name = SALIENCY if len(network.inputs) == 1 else f"{SALIENCY}/{tensor.name}"
        zeros = np.zeros_like(arrays[tensor.name], np.float32)
        values[name] = results[adjoints[tensor].name] if tensor in adjoints else zeros
        tensors[name] = Tensor(name, tensor.axes, tensor.shape)
    if maps is not None:
        channel = maps.axes.index("channel")
        values[GRAD_CAM] = grad_cam(results[maps.name], results[adjoints[maps].name], channel + 1)
        axes, shape = list(maps.axes), list(maps.shape)
        del axes[channel], shape[channel]
        tensors[GRAD_CAM] = Tensor(GRAD_CAM, tuple(axes), tuple(shape))
    return values, tensors


def grad_cam(maps: FloatArray, adjoint: FloatArray, channel: int) -> FloatArray:
    """Feature maps weighed by the mean of their gradient, added up; what is below 0 is cut off."""
    around = tuple(axis for axis in range(1, maps.ndim) if axis != channel)
    weights = adjoint.mean(axis=around, keepdims=True)
    total: FloatArray = np.maximum((maps * weights).sum(axis=channel), 0)
    return total


def _score(network: Network, label: int) -> tuple[Tensor, list[Equation]]:
    check_outputs(network)
    if len(network.outputs) != 1 or len(network.outputs[0].shape) != 1:
        raise UnsupportedError(
            f"{network.name} has not one output with a number for each class: "
            "saliency is of one class."
        )
    output = network.outputs[0]
    forward = network.equations()
    two = output.shape[0] == 1 and probabilities(output, forward)
    count = 2 if two else output.shape[0]
    if not 0 <= label < count:
        raise UsageError(f"there is no class {label}: {network.name} has 0 to {count - 1}.")
    taken = output
    for loss in ("categorical_crossentropy", "binary_crossentropy"):
        if taken is output:
            _, taken = from_logits(loss, output, forward)
    score = Tensor("score", (), ())
    if two:  # a sigmoid's share is that of class 1; what is for class 0 is against it
        own: Expr = taken[(0,)] if label else -1 * taken[(0,)]
    else:
        own = taken[(label,)]
    return score, [*forward, equation(score[()], own)]


def _feature_maps(network: Network, layer: str | None) -> Tensor | None:
    """The named layer's output, or that of the last layer with a kernel over positions."""
    tensors = network.tensors()
    if layer is None:
        found = [
            tensors[name] for name, one in network.layers.items() if name in tensors
            and any(len(weight.shape) > 2 for weight in one.weights.values())
            and "channel" in tensors[name].axes and len(tensors[name].axes) > 2
        ]  # fmt: skip
        return found[-1] if found else None
    if layer not in tensors:
        raise UsageError(f"there is no layer {layer!r}; layers are {', '.join(tensors)}.")
    tensor = tensors[layer]
    if "channel" not in tensor.axes or len(tensor.axes) < 2:
        raise UsageError(f"the layer {layer!r} has no feature maps: its output is {tensor.shape}.")
    return tensor
