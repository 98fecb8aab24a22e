"""What operators that move or look up values ask of the shapes of their inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netsheet.equations import Weight
from netsheet.layers.window import window
from netsheet.operators.base import OnnxNode
from netsheet.operators.fitting import Condition, refused, within, without_axes
from netsheet.operators.windows import padding, steps


def same_but_along(name: str, default: int) -> Condition:
    """All inputs have the first one's shape, but for the axis that an attribute names."""

    def condition(node: OnnxNode) -> None:
        first = node.input(0).shape
        axis = node.axis(default, len(first), name)
        for n in range(1, len(node.inputs)):
            shape = node.input(n).shape
            if len(shape) != len(first) or any(
                a != b for i, (a, b) in enumerate(zip(shape, first, strict=True)) if i != axis
            ):
                raise refused(node, f"only axis {axis} may differ")

    return condition


def _split(node: OnnxNode) -> None:
    x = node.input(0)
    axis = node.axis(0, len(x.shape))
    lengths = node.attr("split")
    if node.opset >= 13:
        lengths = node.integers(1) if node.has(1) else None
    if lengths is None:
        count = int(node.attr("num_outputs", node.outputs))
        if node.opset < 18 and x.shape[axis] % max(count, 1):
            raise refused(node, f"axis {axis} does not divide into {count} equal pieces")
        return
    if sum(int(n) for n in lengths) != x.shape[axis] or min(lengths, default=0) < 0:
        raise refused(node, f"the pieces {[int(n) for n in lengths]} of axis {axis}")


def _rank_of_axes(node: OnnxNode) -> None:
    """Axes that are an input or an attribute lie in the tensor, each once."""
    rank = len(node.input(0).shape)
    found = node.attr("axes")
    if found is None and node.has(1) and isinstance(node.input(1), Weight):
        found = node.integers(1)
    if node.op == "Unsqueeze":
        rank += len(found or ())
    axes = [int(axis) for axis in np.atleast_1d(found if found is not None else [])]
    if any(not -rank <= axis < rank for axis in axes):
        raise refused(node, f"there are no axes {axes} of {rank}")
    if len({axis % rank for axis in axes}) < len(axes):
        raise refused(node, f"an axis stands twice in {axes}")


def _permutation(node: OnnxNode) -> None:
    rank, order = len(node.input(0).shape), node.attr("perm")
    if order is not None and sorted(int(axis) for axis in order) != list(range(rank)):
        raise refused(node, f"{list(order)} is no order of its axes")


def _gather(node: OnnxNode) -> None:
    shape = node.input(0).shape
    within(node, 1, shape[node.axis(0, len(shape))])


def _elements(node: OnnxNode) -> None:
    """GatherElements, ScatterElements: an index for each element, in rows that are there."""
    x, where = node.input(0).shape, node.input(1).shape
    axis = node.axis(0, len(x))
    fits = len(x) == len(where) and all(
        b <= a for i, (a, b) in enumerate(zip(x, where, strict=True)) if i != axis
    )
    if not fits:
        raise refused(node, f"the indices lie within the input but for axis {axis}")
    within(node, 1, x[axis])
    if node.has(2) and node.input(2).shape != where:
        raise refused(node, "there is an update for each index")


def _nd(node: OnnxNode) -> None:
    """GatherND, ScatterND: the last axis of the indices counts the axes that they name."""
    x, where = node.input(0).shape, node.input(1).shape
    batch = int(node.attr("batch_dims", 0))
    if not where or where[-1] > len(x) - batch or x[:batch] != where[:batch]:
        raise refused(node, "the indices name axes that are not there")
    if node.has(2) and node.input(2).shape != (*where[:-1], *x[where[-1] :]):
        raise refused(node, f"the updates have the shape {(*where[:-1], *x[where[-1] :])}")
    tensor = node.input(1)
    if isinstance(tensor, Weight) and tensor.size:
        for n in range(where[-1]):
            column = tensor.values[..., n]
            size = x[batch + n]
            if column.min() < -size or column.max() >= size:
                raise refused(node, f"an index beyond axis {batch + n} of {size}")


def _last_axis(node: OnnxNode) -> None:
    within(node, 1, node.input(0).shape[-1])


def _flattened(node: OnnxNode) -> None:
    rank, axis = len(node.input(0).shape), int(node.attr("axis", 1))
    if not -rank <= axis <= rank:
        raise refused(node, f"there is no axis {axis} of {rank}")


def _region(node: OnnxNode) -> None:
    """Resize: the region of interest has a start and an end for each axis."""
    count = len(node.attr("axes") or node.input(0).shape)
    if node.attr("coordinate_transformation_mode") != "tf_crop_and_resize" or not node.has(1):
        return
    if node.input(1).size not in (0, 2 * count):
        raise refused(node, f"a region of {node.input(1).size} numbers for {count} axes")


def _blocks(node: OnnxNode) -> None:
    shape, block = node.input(0).shape, int(node.attr("blocksize"))
    if len(shape) != 4 or block < 1:
        raise refused(node, "the input has four axes")
    whole = shape[1] % block**2 == 0 if node.op == "DepthToSpace" else not (
        shape[2] % block or shape[3] % block)  # fmt: skip
    if not whole:
        raise refused(node, f"there is no whole number of blocks of {block}")


