"""Sizes that a file computes: where the batch is left open, shapes are worked out as it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.read.tflite.file import StoredOperator

Array = npt.NDArray[Any]
DEEPEST = 24  # operators from a shape to the sizes that are worked out from it
LARGEST = 64  # numbers in such a list


class WorkedOutSizes:
    """The numbers that operators work out from shapes.

    ``shape_of`` gives the shape of a computed tensor, None where it is not known; ``values_of``
    the numbers of a stored one.
    """

    def __init__(
        self,
        operators: Sequence[StoredOperator],
        shape_of: Callable[[int], tuple[int, ...] | None],
        values_of: Callable[[int], Array | None],
    ) -> None:
        self._makers = {number: one for one in operators for number in one.outputs}
        self._shape_of, self._values_of = shape_of, values_of
        self._found: dict[int, Array] = {}

    def of(self, number: int, depth: int = 0) -> Array | None:
        """The numbers of a tensor; None where they do not come from shapes alone."""
        stored = self._found.get(number)
        if stored is None:
            stored = self._values_of(number)
        if stored is not None:
            return stored if stored.size <= LARGEST else None
        operator = self._makers.get(number)
        if operator is None or depth > DEEPEST:
            return None
        if operator.name == "SHAPE":
            return self._shape(operator.inputs[0], depth)
        if operator.name not in RULES:
            return None
        inputs = []
        for n in operator.inputs:
            one = self.of(n, depth + 1) if n >= 0 else None
            if one is None:
                return None
            inputs.append(one)
        made = RULES[operator.name](operator, inputs)
        if made is None or made.size > LARGEST:
            return None
        self._found[number] = made
        return made

    def _shape(self, number: int, depth: int) -> Array | None:
        """The shape of a tensor, of one that only a reshape would fill too."""
        known = self._shape_of(number)
        if known is not None:
            return np.array(known, np.int64)
        maker = self._makers.get(number)
        if maker is None or maker.name != "RESHAPE" or len(maker.inputs) < 2 or depth > DEEPEST:
            return None
        sizes = self.of(maker.inputs[1], depth + 1)
        if sizes is not None and (sizes == -1).sum() == 1:
            whole, rest = self._shape(maker.inputs[0], depth + 1), -int(np.prod(sizes))
            if whole is None or rest < 1 or int(np.prod(whole)) % rest:
                return None
            sizes = np.where(sizes == -1, int(np.prod(whole)) // rest, sizes)
        return sizes if sizes is not None and (sizes > 0).all() else None


def _sliced(operator: StoredOperator, inputs: Sequence[Array]) -> Array | None:
    """One list, from a first to a last position."""
    options = operator.options("StridedSliceOptions")
    if options is None or any(one.size != 1 for one in inputs[1:]) or inputs[0].ndim != 1:
        return None
    begin, end, step = (int(one.reshape(-1)[0]) for one in inputs[1:])
    if options.ShrinkAxisMask():
        return np.asarray(inputs[0][begin])
    first = None if options.BeginMask() else begin
    last = None if options.EndMask() else end
    return np.asarray(inputs[0][first:last:step])


def _chained(operator: StoredOperator, inputs: Sequence[Array]) -> Array | None:
    return np.concatenate([np.atleast_1d(one) for one in inputs])


def _packed(operator: StoredOperator, inputs: Sequence[Array]) -> Array | None:
    return np.stack(list(inputs))


def _gathered(operator: StoredOperator, inputs: Sequence[Array]) -> Array | None:
    return np.asarray(np.take(inputs[0], inputs[1].astype(int)))


def _multiplied(operator: StoredOperator, inputs: Sequence[Array]) -> Array | None:
    return np.asarray(np.prod(inputs[0]))


RULES: Mapping[str, Callable[[StoredOperator, Sequence[Array]], Array | None]] = {
    "STRIDED_SLICE": _sliced,
    "CONCATENATION": _chained,
    "PACK": _packed,
    "GATHER": _gathered,
    "REDUCE_PROD": _multiplied,
    "MUL": lambda operator, inputs: np.asarray(inputs[0] * inputs[1]),
    "ADD": lambda operator, inputs: np.asarray(inputs[0] + inputs[1]),
    "SUB": lambda operator, inputs: np.asarray(inputs[0] - inputs[1]),
    "CAST": lambda operator, inputs: inputs[0],
}
