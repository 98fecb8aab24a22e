"""Inputs of a notebook's cell as samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netsheet.data.inputs import InputValue, Sample
from netsheet.errors import UsageError
from netsheet.network import Network

MOST = 16  # samples of a batch that a page takes along


def samples_from(network: Network, x: object) -> list[Sample]:
    """Samples, or arrays with a batch axis (one, one for each input, or by name); None: none.

    Raises:
        UsageError: there are not as many arrays as inputs, or they are of other shapes.
    """
    if x is None:
        return []
    if isinstance(x, Sample):
        return [x]
    if isinstance(x, Sequence) and x and all(isinstance(one, Sample) for one in x):
        return list(x)
    names = [tensor.name for tensor in network.inputs]
    if isinstance(x, Mapping):
        missing = [name for name in names if name not in x]
        if missing:
            raise UsageError(f"the inputs lack {', '.join(missing)}.")
        arrays = [np.asarray(x[name]) for name in names]
    elif len(names) > 1:
        arrays = [np.asarray(one) for one in x] if isinstance(x, Sequence) else []
    else:
        arrays = [np.asarray(x)]
    if len(arrays) != len(names):
        raise UsageError(f"the network has {len(names)} inputs ({', '.join(names)}): give each.")
    for tensor, array in zip(network.inputs, arrays, strict=True):
        wanted = tuple(tensor.shape)
        fits = array.ndim == len(wanted) + 1 and all(
            size is None or size == own for size, own in zip(wanted, array.shape[1:], strict=True)
        )
        if not fits or len(array) != len(arrays[0]) or not len(array):
            raise UsageError(
                f"input {tensor.name!r} takes a batch of {wanted}, not an array of {array.shape}."
            )
    return [
        Sample(
            f"x[{n}]",
            {
                name: InputValue(np.ascontiguousarray(array[n], np.float32))
                for name, array in zip(names, arrays, strict=True)
            },
        )
        for n in range(min(len(arrays[0]), MOST))
    ]
