"""Writes a quantised network as HDF5, ``.nsq.h5``: every integer and scale by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netsheet.errors import UnsupportedError
from netsheet.files import atomic
from netsheet.network import Network
from netsheet.read.tflite.file import StoredTensor, read_content
from netsheet.read.tflite.numbers_file import ACTIVATIONS, CONTENT, MARK, WEIGHTS
from netsheet.read.tflite.original import TfliteOriginal

USER_BLOCK = 512  # bytes in front of HDF5's own, the fewest that it allows


def to_numbers_file(network: Network, target: str | Path) -> None:
    """``weights/NAME`` holds integers, with ``scale``, ``zero_point`` and the ``axis`` of several
    scales as attributes; ``activations/NAME`` has the attributes alone.

    Raises:
        UnsupportedError: the network is not quantised.
    """
    if not isinstance(network.original, TfliteOriginal):
        raise UnsupportedError(f"{network.name} is not quantised: netsheet quantise does that.")
    import h5py

    content = network.original.content
    with atomic(target) as temporary:
        with h5py.File(temporary, "w", userblock_size=USER_BLOCK) as root:
            root.create_dataset(CONTENT, data=np.frombuffer(content, np.uint8))
            for tensor in read_content(content).tensors:
                _add(root, tensor)
        with temporary.open("r+b") as file:
            file.write(MARK)


def _add(root: Any, tensor: StoredTensor) -> None:
    group = root.require_group(ACTIVATIONS if tensor.values is None else WEIGHTS)
    name = f"{tensor.name.replace('/', '.') or 'tensor'}"
    name = f"{name} ({tensor.number})" if name in group or name.strip(".") == "" else name
    if tensor.values is None:
        made = group.create_group(name)
        made.attrs["shape"] = tensor.shape
        made.attrs["dtype"] = tensor.dtype
    elif tensor.values.dtype.kind not in "iufb":
        return
    else:
        made = group.create_dataset(name, data=tensor.values)
    made.attrs["name"] = tensor.name
    if tensor.quantised:
        made.attrs["scale"] = tensor.scales
        made.attrs["zero_point"] = tensor.zero_points
        made.attrs["axis"] = tensor.dimension
