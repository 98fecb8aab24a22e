"""What whole numbers stand for: real values beside them, scales and zero points in cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import (
    FLOAT,
    LIMITS,
    Equation,
    Expr,
    Quantisation,
    Tensor,
    Weight,
    call,
    equation,
    indices_of,
)
from netsheet.equations.entry import with_scales

if TYPE_CHECKING:
    from netsheet.network import Node

MOST_CELLS = 150_000  # of all real values together


@dataclass(eq=False)
class RealValues:
    """The tensors of real values, by the whole ones that they belong to."""

    of: dict[Tensor, Tensor] = field(default_factory=dict)

    def first(self, tensor: Tensor) -> Tensor:
        """The real values of a tensor where there are some, else the tensor itself."""
        return self.of.get(tensor, tensor)


def with_real_values(
    stated: Sequence[tuple[Node, list[Equation]]],
) -> tuple[list[tuple[Node, list[Equation]]], RealValues]:
    """Each node's equations, and behind them those of what its whole outputs stand for.

    Smaller tensors come first, until :data:`MOST_CELLS` are filled: a large map keeps its scale
    and zero point alone.
    """
    outputs = [t for node, _ in stated for t in node.outputs if t.quantisation is not None]
    chosen: set[Tensor] = set()
    used = 0
    for tensor in sorted(outputs, key=lambda one: one.size):
        used += tensor.size
        if used <= MOST_CELLS and not known(tensor).axes:
            chosen.add(tensor)
    result = RealValues()
    found = []
    for node, equations in stated:
        own = [tensor for tensor in node.outputs if tensor in chosen]
        made = [_real(tensor) for tensor in own]
        result.of.update({t: eq.target for t, eq in zip(own, made, strict=True)})
        found.append((node, [*equations, *made]))
    return found, result


def known(tensor: Tensor) -> Quantisation:
    """What the numbers of a quantised tensor stand for."""
    assert tensor.quantisation is not None
    return tensor.quantisation


def is_whole(tensor: Tensor) -> bool:
    """True for a tensor of whole numbers."""
    return tensor.dtype != FLOAT


def stored_scale(tensor: Tensor) -> tuple[Weight, Weight]:
    """Scale and zero point of a tensor, as numbers that get cells."""
    own = known(tensor)
    scale, zero = (
        Weight(f"{tensor.name}/{label}", (), (), label=label, values=np.array(number))
        for label, number in (("scale", own.step), ("zero_point", float(own.zero_point)))
    )
    return scale, zero


def _real(tensor: Tensor) -> Equation:
    """``(x - zero point) * scale``."""
    target = replace(tensor, name=f"{tensor.name}/real", dtype=FLOAT, quantisation=None, mask=None)
    scale, zero = stored_scale(tensor)
    at = indices_of(tensor)
    return equation(target[at], (tensor[at] - zero[()]) * scale[()])


def whole(tensor: Tensor, real: Expr) -> Expr:
    """The number of a quantised tensor that stands for a real one, held in its range."""
    scale, zero = stored_scale(tensor)
    low, high = LIMITS[tensor.dtype]
    nearest = call("whole", real / scale[()]) + zero[()]
    return call("min", call("max", nearest, low), high)


def weight_scales(weights: Iterable[Weight]) -> list[Weight]:
    """The scales of quantised weights: shown, never read."""
    known = [weight for weight in weights if weight.quantisation is not None]
    return [pair[1] for weight in known for pair in [*with_scales({weight.label: weight})][1:]]
