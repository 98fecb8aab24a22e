"""Polynomials, running sums and losses among the operations of TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import Expr, Weight, call
from netsheet.errors import UnsupportedError
from netsheet.layers import ops
from netsheet.layers.base import constant
from netsheet.operators.series import accumulated_exponentials
from netsheet.read.keras.graph import TensorRef
from netsheet.read.keras.ops_made import Made, OperationRow, made

if TYPE_CHECKING:
    from netsheet.read.keras.ops import OperationCall


def _polynomial(c: OperationCall) -> Made:
    """``tf.math.polyval``: coefficients, the highest power first, and where; by Horner's rule.

    Keras 2 writes the coefficients as so many arguments, and the variable by its name.
    """
    given = list(c.args)
    if "x" in c.kwargs:
        given.append(c.kwargs["x"])
    if given and isinstance(given[0], (list, tuple)):
        given = [*given[0], *given[1:]]
    if len(given) < 2:
        raise UnsupportedError("it has no coefficients")
    operands: list[Weight | None] = [
        None
        if isinstance(part, TensorRef)
        else constant(f"coefficient{n}", np.asarray(part, float))
        for n, part in enumerate(given)
    ]

    def value(*values: Expr) -> Expr:
        *coefficients, x = values
        result = coefficients[0]
        for one in coefficients[1:]:
            result = one + result * x
        return result

    refs = [part for part in given if isinstance(part, TensorRef)]
    return ops.Operation(function=value, operands=tuple(operands)), refs


def _running(c: OperationCall) -> Made:
    axis = c.get(1, ("axis",), 0)
    if c.flag("exclusive"):
        raise UnsupportedError("a running sum without the element itself begins with -infinity")
    return made(accumulated_exponentials(int(axis), c.flag("reverse")), [c.tensor()])


def _sigmoid_loss(c: OperationCall) -> Made:
    """``max(x, 0) - x * z + log(1 + exp(-abs(x)))``, as TensorFlow computes it."""
    labels, logits = c.get(0, ("labels",)), c.get(1, ("logits",))
    if not (isinstance(labels, TensorRef) and isinstance(logits, TensorRef)):
        raise UnsupportedError("its labels or logits are constants")

    def loss(z: Expr, x: Expr) -> Expr:
        return call("max", x, 0) - x * z + call("log", 1 + call("exp", -call("abs", x)))

    return ops.Operation(function=loss, operands=(None, None)), [labels, logits]


SERIES: dict[str, OperationRow] = {
    "polyval": _polynomial,
    "cumulative_logsumexp": _running,
    "sigmoid_cross_entropy_with_logits": _sigmoid_loss,
}
