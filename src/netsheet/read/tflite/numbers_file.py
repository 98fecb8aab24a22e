"""A quantised network in an HDF5 file, ``.nsq.h5``: its integers for people, its flatbuffer for us.

The file begins with a line that says what it is, in the block that HDF5 leaves to its user. The
dataset ``tflite`` has the bytes of the TensorFlow Lite file, from which the network is read;
``weights`` and ``activations`` say the same numbers by name, for whoever opens it with HDF5.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from netsheet.errors import FormatError
from netsheet.network import Network
from netsheet.read.hdf5.file import array, child, opened
from netsheet.read.limits import Budget
from netsheet.read.tflite.assembly import network_of

MARK = b"netsheet quantised network, version 1\n"
CONTENT, WEIGHTS, ACTIVATIONS = "tflite", "weights", "activations"
ENDING = ".nsq.h5"


def load_numbers_file(path: str | Path) -> Network:
    """The network in such a file.

    Raises:
        FormatError: the file is damaged, or is of a later version.
        UnsupportedError: as :func:`~netsheet.read.tflite.load_tflite`.
    """
    path = Path(path)
    with path.open("rb") as file:
        if file.readline(len(MARK)) != MARK:
            raise FormatError("it was written by a later netsheet: take that one.")
    with opened(path) as root:
        try:
            stored = array(child(root, CONTENT), Budget(path.stat().st_size))
        except KeyError:
            raise FormatError(f"it has no dataset {CONTENT!r}, which holds the network.") from None
    if stored.dtype.kind not in "ui" or stored.dtype.itemsize != 1 or stored.ndim != 1:
        raise FormatError(f"its dataset {CONTENT!r} holds no bytes.")
    name = path.name.removesuffix(ENDING) or path.stem
    return replace(network_of(stored.tobytes(), name), path=path)
