"""Penalties on weights and outputs that a layer adds to the loss.

Source of the formulas: keras/src/regularizers/regularizers.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsheet.equations import FloatArray

ACTIVITY = "activity"  # stands for the layer's output where others name a weight


@dataclass(frozen=True)
class Regularizer:
    """``l1 * sum|x| + l2 * sum x^2``, and ``orthogonal`` for rows or columns that are not.

    ``unknown`` is the class of one that is not known: its penalty cannot be computed.
    """

    l1: float = 0.0
    l2: float = 0.0
    orthogonal: float = 0.0
    rows: bool = True
    unknown: str = ""

    def penalty(self, values: FloatArray) -> float:
        """What it adds to the loss for these values."""
        x = np.asarray(values, float)
        total = 0.0
        if self.l1:
            total += self.l1 * float(np.abs(x).sum())
        if self.l2:
            total += self.l2 * float(np.square(x).sum())
        if self.orthogonal:
            total += self.orthogonal * _mean_cosine(x if self.rows else x.T)
        return total


def _mean_cosine(rows: FloatArray) -> float:
    """The mean absolute cosine between two different rows."""
    length = np.sqrt(np.maximum(np.square(rows).sum(1, keepdims=True), 1e-12))
    product = (rows / length) @ (rows / length).T
    size = len(rows)
    apart = np.abs(product * (1 - np.eye(size))).sum() / 2
    return float(apart / (size * (size - 1) / 2)) if size > 1 else 0.0
