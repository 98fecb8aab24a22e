"""The flatbuffer of a .tflite file as plain data, nothing in it trusted.

An offset that leads out of the file makes an exception of the flatbuffers package or of struct;
sizes are held against the file's before anything runs through them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.equations import LIMITS, Quantisation
from netsheet.errors import FormatError, NetsheetError, UnsupportedError
from netsheet.read.limits import MAX_CALLS, MAX_INPUTS, MAX_NAME, Budget

MAX_TENSORS = 20_000
MAX_RANK = 8
MAX_SIZE = 1 << 31  # of an axis
# TensorFlow Lite's numbers for element types (schema.fbs, TensorType).
DTYPES = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16",
    9: "int8", 10: "float64",
}  # fmt: skip
LARGEST_CODE = 127  # from which on an operator's number stands in the newer field


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor of the file: its shape with the batch axis; ``values`` where it is stored.

    ``scales`` and ``zero_points`` are empty without quantisation; with several scales they belong
    to the positions of axis ``dimension``.
    """

    number: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    scales: npt.NDArray[Any]
    zero_points: npt.NDArray[Any]
    dimension: int
    values: npt.NDArray[Any] | None

    @property
    def quantised(self) -> bool:
        """True if its whole numbers stand for real ones."""
        return self.scales.size > 0 and self.dtype in LIMITS

    def quantisation(self) -> Quantisation:
        """What the numbers of a tensor with one scale stand for.

        Raises:
            UnsupportedError: it has several.
        """
        if self.scales.size != 1:
            raise UnsupportedError(f"tensor {self.name!r} has {self.scales.size} scales")
        zero = int(self.zero_points[0]) if self.zero_points.size else 0
        if not self.scales[0] > 0:
            raise UnsupportedError(f"tensor {self.name!r} has the scale {self.scales[0]:g}")
        low, high = LIMITS[self.dtype]
        if not low <= zero <= high:
            raise UnsupportedError(f"tensor {self.name!r} has the zero point {zero}")
        return Quantisation(np.float32(self.scales[0]), zero)


@dataclass(frozen=True)
class Spread:
    """A convolution's dilation and padding (height, width) that the file says around it."""

    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class StoredOperator:
    """An operator: numbers of tensors that it reads (-1 for none) and fills."""

    name: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    stored: Any  # the flatbuffer's own object, for the options
    spread: Spread | None = None

    def options(self, kind: str) -> Any:
        """Its options, which are of the type ``kind`` of the schema; None where it has others."""
        import tflite

        options = getattr(tflite, kind)()
        table = self.stored.BuiltinOptions()
        if table is None or self.stored.BuiltinOptionsType() != getattr(
            tflite.BuiltinOptions, kind
        ):
            return None
        options.Init(table.Bytes, table.Pos)
        return options


