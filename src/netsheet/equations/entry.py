"""Numbers that are given from outside, in the dtype of the tensor that takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.equations.dtypes import FLOAT, LIMITS, Quantisation
from netsheet.equations.values import Tensor, Weight
from netsheet.errors import UsageError

Array = npt.NDArray[Any]


def entered(tensor: Tensor, given: Any) -> Array:
    """What a tensor holds of given numbers, whatever axes they have.

    Real numbers become float32, or are quantised where the tensor says how. Whole ones are taken
    as they are.

    Raises:
        UsageError: whole numbers outside of the tensor's range.
    """
    array = np.asarray(given)
    if tensor.dtype == FLOAT:
        return array.astype(np.float32, copy=False)
    if array.dtype.kind == "f" and tensor.quantisation is not None:
        return tensor.quantisation.whole(array, tensor.dtype)
    low, high = LIMITS[tensor.dtype]
    if array.dtype.kind not in "iu" or (
        array.size and not low <= array.min() <= array.max() <= high
    ):
        raise UsageError(
            f"input {tensor.name!r} takes whole numbers from {low} to {high}, or real ones, which "
            "are quantised."
        )
    return array.astype(tensor.dtype)


def meaning(tensor: Tensor, values: Array) -> Array:
    """The real numbers, as float32, that a tensor's numbers stand for; real ones as they are."""
    if tensor.quantisation is None or values.dtype.kind == "f":
        return values
    return tensor.quantisation.real(values).astype(np.float32)


def scale_text(dtype: str, known: Quantisation | None) -> str:
    """``int8: (q + 128) * 0.00390625``, what a number q means; empty for real numbers."""
    if known is None:
        return ""
    zero = known.zero_point
    centred = f"(q {'-' if zero > 0 else '+'} {abs(zero)})" if zero else "q"
    return f"{dtype}: {centred} * {known.step:g}"


def with_scales(weights: Mapping[str, Weight]) -> Iterator[tuple[str, Weight]]:
    """Weights by their labels, each followed by its scales where it is quantised.

    A scale has the axes that it is given for; one for the whole weight has one element.
    """
    for label, weight in weights.items():
        yield label, weight
        known = weight.quantisation
        if known is not None:
            values = np.atleast_1d(np.asarray(known.scale, np.float32))
            named = f"{label}_scale"
            yield (
                named,
                Weight(
                    f"{weight.name}_scale",
                    known.axes or ("weight",),
                    values.shape,
                    label=named,
                    values=values,
                ),
            )
