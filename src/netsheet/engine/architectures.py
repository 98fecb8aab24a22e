"""Networks to train from nothing: described by Keras, sized by the data, weights by a seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.errors import UsageError
from netsheet.layer import Layer, default_axes
from netsheet.read.keras.assembly import make_layer

KERAS = 3  # the version of Keras that described the networks


@dataclass(frozen=True)
class Described:
    """A network as Keras describes it, with weights of its layers to begin with.

    ``weights`` are by layer and label, in Keras's order.
    """

    model_config: Mapping[str, Any]
    training_config: Mapping[str, Any]
    keras_version: str
    weights: Mapping[str, Mapping[str, FloatArray]]


def architecture_names() -> list[str]:
    """The networks that can be trained from nothing."""
    folder = resources.files("netsheet.data") / "architectures"
    return sorted(item.name.removesuffix(".json") for item in folder.iterdir())


def architecture(name: str, shape: Sequence[int], classes: int, seed: int) -> Described:
    """A network for inputs of this shape (height, width, channels) and so many classes.

    Raises:
        UsageError: there is no such network, or the inputs are too small for it.
    """
    if name not in architecture_names():
        raise UsageError(
            f"there is no architecture {name!r}; there are {', '.join(architecture_names())}, "
            "or the file of a network to continue with."
        )
    folder = resources.files("netsheet.data") / "architectures"
    described = json.loads((folder / f"{name}.json").read_text("utf-8"))
    layers = described["model_config"]["config"]["layers"]
    layers[0]["config"]["batch_input_shape"] = [None, *shape]
    described["model_config"]["config"]["build_input_shape"] = [None, *shape]
    last = [entry for entry in layers if entry["class_name"] == "Dense"][-1]
    last["config"]["units"] = classes
    weights = _weights(name, layers, shape, np.random.default_rng(seed))
    return Described(
        described["model_config"], described["training_config"], described["keras_version"],
        weights,
    )  # fmt: skip


def _weights(
    name: str, layers: Sequence[Mapping[str, Any]], shape: Sequence[int], numbers: Any
) -> dict[str, dict[str, FloatArray]]:
    """Glorot's uniform numbers for kernels, zeros for biases, as Keras chooses by default."""
    x = Tensor("x", default_axes(len(shape)), tuple(shape))
    made: dict[str, dict[str, FloatArray]] = {}
    for entry in layers[1:]:
        layer = make_layer(entry["config"]["name"], entry["class_name"], entry["config"], KERAS)
        own = {
            label: glorot(axes, sizes, numbers) for label, axes, sizes in _weight_sizes(layer, x)
        }
        if own:
            made[layer.name] = own
        try:
            (signature,) = layer.infer([x])
        except ValueError as error:
            raise UsageError(f"{name}: inputs of {tuple(shape)} are too small: {error}") from None
        if any(size is None or size < 1 for size in signature.shape):
            raise UsageError(f"{name}: inputs of {tuple(shape)} are too small for {layer.name}.")
        x = Tensor("x", signature.axes, tuple(size or 0 for size in signature.shape))
    return made


def _weight_sizes(layer: Layer, x: Tensor) -> list[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    """Labels, axes and sizes of a layer's weights behind an input."""
    kernel: Sequence[int] = getattr(layer, "kernel_size", ())
    inner = [axis for axis in ("depth", "height", "width") if axis in x.axes]
    known: dict[str, int] = {"in": x.shape[-1]}
    known["out"] = getattr(layer, "filters", getattr(layer, "units", 0))
    known.update(zip(inner, kernel, strict=False))
    return [
        (label, axes, tuple(known[axis] for axis in axes))
        for label, axes in layer.weight_axes().items()
    ]


def glorot(axes: Sequence[str], sizes: Sequence[int], numbers: Any) -> FloatArray:
    """Uniform in +-sqrt(6 / (fan in + fan out)), a window's size counted in both fans.

    Zeros for what has one axis. Source: Glorot and Bengio, 2010; keras/src/initializers.
    """
    if len(sizes) < 2:
        return np.zeros(sizes, np.float32)
    known = dict(zip(axes, sizes, strict=True))
    window = int(np.prod(sizes)) // (known["in"] * known["out"])
    limit = np.sqrt(6 / (window * (known["in"] + known["out"])))
    return np.asarray(numbers.uniform(-limit, limit, sizes), np.float32)
