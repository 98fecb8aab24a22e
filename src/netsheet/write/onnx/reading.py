"""Reading a tensor at positions known beforehand: Reshape, Slice or Gather."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netsheet.equations import Index
from netsheet.equations.grids import Grid, counts_up, element_grid, union
from netsheet.layer import Graph

INT64_MIN = -(2**63)
SHORT = 48  # values of a row that a product with zeros and ones picks from sooner than Gather


def read_static(
    graph: Graph,
    source: str,
    batched: bool,
    shape: Sequence[int],
    places: Sequence[Grid],
    finite: bool = False,
) -> tuple[str, tuple[Index, ...]]:
    """``source`` of ``shape`` (behind the batch axis if ``batched``) at one place per axis.

    Returns the value and the indices that its axes are. Positions outside are clipped: they
    occur only where a guard fails. ``finite``: all of its values are numbers, which may be
    multiplied by zero.
    """
    dims = union(place.dims for place in places)
    if sum(len(place.dims) for place in places) == len(dims):
        return _by_axis(graph, source, int(batched), shape, places, finite), dims
    table = element_grid(places, shape, dims)
    lead = [0] if batched else []
    sizes = [index.size for index in dims]
    length = math.prod(shape)
    if counts_up(table.array, length):
        return _reshape(graph, source, [*lead, *sizes]), dims
    flat = _reshape(graph, source, [*lead, length])
    where = graph.constant(np.ascontiguousarray(table.array))
    return str(graph.node("Gather", [flat, where], axis=int(batched))), dims


def _by_axis(
    graph: Graph, name: str, lead: int, shape: Sequence[int], places: Sequence[Grid], finite: bool
) -> str:
    """Each axis by itself; axes that only change their form do so in one Reshape at the end.

    Axes that get shorter come first, those that get longer last and from within, so that there is
    little to copy.
    """
    arrays = [np.clip(p.array, 0, max(n - 1, 0)) for p, n in zip(places, shape, strict=True)]
    form = [size for array in arrays for size in array.shape]
    longer = [array.size > size for array, size in zip(arrays, shape, strict=True)]
    inwards = sorted(range(len(shape)), key=lambda axis: (longer[axis], -axis * longer[axis]))
    for axis in inwards:
        array = arrays[axis]
        if counts_up(array, shape[axis]):
            continue
        step = _step(array)
        alone = finite and axis == len(shape) - 1 and axis + lead and shape[axis] <= SHORT
        if alone and step != 1:
            # one value at a time is what Slice and Gather are slowest with
            picked = np.arange(shape[axis])[:, np.newaxis] == array.reshape(-1)
            name = graph.node("MatMul", [name, graph.constant(picked.astype(np.float32))])
        elif step is not None:
            name = _slice(graph, name, axis + lead, array.tolist(), step)
        else:
            name = graph.node("Gather", [name, graph.constant(array.reshape(-1))], axis=axis + lead)
    if tuple(form) != tuple(place.array.size for place in places):
        name = _reshape(graph, name, [0, *form] if lead else form)
    return name


def _step(array: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> int | None:
    """The constant step of positions along one axis, None if there is none."""
    flat = array.reshape(-1)
    if len(flat) < 2:
        return None
    steps = np.diff(flat)
    same = array.ndim == 1 and steps[0] != 0 and bool((steps == steps[0]).all())
    return int(steps[0]) if same else None


def _slice(graph: Graph, name: str, axis: int, places: list[int], step: int) -> str:
    end = places[-1] + (1 if step > 0 else -1)
    numbers = (places[0], INT64_MIN if end < 0 else end, axis, step)
    inputs = [graph.constant(np.array([number], np.int64)) for number in numbers]
    return str(graph.node("Slice", [name, *inputs]))


def _reshape(graph: Graph, name: str, shape: Sequence[int]) -> str:
    return str(graph.node("Reshape", [name, graph.constant(np.array(shape, np.int64))]))
