"""Equations made shorter before they are printed; what they compute stays the same.

Constants are computed beforehand, copies are read at their source, and an element-by-element step
is written into the equation before or behind it. Tensors that are ``kept`` stay as they are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Gather,
    Index,
    Number,
    Position,
    Read,
    Reduce,
    Select,
    Tensor,
    Weight,
    affine,
    reads,
    walk,
)
from netsheet.equations.evaluation import evaluate
from netsheet.equations.matching import matched, mixed_radix
from netsheet.equations.positions import substituted
from netsheet.equations.transform import Transform, on_reads, substitute, transform
from netsheet.write.c.guards import narrowed, unpadded

MOST_CONSTANT = 1 << 16  # elements; larger constants are computed on the device


def simplified(equations: Iterable[Equation], kept: AbstractSet[Tensor]) -> list[Equation]:
    """The same computation in fewer, larger equations."""
    result = needed(constants_folded(list(equations), kept), kept)
    before = -1
    while before != len(result):
        before = len(result)
        for position in range(len(result) - 1, -1, -1):
            result = _without(result, position, kept) or result
    return [narrowed(eq) for eq in needed(result, kept)]


def needed(equations: Sequence[Equation], kept: AbstractSet[Tensor]) -> list[Equation]:
    """The equations without those that no kept tensor depends on."""
    wanted = set(kept)
    result: list[Equation] = []
    size = -1
    while size != len(wanted):
        size = len(wanted)
        result = [eq for eq in equations if eq.target in wanted]
        wanted.update(tensor for eq in result for tensor in read_by(eq))
    return result


@functools.lru_cache(maxsize=1 << 14)
def read_by(eq: Equation) -> AbstractSet[Tensor]:
    """The tensors that an equation reads, positions and targets included."""
    found = {read.tensor for read in reads(eq.value)}
    for place in eq.at:
        for _, atom in place.terms:
            if isinstance(atom, Gather):
                found |= {read.tensor for read in reads(atom.value)}
    return frozenset(found)


def constants_folded(equations: list[Equation], kept: AbstractSet[Tensor]) -> list[Equation]:
    """Tensors that depend on weights alone become weights themselves."""
    values: dict[Tensor, Weight] = {}
    result: list[Equation] = []
    for tensor, group in _by_target(equations).items():
        known = all(
            isinstance(source, Weight) or source in values for eq in group for source in read_by(eq)
        )
        timed = any(eq.time is not None for eq in group)
        if known and not timed and tensor not in kept and tensor.size <= MOST_CONSTANT:
            own = [_replaced(eq, values) for eq in group]
            array = evaluate(own, {})[tensor]
            values[tensor] = Weight(
                tensor.name, tensor.axes, tensor.shape, label=tensor.name, values=array
            )
    for eq in equations:
        if eq.target not in values:
            result.append(_replaced(eq, values))
    return result


def _by_target(equations: Iterable[Equation]) -> dict[Tensor, list[Equation]]:
    groups: dict[Tensor, list[Equation]] = {}
    for eq in equations:
        groups.setdefault(eq.target, []).append(eq)
    return groups


def _replaced(eq: Equation, values: dict[Tensor, Weight]) -> Equation:
    if not read_by(eq) & values.keys():
        return eq
    known = on_reads(lambda node: replace(node, tensor=values[node.tensor])
                     if node.tensor in values else node)  # fmt: skip
    return replace(eq, value=transform(eq.value, known))


# --------------------------------------------------------------------------- one step less


def _without(
    equations: list[Equation], position: int, kept: AbstractSet[Tensor]
) -> list[Equation] | None:
    """The equations without the one at ``position``, if others can do its work."""
    eq = equations[position]
    tensor = eq.target
    if tensor in kept or sum(other.target is tensor for other in equations) > 1:
        return None
    users = [n for n, other in enumerate(equations) if tensor in read_by(other)]
    if not users or any(n <= position for n in users):
        return None
    if isinstance(eq.value, Read) and eq.time is None:
        if not _still(equations, position, users[-1]):
            return None
        moved = _copy_read(equations, eq, users)
        if moved is not None:
            return moved[:position] + moved[position + 1 :]
    if isinstance(eq.value, Select) and eq.time is None and _still(equations, position, users[-1]):
        padded = [unpadded(equations[n], eq) for n in users]
        if all(user is not None for user in padded):
            result = list(equations)
            for n, user in zip(users, padded, strict=True):
                assert user is not None
                result[n] = user
            return result[:position] + result[position + 1 :]
    if len(users) == 1:
        user = equations[users[0]]
        if user.time is not eq.time or not _still(equations, position, users[0]):
            return None
        joined = inlined(eq, user)
        if joined is not None:
            result = list(equations)
            result[users[0]] = joined
            return result[:position] + result[position + 1 :]
    return None


def _still(equations: Sequence[Equation], position: int, user: int) -> bool:
    """True if what the equation reads does not change until its user."""
    sources = read_by(equations[position])
    return not any(eq.target in sources for eq in equations[position:user])


def _copy_read(
    equations: Sequence[Equation], copy: Equation, users: Sequence[int]
) -> list[Equation] | None:
    """Users that read the source of a copy instead; None if one of them cannot."""
    result = list(equations)
    for n in users:
        moved = _through(result[n], copy)
        if moved is None:
            return None
        result[n] = moved
    return result


def _through(eq: Equation, copy: Equation) -> Equation | None:
    """``eq`` with reads of ``copy``'s target replaced by reads of what is copied."""
    assert isinstance(copy.value, Read)
    split: dict[Index, Affine] = {}  # indices of eq in terms of fresh ones
    for node in reads(eq.value):
        if node.tensor is not copy.target:
            continue
        for place, own in zip(node.at, copy.at, strict=True):
            if own.single() is None:
                index = place.single()
                if index is None or index is eq.time or not mixed_radix(own, index.size):
                    return None
                if index not in split:
                    fresh = {i: Index(i.name, i.size) for i in own.indices()}
                    split[index] = substituted(own, fresh)
    if split:
        eq = _split(eq, split)
    failed = False

    def read(node: Read) -> Expr:
        nonlocal failed
        if node.tensor is not copy.target:
            return node
        mapping = matched(copy, node.at)
        if mapping is None:
            failed = True
            return node
        assert isinstance(copy.value, Read)
        return substitute(copy.value, mapping)

    result = replace(eq, value=transform(eq.value, on_reads(read)))
    return None if failed else result


