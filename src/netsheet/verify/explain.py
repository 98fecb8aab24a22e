"""Why a layer is out of bounds where float32 itself is to blame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netsheet.engine.run import engine
from netsheet.fidelity import BOUND, Verdict

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.network import Network


def explained(model: Network, samples: Sequence[Sample], verdict: Verdict) -> Verdict:
    """The verdict with a note at each failing layer whose float32 reference is itself that far off.

    Large sums that cancel, or a small range behind large values (ReLU6 in a network of random
    weights), lose digits in any order of summation. The layer still fails.
    """
    failing = [row.layer for row in verdict.layers if not row.ok and math.isfinite(row.max_abs)]
    if not failing or not samples:
        return verdict
    from netsheet.equations.evaluation import evaluate

    sample = samples[0]
    if not model.bound:
        model = model.bind({name: v.values.shape for name, v in sample.inputs.items()})
    given = {t: sample.inputs[t.name].values.astype(float) for t in model.inputs}
    exact = evaluate(model.equations(), given)
    tensors = {tensor.name: tensor for tensor in exact}
    single = engine(model).activations([array[None] for array in sample.arrays])
    notes = {}
    for name in failing:
        if name in tensors and name in single:
            expected = exact[tensors[name]]
            off = float(np.abs(single[name][0] - expected).max(initial=0.0))
            if off > BOUND * max(1.0, float(np.abs(expected).max(initial=0.0))) / 4:
                notes[name] = f"float32 itself is off by {off:.1e} here"
    rows = [
        replace(row, note=row.note or notes[row.layer]) if row.layer in notes else row
        for row in verdict.layers
    ]
    return replace(verdict, layers=rows)
