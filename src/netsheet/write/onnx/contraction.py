"""Arrays over indices, and their sums of products: one MatMul, Einsum or ReduceSum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from netsheet.equations import FLOAT, WHOLE, Index
from netsheet.equations.grids import union
from netsheet.layer import Graph
from netsheet.write.onnx.functions import DOUBLE, INT64, cast

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"
BATCH_LETTER = "Z"


class Part(NamedTuple):
    """An ONNX value whose axes are indices, behind the batch axis if it is ``batched``.

    ``dtype`` is float32, or int32 for whole numbers, which are 64-bit values in the graph.
    """

    name: str
    dims: tuple[Index, ...]
    batched: bool
    dtype: str = FLOAT


def spread(graph: Graph, part: Part, dims: Sequence[Index]) -> str:
    """The value transposed to ``dims``, broadcasting over the indices that it lacks."""
    present = [index for index in dims if index in part.dims]
    name = part.name
    lead = int(part.batched)
    order = [part.dims.index(index) for index in present]
    if order != sorted(order):
        perm = [0][:lead] + [axis + lead for axis in order]
        name = graph.node("Transpose", [name], perm=perm)
    absent = [axis for axis, index in enumerate(dims) if index not in part.dims]
    if not part.batched and present:
        first = dims.index(present[0])
        rank = len(dims) - first
        absent = [axis - first for axis in absent if axis > first]
        assert rank == len(present) + len(absent)
    elif not part.batched:
        absent = []
    if absent:
        axes = graph.constant(np.array([axis + lead for axis in absent], np.int64))
        name = graph.node("Unsqueeze", [name, axes])
    return str(name)


def contracted(graph: Graph, parts: Sequence[Part], over: set[Index]) -> Part:
    """The product of the parts, summed over some indices."""
    used = union(part.dims for part in parts)
    kept = tuple(index for index in used if index not in over)
    batched = any(part.batched for part in parts)
    if len(parts) == 1:
        axes = [axis + batched for axis, i in enumerate(parts[0].dims) if i in over]
        if not axes:
            return parts[0]
        return Part(_added_up(graph, parts[0], axes), kept, batched, parts[0].dtype)
    if any(part.dtype == WHOLE for part in parts):
        # doubles add up products of narrow numbers exactly, and much faster than integers
        doubles = [
            part._replace(name=cast(graph, part.name, DOUBLE), dtype=FLOAT) for part in parts
        ]
        total = contracted(graph, doubles, over)
        return total._replace(name=cast(graph, total.name, INT64), dtype=WHOLE)
    product = _matmul(graph, parts, over)
    if product is not None:
        return product
    letter = dict(zip(used, LETTERS, strict=False))
    terms = ["".join([BATCH_LETTER] * p.batched + [letter[i] for i in p.dims]) for p in parts]
    result = "".join([BATCH_LETTER] * batched + [letter[i] for i in kept])
    names = [part.name for part in parts]
    name = graph.node("Einsum", names, equation=f"{','.join(terms)}->{result}")
    return Part(name, kept, batched)


def _added_up(graph: Graph, part: Part, axes: Sequence[int]) -> str:
    """The sum over some axes: first over the last ones, which is many times as fast alone."""
    name, rank = part.name, len(part.dims) + part.batched
    last = [axis for axis in axes if {*range(axis, rank)} <= set(axes)]
    for some in (last, [axis for axis in axes if axis not in last]):
        if some:
            where = graph.constant(np.array(some, np.int64))
            name = graph.node("ReduceSum", [name, where], keepdims=0)
    return str(name)


def _matmul(graph: Graph, parts: Sequence[Part], over: set[Index]) -> Part | None:
    """Rows times a matrix of weights, the commonest sum of products; None if it is not one."""
    if len(parts) != 2:
        return None
    rows, matrix = sorted(parts, key=lambda part: not part.batched)
    shared = [index for index in rows.dims if index in matrix.dims]
    if matrix.batched or len(matrix.dims) != 2 or {*shared} != ({*rows.dims} & over):
        return None
    if len(shared) != 1 or ({*matrix.dims} & over) != {*shared} or not rows.batched:
        return None
    (out,) = (index for index in matrix.dims if index not in shared)
    rest = tuple(index for index in rows.dims if index not in shared)
    names = [spread(graph, rows, (*rest, *shared)), spread(graph, matrix, (*shared, out))]
    return Part(str(graph.node("MatMul", names)), (*rest, out), True)
