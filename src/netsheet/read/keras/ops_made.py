"""What a row of the tables of operations makes: a rule applied to the tensors of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.equations import Weight
from netsheet.layer import Layer
from netsheet.layers.base import constant
from netsheet.operators import array_ops
from netsheet.operators.base import Rule
from netsheet.read.keras.graph import TensorRef

if TYPE_CHECKING:
    from netsheet.read.keras.ops import OperationCall


Made = tuple[Layer, list[TensorRef]]
OperationRow = Callable[["OperationCall"], Made]


def made(
    rule: Rule,
    given: Sequence[Any],
    *,
    count: int = 1,
    attributes: Mapping[str, Any] | None = None,
) -> Made:
    """The rule applied to tensors and constants, and the tensors."""
    operands: list[int | str] = []
    refs: list[TensorRef] = []
    weights: dict[str, Weight] = {}
    for part in given:
        if isinstance(part, TensorRef):
            operands.append(len(refs))
            refs.append(part)
        else:
            label = f"constant{len(weights)}"
            weights[label] = constant(label, np.asarray(part, float))
            operands.append(label)
    layer = array_ops.ArrayOperation(
        rule=rule, attributes=dict(attributes or {}), count=count,
        operands=tuple(operands), dtypes=("float32",) * len(operands),
        stripped=(True,) * len(refs), batch=True, settings=weights,
    )  # fmt: skip
    return layer, refs
