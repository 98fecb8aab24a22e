"""One row per ONNX operator: the rule that says what it computes."""

from __future__ import annotations

from netsheet.operators import (
    attention,
    blocks,
    classic,
    convolution,
    elementwise,
    fitting_moves,
    fitting_sums,
    fused,
    fused_norms,
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
from netsheet.operators.fitting import checked

_ROWS: dict[str, Rule] = {
    **elementwise.ROWS,
    **movement.ROWS,
    **blocks.ROWS,
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
    **classic.ROWS,
    **fused.ROWS,
    **fused_norms.ROWS,
}

# Each rule asks first whether the inputs' shapes go together.
_CONDITIONS = {**fitting_moves.CONDITIONS, **fitting_sums.CONDITIONS}
RULES: dict[str, Rule] = {
    op: checked(rule, fitting_sums.PATTERNS.get(op), _CONDITIONS.get(op, ()))
    for op, rule in _ROWS.items()
}

# Why some are not computed, and what to do instead.
_TREES = (
    "decision trees are not computed; what comes before them is. What gives the same classes and "
    "probabilities as a network: a linear model or an MLP, trained on the trees' probabilities"
)
_MACHINES = (
    "kernel machines are not computed; what comes before them is. What gives classes and "
    "probabilities as a network: a linear one (LinearSVC calibrated, LogisticRegression) or an MLP"
)
REASONS: dict[str, str] = {
    "TreeEnsembleClassifier": _TREES,
    "TreeEnsembleRegressor": _TREES,
    "TreeEnsemble": _TREES,
    "SVMClassifier": _MACHINES,
    "SVMRegressor": _MACHINES,
}
