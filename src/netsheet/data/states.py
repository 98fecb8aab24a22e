"""Samples for a network whose states are inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netsheet.data.inputs import InputValue, Sample

if TYPE_CHECKING:
    from netsheet.network import Network


def with_states(sample: Sample, explicit: Network) -> Sample:
    """The sample with zeros for each state that it gives no value for."""
    missing = [
        tensor
        for tensor in explicit.inputs
        if tensor.name in explicit.state_names and tensor.name not in sample.inputs
    ]
    if not missing:
        return sample
    zeros = {t.name: InputValue(np.zeros(t.shape, np.float32)) for t in missing}
    return replace(sample, inputs={**sample.inputs, **zeros})