def _split(eq: Equation, split: dict[Index, Affine]) -> Equation:
    mapping: dict[Index, Position] = dict(split)

    def spread(indices: Iterable[Index]) -> tuple[Index, ...]:
        return tuple(
            part
            for index in indices
            for part in (split[index].indices() if index in split else (index,))
        )

    def spread_sums(node: Expr) -> Expr | None:
        return replace(node, over=spread(node.over)) if isinstance(node, Reduce) else None

    rewriting = Transform(spread_sums, lambda at: substituted(at, mapping))
    return replace(rewriting.equation(eq), indices=spread(eq.indices))


def inlined(eq: Equation, user: Equation) -> Equation | None:
    """``user`` with the value of ``eq`` in place of its target; None where that costs more.

    Every element has to be read exactly once, and by no reduction.
    """
    found = [node for node in _outside_reductions(user.value) if node.tensor is eq.target]
    every = [node for node in reads(user.value) if node.tensor is eq.target]
    if not found or len({id(n) for n in every} - {id(n) for n in found}):
        return None
    if len({node.at for node in found}) > 1:
        return None
    if _heavy(eq.value) and _heavy(user.value):
        return None
    mapping = matched(eq, found[0].at)
    if mapping is None or not _once_each(found[0], user):
        return None
    if eq.time is not None and mapping[eq.time] != affine(eq.time):
        return None
    value = substitute(eq.value, mapping)
    inline = on_reads(lambda node: value if node.tensor is eq.target else node)
    return replace(user, value=transform(user.value, inline))


def _outside_reductions(expr: Expr) -> list[Read]:
    """Reads that are made once for each element."""
    if isinstance(expr, Read):
        return [expr]
    if isinstance(expr, (Reduce, Select, Number)):
        return []
    from netsheet.equations import children

    return [node for child in children(expr) for node in _outside_reductions(child)]


def _heavy(expr: Expr) -> bool:
    return any(isinstance(node, Reduce) for node in walk(expr))


def _once_each(read: Read, user: Equation) -> bool:
    """True if different elements of the target read different elements."""
    seen = {index for place in read.at for index in place.indices()}
    if any(index not in seen and index.size > 1 for index in user.indices):
        return False
    points = math.prod(index.size for index in user.indices)
    return points <= read.tensor.size and all(
        place.single() is not None or not place.terms or _radix(place) for place in read.at
    )


def _radix(place: Affine) -> bool:
    return mixed_radix(place, math.prod(index.size for index in place.indices()))


def constant_values(
    expr: Expr, indices: Sequence[Index]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A value of weights alone, for every value of some indices (doubles)."""
    target = Tensor("constant", tuple(f"axis{n}" for n in range(len(indices))),
                    tuple(index.size for index in indices))  # fmt: skip
    eq = Equation(target, tuple(affine(index) for index in indices), tuple(indices), expr)
    return evaluate([eq], {})[target]
