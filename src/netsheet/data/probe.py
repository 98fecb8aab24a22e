"""An input for proofs where the user gives none: random, and the same every time."""

from __future__ import annotations

import numpy as np

from netsheet.data.inputs import InputValue, Sample
from netsheet.data.scaling import token_inputs, whole_inputs
from netsheet.equations import FLOAT, LIMITS, FloatArray
from netsheet.equations.entry import entered
from netsheet.network import Network

OPEN_SIZE = 8  # stands for a size that the model leaves open


def probe(model: Network, seed: int = 0) -> Sample:
    """Numbers of a normal distribution for every input; tokens where an Embedding reads them."""
    random = np.random.default_rng(seed)
    tokens, whole = token_inputs(model), whole_inputs(model)
    inputs = {}
    for tensor in model.inputs:
        shape = tuple(OPEN_SIZE if size is None else size for size in tensor.shape)
        values = random.standard_normal(shape)
        if tensor.name in tokens:
            values = random.integers(0, tokens[tensor.name], shape).astype(float)
        elif tensor.name in whole:
            values = np.round(values * 3)
        given: FloatArray = values
        if tensor.dtype != FLOAT:
            low, high = LIMITS[tensor.dtype]
            given = random.integers(low, high + 1, shape)
        inputs[tensor.name] = InputValue(entered(tensor, given))
    return Sample("random input", inputs, note="no input was given: random numbers stand in")
