"""Equations with every reduction in an equation of its own, so that the chain rule is two rules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from netsheet.equations import (
    Affine,
    Equation,
    Expr,
    Guard,
    Index,
    Number,
    Position,
    Reduce,
    Select,
    Tensor,
    affine,
    call,
    children,
    equation,
    free_indices,
    reduce,
    replaced,
    select,
    substitute,
    substituted,
    walk,
)


def apart(equations: Iterable[Equation]) -> list[Equation]:
    """The same tensors, and one more for each reduction that stands inside something larger.

    Behind it an equation is either free of reductions, or one reduction over a body free of them,
    perhaps behind guards (:class:`netsheet.equations.Select` with 0 elsewhere).
    """
    result: list[Equation] = []
    parts: Counter[Tensor] = Counter()  # so far, of a tensor that several equations fill
    for eq in equations:
        made = _apart(eq, parts[eq.target])
        parts[eq.target] += len(made) - 1
        result += made
    return result


def reduction_of(eq: Equation) -> tuple[Reduce, tuple[Guard, ...]] | None:
    """The one reduction that an equation is, and the guards around it."""
    if isinstance(eq.value, Reduce):
        return eq.value, ()
    if isinstance(eq.value, Select) and isinstance(eq.value.then, Reduce):
        return eq.value.then, eq.value.where
    return None


def _apart(eq: Equation, before: int) -> list[Equation]:
    """The equation's parts, numbered from ``before``, and what is left of it."""
    made: list[Equation] = []
    while True:
        found = _innermost(eq)
        if found is None:
            return [*made, eq]
        node, where = found
        indices = dict.fromkeys(free_indices(node))
        for guard in where:
            indices.update(dict.fromkeys(guard.value.indices()))
        if eq.time is not None:
            indices = {eq.time: None} | indices
        part, at = _part(eq, node.op, before + len(made), tuple(indices))
        read = part[at]
        # outside of its guards the reduction would read what does not exist
        made.append(equation(read, select(where, node, 0), eq.time))
        eq = replace(eq, value=replaced(eq.value, node, read))


def _innermost(eq: Equation) -> tuple[Reduce, tuple[Guard, ...]] | None:
    """A reduction inside something larger, with no reduction inside, and the guards around it."""
    whole = reduction_of(eq)
    top = whole[0] if whole is not None and not _reduces(whole[0].body) else None
    for node, where in _with_guards(eq.value):
        if isinstance(node, Reduce) and node is not top and not _reduces(node.body):
            return node, where
    return None


def _reduces(expr: Expr) -> bool:
    return any(isinstance(node, Reduce) for node in walk(expr))


def _with_guards(expr: Expr) -> Iterable[tuple[Expr, tuple[Guard, ...]]]:
    """Every node once, with the guards under which it counts on the way that comes first."""
    seen: set[int] = set()
    stack: list[tuple[Expr, tuple[Guard, ...]]] = [(expr, ())]
    while stack:
        node, where = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node, where
        for child in children(node):
            inner = isinstance(node, Select) and child is node.then
            stack.append((child, (*where, *node.where) if inner else where))  # type: ignore[attr-defined]


def _part(
    eq: Equation, op: str, number: int, indices: tuple[Index, ...]
) -> tuple[Tensor, tuple[Index, ...]]:
    """The tensor of a reduction over ``indices``, and the order in which it has them.

    Where an index runs along an axis of what the equation fills, the axis keeps its name and its
    place: the part of a convolution is a map like the convolution itself.
    """
    names = {at.single(): axis for at, axis in zip(eq.at, eq.target.axes, strict=True)}
    along = [index for index in names if index in indices]
    ordered = (*along, *(index for index in indices if index not in along))
    axes = tuple(names.get(index, index.name) for index in ordered)
    sizes = tuple(index.size for index in ordered)
    return eq.target.step(f"{op}{number}", axes, sizes), ordered


# --------------------------------------------------------------------------- what slopes need


@dataclass
class Helpers:
    """What the slope of a reduction needs to know of its points, by the tensor that it fills.

    ``first`` is the number of the first point that attains a maximum or minimum, ``count`` how many
    points a mean is over, ``others`` for each point the product of all the other points.
    """

    first: dict[Tensor, Tensor] = field(default_factory=dict)
    count: dict[Tensor, Tensor] = field(default_factory=dict)
    others: dict[Tensor, Tensor] = field(default_factory=dict)


def numbered(over: Sequence[Index]) -> Affine:
    """The number of a point, counted with the last index fastest."""
    total = affine(0)
    for index in over:
        total = total * index.size + index
    return total


def with_helpers(equations: Iterable[Equation]) -> tuple[list[Equation], Helpers]:
    """The equations, and behind each reduction the tensor that its slope needs."""
    helpers = Helpers()
    result: list[Equation] = []
    for eq in equations:
        result.append(eq)
        whole = reduction_of(eq)
        if whole is None:
            continue
        node, where = whole
        if node.op in ("max", "min"):
            result.append(_first(eq, node, where, helpers))
        elif node.op == "mean":
            count = helpers.count.setdefault(eq.target, eq.target.like("count"))
            number = reduce("sum", node.over, 1, node.where)
            result.append(Equation(count, eq.at, eq.indices, number, eq.time))
        elif node.op == "prod":
            result.append(_others(eq, node, where, helpers))
    return result, helpers


def _first(eq: Equation, node: Reduce, where: tuple[Guard, ...], helpers: Helpers) -> Equation:
    """The smallest number among the points that attain the value."""
    points = math.prod(index.size for index in node.over)
    over, body, inner = _again(node)
    attained = call("equal", body, eq.target[eq.at])
    place = reduce("min", over, call("if", attained, Number(numbered(over)), points), inner)
    target = helpers.first.setdefault(eq.target, eq.target.like("first"))
    return Equation(target, eq.at, eq.indices, select(where, place, points), eq.time)


def _others(eq: Equation, node: Reduce, where: tuple[Guard, ...], helpers: Helpers) -> Equation:
    """For each point the product of the others: right where one of them is 0, too."""
    points = math.prod(index.size for index in node.over)
    over, body, inner = _again(node)
    own = Index("n", points)
    same = call("equal", Number(numbered(over)), Number(affine(own)))
    product = reduce("prod", over, call("if", same, 1, body), inner)
    if eq.target not in helpers.others:
        axes, shape = (*eq.target.axes, "point"), (*eq.target.shape, points)
        helpers.others[eq.target] = eq.target.step("others", axes, shape)
    target = helpers.others[eq.target]
    at = (*eq.at, affine(own))
    return Equation(target, at, (*eq.indices, own), select(where, product, 0), eq.time)


def _again(node: Reduce) -> tuple[list[Index], Expr, list[Guard]]:
    """The same reduction over indices of its own."""
    fresh: dict[Index, Position] = {index: Index(index.name, index.size) for index in node.over}
    guards = [Guard(substituted(g.value, fresh), g.low, g.high) for g in node.where]
    return list(fresh.values()), substitute(node.body, fresh), guards  # type: ignore[arg-type]
