"""netsheet's own engine, where somebody else is the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.engine.run import Engine
from netsheet.verify.engines.base import Artefact, Recomputed


class OwnEngine:
    """What ``netsheet activations`` shows: ONNX Runtime, float32, all samples in a batch."""

    def absent(self) -> str | None:
        """It is always there."""

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """Every computed layer."""
        columns = zip(*(sample.arrays for sample in samples), strict=True)
        inputs = [np.stack(column) for column in columns]
        found = Engine(artefact.network).activations(inputs, list(artefact.keys))
        rows = [{key: a[n] for key, a in found.items()} for n in range(len(samples))]
        return Recomputed("netsheet (ONNX Runtime)", rows)
