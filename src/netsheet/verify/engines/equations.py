"""The network's equations, evaluated one after the other in doubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations.evaluation import evaluate
from netsheet.network import Network
from netsheet.verify.engines.base import Artefact, Recomputed, Values

NAME = "the equations, evaluated in doubles"


@dataclass(frozen=True)
class Equations:
    """What the network means, without anybody's rounding; ``why`` says why it is asked."""

    why: str = ""

    def absent(self) -> str | None:
        """It is always there."""

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """Every tensor of the artefact's network."""
        found = [in_doubles(artefact.network, sample) for sample in samples]
        return Recomputed(f"{NAME} ({self.why})" if self.why else NAME, found)


def in_doubles(network: Network, sample: Sample) -> Values:
    """The values of every computed tensor for one sample, by name."""
    given = {t: a.astype(float) for t, a in zip(network.inputs, sample.arrays, strict=True)}
    given |= {state.before: np.zeros(state.before.shape) for state in network.states}
    return {tensor.name: array for tensor, array in evaluate(network.equations(), given).items()}
