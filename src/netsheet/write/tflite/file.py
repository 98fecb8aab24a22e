"""The flatbuffer of a .tflite file.

Source of the format: TensorFlow, tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netsheet.write.tflite.graph import LiteGraph, LiteOperator, LiteTensor, Option

SCHEMA = 3
IDENTIFIER = b"TFL3"
TYPES = {"float32": 0, "int32": 2, "int8": 9}  # schema.fbs, TensorType
ALIGNMENT = 16  # of stored numbers, in bytes
NEWEST_OLD_CODE = 127  # operators from here on have their number in the newer field alone
# The version of an operator that takes int8, where that is not the second.
VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "RESHAPE": 1, "QUANTIZE": 1,
            "TRANSPOSE_CONV": 2, "PRELU": 1, "HARD_SWISH": 1, "ELU": 1, "RESIZE_BILINEAR": 3,
            "RESIZE_NEAREST_NEIGHBOR": 3}  # fmt: skip


def file_bytes(graph: LiteGraph, description: str) -> bytes:
    """The file of a graph; tensors have the numbers of their places in ``graph.tensors()``."""
    return _Writer(graph).content(description)


class _Writer:
    """One flatbuffer. It grows from its end: what is pointed to is written first."""

    def __init__(self, graph: LiteGraph) -> None:
        import flatbuffers

        self.graph = graph
        self.builder: Any = flatbuffers.Builder(1 << 16)
        self.tensors = graph.tensors()
        self.numbers = {tensor: number for number, tensor in enumerate(self.tensors)}
        self.codes = list(dict.fromkeys((op.name, _version(op)) for op in graph.operators))

    def content(self, description: str) -> bytes:
        """The whole file."""
        b = self.builder
        stored = [tensor for tensor in self.tensors if tensor.stored]
        buffers = self._offsets([self._buffer(None), *(self._buffer(t) for t in stored)])
        places = {tensor: number + 1 for number, tensor in enumerate(stored)}
        graph = self._graph(places)
        codes = self._offsets([self._code(*code) for code in self.codes])
        text = b.CreateString(description)
        graphs = self._offsets([graph])
        model = self._table(
            "Model", Version=SCHEMA, OperatorCodes=codes, Subgraphs=graphs, Description=text,
            Buffers=buffers,
        )  # fmt: skip
        b.Finish(model, file_identifier=IDENTIFIER)
        return bytes(b.Output())

    def _graph(self, places: dict[LiteTensor, int]) -> int:
        graph = self.graph
        tensors = self._offsets([self._tensor(t, places.get(t, 0)) for t in self.tensors])
        operators = self._offsets([self._operator(op) for op in graph.operators])
        inputs = self._numbers([self.numbers[t] for t in graph.inputs])
        outputs = self._numbers([self.numbers[t] for t in graph.outputs])
        name = self.builder.CreateString("main")
        return self._table(
            "SubGraph", Tensors=tensors, Inputs=inputs, Outputs=outputs, Operators=operators,
            Name=name,
        )  # fmt: skip

    def _buffer(self, tensor: LiteTensor | None) -> int:
        if tensor is None:
            return self._table("Buffer")
        assert tensor.values is not None
        raw = np.frombuffer(np.ascontiguousarray(tensor.values).tobytes(), np.uint8)
        self.builder.Prep(ALIGNMENT, raw.size)  # so that runtimes read the numbers where they lie
        return self._table("Buffer", Data=self.builder.CreateNumpyVector(raw))

    def _tensor(self, tensor: LiteTensor, buffer: int) -> int:
        b = self.builder
        shape, name = self._numbers(tensor.shape), b.CreateString(tensor.name)
        fields: dict[str, Any] = {
            "Shape": shape, "Type": TYPES[tensor.dtype], "Buffer": buffer, "Name": name,
        }  # fmt: skip
        if tensor.scales.size:
            fields["Quantization"] = self._table(
                "QuantizationParameters",
                Scale=b.CreateNumpyVector(tensor.scales.astype(np.float32)),
                ZeroPoint=b.CreateNumpyVector(tensor.zero_points.astype(np.int64)),
                QuantizedDimension=tensor.dimension,
            )
        return self._table("Tensor", **fields)

    def _operator(self, operator: LiteOperator) -> int:
        import tflite

        inputs = self._numbers([self.numbers[t] for t in operator.inputs])
        outputs = self._numbers([self.numbers[operator.output]])
        fields: dict[str, Any] = {
            "OpcodeIndex": self.codes.index((operator.name, _version(operator))),
            "Inputs": inputs, "Outputs": outputs,
        }  # fmt: skip
        if operator.kind:
            fields["BuiltinOptions"] = self._table(operator.kind, **operator.options)
            fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, operator.kind)
        return self._table("Operator", **fields)

    def _code(self, name: str, version: int) -> int:
        import tflite

        code = getattr(tflite.BuiltinOperator, name)
        old = min(code, NEWEST_OLD_CODE)
        return self._table(
            "OperatorCode", DeprecatedBuiltinCode=old, Version=version, BuiltinCode=code
        )

    # ------------------------------------------------------------------ flatbuffer

    def _table(self, kind: str, **fields: Option) -> int:
        """A table of the schema with these fields, by its names."""
        import tflite

        getattr(tflite, f"{kind}Start")(self.builder)
        for name, value in fields.items():
            getattr(tflite, f"{kind}Add{name}")(self.builder, value)
        return int(getattr(tflite, f"{kind}End")(self.builder))

    def _offsets(self, found: Sequence[int]) -> int:
        """A list of what has been written."""
        self.builder.StartVector(4, len(found), 4)
        for offset in reversed(found):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def _numbers(self, found: Sequence[int]) -> int:
        return int(self.builder.CreateNumpyVector(np.asarray(found, np.int32)))


def _version(operator: LiteOperator) -> int:
    whole = any(tensor.dtype == "int8" for tensor in (*operator.inputs, operator.output))
    return VERSIONS.get(operator.name, 2) if whole else 1
