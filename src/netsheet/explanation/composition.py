"""How the elements of a tensor are made, read from its equations, for all elements at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from netsheet.equations import (
    WHOLE_FUNCTIONS,
    Affine,
    Call,
    Const,
    Equation,
    Expr,
    Guard,
    Index,
    Position,
    Read,
    Reduce,
    Select,
    Tensor,
    affine,
    children,
    factors,
    in_order,
    indices_of,
    reads,
    replaced,
    substitute,
    transform,
    walk,
)


@dataclass(frozen=True, eq=False)
class Reduction:
    """A sum (or maximum, ...) over terms; ``result`` is a stand-in that later stages read.

    ``factors`` are multiplied in each term. Terms where a guard fails count as nothing.
    """

    op: str
    over: tuple[Index, ...]
    where: tuple[Guard, ...]
    factors: tuple[Expr, ...]
    result: Tensor

    @property
    def size(self) -> int:
        """How many terms there are, those that a guard leaves out included."""
        return math.prod(index.size for index in self.over)


@dataclass(frozen=True, eq=False)
class Stage:
    """What is done with the results before it: ``sum + bias[c]``, then ``tanh(...)``."""

    value: Expr
    result: Tensor


@dataclass(frozen=True, eq=False)
class Composition:
    """How the elements are made for which ``where`` holds, over the indices that select one.

    ``equation`` is the layer's own; ``indices`` are its indices as positions of the selection.
    """

    where: tuple[Guard, ...]
    equation: Equation
    indices: Mapping[Index, Affine]
    reductions: tuple[Reduction, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, eq=False)
class Compositions:
    """How every element of a tensor is made: ``at`` selects one; one part holds for each."""

    tensor: Tensor
    at: tuple[Index, ...]
    parts: tuple[Composition, ...]


def compositions(tensor: Tensor, equations: Iterable[Equation]) -> Compositions | None:
    """How the elements of a tensor are made; None if an element is not found from its indices."""
    at = indices_of(tensor)
    parts = []
    for eq in equations:
        if eq.target is not tensor:
            continue
        found = _selected(eq, at)
        if found is None:
            return None
        mapping, where = found
        reductions, stages = taken_apart(substitute(eq.value, mapping))
        indices = {index: affine(place) for index, place in mapping.items()}
        parts.append(Composition(where, eq, indices, reductions, stages))
    return Compositions(tensor, at, tuple(parts)) if parts else None


def _selected(
    eq: Equation, at: Sequence[Index]
) -> tuple[dict[Index, Position], tuple[Guard, ...]] | None:
    """The indices of an equation by those of the element, and when it fills that element."""
    mapping: dict[Index, Position] = {}
    where: list[Guard] = []
    for own, place in zip(eq.at, at, strict=True):
        if any(not isinstance(atom, Index) or factor <= 0 for factor, atom in own.terms):
            return None
        terms = sorted(own.terms, key=lambda term: -term[0])
        rest = place - own.const
        low, high = own.bounds()
        where.append(Guard(affine(place), low, high + 1))
        for factor, atom in terms:
            assert isinstance(atom, Index)
            below = sum(f * (a.size - 1) for f, a in terms if f < factor and isinstance(a, Index))
            if atom in mapping or below >= factor:
                return None
            mapping[atom] = rest // factor
            rest = rest % factor if factor > 1 else affine(0)
        where.append(Guard(rest, 0, 1))
    if any(index not in mapping for index in eq.indices):
        return None
    return mapping, tuple(guard for guard in where if not guard.always())


def taken_apart(expr: Expr) -> tuple[tuple[Reduction, ...], tuple[Stage, ...]]:
    """The outermost reductions of an expression, and the stages that lead on from them."""
    expr = transform(expr, _guarded)
    found: list[Reduction] = []
    for reduced in list(_outermost(expr)):
        body = tuple(factors(reduced.body)) if reduced.op == "sum" else (reduced.body,)
        name = reduced.op if not found else f"{reduced.op} {len(found) + 1}"
        result = Tensor(name, (), ())
        found.append(Reduction(reduced.op, reduced.over, reduced.where, body, result))
        expr = replaced(expr, reduced, result[()])
    stages: list[Stage] = []
    inner = expr
    for node in _narrow(expr, {reduction.result for reduction in found}):
        result = Tensor(f"stage {len(stages) + 1}", (), ())
        value = replaced(node, inner, stages[-1].result[()]) if stages else node
        stages.append(Stage(value, result))
        inner = node
    return tuple(found), tuple(stages)


def _guarded(node: Expr) -> Expr | None:
    """A sum that is 0 unless guards hold is a sum over the terms for which they hold."""
    if not isinstance(node, Select) or not isinstance(node.then, Reduce) or node.then.op != "sum":
        return None
    if not isinstance(node.otherwise, Const) or node.otherwise.value != 0:
        return None
    return replace(node.then, where=(*node.then.where, *node.where))


def _outermost(expr: Expr) -> Iterator[Reduce]:
    """Reductions that no other one contains, from left to right."""
    seen: set[int] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Reduce):
            yield node
        else:
            stack.extend(reversed(children(node)))


def _narrow(expr: Expr, results: set[Tensor]) -> list[Expr]:
    """The calls through which everything that was reduced has to pass, innermost first.

    Without a reduction, the whole expression is one stage, or each of the roundings that whole
    numbers go through; a bare result needs none.
    """
    if isinstance(expr, Read) and expr.tensor in results:
        return []
    if not results:
        return chain(expr) if rounds(expr) else [expr]
    stages = [expr]
    while True:
        inner = _passage(stages[0], results)
        if inner is None:
            return stages
        stages.insert(0, inner)


def rounds(expr: Expr) -> bool:
    """True for arithmetic of whole numbers, in which every step rounds."""
    return any(isinstance(node, Call) and node.function in WHOLE_FUNCTIONS for node in walk(expr))


def chain(expr: Expr) -> list[Expr]:
    """The calls that one number goes through, innermost first, each the operand of the next.

    What is scaled, shifted or divided goes on inside; of other calls the only operand that is a
    call does. Two limits are one step.
    """
    found = [expr]
    while (inner := _operand(found[0])) is not None:
        found.insert(0, inner)
    return found


def _operand(expr: Expr) -> Expr | None:
    """The operand of a call that is a call itself, and goes on through it."""
    if not isinstance(expr, Call):
        return None
    if expr.function in WHOLE_FUNCTIONS:
        return expr.args[0] if isinstance(expr.args[0], Call) else None
    other = {"min": "max", "max": "min"}.get(expr.function)
    inner = [arg for arg in expr.args if not isinstance(arg, (Const, Read))]
    if len(inner) != 1 or not isinstance(inner[0], Call):
        return None
    bounded = any(isinstance(arg, Const) for arg in expr.args)
    if bounded and inner[0].function == other:
        limits = [arg for arg in inner[0].args if not isinstance(arg, Const)]
        if len(limits) == 1:
            return limits[0] if isinstance(limits[0], Call) else None
    return inner[0]


def _passage(expr: Expr, results: set[Tensor]) -> Expr | None:
    """The outermost part of a call that alone holds all results; None if there is none."""
    for node in in_order(expr)[1:]:
        if not isinstance(node, (Call, Select)) or _results(node, results) != results:
            continue
        rest = replaced(expr, node, Tensor("", (), ())[()])
        if not _results(rest, results) and not _inside_select(expr, node):
            return node
    return None


def _inside_select(expr: Expr, node: Expr) -> bool:
    """True if the part is only computed where a condition holds."""
    return any(
        node is part
        for outer in in_order(expr)
        if isinstance(outer, Select)
        for branch in (outer.then, outer.otherwise)
        for part in in_order(branch)
    )


def _results(expr: Expr, results: set[Tensor]) -> set[Tensor]:
    return {read.tensor for read in reads(expr)} & results
