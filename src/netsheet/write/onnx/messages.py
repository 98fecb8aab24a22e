"""The messages of an ONNX file as bytes, without the package that describes them.

Importing it takes as long as computing thousands of pictures. Sources of the field numbers:
``onnx.proto`` (ONNX) and the encoding of Protocol Buffers: a field is a tag, its number and wire
type (0 a variable-length integer, 2 a length and so many bytes, 5 four bytes), and its value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netsheet.equations import FloatArray

# The numbers of element types, TensorProto.DataType.
_ELEMENTS = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9,
    "float16": 10, "float64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip
# The numbers of attributes' types, AttributeProto.AttributeType, and of the fields that hold them.
_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS, _STRINGS = range(1, 9)
_FIELDS = {_FLOAT: 2, _INT: 3, _STRING: 4, _TENSOR: 5, _GRAPH: 6, _FLOATS: 7, _INTS: 8, _STRINGS: 9}


@dataclass
class NodeRecord:
    """One node: an operator, the values that it reads and makes, and its attributes."""

    op: str
    inputs: list[str]
    outputs: list[str]
    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """A NodeProto."""
        return b"".join([
            *(_text(1, name) for name in self.inputs),
            *(_text(2, name) for name in self.outputs),
            _text(3, self.name),
            _text(4, self.op),
            *(
                _block(5, _attribute(name, value))
                for name, value in sorted(self.attributes.items())
                if value is not None
            ),
        ])  # fmt: skip


def model_bytes(graph: bytes, producer: tuple[str, str], ir_version: int, opset: int) -> bytes:
    """A ModelProto of a graph; ``producer`` is a program's name and version."""
    return b"".join([
        _whole(1, ir_version), _text(2, producer[0]), _text(3, producer[1]), _block(7, graph),
        _block(8, _text(1, "") + _whole(2, opset)),
    ])  # fmt: skip


def graph_bytes(
    name: str,
    nodes: Iterable[NodeRecord],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
    initializers: Mapping[str, FloatArray],
) -> bytes:
    """A GraphProto; inputs and outputs are :func:`value_bytes`."""
    return b"".join([
        *(_block(1, node.encoded()) for node in nodes),
        _text(2, name),
        *(_block(5, _tensor(label, array)) for label, array in initializers.items()),
        *(_block(11, value) for value in inputs),
        *(_block(12, value) for value in outputs),
    ])  # fmt: skip


def value_bytes(name: str, dtype: str, shape: Sequence[int | str | None]) -> bytes:
    """A ValueInfoProto: a tensor's name, element type and sizes, some of them names."""
    sizes = b"".join(
        _block(1, b"" if n is None else _text(2, n) if isinstance(n, str) else _whole(1, n))
        for n in shape
    )
    tensor = _whole(1, _ELEMENTS[np.dtype(dtype).name]) + _block(2, sizes)
    return _text(1, name) + _block(2, _block(1, tensor))


def _tensor(name: str, array: FloatArray) -> bytes:
    raw = np.asarray(array, array.dtype.newbyteorder("<")).tobytes()
    sizes = b"".join(_whole(1, size) for size in array.shape)
    return sizes + _whole(2, _ELEMENTS[array.dtype.name]) + _text(8, name) + _block(9, raw)


def _attribute(name: str, value: Any) -> bytes:
    kind = _kind(value)
    values = value if kind in (_FLOATS, _INTS, _STRINGS) else [value]
    return b"".join([
        _text(1, name), *(_value(_FIELDS[kind], kind, one) for one in values), _whole(20, kind)
    ])  # fmt: skip


def _value(number: int, kind: int, value: Any) -> bytes:
    if kind in (_FLOAT, _FLOATS):
        return _tag(number, 5) + struct.pack("<f", value)
    if kind in (_INT, _INTS):
        return _whole(number, int(value))
    if kind in (_STRING, _STRINGS):
        return _text(number, value) if isinstance(value, str) else _block(number, value)
    return _block(number, value.SerializeToString())


def _kind(value: Any) -> int:
    if isinstance(value, (bool, int, np.integer, np.bool_)):
        return _INT
    if isinstance(value, (float, np.floating)):
        return _FLOAT
    if isinstance(value, (str, bytes)):
        return _STRING
    if hasattr(value, "SerializeToString"):  # a message of the onnx package
        return _GRAPH if hasattr(value, "node") else _TENSOR
    kinds = {_kind(one) for one in value}
    if kinds <= {_INT}:
        return _INTS
    return _FLOATS if kinds <= {_INT, _FLOAT} else _STRINGS


def _text(number: int, text: str) -> bytes:
    return _block(number, text.encode("utf-8"))


def _block(number: int, data: bytes) -> bytes:
    return _tag(number, 2) + _varint(len(data)) + data


def _whole(number: int, value: int) -> bytes:
    return _tag(number, 0) + _varint(value & (2**64 - 1))  # negative ones in two's complement


def _tag(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)
