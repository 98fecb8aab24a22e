"""Dilated convolutions that a converter has spread over the batch, put together again.

TensorFlow says a dilated convolution as SPACE_TO_BATCH_ND, a plain one, BATCH_TO_SPACE_ND: every
``n``-th row and column becomes a sample of its own. The same numbers are added up as by a dilated
convolution with the padding of the first operator, less what the last one cuts off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from netsheet.read.tflite.file import Spread, StoredModel, StoredOperator, StoredTensor

SPREADING, GATHERING = "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
DOUBT = "the file gives the samples behind SPACE_TO_BATCH_ND a number that is not theirs"
AXES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")  # a sequence as a picture of one row, and back


def with_dilations(model: StoredModel) -> StoredModel:
    """The model with a dilated convolution for each such group of operators.

    Groups of other kinds stay as they are.
    """
    for first in [one for one in model.operators if one.name == SPREADING]:
        group = _group(model, first)
        if group is not None:
            model = _joined(model, group)
    return model


def _group(model: StoredModel, first: StoredOperator) -> list[StoredOperator] | None:
    """The operators from one that spreads to the one that gathers, each read by the next alone."""
    found = [first]
    while found[-1].name != GATHERING:
        if len(found[-1].outputs) != 1:
            return None
        number = found[-1].outputs[0]
        readers = [one for one in model.operators if number in one.inputs]
        if len(readers) != 1 or number in model.outputs or readers[0].inputs[0] != number:
            return None
        found.append(readers[0])
        if len(found) > 5:
            return None
    ends = (found[0], found[-1])
    if any(len(one.inputs) != 3 or min(one.inputs) < 0 or len(one.outputs) != 1 for one in ends):
        return None
    middle = [one.name for one in found[1:-1]]
    around = [name for name in middle if name not in CONVOLUTIONS]
    fits = len(middle) - len(around) == 1 and set(around) <= set(AXES) and len(around) in (0, 2)
    return found if fits and (not around or middle[1] in CONVOLUTIONS) else None


def _joined(model: StoredModel, group: Sequence[StoredOperator]) -> StoredModel:
    first, *middle, last = group
    tensors = list(model.tensors)
    given, result = tensors[first.inputs[0]], tensors[last.outputs[0]]
    numbers = [
        None if values is None else values.astype(int).reshape(-1).tolist()
        for values in (tensors[n].values for n in (*first.inputs[1:3], *last.inputs[1:3]))
    ]
    if len(numbers) != 4 or any(found is None for found in numbers):
        return model
    blocks, pads, others, crops = (list(found or ()) for found in numbers)
    rank = len(given.shape)
    if blocks != others or not len(blocks) == len(pads) // 2 == len(crops) // 2 == rank - 2:
        return model
    around = [pads[n] - crops[n] for n in range(len(pads))]
    pairs = [(around[n], around[n + 1]) for n in range(0, len(around), 2)]
    if min(around) < 0 or rank not in (3, 4) or (rank == 4) != (len(middle) == 1):
        return model
    (product,) = (one for one in middle if one.name in CONVOLUTIONS)
    kernel = tensors[product.inputs[1]].shape[1:3][4 - rank :] if len(product.inputs) > 1 else ()
    reached = [
        size + sum(pair) - block * (wide - 1)
        for size, pair, block, wide in zip(given.shape[1:], pairs, blocks, kernel, strict=False)
    ]
    if reached != list(result.shape[1 : rank - 1]):
        return model
    gone = {number for one in group[:-1] for number in one.outputs}
    samples = given.shape[0] * math.prod(blocks)
    doubt = model.doubt if tensors[first.outputs[0]].shape[0] == samples else DOUBT
    row = (1,) * (4 - rank)  # of a sequence, the axis that is added
    spread = Spread((*row, *blocks), (*((0, 0) for _ in row), *pairs))
    if rank == 4:
        made = [replace(middle[0], inputs=(given.number, *middle[0].inputs[1:]),
                        outputs=(result.number,), spread=spread)]  # fmt: skip
    else:
        before, _, after = middle
        tensors[before.outputs[0]] = _shaped(tensors[before.outputs[0]], given, 1)
        tensors[product.outputs[0]] = _shaped(tensors[product.outputs[0]], result, 1)
        made = [
            replace(before, inputs=(given.number, *before.inputs[1:])),
            replace(product, spread=spread),
            replace(after, outputs=(result.number,)),
        ]
    operators = [one for one in model.operators if one not in group]
    operators[model.operators.index(first) : model.operators.index(first)] = made
    moved = model.moved | gone
    return replace(model, tensors=tensors, operators=operators, moved=moved, doubt=doubt)


def _shaped(tensor: StoredTensor, like: StoredTensor, at: int) -> StoredTensor:
    """A tensor in the shape of a sequence, with an axis of one element more."""
    shape = (*like.shape[:at], 1, *like.shape[at:])
    return replace(tensor, shape=shape, signature=shape)
