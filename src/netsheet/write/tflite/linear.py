"""Layers that only multiply and add numbers: found by what their equations give."""

from __future__ import annotations

import numpy as np

from netsheet.equations.evaluation import evaluate
from netsheet.errors import UnsupportedError
from netsheet.nodes import Node
from netsheet.write.tflite.graph import Array, LiteTensor
from netsheet.write.tflite.lowering import Lowering

POINTS = (0.0, 1.0, -3.0)


def factors_of(node: Node) -> tuple[Array, Array]:
    """``a`` and ``b`` where the layer computes ``a * x + b``, one of each per channel.

    They come from the layer's equations at ``x`` = 0 and 1, in doubles.

    Raises:
        UnsupportedError: it computes something else, or not alike along the axes before the last.
    """
    (x,), (y,) = node.inputs, node.outputs
    equations = node.layer.equations(node.inputs, node.outputs)
    at = [np.asarray(evaluate(equations, {x: np.full(x.shape, p)})[y]) for p in POINTS]
    rows = [values.reshape(-1, values.shape[-1]) for values in at]
    if any(np.ptp(values, axis=0).any() for values in rows):
        raise UnsupportedError(f"{node.layer.type} along another axis than the last is not written")
    summand, one, far = (values[0] for values in rows)
    factor = one - summand
    if not np.allclose(far, factor * POINTS[2] + summand, rtol=1e-9, atol=1e-9):
        raise UnsupportedError(f"{node.layer.type} is more than a factor and a summand")
    return factor, summand


def scaled(lowering: Lowering, x: LiteTensor, factor: Array, summand: Array) -> LiteTensor:
    """``x * factor + summand``, whatever of the two does nothing left out."""
    for name, numbers, nothing in (("MUL", factor, 1.0), ("ADD", summand, 0.0)):
        single = np.unique(numbers)
        if single.size == 1:
            numbers = single.reshape(())
        if not np.array_equal(single, [nothing]):
            stored = lowering.constant(f"{name.lower()}/y", numbers)
            x = lowering.add(name, [x, stored], x.shape, f"{name.capitalize()}Options",
                             FusedActivationFunction=0)  # fmt: skip
    return x
