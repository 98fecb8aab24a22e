"""What older Keras stored differently: names of arguments, layouts of weights.

Sources: tf_keras/src/saving/legacy/hdf5_format.py (preprocess_weights_for_loading) and the
argument names of Keras 1.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from netsheet.equations import FloatArray
from netsheet.layers.base import Layer
from netsheet.layers.conv import Conv1D, Conv2D, Conv2DTranspose
from netsheet.read.keras.stored import KerasFile, StoredWeight

_ARGUMENTS = {
    "nb_filter": "filters", "subsample": "strides", "subsample_length": "strides",
    "border_mode": "padding", "bias": "use_bias", "inner_activation": "recurrent_activation",
    "atrous_rate": "dilation_rate", "filter_length": "kernel_size", "pool_length": "pool_size",
    "stride": "strides", "length": "size", "p": "rate",
}  # fmt: skip
_MERGES = {
    "sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate",
    "dot": "Dot", "cos": "Dot",
}  # fmt: skip


def modern(class_name: str, config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Class and arguments of Keras 1 as Keras 2 names them."""
    made = {_ARGUMENTS.get(key, key): value for key, value in config.items()}
    if "dim_ordering" in config:
        made["data_format"] = {"th": "channels_first"}.get(config["dim_ordering"], "channels_last")
    if "nb_row" in config and "nb_col" in config:
        made["kernel_size"] = [config["nb_row"], config["nb_col"]]
    if "kernel_dim1" in config:
        made["kernel_size"] = [config.get(f"kernel_dim{axis}") for axis in (1, 2, 3)]
    if "output_dim" in config and class_name != "Embedding":
        made["units"] = config["output_dim"]
    if class_name == "Merge":
        mode = str(config.get("mode"))
        made["axis"] = config.get("concat_axis", -1)
        made["axes"] = config.get("dot_axes", -1)
        made["normalize"] = mode == "cos"
        return _MERGES.get(mode, class_name), made
    return class_name, made


def modern_weights(
    layer: Layer, stored: Sequence[StoredWeight], file: KerasFile
) -> list[StoredWeight]:
    """A layer's arrays in today's layout."""
    weights = list(stored)
    if file.keras_version.split(".")[0] == "1":
        weights = _from_keras1(layer, weights)
    if layer.type in ("CuDNNGRU", "CuDNNLSTM") and len(weights) == 3:
        weights = _from_cudnn(layer, weights)
    if file.backend == "theano" and isinstance(layer, (Conv2D, Conv2DTranspose)) and weights:
        # Theano convolves, the others correlate
        space = tuple(range(layer.rank))
        weights[0] = _changed(weights[0], np.flip(weights[0].values, space))
    return weights


def settle(layer: Layer, stored: Sequence[StoredWeight]) -> None:
    """GRU: two rows of biases tell ``reset_after`` where the file does not."""
    if len(stored) == 3 and "GRU" in layer.type:
        from netsheet.layers.cells import GRUCell

        if isinstance(layer, GRUCell) and layer.use_bias:
            layer.reset_after = stored[2].values.ndim == 2


def _changed(weight: StoredWeight, values: FloatArray) -> StoredWeight:
    # an array that is no longer the stored one has no place to be written back to
    return replace(weight, path="", values=values)


def _from_keras1(layer: Layer, weights: list[StoredWeight]) -> list[StoredWeight]:
    if weights and isinstance(layer, (Conv2D, Conv2DTranspose)):
        order = _kernel_order(layer, weights[0].values)
        if order is not None:
            values = weights[0].values.transpose(order)
            if isinstance(layer, Conv1D):
                values = values[:, 0]
            weights[0] = _changed(weights[0], values)
    # one array for each gate: GRU z, r, h; LSTM i, c, f, o
    if len(weights) == 9:
        return [_joined(weights[part::3]) for part in range(3)]
    if len(weights) == 12:
        parts = [weights[part::3] for part in range(3)]
        return [_joined([part[0], part[2], part[1], part[3]]) for part in parts]
    return weights


def _kernel_order(layer: Conv2D | Conv2DTranspose, kernel: FloatArray) -> list[int] | None:
    """How to transpose a kernel of Keras 1; None if it lies as today's."""
    if isinstance(layer, Conv1D):
        if kernel.ndim == 4 and kernel.shape[:2] != (layer.kernel_size[0], 1):
            return [2, 3, 1, 0]
        return [0, 1, 2, 3] if kernel.ndim == 4 else None
    space = list(range(2, 2 + layer.rank))
    if isinstance(layer, Conv2DTranspose):
        return [*space, 0, 1] if layer.data_format == "channels_first" else [0, 1, 3, 2]
    return [*space, 1, 0] if layer.data_format == "channels_first" else None


def _joined(parts: Sequence[StoredWeight]) -> StoredWeight:
    return _changed(parts[0], np.concatenate([part.values for part in parts], axis=-1))


def _from_cudnn(layer: Layer, weights: list[StoredWeight]) -> list[StoredWeight]:
    """Kernels are stored transposed gate by gate; LSTM has two biases that add up."""
    gates = 3 if layer.type == "CuDNNGRU" else 4
    kernel, recurrent, bias = (weight.values for weight in weights)
    blocks = np.split(kernel, gates, axis=1)
    turned = [block.T.reshape(block.shape, order="F") for block in blocks]
    kernels = np.concatenate(turned, axis=1)
    recurrents = np.concatenate([block.T for block in np.split(recurrent, gates, axis=1)], axis=1)
    biases = bias.reshape(2, -1)
    arrays = (kernels, recurrents, biases if gates == 3 else biases.sum(0))
    return [_changed(weight, array) for weight, array in zip(weights, arrays, strict=True)]
