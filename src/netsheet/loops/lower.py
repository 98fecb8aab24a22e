"""Any equation as loops: right for every layer, fast for none in particular."""

from __future__ import annotations

from collections.abc import Sequence

from netsheet.equations import FLOAT, WHOLE, Equation, Index
from netsheet.loops.builder import FunctionBuilder
from netsheet.loops.ir import Store
from netsheet.loops.passes.collapse_loops import collapsed
from netsheet.loops.storage.addresses import Layout, Memory, flattened
from netsheet.loops.values import Values


def lower_equation(
    builder: FunctionBuilder, eq: Equation, layout: Layout, fixed: Sequence[Index] = ()
) -> None:
    """Add the loops that fill the equation's target; ``fixed`` indices are variables outside."""
    eq = collapsed(flattened(eq, layout), fixed)
    assert isinstance(eq.target, Memory) and eq.target.source is not None
    buffer, place = builder.buffers[eq.target.source], eq.at[0]
    inner = [index for index in eq.indices if index not in fixed]
    inner.sort(key=lambda index: -abs(place.coefficient(index)))
    values = Values(builder, eq.value)
    with builder.nested(*inner):
        value = values.value(eq.value, FLOAT if eq.target.dtype == FLOAT else WHOLE)
        builder.add(Store(buffer, values.position(place), value))
