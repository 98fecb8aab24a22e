"""Which computation does which equation: a sum of products, a pooling, or plain loops."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from netsheet.equations import FLOAT, Equation, Index, Tensor
from netsheet.loops.builder import ProgramNames
from netsheet.loops.computations import Computation, ElementLoops, TimeLoop, groups
from netsheet.loops.passes.readers import read_by
from netsheet.loops.products.guarded_sums import two_sums
from netsheet.loops.products.pooled_sums import pooled_sums
from netsheet.loops.products.pooling import WindowMaximum, window_maximum
from netsheet.loops.products.recognise import recognised
from netsheet.loops.products.rows import by_rows
from netsheet.loops.products.sums import SumOfProducts
from netsheet.loops.products.tiling import choose_row_functions
from netsheet.loops.products.whole_pooling import pooled_whole_products
from netsheet.loops.products.whole_tiles import WholeProducts, whole_products
from netsheet.loops.storage.addresses import Layout
from netsheet.loops.storage.constants import Constants


def scheduled(
    equations: Sequence[Equation],
    layout: Layout,
    held: AbstractSet[Tensor],
    constants: Constants,
    names: ProgramNames,
    fast: bool,
) -> list[Computation]:
    """Computations in the order of the equations; ``fast`` False gives plain loops only."""
    result: list[Computation] = []
    for time, members in groups(equations):
        fixed = () if time is None else (time,)
        found = [one for eq in members for one in _computations(eq, layout, fixed, constants, fast)]
        result += found if time is None else [TimeLoop(time, found)]
    if fast:
        result = _with_poolings(result, equations, layout, held)
        result = choose_row_functions(result, names, constants)
    return result


def _computations(
    eq: Equation, layout: Layout, fixed: Sequence[Index], constants: Constants, fast: bool
) -> list[Computation]:
    if not fast:
        return [ElementLoops(eq, fixed)]
    if eq.target.dtype != FLOAT or any(t.dtype != FLOAT for t in read_by(eq)):
        whole = whole_products(eq, layout, fixed, constants) or _whole_maximum(eq, layout, fixed)
        return [whole or ElementLoops(eq, fixed)]  # row functions compute in float32
    total = _sum(eq, layout, fixed)
    if total is not None:
        return [total]
    pool = window_maximum(eq, layout, fixed)
    if pool is not None:
        return [pool]
    both = [_sum(part, layout, fixed) for part in two_sums(eq)]
    found = [total for total in both if total is not None]
    return [*found] if len(found) == 2 else [ElementLoops(eq, fixed)]


def _whole_maximum(eq: Equation, layout: Layout, fixed: Sequence[Index]) -> Computation | None:
    """A pooling of numbers of one kind."""
    alike = {eq.target.dtype} == {tensor.dtype for tensor in read_by(eq)}
    return window_maximum(eq, layout, fixed) if alike else None


def _sum(eq: Equation, layout: Layout, fixed: Sequence[Index]) -> SumOfProducts | None:
    products = recognised(eq, layout, fixed)
    return by_rows(products, fixed) if products is not None else None


def _with_poolings(
    computations: Sequence[Computation],
    equations: Sequence[Equation],
    layout: Layout,
    held: AbstractSet[Tensor],
) -> list[Computation]:
    """Sums that only a pooling reads, in one with it."""
    users: dict[Tensor, int] = {}
    for eq in equations:
        for tensor in read_by(eq):
            users[tensor] = users.get(tensor, 0) + 1
    makers: dict[Tensor, list[Computation]] = {}
    for one in computations:
        for tensor in one.writes:
            makers.setdefault(tensor, []).append(one)
    joined: dict[int, Computation | None] = {}
    for pool in computations:
        if not isinstance(pool, WindowMaximum) or pool.x in held or users[pool.x] != 1:
            continue
        made = makers.get(pool.x, [])
        if len(made) == 1 and isinstance(made[0], WholeProducts):
            whole = pooled_whole_products(made[0], pool)
            if whole is not None:
                joined[id(pool)], joined[id(made[0])] = whole, None
        if len(made) != 1 or not isinstance(made[0], SumOfProducts):
            continue
        products = recognised(made[0].products.equation, layout)
        apart = by_rows(products, (), whole=False) if products is not None else None
        both = pooled_sums(apart, pool) if apart is not None else None
        if both is not None:
            joined[id(pool)], joined[id(made[0])] = both, None
    every = (joined.get(id(one), one) for one in computations)
    return [one for one in every if one is not None]
