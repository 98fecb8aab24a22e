"""The losses of a batch's samples as one number, as Keras's losses reduce them.

Source of the formulas: keras/src/losses/loss.py, reduce_weighted_values.
"""

from __future__ import annotations

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError


def batch_loss(
    values: FloatArray, mask: FloatArray | None, weights: FloatArray | None, reduction: str
) -> float:
    """One number of a batch's, with its mask and the samples' weights, as ``reduction`` says."""
    if mask is None and weights is None:
        return float(values.sum() if reduction == "sum" else values.mean())
    factor = np.ones(values.shape)
    if mask is not None:
        valid = float(mask.sum())
        # steps that count weigh so much more that the mean is over them alone
        share = mask.size / valid if valid else 0.0
        factor = factor * mask * (1.0 if reduction == "sum" else share)
    if weights is not None:
        factor = factor * weights
    total = float((values * factor).sum())
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and (weights is not None or mask is not None):
        return total / float(factor.sum()) if factor.sum() else 0.0
    return total / values.size


def beside(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Weights of samples or steps with as many axes as the values, those behind of size 1."""
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if weights.ndim > values.ndim or weights.shape != values.shape[: weights.ndim]:
        raise NetsheetError(
            f"weights or a mask of {weights.shape} do not fit losses of {values.shape}"
        )
    return weights.reshape(*weights.shape, *[1] * (values.ndim - weights.ndim))


def weighed(mask: FloatArray, weights: FloatArray) -> FloatArray:
    """The product of a mask and weights, of which either may lack axes behind."""
    more, less = (mask, weights) if mask.ndim >= weights.ndim else (weights, mask)
    return more * less.reshape(*less.shape, *[1] * (more.ndim - less.ndim))