@dataclass(frozen=True, eq=False)
class StoredModel:
    """The first subgraph of a file, which is its network."""

    tensors: Sequence[StoredTensor]
    operators: Sequence[StoredOperator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int
    runtime: str  # the oldest runtime that computes it, where the file says
    moved: frozenset[int] = frozenset()  # tensors that are read as other numbers than they hold
    doubt: str = ""  # why what the file says of sizes cannot be what a runtime computes with


def read_content(data: bytes) -> StoredModel:
    """The model in the bytes of a file.

    Raises:
        FormatError: it is damaged, or its sizes contradict each other.
        UnsupportedError: it has something that is not read, such as sparse tensors.
    """
    try:
        return _model(data)
    except NetsheetError:
        raise
    except _DAMAGED as error:
        what = f"{type(error).__name__}: {error}"
        raise FormatError(f"the TensorFlow Lite file is damaged ({what[:120]})") from error


_DAMAGED = (
    struct.error, ValueError, TypeError, LookupError, OverflowError, AttributeError,
    UnicodeDecodeError, ArithmeticError, RecursionError,
)  # fmt: skip


def _model(data: bytes) -> StoredModel:
    import tflite

    if len(data) < 16 or data[4:8] != b"TFL3":
        raise FormatError("its start is none of a TensorFlow Lite file")
    model = tflite.Model.GetRootAs(data, 0)
    if model.SubgraphsLength() < 1:
        raise FormatError("the TensorFlow Lite file has no graph")
    graph = model.Subgraphs(0)  # others are bodies of loops and branches, which are not computed
    budget = Budget(len(data))
    tensors = _tensors(model, graph, data, budget)
    operators = _operators(model, graph, len(tensors))
    inputs = _numbers(graph.InputsLength, graph.Inputs, len(tensors), MAX_INPUTS)
    outputs = _numbers(graph.OutputsLength, graph.Outputs, len(tensors), MAX_INPUTS)
    return StoredModel(tensors, operators, inputs, outputs, model.Version(), "")


def _tensors(model: Any, graph: Any, data: bytes, budget: Budget) -> list[StoredTensor]:
    count = graph.TensorsLength()
    if not 0 <= count <= min(MAX_TENSORS, len(data) // 4):
        raise FormatError(f"it says that it has {count:,} tensors")
    return [_tensor(n, graph.Tensors(n), model, data, budget) for n in range(count)]


def _tensor(number: int, stored: Any, model: Any, data: bytes, budget: Budget) -> StoredTensor:
    name = _text(stored.Name(), f"tensor{number}")
    dtype = DTYPES.get(stored.Type(), f"type {stored.Type()}")
    shape = _sizes(stored.ShapeLength, stored.Shape, name)
    signature = _sizes(stored.ShapeSignatureLength, stored.ShapeSignature, name)
    scales, zeros, dimension = _scales(stored, shape, data, name)
    values = _values(stored, shape, dtype, model, data, name)
    if values is not None:
        budget.take(values.nbytes, f"tensor {name!r}")
    if stored.Sparsity() is not None and values is not None:
        raise UnsupportedError(f"tensor {name!r} is stored sparsely; that is not read")
    return StoredTensor(number, name, shape, signature, dtype, scales, zeros, dimension, values)


def _text(raw: bytes | None, otherwise: str) -> str:
    if not raw:
        return otherwise
    if len(raw) > MAX_NAME:
        raise FormatError(f"a name has {len(raw):,} letters")
    return raw.decode("utf-8", "replace")


def _sizes(length: Callable[[], int], at: Callable[[int], int], name: str) -> tuple[int, ...]:
    rank = length()
    if rank > MAX_RANK:
        raise UnsupportedError(f"tensor {name!r} has {rank:,} axes; up to {MAX_RANK} are read")
    sizes = tuple(int(at(n)) for n in range(rank))
    if any(not -1 <= size < MAX_SIZE for size in sizes):
        raise FormatError(f"tensor {name!r} has the shape {sizes}")
    return sizes


def _scales(
    stored: Any, shape: Sequence[int], data: bytes, name: str
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], int]:
    """Scales and zero points, one each for the tensor or for every position of an axis."""
    none = np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    said = stored.Quantization()
    if said is None or not said.ScaleLength():
        return none
    count, zeros, axis = said.ScaleLength(), said.ZeroPointLength(), said.QuantizedDimension()
    if not 0 < count <= len(data) // 4 or not 0 <= zeros <= count:
        raise FormatError(f"tensor {name!r} has {count:,} scales and {zeros:,} zero points")
    if count > 1 and not (0 <= axis < len(shape) and shape[axis] == count):
        raise FormatError(f"tensor {name!r} of the shape {tuple(shape)} has {count:,} scales")
    scales = np.asarray(said.ScaleAsNumpy(), np.float32)
    if not np.isfinite(scales).all() or (scales < 0).any():
        raise FormatError(f"tensor {name!r} has a scale that is no positive number")
    found = np.asarray(said.ZeroPointAsNumpy(), np.int64) if zeros else np.zeros(count, np.int64)
    return scales, found, axis


def _values(
    stored: Any, shape: Sequence[int], dtype: str, model: Any, data: bytes, name: str
) -> npt.NDArray[Any] | None:
    """The numbers of a stored tensor; None of one that is computed."""
    number = stored.Buffer()
    if not 0 <= number < model.BuffersLength():
        raise FormatError(f"tensor {name!r} lies in buffer {number:,}, which is not there")
    buffer = model.Buffers(number)
    offset, size = buffer.Offset(), buffer.Size()
    if offset > 1:  # behind the flatbuffer, where the file is larger than 2 GB
        raw: Any = np.frombuffer(data, np.uint8, count=size, offset=offset)
    elif not buffer.DataLength():
        return None
    else:
        raw = buffer.DataAsNumpy()
    if dtype not in DTYPES.values():
        raise UnsupportedError(f"tensor {name!r} is stored as {dtype}; that is not read")
    kind = np.dtype(dtype).newbyteorder("<")
    count = int(np.prod([max(size, 0) for size in shape], dtype=object))
    if raw.size != count * kind.itemsize:
        raise FormatError(
            f"tensor {name!r} of the shape {tuple(shape)} ({dtype}) is stored in {raw.size:,} bytes"
        )
    return np.frombuffer(raw.tobytes(), kind).reshape(shape).astype(kind.newbyteorder("="))


def _operators(model: Any, graph: Any, tensors: int) -> list[StoredOperator]:
    import tflite

    names = {
        number: name
        for name, number in vars(tflite.BuiltinOperator).items()
        if isinstance(number, int)
    }
    count = graph.OperatorsLength()
    if not 0 <= count <= MAX_CALLS:
        raise FormatError(f"it says that it has {count:,} operators; {MAX_CALLS:,} are the limit")
    found, left = [], MAX_INPUTS
    for n in range(count):
        stored = graph.Operators(n)
        which = stored.OpcodeIndex()
        if not 0 <= which < model.OperatorCodesLength():
            raise FormatError(f"operator {n} is of kind {which:,}, which is not there")
        code = model.OperatorCodes(which)
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        inputs = _numbers(stored.InputsLength, stored.Inputs, tensors, left, none=True)
        outputs = _numbers(stored.OutputsLength, stored.Outputs, tensors, left)
        left -= len(inputs) + len(outputs)
        custom = _text(code.CustomCode(), "")
        name = names.get(kind, f"operator {kind}")
        found.append(StoredOperator(name, custom, inputs, outputs, stored))
    return found


def _numbers(
    length: Callable[[], int], at: Callable[[int], int], tensors: int, most: int, none: bool = False
) -> tuple[int, ...]:
    """A list of tensors by number; -1 is none, where that may be."""
    count = length()
    if not 0 <= count <= most:
        raise FormatError(f"it has more than {MAX_INPUTS:,} operands")
    found = tuple(int(at(n)) for n in range(count))
    for number in found:
        if not (-1 if none else 0) <= number < tensors:
            raise FormatError(f"it reads or fills tensor {number:,}, which is not there")
    return found
