"""What users give to a network in Python: arrays, pictures or files, scaled as the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netsheet.data.fit import scaled, shaped_batch
from netsheet.data.ground import warn_of_inversion
from netsheet.data.inputs import InputValue, Sample, read_input
from netsheet.data.scaling import decided, whole_inputs
from netsheet.equations import Tensor
from netsheet.equations.entry import entered
from netsheet.errors import NetsheetError, UsageError
from netsheet.network import Network


def is_named(x: object) -> bool:
    """True for the name of a file, or a list of such names."""
    if isinstance(x, (str, Path)):
        return True
    return isinstance(x, (list, tuple)) and bool(x) and all(isinstance(n, (str, Path)) for n in x)


def given_arrays(network: Network, x: object) -> object:
    """``x`` as arrays with a batch axis; one sample's array becomes a batch of one.

    Names of files are read and scaled as the command line does. Arrays of uint8, the type of
    pictures, are scaled by the same rule; all other arrays are taken as they are.
    """
    if is_named(x):
        samples = given_samples(network, x)
        return {
            name: np.stack([sample.inputs[name].values for sample in samples])
            for name in samples[0].inputs
        }
    names = [tensor.name for tensor in network.inputs]
    if isinstance(x, Mapping):
        return {name: _pixels(network, str(name), values) for name, values in x.items()}
    if isinstance(x, (list, tuple)) and len(x) == len(names):
        return [_pixels(network, name, values) for name, values in zip(names, x, strict=True)]
    return _pixels(network, names[0], x) if len(names) == 1 else x


def _pixels(network: Network, name: str, values: Any) -> Any:
    tensor = next((tensor for tensor in network.inputs if tensor.name == name), None)
    if tensor is not None and name in whole_inputs(network):
        values = np.trunc(np.asarray(values))  # an input of an integer type: Keras casts to it
        return _batch(values, tensor)
    if tensor is not None and isinstance(values, np.ndarray):
        values = _batch(values, tensor)
    if tensor is None or not isinstance(values, np.ndarray) or values.dtype != np.uint8:
        return values
    if tensor.dtype == "uint8":
        return values  # whole numbers as the input takes them
    if values.ndim != len(tensor.shape) + 1:
        return values
    scaling = decided(network, tensor, values)
    warn_of_inversion(network, tensor, values, "the array")
    return scaled(values, scaling, tensor) if scaling.changes else values


def _batch(values: np.ndarray[Any, Any], tensor: Tensor) -> np.ndarray[Any, Any]:
    """The same samples in the tensor's arrangement, as files of arrays are read.

    What fits neither as samples nor as one sample is left as it is: the network refuses it with
    both shapes.
    """
    if values.shape[1:] == tensor.shape:
        return values
    for samples in (values, values[np.newaxis]):
        try:
            return shaped_batch(samples, tensor, "the array")
        except NetsheetError:
            continue
    return values


def given_samples(network: Network, x: object) -> list[Sample]:
    """Samples as they are, or read from the files of these names, or from arrays with a batch axis.

    Raises:
        UsageError: arrays for a network of several inputs.
    """
    if isinstance(x, Sample):
        return [x]
    if isinstance(x, (str, Path)):
        return [read_input(x, network)]
    if isinstance(x, np.ndarray):
        if len(network.inputs) != 1:
            raise UsageError("the network has several inputs: give samples, or names of files.")
        tensor = network.inputs[0]
        x = _batch(x, tensor)
        pixels = x.dtype == np.uint8 and tensor.dtype != "uint8"
        scaling = decided(network, tensor, x) if pixels else None
        if scaling is not None:
            warn_of_inversion(network, tensor, x, "the array")
        if scaling is not None and scaling.changes:
            values = [
                InputValue(entered(tensor, scaled(one, scaling, tensor)), one, scaling) for one in x
            ]
        else:
            values = [InputValue(np.ascontiguousarray(entered(tensor, one))) for one in x]
        return [Sample(f"sample {n}", {tensor.name: value}) for n, value in enumerate(values)]
    if isinstance(x, Sequence):
        return [one if isinstance(one, Sample) else read_input(one, network) for one in x]
    raise UsageError(
        f"give a picture's or file's name, samples or an array, not {type(x).__name__}."
    )
