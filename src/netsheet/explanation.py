"""What one value is made of, read from its equation: products, their sum, what is done with it.

:func:`compositions` says it for every element of a tensor at once, over indices that stand for
the element; a workbook or a page prints that with live selectors. :func:`explain` says it for one
element, in numbers. Both know equations only, so that any layer is explained, own ones too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsheet.equations import (
    Affine,
    Call,
    Const,
    Equation,
    Expr,
    FloatArray,
    Guard,
    Index,
    Number,
    Position,
    Read,
    Reduce,
    Select,
    Tensor,
    Weight,
    affine,
    children,
    equation,
    factors,
    in_order,
    indices_of,
    reads,
    reduce,
    replaced,
    select,
    substitute,
    substituted,
    transform,
)
from netsheet.equations.evaluation import evaluate
from netsheet.equations.grids import holds_at, position_at
from netsheet.errors import UsageError


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


# --------------------------------------------------------------------------- for every element


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
        reductions, stages = _taken_apart(substitute(eq.value, mapping))
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


def _taken_apart(expr: Expr) -> tuple[tuple[Reduction, ...], tuple[Stage, ...]]:
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

    Without a reduction, the whole expression is one stage; a bare result needs none.
    """
    if isinstance(expr, Read) and expr.tensor in results:
        return []
    if not results:
        return [expr]
    stages = [expr]
    while True:
        inner = _passage(stages[0], results)
        if inner is None:
            return stages
        stages.insert(0, inner)


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


# --------------------------------------------------------------------------- for one element


