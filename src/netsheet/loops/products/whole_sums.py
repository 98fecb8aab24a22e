"""Sums of products of whole numbers in equations over memory: what they multiply, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from netsheet.equations import (
    LIMITS,
    Affine,
    Call,
    Const,
    Equation,
    Expr,
    Guard,
    Index,
    Read,
    Reduce,
    Tensor,
    Weight,
    children,
    factors,
    free_indices,
    in_order,
    on_reads,
    reads,
    transform,
    walk,
)
from netsheet.loops.passes.collapse_loops import collapsed
from netsheet.loops.passes.fold_constants import constant_values
from netsheet.loops.products.guarded_sums import product
from netsheet.loops.products.recognise import linear, roles, split, taps_of
from netsheet.loops.storage.addresses import Layout, Memory, flattened

Whole = npt.NDArray[np.int64]
LARGEST = LIMITS["int32"][1]


@dataclass(eq=False)
class WholeSum:
    """An equation over memory with one sum of products of whole numbers, taken apart.

    Products are of ``x + zero`` and weights; ``total`` is the part of the value that is ``start``
    by channel and the sum. Indices as in
    :class:`~netsheet.loops.products.recognise.ProductPattern`.
    """

    equation: Equation
    total: Expr
    x: Tensor
    x_at: Affine
    zero: int
    pixels: list[Index]
    channels: list[Index]
    groups: list[Index]
    unit: list[Index]
    tap: Index | None
    rows: list[Index]
    guards: dict[Index, Guard]
    deep: bool
    weights: Whole  # (groups, channels, tap, rows and units)
    start: Whole  # (groups, channels)
    note: str  # the names of the constants

    @property
    def along(self) -> Index | None:
        """The pixels of a row."""
        return self.pixels[-1] if self.pixels else None

    @property
    def inputs(self) -> tuple[int, int]:
        """The smallest and the largest number that is multiplied."""
        low, high = LIMITS[self.x.dtype]
        return low + self.zero, high + self.zero

    @cached_property
    def limit(self) -> int:
        """A magnitude that no sum exceeds, whole or unfinished, with the zero point or without."""
        low, high = self.inputs
        most = max(-low, high, *(abs(end) for end in LIMITS[self.x.dtype]))
        size = np.abs(self.weights).sum(axis=(2, 3)) * most
        return int((size + np.maximum(np.abs(self.start), np.abs(self.folded))).max(initial=0))

    @property
    def units(self) -> int:
        """Adjacent inputs of a tap and a row; channels, where input and output have the same."""
        return math.prod(i.size for i in (self.channels if self.deep else self.unit))

    @cached_property
    def folded(self) -> Whole:
        """What sums of ``x`` itself start with; right where all taps count everywhere."""
        found: Whole = self.start + self.zero * self.weights.sum(axis=(2, 3))
        return found


def whole_sum(eq: Equation, layout: Layout, fixed: Sequence[Index]) -> WholeSum | None:
    """The parts of an equation of whole numbers that has one sum of products, or None."""
    totals = {id(node): node for node in walk(eq.value) if isinstance(node, Reduce)}
    total = next(iter(totals.values()), None)
    if len(totals) != 1 or total is None or total.op != "sum":
        return None
    eq = collapsed(flattened(eq, layout), fixed)
    total = next(node for node in walk(eq.value) if isinstance(node, Reduce))
    found = _factors(total)
    if found is None:
        return None
    read, zero, constants = found
    if not linear(read.at[0]) or not linear(eq.at[0]):
        return None
    if any(read.at[0].coefficient(index) < 0 for index in total.over):
        return None
    parts = roles(eq, read.at[0], eq.at[0], constants, total, fixed)
    tests = taps_of(total)
    if parts is None or tests is None or tests[1]:
        return None
    pixels, channels, groups, deep = parts
    places = split(read.at[0], total, tests[0], pixels, deep)
    if places is None:
        return None
    unit, tap, rows = places
    outer, summed = [*groups, *channels], [*([tap] if tap else []), *rows, *unit]
    known, bias = _started(eq.value, total, outer)
    numbers = _whole_values(product(constants), [*outer, *summed])
    start = _whole_values(bias, outer) if bias is not None else np.zeros(1, np.int64)
    if numbers is None or start is None or np.abs(numbers).max(initial=0) > LIMITS["int8"][1] + 1:
        return None
    if numbers.max(initial=0) > LIMITS["int8"][1]:
        return None
    shape = math.prod(i.size for i in groups), math.prod(i.size for i in channels)
    numbers = numbers.reshape(*shape, tap.size if tap else 1, -1)
    start = np.broadcast_to(start.reshape(shape) if start.size > 1 else start, shape)
    assert isinstance(read.tensor, Memory) and read.tensor.source is not None
    names = [node.tensor.name for part in (*constants, bias) if part for node in reads(part)]
    result = WholeSum(
        eq, known, read.tensor.source, read.at[0], zero, pixels, channels, groups, unit, tap, rows,
        tests[0], deep, numbers, start, ", ".join(dict.fromkeys(names)),
    )  # fmt: skip
    return result if _fits(result) else None


def _fits(found: WholeSum) -> bool:
    """True if 32 bits hold every sum on the way, and 16 every input."""
    low, high = found.inputs
    if low < LIMITS["int16"][0] or high > LIMITS["int16"][1]:
        return False
    return found.limit <= LARGEST


def _factors(total: Reduce) -> tuple[Read, int, list[Expr]] | None:
    """The only read that is no weight, what is added to it, and the factors of weights."""
    parts = factors(total.body)
    constants = [part for part in parts if _constant(part)]
    others = [part for part in parts if not _constant(part)]
    if len(others) != 1 or not constants:
        return None
    part, zero = others[0], 0.0
    if isinstance(part, Call) and part.function in ("add", "sub") and len(part.args) == 2:
        left, right = part.args
        if not isinstance(right, Const):
            return None
        zero = right.value if part.function == "add" else -right.value
        part = left
    if not isinstance(part, Read) or not float(zero).is_integer():
        return None
    return (part, int(zero), constants) if part.tensor.dtype in LIMITS else None


def _started(value: Expr, total: Reduce, outer: Sequence[Index]) -> tuple[Expr, Expr | None]:
    """The sum with the number of each channel that is added to it, and that number."""
    above = [node for node in in_order(value) for child in children(node) if child is total]
    adding: Expr | None = above[0] if len(above) == 1 else None
    if not isinstance(adding, Call) or adding.function != "add":
        return total, None
    left, right = adding.args
    other = right if left is total else left
    if not _constant(other) or any(i not in outer and i.size > 1 for i in free_indices(other)):
        return total, None
    return adding, other


def _constant(expr: Expr) -> bool:
    """True for a value of weights alone."""
    return all(_weight(node.tensor) is not None for node in reads(expr))


def _weight(tensor: Tensor) -> Weight | None:
    source = tensor.source if isinstance(tensor, Memory) else tensor
    return source if isinstance(source, Weight) else None


def _whole_values(expr: Expr, indices: Sequence[Index]) -> Whole | None:
    """A value of weights in memory for every value of some indices; None if it is not whole."""
    if isinstance(expr, Read) and linear(expr.at[0]):
        found = _strided(expr, indices)
        if found is not None:
            return found

    def flat(node: Read) -> Expr:
        weight = _weight(node.tensor)
        assert weight is not None
        values = np.asarray(weight.values, float).reshape(-1)
        return replace(node, tensor=Weight(weight.name, ("address",), values.shape, values=values))

    found = constant_values(transform(expr, on_reads(flat)), indices)
    whole = np.rint(found).astype(np.int64)
    return whole if (whole == found).all() else None


def _strided(read: Read, indices: Sequence[Index]) -> Whole | None:
    """A weight's own numbers at an address that is a sum of the indices; None of real ones."""
    weight, at = _weight(read.tensor), read.at[0]
    assert weight is not None
    values = np.ascontiguousarray(weight.values).reshape(-1)
    low, high = at.bounds()
    moving = set(at.indices()) <= {*indices}
    if values.dtype.kind not in "iu" or low < 0 or high >= values.size or not moving:
        return None
    shape = [index.size for index in indices]
    strides = [at.coefficient(index) * values.itemsize for index in indices]
    return np.lib.stride_tricks.as_strided(values[at.const :], shape, strides).astype(np.int64)
