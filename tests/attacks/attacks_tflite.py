"""Hostile and broken TensorFlow Lite files, made with the schema's own builder."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite
from attack import attack

FLOAT, INT8, INT32 = tflite.TensorType.FLOAT32, tflite.TensorType.INT8, tflite.TensorType.INT32
DENSE = tflite.BuiltinOperator.FULLY_CONNECTED


def _vector(b: Any, numbers: Sequence[int], width: int = 4) -> Any:
    b.StartVector(width, len(numbers), width)
    for number in reversed(numbers):
        {4: b.PrependInt32, 8: b.PrependInt64}[width](number)
    return b.EndVector()


def _tables(b: Any, tables: Sequence[Any]) -> Any:
    b.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        b.PrependUOffsetTRelative(table)
    return b.EndVector()


def _quantisation(b: Any, scales: Sequence[float], zeros: Sequence[int], axis: int) -> Any:
    scale, zero = b.CreateNumpyVector(np.array(scales, "f4")), _vector(b, zeros, 8)
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scale)
    tflite.QuantizationParametersAddZeroPoint(b, zero)
    tflite.QuantizationParametersAddQuantizedDimension(b, axis)
    return tflite.QuantizationParametersEnd(b)


def network(
    *,
    kernel: Sequence[int] = (2, 3),
    content: bytes = np.ones(6, "f4").tobytes(),
    kinds: Sequence[int] = (FLOAT, FLOAT, FLOAT),
    scales: tuple[Sequence[float], Sequence[int], int] | None = None,
    inputs: Sequence[int] = (0, 1),
    outputs: Sequence[int] = (2,),
    code: int = DENSE,
    shape: Sequence[int] = (1, 3),
    name: str = "x",
    operators: int = 1,
    buffer: int = 1,
) -> bytes:
    """One FULLY_CONNECTED from x (1, 3) to y (1, 2), nothing of it checked."""
    b = flatbuffers.Builder(1024)
    data = b.CreateByteVector(content)
    stored = []
    for given in (None, data):
        tflite.BufferStart(b)
        if given is not None:
            tflite.BufferAddData(b, given)
        stored.append(tflite.BufferEnd(b))
    tensors = []
    rows = ((name, shape, 0), ("w", kernel, buffer), ("y", (1, 2), 0))
    for (called, sizes, where), kind in zip(rows, kinds, strict=True):
        label, dims = b.CreateString(called), _vector(b, sizes)
        known = None if scales is None else _quantisation(b, *scales)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, dims)
        tflite.TensorAddType(b, kind)
        tflite.TensorAddBuffer(b, where)
        tflite.TensorAddName(b, label)
        if known is not None:
            tflite.TensorAddQuantization(b, known)
        tensors.append(tflite.TensorEnd(b))
    made = []
    for _ in range(operators):
        tflite.FullyConnectedOptionsStart(b)
        options = tflite.FullyConnectedOptionsEnd(b)
        into, out = _vector(b, inputs), _vector(b, outputs)
        tflite.OperatorStart(b)
        tflite.OperatorAddOpcodeIndex(b, 0)
        tflite.OperatorAddInputs(b, into)
        tflite.OperatorAddOutputs(b, out)
        tflite.OperatorAddBuiltinOptionsType(b, tflite.BuiltinOptions.FullyConnectedOptions)
        tflite.OperatorAddBuiltinOptions(b, options)
        made.append(tflite.OperatorEnd(b))
    ends = _vector(b, [0]), _vector(b, [2]), _tables(b, tensors), _tables(b, made)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddInputs(b, ends[0])
    tflite.SubGraphAddOutputs(b, ends[1])
    tflite.SubGraphAddTensors(b, ends[2])
    tflite.SubGraphAddOperators(b, ends[3])
    graph = tflite.SubGraphEnd(b)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
    tflite.OperatorCodeAddBuiltinCode(b, code)
    kind = tflite.OperatorCodeEnd(b)
    parts = _tables(b, [kind]), _tables(b, [graph]), _tables(b, stored)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, parts[0])
    tflite.ModelAddSubgraphs(b, parts[1])
    tflite.ModelAddBuffers(b, parts[2])
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _changed(file: str, expected: str, opens: bool = False, **changes: Any) -> None:
    attack(f"{file}.tflite", expected, opens)(lambda path: path.write_bytes(network(**changes)))


_changed("kernel_too_large", "stored in 24 bytes", kernel=(1 << 20, 1 << 20))
_changed("kernel_negative", "has the shape", kernel=(-2, -3))
_changed("many_axes", "axes; up to", kernel=(1,) * 4000)
_changed("reads_nothing", "which is not there", inputs=(0, 99))
_changed("reads_below", "which is not there", inputs=(-7, 1))
_changed("reads_itself", "nothing has filled", inputs=(2, 1))
_changed("fills_its_input", "filled twice", outputs=(0,))
_changed("fills_twice", "filled twice", operators=2)
_changed("no_such_buffer", "not there", buffer=77)
_changed("unknown_operator", "is not computed", opens=True, code=9999)
_changed("two_batches", "one sample at a time", shape=(2, 3))
_changed("other_sizes", "has the stored shape", opens=True, shape=(1, 5))
_changed("long_name", "letters", name="x" * 100_000)
_changed("terminal_name", "x", opens=True, name="\x1b[31mx\nnetsheet: y")
WHOLE = {"kinds": (INT8,) * 3, "content": bytes(6)}
_changed("scale_nan", "no positive number", scales=([float("nan")], [0], 0), **WHOLE)
_changed("scale_negative", "no positive number", scales=([-1.0], [0], 0), **WHOLE)
_changed("scale_nothing", "has the scale 0", scales=([0.0], [0], 0), **WHOLE)
_changed("zero_point_far", "has the zero point", scales=([1.0], [10**12], 0), **WHOLE)
_changed("scales_too_many", "scales", scales=([1.0] * 5, [0] * 5, 0), **WHOLE)
_changed("scales_beside", "scales", scales=([1.0] * 2, [0] * 2, 77), **WHOLE)


@attack("vector_beyond.tflite", "TensorFlow Lite file is damaged|says that it has")
def vector_beyond(path: Path) -> None:
    """Every length of a vector says four thousand million."""
    data = bytearray(network())
    for at in range(8, len(data) - 4, 4):
        if struct.unpack_from("<I", data, at)[0] in (2, 3):
            struct.pack_into("<I", data, at, 0xFFFFFFFF)
    path.write_bytes(data)


@attack("offsets_in_circles.tflite", "TensorFlow Lite|it ")
def offsets_in_circles(path: Path) -> None:
    """Every table begins where the file does."""
    data = bytearray(network())
    for at in range(0, len(data) - 4, 4):
        if at != 4:
            struct.pack_into("<i", data, at, -at if at else 8)
    path.write_bytes(data)


@attack("cut.tflite", "damaged|stored in")
def cut(path: Path) -> None:
    """The second half is lost."""
    data = network()
    path.write_bytes(data[: len(data) // 2])
