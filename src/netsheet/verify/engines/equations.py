"""The network's equations, evaluated one after the other in doubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.data.succession import going_on
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
        network, found = artefact.network, list[Values]()
        for sample in samples:
            found.append(in_doubles(network, going_on(network, sample, found, artefact.back)))
        return Recomputed(f"{NAME} ({self.why})" if self.why else NAME, found)


def in_doubles(network: Network, sample: Sample) -> Values:
    """The values of every computed tensor for one sample, by name.

    States are zeros where the sample gives none.
    """
    given = {t: sample.inputs[t.name].values.astype(float) for t in network.inputs}
    for state in network.states:
        value = sample.inputs.get(state.before.name)
        given[state.before] = (
            np.zeros(state.before.shape) if value is None else value.values.astype(float)
        )
    return {tensor.name: array for tensor, array in evaluate(network.equations(), given).items()}
