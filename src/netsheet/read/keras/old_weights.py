"""Layouts of weights that older Keras had, as today's: in a layer and in every layer inside it.

Sources: tf_keras/src/saving/legacy/hdf5_format.py and keras 2.3.1 engine/saving.py
(preprocess_weights_for_loading, _convert_rnn_weights).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import FormatError
from netsheet.layer import Layer
from netsheet.layers.conv import Conv1D, Conv2D
from netsheet.layers.conv_transpose import Conv2DTranspose
from netsheet.layers.window import KERNEL
from netsheet.read.keras.stored import StoredWeight

Labelled = Mapping[str, StoredWeight]

# In Keras 1, one array for each gate, in this order; by the number of gates.
_GATES = {3: ("z", "r", "h"), 4: ("i", "c", "f", "o")}
_TODAY = {3: ("z", "r", "h"), 4: ("i", "f", "c", "o")}


@dataclass(frozen=True)
class Era:
    """What wrote a file: Keras's major version, and its backend where that is stored."""

    major: int = 3
    backend: str | None = None


def stored_labels(layer: Layer, era: Era) -> Iterator[list[str]]:
    """What a file of that era may store for a layer, in order; the likeliest form first."""
    yield _labels(layer, False)
    if era.major < 2:
        yield _labels(layer, True)


def _labels(layer: Layer, per_gate: bool) -> list[str]:
    axes, inner = layer.weight_axes(), layer.inner_layers()
    gates = layer.gates if per_gate and not inner else 1
    if gates > 1:
        return [f"{label}/{gate}" for gate in _GATES[gates] for label in axes]
    inside = {prefix + label for prefix, part in inner for label in part.weight_axes()}
    own = [label for label in axes if label not in inside]
    return own + [prefix + label for prefix, part in inner for label in _labels(part, per_gate)]


def modern_weights(layer: Layer, stored: Labelled, era: Era) -> dict[str, StoredWeight]:
    """A layer's arrays, those of the layers in it included, in today's layout and labels."""
    inner = layer.inner_layers()
    if not inner:
        return _converted(layer, dict(stored), era)
    result = dict(stored)
    for prefix, part in inner:
        labels = {label for form in stored_labels(part, era) for label in form}
        own = {label: stored[prefix + label] for label in labels if prefix + label in stored}
        for label in own:
            del result[prefix + label]
        made = modern_weights(part, own, era)
        result |= {prefix + label: weight for label, weight in made.items()}
    return result


def _converted(layer: Layer, weights: dict[str, StoredWeight], era: Era) -> dict[str, StoredWeight]:
    if era.major < 2:
        weights = _joined_gates(layer, weights)
        _turn_keras1_kernels(layer, weights)
    if layer.gates > 1 and "bias" in weights:
        weights = _without_cudnn(layer, weights)
    if era.backend == "theano":
        _turn_convolutions(layer, weights)
    return weights


def _changed(weight: StoredWeight, values: FloatArray) -> StoredWeight:
    # an array that is no longer the stored one has no place to be written back to
    return replace(weight, path="", values=values)


# --------------------------------------------------------------------------- Keras 1


def _joined_gates(layer: Layer, weights: dict[str, StoredWeight]) -> dict[str, StoredWeight]:
    """One array of all gates for one array per gate."""
    gates = layer.gates
    labels = list(layer.weight_axes())
    if gates == 1 or any(
        f"{label}/{gate}" not in weights for gate in _GATES[gates] for label in labels
    ):
        return weights
    return {
        label: _joined([weights[f"{label}/{gate}"] for gate in _TODAY[gates]], layer)
        for label in labels
    }


def _joined(parts: Sequence[StoredWeight], layer: Layer) -> StoredWeight:
    arrays = [part.values for part in parts]
    if layer.channels_first and arrays[0].ndim == 4:
        # of a ConvLSTM2D: filters, channels, rows, columns
        arrays = [array.transpose(2, 3, 1, 0) for array in arrays]
    return _changed(parts[0], np.concatenate(arrays, axis=-1))


def _turn_keras1_kernels(layer: Layer, weights: dict[str, StoredWeight]) -> None:
    if not isinstance(layer, (Conv2D, Conv2DTranspose)) or "kernel" not in weights:
        return
    kernel = weights["kernel"]
    order = _kernel_order(layer, kernel.values)
    if order is not None:
        values = kernel.values.transpose(order)
        weights["kernel"] = _changed(kernel, values[:, 0] if isinstance(layer, Conv1D) else values)


def _kernel_order(layer: Conv2D | Conv2DTranspose, kernel: FloatArray) -> list[int] | None:
    """How to transpose a kernel of Keras 1; None if it lies as today's."""
    if isinstance(layer, Conv1D):
        if kernel.ndim == 4 and kernel.shape[:2] != (layer.kernel_size[0], 1):
            return [2, 3, 1, 0]
        return [0, 1, 2, 3] if kernel.ndim == 4 else None
    if kernel.ndim != layer.rank + 2:
        return None
    space = list(range(2, 2 + layer.rank))
    if isinstance(layer, Conv2DTranspose):
        return [*space, 0, 1] if layer.data_format == "channels_first" else [0, 1, 3, 2]
    return [*space, 1, 0] if layer.data_format == "channels_first" else None


# --------------------------------------------------------------------------- CuDNN


def _without_cudnn(layer: Layer, weights: dict[str, StoredWeight]) -> dict[str, StoredWeight]:
    """Of CuDNN's form, told by its two biases in one row.

    Kernels are stored transposed gate by gate. An LSTM has two biases that add up.
    """
    kernel, recurrent, bias = (
        weights[label].values for label in ("kernel", "recurrent_kernel", "bias")
    )
    units, gates = recurrent.shape[0], layer.gates
    if kernel.ndim != 2 or bias.shape != (2 * gates * units,):
        return weights
    if recurrent.shape != (units, gates * units) or kernel.shape[1] != gates * units:
        raise FormatError(f"its kernels {kernel.shape} and {recurrent.shape} do not go together")
    blocks = np.split(kernel, gates, axis=1)
    turned = [block.T.reshape(block.shape, order="F") for block in blocks]
    biases = bias.reshape(2, -1)
    arrays = {
        "kernel": np.concatenate(turned, axis=1),
        "recurrent_kernel": np.concatenate(
            [block.T for block in np.split(recurrent, gates, axis=1)], axis=1
        ),
        "bias": biases if gates == 3 else biases.sum(0),
    }
    return weights | {label: _changed(weights[label], array) for label, array in arrays.items()}


# --------------------------------------------------------------------------- Theano


def _turn_convolutions(layer: Layer, weights: dict[str, StoredWeight]) -> None:
    """Theano convolves, the others correlate: the kernels of those layers that Keras turns."""
    if not isinstance(layer, (Conv2D, Conv2DTranspose)) and layer.gates == 1:
        return
    for label, axes in layer.weight_axes().items():
        space = [n for n, axis in enumerate(axes) if axis in KERNEL[3]]
        if space and label in weights:
            weights[label] = _changed(weights[label], np.flip(weights[label].values, tuple(space)))
