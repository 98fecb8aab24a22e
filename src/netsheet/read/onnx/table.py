"""One row per ONNX operator: the rule that says what it computes."""

from __future__ import annotations

from netsheet.operators import (
    attention,
    convolution,
    elementwise,
    lookup,
    loss,
    movement,
    normalization,
    products,
    quantization,
    recurrent,
    reduction,
    resize,
    sampling,
    signal,
    windows,
)
from netsheet.operators.base import Rule

RULES: dict[str, Rule] = {
    **elementwise.ROWS,
    **movement.ROWS,
    **products.ROWS,
    **reduction.ROWS,
    **lookup.ROWS,
    **windows.ROWS,
    **convolution.ROWS,
    **normalization.ROWS,
    **resize.ROWS,
    **quantization.ROWS,
    **attention.ROWS,
    **loss.ROWS,
    **recurrent.ROWS,
    **signal.ROWS,
    **sampling.ROWS,
}
