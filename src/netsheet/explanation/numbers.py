"""What one element is made of, in numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.equations import (
    Call,
    Equation,
    Expr,
    FloatArray,
    Guard,
    Index,
    Number,
    Position,
    Read,
    Select,
    Tensor,
    Weight,
    affine,
    children,
    equation,
    reads,
    reduce,
    select,
    substitute,
    substituted,
)
from netsheet.equations.evaluation import evaluate
from netsheet.equations.grids import holds_at, position_at
from netsheet.errors import UsageError
from netsheet.explanation.composition import Composition, Reduction, compositions
from netsheet.network import Network, Node


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
    ``value``; ``operands`` what each stage's own function was given. ``indices`` are the values of
    the equation's indices; ``elements`` is what is read outside reductions: a bias, another
    layer's value, in order.
    """

    tensor: Tensor
    at: tuple[int, ...]
    value: float
    composition: Composition
    picked: Mapping[Index, int]
    indices: Mapping[Index, int]
    terms: tuple[tuple[Term, ...], ...]
    totals: tuple[float, ...]
    results: tuple[float, ...]
    operands: tuple[tuple[float, ...], ...]
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
        tensor, at, found_numbers.value, part, picked,
        {index: int(position_at(place, picked)) for index, place in part.indices.items()},
        found_numbers.terms, found_numbers.totals, found_numbers.results,
        found_numbers.operands, found_numbers.elements,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class CompositionNumbers:
    """The numbers of one composition for one element; see :class:`Explanation`."""

    value: float
    terms: tuple[tuple[Term, ...], ...]
    totals: tuple[float, ...]
    results: tuple[float, ...]
    operands: tuple[tuple[float, ...], ...]
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
    operands = []
    for stage in part.stages:
        value = substitute(stage.value, fixed)
        known[stage.result] = _number(value, known)
        args = value.args if elements and isinstance(value, Call) else ()
        operands.append(tuple(float(_number(arg, known)) for arg in args))
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
        tuple(operands),
        outside,
    )


def explain_value(
    network: Network, name: str, at: Sequence[int], inputs: Mapping[str, FloatArray]
) -> Explanation:
    """What one value of a layer, or of a step on the way to it (``lstm/pre``), is made of.

    Args:
        inputs: an array for each input of the network, without batch axis; for states that it keeps
            too, or they are zeros.

    Raises:
        UsageError: there is no such layer, step or element.
        UnsupportedError: the layer, or one that it needs, is not computed.
    """
    given = {t: np.asarray(inputs[t.name], float) for t in network.inputs if t.name in inputs}
    for state in network.states:
        known = inputs.get(state.before.name, np.zeros(state.before.shape))
        given[state.before] = np.asarray(known, float)
    # the steps of a layer are made with its equations: once for all that follows
    stated = {n: network.node_equations(n) for n in network.computed(_owner(network, name).key)}
    tensor, equations = _found(stated, name)
    needed = [eq for every in stated.values() for eq in every]
    return explain(tensor, at, equations, {**given, **evaluate(needed, given)})


def _owner(network: Network, name: str) -> Node:
    """The layer that computes a tensor of that name, a step included."""
    for node in network.computed():
        if any(tensor.name == name for tensor in node.outputs) or name.startswith(f"{node.key}/"):
            return node
    return network.node(name)


def _found(
    stated: Mapping[Node, Sequence[Equation]], name: str
) -> tuple[Tensor, Sequence[Equation]]:
    """The tensor of that name, or the only output of the layer of that name."""
    node, equations = list(stated.items())[-1]
    tensors = list(dict.fromkeys(eq.target for eq in equations))
    for tensor in tensors:
        if tensor.name == name:
            return tensor, equations
    if name == node.key and len(node.outputs) == 1:
        return node.outputs[0], equations
    known = ", ".join(tensor.name for tensor in tensors)
    raise UsageError(f"{node.key!r} has no value {name!r}; its values are: {known}")


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