@dataclass(frozen=True)
class Operand:
    """One factor of a term, with the elements that it reads."""

    value: float
    elements: tuple[tuple[Tensor, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Term:
    """What one point of a reduction contributes; ``inside`` False: a guard leaves it out."""

    point: tuple[int, ...]
    operands: tuple[Operand, ...]
    inside: bool

    @property
    def value(self) -> float:
        """The product of the operands."""
        return math.prod(operand.value for operand in self.operands)


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one element is made of, in numbers.

    ``totals`` are the results of the reductions, ``results`` those of the stages: the last one is
    ``value``. ``indices`` are the values of the equation's indices;
    ``elements`` is what is read outside reductions: a bias, another layer's value, in order.
    """

    tensor: Tensor
    at: tuple[int, ...]
    value: float
    composition: Composition
    indices: Mapping[Index, int]
    terms: tuple[tuple[Term, ...], ...]
    totals: tuple[float, ...]
    results: tuple[float, ...]
    elements: tuple[tuple[Tensor, tuple[int, ...], float], ...]


def explain(
    tensor: Tensor,
    at: Sequence[int],
    equations: Sequence[Equation],
    values: Mapping[Tensor, FloatArray],
) -> Explanation:
    """What the element of ``tensor`` at ``at`` is made of.

    Args:
        equations: those of the layer that computes the tensor.
        values: of every tensor and weight that they read, without batch axis.

    Raises:
        UsageError: there is no such element, or its equation cannot be solved for it.
    """
    at = tuple(at)
    _check(tensor, at)
    found = compositions(tensor, equations)
    picked: dict[Index, int] = {} if found is None else dict(zip(found.at, at, strict=True))
    part = next(
        (p for p in (found.parts if found else ()) if bool(holds_at(p.where, picked))), None
    )
    if part is None:
        raise UsageError(f"no equation says how {tensor.name}[{_joined(at)}] is made")
    found_numbers = numbers(part, picked, values, elements=True)
    return Explanation(
        tensor, at, found_numbers.value, part,
        {index: int(position_at(place, picked)) for index, place in part.indices.items()},
        found_numbers.terms, found_numbers.totals, found_numbers.results, found_numbers.elements,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class CompositionNumbers:
    """The numbers of one composition for one element; see :class:`Explanation`."""

    value: float
    terms: tuple[tuple[Term, ...], ...]
    totals: tuple[float, ...]
    results: tuple[float, ...]
    elements: tuple[tuple[Tensor, tuple[int, ...], float], ...]


def numbers(
    part: Composition,
    picked: Mapping[Index, int],
    values: Mapping[Tensor, FloatArray],
    elements: bool = False,
) -> CompositionNumbers:
    """Every term, total and stage of a composition for the element that is picked.

    With ``elements`` also which elements of which tensors they come from.
    """
    fixed: dict[Index, Position] = dict(picked)
    known: dict[Tensor, FloatArray] = dict(values)
    terms = []
    for reduction in part.reductions:
        terms.append(tuple(_terms(reduction, fixed, known, elements)))
        total = reduce(reduction.op, reduction.over, _product(reduction.factors), reduction.where)
        known[reduction.result] = _number(substitute(total, fixed), known)
    for stage in part.stages:
        known[stage.result] = _number(substitute(stage.value, fixed), known)
    last = part.stages[-1].result if part.stages else part.reductions[-1].result
    standins = {r.result for r in part.reductions} | {s.result for s in part.stages}
    outside = tuple(
        _element(read, known)
        for stage in (part.stages if elements else ())
        for read in _taken(substitute(stage.value, fixed))
        if read.tensor not in standins
    )
    return CompositionNumbers(
        float(known[last]),
        tuple(terms),
        tuple(float(known[r.result]) for r in part.reductions),
        tuple(float(known[s.result]) for s in part.stages),
        outside,
    )


def _check(tensor: Tensor, at: tuple[int, ...]) -> None:
    if len(at) != len(tensor.shape):
        axes = ", ".join(f"{n} {s}" for n, s in zip(tensor.axes, tensor.shape, strict=True))
        raise UsageError(
            f"{tensor.name} has the axes {axes or 'none'}: give {len(tensor.shape)} numbers, "
            f"not {len(at)}"
        )
    for name, size, place in zip(tensor.axes, tensor.shape, at, strict=True):
        if not 0 <= place < size:
            raise UsageError(f"{tensor.name}: {name} is 0 to {size - 1}, not {place}")


def _joined(at: Sequence[int]) -> str:
    return ", ".join(map(str, at))


def _product(parts: Sequence[Expr]) -> Expr:
    result = parts[0]
    for part in parts[1:]:
        result = result * part
    return result


def _number(expr: Expr, known: Mapping[Tensor, FloatArray]) -> FloatArray:
    """The value of an expression without free indices."""
    target = Tensor("value", (), ())
    return evaluate([equation(target[()], expr)], _read_values(expr, known))[target]


def _read_values(expr: Expr, known: Mapping[Tensor, FloatArray]) -> dict[Tensor, FloatArray]:
    found = {}
    for read in reads(expr):
        if read.tensor in known:
            found[read.tensor] = known[read.tensor]
        elif isinstance(read.tensor, Weight):
            found[read.tensor] = read.tensor.values
        else:
            raise UsageError(f"the values of {read.tensor.name} are needed, but not given")
    return found


def _terms(
    reduction: Reduction,
    fixed: Mapping[Index, Position],
    known: Mapping[Tensor, FloatArray],
    elements: bool,
) -> Iterator[Term]:
    """Every term in loop order."""
    where = tuple(Guard(substituted(g.value, fixed), g.low, g.high) for g in reduction.where)
    parts = [substitute(factor, fixed) for factor in reduction.factors]
    shape = tuple(index.size for index in reduction.over)
    arrays = []
    for part in parts:
        target = Tensor("factor", tuple(i.name for i in reduction.over), shape)
        eq = Equation(
            target, tuple(map(affine, reduction.over)), reduction.over, select(where, part, 0)
        )
        arrays.append(evaluate([eq], _read_values(part, known))[target])
    for point in np.ndindex(*shape):
        at = dict(zip(reduction.over, point, strict=True))
        inside = bool(holds_at(where, at))
        operands = tuple(
            Operand(
                float(array[point]), _elements_at(part, at, known) if inside and elements else ()
            )
            for part, array in zip(parts, arrays, strict=True)
        )
        yield Term(point, operands, inside)


def _elements_at(
    part: Expr, at: Mapping[Index, int], known: Mapping[Tensor, FloatArray]
) -> tuple[tuple[Tensor, tuple[int, ...]], ...]:
    found = []
    for read in _taken(substitute(part, dict(at))):
        tensor, place, _ = _element(read, known)
        found.append((tensor, place))
    return tuple(found)


def _taken(expr: Expr) -> Iterator[Read]:
    """The reads that are made where indices have numbers: of a condition only the branch taken."""
    seen: set[int] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Select) and not any(guard.value.indices() for guard in node.where):
            stack.append(node.then if bool(holds_at(node.where, {})) else node.otherwise)
            continue
        if isinstance(node, Read):
            yield node
        stack.extend(reversed(children(node)))


def _element(
    read: Read, known: Mapping[Tensor, FloatArray]
) -> tuple[Tensor, tuple[int, ...], float]:
    """A read whose positions are numbers or computed from values: tensor, element, value."""
    places = []
    for at, size in zip(read.at, read.tensor.shape, strict=True):
        place = int(_number(Number(at), known))
        places.append(min(max(place, 0), size - 1))
    array = _read_values(read, known)[read.tensor]
    return read.tensor, tuple(places), float(np.asarray(array)[tuple(places)])