def _reversed(node: OnnxNode) -> None:
    shape, lengths = node.input(0).shape, node.integers(1)
    batch, time = int(node.attr("batch_axis", 1)), int(node.attr("time_axis", 0))
    if len(shape) < 2 or {batch, time} != {0, 1} or len(lengths) != shape[batch]:
        raise refused(node, "there is a length for each sequence")
    if not all(0 <= length <= shape[time] for length in lengths):
        raise refused(node, f"the lengths {lengths} of {shape[time]} steps")


def _pads(node: OnnxNode) -> None:
    rank = len(node.input(0).shape)
    if node.opset < 11:
        numbers, count = list(node.attr("pads")), rank
    else:
        numbers = node.integers(1)
        count = len(node.integers(3)) if node.has(3) else rank
    if len(numbers) != 2 * count:
        raise refused(node, f"{len(numbers)} pads for {count} axes")


def _top(node: OnnxNode) -> None:
    shape = node.input(0).shape
    axis = node.axis(-1, len(shape))
    k = node.integers(1)[0] if node.opset >= 10 else int(node.attr("k"))
    if node.opset >= 10 and len(node.integers(1)) != 1:
        raise refused(node, "k is one number")
    if not 0 <= k <= shape[axis]:
        raise refused(node, f"{k} of {shape[axis]} elements")


def _accumulated(node: OnnxNode) -> None:
    rank, (axis, *others) = len(node.input(0).shape), node.integers(1)
    if others or not -rank <= axis < rank:
        raise refused(node, f"there is no axis {axis} of {rank}")


def _scattered(node: OnnxNode) -> None:
    cache, update = node.input(0).shape, node.input(1).shape
    axis = int(node.attr("axis", -2)) % max(len(cache), 1)
    fits = len(cache) == len(update) and all(
        a == b if i != axis else b <= a for i, (a, b) in enumerate(zip(cache, update, strict=True))
    )
    if not fits or (node.has(2) and node.input(2).shape != cache[:1]):
        raise refused(node, f"only axis {axis} may be shorter in the update")


def _grid(node: OnnxNode) -> None:
    x, grid = node.input(0).shape, node.input(1).shape
    if len(x) != len(grid) or x[0] != grid[0] or grid[-1] != len(x) - 2:
        raise refused(node, "the grid has a position with a coordinate for each spatial axis")


def _affine(node: OnnxNode) -> None:
    theta, size = node.input(0).shape, node.integers(1)
    rank = len(size) - 2
    if theta != (size[0], rank, rank + 1):
        raise refused(node, f"the maps have the shape {(size[0], rank, rank + 1)}")


def _columns(node: OnnxNode) -> None:
    """Col2Im: as many columns as blocks, as many rows as elements of a block for each channel."""
    x, image, block = node.input(0).shape, node.integers(1), node.integers(2)
    if len(x) != 3 or len(image) != len(block) or x[1] % max(math.prod(block), 1):
        raise refused(node, f"blocks of {block}")
    rank = len(image)
    strides, dilations = steps(node, "strides", rank), steps(node, "dilations", rank)
    pads = padding(node, image, block)
    counts = [
        window(n, k, s, d, pair).out or 0
        for n, k, s, d, pair in zip(image, block, strides, dilations, pads, strict=True)
    ]
    if x[2] != math.prod(counts):
        raise refused(node, f"{math.prod(counts)} blocks of {block} in {image}")


CONDITIONS: dict[str, Sequence[Condition]] = {
    "Concat": (same_but_along("axis", 1),),
    "Split": (_split,),
    "Squeeze": (_rank_of_axes,),
    "Unsqueeze": (_rank_of_axes,),
    **{
        f"Reduce{name}": (_rank_of_axes,)
        for name in (
            "Sum",
            "Mean",
            "Max",
            "Min",
            "Prod",
            "L1",
            "L2",
            "SumSquare",
            "LogSum",
            "LogSumExp",
        )
    },
    "MeanVarianceNormalization": (_rank_of_axes,),
    "Transpose": (_permutation,),
    "Gather": (_gather,),
    "GatherElements": (_elements,),
    "GatherND": (_nd,),
    "ScatterElements": (_elements,),
    "Scatter": (_elements,),
    "ScatterND": (_nd,),
    "TensorScatter": (_scattered,),
    "ArrayFeatureExtractor": (_last_axis,),
    "DepthToSpace": (_blocks,),
    "SpaceToDepth": (_blocks,),
    "ReverseSequence": (_reversed,),
    "Pad": (_pads,),
    "TopK": (_top,),
    "Flatten": (_flattened,),
    "Resize": (_region,),
    "Range": (without_axes(0, 1, 2),),
    "CumSum": (_accumulated,),
    "CumProd": (_accumulated,),
    "Col2Im": (_columns,),
    "GridSample": (_grid,),
    "AffineGrid": (_affine,),
}
