"""Sums of products of whole numbers that float32 adds up exactly, in any order.

Where the weights of one sum, without their signs, times the largest value stay below 2^24, every
partial sum is a whole number that a float32 holds. Such a sum may be one Conv or MatMul.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from netsheet.equations import (
    FLOAT,
    LIMITS,
    Call,
    Const,
    Expr,
    Read,
    Reduce,
    Tensor,
    Weight,
    factors,
)

EXACT = 1 << 24  # below which float32 holds every whole number


class ExactSum(NamedTuple):
    """The same sum over real tensors: ``real`` has the numbers of ``whole``, less ``zero``."""

    total: Reduce
    real: Tensor
    whole: Tensor
    zero: int


def exact_sum(expr: Reduce) -> ExactSum | None:
    """The sum in float32; None where that may not be exact, or it is no such sum."""
    parts = factors(expr.body)
    if expr.op != "sum" or len(parts) != 2:
        return None
    found = [_centred(part) for part in parts]
    if any(part is None for part in found):
        return None
    pairs = [part for part in found if part is not None]
    stored = [part for part in pairs if isinstance(part[0].tensor, Weight)]
    given = [part for part in pairs if not isinstance(part[0].tensor, Weight)]
    if len(stored) != 1 or len(given) != 1:
        return None
    (w, w_zero), (x, zero) = stored[0], given[0]
    assert isinstance(w.tensor, Weight)
    values = w.tensor.values.astype(float) - w_zero
    low, high = LIMITS[x.tensor.dtype]
    largest = max(abs(low - zero), abs(high - zero))
    over = set(expr.over)
    axes = tuple(n for n, at in enumerate(w.at) if at.terms and set(at.indices()) <= over)
    if any(w.at[n].single() is None for n in axes) or not _all_read(w, expr):
        return None
    if np.abs(values).sum(axes).max(initial=0) * largest >= EXACT:
        return None
    name = f"{x.tensor.name}/centred{-zero:+d}" if zero else f"{x.tensor.name}/real"
    real = replace(x.tensor, name=name, mask=None, dtype=FLOAT, quantisation=None)
    weight = replace(
        w.tensor, name=f"{w.tensor.name}/real", dtype=FLOAT, quantisation=None,
        values=values.astype(np.float32),
    )  # fmt: skip
    body = Read(real, x.at) * Read(weight, w.at)
    return ExactSum(Reduce("sum", expr.over, body, expr.where), real, x.tensor, zero)


def _centred(expr: Expr) -> tuple[Read, int] | None:
    """A read of narrow whole numbers, and what is taken from it."""
    if isinstance(expr, Call) and expr.function in ("add", "sub"):
        inner, number = expr.args
        if isinstance(inner, Read) and isinstance(number, Const):
            zero = int(number.value) if expr.function == "sub" else -int(number.value)
            return _narrow(inner, zero)
        return None
    return _narrow(expr, 0) if isinstance(expr, Read) else None


def _narrow(read: Read, zero: int) -> tuple[Read, int] | None:
    return (read, zero) if read.tensor.dtype in ("int8", "uint8") else None


def _all_read(w: Read, expr: Reduce) -> bool:
    """True if one sum takes each weight along its axes no more than once."""
    used = [index for at in w.at for index in at.indices() if index in set(expr.over)]
    return len(used) == len(set(used)) and all(
        index in used or index.size == 1 for index in expr.over
    )
