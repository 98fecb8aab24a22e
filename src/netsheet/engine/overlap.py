"""Losses of whole masks: how little the predicted and the true one overlap.

Source of the formulas: keras/src/losses/losses.py, dice and tversky. Without ``axis`` all samples
of a batch are one mask, so that a batch has one loss and its samples have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import UnsupportedError

EPSILON = 1e-7
# The true and the predicted mask -> a loss for what is left after summing over the axes.
Overlap = Callable[[FloatArray, FloatArray], FloatArray]


def _axes(options: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The axes that are summed over; None: all.

    Raises:
        UnsupportedError: they are no whole numbers.
    """
    stored = options.get("axis")
    axes = stored if isinstance(stored, list | tuple) else [stored]
    if stored is None:
        return None
    if not all(type(axis) is int for axis in axes):
        raise UnsupportedError(f"a loss along the axes {str(stored)[:60]}")
    return tuple(axes)


def over_samples(options: Mapping[str, Any]) -> bool:
    """True if the samples of a batch are summed over, so that they have no losses of their own."""
    axes = _axes(options)
    return axes is None or 0 in axes


def dice(options: Mapping[str, Any]) -> Overlap:
    """``1 - 2 |y p| / (|y| + |p|)``."""
    axes = _axes(options)

    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        both = (y * p).sum(axes)
        return np.asarray(1 - 2 * both / (y.sum(axes) + p.sum(axes) + EPSILON))

    return loss


def tversky(options: Mapping[str, Any]) -> Overlap:
    """``1 - |y p| / (|y p| + alpha |y (1 - p)| + beta |(1 - y) p|)``."""
    axes = _axes(options)
    alpha, beta = float(options.get("alpha", 0.5)), float(options.get("beta", 0.5))

    def loss(y: FloatArray, p: FloatArray) -> FloatArray:
        both = (y * p).sum(axes)
        apart = alpha * (y * (1 - p)).sum(axes) + beta * ((1 - y) * p).sum(axes)
        return np.asarray(1 - both / (both + apart + EPSILON))

    return loss
