"""Functions of whole numbers as ONNX nodes over 64-bit integers: exact, to the last bit."""

from __future__ import annotations

from netsheet.equations import FLOAT, LIMITS, WHOLE, Tensor
from netsheet.layer import Graph
from netsheet.write.onnx.contraction import Part
from netsheet.write.onnx.functions import FLOAT as FLOAT32
from netsheet.write.onnx.functions import INT64, cast

# onnx.TensorProto's numbers for the types in which tensors are kept in the graph.
NUMBERS = {"float32": FLOAT32, "int8": 3, "uint8": 2, "int16": 5, "int32": 6}
LOW, HIGH = LIMITS[WHOLE]
BITS = 32


def computed(tensor: Tensor) -> str:
    """The kind of numbers that fill a tensor."""
    return FLOAT if tensor.dtype == FLOAT else WHOLE


def as_whole(graph: Graph, part: Part) -> Part:
    """Whole numbers as they are stored, as those that are computed with."""
    return part._replace(name=cast(graph, part.name, INT64), dtype=WHOLE)
