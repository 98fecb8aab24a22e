"""A copy of an ONNX file with other values in its stored tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.errors import FormatError, UnsupportedError
from netsheet.read.onnx.file import MAX_FILE, array_of, read_proto
from netsheet.read.onnx.message import keep_taught

if TYPE_CHECKING:
    from onnx import GraphProto, TensorProto


def write_onnx_copy(
    source: Path,
    changed: Mapping[str, npt.NDArray[Any]],
    target: Path,
    taught: Mapping[str, Any] | None = None,
) -> None:
    """The file again; ``changed`` has arrays by the name of an initializer or a Constant's output.

    Each keeps the shape and the element type that it has in the file. Data that lay in other files
    beside the model become part of the copy. ``taught``: what it keeps of its training's data.

    Raises:
        UnsupportedError: a name is worked out from other values, not stored.
        FormatError: another number of elements, or too large for one file.
    """
    from onnx import numpy_helper

    proto = read_proto(source)
    stored = dict(_stored(proto.graph))
    for name, values in changed.items():
        if name not in stored:
            raise UnsupportedError(
                f"{source}: {name} is worked out from other values of the file: change those."
            )
        old = array_of(stored[name])
        if old.size != np.size(values):
            raise FormatError(f"{source}: {name} has the shape {old.shape}; {np.size(values)} "
                              "values do not fit.")  # fmt: skip
        array = np.asarray(values).reshape(old.shape)
        if old.dtype.kind in "iu":
            array = np.rint(array)
        label = stored[name].name
        stored[name].CopyFrom(numpy_helper.from_array(array.astype(old.dtype), label))
    keep_taught(proto, taught)
    if proto.ByteSize() > MAX_FILE:
        raise FormatError(f"{source}: with its data it is too large for one ONNX file.")
    target.write_bytes(proto.SerializeToString())


def _stored(graph: GraphProto) -> Iterator[tuple[str, TensorProto]]:
    """Every stored tensor by the name of its value, those of inner graphs too."""
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                yield node.output[0], attribute.t
            if attribute.HasField("g"):
                yield from _stored(attribute.g)
